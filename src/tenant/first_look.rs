//! How far a process that has begun to lead is through with all the tenants that it found.
//!
//! PURE. What it finds as it should be it does not touch: only this says that it was looked at.

use std::collections::HashSet;

use crate::{api::names::TenantName, telemetry::result::Outcome};

/// Tenants that were there when this process began to lead, and have not been decided about since.
#[derive(Debug)]
pub struct FirstLook {
    open: HashSet<TenantName>,
    found: Found,
}

/// What was found, once every tenant was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// As they should be: nothing differed, nothing was written.
    pub unchanged: usize,
    /// Put right, or on their way.
    pub changed: usize,
    /// Only a person can help.
    pub stalled: usize,
}

impl FirstLook {
    /// Nobody was looked at yet.
    pub fn new(names: impl IntoIterator<Item = TenantName>) -> Self {
        Self { open: names.into_iter().collect(), found: Found::default() }
    }

    /// A pass over a tenant has ended. Returns what was found where it was the last that was open; one that failed stays so.
    pub fn note(&mut self, name: &TenantName, outcome: Outcome) -> Option<Found> {
        let count = match outcome {
            Outcome::Unchanged => &mut self.found.unchanged,
            Outcome::Changed | Outcome::Waiting => &mut self.found.changed,
            Outcome::Stalled => &mut self.found.stalled,
            Outcome::Failed | Outcome::Cancelled => return None,
        };
        if !self.open.remove(name) {
            return None;
        }
        *count += 1;
        self.open.is_empty().then_some(self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(names: [&str; N]) -> [TenantName; N] {
        names.map(|name| name.parse().expect("name"))
    }

    #[test]
    fn it_is_over_once_each_was_decided_about_and_is_told_once() {
        let [alice, bob, carol, dave] = names(["alice", "bob", "carol", "dave"]);
        let mut look = FirstLook::new([alice.clone(), bob.clone(), carol.clone()]);
        assert_eq!(look.note(&alice, Outcome::Unchanged), None);
        assert_eq!(look.note(&alice, Outcome::Changed), None, "the first pass counts");
        assert_eq!(look.note(&bob, Outcome::Failed), None, "what failed was not seen");
        assert_eq!(look.note(&carol, Outcome::Stalled), None);
        assert_eq!(look.note(&dave, Outcome::Changed), None, "who came later was not there to be found");
        let found = Found { unchanged: 1, changed: 1, stalled: 1 };
        assert_eq!(look.note(&bob, Outcome::Waiting), Some(found));
        assert_eq!(look.note(&bob, Outcome::Unchanged), None);
    }
}
