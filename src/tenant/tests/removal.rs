//! The road's end: what is removed for good, when, and what is given back all the same.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{
    fixtures::{class_json, spec_json},
    keeping::is_closed,
    mishaps::settled,
    world::World,
};
use crate::{
    api::{
        labels::{self, tags},
        record::{HistoryEvent, Outcome, Purge, PurgeCause, RecordPhase},
    },
    tenant::{
        action::{Action, AwsAction, Plan, Precondition, Step, Story},
        adoption::marks::Marks,
        child::{Child, Kind},
        keep::replace_record,
        replacement::rendering,
    },
};

pub(super) const DAY: i64 = 24 * 3600;

impl World {
    /// Time passes, and everybody does what is due.
    pub(super) fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.settle();
    }

    fn deleted_at(&self) -> jiff::Timestamp {
        let tenant = self.tenant.as_ref().expect("a Tenant that goes");
        tenant["metadata"]["deletionTimestamp"].as_str().and_then(|at| at.parse().ok()).expect("a time")
    }

    pub(super) fn phase(&self) -> RecordPhase {
        self.record_spec().phase
    }
}

/// A settled tenant that was deleted a moment ago, its access ended.
pub(super) fn deleted(policy: &str) -> World {
    let mut world = settled();
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!(policy));
    world.settle();
    world.delete_tenant();
    world.settle();
    world.done.clear();
    world
}

pub(super) fn expired() -> World {
    let mut world = deleted("Retain");
    assert!(world.tenant.is_none());
    world.now += SignedDuration::from_secs(31 * DAY);
    world.settle();
    world
}

pub(super) fn mallory() -> Value {
    json!({ "owner": { "subject": "mallory", "email": "m@example.com" } })
}

pub(super) fn removals(world: &World) -> Vec<&Action> {
    world.done.iter().filter(|action| action.is_removal()).collect()
}

pub(super) fn is_everything_gone(world: &World) -> bool {
    world.children.values().all(std::collections::BTreeMap::is_empty)
        && world.volumes.is_empty()
        && world.cloud.associations.is_empty()
        && world.cloud.secrets.values().all(|secret| secret.deleted_at.is_some())
}

pub(super) fn is_everything_kept(world: &World) -> bool {
    let claim = world.child(Child::Claim).expect("the claim is kept");
    let volume = &world.volumes[claim["spec"]["volumeName"].as_str().expect("bound")];
    volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
        && world.cloud.secrets.values().all(|secret| secret.deleted_at.is_none())
}

#[test]
fn a_tenant_with_delete_is_removed_after_its_settling_time_and_the_receipt_names_everything() {
    let mut world = deleted("Delete");
    assert_eq!(world.phase(), RecordPhase::Retained);
    assert!(is_everything_kept(&world) && removals(&world).is_empty(), "it settles");
    let begun = world.tenant.as_ref().expect("the Tenant waits")["metadata"]["deletionTimestamp"].clone();
    world.pass(61);
    assert!(world.tenant.is_none() && is_everything_gone(&world), "{:#?}", world.done);
    let record = world.record_spec();
    assert_eq!(record.phase, RecordPhase::Purged);
    let purge = record.purge.expect("a receipt");
    assert_eq!((purge.cause, json!(purge.begun)), (PurgeCause::Deleted, begun));
    let lines: Vec<(String, String, Outcome)> =
        purge.receipt.iter().map(|line| (line.kind.clone(), line.name.clone(), line.outcome)).collect();
    let line = |kind: &str, name: &str, outcome| (kind.to_owned(), name.to_owned(), outcome);
    let inside = |name: &str| format!("openclaw-alice/{name}");
    let account = inside(record.service_account.as_str());
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:openclaw/alice/gateway-token-AbCdEf";
    let expected = [
        line("Namespace", "openclaw-alice", Outcome::Removed),
        line("ResourceQuota", &inside("alice"), Outcome::Removed),
        line("LimitRange", &inside("alice"), Outcome::Removed),
        line("NetworkPolicy", &inside("default-deny"), Outcome::Removed),
        line("NetworkPolicy", &inside("alice"), Outcome::Removed),
        line("PodDisruptionBudget", &inside("alice"), Outcome::Removed),
        line("ServiceAccount", &account, Outcome::Removed),
        line("PersistentVolumeClaim", &inside("alice"), Outcome::Removed),
        line("ConfigMap", &inside("alice"), Outcome::Removed),
        line("Service", &inside("alice"), Outcome::Removed),
        line("StatefulSet", &inside("alice"), Outcome::Removed),
        line("HTTPRoute", &inside("alice"), Outcome::Removed),
        line("PersistentVolume", "pv-1", Outcome::Removed),
        line("Directory", "root directory of fsap-1 on fs-1", Outcome::Left),
        line("PodIdentityAssociation", &account, Outcome::Removed),
        line("Secret", arn, Outcome::Scheduled),
    ];
    assert_eq!(lines, expected);
    let until = purge.recoverable_until.expect("the secret can be restored");
    assert!(until.0 > world.now + SignedDuration::from_secs(30 * DAY - 120), "{until:?}");
    world.done.clear();
    assert_eq!(world.round().actions, Vec::new(), "L2");
}

