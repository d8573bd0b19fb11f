//! A tenant's life, from nothing to Ready and through everything that happens to it.

use super::{fixtures::spec_json, world::World};
use crate::tenant::{action::Action, child::Child};
use serde_json::json;

fn settled() -> World {
    let mut world = World::with_alice();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    world.done.clear();
    world
}

#[test]
fn a_new_tenant_becomes_ready_and_then_nothing_is_written_any_more() {
    let mut world = World::with_alice();
    let rounds = world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert!(rounds <= 20, "{rounds} rounds");
    assert_eq!(world.round().actions, Vec::new(), "L2");
}

#[test]
fn suspend_and_resume_lead_back_to_the_same_state() {
    let mut world = settled();
    let before = (world.children.clone(), world.record_spec().storage);
    world.suspend(true);
    world.settle();
    assert_eq!(world.ready(), (true, "Suspended".into()));
    assert!(world.cloud.associations.is_empty());
    world.suspend(false);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(before.1, world.record_spec().storage);
    let specs = |children: &std::collections::BTreeMap<_, super::world::Objects>| -> Vec<_> {
        children.values().flat_map(|all| all.values().map(|one| one["spec"].clone())).collect()
    };
    assert_eq!(specs(&before.0), specs(&world.children));
}

#[test]
fn a_deleted_tenant_is_kept_and_the_same_owner_gets_everything_back() {
    let mut world = settled();
    let before = world.record_spec();
    let secrets: Vec<_> = world.cloud.secrets.values().map(|one| (one.arn.clone(), one.versions.clone())).collect();
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none() && world.pods.is_empty() && world.cloud.associations.is_empty());
    assert!(world.child(Child::Claim).is_some());
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    let after = world.record_spec();
    assert_eq!((after.incarnation, after.storage), (before.incarnation, before.storage));
    let again: Vec<_> = world.cloud.secrets.values().map(|one| (one.arn.clone(), one.versions.clone())).collect();
    assert_eq!(secrets, again);
}

#[test]
fn another_owner_is_told_that_the_name_is_reserved_and_nothing_is_written() {
    let mut world = settled();
    world.delete_tenant();
    world.settle();
    world.done.clear();
    world.make_tenant(&json!({ "owner": { "subject": "mallory", "email": "m@example.com" } }));
    world.settle();
    assert_eq!(world.ready(), (false, "NameReserved".into()));
    assert_eq!(world.done, Vec::<Action>::new());
}
