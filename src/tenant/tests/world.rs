//! A small cluster with its API server, in memory: what actions do, and what decisions then see.
//!
//! Objects are raw JSON and reach decisions through the cache, as live ones do.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use smol_str::SmolStr;

use super::{
    cloud::Cloud,
    controllers,
    fixtures::{alice, class_json, class_with_roles_json, draws, settings, spec_json, start},
    promises,
};
use crate::{
    api::{labels, record::TenantRecordSpec, tenant::TenantStatus},
    tenant::{
        action::{Action, AwsAction, Plan},
        cache::{Cache, DEFINITIONS, Watched, optional_kinds},
        child::{Child, Kind, ObjectKey},
        fit::Amounts,
        observed::Observed,
        plan::plan,
        settings::Settings,
        status::{Telling, status},
        wanted::Remembered,
    },
};

/// Why the world refuses an action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Another object of that name, or a later state of it.
    Conflict,
    /// There is one already.
    Exists,
    /// The quota has no room.
    Quota,
    /// AWS refuses.
    Aws(String),
}

/// What happens to an action beside being carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// It never arrives.
    Lost,
    /// It is carried out, and nobody hears of it.
    Unanswered,
    /// Nobody hears of it, and it is carried out some seconds later, where it makes something in AWS.
    Late,
}

/// A field of objects that carry no label of ours, so that no watch shows them until one does.
pub(super) const UNWATCHED: &str = "unwatched";

/// Whether the watches show an object.
fn is_watched(object: &Value) -> bool {
    object[UNWATCHED].is_null() || object["metadata"]["labels"][labels::MANAGED] == "true"
}
/// The longest that a request takes effect after it was sent.
const LATEST: SignedDuration = SignedDuration::from_secs(9);

/// Cluster-scoped or namespaced objects of one sort, by `namespace/name`.
pub(super) type Objects = BTreeMap<String, Value>;

/// Everything there is.
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) settings: Arc<Settings>,
    pub(super) cache: Arc<Cache>,
    pub(super) definitions: Objects,
    pub(super) tenant: Option<Value>,
    pub(super) record: Option<Value>,
    pub(super) class: Option<Value>,
    /// Classes of other names.
    pub(super) more_classes: Vec<Value>,
    /// What the class says when nobody has taken it away.
    pub(super) usual_class: Value,
    pub(super) children: BTreeMap<Kind, Objects>,
    pub(super) pods: Objects,
    pub(super) volumes: Objects,
    pub(super) storage_class: Option<Value>,
    pub(super) cloud: Cloud,
    /// Every action that was carried out, in order.
    pub(super) done: Vec<Action>,
    /// Tenants of other names, and their records: they only count.
    pub(super) others: Vec<(Option<Value>, Value)>,
    /// Controllers that do not work now.
    pub(super) broken: Vec<&'static str>,
    /// Whether the Pod Identity webhook gives pods their credentials.
    pub(super) injects: bool,
    /// Events of objects in the tenant's namespace.
    pub(super) events: Vec<Value>,
    /// What others use of the quota.
    pub(super) used_by_others: Amounts,
    /// What the quota counts and is not there, until it is counted anew.
    pub(super) miscounted: Amounts,
    /// Pods that never become ready.
    pub(super) never_ready: fn(&Value) -> bool,
    /// When a Tenant of the name was seen last.
    pub(super) had_tenant: Timestamp,
    /// Whether the cluster serves the kinds that it may do without.
    pub(super) serves_optional: bool,
    /// Objects of these kinds have a finalizer that nobody takes off.
    pub(super) held: Vec<Kind>,
    /// Whether somebody uses the workspace.
    pub(super) is_used: bool,
    /// Versions of secrets that a former owner may know.
    pub(super) known_before: Vec<SmolStr>,
    /// Requests that are still on their way, and when they arrive.
    late: Vec<(Timestamp, AwsAction)>,
    counter: u64,
}

