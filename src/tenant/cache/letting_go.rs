//! Names come and go for as long as a process runs: what was noted about one goes with it. What watches tell of goes when they tell that it
//! is gone.

use std::sync::Arc;

use super::Known;
use crate::{
    api::names::TenantName,
    tenant::{
        action::Plan,
        child::ObjectKey,
        observed::{Observed, TenantView},
    },
};

impl Known {
    /// Forgets what was noted about a tenant of which nothing is left. Whoever comes under its name is met as after a restart.
    pub(super) fn let_go(&mut self, observed: &Observed, plan: &Plan) {
        if observed.tenant.is_none() && observed.record.is_none() && observed.namespace.is_none() && plan.is_idle() {
            self.let_name_go(&observed.name);
        }
    }

    /// An object is gone. Made again by this process, it is met again; made by somebody else, it is a stranger. How the server renders it is
    /// known for as long as it may be made again.
    pub(super) fn let_object_go(&mut self, key: &ObjectKey, holder: Option<&TenantName>) {
        self.met.remove(key);
        let stays = |(view, _): &(Arc<TenantView>, _)| view.deleted_at.is_none();
        if !holder.and_then(|holder| self.tenants.get(holder)).is_some_and(stays) {
            self.renderings.remove(key);
        }
    }

    fn let_name_go(&mut self, name: &TenantName) {
        self.aws.remove(name);
        self.waits.remove(name);
        self.belongings.remove(name);
        self.unclaimed.remove(name);
        self.reached.remove(name);
        self.looked.remove(name);
        self.said.remove(name);
        self.told.remove(name);
    }
}

#[cfg(test)]
impl super::Cache {
    /// How much is kept in each place that a tenant may have a part in. A new place fails to compile here until somebody has thought of
    /// when its tenants leave it.
    pub(in crate::tenant) fn kept(&self) -> std::collections::BTreeMap<&'static str, usize> {
        let Known {
            tenants,
            records,
            removals,
            objects,
            namespaces,
            volumes,
            volumes_at,
            marked_volumes,
            pods,
            policies,
            witnesses,
            grants,
            renderings,
            met,
            aws,
            waits,
            belongings,
            unclaimed,
            reached,
            looked,
            remembered,
            said,
            told,
            // As many as there are things to say, answers that may be late, classes and kinds. Places at the gate and on gateways are given back
            // by rules of their own.
            phrases: _,
            gone: _,
            classes: _,
            halts: _,
            storage_classes: _,
            served: _,
            definitions: _,
            generations: _,
            lists: _,
            listing: _,
            wakes_everybody: _,
            has_changed: _,
            latest: _,
            gateways: _,
            gate: _,
        } = &*self.lock();
        [
            ("tenants", tenants.len()),
            ("records", records.len()),
            ("leaving", removals.kept()[0]),
            ("uncounted", removals.kept()[1]),
            ("objects", objects.len()),
            ("namespaces", namespaces.len()),
            ("volumes", volumes.len()),
            ("volumes_at", volumes_at.len()),
            ("marked_volumes", marked_volumes.len()),
            ("pods", pods.len()),
            ("policies", policies.len()),
            ("witnesses", witnesses.len()),
            ("grants", grants.len()),
            ("renderings", renderings.len()),
            ("met", met.len()),
            ("aws", aws.len()),
            ("waits", waits.len()),
            ("belongings", belongings.len()),
            ("unclaimed", unclaimed.len()),
            ("reached", reached.len()),
            ("looked", looked.len()),
            ("remembered", remembered.len()),
            ("said", said.len()),
            ("told", told.len()),
        ]
        .into()
    }
}
