//! Each step of an adoption by itself, and what may come between.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    BYSTANDER, FORMER, POD, TOKEN, association_of, attached, claim, for_rounds, ids, kept, moved_over, old_platform,
    old_pod, order, put, secret, told,
};
use crate::{
    api::{
        labels::{self, tags},
        record::{AdoptionStage, RecordPhase},
    },
    tenant::{
        action::{Action, Plan, Story},
        child::{Child, Kind},
        plan::plan,
        reason::Reason,
        tests::{fixtures::spec_json, world::World},
    },
};

#[test]
fn a_namespace_that_consents_is_looked_into_before_anything_is_recorded() {
    let mut world = old_platform();
    world.make_tenant(&spec_json());
    let first = plan(&world.observe());
    let message = "a namespace consents to being adopted, and what lies in it is being looked at";
    let expected = Plan {
        actions: vec![Action::LookInside("openclaw-alice".parse().expect("name"))],
        story: Story::Beginning(Reason::Progressing, message.into()),
        look_again: Some(std::time::Duration::from_secs(2)),
    };
    assert_eq!(first, expected);
    world.round();
    let second = plan(&world.observe());
    let [Action::CreateRecord(record)] = second.actions.as_slice() else { panic!("{second:?}") };
    let former = BTreeMap::from([
        ("app.kubernetes.io/managed-by".to_owned(), "argocd".to_owned()),
        ("pod-security.kubernetes.io/enforce".to_owned(), "baseline".to_owned()),
    ]);
    let adoption = record.adoption.clone().expect("an adoption");
    assert_eq!((adoption.stage, adoption.namespace_labels), (AdoptionStage::Attached, former));
    assert_eq!(record.storage.claim.as_deref(), Some("alice-data"));
    assert_eq!(record.storage.size, "20Gi".parse().expect("a size"));
}

