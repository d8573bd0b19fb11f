//! The roll-out gate, and how far the present pod template has come.

use jiff::Timestamp;

use super::{Cache, Known};
use crate::{
    api::{
        class::Rollout,
        names::{ClassName, TenantName},
    },
    tenant::{
        action::{Plan, Story},
        observed::{ClassView, Observed},
        progress::{Progress, Reached},
    },
};

/// So many are remembered though they only wait: twice as many as are begun at the same time by default, some kilobytes for each.
const CROWD: usize = 256;

impl Cache {
    /// Asks for a tenant's turn at the roll-out gate; the next decision sees what came of it.
    pub fn ask_for_turn(&self, name: &TenantName, rollout: &Rollout, now: Timestamp) {
        let mut known = self.lock();
        known.has_changed = true;
        known.gate.ask(name, rollout, now);
    }

    /// A tenant was decided about. One that has no business at the roll-out gate gives back what it was given; one that is
    /// not kept (refused, paused, being deleted) holds no place either, at the gate or on a gateway: nobody works on its
    /// becoming ready. What an order asks for stays held until the record says it. Nothing more is remembered of one at rest, nor of one of a
    /// crowd that only waits.
    pub fn stand_at_gate(&self, observed: &Observed, plan: &Plan) {
        let name = &observed.name;
        let mut known = self.lock();
        known.has_changed = true;
        if plan.is_at_rest() || (plan.is_idle() && known.remembered.len() > CROWD) {
            known.remembered.remove(name);
        }
        if !plan.is_at_gate() {
            known.gate.leave(name);
        }
        if matches!(plan.story, Story::Kept { .. }) {
            known.note_rolling(name);
        } else {
            known.gate.recorded(name, None);
            if !plan.carries_out_orders() {
                known.gateways.release(name);
            }
        }
        known.note_reached(observed, plan);
        known.let_go(observed, plan);
    }

    /// How far the present pod template has come to the tenants of each class, and of which generation of the class that is.
    pub fn progress(&self, now: Timestamp) -> Vec<(ClassName, i64, Progress)> {
        let known = self.lock();
        let of = |(name, view): (&ClassName, &ClassView)| match view {
            ClassView::Found(class) => {
                let generation = known.generations.get(name).copied().unwrap_or_default();
                Some((name.clone(), generation, known.progress_of(name, class.rollout, now)))
            }
            ClassView::Missing | ClassView::Invalid(_) => None,
        };
        known.classes.iter().filter_map(of).collect()
    }

    /// Changes what is known of the roll-out gate.
    #[cfg(test)]
    pub(in crate::tenant) fn with_gate<R>(&self, change: impl FnOnce(&mut crate::tenant::gate::Gate) -> R) -> R {
        change(&mut self.lock().gate)
    }
}

impl Known {
    /// What a decision about a tenant left of the roll-out, unless the class has changed meanwhile.
    fn note_reached(&mut self, observed: &Observed, plan: &Plan) {
        let tenant = self.tenants.get(&observed.name).map(|(view, _)| std::sync::Arc::clone(view));
        let is_current = self.class_of(&observed.name, tenant.as_deref(), None) == observed.class;
        match Reached::of(plan).filter(|_| is_current && tenant.is_some()) {
            Some(reached) => drop(self.reached.insert(observed.name.clone(), reached)),
            None => drop(self.reached.remove(&observed.name)),
        }
    }

    /// A class has changed: what decisions left of its tenants is of a former one.
    pub(super) fn forget_reached(&mut self, class: &ClassName) {
        let tenants = &self.tenants;
        let names = |name: &TenantName| {
            let spec = tenants.get(name).and_then(|(view, _)| view.spec.as_ref().ok());
            spec.is_some_and(|spec| spec.class_name == *class)
        };
        self.reached.retain(|name, _| !names(name));
    }

    fn progress_of(&self, class: &ClassName, rollout: Rollout, now: Timestamp) -> Progress {
        let of_class = self.tenants.iter().filter(|(_, (view, _))| {
            view.deleted_at.is_none() && view.spec.as_ref().is_ok_and(|spec| spec.class_name == *class)
        });
        let tenants = of_class.map(|(name, _)| (name, self.reached.get(name).copied()));
        Progress::of(tenants, &self.gate, &rollout, now)
    }
}
