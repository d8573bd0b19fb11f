//! What goes wrong, and how it comes right again.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    controllers,
    fixtures::{alice, class_json, draw, spec_json},
    sights::{wait_for_audit, wait_for_sweep},
    world::{Fault, World},
};
use crate::{
    api::labels::{self, tags},
    tenant::{
        action::{Action, AwsAction, Story},
        cache::Watched,
        child::Child,
        ledger::secret_name,
        plan::plan,
    },
};

pub(super) fn settled() -> World {
    let mut world = World::with_alice();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    world.done.clear();
    world
}

fn settled_with(edit: impl FnOnce(&mut Value)) -> World {
    let mut world = World::with_alice();
    world.edit_tenant(edit);
    world.settle();
    world.done.clear();
    world
}

fn pod_uid(world: &World) -> Option<Value> {
    world.pods.values().next().map(|pod| pod["metadata"]["uid"].clone())
}

fn is_aws_write(action: &Action) -> bool {
    match action {
        Action::Aws(_) => !action.is_look(),
        _ => false,
    }
}

/// What is asked for again and again never comes to rest.
pub(super) fn for_a_while(world: &mut World) {
    for _ in 0..20 {
        world.round();
        controllers::run(world);
        world.now += SignedDuration::from_secs(2);
    }
}

/// A pod that starts before EKS knows the association would run without credentials.
#[test]
fn no_workspace_starts_before_its_association_is_listed() {
    let mut world = World::with_alice();
    world.cloud.listed = Some(0);
    for_a_while(&mut world);
    assert_eq!(world.cloud.associations.len(), 1);
    assert!(world.child(Child::StatefulSet).is_none(), "no workload yet");
    let status = world.status().expect("a status");
    let told = status.condition("IdentityReady").expect("IdentityReady");
    assert_eq!((told.status.as_str(), told.reason.as_str()), ("False", "Progressing"));
    assert!(told.message.contains("no pod starts before EKS lists it"), "{}", told.message);

    // Another process does not know what the first one made.
    world.restart();
    for_a_while(&mut world);
    assert!(world.child(Child::StatefulSet).is_none(), "no workload after a restart either");

    world.cloud.listed = None;
    world.now += SignedDuration::from_secs(2);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.cloud.associations.len(), 1);
}

/// S6: what was asked for before a Tenant was deleted may come to be after the look that did not find it.
#[test]
fn a_tenant_deleted_while_it_is_being_made_goes_when_nothing_can_come_any_more() {
    for own_role in [false, true] {
        let mut world = if own_role { World::with_alice_and_roles() } else { World::with_alice() };
        for _ in 0..40 {
            world.round_with(&mut |action| match action {
                Action::Aws(action) if action.makes_something() => Fault::Late,
                _ => Fault::None,
            });
            controllers::run(&mut world);
            if world.is_awaited() {
                break;
            }
        }
        assert!(world.is_awaited(), "something is on its way");
        world.delete_tenant();
        world.settle_late();
        assert!(world.tenant.is_none(), "it goes in the end, with every promise kept");
    }
}

/// What runs is not stopped, and not said to be anything but Ready, because a listing lags behind.
#[test]
fn a_listing_that_lags_stops_nothing_that_runs() {
    let mut world = settled();
    world.cloud.listed = Some(0);
    world.restart();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.child(Child::StatefulSet).expect("a workload")["spec"]["replicas"], 1);
}

#[test]
fn a_deleted_association_is_made_again_with_a_new_token_and_nothing_else_is() {
    let mut world = settled();
    world.cloud.associations.clear();
    wait_for_sweep(&mut world);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.cloud.associations.len(), 1);
    assert_eq!(world.done.iter().filter(|action| is_aws_write(action)).count(), 1, "{:#?}", world.done);
}

