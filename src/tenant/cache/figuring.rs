//! From all that is known to how the fleet stands, for the metrics.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{Cache, Known};
use crate::{
    api::{
        names::TenantName,
        record::{RecordPhase, TenantRecordSpec},
        tenant::Phase,
    },
    gateway::{Gateway, placement},
    telemetry::metrics::Figures,
    tenant::observed::{ClassView, TenantView},
};

/// The reason of a Tenant that nobody has looked at yet.
const NOT_SEEN: &str = "NotSeen";

impl Cache {
    /// Whether anything was told or decided since this was asked last: figures are what they were where nothing was.
    pub fn take_changes(&self) -> bool {
        std::mem::take(&mut self.lock().has_changed)
    }

    /// How the fleet stands.
    pub fn figures(&self, now: Timestamp) -> Figures {
        let mut known = self.lock();
        let deletions = known.deletions(now);
        let (phases, reasons) = known.stories();
        Figures {
            phases,
            reasons,
            retained: known.held().filter(|(_, _, record)| record.phase == RecordPhase::Retained).count(),
            places: known.places(),
            gate: known.gate.figures(now),
            deletions,
            unattended: known.held().filter(|held| known.is_unattended(held)).count(),
        }
    }
}

impl Known {
    /// Tenants by phase, and by the reason of their condition Ready.
    fn stories(&self) -> (BTreeMap<Phase, usize>, BTreeMap<String, usize>) {
        let mut phases: BTreeMap<Phase, usize> = BTreeMap::new();
        let mut reasons: HashMap<&str, usize> = HashMap::new();
        for (_, status) in self.tenants.values() {
            *phases.entry(status.phase()).or_default() += 1;
            *reasons.entry(status.reason("Ready").unwrap_or(NOT_SEEN)).or_default() += 1;
        }
        (phases, reasons.into_iter().map(|(reason, tenants)| (reason.to_owned(), tenants)).collect())
    }

    /// Places on each Gateway that a class names: taken, and there at most.
    fn places(&self) -> BTreeMap<String, (usize, usize)> {
        let mut places: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        let named = self.classes.values().filter_map(|class| match class {
            ClassView::Found(class) => Some(class),
            ClassView::Missing | ClassView::Invalid(_) => None,
        });
        for slot in named.flat_map(|class| &class.routing.gateways) {
            let gateway = Gateway::of(&placement(slot));
            let name = format!("{}/{}", gateway.namespace, gateway.name);
            let capacity = usize::try_from(slot.capacity).unwrap_or(usize::MAX);
            let places = places.entry(name).or_insert((self.gateways.taken(slot), 0));
            // One Gateway that several classes or domains name has one number of places.
            places.1 = places.1.max(capacity);
        }
        places
    }

    /// Whether a tenant runs on though no Tenant holds it.
    fn is_unattended(&self, (name, tenant, record): &(&TenantName, Option<&TenantView>, &TenantRecordSpec)) -> bool {
        let runs = || self.pods.get(*name).is_some_and(|pods| !pods.is_empty());
        tenant.is_none() && (record.phase == RecordPhase::Active || record.phase == RecordPhase::Retained && runs())
    }
}
