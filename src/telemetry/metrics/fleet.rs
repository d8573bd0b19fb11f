//! Metrics of the fleet as a whole.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{Metrics, count};
use crate::{
    api::{names::Uid, tenant::Phase},
    tenant::{breaker::Deletion, gate::GateFigures},
};

/// From a tenant that lacks nothing to one that waits for a person.
const READY_BUCKETS: [f64; 12] = [1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

/// How the fleet stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Tenants by the phase of their status; one that is missing has none.
    pub phases: BTreeMap<Phase, usize>,
    /// Tenants by the reason of their condition Ready.
    pub reasons: BTreeMap<String, usize>,
    /// Records that are kept for an owner who may come back.
    pub retained: usize,
    /// Places on each Gateway that a class names: taken, and there at most.
    pub places: BTreeMap<String, (usize, usize)>,
    /// Tenants at the roll-out gate.
    pub gate: GateFigures,
    /// Removals that have not come to their end.
    pub deletions: Vec<Deletion>,
    /// Tenants that run on though no Tenant holds them.
    pub unattended: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByGateway {
    gateway: String,
}

#[derive(Debug)]
pub(super) struct FleetMetrics {
    reasons: Family<ByReason, Gauge>,
    retained: Gauge,
    taken: Family<ByGateway, Gauge>,
    capacity: Family<ByGateway, Gauge>,
    time_to_ready: Histogram,
    /// Tenants that this process was the first to see, and that were not ready since: UIDs, and when each was made.
    newcomers: Mutex<HashMap<Uid, Timestamp>>,
}

impl Default for FleetMetrics {
    fn default() -> Self {
        Self {
            reasons: Family::default(),
            retained: Gauge::default(),
            taken: Family::default(),
            capacity: Family::default(),
            time_to_ready: Histogram::new(READY_BUCKETS),
            newcomers: Mutex::default(),
        }
    }
}

impl FleetMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("tenants_by_reason", "Tenants by the reason of their condition Ready", self.reasons.clone());
        registry.register("retained_tenants", "Tenants that are kept after their end", self.retained.clone());
        let help = "Places that tenants have on a Gateway";
        registry.register("gateway_places_taken", help, self.taken.clone());
        let help = "Places that classes give a Gateway; cordoned ones take nobody new";
        registry.register("gateway_places_capacity", help, self.capacity.clone());
        let help = "From the making of a Tenant to the first time that it was told Ready, of those whose beginning this process saw";
        registry.register_with_unit("time_to_ready", help, Unit::Seconds, self.time_to_ready.clone());
    }
}

impl Metrics {
    /// How the fleet stands now.
    pub fn set_fleet(&self, figures: &Figures) {
        self.set_tenants(&figures.phases);
        self.set_gate(figures.gate.by_state());
        self.set_deletions(&figures.deletions);
        self.0.unattended.set(count(figures.unattended));
        let fleet = &self.0.fleet;
        fleet.reasons.clear();
        for (reason, tenants) in &figures.reasons {
            fleet.reasons.get_or_create(&ByReason { reason: reason.clone() }).set(count(*tenants));
        }
        fleet.retained.set(count(figures.retained));
        fleet.taken.clear();
        fleet.capacity.clear();
        for (gateway, (taken, capacity)) in &figures.places {
            let gateway = ByGateway { gateway: gateway.clone() };
            fleet.taken.get_or_create(&gateway).set(count(*taken));
            fleet.capacity.get_or_create(&gateway).set(count(*capacity));
        }
    }

    /// A Tenant that nobody has looked at before.
    pub fn tenant_began(&self, uid: &Uid, made: Timestamp) {
        let newcomers = &self.0.fleet.newcomers;
        newcomers.lock().unwrap_or_else(PoisonError::into_inner).insert(uid.clone(), made);
    }

    /// A Tenant was told Ready. Only the first time of each counts.
    pub fn tenant_is_ready(&self, uid: &Uid, now: Timestamp) {
        let newcomers = &self.0.fleet.newcomers;
        let made = newcomers.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        if let Some(made) = made {
            self.0.fleet.time_to_ready.observe(now.duration_since(made).as_secs_f64().max(0.0));
        }
    }

    /// A Tenant has gone.
    pub fn tenant_went(&self, uid: &Uid) {
        self.0.fleet.newcomers.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> Uid {
        text.parse().unwrap()
    }

    fn text(metrics: &Metrics) -> String {
        metrics.encode().unwrap()
    }

    #[test]
    fn a_reason_or_a_gateway_that_nobody_has_any_more_is_no_series() {
        let metrics = Metrics::new("1.2.3", "abc");
        let figures = Figures {
            reasons: [("Verified".to_owned(), 7), ("QuotaExceeded".to_owned(), 1)].into(),
            retained: 3,
            places: [("edge/public".to_owned(), (8, 90))].into(),
            phases: [(Phase::Ready, 7), (Phase::Error, 1)].into(),
            gate: GateFigures { in_flight: 2, ..GateFigures::default() },
            unattended: 4,
            ..Figures::default()
        };
        metrics.set_fleet(&figures);
        for line in [
            r#"openclaw_tenants_by_reason{reason="Verified"} 7"#,
            r#"openclaw_tenants_by_reason{reason="QuotaExceeded"} 1"#,
            "openclaw_retained_tenants 3",
            r#"openclaw_gateway_places_taken{gateway="edge/public"} 8"#,
            r#"openclaw_gateway_places_capacity{gateway="edge/public"} 90"#,
            r#"openclaw_tenants{phase="ready"} 7"#,
            r#"openclaw_rollout_tenants{state="in_flight"} 2"#,
            "openclaw_unattended_tenants 4",
        ] {
            assert!(text(&metrics).lines().any(|found| found == line), "{line} is not in\n{}", text(&metrics));
        }
        metrics.set_fleet(&Figures::default());
        assert!(!text(&metrics).contains("QuotaExceeded") && !text(&metrics).contains("edge/public"));
    }

    #[test]
    fn the_time_to_ready_is_measured_once_for_each_tenant_whose_beginning_was_seen() {
        let metrics = Metrics::new("1.2.3", "abc");
        let at = |second| Timestamp::from_second(second).unwrap();
        metrics.tenant_is_ready(&uid("before"), at(100));
        metrics.tenant_began(&uid("new"), at(100));
        metrics.tenant_is_ready(&uid("new"), at(104));
        metrics.tenant_is_ready(&uid("new"), at(200));
        metrics.tenant_began(&uid("gone"), at(100));
        metrics.tenant_went(&uid("gone"));
        metrics.tenant_is_ready(&uid("gone"), at(101));
        assert!(text(&metrics).contains("openclaw_time_to_ready_seconds_count 1\n"), "{}", text(&metrics));
        assert!(text(&metrics).contains("openclaw_time_to_ready_seconds_sum 4.0\n"), "{}", text(&metrics));
    }
}
