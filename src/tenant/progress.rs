//! How far the present pod template has come to the tenants of a class.
//!
//! PURE. Told in the class's status; no decision about a tenant sees it.

use jiff::Timestamp;

use super::{
    action::{Plan, Story},
    gate::{Gate, Place},
};
use crate::api::{class::Rollout, names::TenantName};

/// How far the present pod template has come to one tenant, as a decision about it left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It was applied.
    Present,
    /// It waits at the roll-out gate, or has a leave that it has not used yet.
    AtGate,
    /// Something else comes before it.
    Former,
    /// What runs is not the operator's to change.
    Another,
}

impl Reached {
    /// What a decision says of it; `None` of a tenant that goes.
    pub const fn of(plan: &Plan) -> Option<Self> {
        match &plan.story {
            Story::Kept { template, .. } => Some(*template),
            // Where nothing would be written, it is what stands.
            Story::Paused { drift, .. } if drift.is_empty() => Some(Self::Present),
            Story::Paused { .. } | Story::Refused(_) | Story::Beginning(..) | Story::Silent => Some(Self::Former),
            Story::Leaving { .. } | Story::Held { .. } | Story::Gone(..) => None,
        }
    }
}

/// How far the present pod template has come to the tenants of a class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tenants of the class whose template is the operator's.
    pub total: u32,
    /// Those that have it and are not on their way any more.
    pub updated: u32,
    /// Those that are on their way to it: let through, and not ready with it yet.
    pub in_flight: u32,
    /// Those that were ready before it and are not in time after it.
    pub failed: u32,
    /// Those that wait at the gate.
    pub waiting: u32,
    /// Those that something else keeps from it.
    pub held: u32,
    /// Those that were not decided about since the class changed, or since this process leads.
    pub undecided: u32,
    /// Tenants of the whole fleet that have failed: some names, and how many there are, where they stop the roll-out.
    pub stopped_by: Option<(Vec<TenantName>, usize)>,
}

impl Progress {
    /// How far it has come, from what decisions about the tenants of a class left, `None` for those that were not decided about.
    pub fn of<'a>(
        tenants: impl Iterator<Item = (&'a TenantName, Option<Reached>)>,
        gate: &Gate,
        rollout: &Rollout,
        now: Timestamp,
    ) -> Self {
        let mut progress = Self::default();
        for (tenant, reached) in tenants {
            if reached == Some(Reached::Another) {
                continue;
            }
            progress.total += 1;
            let count = match (gate.place(tenant, now), reached) {
                (Place::Failed, _) => &mut progress.failed,
                (Place::OnItsWay, _) => &mut progress.in_flight,
                (Place::None, None) => &mut progress.undecided,
                (Place::None, Some(Reached::Present)) => &mut progress.updated,
                (_, Some(Reached::AtGate)) | (Place::Waits, _) => &mut progress.waiting,
                (Place::None, Some(_)) => &mut progress.held,
            };
            *count += 1;
        }
        let (names, count) = gate.failures(now);
        let concerns = progress.waiting > 0 || progress.failed > 0;
        let stops = count >= usize::from(rollout.max_failures) && concerns;
        progress.stopped_by = stops.then_some((names, count));
        progress
    }

    /// Whether it is too early to say anything: nobody is seen to lack it, and some were not looked at.
    pub const fn is_premature(&self) -> bool {
        self.undecided > 0 && self.in_flight + self.failed + self.waiting + self.held == 0
    }

    /// Whether every tenant has it.
    pub const fn is_complete(&self) -> bool {
        self.updated == self.total
    }
}
