//! The roll-out gate of the whole fleet: who may take a changed pod template now, and who waits.
//!
//! PURE. What is recorded survives restarts; a leave that was given and not yet recorded is held, so that two tenants
//! that ask at the same time do not get the same last place.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::api::{
    class::Rollout,
    names::TenantName,
    record::{Counts, Rolling},
};

/// How a tenant stands at the gate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// It has not asked.
    #[default]
    NotAsked,
    /// It may take its new template now.
    Granted,
    /// It waits: as many are restarting as may.
    Full {
        /// How many are.
        in_flight: usize,
    },
    /// It waits for a person: too many that were let through are not ready in time.
    Stopped {
        /// Some of them.
        failed: Vec<TenantName>,
        /// How many there are.
        count: usize,
    },
}

/// The gate.
#[derive(Debug, Default)]
pub struct Gate {
    recorded: BTreeMap<TenantName, Rolling>,
    granted: BTreeSet<TenantName>,
    waiting: BTreeMap<TenantName, (u64, Turn)>,
    arrivals: u64,
    woken: BTreeSet<TenantName>,
}

/// Figures of the gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateFigures {
    /// Tenants that hold a place.
    pub in_flight: usize,
    /// Tenants that wait.
    pub waiting: usize,
    /// Tenants that were ready before their change and are not in time after it.
    pub failed: usize,
}

impl GateFigures {
    /// By state, for the metrics.
    pub const fn by_state(self) -> [(&'static str, usize); 3] {
        [("in_flight", self.in_flight), ("waiting", self.waiting), ("failed", self.failed)]
    }
}

/// What a tenant has to do with the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing.
    None,
    /// It waits.
    Waits,
    /// It was let through and is not ready yet.
    OnItsWay,
    /// It was ready before and is not in time.
    Failed,
}

/// As many names as a message has room for.
const NAMED: usize = 3;

impl Gate {
    /// Takes note of what a tenant's record says of its roll-out.
    pub fn recorded(&mut self, tenant: &TenantName, rolling: Option<&Rolling>) {
        let before = match rolling {
            Some(rolling) => {
                self.granted.remove(tenant);
                self.waiting.remove(tenant);
                self.recorded.insert(tenant.clone(), rolling.clone())
            }
            None => self.recorded.remove(tenant),
        };
        if before.is_some_and(|before| before.counts != Counts::Nothing) {
            self.wake();
        }
    }

    /// Asks for a turn. What comes of it is told by [`turn`](Self::turn).
    pub fn ask(&mut self, tenant: &TenantName, rollout: &Rollout, now: Timestamp) {
        if self.granted.contains(tenant) {
            return;
        }
        let figures = self.figures(now);
        let turn = if figures.failed >= usize::from(rollout.max_failures) {
            let (failed, count) = self.failures(now);
            Turn::Stopped { failed, count }
        } else if figures.in_flight >= usize::from(rollout.max_in_flight) {
            Turn::Full { in_flight: figures.in_flight }
        } else {
            self.waiting.remove(tenant);
            self.granted.insert(tenant.clone());
            // There may be room for more: the next finds out.
            self.wake();
            return;
        };
        let arrivals = &mut self.arrivals;
        let place = self.waiting.entry(tenant.clone()).or_insert_with(|| {
            *arrivals += 1;
            (*arrivals, Turn::NotAsked)
        });
        place.1 = turn;
    }

    /// How a tenant stands now: one that waits asks again.
    pub fn look(&mut self, tenant: &TenantName, rollout: &Rollout, now: Timestamp) -> Turn {
        if self.waiting.contains_key(tenant) {
            self.ask(tenant, rollout, now);
        }
        self.turn(tenant)
    }

    /// How a tenant stands.
    pub fn turn(&self, tenant: &TenantName) -> Turn {
        if self.granted.contains(tenant) {
            return Turn::Granted;
        }
        self.waiting.get(tenant).map(|(_, turn)| turn.clone()).unwrap_or_default()
    }

    /// A tenant that has no business here any more gives back what it was given.
    pub fn leave(&mut self, tenant: &TenantName) {
        self.waiting.remove(tenant);
        if self.granted.remove(tenant) {
            self.wake();
        }
    }

    /// Those who wait and should ask again, first come first.
    pub fn take_woken(&mut self) -> Vec<TenantName> {
        let mut woken: Vec<TenantName> = std::mem::take(&mut self.woken).into_iter().collect();
        woken.sort_by_key(|name| self.waiting.get(name).map_or(u64::MAX, |(arrival, _)| *arrival));
        woken
    }

    /// Figures of this moment.
    pub fn figures(&self, now: Timestamp) -> GateFigures {
        let holds_place = |rolling: &&Rolling| match rolling.counts {
            Counts::Fully => true,
            Counts::Place => now < rolling.deadline.0,
            Counts::Nothing => false,
        };
        GateFigures {
            in_flight: self.recorded.values().filter(holds_place).count() + self.granted.len(),
            waiting: self.waiting.len(),
            failed: self.failed(now).count(),
        }
    }

    /// What a tenant has to do with the gate.
    pub fn place(&self, tenant: &TenantName, now: Timestamp) -> Place {
        match self.recorded.get(tenant) {
            Some(rolling) if is_failed(rolling, now) => Place::Failed,
            Some(_) => Place::OnItsWay,
            None if self.granted.contains(tenant) => Place::OnItsWay,
            None if self.waiting.contains_key(tenant) => Place::Waits,
            None => Place::None,
        }
    }

    /// Some of those who are not ready in time, and how many there are.
    pub fn failures(&self, now: Timestamp) -> (Vec<TenantName>, usize) {
        (self.failed(now).take(NAMED).cloned().collect(), self.failed(now).count())
    }

    fn failed(&self, now: Timestamp) -> impl Iterator<Item = &TenantName> {
        self.recorded.iter().filter(move |(_, rolling)| is_failed(rolling, now)).map(|(name, _)| name)
    }

    /// A place may be free: whoever has waited longest asks again, and where that one is let through, the next.
    fn wake(&mut self) {
        let first = self.waiting.iter().filter(|(name, _)| !self.woken.contains(*name));
        if let Some((name, _)) = first.min_by_key(|(_, (arrival, _))| *arrival) {
            self.woken.insert(name.clone());
        }
    }
}

fn is_failed(rolling: &Rolling, now: Timestamp) -> bool {
    rolling.counts == Counts::Fully && now >= rolling.deadline.0
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
