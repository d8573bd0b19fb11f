//! Queue → reconcile; nothing else.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    cache::Cache,
    figures,
    first_look::{FirstLook, Found},
    newcomers::Newcomers,
    queue::{Entrance, Next, Queue},
    reconcile::Reconciler,
};
use crate::{
    api::names::TenantName,
    chance::chance,
    telemetry::{
        health::{Condition, Heartbeat},
        metrics::Metrics,
        result::Outcome,
    },
};

/// The name of this controller in metrics.
const CONTROLLER: &str = "tenant";

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
        let names = self.cache.names();
        let (mut first, began) = (FirstLook::new(names.iter().cloned()), Instant::now());
        for name in names {
            self.entrance.now(name);
        }
        let mut newcomers = Newcomers::new(self.concurrency);
        let mut work: JoinSet<(TenantName, Next, Outcome)> = JoinSet::new();
        let mut ticks = tokio::time::interval(figures::PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let has_room = work.len() < self.concurrency;
            let following = async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => Step::Stop,
                    _ = ticks.tick() => Step::Tick,
                    Some(finished) = work.join_next() => Step::Finished(finished),
                    Some(name) = self.queue.next(), if has_room => Step::Begin(name),
                }
            };
            match self.heartbeat.during(following).await {
                Step::Stop => break,
                Step::Tick => {
                    self.metrics.set_queue_depth(CONTROLLER, self.queue.waiting() + newcomers.waiting());
                    newcomers.lose_patience(began.elapsed());
                    self.let_in(&mut newcomers, began);
                }
                Step::Finished(Ok((name, next, outcome))) => {
                    if let Some(found) = first.note(&name, outcome) {
                        tell(found, began);
                    }
                    newcomers.note(&name, self.cache.standing(&name), outcome);
                    self.finished(&name, next);
                    self.let_in(&mut newcomers, began);
                }
                // A task that panicked would leave its tenant marked as being worked on for ever.
                Step::Finished(Err(error)) => {
                    tracing::error!(%error, "a reconcile ended by a panic; the process ends");
                    break;
                }
                Step::Begin(name) => {
                    if newcomers.admit(&name, self.cache.standing(&name), began.elapsed()) {
                        work.spawn(work_on(self.reconciler.clone(), self.metrics.clone(), name));
                    } else {
                        self.queue.put_off(&name);
                    }
                }
            }
        }
        while work.join_next().await.is_some() {}
    }

    /// Who has waited to be begun, as far as there are places.
    fn let_in(&self, newcomers: &mut Newcomers, began: Instant) {
        while let Some(name) = newcomers.next(began.elapsed()) {
            self.entrance.now(name);
        }
    }

    fn finished(&mut self, name: &TenantName, next: Next) {
        self.queue.done(name, next, chance());
        self.cache.take_woken().into_iter().for_each(|name| self.entrance.now(name));
    }
}

enum Step {
    Stop,
    Tick,
    Finished(Result<(TenantName, Next, Outcome), tokio::task::JoinError>),
    Begin(TenantName),
}

async fn work_on(reconciler: Reconciler, metrics: Metrics, name: TenantName) -> (TenantName, Next, Outcome) {
    let span = tracing::info_span!("reconcile", tenant = %name);
    let timer = metrics.start_reconcile(CONTROLLER);
    let (next, outcome): (Next, Outcome) = reconciler.reconcile(&name).instrument(span).await;
    timer.finish(outcome);
    (name, next, outcome)
}

fn tell(found: Found, began: Instant) {
    let Found { unchanged, changed, stalled } = found;
    let seconds = began.elapsed().as_secs_f64();
    tracing::info!(unchanged, changed, stalled, seconds, "every tenant was looked at since this process leads");
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