#[test]
fn the_order_strands_nothing_and_the_volume_goes_last() {
    let mut world = deleted("Delete");
    world.pass(61);
    let name = |action: &Action| match action {
        Action::Aws(AwsAction::StripSecret { .. }) => Some("strip"),
        Action::Aws(AwsAction::DeleteSecret { .. }) => Some("schedule"),
        Action::RemoveNamespace { .. } => Some("namespace"),
        Action::ReleaseVolume { .. } => Some("volume"),
        Action::SetFinalizers { .. } => Some("finalizer"),
        _ => None,
    };
    let order: Vec<&str> = world.done.iter().filter_map(name).collect();
    assert_eq!(order, ["strip", "schedule", "namespace", "volume", "finalizer"]);
    let looks = world.done.iter().filter(|action| matches!(action, Action::LookAtCluster { .. })).count();
    assert_eq!(looks, 5, "one right before each step, the first being that the record says so");
}

/// Each step as a whole plan: what is done, what is told, and when to look again.
#[test]
fn every_step_is_asked_for_and_then_taken() {
    let mut world = deleted("Delete");
    world.now += SignedDuration::from_secs(61);
    let soon = Some(std::time::Duration::from_secs(2));
    let plan =
        |actions, message: &str| Plan { actions, story: Story::Leaving { message: message.into() }, look_again: soon };
    let look = |before| vec![Action::LookAtCluster { before }];
    // What was seen when access ended is too old a ground by now.
    assert!(world.round().actions.iter().all(Action::is_look));
    assert_eq!(world.round(), plan(look(Step::Begin), "the removal is being recorded"));
    let view = world.observe().record.expect("a record");
    let mut next = world.record_spec();
    next.phase = RecordPhase::Purging;
    next.purge = Some(Purge {
        cause: PurgeCause::Deleted,
        begun: Time(world.deleted_at()),
        ended: None,
        recoverable_until: None,
        receipt: Vec::new(),
    });
    let begun = world.round();
    assert_eq!(begun, plan(vec![replace_record(&view, &next)], "the removal is being recorded"));
    let (item, arn) = {
        let secret = &world.record_spec().secrets.items[0];
        (secret.name.clone(), secret.arn.clone().expect("an ARN"))
    };
    let message = "the last tags that give access to secrets are being taken off";
    assert_eq!(world.round(), plan(look(Step::Strip), message));
    let strip = AwsAction::StripSecret { item: item.clone(), arn: arn.clone() };
    assert_eq!(world.round(), plan(vec![Action::Aws(strip)], message));
    assert!(world.round().actions.iter().all(Action::is_look), "what came of it is seen by looking");
    let message = "secrets are being scheduled for deletion";
    assert_eq!(world.round(), plan(look(Step::Schedule), message));
    let schedule = AwsAction::DeleteSecret { item, arn, window_days: 30 };
    assert_eq!(world.round(), plan(vec![Action::Aws(schedule)], message));
    world.round();
    let message = "namespace openclaw-alice is being deleted";
    assert_eq!(world.round(), plan(look(Step::Namespace), message));
    let live = world.observe().namespace.expect("a namespace");
    let precondition = Precondition::of(&live.uid, &live.resource_version);
    let approval = (labels::DELETE_APPROVED.to_owned(), Some(live.uid.to_string()));
    let marks = Marks { annotations: [approval].into(), ..Marks::default() };
    assert_eq!(world.round(), plan(vec![Action::Mark { child: Child::Namespace, precondition, marks }], message));
    let live = world.observe().namespace.expect("a namespace");
    let precondition = Precondition::of(&live.uid, &live.resource_version);
    assert_eq!(world.round(), plan(vec![Action::RemoveNamespace { precondition }], message));
    assert_eq!(world.round(), plan(Vec::new(), message));
    while super::controllers::run(&mut world) {}
    let message = "volume pv-1 is given to be deleted";
    assert_eq!(world.round(), plan(look(Step::Volume), message));
    let volume = world.observe().volume.expect("a volume");
    let precondition = Precondition::of(&volume.uid, &volume.resource_version);
    let release = Action::ReleaseVolume { name: "pv-1".into(), precondition, at: Time(world.now) };
    assert_eq!(world.round(), plan(vec![release], message));
    let waits = "volume pv-1 (fs-1::fsap-1) is being deleted by its storage; it is Released";
    assert_eq!(world.round(), plan(Vec::new(), waits));
}

