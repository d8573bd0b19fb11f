//! Since when the end of a retention counts.

use jiff::SignedDuration;
use serde_json::json;

use super::{
    fixtures::spec_json,
    removal::{DAY, deleted, expired, is_everything_gone, is_everything_kept, mallory, removals},
    world::World,
};
use crate::api::{labels, record::RecordPhase};

fn edit_record(world: &mut World, edit: impl FnOnce(&mut serde_json::Value)) {
    let mut record = world.record.take().expect("a record");
    edit(&mut record["spec"]);
    world.touch(&mut record);
    world.record = Some(record);
}

/// A removal that began before records said since when they are due keeps its ground.
#[test]
fn a_removal_that_is_under_way_goes_on_by_its_own_beginning() {
    let mut world = expired();
    world.broken = vec!["namespaces"];
    world.pass(61);
    assert_eq!(world.phase(), RecordPhase::Purging);
    edit_record(&mut world, |spec| drop(spec.as_object_mut().expect("a spec").remove("dueSince")));
    world.broken.clear();
    world.settle();
    assert!(is_everything_gone(&world), "{:?}", world.phase());
}

/// The clock had leapt ahead when it was written, and came back.
#[test]
fn a_time_to_come_is_no_beginning() {
    let mut world = deleted("Retain");
    let next_year = world.now + SignedDuration::from_secs(365 * DAY);
    edit_record(&mut world, |spec| spec["dueSince"] = json!(next_year));
    world.settle();
    assert_eq!(world.record_spec().due_since, None, "its retention is not over");
    world.now += SignedDuration::from_secs(31 * DAY);
    edit_record(&mut world, |spec| spec["dueSince"] = json!(next_year));
    world.settle();
    assert!(world.record_spec().due_since.is_some_and(|since| since.0 <= world.now));
    world.pass(61);
    assert!(is_everything_gone(&world));
}

#[test]
fn a_paused_tenant_of_another_owner_puts_the_end_off_as_any_other() {
    let mut world = expired();
    world.halt(true);
    world.settle();
    assert!(world.record_spec().due_since.is_some());
    world.make_tenant(&mallory());
    world.annotate_tenant(labels::PAUSED, "true");
    world.settle();
    assert_eq!(world.record_spec().due_since, None);
    world.pass(600);
    world.tenant = None;
    world.halt(false);
    world.settle();
    assert_eq!(world.phase(), RecordPhase::Retained, "it settles anew");
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

/// The name changes hands for a moment: a Tenant of a wrong owner is deleted, and the right one applied after it. Whatever lies in
/// between, the end of retention settles anew.
#[test]
fn an_expired_record_is_not_removed_the_moment_that_a_tenant_of_its_name_goes() {
    let mut world = deleted("Retain");
    world.make_tenant(&mallory());
    world.settle();
    world.now += SignedDuration::from_secs(40 * DAY);
    world.settle();
    assert_eq!(world.ready(), (false, "NameReserved".into()));
    for restarts in [false, true] {
        world.delete_tenant();
        world.settle();
        if restarts {
            world.restart();
        }
        world.pass(50);
        assert!(world.tenant.is_none() && is_everything_kept(&world), "it settles; restarted: {restarts}");
        world.make_tenant(&mallory());
        world.settle();
    }
    world.delete_tenant();
    world.settle();
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.record_spec().due_since, None);
}

/// The wall clock leaps a year ahead: every retention is over by its date, all at the same moment.
#[test]
fn a_clock_that_leaps_is_a_burst() {
    let mut world = deleted("Retain");
    world.keep_others(20);
    world.now += SignedDuration::from_secs(365 * DAY);
    world.settle();
    world.others_are_due();
    world.pass(61);
    world.pass(3600);
    assert!(is_everything_kept(&world) && removals(&world).is_empty(), "{:#?}", world.done);
    let incarnation = world.record_spec().incarnation.to_string();
    world.order(labels::CONFIRM_DELETION, &incarnation);
    world.pass(61);
    assert!(is_everything_gone(&world), "an administrator may say that it is so");
}
