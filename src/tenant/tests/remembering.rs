//! What a wish came to is remembered for as long as a tenant is on its way. That it changes no decision is shown by every round of every
//! other test: `World::round_with` decides twice.

use std::collections::BTreeSet;

use serde_json::json;

use super::{controllers, fixtures::draws, mishaps::settled, world::World};
use crate::tenant::child::Child;

/// Rounds until nothing is left to do; which wishes were remembered in them.
fn remembered(world: &mut World) -> (usize, BTreeSet<usize>) {
    let (mut rounds, mut wishes) = (0, BTreeSet::new());
    for _ in 0..60 {
        if !step(world) {
            return (rounds, wishes);
        }
        rounds += 1;
        wishes.extend(world.observe().remembered.number());
    }
    panic!("no rest");
}

/// A round, and what the cluster makes of it; whether anything happened.
fn step(world: &mut World) -> bool {
    let acted = !world.round().actions.is_empty();
    let moved = controllers::run(world);
    world.now += jiff::SignedDuration::from_secs(2);
    acted || moved
}

#[test]
fn a_wish_is_built_when_something_in_it_changes_and_not_in_each_round() {
    let (rounds, wishes) = remembered(&mut World::with_alice());
    // With the place, the secret, the volume; and the first of all.
    assert!(rounds >= 8 && wishes.len() <= 4, "{rounds} rounds, {} wishes", wishes.len());
}

#[test]
fn nothing_is_remembered_of_a_tenant_at_rest() {
    let mut world = settled();
    world.round();
    assert_eq!(world.observe().remembered.number(), None);
    world.usual_class["network"]["cidrs"] = json!([{ "cidr": "10.1.0.0/24" }]);
    let class = world.usual_class.clone();
    world.set_class(&class);
    world.round();
    assert!(world.observe().remembered.number().is_some(), "it is on its way again");
    world.settle();
    assert_eq!(world.observe().remembered.number(), None);
}

/// Controllers answer one after the other, and each answer is looked at: what was wanted before it is wanted after it.
#[test]
fn a_tenant_that_only_waits_is_remembered() {
    let mut world = waiting();
    let number = world.observe().remembered.number();
    assert!(number.is_some());
    world.now += jiff::SignedDuration::from_mins(1);
    while !world.round().actions.is_empty() {}
    assert_eq!(world.observe().remembered.number(), number);
}

/// Where a storage does not answer thousands may wait, for many minutes.
#[test]
fn a_crowd_that_only_waits_is_not_remembered() {
    let mut world = waiting();
    for number in 0..300 {
        let name = format!("other-{number}").parse().expect("a name");
        world.cache.observe(&name, world.now, draws(number));
    }
    world.round();
    assert_eq!(world.observe().remembered.number(), None);
    world.broken.clear();
    let (_, wishes) = remembered(&mut world);
    assert!(!wishes.is_empty() && world.ready().0, "it is on its way again");
}

/// Its claim is not bound; it was looked at with its events, and is looked at again in a minute.
fn waiting() -> World {
    let mut world = World::with_alice();
    world.broken.push("volumes");
    world.settle();
    world.round();
    world.now += jiff::SignedDuration::from_secs(10);
    while !world.round().actions.is_empty() {}
    world
}

/// `1536Mi` and `1610612736` are as much. In whatever round somebody writes the other one: no object changes for it, and none is written again
/// and again because what is remembered of it says otherwise than what is sent.
#[test]
fn another_notation_of_an_amount_changes_nothing_in_any_round() {
    let memory = |world: &mut World, text: &str| {
        world.edit_tenant(|spec| spec["resources"]["requests"]["memory"] = json!(text));
    };
    let mut usual = World::with_alice();
    memory(&mut usual, "1536Mi");
    let (rounds, _) = remembered(&mut usual);
    for when in 0..rounds {
        let mut world = World::with_alice();
        memory(&mut world, "1536Mi");
        for _ in 0..when {
            step(&mut world);
        }
        memory(&mut world, "1610612736");
        remembered(&mut world);
        assert!(world.ready().0, "after {when} rounds");
        let set = world.child(Child::StatefulSet).expect("it stands");
        let written = set.pointer("/spec/template/spec/containers/0/resources/requests/memory");
        assert_eq!(written, Some(&json!("1536Mi")), "after {when} rounds");
    }
}
