//! Watches: everything that decisions are made from, followed into what is known.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    runtime::{
        WatchStreamExt as _,
        utils::Backoff,
        watcher::{self, Event},
    },
};
use serde_json::Value;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::Instant,
};

use super::{
    cache::{Cache, Concerns, DEFINITIONS, Watched},
    child::{Kind, KindInfo},
    queue::Entrance,
    views,
};
use crate::{
    api::{labels, names::Uid},
    kubernetes::{Live, definitions},
    telemetry::health::Readiness,
};

/// A watch that failed is tried again after so long at first, and at most so long later: a kind that is installed again
/// is seen at once.
const WATCH_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));

/// An optional kind that is refused is asked for again after so long at most.
const REFUSED_PAUSE: Duration = Duration::from_mins(1);

/// For so long what was listed before is believed while the server refuses.
const REFUSALS_BELIEVED: Duration = Duration::from_mins(5);

/// How many objects a list asks for at once. At a start all kinds are listed at the same time, and what is not yet taken up is held
/// whole: the memory that this takes is never given back.
const PAGE: u32 = 50;

/// How many kinds are listed at once: what is read of each is held for a moment, between what is kept for good.
const LISTS_AT_ONCE: usize = 3;

/// For so long one list keeps others waiting, and no longer: one that hangs, or trickles, must not hold up all.
const TURN: Duration = Duration::from_secs(10);

/// Pauses of a watch that fails: doubling, up to the longest.
#[derive(Default)]
struct WatchPauses(Option<Duration>);

impl Iterator for WatchPauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let (first, longest) = WATCH_PAUSES;
        let pause = self.0.map_or(first, |before| before.saturating_mul(2).min(longest));
        self.0 = Some(pause);
        Some(pause)
    }
}

impl Backoff for WatchPauses {
    fn reset(&mut self) {
        self.0 = None;
    }
}

/// One watch: of what, and which of them.
#[derive(Clone, Debug)]
struct Watch {
    watched: Watched,
    info: KindInfo,
    labels: Option<String>,
    fields: Option<String>,
}

impl Watch {
    /// The name of its kind's definition.
    fn definition(&self) -> String {
        format!("{}.{}", self.info.plural, self.info.group)
    }

    /// How it is asked for.
    fn config(&self) -> watcher::Config {
        let mut config = watcher::Config::default().page_size(PAGE);
        config.label_selector.clone_from(&self.labels);
        config.field_selector.clone_from(&self.fields);
        config
    }

    /// The one name that it follows, where it is one.
    fn name(&self) -> Option<&str> {
        self.fields.as_deref()?.strip_prefix("metadata.name=")
    }

    /// What tells it from other watches of its kind.
    fn selected(&self) -> &str {
        self.fields.as_deref().unwrap_or_default()
    }
}

/// All watches of the operator.
fn watches() -> Vec<Watch> {
    let all = |watched, info| Watch { watched, info, labels: None, fields: None };
    let ours = |watched, info| Watch { labels: Some(format!("{}=true", labels::MANAGED)), ..all(watched, info) };
    let children = Kind::ALL.iter().map(|kind| match kind {
        // All of them: one that lost its marks, or that stands in the way, is seen too.
        Kind::Namespace => all(Watched::Child(*kind), kind.info()),
        Kind::ResourceQuota
        | Kind::LimitRange
        | Kind::NetworkPolicy
        | Kind::PodDisruptionBudget
        | Kind::ServiceAccount
        | Kind::PersistentVolumeClaim
        | Kind::ConfigMap
        | Kind::Service
        | Kind::StatefulSet
        | Kind::HttpRoute
        | Kind::CiliumNetworkPolicy
        | Kind::ScaledObject
        | Kind::InterceptorRoute
        | Kind::ReferenceGrant
        | Kind::TargetGroupConfiguration
        | Kind::RoleBinding
        | Kind::ClusterRole
        | Kind::ClusterRoleBinding => ours(Watched::Child(*kind), kind.info()),
    });
    let others = [
        all(Watched::Class, definitions::CLASS),
        all(Watched::Record, definitions::RECORD),
        all(Watched::Tenant, definitions::TENANT),
        all(Watched::StorageClass, definitions::STORAGE_CLASS),
        all(Watched::Volume, definitions::VOLUME),
        all(Watched::Policy, Kind::NetworkPolicy.info()),
        ours(Watched::Pod, definitions::POD),
        all(Watched::CiliumPolicy, Kind::CiliumNetworkPolicy.info()),
        all(Watched::PolicyEndpoint, definitions::POLICY_ENDPOINT),
        // Cilium gives a pod's endpoint the pod's labels.
        ours(Watched::CiliumEndpoint, definitions::CILIUM_ENDPOINT),
    ];
    let followed: Vec<Watch> = others.into_iter().chain(children).collect();
    let optional: BTreeSet<String> =
        followed.iter().filter(|one| one.watched.goes_by_definition()).map(Watch::definition).collect();
    let named = DEFINITIONS.iter().map(|name| (*name).to_owned()).chain(optional);
    let definitions = named.map(|name| Watch {
        fields: Some(format!("metadata.name={name}")),
        ..all(Watched::Definition, definitions::DEFINITION)
    });
    definitions.chain(followed).collect()
}