impl World {
    /// A cluster with definitions, a class and storage, and no Tenant.
    pub(super) fn new() -> Self {
        let settings = settings();
        let mut world = Self {
            now: start(),
            cache: Arc::new(Cache::new(Arc::clone(&settings))),
            settings,
            definitions: Objects::new(),
            tenant: None,
            record: None,
            class: None,
            more_classes: Vec::new(),
            usual_class: class_json(),
            children: Kind::ALL.iter().map(|kind| (*kind, Objects::new())).collect(),
            pods: Objects::new(),
            volumes: Objects::new(),
            storage_class: None,
            cloud: Cloud::default(),
            done: Vec::new(),
            others: Vec::new(),
            broken: Vec::new(),
            injects: true,
            events: Vec::new(),
            used_by_others: Amounts::new(),
            miscounted: Amounts::new(),
            never_ready: |_| false,
            had_tenant: start(),
            serves_optional: false,
            held: Vec::new(),
            is_used: true,
            known_before: Vec::new(),
            late: Vec::new(),
            counter: 0,
        };
        world.install();
        world.set_class(&class_json());
        let storage = json!({ "metadata": { "name": "efs" }, "allowVolumeExpansion": true });
        world.storage_class = Some(world.born(storage));
        world
    }

    /// A cluster in which alice's Tenant was just made.
    pub(super) fn with_alice() -> Self {
        let mut world = Self::new();
        world.make_tenant(&spec_json());
        world
    }

    /// The same, with a role for each tenant.
    pub(super) fn with_alice_and_roles() -> Self {
        let mut world = Self::new();
        world.usual_class = class_with_roles_json();
        world.set_class(&class_with_roles_json());
        world.make_tenant(&spec_json());
        world
    }

    pub(super) fn install(&mut self) {
        for name in DEFINITIONS {
            let definition = self.born(json!({ "metadata": { "name": name } }));
            self.definitions.insert(name.into(), definition);
        }
    }

    pub(super) fn set_class(&mut self, spec: &Value) {
        self.class = Some(self.born(json!({ "metadata": { "name": "default" }, "spec": spec })));
    }

    pub(super) fn add_class(&mut self, name: &str, spec: &Value) {
        let class = self.born(json!({ "metadata": { "name": name }, "spec": spec }));
        self.more_classes.push(class);
    }

    pub(super) fn make_tenant(&mut self, spec: &Value) {
        self.tenant = Some(self.born(json!({ "metadata": { "name": "alice", "generation": 1 }, "spec": spec })));
    }

    pub(super) fn edit_tenant(&mut self, edit: impl FnOnce(&mut Value)) {
        let mut tenant = self.tenant.take().expect("a Tenant");
        edit(&mut tenant["spec"]);
        bump_generation(&mut tenant);
        self.touch(&mut tenant);
        self.tenant = Some(tenant);
    }

    pub(super) fn annotate_tenant(&mut self, key: &str, value: &str) {
        let mut tenant = self.tenant.take().expect("a Tenant");
        tenant["metadata"]["annotations"][key] = json!(value);
        self.touch(&mut tenant);
        self.tenant = Some(tenant);
    }

    pub(super) fn suspend(&mut self, suspend: bool) {
        self.edit_tenant(|spec| spec["suspend"] = json!(suspend));
    }

    /// `kubectl delete tenant`.
    pub(super) fn delete_tenant(&mut self) {
        let Some(mut tenant) = self.tenant.take() else { return };
        if has_finalizers(&tenant) {
            if tenant["metadata"]["deletionTimestamp"].is_null() {
                tenant["metadata"]["deletionTimestamp"] = json!(self.now);
            }
            self.touch(&mut tenant);
            self.tenant = Some(tenant);
        }
    }

    /// An object as the API server stores it first.
    pub(super) fn born(&mut self, mut object: Value) -> Value {
        self.counter += 1;
        object["metadata"]["uid"] = json!(format!("{:08x}-aaaa-4bbb-8ccc-ddddeeeeffff", self.counter * 0x0111_1111));
        object["metadata"]["creationTimestamp"] = json!(self.now);
        self.touch(&mut object);
        object
    }

