//! What becomes of secrets when a tenant changes hands: the former owner may know them.

use serde_json::json;
use smol_str::SmolStr;

use super::{
    removal::mallory,
    rotating::{agrees, current, item, put, reason, settled, token, used},
    sights::wait_for_sweep,
    world::World,
};
use crate::{
    api::{
        labels::{self, ROTATE_SECRETS},
        record::HistoryEvent,
    },
    tenant::action::Action,
};

/// A transferred tenant whose new owner has applied a Tenant. No pod may have started on the former values since.
fn handed_over(mut world: World) -> World {
    world.order(labels::TRANSFER_TO, "mallory");
    world.round();
    world.delete_tenant();
    world.settle();
    world.make_tenant(&mallory());
    world
}

#[test]
fn after_a_transfer_generated_secrets_get_new_values() {
    for suspended in [false, true] {
        let mut world = settled();
        let known = current(&world);
        world.suspend(suspended);
        world.settle();
        let mut world = handed_over(world);
        world.settle();
        world.suspend(false);
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()));
        agrees(&world);
        assert_ne!(current(&world), known, "suspended: {suspended}");
        assert!(token(&world).has_label(&known, "AWSPREVIOUS"), "S2");
        world.done.clear();
        world.settle();
        assert_eq!(world.done, Vec::<Action>::new(), "once");
    }
}

#[test]
fn after_a_transfer_no_pod_starts_on_a_value_that_the_former_owner_knows() {
    let mut world = settled();
    let known = current(&world);
    let mut world = {
        world.restart();
        handed_over(world)
    };
    for _ in 0..20 {
        world.round();
        super::controllers::run(&mut world);
        if world.ready().0 {
            assert_ne!(used(&world), known.as_str());
        }
    }
    agrees(&world);
}

/// Also a version that was on its way when the tenant changed hands.
#[test]
fn a_value_that_was_on_its_way_at_the_transfer_is_not_trusted() {
    let mut world = settled();
    world.annotate_tenant(ROTATE_SECRETS, "1");
    for _ in 0..20 {
        world.round();
        if item(&world).rotation.is_some() && token(&world).versions.len() == 2 {
            break;
        }
    }
    let known: Vec<SmolStr> = token(&world).versions.keys().cloned().collect();
    assert_eq!(known.len(), 2, "the next one is there");
    let mut world = handed_over(world);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert!(!known.iter().any(|one| one == current(&world).as_str()), "{known:?}");
}

#[test]
fn after_a_transfer_a_token_that_the_sign_in_copies_needs_a_person() {
    let mut world = World::with_alice();
    world.settle();
    let mut world = handed_over(world);
    world.settle();
    assert_eq!(world.ready(), (false, "RotationBlocked".into()));
    let (_, message) = reason(&mut world, "SecretsReady");
    assert!(message.contains("put-secret-value --secret-id openclaw/alice/gateway-token"), "{message}");
    let by_hand = put(&mut world, &"p".repeat(32));
    wait_for_sweep(&mut world);
    world.settle();
    assert_eq!((world.ready(), used(&world)), ((true, "Verified".into()), by_hand.to_string()));
}

/// The definitions are reinstalled between the transfer and the new owner's Tenant: the namespace knows whose it is, and that the
/// former owner knows the token.
#[test]
fn a_record_that_is_lost_after_a_transfer_is_rebuilt_as_the_new_owners() {
    for rounds in 1..6 {
        lost_after_a_transfer(rounds);
    }
}

fn lost_after_a_transfer(rounds: usize) {
    let mut world = settled();
    let known = current(&world);
    world.order(labels::TRANSFER_TO, "mallory");
    (0..rounds).for_each(|_| drop(world.round()));
    world.record = None;
    world.settle();
    assert_eq!(world.ready(), (false, "NameReserved".into()), "the former owner does not get it back");
    world.delete_tenant();
    world.settle();
    world.make_tenant(&mallory());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_ne!(current(&world), known);
}

/// The record is lost while the new values are on their way: they are made again.
#[test]
fn a_record_that_is_lost_while_values_are_replaced_forgets_nothing() {
    for rounds in 1..24 {
        let world = settled();
        let known = current(&world);
        let mut world = handed_over(world);
        (0..rounds).for_each(|_| {
            world.round();
            super::controllers::run(&mut world);
        });
        world.record = None;
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()), "after {rounds} rounds");
        assert_ne!(current(&world), known, "after {rounds} rounds");
    }
}

/// The namespace says already that it is another's: what the former owner asks for from then on removes nothing of it, and leaves
/// nothing in between two owners.
#[test]
fn a_transfer_that_has_begun_is_finished_whatever_the_former_owner_asks_for() {
    for deleted_first in [true, false] {
        let mut world = settled();
        let volume = world.record_spec().storage.volume;
        if deleted_first {
            world.delete_tenant();
        }
        world.order(labels::TRANSFER_TO, "mallory");
        world.round();
        world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Delete"));
        world.delete_tenant();
        world.settle();
        let record = world.record_spec();
        assert_eq!(record.history.last().map(|entry| entry.event), Some(HistoryEvent::Transferred), "{deleted_first}");
        assert!(world.tenant.is_none(), "the former owner's Tenant goes, deleted first: {deleted_first}");
        world.make_tenant(&mallory());
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()), "deleted first: {deleted_first}");
        assert_eq!(world.record_spec().storage.volume, volume, "nothing of it was removed");
    }
}

/// One that waits for a person holds up no other, and is not asked for any more once the person has put it.
#[test]
fn each_value_is_replaced_by_itself_where_the_sign_in_copies_only_the_token() {
    let mut class = super::fixtures::class_json();
    class["secrets"]["generated"] = json!([{ "name": "gateway-token" }, { "name": "other" }]);
    let mut world = World::new();
    world.set_class(&class);
    world.make_tenant(&super::fixtures::spec_json());
    world.settle();
    let other = |world: &World| world.cloud.secrets["openclaw/alice/other"].current_version().expect("a version");
    let known = other(&world);
    let mut world = handed_over(world);
    world.settle();
    assert_eq!(world.ready(), (false, "RotationBlocked".into()));
    assert_ne!(other(&world), known, "it does not wait for the token");
    let by_hand = put(&mut world, &"p".repeat(32));
    wait_for_sweep(&mut world);
    world.settle();
    assert_eq!((world.ready(), used(&world)), ((true, "Verified".into()), by_hand.to_string()));
}

/// What was put for the former owner while nobody looked is the former owner's too.
#[test]
fn a_value_that_was_put_before_the_transfer_is_not_taken_for_the_new_owners() {
    let mut world = World::with_alice();
    world.settle();
    world.delete_tenant();
    world.settle_late();
    put(&mut world, &"p".repeat(32));
    world.order(labels::TRANSFER_TO, "mallory");
    world.settle();
    world.restart();
    world.make_tenant(&mallory());
    world.settle();
    assert_eq!(world.ready(), (false, "RotationBlocked".into()));
}