#[test]
fn a_changed_tag_and_a_changed_role_are_brought_back_with_one_action_each() {
    let mut world = settled();
    let token = secret_name(&world.record_spec(), "gateway-token");
    world.cloud.secrets.get_mut(&token).expect("secret").tags.insert(tags::NAMESPACE.into(), "elsewhere".into());
    world.cloud.associations[0].role_arn = Some("arn:aws:iam::123456789012:role/another-role".parse().expect("arn"));
    wait_for_audit(&mut world);
    world.settle();
    let writes: Vec<&Action> = world.done.iter().filter(|action| is_aws_write(action)).collect();
    assert!(
        matches!(writes[..], [Action::Aws(AwsAction::UpdateRole { .. }), Action::Aws(AwsAction::TagSecret { .. })]),
        "{writes:#?}"
    );
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn a_lost_record_is_rebuilt_with_the_same_incarnation_and_the_pod_goes_on() {
    let mut world = settled();
    let (before, pod) = (world.record_spec(), pod_uid(&world));
    world.record = None;
    world.restart();
    world.settle();
    let after = world.record_spec();
    assert_eq!((&after.incarnation, &after.storage), (&before.incarnation, &before.storage));
    assert_eq!(after.secrets.items[0].version_id, before.secrets.items[0].version_id);
    assert_eq!(after.routing, before.routing);
    assert_eq!(pod_uid(&world), pod, "the workspace is not restarted");
    assert!(!world.done.iter().any(is_aws_write), "{:#?}", world.done);
    let updates = world.done.iter().filter(|action| matches!(action, Action::Update { .. })).count();
    assert_eq!(updates, 0, "no object was ever different: {:#?}", world.done);
}

#[test]
fn a_lost_record_of_a_tenant_with_less_storage_than_the_class_s_default_is_rebuilt() {
    let mut world = settled_with(|spec| spec["storage"] = json!({ "size": "5Gi" }));
    assert_eq!(world.ready(), (true, "Verified".into()));
    world.record = None;
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.record_spec().storage.size.to_string(), "5Gi");
}

#[test]
fn a_tenant_that_asked_for_too_much_storage_is_made_again_with_less() {
    let mut world = settled_with(|spec| spec["storage"] = json!({ "size": "500Gi" }));
    assert_eq!(world.ready(), (false, "StorageAboveMaximum".into()));
    world.delete_tenant();
    world.settle();
    world.make_tenant(&spec_json());
    world.edit_tenant(|spec| spec["storage"] = json!({ "size": "20Gi" }));
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn a_lost_record_is_not_begun_anew_under_another_class() {
    let mut world = settled();
    world.record = None;
    world.restart();
    let mut other = class_json();
    other["namespacePrefix"] = json!("other-");
    world.set_class(&other);
    world.edit_tenant(|spec| spec["suspend"] = json!(false));
    world.settle();
    assert!(world.record.is_none(), "the name has an incarnation already");
    assert!(matches!(plan(&world.observe()).story, Story::Refused(_)));
}

#[test]
fn a_leaving_tenant_whose_record_is_lost_is_not_let_go_for_want_of_a_class() {
    let mut world = settled();
    world.record = None;
    world.class = None;
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_some(), "its access has not ended");
    world.set_class(&class_json());
    world.settle_late();
    assert!(world.tenant.is_none() && world.cloud.associations.is_empty());
}

#[test]
fn a_secret_that_leaves_the_list_is_closed_kept_and_opened_again() {
    let mut world = settled_with(|spec| spec["secrets"] = json!([{ "name": "slack" }]));
    let name = secret_name(&world.record_spec(), "slack");
    let readable =
        |world: &World| world.cloud.secrets[&name].tags.get(tags::SERVICE_ACCOUNT).expect("a tag") != tags::REVOKED;
    assert!(readable(&world));
    world.edit_tenant(|spec| spec["secrets"] = json!([]));
    world.settle();
    assert!(!readable(&world));
    wait_for_sweep(&mut world);
    world.settle();
    assert_eq!(world.round().look_again, None, "at rest nothing is looked at in between");
    world.edit_tenant(|spec| spec["secrets"] = json!([{ "name": "slack" }]));
    world.settle();
    assert!(readable(&world));
}

#[test]
fn a_suspended_tenant_is_at_rest_between_two_sweeps() {
    let mut world = settled();
    world.suspend(true);
    world.settle();
    for _ in 0..3 {
        wait_for_sweep(&mut world);
        world.settle();
        assert_eq!(world.round().look_again, None);
    }
}

