//! How many tenants are begun at the same time.
//!
//! PURE. The cluster's controllers make claims, volumes and quotas count at their own pace, which does not rise with how many tenants wait
//! for them. Where thousands of Tenants are applied at once, each that is begun sooner than its turn with those controllers comes is looked
//! at again and again meanwhile, and takes their time with its events. So those of whom nothing was made yet wait until others have got as
//! far as their workspace. Only they: nothing else waits for them, and nobody waits for one that does not get on.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use crate::{api::names::TenantName, telemetry::result::Outcome};

/// How many are begun at the same time, for each that may be worked on: a pass takes a tenth of a second, and the controllers answer after some.
const FOR_EACH_PLACE: usize = 4;

/// How long others wait for one. Whoever takes longer waits for something that does not come sooner when others wait as well.
const PATIENCE: Duration = Duration::from_mins(1);

/// How far a tenant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is a Tenant, and no record of it: nothing was made for it.
    Unbegun,
    /// There is a record, and no workspace yet.
    Begun,
    /// There is its workspace, or nobody wants one.
    Made,
}

/// Tenants that were begun and have no workspace yet, and those that wait to be begun. Times are counted from wherever the caller counts from.
#[derive(Debug)]
pub struct Newcomers {
    places: usize,
    /// Since when each has its place.
    begun: HashMap<TenantName, Duration>,
    /// In the order in which they came; who does not wait any more is passed over.
    order: VecDeque<TenantName>,
    waiting: HashSet<TenantName>,
}

impl Newcomers {
    /// None yet, where so many tenants may be worked on at the same time.
    pub fn new(concurrency: usize) -> Self {
        let places = concurrency.saturating_mul(FOR_EACH_PLACE);
        Self { places, begun: HashMap::new(), order: VecDeque::new(), waiting: HashSet::new() }
    }

    /// Whether a tenant whose turn it is may be worked on now. If not, [`next`](Self::next) names it when it may.
    pub fn admit(&mut self, name: &TenantName, standing: Standing, now: Duration) -> bool {
        if standing != Standing::Unbegun || self.begun.contains_key(name) {
            self.waiting.remove(name);
            return true;
        }
        if self.begun.len() < self.places && self.waiting.is_empty() {
            self.begun.insert(name.clone(), now);
            return true;
        }
        if self.waiting.insert(name.clone()) {
            self.order.push_back(name.clone());
        }
        false
    }

    /// A tenant was worked on. One that is begun by now, and gets on, keeps its place until it has its workspace.
    pub fn note(&mut self, name: &TenantName, standing: Standing, outcome: Outcome) {
        let gets_on = matches!(outcome, Outcome::Changed | Outcome::Waiting);
        if !gets_on || standing != Standing::Begun {
            self.begun.remove(name);
        }
    }

    /// Takes their places from those that had them for too long.
    pub fn lose_patience(&mut self, now: Duration) {
        self.begun.retain(|_, since| now.saturating_sub(*since) < PATIENCE);
    }

