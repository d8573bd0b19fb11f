//! How often a new tenant's record is written, and what must be in it by when.

use jiff::SignedDuration;
use serde_json::json;

use super::{
    fixtures::{alice, class_json, spec_json},
    world::World,
};
use crate::{
    api::{
        labels::ROTATE_SECRETS,
        quantity::Quantity,
        record::{RotationCause, TenantRecordSpec},
    },
    tenant::{
        action::{Action, AwsAction},
        child::Child,
        looks::Subject,
    },
};

/// What the record says after each of its writes.
fn writes(world: &World) -> Vec<&TenantRecordSpec> {
    let mut all = Vec::new();
    for action in &world.done {
        if let Action::CreateRecord(spec) | Action::ReplaceRecord { spec, .. } = action {
            all.push(spec.as_ref());
        }
    }
    all
}

/// S6 asks for what has to stand before something is made; whatever else there is to know comes in one write, before the workspace starts.
#[test]
fn a_new_tenant_s_record_is_written_four_times() {
    for reclaim_policy in ["Delete", "Retain"] {
        let mut world = World::with_alice();
        world.storage_class.as_mut().expect("a class")["reclaimPolicy"] = json!(reclaim_policy);
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()));
        let writes = writes(&world);
        let [begun, in_a_namespace, whole, proven] = writes.as_slice() else { panic!("{reclaim_policy}: {writes:#?}") };
        assert!(!begun.secrets.items.is_empty(), "tokens stand before anything is made by them: {begun:#?}");
        assert!(in_a_namespace.namespace.uid.is_some() && in_a_namespace.routing.placement.is_some());
        assert_eq!(in_a_namespace.identity.association_id, None, "not waited for");
        let secrets_are_known = whole.secrets.items.iter().all(|item| item.arn.is_some() && item.version_id.is_some());
        assert!(secrets_are_known && whole.identity.association_id.is_some(), "{whole:#?}");
        assert!(whole.storage.volume.is_some() && whole.storage.size > Quantity::units(0), "{whole:#?}");
        assert!(whole.template.as_ref().is_some_and(|template| template.unproven), "{whole:#?}");
        assert_eq!(**proven, world.record_spec());
    }
}

/// Whatever is done in the workspace's stage is done by a record that knows everything.
#[test]
fn no_workspace_starts_before_all_that_is_known_is_recorded() {
    let mut world = World::with_alice();
    for _ in 0..60 {
        let starts = |action: &Action| matches!(action, Action::Create { child: Child::StatefulSet, .. });
        let before = world.record.is_some().then(|| world.record_spec());
        let decided = world.round();
        if decided.actions.iter().any(starts) {
            let record = before.expect("a record");
            assert_eq!(record.template, world.record_spec().template);
            assert!(record.template.is_some() && record.storage.volume.is_some(), "{record:#?}");
            assert!(record.identity.association_id.is_some(), "{record:#?}");
            return;
        }
        super::controllers::run(&mut world);
        world.now += SignedDuration::from_secs(2);
    }
    panic!("no workspace starts");
}

/// A volume that does not come: after two minutes what is known so far is recorded, once, and nobody is told that it is not.
#[test]
fn what_is_known_is_recorded_after_two_minutes_whatever_is_missing() {
    let mut world = World::with_alice();
    world.broken.push("volumes");
    world.settle();
    assert_eq!(world.record_spec().identity.association_id, None);
    let message = |world: &mut World| {
        let status = world.status().expect("told");
        status.condition("Ready").expect("Ready").message.clone()
    };
    assert!(message(&mut world).starts_with("StorageReady"), "{}", message(&mut world));
    world.now += SignedDuration::from_mins(2);
    world.settle();
    assert!(world.record_spec().identity.association_id.is_some());
    assert!(world.record_spec().secrets.items.iter().all(|item| item.arn.is_some()));
    assert_eq!(writes(&world).len(), 3);
    assert!(message(&mut world).starts_with("StorageReady"));
}

