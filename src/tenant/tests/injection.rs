//! A pod that runs without credentials is found, said, and made anew once.

use jiff::SignedDuration;

use super::world::World;
use crate::tenant::action::Action;

/// A tenant whose pod came up while the webhook did not work.
fn without_credentials() -> World {
    let mut world = World::with_alice();
    world.injects = false;
    world.settle();
    world.done.clear();
    world
}

fn pods_deleted(world: &World) -> usize {
    world.done.iter().filter(|action| matches!(action, Action::DeletePod { .. })).count()
}

fn identity(world: &mut World) -> (String, String) {
    let status = world.status().expect("told");
    let found = status.condition("IdentityReady").expect("IdentityReady");
    (found.status.clone(), found.reason.clone())
}

#[test]
fn a_pod_without_credentials_is_told_and_given_time() {
    let mut world = without_credentials();
    assert_eq!(identity(&mut world), ("False".into(), "CredentialsNotInjected".into()));
    assert_eq!(pods_deleted(&world), 0, "the webhook may only be late");
}

#[test]
fn it_is_made_anew_once_and_then_well() {
    let mut world = without_credentials();
    world.injects = true;
    world.now += SignedDuration::from_secs(121);
    world.settle();
    assert_eq!((pods_deleted(&world), world.ready()), (1, (true, "Verified".into())));
    assert_eq!(world.record_spec().identity.restarted_pod, None, "another time it is tried again");
}

#[test]
fn where_injection_is_broken_it_is_not_tried_for_ever() {
    let mut world = without_credentials();
    for _ in 0..5 {
        world.now += SignedDuration::from_secs(121);
        world.settle();
    }
    assert_eq!(pods_deleted(&world), 1);
    assert_eq!(world.ready(), (false, "CredentialsNotInjected".into()), "a person is asked");
    world.injects = true;
    world.pods.clear();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}