    pub(super) fn touch(&mut self, object: &mut Value) {
        self.counter += 1;
        object["metadata"]["resourceVersion"] = json!(self.counter.to_string());
    }

    pub(super) fn record_spec(&self) -> TenantRecordSpec {
        let record = self.record.as_ref().expect("a record");
        serde_json::from_value(record["spec"].clone()).expect("a record's spec")
    }

    pub(super) fn key(&self, child: Child) -> ObjectKey {
        child.key(&alice(), &self.record_spec())
    }

    pub(super) fn child(&self, child: Child) -> Option<&Value> {
        self.record.as_ref()?;
        let key = self.key(child);
        self.children[&key.kind].get(&path(&key))
    }

    /// Changes a child by hand.
    pub(super) fn edit_child(&mut self, child: Child, edit: impl FnOnce(&mut Value)) {
        let key = self.key(child);
        let Some(mut object) = self.children.get_mut(&key.kind).and_then(|all| all.remove(&path(&key))) else { return };
        let before = object.clone();
        edit(&mut object);
        if before["spec"] != object["spec"] {
            bump_generation(&mut object);
        }
        self.touch(&mut object);
        self.put(&key, object);
    }

    pub(super) fn put(&mut self, key: &ObjectKey, object: Value) {
        self.children.entry(key.kind).or_default().insert(path(key), object);
    }

    /// Deletes a child by hand.
    pub(super) fn delete_child(&mut self, child: Child) {
        if self.record.is_none() {
            return;
        }
        let now = self.now;
        let is_held = self.held.contains(&child.kind());
        match child {
            Child::Namespace | Child::Claim => self.edit_child(child, |object| {
                object["metadata"]["deletionTimestamp"] = json!(now);
            }),
            _ if is_held => self.edit_child(child, |object| {
                object["metadata"]["deletionTimestamp"] = json!(now);
            }),
            _ => {
                let key = self.key(child);
                self.children.entry(key.kind).or_default().remove(&path(&key));
            }
        }
    }

    /// Pods of this kind never become ready from now on.
    pub(super) fn break_pods(&mut self, never_ready: fn(&Value) -> bool) {
        self.never_ready = never_ready;
    }

    /// The operator starts anew and knows nothing.
    pub(super) fn restart(&mut self) {
        self.cache = Arc::new(Cache::new(Arc::clone(&self.settings)));
    }

    /// Whether the class says that nothing is removed.
    pub(super) fn is_halted(&self) -> bool {
        self.class.as_ref().is_some_and(|class| class["metadata"]["annotations"][labels::HALT] == "true")
    }

    /// `kubectl annotate tenantclass default openclaw.io/halt=true`, and back.
    pub(super) fn halt(&mut self, halted: bool) {
        let Some(mut class) = self.class.take() else { return };
        class["metadata"]["annotations"] = if halted { json!({ labels::HALT: "true" }) } else { json!({}) };
        self.touch(&mut class);
        self.class = Some(class);
    }

    /// So many others are being deleted with `Delete` from now on, or none any more.
    pub(super) fn delete_others(&mut self, count: usize) {
        self.others.clear();
        for number in 0..count {
            let name = format!("other-{number}");
            let mut tenant = self.born(json!({ "metadata": { "name": name }, "spec": spec_json() }));
            tenant["spec"]["deletionPolicy"] = json!("Delete");
            tenant["metadata"]["deletionTimestamp"] = json!(self.now);
            let mut spec = json!(self.record_spec());
            spec["tenantUid"] = tenant["metadata"]["uid"].clone();
            for field in ["purge", "purgeAfter", "dueSince", "confirmed", "history"] {
                spec.as_object_mut().expect("a spec").remove(field);
            }
            spec["phase"] = json!("Retained");
            spec["routing"]["placement"] = Value::Null;
            let record = self.born(json!({ "metadata": { "name": name }, "spec": spec }));
            self.others.push((Some(tenant), record));
        }
    }