    /// The next that waits, where there is a place for it; it has it from here.
    pub fn next(&mut self, now: Duration) -> Option<TenantName> {
        if self.begun.len() >= self.places {
            return None;
        }
        let name = std::iter::from_fn(|| self.order.pop_front()).find(|name| self.waiting.contains(name))?;
        self.waiting.remove(&name);
        self.begun.insert(name.clone(), now);
        Some(name)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: [&str; 0] = [];

    fn name(text: &str) -> TenantName {
        text.parse().expect("name")
    }

    /// Two places for each that may be worked on would be too many to read.
    fn two_places() -> Newcomers {
        Newcomers { places: 2, ..Newcomers::new(1) }
    }

    fn admitted<'a>(newcomers: &mut Newcomers, names: &[&'a str], now: Duration) -> Vec<&'a str> {
        names.iter().filter(|text| newcomers.admit(&name(text), Standing::Unbegun, now)).copied().collect()
    }

    fn let_in(newcomers: &mut Newcomers, now: Duration) -> Vec<String> {
        std::iter::from_fn(|| newcomers.next(now)).map(|name| name.to_string()).collect()
    }

    #[test]
    fn there_are_four_places_for_each_that_may_be_worked_on() {
        assert_eq!((Newcomers::new(32).places, Newcomers::new(usize::MAX).places), (128, usize::MAX));
    }

    #[test]
    fn who_finds_no_place_waits_once_and_comes_in_its_order() {
        let (mut newcomers, now) = (two_places(), Duration::ZERO);
        assert_eq!(
            admitted(&mut newcomers, &["alice", "bob", "carol", "dave", "carol", "alice"], now),
            ["alice", "bob", "alice"]
        );
        assert_eq!((newcomers.waiting(), let_in(&mut newcomers, now)), (2, vec![]));
        newcomers.note(&name("alice"), Standing::Begun, Outcome::Changed);
        newcomers.note(&name("bob"), Standing::Begun, Outcome::Waiting);
        assert_eq!(let_in(&mut newcomers, now), NOBODY, "both get on, and have no workspace yet");
        newcomers.note(&name("bob"), Standing::Made, Outcome::Changed);
        assert_eq!(let_in(&mut newcomers, now), ["carol"]);
        assert_eq!(admitted(&mut newcomers, &["carol", "erin"], now), ["carol"], "its place was kept for it");
        newcomers.note(&name("alice"), Standing::Made, Outcome::Waiting);
        newcomers.note(&name("carol"), Standing::Made, Outcome::Waiting);
        assert_eq!(admitted(&mut newcomers, &["frank"], now), NOBODY, "who waits comes before who is new");
        assert_eq!(let_in(&mut newcomers, now), ["dave", "erin"]);
        assert_eq!(newcomers.waiting(), 1);
    }

    #[test]
    fn only_who_is_to_be_begun_waits() {
        let (mut newcomers, now) = (two_places(), Duration::ZERO);
        assert_eq!(admitted(&mut newcomers, &["alice", "bob", "carol", "dave"], now), ["alice", "bob"]);
        for standing in [Standing::Begun, Standing::Made] {
            assert!(newcomers.admit(&name("erin"), standing, now), "{standing:?}");
        }
        // Its Tenant is being deleted, or its record was found, before its turn has come.
        assert!(newcomers.admit(&name("carol"), Standing::Made, now));
        newcomers.note(&name("carol"), Standing::Made, Outcome::Changed);
        assert_eq!(newcomers.waiting(), 1);
        newcomers.note(&name("alice"), Standing::Made, Outcome::Changed);
        assert_eq!(let_in(&mut newcomers, now), ["dave"], "nobody's turn is kept for who does not wait any more");
    }

    #[test]
    fn nobody_waits_for_one_that_does_not_get_on() {
        for (standing, outcome) in [
            (Standing::Begun, Outcome::Failed),
            (Standing::Begun, Outcome::Stalled),
            (Standing::Begun, Outcome::Cancelled),
            // Suspended, or paused: there is nothing to be made now.
            (Standing::Begun, Outcome::Unchanged),
            // Refused; or a dry run, which begins nobody and says so of each.
            (Standing::Unbegun, Outcome::Stalled),
            (Standing::Unbegun, Outcome::Waiting),
        ] {
            let (mut newcomers, now) = (two_places(), Duration::ZERO);
            admitted(&mut newcomers, &["alice", "bob", "carol"], now);
            newcomers.note(&name("alice"), standing, outcome);
            assert_eq!(let_in(&mut newcomers, now), ["carol"], "{standing:?}, {outcome:?}");
        }
    }

    #[test]
    fn nobody_is_waited_for_longer_than_a_minute() {
        let (mut newcomers, now) = (two_places(), Duration::ZERO);
        admitted(&mut newcomers, &["alice"], now);
        admitted(&mut newcomers, &["bob", "carol", "dave"], now + Duration::from_secs(30));
        newcomers.lose_patience(now + Duration::from_secs(59));
        assert_eq!(let_in(&mut newcomers, now), NOBODY);
        newcomers.lose_patience(now + PATIENCE);
        assert_eq!(let_in(&mut newcomers, now + PATIENCE), ["carol"], "alice is not waited for any more, bob still is");
    }
}
