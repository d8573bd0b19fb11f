//! Statuses of Tenants as they are kept: what thousands of them say in the same words is there once.

use std::{collections::HashSet, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::tenant::{Phase, TenantStatus};

/// A status that shares what its conditions say.
#[derive(Debug, PartialEq)]
pub(super) struct KeptStatus {
    conditions: Box<[(Arc<Phrase>, Time)]>,
    /// Everything but the conditions.
    rest: TenantStatus,
}

/// A condition but for its time.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Phrase {
    kind: String,
    status: String,
    reason: String,
    message: String,
    generation: Option<i64>,
}

/// What the kept statuses say.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    all: HashSet<Arc<Phrase>>,
    /// How many there were when those that nobody says any more were given up last.
    said: usize,
}

/// So many are not looked through to find what nobody says any more.
const FEW: usize = 64;

impl Phrases {
    /// A status as it is kept.
    pub(super) fn keep(&mut self, mut status: TenantStatus) -> KeptStatus {
        let conditions = std::mem::take(&mut status.conditions).into_iter().map(|condition| self.share(condition));
        let kept = KeptStatus { conditions: conditions.collect(), rest: status };
        // Each that is new pays for a part of this.
        if self.all.len() > 2 * self.said + FEW {
            self.all.retain(|phrase| Arc::strong_count(phrase) > 1);
            self.said = self.all.len();
        }
        kept
    }

    fn share(&mut self, condition: Condition) -> (Arc<Phrase>, Time) {
        let Condition { type_, status, reason, message, observed_generation, last_transition_time } = condition;
        let phrase = Phrase { kind: type_, status, reason, message, generation: observed_generation };
        let shared = self.all.get(&phrase).cloned().unwrap_or_else(|| {
            let phrase = Arc::new(phrase);
            self.all.insert(Arc::clone(&phrase));
            phrase
        });
        (shared, last_transition_time)
    }
}

impl KeptStatus {
    /// The status.
    pub(super) fn read(&self) -> TenantStatus {
        let conditions = self.conditions.iter().map(|(phrase, since)| phrase.at(since));
        TenantStatus { conditions: conditions.collect(), ..self.rest.clone() }
    }

    /// Its phase.
    pub(super) const fn phase(&self) -> Phase {
        self.rest.phase
    }

    /// The reason of its condition of that kind, where one is told.
    pub(super) fn reason(&self, kind: &str) -> Option<&str> {
        let (phrase, _) = self.conditions.iter().find(|(phrase, _)| phrase.kind == kind)?;
        Some(phrase.reason.as_str())
    }
}

impl Phrase {
    fn at(&self, since: &Time) -> Condition {
        let Self { kind, status, reason, message, generation } = self;
        Condition {
            type_: kind.clone(),
            status: status.clone(),
            reason: reason.clone(),
            message: message.clone(),
            observed_generation: *generation,
            last_transition_time: since.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(kind: &str, message: &str, second: i64) -> Condition {
        Condition {
            type_: kind.to_owned(),
            status: "True".to_owned(),
            reason: "Verified".to_owned(),
            message: message.to_owned(),
            observed_generation: Some(1),
            last_transition_time: Time(jiff::Timestamp::from_second(second).unwrap()),
        }
    }

    fn status(conditions: &[Condition]) -> TenantStatus {
        TenantStatus {
            observed_generation: 1,
            phase: Phase::Ready,
            conditions: conditions.to_vec(),
            url: Some("https://alice.example".to_owned()),
            ..TenantStatus::default()
        }
    }

    #[test]
    fn what_is_kept_is_what_was_said() {
        let said = status(&[condition("Ready", "every part stands", 3), condition("SecretsReady", "two secrets", 2)]);
        let kept = Phrases::default().keep(said.clone());
        assert_eq!((kept.read(), kept.phase(), kept.reason("Ready")), (said, Phase::Ready, Some("Verified")));
        assert_eq!(kept.reason("Stalled"), None);
    }

    #[test]
    fn what_two_say_is_there_once_though_they_began_at_different_times() {
        let mut phrases = Phrases::default();
        let [alice, bob] =
            [3, 4].map(|second| phrases.keep(status(&[condition("Ready", "every part stands", second)])));
        assert!(Arc::ptr_eq(&alice.conditions[0].0, &bob.conditions[0].0));
        assert_ne!(alice, bob, "their times tell them apart");
    }

    #[test]
    fn what_nobody_says_any_more_is_given_up() {
        let mut phrases = Phrases::default();
        let standing = phrases.keep(status(&[condition("Ready", "every part stands", 0)]));
        for attempt in 0..10_000 {
            drop(phrases.keep(status(&[condition("Ready", &format!("attempt {attempt}"), 0)])));
        }
        assert!(phrases.all.len() <= 2 + FEW + 1, "{} phrases", phrases.all.len());
        let again = phrases.keep(status(&[condition("Ready", "every part stands", 0)]));
        assert_eq!(again, standing);
    }
}