#[test]
fn what_settles_is_taken_back_by_setting_retain() {
    let mut world = deleted("Delete");
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Retain"));
    world.pass(120);
    assert!(world.tenant.is_none() && is_everything_kept(&world));
    assert_eq!(world.phase(), RecordPhase::Retained);
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn a_class_that_does_not_allow_delete_keeps() {
    let mut world = settled();
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Delete"));
    let mut class = super::fixtures::class_json();
    class["deletion"] = json!({ "allowedPolicies": ["Retain"] });
    world.set_class(&class);
    world.delete_tenant();
    world.pass(120);
    world.pass(120);
    assert!(world.tenant.is_none() && is_everything_kept(&world));
    assert_eq!(world.phase(), RecordPhase::Retained);
}

#[test]
fn a_halted_class_loses_nothing_until_the_halt_ends() {
    let mut world = deleted("Delete");
    world.halt(true);
    world.pass(600);
    assert_eq!(world.ready(), (false, "DeletionHeld".into()));
    assert!(is_everything_kept(&world));
    world.halt(false);
    world.settle();
    assert!(is_everything_gone(&world) && world.tenant.is_none());
}

#[test]
fn a_burst_ends_access_and_removes_nothing_until_somebody_confirms() {
    let mut world = settled();
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Delete"));
    world.settle();
    world.delete_others(50);
    world.delete_tenant();
    world.pass(300);
    assert!(world.pods.is_empty() && world.cloud.associations.is_empty(), "the end of access does not wait");
    assert_eq!(world.ready(), (false, "DeletionHeld".into()));
    for _ in 0..10 {
        world.pass(DAY);
        world.restart();
    }
    assert!(is_everything_kept(&world), "no time and no restart lets it pass");
    let incarnation = world.record_spec().incarnation.to_string();
    world.order(labels::CONFIRM_DELETION, &incarnation);
    world.settle();
    assert!(is_everything_gone(&world) && world.tenant.is_none());
}

#[test]
fn a_burst_that_is_taken_back_lets_the_others_pass() {
    let mut world = settled();
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Delete"));
    world.settle();
    world.delete_others(6);
    world.delete_tenant();
    world.pass(300);
    assert!(is_everything_kept(&world));
    world.delete_others(0);
    world.settle();
    assert!(is_everything_gone(&world));
}

#[test]
fn retention_that_is_over_is_the_end_without_a_tenant_as_well() {
    let mut world = deleted("Retain");
    let mut waiting = world.round();
    assert!(waiting.look_again.is_some_and(|wait| wait <= std::time::Duration::from_hours(1)), "{waiting:#?}");
    world.pass(29 * DAY);
    assert!(is_everything_kept(&world) && world.done.is_empty());
    world.now += SignedDuration::from_secs(DAY + 30);
    waiting = world.round();
    assert!(waiting.look_again.is_some_and(|wait| wait <= std::time::Duration::from_mins(1)), "{waiting:#?}");
    world.pass(60);
    assert!(is_everything_gone(&world));
    let record = world.record_spec();
    assert_eq!((record.phase, record.purge.map(|purge| purge.cause)), (RecordPhase::Purged, Some(PurgeCause::Expired)));
}

#[test]
fn what_contradicts_a_record_keeps_everything() {
    let contradictions: [fn(&mut World); 3] = [
        |world| {
            let record = world.record_spec();
            let tags =
                crate::tenant::cloud::identifying_tags(&super::fixtures::alice(), &record, &world.settings.cluster_uid);
            let new = crate::aws::types::NewAssociation {
                namespace: record.namespace.name,
                service_account: record.service_account,
                role_arn: super::fixtures::ROLE.parse().expect("arn"),
                tags,
                token: "by hand".into(),
            };
            world.cloud.create_association(&new).expect("made");
        },
        |world| {
            for secret in world.cloud.secrets.values_mut() {
                secret.tags.insert(tags::SERVICE_ACCOUNT.into(), "somebody".into());
            }
        },
        |world| {
            world.edit_child(Child::Namespace, |namespace| {
                namespace["metadata"]["annotations"][labels::INCARNATION] = json!("0123456789");
            });
        },
    ];
    for contradict in contradictions {
        let mut world = expired();
        contradict(&mut world);
        world.restart();
        for _ in 0..4 {
            world.pass(600);
        }
        assert!(removals(&world).is_empty(), "{:#?}", world.done);
        assert_eq!(world.phase(), RecordPhase::Retained);
    }
}

#[test]
fn a_tenant_of_the_name_keeps_an_expired_record_whoever_it_is_of() {
    let mut world = expired();
    world.make_tenant(&mallory());
    world.pass(600);
    assert_eq!(world.ready(), (false, "NameReserved".into()));
    assert!(removals(&world).is_empty());
    world.delete_tenant();
    world.settle();
    world.pass(61);
    assert!(is_everything_gone(&world), "{:#?}", world.done);
}

#[test]
fn a_removal_that_has_lost_its_ground_is_taken_back_at_every_step() {
    // One round after the other: wherever the Tenant vanishes, either everything is kept or all has gone.
    for rounds in 0..24 {
        let mut world = deleted("Delete");
        world.now += SignedDuration::from_secs(61);
        for _ in 0..rounds {
            world.round();
            super::controllers::run(&mut world);
            world.now += SignedDuration::from_secs(1);
        }
        world.tenant = None;
        world.pass(60);
        let is_kept = match world.phase() {
            RecordPhase::Retained => {
                assert_eq!(world.volumes.len(), 1, "after {rounds} rounds");
                true
            }
            RecordPhase::Purged => {
                assert!(is_everything_gone(&world), "after {rounds} rounds");
                false
            }
            other => panic!("{other:?} after {rounds} rounds"),
        };
        // Longer than the recovery window: what AWS was asked to delete meanwhile is gone.
        world.now += SignedDuration::from_secs(29 * DAY);
        world.cloud.let_go(world.now + SignedDuration::from_secs(2 * DAY));
        assert_eq!(
            world.cloud.secrets.is_empty(),
            !is_kept,
            "after {rounds} rounds {:#?} {:#?}",
            world.done,
            world.cache.with_aws(&super::fixtures::alice(), |v| v.clone())
        );
        assert!(world.cloud.secrets.values().all(is_closed), "after {rounds} rounds");
        world.make_tenant(&spec_json());
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()), "after {rounds} rounds");
    }
}