/// Which definitions stand, by name, as far as they were looked at.
type Defined = watch::Sender<BTreeMap<String, bool>>;

/// Follows everything that decisions are made from.
pub struct Watches {
    client: Client,
    cache: Arc<Cache>,
    entrance: Entrance,
    lists: Arc<Semaphore>,
}

impl Watches {
    /// Watches that fill the cache and put whom they concern into the queue.
    pub fn new(client: Client, cache: Arc<Cache>, entrance: Entrance) -> Self {
        Self { client, cache, entrance, lists: Arc::new(Semaphore::new(LISTS_AT_ONCE)) }
    }

    /// Starts all watches as tasks. The receiver turns true once every one of them has seen everything there is.
    pub fn start(&self, readiness: &Readiness, tasks: &mut JoinSet<()>) -> watch::Receiver<bool> {
        let watches = watches();
        let (progress, complete) = watch::channel(false);
        let missing = Arc::new(std::sync::Mutex::new((0..watches.len()).collect::<HashSet<usize>>()));
        let condition = readiness.require("caches", "the first look at the cluster is not complete yet");
        let progress = Arc::new(progress);
        let defined = Arc::new(Defined::new(BTreeMap::new()));
        for (index, one) in watches.into_iter().enumerate() {
            let (missing, progress, condition) = (Arc::clone(&missing), Arc::clone(&progress), condition.clone());
            let synced = move || {
                let mut missing = missing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                missing.remove(&index);
                if missing.is_empty() {
                    condition.met();
                    progress.send_replace(true);
                }
            };
            let (client, cache, entrance) = (self.client.clone(), Arc::clone(&self.cache), self.entrance.clone());
            let (defined, lists) = (Arc::clone(&defined), Arc::clone(&self.lists));
            let follower = Follower { client, cache, entrance, lists, one, defined, synced };
            tasks.spawn(follower.follow());
        }
        complete
    }
}

/// One follower of one watch.
struct Follower<F> {
    client: Client,
    cache: Arc<Cache>,
    entrance: Entrance,
    lists: Arc<Semaphore>,
    one: Watch,
    defined: Arc<Defined>,
    /// To be called once everything there is has been seen, or is known not to be.
    synced: F,
}

impl<F: Fn() + Send> Follower<F> {
    async fn follow(self) {
        if self.one.watched.goes_by_definition() {
            self.follow_while_defined().await;
        } else if self.one.watched.is_optional() {
            self.follow_refused().await;
        } else {
            self.stream().await;
        }
    }

    /// A kind that the cluster may do without is followed while its definition stands. Nothing is asked for meanwhile.
    async fn follow_while_defined(&self) {
        let name = self.one.definition();
        let mut defined = self.defined.subscribe();
        loop {
            let Ok(stands) = defined.wait_for(|all| all.contains_key(&name)).await.map(|all| all[&name]) else {
                return;
            };
            if !stands {
                self.is_not_served();
                if defined.wait_for(|all| all.get(&name) == Some(&true)).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = self.follow_refused() => return,
                gone = defined.wait_for(|all| all.get(&name) == Some(&false)) => if gone.is_err() { return },
            }
        }
    }

