//! What is known of the cluster and of AWS, kept up to date by watches and by the answers to our own writes.
//!
//! Values only: nothing here talks to anybody. Children are kept as digests, the rest as views.

mod answers;
mod census;
mod figuring;
mod forgetting;
mod letting_go;
mod observing;
mod optional;
mod phrases;
mod removals;
mod rolling;
mod taking_up;

use answers::{Gone, Source};
pub use answers::{Overtaken, Sent};
pub use census::marks;
use optional::Witnesses;
#[cfg(test)]
pub(super) use optional::optional_kinds;
use phrases::{KeptStatus, Phrases};
use removals::Removals;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use litemap::LiteMap;
use serde_json::{Value, json};
use smol_str::SmolStr;

use super::{
    action::Step,
    adoption::Belongings,
    child::{Kind, ObjectKey},
    digest::Digest,
    explain::{Awaited, Wait, Waits},
    gate::Gate,
    observed::{
        AwsView, ClassView, DefinitionView, Definitions, Look, Observed, PodView, RecordView, Rendering,
        StorageClassView, TenantView, VolumeView,
    },
    progress::Reached,
    settings::Settings,
    views,
    wanted::Remembered,
};
use crate::{
    api::{
        names::{ClassName, NamespaceName, Nonce, TenantName, Uid},
        tenant::{Phase, TenantStatus},
    },
    gateway::Allocator,
};

/// A kind of object that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Watched {
    /// A child of a tenant.
    Child(Kind),
    /// Tenant.
    Tenant,
    /// TenantRecord.
    Record,
    /// TenantClass.
    Class,
    /// Pod of a workspace.
    Pod,
    /// PersistentVolume.
    Volume,
    /// StorageClass.
    StorageClass,
    /// NetworkPolicy, whoever's: others in a tenant's namespace add to what may pass.
    Policy,
    /// CustomResourceDefinition of ours, or of an optional kind.
    Definition,
    /// CiliumNetworkPolicy, whoever's.
    CiliumPolicy,
    /// What the VPC CNI's policy controller makes of policies.
    PolicyEndpoint,
    /// What Cilium says of pods.
    CiliumEndpoint,
}

/// Whom a change concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concerns {
    /// Nobody: nothing that decisions see has changed.
    Nobody,
    /// These tenants.
    Tenants(Vec<TenantName>),
    /// All tenants.
    Everybody,
}

/// A network policy, as far as it may be somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PolicyView {
    uid: Option<Uid>,
    /// Whether it lets anything pass.
    allows: bool,
}