#[test]
fn an_association_that_somebody_makes_for_a_suspended_tenant_is_seen_by_the_sweep() {
    let mut world = settled();
    let association = world.cloud.associations[0].clone();
    world.suspend(true);
    world.settle();
    world.cloud.associations.push(association);
    wait_for_sweep(&mut world);
    world.settle();
    assert!(world.cloud.associations.is_empty());
}

#[test]
fn a_secret_without_its_value_does_not_hide_that_another_is_not_there_yet() {
    let mut world = World::with_alice();
    world.edit_tenant(|spec| spec["secrets"] = json!([{ "name": "slack", "required": true }]));
    let is_token = |action: &Action| matches!(action, Action::Aws(AwsAction::CreateSecret { item, .. }) if item.as_str() == "gateway-token");
    for _ in 0..20 {
        world.round_with(&mut |action| if is_token(action) { Fault::Lost } else { Fault::None });
        super::controllers::run(&mut world);
    }
    assert!(world.child(Child::StatefulSet).is_none(), "S5");
    world.settle();
    assert_eq!(world.ready(), (false, "AwaitingValue".into()));
    assert!(world.child(Child::StatefulSet).is_some(), "it is built while it waits for the value");
}

#[test]
fn a_value_that_a_person_puts_is_seen_within_a_minute() {
    let mut world = settled_with(|spec| spec["secrets"] = json!([{ "name": "slack", "required": true }]));
    assert_eq!(world.ready(), (false, "AwaitingValue".into()));
    let name = secret_name(&world.record_spec(), "slack");
    let secret = world.cloud.secrets.get_mut(&name).expect("secret");
    secret.versions.insert("5e0c9df4-0b7b-4b86-8b9a-111122223333".into(), vec!["AWSCURRENT".into()]);
    let wait = world.round().look_again.expect("looked at again");
    assert!(wait.as_secs() <= 60, "{wait:?}");
    world.now += SignedDuration::from_secs(61);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn a_suspended_tenant_needs_no_value() {
    let mut world = settled_with(|spec| {
        spec["secrets"] = json!([{ "name": "slack", "required": true }]);
        spec["suspend"] = json!(true);
    });
    assert_eq!(world.ready(), (true, "Suspended".into()));
}

#[test]
fn a_foreign_secret_does_not_keep_access_from_ending() {
    let mut world = settled_with(|spec| spec["secrets"] = json!([{ "name": "slack" }]));
    let name = secret_name(&world.record_spec(), "slack");
    world.cloud.secrets.get_mut(&name).expect("secret").tags.insert(tags::INCARNATION.into(), "ffffffffff".into());
    wait_for_sweep(&mut world);
    world.settle();
    world.suspend(true);
    world.settle();
    assert!(world.cloud.associations.is_empty() && world.pods.is_empty());
    assert_eq!(world.ready(), (false, "SecretTaken".into()));
}

#[test]
fn what_is_not_ours_is_not_recorded() {
    let mut world = settled();
    world.cloud.associations[0].tags.insert(tags::CLUSTER_UID.into(), "another".into());
    world.cloud.associations[0].id = "a-foreign".parse().expect("id");
    let token = secret_name(&world.record_spec(), "gateway-token");
    let secret = world.cloud.secrets.get_mut(&token).expect("secret");
    secret.tags.insert(tags::CLUSTER_UID.into(), "another".into());
    secret.arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:foreign".parse().expect("arn");
    let before = world.record_spec();
    wait_for_sweep(&mut world);
    world.settle();
    assert_eq!(world.record_spec(), before);
    assert_eq!(world.ready(), (false, "AssociationTaken".into()));
}

#[test]
fn a_pod_that_started_without_credentials_is_made_again() {
    let mut world = settled();
    let association = world.cloud.associations[0].clone();
    world.cloud.associations.clear();
    world.pods.clear();
    super::controllers::run(&mut world);
    world.cloud.associations.push(association);
    world.settle();
    for _ in 0..3 {
        world.now += SignedDuration::from_secs(121);
        world.settle();
    }
    assert_eq!(world.ready(), (true, "Verified".into()));
    let deletions = world.done.iter().filter(|action| matches!(action, Action::DeletePod { .. })).count();
    assert_eq!(deletions, 1);
}

#[test]
fn a_pod_elsewhere_that_carries_the_tenant_s_label_is_nobody_s_business() {
    let mut world = settled();
    let stranger = world.born(json!({ "metadata": {
        "name": "alice-0", "namespace": "zoo",
        "labels": { labels::TENANT: "alice", "controller-revision-hash": "x" },
    } }));
    world.pods.insert("zoo/alice-0".into(), stranger);
    world.settle();
    assert_eq!(world.done, Vec::<Action>::new());
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.pods.len(), 2);
}