    /// So many others are kept as long as alice is.
    pub(super) fn keep_others(&mut self, count: usize) {
        let record = self.record_spec();
        self.others.clear();
        for number in 0..count {
            let name = format!("other-{number}");
            let record = self.born(json!({ "metadata": { "name": name }, "spec": record }));
            self.others.push((None, record));
        }
    }

    /// They are seen to be due, as alice is.
    pub(super) fn others_are_due(&mut self) {
        let now = self.now;
        for (_, mut record) in std::mem::take(&mut self.others) {
            record["spec"]["dueSince"] = json!(now);
            self.touch(&mut record);
            self.others.push((None, record));
        }
    }

    /// An administrator's order.
    pub(super) fn order(&mut self, key: &str, value: &str) {
        let mut record = self.record.take().expect("a record");
        record["metadata"]["annotations"][key] = json!(value);
        self.touch(&mut record);
        self.record = Some(record);
    }

    /// What a decision sees now.
    pub(super) fn observe(&mut self) -> Observed {
        if self.tenant.is_some() {
            self.had_tenant = self.now;
        }
        self.sync();
        self.counter += 1;
        self.cache.observe(&alice(), self.now, draws(self.counter))
    }

    /// Kinds that the cluster may do without are installed, or taken away with all their objects.
    pub(super) fn serve_optional(&mut self, served: bool) {
        self.serves_optional = served;
        if !served {
            let optional = self.children.iter_mut().filter(|(kind, _)| kind.is_optional());
            optional.for_each(|(_, objects)| objects.clear());
        }
    }

    /// What lists of everything that is watched hold now.
    pub(super) fn lists(&self) -> Vec<(Watched, Vec<Value>)> {
        let one = |object: &Option<Value>| object.iter().cloned().collect::<Vec<_>>();
        let all = |objects: &Objects| objects.values().filter(|one| is_watched(one)).cloned().collect::<Vec<_>>();
        let mut lists: Vec<(Watched, Vec<Value>)> = vec![
            (Watched::Definition, all(&self.definitions)),
            (Watched::StorageClass, one(&self.storage_class)),
            (Watched::Class, self.class.iter().chain(&self.more_classes).cloned().collect()),
            (
                Watched::Record,
                self.record.iter().chain(self.others.iter().map(|(_, record)| record)).cloned().collect(),
            ),
            (
                Watched::Tenant,
                self.tenant
                    .iter()
                    .chain(self.others.iter().filter_map(|(tenant, _)| tenant.as_ref()))
                    .cloned()
                    .collect(),
            ),
            (Watched::Volume, all(&self.volumes)),
        ];
        lists.extend(self.children.iter().map(|(kind, objects)| (Watched::Child(*kind), all(objects))));
        // Of these all are watched.
        let policies = self.children[&Kind::NetworkPolicy].values().cloned().collect();
        lists.push((Watched::Policy, policies));
        lists.push((Watched::Pod, all(&self.pods)));
        lists
    }

    fn sync(&self) {
        for watched in optional_kinds() {
            if self.serves_optional {
                self.cache.end_list(watched, "");
            } else {
                self.cache.unserve(watched);
            }
        }
        let lists = self.lists();
        for (watched, objects) in lists {
            let uids: Vec<&Value> = objects.iter().map(|object| &object["metadata"]["uid"]).collect();
            let name = |object: &Value| object["metadata"]["name"].clone();
            for known in self.cache.identities(watched) {
                let there = match known["metadata"]["uid"].as_str() {
                    Some(uid) if !uid.is_empty() => uids.iter().any(|there| **there == *uid),
                    _ => objects.iter().any(|object| name(object) == name(&known)),
                };
                if !there {
                    self.cache.remove(watched, &known);
                }
            }
            for object in &objects {
                self.cache.upsert(watched, object);
            }
        }
    }

