//! A role for each tenant: made first, kept as it shall be, gone last.

use jiff::SignedDuration;
use serde_json::json;

use super::{fixtures::BOUNDARY, mishaps::for_a_while, world::World};
use crate::{
    api::labels::tags,
    tenant::{action::Action, cloud::POLICY, settings::Settings},
};

fn name(world: &World) -> String {
    format!("openclaw-alice-{}", world.record_spec().incarnation)
}

#[test]
fn each_tenant_gets_a_bounded_role_of_its_own() {
    let mut world = World::with_alice_and_roles();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".to_owned()));
    let role = &world.cloud.roles[&name(&world)];
    assert_eq!(role.boundary.as_deref(), Some(BOUNDARY));
    assert_eq!(world.cloud.associations[0].role_arn.as_ref(), Some(&role.arn));
    assert_eq!(world.record_spec().identity.role_arn.as_ref(), Some(&role.arn));
    assert!(role.inline[POLICY].contains("secret:openclaw/alice/*"), "it names this tenant's secrets");
    assert!(role.inline[POLICY].contains("PrincipalTag/kubernetes-service-account"), "revoked stops it");
}

#[test]
fn a_role_that_was_changed_is_brought_back_and_what_was_added_goes() {
    let mut world = World::with_alice_and_roles();
    world.settle();
    let name = name(&world);
    let before = world.cloud.roles[&name].clone();
    let role = world.cloud.roles.get_mut(&name).expect("a role");
    role.inline.insert("mallory".into(), r#"{"Version":"2012-10-17","Statement":[]}"#.into());
    role.inline.insert(POLICY.into(), "{}".into());
    role.trust = "{}".into();
    world.restart();
    world.settle();
    assert_eq!(world.cloud.roles[&name], before);
}

/// The operator attaches nothing, and has no right to detach: whoever did it is to undo it.
#[test]
fn a_policy_that_somebody_attached_is_told_and_holds_up_the_end_until_it_is_detached() {
    let mut world = World::with_alice_and_roles();
    world.settle();
    let name = name(&world);
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    let attach = |world: &mut World| {
        world.cloud.roles.get_mut(&name).expect("a role").attached.insert(arn.into());
        world.restart();
    };
    attach(&mut world);
    for_a_while(&mut world);
    assert_eq!(world.ready(), (false, "RoleOpen".to_owned()));
    world.suspend(true);
    for_a_while(&mut world);
    assert!(world.cloud.roles.contains_key(&name) && world.cloud.associations.is_empty(), "access has ended");
    let status = world.status().expect("a status");
    let ready = status.condition("Ready").expect("Ready");
    assert!(ready.message.contains("aws iam detach-role-policy") && ready.message.contains(arn), "{}", ready.message);
    world.cloud.roles.get_mut(&name).expect("a role").attached.clear();
    world.now += SignedDuration::from_mins(2);
    world.settle();
    assert_eq!(world.ready(), (true, "Suspended".to_owned()));
    assert!(world.cloud.roles.is_empty());
}

/// A tenant's secrets keep the prefix that they were made with, whatever the operator is started with later.
#[test]
fn a_role_names_secrets_under_the_recorded_prefix() {
    let mut world = World::with_alice_and_roles();
    world.settle();
    let before = world.cloud.roles.clone();
    let mut settings = Settings::clone(&world.settings);
    settings.secrets_prefix = "another".parse().expect("a prefix");
    world.settings = settings.into();
    world.restart();
    world.settle();
    assert_eq!(world.cloud.roles, before);
}

#[test]
fn the_role_goes_when_access_ends_and_comes_back_with_it() {
    let mut world = World::with_alice_and_roles();
    world.settle();
    world.suspend(true);
    world.settle();
    assert_eq!(world.ready(), (true, "Suspended".to_owned()));
    assert!(world.cloud.roles.is_empty() && world.cloud.associations.is_empty());
    world.suspend(false);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".to_owned()));
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none() && world.cloud.roles.is_empty());
}

#[test]
fn a_foreign_role_of_that_name_is_refused_and_never_touched() {
    let mut world = World::with_alice_and_roles();
    world.settle();
    let name = name(&world);
    let role = world.cloud.roles.get_mut(&name).expect("a role");
    role.tags.insert(tags::CLUSTER_UID.into(), "another-cluster".into());
    role.trust = "{}".into();
    let foreign = role.clone();
    world.restart();
    world.settle();
    assert_eq!(world.ready(), (false, "RoleTaken".to_owned()));
    world.suspend(true);
    world.settle();
    assert_eq!(world.cloud.roles[&name], foreign);
}

#[test]
fn a_boundary_that_was_moved_is_told_and_not_moved_back() {
    let mut world = World::with_alice_and_roles();
    world.settle();
    let name = name(&world);
    world.cloud.roles.get_mut(&name).expect("a role").boundary = None;
    world.restart();
    world.settle();
    assert_eq!(world.ready(), (false, "RoleUnbounded".to_owned()));
}

#[test]
fn models_of_the_class_reach_the_role() {
    let mut world = World::with_alice_and_roles();
    world.settle();
    world.done.clear();
    let mut class = world.usual_class.clone();
    class["identity"]["models"] = json!([{ "id": "amazon.nova-lite-v1:0" }]);
    world.set_class(&class);
    world.settle();
    let policy = &world.cloud.roles[&name(&world)].inline[POLICY];
    assert!(policy.contains("arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"), "{policy}");
    let writes = world.done.iter().filter(|action| matches!(action, Action::Aws(_)) && !action.is_look());
    assert_eq!(writes.count(), 1, "one write, of the policy");
}