#[test]
fn attaching_marks_what_consents_and_changes_nothing_that_the_former_workload_lives_by() {
    let mut world = old_platform();
    let (before, pod) = (kept(&world), world.pods[POD]["metadata"]["uid"].clone());
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(kept(&world), before);
    assert_eq!(world.pods[POD]["metadata"]["uid"], pod);
    let (_, reason, message) = told(&mut world, "Stalled");
    assert_eq!(reason, "AwaitingCutOver");
    assert!(message.contains("kubectl annotate tenant alice openclaw.io/cut-over=start"), "{message}");
    assert!(message.contains("(the ResourceQuota, the allowing NetworkPolicy)"), "says what it replaces: {message}");
    let labels = &world.child(Child::Namespace).expect("namespace")["metadata"]["labels"];
    let expected = json!({
        "app.kubernetes.io/managed-by": "argocd", "pod-security.kubernetes.io/enforce": "baseline", "team": "blue",
        labels::MANAGED: "true", labels::TENANT: "alice",
    });
    assert_eq!(*labels, expected);
    assert_eq!(world.volumes["pv-old"]["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    let record = world.record_spec();
    assert_eq!(record.storage.volume.expect("recorded").name, "pv-old");
    assert_eq!(record.adoption.expect("an adoption").former_associations, [FORMER.parse().expect("id")]);
    assert_eq!((record.routing.placement, record.template), (None, None), "made at cut-over");
    assert_eq!(association_of(&world, FORMER).tags.get(tags::TENANT).expect("a tag"), "alice");
    let token = &world.cloud.secrets[TOKEN].tags;
    assert_eq!((token.get(tags::TENANT).expect("a tag").as_str(), token.get(tags::SERVICE_ACCOUNT)), ("alice", None));
    assert_eq!(world.children[&Kind::NetworkPolicy]["openclaw-alice/alice"]["spec"]["egress"], json!([{}]));
    world.done.clear();
    world.now += SignedDuration::from_mins(30);
    for_rounds(&mut world, 3);
    assert!(world.done.iter().all(Action::is_look), "at rest: {:?}", world.done);
}

#[test]
fn consent_is_on_the_namespace_and_nowhere_else() {
    let mut world = old_platform();
    let take_off = |one: &mut Value| one["metadata"]["annotations"] = json!({});
    world
        .children
        .get_mut(&Kind::Namespace)
        .and_then(|all| all.get_mut("openclaw-alice"))
        .map(take_off)
        .expect("there");
    world.make_tenant(&spec_json());
    world.annotate_tenant(labels::ADOPT_BY, "alice");
    world.settle();
    assert_eq!(world.ready(), (false, "NamespaceTaken".into()));
    assert!(world.record.is_none());
    let (_, _, message) = told(&mut world, "Stalled");
    assert!(message.contains("openclaw.io/adopt-by=alice"), "says how: {message}");
}

#[test]
fn a_namespace_that_bears_an_incarnation_is_not_begun_anew() {
    let mut world = old_platform();
    let mark = |one: &mut Value| one["metadata"]["annotations"][labels::INCARNATION] = json!("0123456789");
    world.children.get_mut(&Kind::Namespace).and_then(|all| all.get_mut("openclaw-alice")).map(mark).expect("there");
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (false, "NamespaceTaken".into()));
    assert!(world.record.is_none());
}

/// What becomes of alice where her namespace has these claims: reason and message.
fn with_claims(change: impl FnOnce(&mut World)) -> (String, String) {
    let mut world = old_platform();
    change(&mut world);
    world.make_tenant(&spec_json());
    world.settle();
    let (_, reason, message) = told(&mut world, "Stalled");
    assert!(world.record.is_none() || reason == "AwaitingCutOver", "{reason}");
    (reason, message)
}

fn edit_claim(world: &mut World, name: &str, edit: impl FnOnce(&mut Value)) {
    let claims = world.children.get_mut(&Kind::PersistentVolumeClaim).expect("claims");
    edit(claims.get_mut(&format!("openclaw-alice/{name}")).expect("a claim"));
}

#[test]
fn which_claim_holds_the_data_is_clear_or_a_person_s_to_say() {
    let consent_off =
        |world: &mut World| edit_claim(world, "alice-data", |one| one["metadata"]["annotations"] = json!({}));
    let (reason, message) = with_claims(consent_off);
    assert_eq!(reason, "AdoptionUnclear");
    assert!(message.contains("alice-data") && message.contains("openclaw.io/adopt-by=alice"), "{message}");

    let two = |world: &mut World| claim(world, "alice-old");
    let (reason, message) = with_claims(two);
    assert_eq!(reason, "AdoptionUnclear");
    assert!(message.contains("alice-data, alice-old"), "{message}");

    let named = |world: &mut World| {
        edit_claim(world, "alice-data", |one| one["metadata"]["annotations"] = json!({}));
        claim(world, "alice");
    };
    assert_eq!(with_claims(named).0, "AwaitingCutOver", "the one of the tenant's name");
    let none = |world: &mut World| drop(world.children.insert(Kind::PersistentVolumeClaim, BTreeMap::new()));
    assert_eq!(with_claims(none).0, "AwaitingCutOver", "a new one is made at cut-over");

    let classes =
        |world: &mut World| edit_claim(world, "alice-data", |one| one["spec"]["storageClassName"] = json!("ebs"));
    let (reason, message) = with_claims(classes);
    assert_eq!(reason, "ClassMismatch");
    assert!(message.contains("storageClassName is \"ebs\" in the claim, \"efs\""), "{message}");
    let modes = |world: &mut World| {
        edit_claim(world, "alice-data", |one| one["spec"]["accessModes"] = json!(["ReadWriteOnce"]));
    };
    assert_eq!(with_claims(modes).0, "ClassMismatch");
}

#[test]
fn the_cut_over_waits_for_the_pod_that_it_names_and_then_takes_volume_and_secret_as_they_are() {
    let mut world = attached();
    let before = kept(&world);
    order(&mut world, Some("start"));
    for_rounds(&mut world, 5);
    let (_, reason, message) = told(&mut world, "WorkloadReady");
    assert_eq!(reason, "ClaimInUse");
    assert!(message.contains("pod alice-7d9f4-x2k (kept by ReplicaSet alice-7d9f4)"), "{message}");
    assert_eq!(world.record_spec().adoption.expect("an adoption").stage, AdoptionStage::Attached);
    assert!(world.child(Child::StatefulSet).is_none());

    old_pod(&mut world, false);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(kept(&world), before);
    let set = world.child(Child::StatefulSet).expect("a StatefulSet");
    let volumes = &set["spec"]["template"]["spec"]["volumes"];
    assert_eq!(volumes[0]["persistentVolumeClaim"]["claimName"], "alice-data");
    assert_eq!(world.children[&Kind::PersistentVolumeClaim].len(), 1);
    assert_eq!(world.record_spec().secrets.items[0].version_id.as_ref().expect("pinned").as_str(), "7".repeat(32));
    let (status, reason, message) = told(&mut world, "IdentityReady");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "CutOver"));
    for said in [FORMER, "openclaw.io/cut-over=finish", "openclaw.io/cut-over-"] {
        assert!(message.contains(said), "{said}: {message}");
    }
    // Fields of other managers are gone.
    assert_ne!(world.child(Child::Allowlist).expect("a policy")["spec"]["egress"], json!([{}]));
    let hard = &world.child(Child::ResourceQuota).expect("a quota")["spec"]["hard"];
    assert_eq!((&hard["pods"], &hard["configmaps"]), (&json!("10"), &Value::Null));
    let labels = &world.child(Child::Namespace).expect("namespace")["metadata"]["labels"];
    assert_eq!(
        (&labels["pod-security.kubernetes.io/enforce"], &labels["team"]),
        (&json!("restricted"), &json!("blue"))
    );
}