    /// One look, one decision, all of its actions. Says what was decided, after checking every promise.
    pub(super) fn round(&mut self) -> Plan {
        self.round_with(&mut |_| Fault::None)
    }

    /// The same, with `fault` choosing what goes wrong.
    pub(super) fn round_with(&mut self, fault: &mut dyn FnMut(&Action) -> Fault) -> Plan {
        self.let_arrive();
        let observed = self.observe();
        let decided = plan(&observed);
        let afresh = plan(&Observed { remembered: Remembered::default(), ..observed.clone() });
        assert_eq!(decided, afresh, "what is remembered decides nothing");
        let [kept, afresh] = self.cache.removals_twice(self.now);
        assert_eq!(kept, afresh, "no removal is missing where the breaker counts");
        let [kept, afresh] = self.cache.places_twice();
        assert_eq!(kept, afresh, "no volume is missing where its place is looked for");
        self.cache.stand_at_gate(&observed, &decided);
        promises::story(self, &observed, &decided);
        for action in &decided.actions {
            promises::before(self, action);
            let fault = fault(action);
            if matches!(fault, Fault::Lost | Fault::Late) {
                Cloud::forget(&self.cache, action);
                if let (Fault::Late, Action::Aws(action)) = (fault, action)
                    && action.makes_something()
                {
                    self.late.push((self.now + LATEST, action.clone()));
                }
                continue;
            }
            // A refused action is decided about anew in the next round.
            if self.perform(action).is_ok() {
                self.done.push(action.clone());
            }
            if fault == Fault::Unanswered {
                Cloud::forget(&self.cache, action);
            }
        }
        decided
    }

    /// Whether a request is still on its way.
    pub(super) fn is_awaited(&self) -> bool {
        !self.late.is_empty()
    }

    /// The same once whatever was asked for before has come to be, or cannot any more.
    pub(super) fn settle_late(&mut self) {
        self.settle();
        self.now += SignedDuration::from_secs(31);
        self.settle();
    }

    /// Requests that arrive by now. Nobody waits for their answers any more.
    fn let_arrive(&mut self) {
        let (now, nobodys) = (self.now, Cache::new(Arc::clone(&self.settings)));
        let (arrived, late) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = late;
        for (_, action) in arrived {
            let _ = self.cloud.perform(&action, &nobodys, now);
        }
    }

    /// Rounds, with controllers at work between them, until nothing is left to do; says how many rounds that took.
    pub(super) fn settle(&mut self) -> usize {
        for round in 1..=60 {
            // That look is taken for as long as somebody else's object stands in the way.
            let acted = self.round().actions.iter().any(|action| *action != Action::LookAtGrant);
            let moved = controllers::run(self);
            if !acted && !moved {
                return round;
            }
            self.now += SignedDuration::from_secs(2);
        }
        let last = plan(&self.observe());
        panic!("no rest after 60 rounds; the last decision: {last:#?}");
    }

    /// The status that is told now.
    pub(super) fn status(&mut self) -> Option<TenantStatus> {
        let observed = self.observe();
        let decided = plan(&observed);
        let generation = observed.tenant.as_deref()?.generation;
        status(&Telling {
            name: &observed.name,
            generation,
            now: self.now,
            story: &decided.story,
            failures: &[],
            record: observed.record_spec(),
            class: None,
            previous: &TenantStatus::default(),
        })
    }

    /// Reason of the Ready condition, and whether it is True.
    pub(super) fn ready(&mut self) -> (bool, String) {
        let status = self.status().expect("a status is told");
        let ready = status.condition("Ready").expect("Ready is told");
        (ready.status == "True", ready.reason.clone())
    }
}

pub(super) fn path(key: &ObjectKey) -> String {
    match &key.namespace {
        Some(namespace) => format!("{namespace}/{}", key.name),
        None => key.name.to_string(),
    }
}

pub(super) fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty())
}

fn bump_generation(object: &mut Value) {
    object["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap_or(1) + 1);
}