/// What is known.
pub struct Cache {
    settings: Arc<Settings>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    tenants: HashMap<TenantName, (Arc<TenantView>, Arc<KeptStatus>)>,
    /// What their statuses say, each kept once.
    phrases: Phrases,
    records: HashMap<TenantName, Arc<RecordView>>,
    /// Of these two, what the breaker counts.
    removals: Removals,
    classes: HashMap<ClassName, ClassView>,
    /// Classes whose tenants lose nothing for good.
    halts: HashSet<ClassName>,
    objects: HashMap<Arc<ObjectKey>, Arc<Digest>>,
    /// Owned namespaces by the tenant whose label they carry.
    namespaces: HashMap<TenantName, NamespaceName>,
    volumes: HashMap<String, Arc<VolumeView>>,
    /// Names of the volumes of each place in the storage: more than one must not be, and is looked for before one goes.
    volumes_at: HashMap<SmolStr, LiteMap<SmolStr, ()>>,
    /// Names of the volumes that carry a tenant's label.
    marked_volumes: HashMap<TenantName, LiteMap<SmolStr, ()>>,
    pods: HashMap<TenantName, LiteMap<(NamespaceName, SmolStr), Arc<PodView>>>,
    storage_classes: HashMap<String, StorageClassView>,
    /// Network policies by namespace, kind and name.
    policies: HashMap<NamespaceName, LiteMap<(Kind, SmolStr), PolicyView>>,
    /// What shows that something enforces policies, by namespace.
    witnesses: HashMap<NamespaceName, Witnesses>,
    /// Optional kinds that the cluster serves.
    served: HashSet<Watched>,
    /// ReferenceGrants by the tenant whose label they carry.
    grants: HashMap<TenantName, BTreeSet<ObjectKey>>,
    /// Definitions of ours, and of optional kinds, that are there.
    definitions: HashMap<String, DefinitionView>,
    renderings: HashMap<ObjectKey, Rendering>,
    /// Objects that this process has written or rehearsed since it started.
    met: HashSet<Arc<ObjectKey>>,
    aws: HashMap<TenantName, Arc<AwsView>>,
    /// What tenants wait for.
    waits: HashMap<TenantName, Waits>,
    /// What lies in namespaces that are being adopted.
    belongings: HashMap<TenantName, Look<Belongings>>,
    /// Tenants whose claim the quota has refused, and a look has not found: it is not there.
    unclaimed: HashSet<TenantName>,
    gateways: Allocator,
    gate: Gate,
    /// How far pod templates have come, as decisions left it.
    reached: HashMap<TenantName, Reached>,
    /// Generations of classes.
    generations: HashMap<ClassName, i64>,
    /// The last look at the cluster itself before a removal, by tenant.
    looked: HashMap<TenantName, (Step, Timestamp)>,
    /// What is gone, of each kind, since its last list: an answer that comes late does not bring it back.
    gone: HashMap<Watched, Gone>,
    /// How many lists of each kind have begun.
    lists: HashMap<Watched, u64>,
    /// Watches that are listing now, by kind and what they select.
    listing: HashSet<(Watched, String)>,
    /// Whether a look has found what concerns everybody, before the watch has told of it.
    wakes_everybody: bool,
    /// The highest version that was seen of each kind.
    latest: HashMap<Watched, u64>,
    /// What the wishes of tenants on their way came to.
    remembered: HashMap<TenantName, Remembered>,
    /// What was said last about a record that no Tenant tells of.
    said: HashMap<TenantName, String>,
    /// When tenants that are on their way were told of last.
    told: HashMap<TenantName, Timestamp>,
    /// Whether anything that figures are made of was told or decided since they were taken last.
    has_changed: bool,
}

/// Names of the definitions without which nothing is done.
pub const DEFINITIONS: [&str; 3] = [TENANTS, "tenantclasses.openclaw.io", "tenantrecords.openclaw.io"];

/// The name of the definition with which Tenants go.
const TENANTS: &str = "tenants.openclaw.io";

impl Cache {
    /// Nothing known yet.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings, known: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Every change below is complete before anything can panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up a live object that a watch tells of. Older states are ignored.
    pub fn upsert(&self, watched: Watched, object: &Value) -> Concerns {
        self.lock().upsert(watched, object)
    }

    /// Forgets an object that a watch has seen to be gone, or to be out of its sight.
    pub fn remove(&self, watched: Watched, object: &Value) -> Concerns {
        self.lock().remove(watched, object)
    }

    /// Forgets an object that a fresh list lacks.
    pub fn forget(&self, watched: Watched, identity: &Value) -> Concerns {
        self.lock().forget(watched, identity)
    }

    /// A fresh list of a kind begins, by the watch that selects this. What is in it is so, even if a later state is known, or its
    /// end: an older backup may have been put back. What was asked before is not believed any more, nor what is asked meanwhile.
    pub fn begin_list(&self, watched: Watched, selected: &str) {
        let mut known = self.lock();
        known.gone.remove(&watched);
        known.listing.insert((watched, selected.to_owned()));
        *known.lists.entry(watched).or_default() += 1;
    }

    /// Takes up an object of a fresh list.
    pub fn list(&self, watched: Watched, object: &Value) -> Concerns {
        self.lock().upsert_from(watched, object, Source::List)
    }

    /// A fresh list is complete.
    pub fn end_list(&self, watched: Watched, selected: &str) {
        let mut known = self.lock();
        known.listing.remove(&(watched, selected.to_owned()));
        known.serve(watched);
    }

    /// The highest version that was seen of a kind.
    pub fn latest(&self, watched: Watched) -> Option<u64> {
        self.lock().latest.get(&watched).copied()
    }