#[test]
fn a_former_stateful_set_of_the_workspace_s_name_is_not_taken_for_its_own() {
    let mut world = old_platform();
    put(&mut world, Kind::StatefulSet, "alice", json!({ "spec": { "replicas": 0, "template": {} } }));
    world.broken = vec!["pods"];
    world.make_tenant(&spec_json());
    world.settle();
    order(&mut world, Some("start"));
    old_pod(&mut world, false);
    for_rounds(&mut world, 10);
    let (_, reason, message) = told(&mut world, "Stalled");
    assert_eq!(reason, "AdoptionUnclear");
    assert!(message.contains("kubectl delete statefulset -n openclaw-alice alice"), "{message}");
    world.children.insert(Kind::StatefulSet, BTreeMap::new());
    world.broken.clear();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn a_former_pod_that_comes_back_before_ours_starts_is_waited_for() {
    let mut world = attached();
    order(&mut world, Some("start"));
    old_pod(&mut world, false);
    while world.record_spec().adoption.expect("an adoption").stage == AdoptionStage::Attached {
        for_rounds(&mut world, 1);
    }
    old_pod(&mut world, true);
    world.now += SignedDuration::from_secs(6);
    for_rounds(&mut world, 20);
    assert!(world.child(Child::StatefulSet).is_none());
    assert_eq!(told(&mut world, "WorkloadReady").1, "ClaimInUse");
    old_pod(&mut world, false);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn taking_the_order_back_takes_away_what_was_built_and_gives_back_what_was_there() {
    let mut world = attached();
    let labels_before = world.child(Child::Namespace).expect("namespace")["metadata"]["labels"].clone();
    let before = kept(&world);
    order(&mut world, Some("start"));
    old_pod(&mut world, false);
    world.settle();
    order(&mut world, None);
    world.settle();
    assert_eq!(world.ready(), (false, "AwaitingCutOver".into()));
    assert_eq!(world.child(Child::Namespace).expect("namespace")["metadata"]["labels"], labels_before);
    assert_eq!(kept(&world), before);
    assert!(world.pods.is_empty(), "ours is gone, and theirs is theirs to start");
    assert_eq!(ids(&world), [FORMER, BYSTANDER]);
    for child in Child::ALL.iter().filter(|child| !matches!(child, Child::Namespace | Child::Claim)) {
        assert!(world.child(*child).is_none(), "{child:?}");
    }
    // And forth again.
    order(&mut world, Some("start"));
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(kept(&world), before);
}

/// To the token of an association that is gone EKS answers with that one.
#[test]
fn an_association_that_was_made_and_not_recorded_before_the_way_back_is_made_anew() {
    let mut world = attached();
    order(&mut world, Some("start"));
    old_pod(&mut world, false);
    while world.cloud.associations.len() < 3 {
        for_rounds(&mut world, 1);
    }
    assert_eq!(world.record_spec().identity.association_id, None, "not recorded yet");
    order(&mut world, None);
    world.settle();
    assert_eq!(ids(&world), [FORMER, BYSTANDER]);
    order(&mut world, Some("start"));
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn finishing_removes_the_former_association_and_the_claim_keeps_its_name() {
    let mut world = moved_over();
    let before = kept(&world);
    order(&mut world, Some("finish"));
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(kept(&world), before);
    assert!(!ids(&world).contains(&FORMER) && ids(&world).contains(&BYSTANDER), "{:?}", ids(&world));
    let record = world.record_spec();
    assert_eq!((record.adoption, record.storage.claim.as_deref()), (None, Some("alice-data")));
    let annotations = &world.child(Child::Namespace).expect("namespace")["metadata"]["annotations"];
    assert_eq!((&annotations[labels::ADOPTION], &annotations[labels::CLAIM]), (&Value::Null, &json!("alice-data")));
    // A lost record knows the claim.
    world.record = None;
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.record_spec().storage.claim.as_deref(), Some("alice-data"));
}

#[test]
fn finishing_waits_for_the_cut_over_and_for_every_part() {
    let mut world = attached();
    order(&mut world, Some("finish"));
    for_rounds(&mut world, 5);
    let (_, reason, message) = told(&mut world, "Stalled");
    assert_eq!(reason, "AwaitingCutOver");
    assert!(message.contains("comes after the cut-over"), "{message}");

    let mut world = moved_over();
    world.break_pods(|_| true);
    world.pods.clear();
    order(&mut world, Some("finish"));
    for_rounds(&mut world, 10);
    assert!(ids(&world).contains(&FORMER), "the workload does not stand");
}

#[test]
fn what_is_no_order_changes_nothing() {
    let mut world = moved_over();
    world.done.clear();
    order(&mut world, Some("finsih"));
    world.settle();
    assert_eq!(world.ready(), (false, "InvalidSpec".into()));
    assert!(world.done.iter().all(Action::is_look), "{:?}", world.done);
}

#[test]
fn suspending_what_is_attached_is_refused_and_ends_nothing() {
    let mut world = attached();
    world.suspend(true);
    world.settle();
    assert_eq!(world.ready(), (false, "AwaitingCutOver".into()));
    let (_, _, message) = told(&mut world, "Stalled");
    assert!(message.contains("not this operator's to stop"), "{message}");
    assert!(world.pods.contains_key(POD) && ids(&world).contains(&FORMER));
}

#[test]
fn a_tenant_that_is_suspended_and_resumed_after_its_cut_over_looks_again_before_it_starts() {
    let mut world = moved_over();
    world.suspend(true);
    world.settle();
    assert_eq!(world.ready(), (true, "Suspended".into()));
    old_pod(&mut world, true);
    world.suspend(false);
    for_rounds(&mut world, 15);
    assert_eq!(told(&mut world, "WorkloadReady").1, "ClaimInUse");
    old_pod(&mut world, false);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn deleting_what_is_attached_ends_nothing_and_its_owner_takes_it_up_again() {
    let mut world = attached();
    let (before, tags) = (kept(&world), association_of(&world, FORMER).tags.clone());
    let token = world.cloud.secrets[TOKEN].tags.clone();
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none());
    let record = world.record_spec();
    assert_eq!((record.phase, record.purge_after), (RecordPhase::Retained, None));
    assert_eq!(kept(&world), before);
    assert!(world.pods.contains_key(POD));
    assert_eq!((&association_of(&world, FORMER).tags, &world.cloud.secrets[TOKEN].tags), (&tags, &token));
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (false, "AwaitingCutOver".into()));
    assert_eq!(world.record_spec().incarnation, record.incarnation);
}

#[test]
fn deleting_after_the_cut_over_ends_access_with_the_former_association() {
    let mut world = moved_over();
    let before = kept(&world);
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none());
    assert_eq!(ids(&world), [BYSTANDER]);
    assert_eq!(world.cloud.secrets[TOKEN].tags.get(tags::SERVICE_ACCOUNT).expect("a tag"), tags::REVOKED);
    assert_eq!(kept(&world), before);
    assert!(world.record_spec().purge_after.is_some());
}

