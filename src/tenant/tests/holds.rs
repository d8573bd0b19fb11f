//! Pause, refusal and leaving: what is not done, and what is done all the same.

use serde_json::json;

use super::{fixtures::spec_json, mishaps::settled, removal::deleted, sights::wait_for_sweep, world::World};
use crate::{
    api::labels,
    tenant::{
        action::{Action, Story},
        child::Child,
        plan::plan,
        reason::Reason,
    },
};

fn deleting_definitions(world: &mut World) {
    for definition in world.definitions.values_mut() {
        definition["metadata"]["deletionTimestamp"] = json!(world.now);
    }
}

#[test]
fn nothing_is_begun_for_a_paused_tenant() {
    let mut world = World::with_alice();
    world.annotate_tenant(labels::PAUSED, "true");
    world.settle();
    assert_eq!(world.done, Vec::<Action>::new());
    assert_eq!(world.ready(), (false, "Paused".into()));
}

#[test]
fn a_paused_tenant_stays_as_last_verified_even_after_a_restart() {
    let mut world = settled();
    world.annotate_tenant(labels::PAUSED, "true");
    world.restart();
    world.settle();
    assert_eq!(world.ready(), (true, "Paused".into()));
    world.edit_child(Child::Allowlist, |policy| policy["spec"]["egress"] = json!([{}]));
    world.settle();
    assert_eq!(world.ready(), (false, "Paused".into()));
    world.annotate_tenant(labels::PAUSED, "false");
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn a_paused_tenant_that_is_deleted_waits_and_says_so() {
    let mut world = settled();
    world.annotate_tenant(labels::PAUSED, "true");
    world.delete_tenant();
    world.settle();
    assert_eq!(world.ready(), (false, "Paused".into()));
    assert_eq!(world.pods.len(), 1);
    world.annotate_tenant(labels::PAUSED, "false");
    world.settle();
    assert!(world.tenant.is_none() && world.pods.is_empty());
}

/// Ready is never a lie: nobody has access, and nothing of it is verified.
#[test]
fn a_paused_tenant_whose_deletion_waits_is_not_ready() {
    let held = |world: &mut World| {
        world.delete_others(20);
        world.pass(61);
        assert_eq!(world.ready(), (false, "DeletionHeld".into()));
    };
    let settling = |world: &mut World| assert_eq!(world.ready(), (false, "Deleting".into()));
    for waits in [&settling as &dyn Fn(&mut World), &held] {
        let mut world = deleted("Delete");
        waits(&mut world);
        world.annotate_tenant(labels::PAUSED, "true");
        world.settle();
        assert_eq!(world.ready(), (false, "Paused".into()));
        assert!(world.pods.is_empty());
    }
}

#[test]
fn what_a_class_no_longer_allows_can_still_be_suspended() {
    let mut world = settled();
    world.edit_tenant(|spec| {
        spec["quota"] = json!({ "pods": 500 });
        spec["suspend"] = json!(true);
    });
    world.settle();
    assert_eq!(world.ready(), (false, "QuotaAboveMaximum".into()));
    assert!(world.pods.is_empty() && world.cloud.associations.is_empty() && world.child(Child::Route).is_none());
    world.edit_tenant(|spec| {
        spec["quota"] = json!({ "pods": 5 });
        spec["suspend"] = json!(false);
    });
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn a_webhook_that_changes_the_namespace_does_not_keep_access_from_ending() {
    let mut world = settled();
    world.edit_child(Child::Namespace, |namespace| {
        namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = json!("privileged");
    });
    let observed = world.observe();
    let record = observed.record_spec().expect("record");
    let wanted = crate::tenant::desired::namespace(&observed.name, record);
    let live = world.child(Child::Namespace).expect("namespace").clone();
    let learned =
        crate::tenant::replacement::rendering(crate::tenant::child::Kind::Namespace, &wanted, &live, world.now);
    assert!(learned.opens);
    let key = world.key(Child::Namespace);
    world.cache.learn(&key, learned);
    world.settle();
    assert_eq!(world.ready(), (false, "ForeignMutation".into()));
    world.suspend(true);
    world.settle();
    assert!(world.pods.is_empty() && world.child(Child::Route).is_none() && world.cloud.associations.is_empty());
}

#[test]
fn tenants_that_go_with_their_crd_are_let_go_untouched_and_attached_when_they_come_back() {
    let mut world = settled();
    let (before, pods) = (world.record_spec(), world.pods.clone());
    deleting_definitions(&mut world);
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none());
    assert!(matches!(world.done[..], [Action::SetFinalizers { .. }]), "{:#?}", world.done);
    world.definitions.clear();
    (world.record, world.class) = (None, None);
    world.settle();
    world.install();
    world.set_class(&super::fixtures::class_json());
    world.settle();
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.record_spec().incarnation, before.incarnation);
    assert_eq!(world.pods, pods, "the workspace never stopped: {:#?}", world.done);
}