    /// To be called before a request is sent whose answer shall be taken up.
    pub fn sends(&self, watched: Watched) -> Sent {
        Sent { watched, list: self.lock().list_of(watched) }
    }

    /// Takes up the answer to a request.
    ///
    /// # Errors
    /// Where the watch of its kind has begun anew since the request was sent: what was deleted in between nobody would tell again.
    pub fn take_up(&self, sent: Sent, answer: &Value) -> Result<(), Overtaken> {
        let mut known = self.lock();
        known.check_in_time(sent)?;
        // Most concern the tenant that asked, and that one looks by itself.
        let concerns = known.upsert_from(sent.watched, answer, Source::Answer);
        known.wakes_everybody |= concerns == Concerns::Everybody;
        Ok(())
    }

    /// Takes up that the API server has said an object is not there, or goes with this answer.
    ///
    /// # Errors
    /// As [`take_up`](Self::take_up).
    pub fn take_up_absence(&self, sent: Sent, identity: &Value) -> Result<(), Overtaken> {
        let mut known = self.lock();
        known.check_in_time(sent)?;
        // Without a version: no state of it is believed any more.
        let concerns = known.remove(sent.watched, &json!({ "metadata": identity }));
        known.wakes_everybody |= concerns == Concerns::Everybody;
        Ok(())
    }

    /// Identities of the known objects of a kind that a fresh list lacks. What it has is told by UID, where one is kept, and by name.
    pub fn unseen(&self, watched: Watched, is_seen: impl Fn(Option<&Uid>, &str) -> bool) -> Vec<Value> {
        self.lock().identities(watched, &|uid, name| !is_seen(uid, name))
    }

    /// What is known of all children.
    #[cfg(test)]
    pub(super) fn digests(&self) -> HashMap<Arc<ObjectKey>, Arc<Digest>> {
        self.lock().objects.clone()
    }

    /// Identities of all known objects of a kind.
    #[cfg(test)]
    pub fn identities(&self, watched: Watched) -> Vec<Value> {
        self.unseen(watched, |_, _| false)
    }

    /// All tenants that have a Tenant, a record or an owned namespace.
    pub fn names(&self) -> Vec<TenantName> {
        self.lock().names()
    }

    /// Everything that a decision about one tenant needs.
    pub fn observe(&self, name: &TenantName, now: Timestamp, draw: Nonce) -> Observed {
        self.lock().observe(name, now, draw, &self.settings)
    }

    /// The status of a Tenant as it is, for comparing with what is to be written. No decision sees it.
    pub fn status(&self, name: &TenantName) -> Option<TenantStatus> {
        let kept = self.lock().tenants.get(name).map(|(_, status)| Arc::clone(status));
        kept.map(|kept| kept.read())
    }

    /// When a tenant that is on its way was told of last.
    pub fn told_at(&self, name: &TenantName) -> Option<Timestamp> {
        self.lock().told.get(name).copied()
    }

    /// A tenant was told of. Of one that has arrived nobody needs to know when.
    pub fn told(&self, name: &TenantName, phase: Phase, now: Timestamp) {
        let told = &mut self.lock().told;
        match phase {
            Phase::Pending | Phase::Provisioning | Phase::Deleting => told.insert(name.clone(), now),
            Phase::Ready | Phase::Suspended | Phase::Error => told.remove(name),
        };
    }

    /// Whether our definitions stand.
    pub fn definitions(&self) -> Definitions {
        self.lock().definitions()
    }

    /// What was learned of how the server renders an object.
    pub fn rendering(&self, key: &ObjectKey) -> Option<Rendering> {
        self.lock().renderings.get(key).cloned()
    }

    /// Remembers how the server renders an object.
    pub fn learn(&self, key: &ObjectKey, rendering: Rendering) {
        self.lock().renderings.insert(key.clone(), rendering);
    }

    /// Notes that this process has to do with an object; `true` the first time.
    pub fn meet(&self, key: &ObjectKey) -> bool {
        let mut known = self.lock();
        let key = known.shared(key);
        known.met.insert(key)
    }