#[test]
fn an_owner_who_comes_back_during_the_removal_gets_whatever_is_not_gone() {
    for rounds in 0..24 {
        let mut world = expired();
        let (incarnation, token) = (world.record_spec().incarnation, world.cloud.secrets.clone());
        world.now += SignedDuration::from_secs(61);
        for _ in 0..rounds {
            world.round();
            super::controllers::run(&mut world);
            world.now += SignedDuration::from_secs(1);
        }
        let had_volume = world.record_spec().storage.volume.filter(|volume| {
            world
                .volumes
                .get(&volume.name)
                .is_some_and(|live| live["spec"]["persistentVolumeReclaimPolicy"] == "Retain")
        });
        world.make_tenant(&spec_json());
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()), "after {rounds} rounds");
        let record = world.record_spec();
        assert_eq!(record.incarnation, incarnation);
        if had_volume.is_some() {
            assert_eq!(record.storage.volume, had_volume, "after {rounds} rounds");
        }
        for (name, before) in token {
            assert_eq!(world.cloud.secrets[&name].versions, before.versions, "the very same value");
        }
    }
}

#[test]
fn inside_the_recovery_window_the_owner_gets_the_same_secrets_under_the_same_incarnation() {
    let mut world = deleted("Delete");
    let (incarnation, before) = (world.record_spec().incarnation, world.cloud.secrets.clone());
    world.pass(61);
    assert!(is_everything_gone(&world));
    world.pass(20 * DAY);
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    let record = world.record_spec();
    assert_eq!((record.phase, &record.incarnation), (RecordPhase::Active, &incarnation));
    assert_eq!((record.purge, record.history.len()), (None, 1));
    for (name, secret) in &world.cloud.secrets {
        assert_eq!(secret.versions, before[name].versions);
        assert_eq!(secret.tags.get(tags::SERVICE_ACCOUNT).expect("a tag"), record.service_account.as_str());
    }
}

