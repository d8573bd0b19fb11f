//! What a sweep tells people: once, when something has turned.
//!
//! PURE.

use std::collections::BTreeSet;

use super::orphans::{Orphan, Orphans};
use crate::{
    telemetry::events::{Notice, Severity},
    tenant::reason::Reason,
};

/// So many are named in an event.
const NAMED: usize = 5;

/// What was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    confirmed: BTreeSet<String>,
    refused: bool,
}

/// What is to be told now, and what will have been told then.
pub fn notice(told: &Told, orphans: &Orphans) -> (Option<Notice>, Told) {
    let now = Told {
        confirmed: match orphans.refused {
            // What was told before stays told: a sight that is not believed takes nothing back.
            Some(_) => told.confirmed.clone(),
            None => orphans.confirmed.iter().map(|one| one.arn.clone()).collect(),
        },
        refused: orphans.refused.is_some(),
    };
    let notice = match &orphans.refused {
        Some(_) if told.refused => None,
        Some(why) => {
            let note = format!(
                "what looks like orphans in AWS is not believed: {why}. Something is wrong with what the operator sees; \
                 nothing is to be deleted on the ground of it"
            );
            Some((Severity::Warning, Reason::OrphansRefused, note))
        }
        None if !now.confirmed.is_subset(&told.confirmed) => {
            Some((Severity::Warning, Reason::OrphansFound, found(&orphans.confirmed)))
        }
        None if now.confirmed.is_empty() && !told.confirmed.is_empty() => {
            Some((Severity::Normal, Reason::OrphansGone, "no orphans are left in AWS".to_owned()))
        }
        None => None,
    };
    let notice = notice.map(|(severity, reason, note)| Notice {
        severity,
        reason: reason.to_string(),
        action: "Sweep".to_owned(),
        note,
    });
    (notice, now)
}

fn found(orphans: &[Orphan]) -> String {
    let names: Vec<String> = orphans.iter().take(NAMED).map(|one| format!("{} {}", one.kind, one.name)).collect();
    let more = orphans.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!(
        "nobody stands behind {}{more} in AWS. `openclaw-tenant-operator orphans` lists them and says what to do",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::types::Tags,
        sweep::orphans::{Kind, Refusal},
    };

    fn orphans(names: &[&str]) -> Orphans {
        let one = |name: &&str| Orphan {
            kind: Kind::Secret,
            name: (*name).to_owned(),
            arn: format!("arn:{name}"),
            account: None,
            tags: Tags::new(),
            created_at: None,
            since: jiff::Timestamp::UNIX_EPOCH,
        };
        Orphans { confirmed: names.iter().map(one).collect(), ..Orphans::default() }
    }

    /// The reasons that are told one after the other.
    fn told(sights: &[Orphans]) -> Vec<String> {
        let mut told = Told::default();
        let mut reasons = Vec::new();
        for sight in sights {
            let (notice, next) = notice(&told, sight);
            reasons.push(notice.map_or_else(String::new, |notice| notice.reason));
            told = next;
        }
        reasons
    }

    #[test]
    fn orphans_are_told_once_and_again_when_more_come() {
        let (one, two, none) = (orphans(&["a"]), orphans(&["a", "b"]), orphans(&[]));
        let reasons = told(&[none.clone(), one.clone(), one.clone(), two, one, none.clone(), none]);
        assert_eq!(reasons, ["", "OrphansFound", "", "OrphansFound", "", "OrphansGone", ""]);
    }

    #[test]
    fn a_refused_sight_is_told_once_and_takes_nothing_back() {
        let one = orphans(&["a"]);
        let refused = Orphans { refused: Some(Refusal::NoTenants), ..orphans(&["a", "b"]) };
        let reasons = told(&[one.clone(), refused.clone(), refused, one]);
        assert_eq!(reasons, ["OrphansFound", "OrphansRefused", "", ""]);
    }

    #[test]
    fn an_event_names_five_and_counts_the_rest() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let (notice, _) = notice(&Told::default(), &orphans(&names));
        let note = notice.expect("told").note;
        assert!(note.contains("secret e and 2 more in AWS"), "{note}");
    }
}
