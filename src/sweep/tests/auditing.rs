//! What is described next.

use std::{num::NonZeroU32, time::Duration};

use super::world::{ITEMS, after_minutes, census, item, known, name, start};
use crate::{
    sweep::audit::{Round, Target, round},
    tenant::{looks::Subject, observed::Look, settings::Sweeps},
};

fn sweeps(interval: u64, period: u64, rate: u32) -> Sweeps {
    Sweeps {
        interval: Duration::from_secs(interval),
        audit_period: Duration::from_secs(period),
        audit_rate: NonZeroU32::new(rate).expect("positive"),
    }
}

fn association(tenant: &str) -> Target {
    Target::Association(name(tenant), format!("a-{tenant}").parse().expect("id"))
}

fn secret(tenant: &str, index: usize) -> Target {
    Target::Secret(name(tenant), item(ITEMS[index]), format!("openclaw/{tenant}/{}", ITEMS[index]))
}

#[test]
fn what_was_never_described_comes_first_then_the_oldest() {
    let mut census = census(&["alice", "bob"]);
    let alice = known(&mut census, "alice");
    alice.secrets.insert(
        item(ITEMS[0]),
        Look::At(after_minutes(-1), alice.secrets[&item(ITEMS[0])].seen().cloned().expect("seen")),
    );
    let bob = known(&mut census, "bob");
    bob.listed.insert(Subject::Secret(item(ITEMS[1])));
    let unknown = vec!["a-stranger".parse().expect("id")];
    let planned = round(&census, unknown.clone(), after_minutes(60 * 24), &sweeps(600, 86_400, 1));
    let targets = vec![
        Target::Stranger(unknown[0].clone()),
        secret("bob", 1),
        secret("alice", 0),
        association("alice"),
        association("bob"),
        secret("alice", 1),
        secret("bob", 0),
    ];
    assert_eq!(planned, Round { targets, never: 1, oldest: Some(after_minutes(-1)) });
}

#[test]
fn nothing_is_described_long_before_its_time() {
    let census = census(&["alice"]);
    let at = |minutes: i64| round(&census, Vec::new(), after_minutes(minutes), &sweeps(600, 86_400, 1)).targets.len();
    assert_eq!(at(60), 0);
    // A day, less the ten minutes until the next turn, less three seconds for the line of three.
    assert_eq!((at(60 * 24 - 11), at(60 * 24 - 10)), (0, 3));
}

#[test]
fn a_long_line_begins_early_enough_to_end_in_time_and_no_round_is_longer_than_the_rate_allows() {
    let names: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let census = census(&names);
    // 120 resources at one per second: the last of them would wait two minutes.
    let at = |seconds: i64| {
        let now = start() + jiff::SignedDuration::from_secs(seconds);
        round(&census, Vec::new(), now, &sweeps(10, 600, 1)).targets.len()
    };
    assert_eq!((at(469), at(470)), (0, 10));
}

#[test]
fn what_is_not_there_is_not_described() {
    let mut census = census(&["alice"]);
    let alice = known(&mut census, "alice");
    alice.association = Look::At(start(), crate::tenant::observed::FoundAssociation::None);
    alice.secrets.insert(item(ITEMS[0]), Look::At(start(), None));
    alice.secrets.insert(item(ITEMS[1]), Look::Never);
    let planned = round(&census, Vec::new(), after_minutes(60 * 48), &sweeps(600, 86_400, 1));
    assert_eq!(planned, Round { targets: Vec::new(), never: 0, oldest: None });
}