#[test]
fn a_claim_that_is_deleted_while_attached_leaves_its_volume_to_the_cut_over() {
    let mut world = attached();
    let before = kept(&world);
    world.delete_child(Child::Claim);
    for_rounds(&mut world, 3);
    let (_, reason, message) = told(&mut world, "StorageReady");
    assert_eq!(reason, "AdoptionUnclear");
    assert!(message.contains("pv-old") && message.contains("The cut-over makes the claim anew"), "{message}");
    order(&mut world, Some("start"));
    old_pod(&mut world, false);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(kept(&world), before);
    assert_eq!(world.child(Child::Claim).expect("a claim")["metadata"]["name"], "alice-data");
}

#[test]
fn a_lost_record_is_rebuilt_in_the_stage_that_it_had() {
    let mut world = attached();
    let before = world.record_spec();
    world.record = None;
    world.settle();
    assert_eq!(world.ready(), (false, "AwaitingCutOver".into()));
    let after = world.record_spec();
    assert_eq!((&after.adoption, &after.storage), (&before.adoption, &before.storage));

    let mut world = moved_over();
    let before = world.record_spec();
    world.record = None;
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!((world.record_spec().adoption, world.record_spec().storage), (before.adoption, before.storage));

    let mut world = attached();
    (world.tenant, world.record) = (None, None);
    world.settle();
    let record = world.record_spec();
    assert_eq!((record.phase, record.purge_after), (RecordPhase::Retained, None), "nobody's to purge");
}