    /// Follows a kind whose definition stands, or that needs none. Where the server refuses, the stream begins anew with a list, ever
    /// later: a definition that does not serve our version, or a kind that the operator was not given, is nobody's to wait for. What was
    /// listed once is believed for some minutes of refusals: nothing is forgotten by them, and nobody is woken.
    async fn follow_refused(&self) {
        let (mut pause, mut refused_since) = (WATCH_PAUSES.0, None::<Instant>);
        loop {
            let listed = self.stream().await;
            if listed {
                (pause, refused_since) = (WATCH_PAUSES.0, None);
            }
            if refused_since.is_none() {
                tracing::info!(
                    kind = self.one.info.kind,
                    "not to be listed: not served, or not given to the operator; asked for again from time to time, needed only by classes that \
                     ask for it"
                );
            }
            let since = *refused_since.get_or_insert_with(Instant::now);
            let is_known = self.cache.is_served(self.one.watched);
            if !is_known || since.elapsed() > REFUSALS_BELIEVED {
                self.is_not_served();
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(REFUSED_PAUSE);
        }
    }

    fn is_not_served(&self) {
        spread(&self.cache, &self.entrance, self.cache.unserve(self.one.watched));
        (self.synced)();
    }

    /// Follows until the watch ends, or an optional kind is refused; says whether a list was completed before.
    async fn stream(&self) -> bool {
        let one = &self.one;
        let api: Api<Live> = Api::all_with(self.client.clone(), &ApiResource::from(one.info));
        let events = watcher::watcher(api, one.config()).backoff(WatchPauses::default());
        let mut events = events.boxed();
        let (mut seen, mut turn) = (Seen::default(), None);
        let (mut is_interrupted, mut listed) = (false, false);
        loop {
            let over = turn.as_ref().map(|(_, over)| *over);
            let event = tokio::select! {
                event = events.try_next() => event,
                () = tokio::time::sleep_until(over.unwrap_or_else(Instant::now)), if over.is_some() => {
                    turn = None;
                    continue;
                }
            };
            match event {
                Ok(Some(event)) => {
                    is_interrupted &= matches!(event, Event::Init);
                    listed |= matches!(event, Event::InitDone);
                    match event {
                        // The list itself is asked for with the next look.
                        Event::Init => turn = self.lists.acquire().await.ok().map(|turn| (turn, Instant::now() + TURN)),
                        Event::InitDone => turn = None,
                        Event::InitApply(_) | Event::Apply(_) | Event::Delete(_) => {}
                    }
                    self.take_up(event, &mut seen);
                }
                Ok(None) => return listed,
                // Said where it is waited for.
                Err(error) if self.one.watched.is_optional() && is_refusal(&error) => return listed,
                Err(error) => {
                    turn = None;
                    // Said once; what is missing for long is what readiness tells of.
                    if std::mem::replace(&mut is_interrupted, true) {
                        tracing::debug!(kind = one.info.kind, %error, "watch still interrupted");
                    } else {
                        tracing::warn!(kind = one.info.kind, %error, "watch interrupted, tried again until it stands");
                    }
                    if !self.one.watched.is_optional() && is_undefined(&self.client, &self.one).await {
                        (self.synced)();
                    }
                }
            }
        }
    }

    fn take_up(&self, event: Event<Live>, seen: &mut Seen) {
        let Self { cache, entrance, one, .. } = self;
        self.note_definition(&event, seen);
        let concerns = match event {
            Event::Init => {
                cache.begin_list(one.watched, one.selected());
                *seen = Seen::default();
                Concerns::Nobody
            }
            Event::InitApply(object) => {
                seen.note(one.watched, &object.value);
                cache.list(one.watched, &object.value)
            }
            Event::InitDone => {
                forget_unseen(cache, entrance, one, seen);
                cache.end_list(one.watched, one.selected());
                *seen = Seen::default();
                (self.synced)();
                Concerns::Nobody
            }
            Event::Apply(object) => cache.upsert(one.watched, &object.value),
            Event::Delete(object) => cache.remove(one.watched, &object.value),
        };
        spread(cache, entrance, concerns);
    }

    /// Tells those who follow an optional kind whether its definition stands.
    fn note_definition(&self, event: &Event<Live>, seen: &Seen) {
        let Some(name) = self.one.name().filter(|_| self.one.watched == Watched::Definition) else { return };
        let stands = match event {
            Event::Init => return,
            Event::InitDone if seen.names.contains(name) => return,
            // A list of one name tells by its only object, or at its end that there is none. With a definition that goes go its objects,
            // and whoever works on them may be gone already.
            Event::InitApply(object) | Event::Apply(object) => object.value["metadata"]["deletionTimestamp"].is_null(),
            Event::InitDone | Event::Delete(_) => false,
        };
        self.defined.send_if_modified(|all| all.insert(name.to_owned(), stands) != Some(stands));
    }
}

/// Whether the server says that there is no such kind, or that it is not the operator's to see.
fn is_refusal(error: &watcher::Error) -> bool {
    let error = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => return status.code == 404 || status.code == 403,
        watcher::Error::NoResourceVersion => return false,
    };
    matches!(error, kube::Error::Api(status) if status.code == 404 || status.code == 403)
}

