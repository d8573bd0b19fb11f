//! Metrics for Prometheus. No label ever carries a tenant's name: label values are fixed by the program text, and by what classes say of
//! Gateways.

mod fleet;
mod sweeps;

use std::{
    collections::BTreeMap,
    fmt,
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use self::{fleet::FleetMetrics, sweeps::SweepMetrics};
use super::result::{Outcome, RequestResult};
use crate::{
    api::tenant::Phase,
    tenant::{
        breaker::{Deletion, Stage},
        child::Kind,
    },
};

pub use self::{fleet::Figures, sweeps::Audited};

/// Content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From a pass that finds nothing to do to one that meets every timeout.
const RECONCILE_BUCKETS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

const PHASES: [Phase; 6] =
    [Phase::Pending, Phase::Provisioning, Phase::Ready, Phase::Suspended, Phase::Deleting, Phase::Error];

/// Every metric of the process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

/// One reconcile that is under way. Dropped without [`finish`](Self::finish) it counts as [`Outcome::Cancelled`].
#[derive(Debug)]
#[must_use = "it measures until it is finished or dropped"]
pub struct ReconcileTimer {
    metrics: Metrics,
    controller: &'static str,
    started: Instant,
    outcome: Outcome,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    reconcile_duration: Family<ByController, Histogram, fn() -> Histogram>,
    reconciles: Family<ByOutcome, Counter>,
    in_flight: Family<ByController, Gauge>,
    queue: Family<ByController, Gauge>,
    tenants: Family<ByPhase, Gauge>,
    gate: Family<ByState, Gauge>,
    deletions: Family<ByState, Gauge>,
    unattended: Gauge,
    drift: Family<ByKind, Counter>,
    foreign: Family<ByKind, Counter>,
    kubernetes: Family<KubernetesRequest, Counter>,
    aws: Family<AwsRequest, Counter>,
    events: Family<ByResult, Counter>,
    leader: Gauge,
    sweeps: SweepMetrics,
    fleet: FleetMetrics,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByController {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    controller: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPhase {
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KubernetesRequest {
    verb: &'static str,
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AwsRequest {
    service: &'static str,
    operation: &'static str,
    result: &'static str,
}

impl Metrics {
    /// All metrics at zero. `version` and `revision` say what was built.
    pub fn new(version: &str, revision: &str) -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix("openclaw"),
            reconcile_duration: Family::new_with_constructor(|| Histogram::new(RECONCILE_BUCKETS)),
            reconciles: Family::default(),
            in_flight: Family::default(),
            queue: Family::default(),
            tenants: Family::default(),
            gate: Family::default(),
            deletions: Family::default(),
            unattended: Gauge::default(),
            drift: Family::default(),
            foreign: Family::default(),
            kubernetes: Family::default(),
            aws: Family::default(),
            events: Family::default(),
            leader: Gauge::default(),
            sweeps: SweepMetrics::new(),
            fleet: FleetMetrics::default(),
        };
        inner.register();
        let build = vec![("version", version.to_owned()), ("revision", revision.to_owned())];
        inner.registry.register("build", "What this process was built from", Info::new(build));
        let metrics = Self(Arc::new(inner));
        metrics.set_tenants(&BTreeMap::new());
        metrics.set_deletions(&[]);
        // A counter that begins with its first event has not increased by it, and nobody is told of one that comes alone.
        for kind in Kind::ALL.iter().map(|kind| ByKind { kind: kind.info().kind }) {
            metrics.0.drift.get_or_create(&kind).inc_by(0);
            metrics.0.foreign.get_or_create(&kind).inc_by(0);
        }
        metrics
    }

    /// Counts a reconcile of `controller` as under way, until the timer is finished or dropped.
    pub fn start_reconcile(&self, controller: &'static str) -> ReconcileTimer {
        self.0.in_flight.get_or_create(&ByController { controller }).inc();
        ReconcileTimer { metrics: self.clone(), controller, started: Instant::now(), outcome: Outcome::Cancelled }
    }

    /// How many objects wait for `controller` to have a free place.
    pub fn set_queue_depth(&self, controller: &'static str, depth: usize) {
        self.0.queue.get_or_create(&ByController { controller }).set(count(depth));
    }

    /// How many tenants there are in each phase; a phase that is not given has none.
    fn set_tenants(&self, by_phase: &BTreeMap<Phase, usize>) {
        for phase in PHASES {
            let tenants = by_phase.get(&phase).copied().unwrap_or_default();
            self.0.tenants.get_or_create(&ByPhase { phase: phase_name(phase) }).set(count(tenants));
        }
    }

    /// How many tenants stand at the roll-out gate in which state.
    fn set_gate(&self, by_state: [(&'static str, usize); 3]) {
        for (state, tenants) in by_state {
            self.0.gate.get_or_create(&ByState { state }).set(count(tenants));
        }
    }

    /// How many removals have not come to their end, by how they stand.
    fn set_deletions(&self, deletions: &[Deletion]) {
        for state in Stage::NAMES {
            let count_of = deletions.iter().filter(|one| one.stage.as_str() == state).count();
            self.0.deletions.get_or_create(&ByState { state }).set(count(count_of));
        }
    }

    /// An object of ours had been changed or deleted by somebody else and was put right.
    pub fn drift_repaired(&self, kind: &'static str) {
        self.0.drift.get_or_create(&ByKind { kind }).inc();
    }

    /// The API server stored something other than what was sent.
    pub fn foreign_mutation(&self, kind: &'static str) {
        self.0.foreign.get_or_create(&ByKind { kind }).inc();
    }

    /// One request to the API server, such as `apply` of a `NetworkPolicy`. Its other results are there from then on, so that
    /// the first of them is an increase.
    pub fn kubernetes_request(&self, verb: &'static str, kind: &'static str, result: RequestResult) {
        count_one(&self.0.kubernetes, |result| KubernetesRequest { verb, kind, result }, result);
    }

    /// One request to AWS, such as `CreateSecret` of `secretsmanager`; counted in the same way.
    pub fn aws_request(&self, service: &'static str, operation: &'static str, result: RequestResult) {
        count_one(&self.0.aws, |result| AwsRequest { service, operation, result }, result);
    }

    /// One event was to be published.
    pub fn event(&self, result: RequestResult) {
        self.0.events.get_or_create(&ByResult { result: result.as_str() }).inc();
    }

    /// Whether this process holds the leader lease.
    pub fn set_leader(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
    }

    /// Everything, as text of [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// Only where memory for the text cannot be had.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Inner {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register_with_unit(
            "reconcile_duration",
            "How long one reconcile took",
            Unit::Seconds,
            self.reconcile_duration.clone(),
        );
        registry.register("reconciles", "Reconciles that ended, by how", self.reconciles.clone());
        registry.register("reconciles_in_flight", "Reconciles that are under way", self.in_flight.clone());
        registry.register(
            "queue_depth",
            "Objects whose turn has come and that wait for a free place",
            self.queue.clone(),
        );
        registry.register("tenants", "Tenants by phase", self.tenants.clone());
        registry.register("rollout_tenants", "Tenants at the roll-out gate, by how they stand", self.gate.clone());
        registry.register("deletions", "Removals that have not ended, by how they stand", self.deletions.clone());
        let help = "Tenants that run on though no Tenant holds them";
        registry.register("unattended_tenants", help, self.unattended.clone());
        let help = "Objects of ours that were replaced, because somebody or what they shall be had changed";
        registry.register("drift_repairs", help, self.drift.clone());
        registry.register(
            "foreign_mutations",
            "Writes that the API server stored otherwise than sent",
            self.foreign.clone(),
        );
        registry.register("kubernetes_requests", "Requests to the Kubernetes API server", self.kubernetes.clone());
        registry.register("aws_requests", "Requests to AWS", self.aws.clone());
        registry.register("events", "Kubernetes events that were to be published", self.events.clone());
        registry.register("lease_is_leader", "1 while this process holds the leader lease", self.leader.clone());
        self.sweeps.register(registry);
        self.fleet.register(registry);
    }
}

impl ReconcileTimer {
    /// The reconcile has ended.
    pub fn finish(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for ReconcileTimer {
    fn drop(&mut self) {
        let inner = &self.metrics.0;
        let controller = self.controller;
        inner.in_flight.get_or_create(&ByController { controller }).dec();
        inner.reconciles.get_or_create(&ByOutcome { controller, outcome: self.outcome.as_str() }).inc();
        let took: Duration = self.started.elapsed();
        inner.reconcile_duration.get_or_create(&ByController { controller }).observe(took.as_secs_f64());
    }
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending",
        Phase::Provisioning => "provisioning",
        Phase::Ready => "ready",
        Phase::Suspended => "suspended",
        Phase::Deleting => "deleting",
        Phase::Error => "error",
    }
}

/// Counts one request. With the first of its kind its other results are there, at zero.
fn count_one<S: Clone + Hash + Eq>(
    requests: &Family<S, Counter>,
    labels: impl Fn(&'static str) -> S,
    result: RequestResult,
) {
    let counted = labels(result.as_str());
    if requests.get(&counted).is_none() {
        for one in RequestResult::ALL {
            drop(requests.get_or_create(&labels(one.as_str())));
        }
    }
    requests.get_or_create(&counted).inc();
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new("1.2.3", "abc")
    }

    #[track_caller]
    fn assert_line(metrics: &Metrics, line: &str) {
        let text = metrics.encode().unwrap();
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }

    #[test]
    fn a_finished_reconcile_is_counted_and_measured_and_no_longer_in_flight() {
        let metrics = metrics();
        let timer = metrics.start_reconcile("tenant");
        assert_line(&metrics, r#"openclaw_reconciles_in_flight{controller="tenant"} 1"#);
        timer.finish(Outcome::Changed);
        assert_line(&metrics, r#"openclaw_reconciles_in_flight{controller="tenant"} 0"#);
        assert_line(&metrics, r#"openclaw_reconciles_total{controller="tenant",outcome="changed"} 1"#);
        assert_line(&metrics, r#"openclaw_reconcile_duration_seconds_count{controller="tenant"} 1"#);
    }

    #[test]
    fn a_reconcile_that_was_dropped_is_counted_as_cancelled() {
        let metrics = metrics();
        drop(metrics.start_reconcile("tenant"));
        assert_line(&metrics, r#"openclaw_reconciles_in_flight{controller="tenant"} 0"#);
        assert_line(&metrics, r#"openclaw_reconciles_total{controller="tenant",outcome="cancelled"} 1"#);
    }

    #[test]
    fn a_phase_that_nobody_is_in_any_more_falls_to_zero() {
        let metrics = metrics();
        metrics.set_tenants(&[(Phase::Ready, 7), (Phase::Error, 1)].into());
        metrics.set_tenants(&[(Phase::Ready, 8)].into());
        assert_line(&metrics, r#"openclaw_tenants{phase="ready"} 8"#);
        assert_line(&metrics, r#"openclaw_tenants{phase="error"} 0"#);
    }

    #[test]
    fn the_first_event_of_a_kind_is_an_increase() {
        let metrics = metrics();
        assert_line(&metrics, r#"openclaw_foreign_mutations_total{kind="StatefulSet"} 0"#);
        assert_line(&metrics, r#"openclaw_drift_repairs_total{kind="NetworkPolicy"} 0"#);
        assert_line(&metrics, r#"openclaw_sweep_findings_total{kind="association",finding="vanished"} 0"#);
        assert_line(&metrics, r#"openclaw_audits_total{kind="secret",result="failed"} 0"#);
        assert_line(&metrics, r#"openclaw_sweeps_total{result="ok"} 0"#);
        metrics.kubernetes_request("apply", "Namespace", RequestResult::Ok);
        assert_line(
            &metrics,
            r#"openclaw_kubernetes_requests_total{verb="apply",kind="Namespace",result="forbidden"} 0"#,
        );
        metrics.aws_request("eks", "TagResource", RequestResult::Ok);
        assert_line(
            &metrics,
            r#"openclaw_aws_requests_total{service="eks",operation="TagResource",result="throttled"} 0"#,
        );
    }

    #[test]
    fn everything_else_is_there_under_its_name() {
        let metrics = metrics();
        metrics.set_queue_depth("tenant", 3);
        metrics.drift_repaired("NetworkPolicy");
        metrics.foreign_mutation("StatefulSet");
        metrics.kubernetes_request("apply", "Namespace", RequestResult::Ok);
        metrics.aws_request("secretsmanager", "CreateSecret", RequestResult::Throttled);
        metrics.event(RequestResult::Timeout);
        metrics.clone().set_leader(true);
        for line in [
            r#"openclaw_queue_depth{controller="tenant"} 3"#,
            r#"openclaw_drift_repairs_total{kind="NetworkPolicy"} 1"#,
            r#"openclaw_foreign_mutations_total{kind="StatefulSet"} 1"#,
            r#"openclaw_kubernetes_requests_total{verb="apply",kind="Namespace",result="ok"} 1"#,
            r#"openclaw_aws_requests_total{service="secretsmanager",operation="CreateSecret",result="throttled"} 1"#,
            r#"openclaw_events_total{result="timeout"} 1"#,
            "openclaw_lease_is_leader 1",
            r#"openclaw_deletions{state="held"} 0"#,
            r#"openclaw_build_info{version="1.2.3",revision="abc"} 1"#,
            "# EOF",
        ] {
            assert_line(&metrics, line);
        }
    }
}
