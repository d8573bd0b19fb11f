//! An owner whom the class lets look: gets the rights with the workspace, and loses them with it.

use serde_json::{Value, json};

use super::{
    fixtures::{class_json, spec_json},
    world::World,
};
use crate::{api::labels, tenant::child::Child};

const RIGHTS: [Child; 3] = [Child::OwnerBinding, Child::OwnerRole, Child::OwnerRoleBinding];

fn class() -> Value {
    let mut class = class_json();
    class["ownerAccess"] = json!({ "userNamePrefix": "oidc:" });
    class
}

fn looking() -> World {
    let mut world = World::new();
    world.serve_optional(true);
    world.usual_class = class();
    world.set_class(&class());
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".to_owned()));
    world
}

fn names(world: &World) -> Vec<Option<Value>> {
    let bindings = [Child::OwnerBinding, Child::OwnerRoleBinding];
    bindings.map(|child| world.child(child).map(|live| live["subjects"][0]["name"].clone())).to_vec()
}

#[test]
fn the_owner_gets_the_rights_and_a_hand_that_gives_them_to_others_is_undone() {
    let mut world = looking();
    assert_eq!(names(&world), [Some(json!("oidc:6f1c")), Some(json!("oidc:6f1c"))]);
    world.edit_child(Child::OwnerRoleBinding, |live| live["subjects"][0]["name"] = json!("mallory"));
    world.edit_child(Child::OwnerRole, |live| live["rules"][0]["verbs"] = json!(["*"]));
    world.settle();
    assert_eq!(names(&world)[1], Some(json!("oidc:6f1c")));
    assert_eq!(world.child(Child::OwnerRole).expect("there")["rules"][0]["verbs"], json!(["get", "list", "watch"]));
}

#[test]
fn the_rights_go_when_access_ends_and_come_back_with_it() {
    let mut world = looking();
    world.suspend(true);
    world.settle();
    assert!(RIGHTS.iter().all(|child| world.child(*child).is_none()));
    assert_eq!(world.ready(), (true, "Suspended".to_owned()));
    world.suspend(false);
    world.settle();
    assert!(RIGHTS.iter().all(|child| world.child(*child).is_some()));
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none() && RIGHTS.iter().all(|child| world.child(*child).is_none()));
}

#[test]
fn a_class_that_lets_nobody_look_any_more_takes_the_rights_away() {
    let mut world = looking();
    world.set_class(&class_json());
    world.settle();
    assert!(RIGHTS.iter().all(|child| world.child(*child).is_none()));
    assert_eq!(world.ready(), (true, "Verified".to_owned()));
}

#[test]
fn where_the_operator_may_not_give_them_that_is_told_and_the_workspace_runs() {
    let mut world = World::new();
    world.serve_optional(false);
    world.usual_class = class();
    world.set_class(&class());
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (false, "KindNotServed".to_owned()));
    let told = json!(world.status().expect("a status"))["conditions"].to_string();
    assert!(told.contains("ownerAccess.enabled"), "{told}");
    assert!(world.child(Child::StatefulSet).is_some_and(|set| set["spec"]["replicas"] == 1));
    world.serve_optional(true);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".to_owned()));
}

/// The operator gives the new owner's rights by the new owner's Tenant, and takes the former one's before.
#[test]
fn a_transfer_takes_the_former_owner_s_rights_first() {
    let mut world = looking();
    world.order(labels::TRANSFER_TO, "bob");
    world.settle();
    assert!(RIGHTS.iter().all(|child| world.child(*child).is_none()), "the former owner's Tenant still stands");
    assert_eq!(world.record_spec().owner.subject.map(|subject| subject.to_string()), Some("bob".to_owned()));
    world.settle();
    assert!(RIGHTS.iter().all(|child| world.child(*child).is_none()));
}

/// roleRef never changes in Kubernetes: another binding of that name goes, and ours is made.
#[test]
fn a_binding_of_another_role_is_replaced() {
    let mut world = looking();
    world.edit_child(Child::OwnerBinding, |live| live["roleRef"]["name"] = json!("edit"));
    world.settle();
    assert_eq!(world.child(Child::OwnerBinding).expect("ours")["roleRef"]["name"], "openclaw:tenant-reader");
}

/// The rights were out of sight when the Tenant went; what comes into sight again of them goes.
#[test]
fn rights_that_come_into_sight_after_the_end_go() {
    let mut world = looking();
    let seen: Vec<Value> = RIGHTS.iter().map(|child| world.child(*child).expect("there").clone()).collect();
    world.delete_tenant();
    world.settle();
    for (child, object) in RIGHTS.iter().zip(seen) {
        let key = world.key(*child);
        world.put(&key, object);
    }
    world.restart();
    world.settle();
    assert!(RIGHTS.iter().all(|child| world.child(*child).is_none()));
}