/// Whether a kind of ours has no CustomResourceDefinition, and so no object. Tenants that go with theirs wait to be let go
/// (S3), though records and classes may be gone already: what is not defined is waited for by nobody.
async fn is_undefined(client: &Client, one: &Watch) -> bool {
    if one.info.group != labels::GROUP {
        return false;
    }
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from(definitions::DEFINITION));
    // The watch may have failed for any reason: what counts is that the server says that there is none.
    matches!(all.get_opt(&one.definition()).await, Ok(None))
}

/// What a list has shown so far.
#[derive(Default)]
struct Seen {
    uids: HashSet<Uid>,
    /// Of the few kinds of which there are few.
    names: HashSet<String>,
}

impl Seen {
    fn note(&mut self, watched: Watched, object: &Value) {
        self.uids.extend(views::uid(object));
        // Where the cache keeps no UID it goes by name, and so does who waits for a definition.
        if matches!(watched, Watched::Class | Watched::StorageClass | Watched::Definition) {
            self.names.insert(views::name(object).to_owned());
        }
    }

    fn has(&self, uid: Option<&Uid>, name: &str) -> bool {
        uid.map_or_else(|| self.names.contains(name), |uid| self.uids.contains(uid))
    }
}

/// What a fresh list lacks was deleted while nobody watched.
fn forget_unseen(cache: &Cache, entrance: &Entrance, one: &Watch, seen: &Seen) {
    for identity in cache.unseen(one.watched, |uid, name| seen.has(uid, name)) {
        if belongs_to(one, &identity) {
            spread(cache, entrance, cache.forget(one.watched, &identity));
        }
    }
}

/// Several watches share a kind where each follows one name.
fn belongs_to(one: &Watch, identity: &Value) -> bool {
    one.name().is_none_or(|name| identity["metadata"]["name"] == name)
}

fn spread(cache: &Cache, entrance: &Entrance, concerns: Concerns) {
    match concerns {
        Concerns::Nobody => {}
        Concerns::Tenants(names) => names.into_iter().for_each(|name| entrance.now(name)),
        Concerns::Everybody => cache.names().into_iter().for_each(|name| entrance.now(name)),
    }
    cache.take_woken().into_iter().for_each(|name| entrance.now(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_has_shown_is_known_by_uid_and_where_none_is_kept_by_name() {
        let object = |name: &str| serde_json::json!({ "metadata": { "name": name, "uid": format!("uid-of-{name}") } });
        let uid = |name: &str| format!("uid-of-{name}").parse::<Uid>().expect("a UID");
        let mut seen = Seen::default();
        seen.note(Watched::Pod, &object("pod"));
        seen.note(Watched::Class, &object("class"));
        assert!(seen.has(Some(&uid("pod")), "pod") && seen.has(None, "class"));
        assert!(!seen.has(Some(&uid("another")), "pod"), "one of that name was made anew");
        assert!(!seen.has(None, "pod") && !seen.has(None, "another"));
    }

    #[test]
    fn lists_are_asked_for_in_small_pages_of_what_is_selected() {
        let labels = Some("openclaw.io/managed=true".to_owned());
        let watch = Watch { watched: Watched::Pod, info: definitions::POD, labels: labels.clone(), fields: None };
        let config = watch.config();
        assert_eq!((config.page_size, config.label_selector, config.field_selector), (Some(50), labels, None));
    }
}