    /// Tenants that wait at the roll-out gate, or for a place on a gateway, and should look again; all of them where a look has found
    /// a definition changed.
    pub fn take_woken(&self) -> Vec<TenantName> {
        let mut known = self.lock();
        let mut woken = known.gate.take_woken();
        woken.append(&mut known.gateways.take_woken());
        if std::mem::take(&mut known.wakes_everybody) { known.names() } else { woken }
    }

    /// The events of an object that is waited for were looked at; what they say of it.
    pub fn saw_events(&self, name: &TenantName, awaited: Awaited, of: &Uid, at: Timestamp, said: Option<String>) {
        let mut known = self.lock();
        let wait = known.waits.get_mut(name).and_then(|waits| waits.get_mut(&awaited)).filter(|wait| wait.of == *of);
        if let Some(wait) = wait {
            let looks = wait.looks.saturating_add(1);
            *wait = Wait { of: of.clone(), since: wait.since, looks, looked: Some(at), said };
        }
    }

    /// What lies in a namespace was looked at, or is not known any more.
    pub fn saw_belongings(&self, name: &TenantName, look: Look<Belongings>) {
        self.lock().belongings.insert(name.clone(), look);
    }

    /// The quota has refused a tenant's claim, and a look has not found it.
    pub fn claim_is_nowhere(&self, name: &TenantName) {
        self.lock().unclaimed.insert(name.clone());
    }

    /// Notes that the cluster itself was looked at for a tenant.
    pub fn looked_at_cluster(&self, name: &TenantName, before: Step, at: Timestamp) {
        self.lock().looked.insert(name.clone(), (before, at));
    }

    /// A step was taken on the ground of a look: the next needs another.
    pub fn look_is_used(&self, name: &TenantName) {
        self.lock().looked.remove(name);
    }

    /// Whether this is to be said about a record that no Tenant tells of: not where it was said last.
    pub fn is_news(&self, name: &TenantName, text: &str) -> bool {
        let before = self.lock().said.insert(name.clone(), text.to_owned());
        before.as_deref() != Some(text)
    }

    /// Nothing is to be said about a record any more.
    pub fn is_quiet_again(&self, name: &TenantName) {
        self.lock().said.remove(name);
    }

    /// Changes what is known of a tenant in AWS, where anything is: nothing is noted about one that is gone.
    pub fn with_known_aws<R>(&self, name: &TenantName, change: impl FnOnce(&mut AwsView) -> Option<R>) -> Option<R> {
        self.lock().aws.get_mut(name).and_then(|view| change(Arc::make_mut(view)))
    }

    /// Changes what is known of a tenant in AWS.
    pub fn with_aws<R>(&self, name: &TenantName, change: impl FnOnce(&mut AwsView) -> R) -> R {
        change(Arc::make_mut(self.lock().aws.entry(name.clone()).or_default()))
    }
}

fn some(name: Option<TenantName>) -> Concerns {
    name.map_or(Concerns::Nobody, |name| Concerns::Tenants(vec![name]))
}

fn all(mut names: Vec<TenantName>) -> Concerns {
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { Concerns::Nobody } else { Concerns::Tenants(names) }
}

impl Known {
    fn names(&self) -> Vec<TenantName> {
        let mut names: Vec<TenantName> =
            self.tenants.keys().chain(self.records.keys()).chain(self.namespaces.keys()).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn definitions(&self) -> Definitions {
        let states: Vec<Option<&DefinitionView>> = DEFINITIONS.iter().map(|name| self.definitions.get(*name)).collect();
        let goes = |view: Option<&DefinitionView>| view.is_some_and(|view| view.deleting);
        // Only with the definition of Tenants do Tenants go: one that is deleted while another goes is deleted by somebody.
        if goes(self.definitions.get(TENANTS)) {
            Definitions::Leaving
        } else if states.iter().any(|view| view.is_none() || goes(*view)) {
            Definitions::Missing
        } else {
            Definitions::Stand
        }
    }
}

fn object_key(kind: Kind, object: &Value) -> Option<ObjectKey> {
    let namespace = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Some(namespace.parse().ok()?),
        None => None,
    };
    Some(ObjectKey { kind, namespace, name: views::name(object).into() })
}
