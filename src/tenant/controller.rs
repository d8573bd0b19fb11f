//! Watches → queue → reconcile; nothing else.

use std::{collections::HashSet, sync::Arc, time::Duration};

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
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    cache::{Cache, Concerns, DEFINITIONS, Watched},
    child::{Kind, KindInfo},
    queue::{Entrance, Next, Queue},
    reconcile::{Reconciler, count_phases},
};
use crate::{
    api::{labels, names::TenantName},
    chance::chance,
    kubernetes::definitions,
    telemetry::{
        health::{Condition, Heartbeat, Readiness},
        metrics::Metrics,
        result::Outcome,
    },
};

/// The name of this controller in metrics.
const CONTROLLER: &str = "tenant";

/// A watch that failed is tried again after so long at first, and at most so long later: a kind that is installed again
/// is seen at once.
const WATCH_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));

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
        | Kind::HttpRoute => ours(Watched::Child(*kind), kind.info()),
    });
    let definitions_of_ours = DEFINITIONS.iter().map(|name| Watch {
        fields: Some(format!("metadata.name={name}")),
        ..all(Watched::Definition, definitions::DEFINITION)
    });
    let others = [
        all(Watched::Class, definitions::CLASS),
        all(Watched::Record, definitions::RECORD),
        all(Watched::Tenant, definitions::TENANT),
        all(Watched::StorageClass, definitions::STORAGE_CLASS),
        all(Watched::Volume, definitions::VOLUME),
        all(Watched::Policy, Kind::NetworkPolicy.info()),
        ours(Watched::Pod, definitions::POD),
    ];
    definitions_of_ours.chain(others).chain(children).collect()
}

/// Follows everything that decisions are made from.
pub struct Watches {
    client: Client,
    cache: Arc<Cache>,
    entrance: Entrance,
}

impl Watches {
    /// Watches that fill the cache and put whom they concern into the queue.
    pub const fn new(client: Client, cache: Arc<Cache>, entrance: Entrance) -> Self {
        Self { client, cache, entrance }
    }

    /// Starts all watches as tasks. The receiver turns true once every one of them has seen everything there is.
    pub fn start(&self, readiness: &Readiness, tasks: &mut JoinSet<()>) -> watch::Receiver<bool> {
        let watches = watches();
        let (progress, complete) = watch::channel(false);
        let missing = Arc::new(std::sync::Mutex::new((0..watches.len()).collect::<HashSet<usize>>()));
        let condition = readiness.require("caches", "the first look at the cluster is not complete yet");
        let progress = Arc::new(progress);
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
            let follow = follow(self.client.clone(), Arc::clone(&self.cache), self.entrance.clone(), one, synced);
            tasks.spawn(follow);
        }
        complete
    }
}

async fn follow(client: Client, cache: Arc<Cache>, entrance: Entrance, one: Watch, synced: impl Fn() + Send) {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from(one.info));
    let mut config = watcher::Config::default();
    config.label_selector.clone_from(&one.labels);
    config.field_selector.clone_from(&one.fields);
    let events = watcher::watcher(api, config).backoff(WatchPauses::default());
    let mut events = events.boxed();
    let mut seen = HashSet::new();
    let mut is_interrupted = false;
    loop {
        match events.try_next().await {
            Ok(Some(event)) => {
                is_interrupted &= matches!(event, Event::Init);
                take_up(&cache, &entrance, &one, event, &mut seen, &synced);
            }
            Ok(None) => return,
            Err(error) => {
                // Said once; what is missing for long is what readiness tells of.
                if std::mem::replace(&mut is_interrupted, true) {
                    tracing::debug!(kind = one.info.kind, %error, "watch still interrupted");
                } else {
                    tracing::warn!(kind = one.info.kind, %error, "watch interrupted, tried again until it stands");
                }
                if is_undefined(&client, &one).await {
                    synced();
                }
            }
        }
    }
}

/// Whether a kind of ours has no CustomResourceDefinition, and so no object. Tenants that go with theirs wait to be let go
/// (S3), though records and classes may be gone already: what is not defined is waited for by nobody.
async fn is_undefined(client: &Client, one: &Watch) -> bool {
    if one.info.group != labels::GROUP {
        return false;
    }
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from(definitions::DEFINITION));
    // The watch may have failed for any reason: what counts is that the server says that there is none.
    matches!(all.get_opt(&format!("{}.{}", one.info.plural, one.info.group)).await, Ok(None))
}

fn take_up(
    cache: &Cache,
    entrance: &Entrance,
    one: &Watch,
    event: Event<DynamicObject>,
    seen: &mut HashSet<String>,
    synced: &impl Fn(),
) {
    let concerns = match event {
        Event::Init => {
            cache.begin_list(one.watched, one.selected());
            seen.clear();
            Concerns::Nobody
        }
        Event::InitApply(object) => {
            // Where the cache keeps no UID it goes by name; a name is never a UID.
            seen.extend(object.metadata.uid.clone());
            seen.extend(object.metadata.name.clone());
            cache.list(one.watched, &raw(object))
        }
        Event::InitDone => {
            cache.end_list(one.watched, one.selected());
            forget_unseen(cache, entrance, one, seen);
            seen.clear();
            synced();
            Concerns::Nobody
        }
        Event::Apply(object) => cache.upsert(one.watched, &raw(object)),
        Event::Delete(object) => cache.remove(one.watched, &raw(object)),
    };
    spread(cache, entrance, concerns);
}

