//! Many tenants of one class, and what a watch tells of them.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::runtime::watcher::{self, Event};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    figures::real,
    support::{Bed, Instance, OperatorProcess, condition, example_class, merge},
};

/// How many Tenants are applied at the same time, and how many requests of the floor are under way.
pub const CONCURRENCY: usize = 32;

/// How long nothing may happen before a measurement gives up.
const STILLNESS: Duration = Duration::from_mins(3);

/// How often the fleet's progress is said.
const PROGRESS: Duration = Duration::from_secs(5);

/// How a Tenant stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Ready for its present generation.
    pub ready: bool,
    /// Its pod template.
    pub template: Option<String>,
    /// Whether every part of it is verified, with that template.
    pub verified: bool,
    /// When it was Ready for the first time.
    pub first_ready: Option<Instant>,
}

/// How each Tenant stands.
pub type Standings = BTreeMap<String, Standing>;

/// Tenants of one class.
pub struct Fleet {
    /// The first of them, through which the cluster is reached.
    pub bed: Bed,
    /// Their names.
    pub names: Vec<String>,
    standings: Arc<Mutex<Standings>>,
    /// The operator's process: where it ends, nothing is to be waited for any more.
    operator: AtomicU32,
    changed: watch::Receiver<u64>,
    follows: JoinHandle<()>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.follows.abort();
    }
}

/// The class of the fleet, with a gate that holds nobody back.
pub fn class(instance: &Instance, level: &str) -> Value {
    let mut class = example_class(instance);
    let more = json!({
        "rollout": { "maxInFlight": 1_000 },
        "workload": { "env": [{ "name": "LOG_LEVEL", "value": level }], "terminationGracePeriodSeconds": 1 },
    });
    merge(&mut class, more);
    class
}

impl Fleet {
    /// A class and names; nothing is made of the Tenants yet.
    pub async fn new(instance: &'static Instance, tenants: u32) -> Self {
        let bed = Bed::with_class(instance, "fleet", class(instance, "info")).await;
        let names = (0..tenants).map(|number| format!("fleet-{number:05}")).collect();
        let standings = Arc::<Mutex<Standings>>::default();
        let (tell, changed) = watch::channel(0);
        let follows = tokio::spawn(follow(bed.api("Tenant", None), Arc::clone(&standings), tell));
        Self { bed, names, standings, operator: AtomicU32::new(0), changed, follows }
    }

    /// This operator is the one that works on it.
    pub fn is_operated_by(&self, operator: &OperatorProcess) {
        self.operator.store(operator.pid().expect("the operator runs"), Ordering::Relaxed);
    }

    /// One of its tenants.
    pub fn tenant(&self, name: &str) -> Bed {
        let Bed { instance, client, class, prefix, .. } = &self.bed;
        Bed { instance, client: client.clone(), tenant: name.to_owned(), class: class.clone(), prefix: prefix.clone() }
    }

    /// Waits until the class's role was judged: that takes its own time, and is no tenant's.
    pub async fn class_is_told(&self) {
        let is_told = |class: &Value| condition(class, "RoleReady").is_object();
        let told = || async { self.bed.get("TenantClass", None, &self.bed.class).await.filter(is_told) };
        self.bed.until_so("the class's status", told).await;
    }

    /// Waits until the class counts all of its tenants as having its pod template; that takes its own time as well.
    pub async fn class_is_rolled_out(&self) {
        let total = self.names.len();
        let is_told = |class: &Value| {
            let rollout = &class["status"]["rollout"];
            condition(class, "RolledOut")["status"] == "True"
                && rollout["total"] == total
                && rollout["updated"] == total
        };
        let told = || async { self.bed.get("TenantClass", None, &self.bed.class).await.filter(is_told) };
        self.bed.until_so("the class's count", told).await;
    }

    /// Applies all Tenants; tells when each was taken.
    pub async fn apply(&self, more: impl Fn(&str) -> Value) -> HashMap<String, (Instant, Value)> {
        let one = |name: &String| {
            let (bed, more) = (self.tenant(name), more(name));
            async move {
                let began = Instant::now();
                let taken = bed.apply_tenant(more).await.expect("the Tenant is taken");
                (bed.tenant, (began, taken))
            }
        };
        stream::iter(self.names.iter().map(one)).buffer_unordered(CONCURRENCY).collect().await
    }

    /// How all stand now.
    pub fn standings(&self) -> Standings {
        self.standings.lock().expect("not poisoned").clone()
    }

    /// Waits until so many stand so; gives up where nothing changes for long.
    pub async fn until(&self, what: &str, count: usize, wanted: impl Fn(&str, &Standing) -> bool) {
        let mut changed = self.changed.clone();
        let began = Instant::now();
        let (mut said, mut moved, mut before) = (Instant::now(), Instant::now(), 0);
        loop {
            let standings = self.standings();
            let so = standings.iter().filter(|(name, standing)| wanted(name, standing)).count();
            if so >= count {
                return;
            }
            let operator = self.operator.load(Ordering::Relaxed);
            assert!(
                operator == 0 || Path::new(&format!("/proc/{operator}")).exists(),
                "{so} of {count} are {what}, and the operator has ended; the end of its log says why"
            );
            if so != before {
                (before, moved) = (so, Instant::now());
            }
            if moved.elapsed() > STILLNESS {
                let others = standings.iter().filter(|(name, standing)| !wanted(name, standing)).take(5);
                panic!("{so} of {count} are {what}; the others stand still: {:#?}", others.collect::<Vec<_>>());
            }
            if said.elapsed() > PROGRESS {
                println!("  {so} of {count} {what} after {:.0} s", began.elapsed().as_secs_f64());
                said = Instant::now();
            }
            let _ = tokio::time::timeout(PROGRESS, changed.changed()).await;
            // Several events at once are one look.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// When the last of these was Ready for the first time.
    pub fn last_ready(&self) -> Instant {
        let standings = self.standings();
        standings.values().filter_map(|standing| standing.first_ready).max().expect("somebody is Ready")
    }

    /// How many tenants, as a number to divide by.
    pub fn size(&self) -> f64 {
        real(self.names.len())
    }
}

async fn follow(api: kube::Api<kube::api::DynamicObject>, standings: Arc<Mutex<Standings>>, tell: watch::Sender<u64>) {
    let events = watcher::watcher(api, watcher::Config::default());
    let mut events = std::pin::pin!(events);
    loop {
        let object = match events.try_next().await {
            Ok(Some(Event::Apply(object) | Event::InitApply(object))) => object,
            Ok(Some(_)) => continue,
            Ok(None) => return,
            Err(error) => {
                println!("  the watch of Tenants begins anew: {error}");
                continue;
            }
        };
        let tenant = json!(object);
        let name = tenant["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let ready = condition(&tenant, "Ready");
        let is_ready =
            ready["status"] == "True" && tenant["status"]["observedGeneration"] == tenant["metadata"]["generation"];
        let mut all = standings.lock().expect("not poisoned");
        let before = all.remove(&name);
        let first_ready = before.and_then(|before| before.first_ready);
        let template = tenant["status"]["templateHash"].as_str().map(str::to_owned);
        let standing = Standing {
            ready: is_ready,
            template,
            verified: is_ready && ready["reason"] == "Verified",
            first_ready: first_ready.or_else(|| is_ready.then(Instant::now)),
        };
        all.insert(name, standing);
        drop(all);
        tell.send_modify(|count| *count += 1);
    }
}