#[test]
fn a_volume_that_somebody_deleted_is_a_person_s_matter() {
    let mut world = settled();
    world.volumes.clear();
    world.edit_child(Child::Claim, |claim| claim["status"]["phase"] = json!("Lost"));
    world.settle();
    assert_eq!(world.ready(), (false, "VolumeLost".into()));
}

/// Kubernetes never binds it again, though the volume is there.
#[test]
fn a_claim_that_kubernetes_has_given_up_is_a_persons_matter_and_its_volume_is_found_again() {
    let mut world = settled();
    let mut volume = world.volumes.remove("pv-1").expect("a volume");
    volume["spec"]["claimRef"]["uid"] = json!("former");
    volume["status"]["phase"] = json!("Released");
    world.touch(&mut volume);
    world.volumes.insert("pv-1".into(), volume);
    world.edit_child(Child::Claim, |claim| claim["status"]["phase"] = json!("Lost"));
    world.settle();
    assert_eq!(world.ready(), (false, "ClaimLost".into()));
    let status = world.status().expect("told");
    let told = status.condition("StorageReady").expect("the condition");
    assert!(told.message.contains("kubectl delete pvc -n openclaw-alice alice"), "{}", told.message);
    world.delete_child(Child::Claim);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.volumes.len(), 1);
}

#[test]
fn a_claim_that_is_deleted_under_a_running_pod_is_made_again_with_the_same_volume() {
    let mut world = settled();
    let mut volume = world.volumes.remove("pv-1").expect("a volume");
    volume["spec"]["persistentVolumeReclaimPolicy"] = json!("Delete");
    world.touch(&mut volume);
    world.volumes.insert("pv-1".into(), volume);
    world.delete_child(Child::Claim);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.volumes.len(), 1);
    assert!(world.volumes.contains_key("pv-1"), "its data was kept");
}

#[test]
fn a_deleted_namespace_is_made_again_with_the_same_volume_and_identity() {
    let mut world = settled();
    let before = world.record_spec();
    world.delete_child(Child::Namespace);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    let after = world.record_spec();
    assert_eq!((after.incarnation, after.storage), (before.incarnation, before.storage));
    assert_eq!(world.volumes.len(), 1);
    assert!(!world.done.iter().any(is_aws_write));
}

#[test]
fn a_foreign_namespace_is_looked_at_again_without_any_event() {
    let mut world = World::with_alice();
    let foreign = world.born(json!({ "metadata": { "name": "openclaw-alice" } }));
    let namespaces = world.children.get_mut(&crate::tenant::child::Kind::Namespace).expect("namespaces");
    namespaces.insert("openclaw-alice".into(), foreign);
    world.settle();
    assert_eq!(world.ready(), (false, "NamespaceTaken".into()));
    assert!(world.round().look_again.is_some(), "nobody tells when it goes");
}

/// The answer to a write can come after the watch has told that its object is gone.
#[test]
fn what_is_gone_is_not_brought_back_by_a_late_answer() {
    let mut world = settled();
    let late = world.tenant.take().expect("a Tenant");
    assert!(world.observe().tenant.is_none());
    world.cache.upsert(Watched::Tenant, &late);
    let known = world.cache.observe(&alice(), world.now, draw(1)).tenant;
    assert_eq!(known, None, "a ghost would hold the name for ever");
    world.cache.begin_list(Watched::Tenant, "");
    world.cache.list(Watched::Tenant, &late);
    world.cache.end_list(Watched::Tenant, "");
    let known = world.cache.observe(&alice(), world.now, draw(1)).tenant;
    assert!(known.is_some(), "what a fresh list shows is there: somebody has put an older backup back");
    assert!(world.observe().tenant.is_none());
    world.make_tenant(&spec_json());
    assert!(world.observe().tenant.is_some(), "another of the same name is another");
}