fn raw(object: DynamicObject) -> Value {
    let DynamicObject { types, metadata, data } = object;
    let mut raw = data;
    if let Some(raw) = raw.as_object_mut() {
        if let Some(types) = types {
            raw.insert("apiVersion".into(), types.api_version.into());
            raw.insert("kind".into(), types.kind.into());
        }
        // Metadata is made of strings and maps of strings, which always serialise.
        raw.insert("metadata".into(), serde_json::to_value(metadata).unwrap_or_default());
    }
    raw
}

/// What a fresh list lacks was deleted while nobody watched.
fn forget_unseen(cache: &Cache, entrance: &Entrance, one: &Watch, seen: &HashSet<String>) {
    for identity in cache.identities(one.watched) {
        let text = |field: &str| identity["metadata"][field].as_str().filter(|text| !text.is_empty());
        let mark = text("uid").or_else(|| text("name")).unwrap_or_default();
        if !seen.contains(mark) && belongs_to(one, &identity) {
            spread(cache, entrance, cache.forget(one.watched, &identity));
        }
    }
}

/// Several watches share a kind where each follows one name.
fn belongs_to(one: &Watch, identity: &Value) -> bool {
    let name = identity["metadata"]["name"].as_str().unwrap_or_default();
    one.fields.as_ref().is_none_or(|fields| *fields == format!("metadata.name={name}"))
}

fn spread(cache: &Cache, entrance: &Entrance, concerns: Concerns) {
    match concerns {
        Concerns::Nobody => {}
        Concerns::Tenants(names) => names.into_iter().for_each(|name| entrance.now(name)),
        Concerns::Everybody => cache.names().into_iter().for_each(|name| entrance.now(name)),
    }
    cache.take_woken().into_iter().for_each(|name| entrance.now(name));
}

/// Works the queue off while this process leads.
pub struct Controller {
    /// Decides and acts.
    pub reconciler: Reconciler,
    /// What is known.
    pub cache: Arc<Cache>,
    /// Who comes next.
    pub queue: Queue,
    /// The way into the queue.
    pub entrance: Entrance,
    /// How many tenants are worked on at the same time.
    pub concurrency: usize,
    /// Figures.
    pub metrics: Metrics,
    /// Sign of life.
    pub heartbeat: Heartbeat,
}

impl Controller {
    /// Works until `stop`, then lets whatever was begun come to its end. To be called while leading, with caches that
    /// are complete.
    pub async fn run(mut self, stop: CancellationToken) {
        self.cache.names().into_iter().for_each(|name| self.entrance.now(name));
        let mut work: JoinSet<(TenantName, Next)> = JoinSet::new();
        loop {
            self.metrics.set_queue_depth(CONTROLLER, self.queue.in_flight());
            let has_room = work.len() < self.concurrency;
            let following = async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => Step::Stop,
                    Some(finished) = work.join_next() => Step::Finished(finished),
                    Some(name) = self.queue.next(), if has_room => Step::Begin(name),
                }
            };
            match self.heartbeat.during(following).await {
                Step::Stop => break,
                Step::Finished(Ok((name, next))) => self.finished(&name, next),
                // A task that panicked would leave its tenant marked as being worked on for ever.
                Step::Finished(Err(error)) => {
                    tracing::error!(%error, "a reconcile ended by a panic; the process ends");
                    break;
                }
                Step::Begin(name) => {
                    work.spawn(work_on(self.reconciler.clone(), self.metrics.clone(), name));
                }
            }
        }
        while work.join_next().await.is_some() {}
    }

    fn finished(&mut self, name: &TenantName, next: Next) {
        self.queue.done(name, next, chance());
        self.cache.take_woken().into_iter().for_each(|name| self.entrance.now(name));
        self.metrics.set_gate(self.cache.gate_figures(jiff::Timestamp::now()).by_state());
        self.metrics.set_deletions(&self.cache.deletions(jiff::Timestamp::now()));
        self.metrics.set_unattended(self.cache.unattended());
        self.metrics.set_tenants(&count_phases(&self.cache.phases()));
    }
}

enum Step {
    Stop,
    Finished(Result<(TenantName, Next), tokio::task::JoinError>),
    Begin(TenantName),
}

async fn work_on(reconciler: Reconciler, metrics: Metrics, name: TenantName) -> (TenantName, Next) {
    let span = tracing::info_span!("reconcile", tenant = %name);
    let timer = metrics.start_reconcile(CONTROLLER);
    let (next, outcome): (Next, Outcome) = reconciler.reconcile(&name).instrument(span).await;
    timer.finish(outcome);
    (name, next)
}

/// Keeps the readiness condition of the definitions up to date.
pub async fn follow_definitions(cache: Arc<Cache>, condition: Condition, stop: CancellationToken) {
    use super::observed::Definitions;
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let (mut before, mut told) = (None, None);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let definitions = cache.definitions();
        // Seen twice: at the first look nothing is known yet.
        let is_settled = before.replace(definitions) == Some(definitions);
        if !is_settled || told.replace(definitions) == Some(definitions) {
            continue;
        }
        match definitions {
            Definitions::Stand => condition.met(),
            Definitions::Leaving => condition.missing("the CustomResourceDefinition of Tenants is being deleted"),
            Definitions::Missing => {
                tracing::warn!("{DEFINITIONS_MISSING}");
                condition.missing(DEFINITIONS_MISSING);
            }
        }
    }
}

const DEFINITIONS_MISSING: &str = "a CustomResourceDefinition of ours is not installed, or is being deleted; nothing is done until all stand: \
                                   openclaw-tenant-operator crds | kubectl apply --server-side -f -";