#[test]
fn a_tenant_that_was_made_again_and_deleted_before_it_was_attached_loses_its_access_too() {
    let mut world = settled();
    world.make_tenant(&spec_json());
    let finalizers = json!([labels::FINALIZER]);
    world.tenant.as_mut().expect("Tenant")["metadata"]["finalizers"] = finalizers;
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none() && world.pods.is_empty() && world.cloud.associations.is_empty());
}

#[test]
fn without_its_class_a_tenant_stays_as_it_is() {
    let mut world = settled();
    world.class = None;
    world.settle();
    assert_eq!(world.ready(), (false, "ClassNotFound".into()));
    assert_eq!(world.done, Vec::<Action>::new());
    assert!(matches!(plan(&world.observe()).story, Story::Refused(_)));
}

#[test]
fn a_missing_tenant_is_not_a_deletion() {
    let mut world = settled();
    world.tenant = None;
    world.settle();
    assert_eq!(world.done, Vec::<Action>::new());
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn the_association_stays_while_the_statefulset_s_controller_may_still_make_a_pod() {
    let mut world = settled();
    world.pods.clear();
    world.suspend(true);
    for _ in 0..6 {
        world.round();
    }
    assert_eq!(world.child(Child::StatefulSet).expect("a StatefulSet")["spec"]["replicas"], 0);
    assert_eq!(world.cloud.associations.len(), 1, "nobody has seen yet that no pod is wanted");
    world.settle();
    assert!(world.cloud.associations.is_empty());
}

#[test]
fn a_deletion_does_not_wait_for_what_is_not_ours_and_does_not_touch_it() {
    let mut world = settled();
    world.cloud.associations[0].tags.clear();
    let token = world.cloud.secrets.keys().next().cloned().expect("a secret");
    world.cloud.secrets.get_mut(&token).expect("a secret").tags.clear();
    world.restart();
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none() && world.pods.is_empty());
    assert_eq!(world.cloud.associations.len(), 1);
    assert!(world.cloud.secrets[&token].tags.is_empty());
}

#[test]
fn a_tenant_that_was_suspended_from_the_start_takes_no_place_on_a_gateway() {
    let mut world = World::new();
    let mut class = super::fixtures::class_json();
    class["routing"]["gateways"][0]["capacity"] = json!(1);
    world.set_class(&class);
    world.make_tenant(&spec_json());
    world.suspend(true);
    world.settle();
    assert_eq!(world.ready(), (true, "Suspended".into()));
    assert_eq!(world.observe().place, None);
    world.suspend(false);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

/// Only with the definition of Tenants do Tenants go.
#[test]
fn a_tenant_that_is_deleted_while_another_definition_goes_is_not_let_go_with_its_access() {
    let mut world = settled();
    world.definitions.get_mut("tenantclasses.openclaw.io").expect("a definition")["metadata"]["deletionTimestamp"] =
        json!(world.now);
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_some(), "it waits");
    assert_eq!(world.pods.len(), 1, "nothing is written meanwhile");
    world.install();
    world.settle_late();
    assert!(world.tenant.is_none() && world.pods.is_empty(), "access ends");
}

#[test]
fn a_workspace_whose_tenant_vanished_is_told_of() {
    for rebuilt in [false, true] {
        let mut world = settled();
        world.tenant = None;
        if rebuilt {
            world.record = None;
        }
        world.settle();
        let told = plan(&world.observe());
        let Story::Refused(refusal) = &told.story else { panic!("{told:?}") };
        assert_eq!((refusal.reason, &told.actions), (Reason::Unattended, &Vec::new()), "rebuilt: {rebuilt}");
        assert_eq!(world.pods.len(), 1);
        assert_eq!(world.cache.figures(world.now).unattended, 1);
        world.make_tenant(&spec_json());
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()));
    }
}

#[test]
fn a_record_that_nobody_can_read_is_told_of_without_its_tenant_too() {
    let mut world = settled();
    world.tenant = None;
    let mut record = world.record.take().expect("a record");
    record["spec"]["phase"] = json!("Elsewhere");
    world.touch(&mut record);
    world.record = Some(record);
    let told = plan(&world.observe());
    assert!(matches!(&told.story, Story::Refused(refusal) if refusal.reason == Reason::RecordInvalid), "{told:?}");
    world.record = None;
    world.class = None;
    let told = plan(&world.observe());
    assert!(matches!(&told.story, Story::Refused(refusal) if refusal.reason == Reason::ClassMismatch), "{told:?}");
}

/// A sweep has doubted what was seen to be gone, and the Tenant is deleted before anybody has looked.
#[test]
fn an_association_that_came_back_is_looked_at_before_a_suspended_tenant_goes() {
    let mut world = settled();
    let association = world.cloud.associations[0].clone();
    world.suspend(true);
    world.settle();
    assert!(world.cloud.associations.is_empty());
    world.cloud.associations.push(association);
    wait_for_sweep(&mut world);
    world.delete_tenant();
    world.settle_late();
    assert!(world.tenant.is_none() && world.cloud.associations.is_empty());
}