/// Where a person is waited for, whoever looks finds everything that is known.
#[test]
fn what_is_known_is_recorded_before_a_person_is_waited_for() {
    let mut class = class_json();
    class["allow"]["secrets"] = json!(4);
    let mut spec = spec_json();
    spec["secrets"] = json!([{ "name": "api-key", "required": true }]);
    let mut world = World::new();
    world.set_class(&class);
    world.make_tenant(&spec);
    world.settle();
    assert_eq!(world.ready(), (false, "AwaitingValue".into()));
    let record = world.record_spec();
    assert!(record.identity.association_id.is_some() && record.secrets.items.iter().all(|item| item.arn.is_some()));
}

/// The operator may end at any moment while it collects: its successor learns all of it again, and makes nothing twice.
#[test]
fn what_was_not_recorded_yet_is_learned_again() {
    for moment in 0..20 {
        let mut world = World::with_alice();
        for _ in 0..moment {
            world.round();
            super::controllers::run(&mut world);
            world.now += SignedDuration::from_secs(2);
        }
        world.restart();
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()), "ended after round {moment}");
        let creates = |action: &&Action| {
            matches!(action, Action::Aws(AwsAction::CreateAssociation(_) | AwsAction::CreateSecret { .. }))
        };
        let secrets = world.record_spec().secrets.items.len();
        assert_eq!(world.done.iter().filter(creates).count(), 1 + secrets, "ended after round {moment}");
    }
}

/// Alice, whose volume does not come: what is known of her is collected.
fn collecting() -> World {
    let mut class = class_json();
    class["login"] = json!({ "tokenSource": "SecretsManager" });
    let mut world = World::new();
    world.usual_class = class.clone();
    world.set_class(&class);
    world.make_tenant(&spec_json());
    world.broken.push("volumes");
    world.settle();
    assert_eq!((world.record_spec().identity.association_id, world.cloud.associations.len()), (None, 1));
    world
}

fn comes_to_ready(world: &mut World) {
    world.broken.clear();
    world.settle_late();
    assert_eq!(world.ready(), (true, "Verified".into()));
    let recorded = world.record_spec().identity.association_id.expect("recorded");
    let ids: Vec<_> = world.cloud.associations.iter().map(|one| one.id.clone()).collect();
    assert_eq!(ids, [recorded]);
}

/// EKS repeats its answer to a token, even about an association that is gone: one that was never recorded has spent its token as well.
#[test]
fn who_is_suspended_while_it_collects_comes_back() {
    let mut world = collecting();
    world.suspend(true);
    world.settle_late();
    assert!(world.cloud.associations.is_empty());
    world.suspend(false);
    comes_to_ready(&mut world);
}

#[test]
fn who_goes_while_it_collects_is_recorded_and_comes_back() {
    let mut world = collecting();
    world.delete_tenant();
    world.settle_late();
    assert!(world.tenant.is_none() && world.cloud.associations.is_empty());
    assert!(world.record_spec().secrets.items.iter().all(|item| item.arn.is_some()), "{:#?}", world.record_spec());
    world.make_tenant(&spec_json());
    comes_to_ready(&mut world);
}

#[test]
fn an_association_that_goes_before_it_was_recorded_is_made_again() {
    for mode in ["SecretsManager", "None"] {
        let mut class = class_json();
        class["secrets"]["mode"] = json!(mode);
        let mut world = World::new();
        world.set_class(&class);
        world.make_tenant(&spec_json());
        world.broken.push("volumes");
        world.settle();
        world.cloud.associations.clear();
        world.cache.with_aws(&alice(), |view| view.doubt(Subject::Association));
        world.settle();
        comes_to_ready(&mut world);
    }
}

/// Whoever has ended the operator in between finds it out by the answer that EKS repeats.
#[test]
fn a_token_that_another_process_has_spent_is_found_out() {
    let mut world = collecting();
    world.cloud.associations.clear();
    world.restart();
    comes_to_ready(&mut world);
}

/// After a leak nothing is collected: no pod starts with the value that has leaked.
#[test]
fn a_leak_is_recorded_at_once() {
    let mut world = collecting();
    world.done.clear();
    world.annotate_tenant(ROTATE_SECRETS, "compromised:2026-01-02");
    world.settle();
    let has_leaked = |record: &TenantRecordSpec| {
        let causes = record.secrets.items.iter().filter_map(|item| Some(item.rotation.as_ref()?.cause));
        causes.eq([RotationCause::Compromise])
    };
    assert!(writes(&world).into_iter().any(has_leaked), "{:#?}", world.record_spec().secrets);
    comes_to_ready(&mut world);
}