#[test]
fn what_another_cluster_or_owner_has_marked_is_refused_in_spite_of_consent() {
    for (key, says) in [(tags::CLUSTER_UID, "belongs to cluster"), (tags::OWNER_HASH, "belongs to another owner")] {
        let mut world = old_platform();
        world.cloud.secrets.get_mut(TOKEN).expect("there").tags.insert(key.into(), "another".into());
        world.make_tenant(&spec_json());
        world.settle();
        assert_eq!(world.ready(), (false, "SecretTaken".into()));
        assert!(told(&mut world, "Stalled").2.contains(says), "{key}");

        let mut world = old_platform();
        world.cloud.associations[0].tags.insert(key.into(), "another".into());
        world.make_tenant(&spec_json());
        world.settle();
        assert_eq!(world.ready(), (false, "AssociationTaken".into()));
        assert!(told(&mut world, "Stalled").2.contains(says), "{key}");
        assert_eq!(association_of(&world, FORMER).tags.len(), 2, "not touched");
    }
}

#[test]
fn a_secret_that_consents_is_taken_by_a_tenant_that_adopts_nothing_else() {
    let mut world = World::new();
    world.cloud.secrets.insert(TOKEN.into(), secret(TOKEN, &[(tags::ADOPT_BY, "alice")]));
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    let token = &world.cloud.secrets[TOKEN];
    assert_eq!(token.versions, secret(TOKEN, &[]).versions);
    assert_eq!(token.tags.get(tags::SERVICE_ACCOUNT).expect("a tag"), world.record_spec().service_account.as_str());
    assert_eq!(world.record_spec().secrets.items[0].version_id.as_ref().expect("pinned").as_str(), "7".repeat(32));
}