#[test]
fn another_owner_waits_for_the_end_of_the_window_and_then_begins_another_incarnation() {
    let mut world = deleted("Delete");
    let former = world.record_spec();
    world.pass(61);
    world.make_tenant(&mallory());
    world.settle();
    assert_eq!(world.ready(), (false, "NameReserved".into()));
    world.done.clear();
    world.pass(29 * DAY);
    assert_eq!(world.done, Vec::<Action>::new());
    world.cloud.secrets.clear();
    world.pass(2 * DAY);
    assert_eq!(world.ready(), (true, "Verified".into()));
    let record = world.record_spec();
    assert_ne!(record.incarnation, former.incarnation);
    assert_eq!(record.owner.subject.as_ref().map(ToString::to_string), Some("mallory".into()));
    let entry = &record.history[0];
    assert_eq!((entry.event, entry.incarnation.as_ref()), (HistoryEvent::Purged, Some(&former.incarnation)));
    assert!(entry.purge.as_ref().is_some_and(|purge| purge.receipt.len() == 16));
}

#[test]
fn a_volume_whose_place_another_has_too_is_left_and_said_to_be() {
    let mut world = deleted("Delete");
    let mut twin = world.volumes["pv-1"].clone();
    twin["metadata"]["name"] = json!("pv-twin");
    twin["metadata"]["uid"] = json!("twin");
    twin["spec"]["claimRef"] = Value::Null;
    world.volumes.insert("pv-twin".into(), twin);
    world.pass(61);
    assert_eq!(world.phase(), RecordPhase::Purged);
    assert_eq!(world.volumes["pv-1"]["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    let purge = world.record_spec().purge.expect("a receipt");
    let line = purge.receipt.iter().find(|line| line.kind == "PersistentVolume").expect("a line");
    assert_eq!(line.outcome, Outcome::Left);
    assert!(line.note.as_ref().is_some_and(|note| note.contains("pv-twin")), "{line:?}");
}

#[test]
fn a_namespace_that_is_held_is_told_with_its_holder() {
    let mut world = deleted("Delete");
    world.broken.push("namespaces");
    world.pass(61);
    world.edit_child(Child::Namespace, |namespace| {
        namespace["status"]["conditions"] = json!([{
            "type": "NamespaceFinalizersRemaining", "status": "True",
            "message": "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
        }]);
        namespace["metadata"]["finalizers"] = json!(["example.com/own"]);
    });
    let status = world.status().expect("a status");
    let message = &status.conditions[0].message;
    assert!(message.contains("example.com/hold in 1") && message.contains("finalizer example.com/own"), "{message}");
    assert_eq!(world.volumes.len(), 1, "the data goes last");
    world.broken.clear();
    world.settle();
    assert!(world.tenant.is_none() && is_everything_gone(&world));
}

#[test]
fn a_tenant_that_goes_with_its_crd_while_it_settles_is_kept() {
    let mut world = deleted("Delete");
    for definition in world.definitions.values_mut() {
        definition["metadata"]["deletionTimestamp"] = json!(world.now);
    }
    world.pass(600);
    assert!(world.tenant.is_none() && is_everything_kept(&world));
    world.install();
    world.pass(600);
    assert!(is_everything_kept(&world), "and its retention is the full one");
    assert_eq!(world.phase(), RecordPhase::Retained);
}

#[test]
fn a_namespace_that_is_somebody_else_s_is_left_alone() {
    let mut world = expired();
    world.edit_child(Child::Namespace, |namespace| {
        namespace["metadata"]["uid"] = json!("another");
        namespace["metadata"]["labels"] = json!({});
        namespace["metadata"]["annotations"] = json!({});
    });
    world.pass(600);
    assert_eq!(world.children[&Kind::Namespace].len(), 1);
    assert!(!world.done.iter().any(|action| matches!(action, Action::RemoveNamespace { .. })));
}

/// Another class than the tenant's own has no say in its end.
#[test]
fn a_class_that_the_tenant_was_not_made_with_does_not_allow_its_removal() {
    let mut world = World::new();
    let mut class = class_json();
    class["deletion"]["allowedPolicies"] = json!(["Retain"]);
    world.set_class(&class);
    world.make_tenant(&spec_json());
    world.settle();
    class["deletion"]["allowedPolicies"] = json!(["Retain", "Delete"]);
    class["storage"]["className"] = json!("other");
    world.add_class("scratch", &class);
    world.edit_tenant(|spec| {
        spec["className"] = json!("scratch");
        spec["deletionPolicy"] = json!("Delete");
    });
    world.settle();
    assert_eq!(world.ready(), (false, "ClassMismatch".into()));
    world.delete_tenant();
    world.pass(61);
    world.pass(61);
    assert!(is_everything_kept(&world) && removals(&world).is_empty(), "{:#?}", world.done);
}

/// Names come and go for as long as a process runs.
#[test]
fn of_a_tenant_that_is_gone_nothing_is_kept_but_its_record() {
    let mut world = World::new();
    world.install();
    world.settle();
    let before = world.cache.kept();
    world.make_tenant(&spec_json());
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Delete"));
    world.settle();
    for (key, live) in Child::ALL.iter().filter_map(|child| Some((world.key(*child), world.child(*child)?))) {
        world.cache.meet(&key);
        world.cache.learn(&key, rendering(key.kind, live, live, world.now));
    }
    world.delete_tenant();
    world.settle();
    world.pass(61);
    assert!(world.phase() == RecordPhase::Purged && world.tenant.is_none() && is_everything_gone(&world));
    let grown = |world: &World| {
        let kept = world.cache.kept();
        let grown = kept.into_iter().filter(|(place, count)| *count != before[place]);
        grown.map(|(place, _)| place).collect::<Vec<_>>()
    };
    assert_eq!(grown(&world), ["aws", "leaving", "records", "uncounted"], "what AWS still holds is asked for once");
    world.record = None;
    world.settle();
    assert_eq!(grown(&world), Vec::<&str>::new(), "an administrator has removed the record");
}
