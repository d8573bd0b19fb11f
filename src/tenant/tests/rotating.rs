//! Rotation of generated secrets, with what can go wrong at each step of it.

use std::cmp::Ordering;

use jiff::SignedDuration;
use serde_json::{Value, json};
use smol_str::SmolStr;

use super::{
    cloud::move_label,
    fixtures::{class_json, spec_json},
    world::{Fault, World},
};
use crate::{
    api::{
        labels::{CURRENT_STAGE, NEXT_STAGE, ROTATE_SECRETS},
        names::VersionId,
        record::RecordedSecret,
    },
    aws::types::Secret,
    tenant::{
        action::{Action, AwsAction},
        child::Child,
    },
};

pub(super) const TOKEN: &str = "openclaw/alice/gateway-token";

/// A class whose sign-in reads Secrets Manager.
fn rotating_class() -> Value {
    let mut class = class_json();
    class["login"] = json!({ "tokenSource": "SecretsManager" });
    class
}

pub(super) fn settled() -> World {
    let mut world = World::new();
    world.set_class(&rotating_class());
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    world.done.clear();
    world
}

pub(super) fn token(world: &World) -> &Secret {
    &world.cloud.secrets[TOKEN]
}

pub(super) fn current(world: &World) -> VersionId {
    token(world).current_version().expect("a current version")
}

pub(super) fn item(world: &World) -> RecordedSecret {
    world.record_spec().secrets.items.into_iter().find(|item| item.name.as_str() == "gateway-token").expect("an item")
}

/// The version that the configuration of the running pod names.
pub(super) fn used(world: &World) -> String {
    let map = world.child(Child::ConfigMap).expect("a ConfigMap");
    let pinned: Value = serde_json::from_str(map["data"]["secrets.json"].as_str().expect("pinned")).expect("JSON");
    pinned["gateway-token"]["versionId"].as_str().expect("a version").to_owned()
}

/// Template, record and label agree on one version.
pub(super) fn agrees_on_one(world: &World) {
    let (current, item) = (current(world), item(world));
    assert_eq!((used(world).as_str(), item.version_id.as_ref()), (current.as_str(), Some(&current)));
    assert_eq!(item.rotation, None);
}

/// They agree, and nothing of a rotation is left.
pub(super) fn agrees(world: &World) {
    agrees_on_one(world);
    let labels: Vec<&SmolStr> = token(world).versions.values().flatten().collect();
    assert!(!labels.iter().any(|label| *label == NEXT_STAGE), "{labels:?}");
}

pub(super) fn reason(world: &mut World, condition: &str) -> (String, String) {
    let status = world.status().expect("told");
    let found = status.condition(condition).expect("the condition");
    (found.reason.clone(), found.message.clone())
}

#[test]
fn an_order_rotates_the_token_and_keeps_the_former_one() {
    let mut world = settled();
    let before = current(&world);
    world.annotate_tenant(ROTATE_SECRETS, "1");
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    agrees(&world);
    assert_ne!(current(&world), before);
    assert!(token(&world).has_label(&before, "AWSPREVIOUS"), "S2: current and previous stay retrievable");
    world.done.clear();
    world.settle();
    assert_eq!(world.done, Vec::<Action>::new(), "one order, one rotation");

    world.annotate_tenant(ROTATE_SECRETS, "2");
    world.settle();
    agrees(&world);
    assert_eq!(token(&world).versions.len(), 2, "older ones are let go");
}

#[test]
fn an_order_that_is_older_than_the_tenant_is_not_carried_out() {
    let mut world = World::new();
    world.set_class(&rotating_class());
    world.make_tenant(&spec_json());
    world.annotate_tenant(ROTATE_SECRETS, "copied with the manifest");
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(token(&world).versions.len(), 1);
}

fn scheduled() -> World {
    let mut world = World::new();
    let mut class = rotating_class();
    class["secrets"]["generated"] = json!([{ "name": "gateway-token", "rotateEveryDays": 30 }]);
    world.set_class(&class);
    world.make_tenant(&spec_json());
    world.settle();
    world
}

/// Eleven tenths of the period, and a whole day after it.
fn until_the_schedule_is_over(world: &mut World) {
    world.now += SignedDuration::from_hours(24 * 33);
    for _ in 0..25 {
        world.now += SignedDuration::from_hours(1);
        world.settle();
    }
}

/// S2: it takes a person to replace what a person put.
#[test]
fn the_schedule_leaves_a_value_alone_that_a_person_put() {
    let mut world = scheduled();
    let by_hand = put_by_hand(&mut world, "0f0c1d2e-1111-4222-8333-444455556666");
    world.settle();
    until_the_schedule_is_over(&mut world);
    assert_eq!(current(&world), by_hand);
    assert_eq!(world.ready(), (true, "Verified".into()));
    let (_, message) = reason(&mut world, "SecretsReady");
    assert!(message.contains("the class's schedule leaves it alone"), "{message}");
    world.annotate_tenant(ROTATE_SECRETS, "1");
    world.settle();
    assert_ne!(current(&world), by_hand, "an order replaces it");
    let ours = current(&world);
    until_the_schedule_is_over(&mut world);
    assert_ne!(current(&world), ours, "and then the schedule goes on");
}

#[test]
fn the_schedule_of_the_class_rotates_in_its_time() {
    let mut world = scheduled();
    let first = current(&world);
    world.now += SignedDuration::from_hours(24 * 27 - 1);
    world.settle();
    assert_eq!(current(&world), first, "not before nine tenths of the period");
    world.now += SignedDuration::from_hours(24 * 6);
    for _ in 0..25 {
        world.now += SignedDuration::from_hours(1);
        world.settle();
    }
    assert_ne!(current(&world), first, "at eleven tenths, in the tenant's own hour of the day");
    agrees(&world);
}

#[test]
fn while_the_sign_in_hands_out_copies_nothing_is_rotated_and_the_tenant_says_so() {
    let mut world = World::with_alice();
    world.settle();
    let before = current(&world);
    world.annotate_tenant(ROTATE_SECRETS, "1");
    world.settle();
    assert_eq!(current(&world), before);
    assert_eq!(world.ready(), (true, "Verified".into()));
    let (reason_, message) = reason(&mut world, "SecretsReady");
    assert!(reason_ == "RotationBlocked" && message.contains("login.tokenSource"), "{reason_}: {message}");
    world.annotate_tenant(ROTATE_SECRETS, "compromised:1");
    world.settle();
    assert_eq!(world.ready(), (false, "RotationBlocked".into()), "a leak needs a person");
    // The order is carried out as soon as it can be.
    world.set_class(&rotating_class());
    world.settle();
    assert_ne!(current(&world), before);
    agrees(&world);
}

#[test]
fn a_suspended_tenant_rotates_without_a_pod() {
    let mut world = settled();
    world.suspend(true);
    world.settle();
    let before = current(&world);
    world.annotate_tenant(ROTATE_SECRETS, "1");
    world.settle();
    assert_eq!(world.ready(), (true, "Suspended".into()));
    assert_ne!(current(&world), before);
    agrees(&world);
    world.suspend(false);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    agrees(&world);
}

fn breaks_other_pods(world: &mut World) {
    // Whatever is made from now on is another template than the running one.
    world.break_pods(|_| true);
}

#[test]
fn a_rotation_whose_pod_does_not_start_is_taken_back() {
    let mut world = settled();
    let before = current(&world);
    breaks_other_pods(&mut world);
    world.annotate_tenant(ROTATE_SECRETS, "1");
    world.settle();
    assert_eq!(current(&world), before, "before the pod is ready nothing has changed for readers");
    world.now += SignedDuration::from_secs(1000);
    world.break_pods(|_| false);
    let unready: Vec<String> = world.pods.keys().cloned().collect();
    // The pod that did not start in time is still there when time is over.
    assert_eq!(unready.len(), 1);
    world.round();
    assert!(item(&world).rotation.is_some_and(|rotation| rotation.abandoned));
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(current(&world), before);
    agrees(&world);
    let (reason_, message) = reason(&mut world, "SecretsReady");
    assert!(reason_ == "RotationFailed" && message.contains("another value"), "{reason_}: {message}");
    world.annotate_tenant(ROTATE_SECRETS, "2");
    world.settle();
    assert_ne!(current(&world), before);
    assert_eq!(reason(&mut world, "SecretsReady").0, "Verified", "the failure is forgotten");
}

#[test]
fn after_a_leak_the_workspace_stays_down_rather_than_going_back() {
    let mut world = settled();
    let leaked = current(&world);
    breaks_other_pods(&mut world);
    world.annotate_tenant(ROTATE_SECRETS, "compromised:1");
    world.settle();
    assert_ne!(used(&world), leaked.as_str(), "no pod is given the leaked one any more");
    world.now += SignedDuration::from_secs(1000);
    world.settle();
    assert!(world.pods.is_empty(), "scaled to zero");
    assert_eq!(world.ready(), (false, "RotationFailed".into()));
    world.break_pods(|_| false);
    world.settle();
    assert!(world.pods.is_empty(), "it stays down until somebody changes something");
    world.annotate_tenant(ROTATE_SECRETS, "compromised:2");
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    agrees(&world);
    assert_ne!(current(&world), leaked);
}

#[test]
fn a_leak_does_not_wait_at_the_gate() {
    let mut world = World::new();
    let mut class = rotating_class();
    class["rollout"] = json!({ "maxInFlight": 1, "maxFailures": 1 });
    world.set_class(&class);
    world.make_tenant(&spec_json());
    world.settle();
    let before = current(&world);
    super::rolling::somebody_rolls(&world, true, true);
    world.annotate_tenant(ROTATE_SECRETS, "plain");
    world.settle();
    assert_eq!((world.ready(), current(&world)), ((true, "RolloutPending".into()), before.clone()));
    world.annotate_tenant(ROTATE_SECRETS, "compromised:now");
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_ne!(current(&world), before);
    agrees(&world);
}

/// Goes on until the action of this number, which suffers the fault and is the last that this process does; `false` where
/// there are not so many.
fn crash_at(world: &mut World, number: usize, fault: Fault) -> bool {
    let mut count = 0;
    for _ in 0..40 {
        let before = count;
        world.round_with(&mut |_| {
            count += 1;
            match count.cmp(&number) {
                Ordering::Less => Fault::None,
                Ordering::Equal => fault,
                Ordering::Greater => Fault::Lost,
            }
        });
        if count >= number {
            world.restart();
            return true;
        }
        let moved = super::controllers::run(world);
        if count == before && !moved {
            return false;
        }
        world.now += SignedDuration::from_secs(2);
    }
    false
}

/// Section 6: a crash at any step, before or after the effect, ends with one version that template and label agree on.
#[test]
fn a_crash_after_any_step_ends_with_one_version() {
    for (order, fault) in [("1", Fault::Lost), ("1", Fault::Unanswered), ("compromised:1", Fault::Unanswered)] {
        for number in 1.. {
            let mut world = settled();
            let before = current(&world);
            world.annotate_tenant(ROTATE_SECRETS, order);
            let crashed = crash_at(&mut world, number, fault);
            world.settle();
            assert_eq!(world.ready(), (true, "Verified".into()), "{order}, {fault:?} at {number}");
            agrees(&world);
            assert_ne!(current(&world), before);
            assert!(token(&world).has_label(&before, "AWSPREVIOUS"), "{order}, {fault:?} at {number}");
            if !crashed {
                assert!(number > 8, "{number} steps were crashed at");
                break;
            }
        }
    }
}

/// A person puts another value, and nobody has looked since.
pub(super) fn put(world: &mut World, version: &str) -> VersionId {
    let version: VersionId = version.parse().expect("a version");
    let secret = world.cloud.secrets.get_mut(TOKEN).expect("the token");
    let former = secret.current_version().expect("current");
    move_label(secret, CURRENT_STAGE, Some(&version));
    move_label(secret, "AWSPREVIOUS", Some(&former));
    version
}

fn put_by_hand(world: &mut World, version: &str) -> VersionId {
    let version = put(world, version);
    world.restart();
    version
}

#[test]
fn a_value_that_a_person_puts_is_used_and_never_overwritten() {
    let put = |world: &mut World, letter: &str| put_by_hand(world, &letter.repeat(32));
    let mut world = settled();
    let by_hand = put(&mut world, "p");
    world.settle();
    agrees(&world);
    assert_eq!(current(&world), by_hand);
    // In the middle of a rotation it takes the ground from it.
    world.broken.push("pods");
    world.annotate_tenant(ROTATE_SECRETS, "1");
    for _ in 0..12 {
        world.round();
    }
    assert!(item(&world).rotation.is_some());
    let by_hand = put(&mut world, "q");
    world.broken.clear();
    world.settle();
    assert_eq!(current(&world), by_hand);
    assert_eq!((used(&world).as_str(), item(&world).rotation), (by_hand.as_str(), None));
}

#[test]
fn nothing_goes_back_to_a_version_that_was_rotated_away() {
    let mut world = settled();
    let leaked = current(&world);
    world.annotate_tenant(ROTATE_SECRETS, "compromised:1");
    world.settle();
    let good = current(&world);
    move_label(world.cloud.secrets.get_mut(TOKEN).expect("the token"), CURRENT_STAGE, Some(&leaked));
    move_label(world.cloud.secrets.get_mut(TOKEN).expect("the token"), "AWSPREVIOUS", Some(&good));
    world.restart();
    world.settle();
    assert_eq!(used(&world), good.as_str());
    assert_eq!(world.ready(), (false, "SecretMovedBack".into()));
}

#[test]
fn a_secret_in_its_recovery_window_is_taken_back_by_its_own_incarnation_only() {
    let mut world = settled();
    let before = current(&world);
    world.cloud.secrets.get_mut(TOKEN).expect("the token").deleted_at = Some(world.now);
    world.restart();
    world.settle();
    assert_eq!((world.ready(), current(&world)), ((true, "Verified".into()), before));
    let secret = world.cloud.secrets.get_mut(TOKEN).expect("the token");
    secret.deleted_at = Some(world.now);
    secret.tags.insert("openclaw-incarnation".into(), "ffffffffff".into());
    world.restart();
    world.done.clear();
    world.settle();
    assert_eq!(world.ready(), (false, "NameReserved".into()));
    let touches =
        |action: &&Action| matches!(action, Action::Aws(AwsAction::RestoreSecret { .. } | AwsAction::TagSecret { .. }));
    assert_eq!(world.done.iter().find(touches), None);
}

/// A class with two generated secrets.
fn class_of_two() -> Value {
    let mut class = rotating_class();
    class["secrets"]["generated"] = json!([{ "name": "gateway-token" }, { "name": "webhook-key" }]);
    class
}

#[test]
fn all_generated_secrets_rotate_and_one_that_leaves_the_list_holds_nothing_up() {
    let mut world = settled();
    world.set_class(&class_of_two());
    world.settle();
    let key = |world: &World| world.cloud.secrets["openclaw/alice/webhook-key"].current_version().expect("a version");
    let (token, other) = (current(&world), key(&world));
    world.annotate_tenant(ROTATE_SECRETS, "compromised:1");
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert!(current(&world) != token && key(&world) != other);
    // The class takes one of them away while both are on their way.
    world.broken.push("pods");
    world.annotate_tenant(ROTATE_SECRETS, "compromised:2");
    for _ in 0..8 {
        world.round();
    }
    world.set_class(&rotating_class());
    world.broken.clear();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert!(world.record_spec().secrets.items.iter().all(|item| item.rotation.is_none()));
    agrees(&world);
}

/// What a person has put since the last look is what has leaked, not what that look showed.
#[test]
fn an_order_is_not_carried_out_by_an_old_look() {
    for order in ["1", "compromised:1"] {
        let mut world = settled();
        let former = current(&world);
        let leaked = put(&mut world, &"p".repeat(32));
        world.now += SignedDuration::from_mins(5);
        world.annotate_tenant(ROTATE_SECRETS, order);
        world.settle();
        agrees(&world);
        assert!(current(&world) != leaked && current(&world) != former, "{order}");
    }
}

/// A leak whose next value cannot be made: the workspace goes down in its time, and comes up by itself with the next value.
#[test]
fn after_a_leak_an_outage_does_not_keep_the_door_open() {
    let mut world = settled();
    let leaked = current(&world);
    world.annotate_tenant(ROTATE_SECRETS, "compromised:1");
    let refuse = |action: &Action| match action {
        Action::Aws(AwsAction::PutGenerated { .. }) => Fault::Lost,
        _ => Fault::None,
    };
    for _ in 0..40 {
        world.round_with(&mut |action| refuse(action));
        super::controllers::run(&mut world);
        world.now += SignedDuration::from_secs(10);
    }
    assert!(world.pods.is_empty(), "scaled to zero");
    assert_eq!(current(&world), leaked);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    agrees(&world);
}

#[test]
fn a_lost_record_brings_no_leaked_value_back() {
    for rounds in 1..12 {
        let mut world = settled();
        let leaked = current(&world);
        world.annotate_tenant(ROTATE_SECRETS, "compromised:1");
        for _ in 0..rounds {
            world.round();
            super::controllers::run(&mut world);
        }
        world.record = None;
        world.restart();
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()), "after {rounds} rounds");
        assert_ne!(current(&world), leaked, "after {rounds} rounds");
        agrees_on_one(&world);
    }
}

/// Time in which nobody worked is not the pod's fault.
#[test]
fn an_operator_that_was_away_gives_nothing_up() {
    for order in ["1", "compromised:1"] {
        let mut world = settled();
        let before = current(&world);
        world.annotate_tenant(ROTATE_SECRETS, order);
        // Up to the new template, and not as far as the pod.
        while item(&world).rotation.is_none() || used(&world) == before.as_str() {
            world.round();
        }
        world.round();
        world.now += SignedDuration::from_hours(2);
        while super::controllers::run(&mut world) {}
        world.restart();
        world.settle();
        assert_eq!((world.ready(), item(&world).failed_at), ((true, "Verified".into()), None), "{order}");
        assert_ne!(current(&world), before);
    }
}

/// A record that is lost in the middle of a rotation leaves one version in use.
#[test]
fn a_record_that_is_lost_in_the_middle_ends_with_one_version() {
    for rounds in 1..14 {
        let mut world = settled();
        world.annotate_tenant(ROTATE_SECRETS, "1");
        for _ in 0..rounds {
            world.round();
            super::controllers::run(&mut world);
            world.now += SignedDuration::from_secs(2);
        }
        world.record = None;
        world.restart();
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()), "after {rounds} rounds");
        assert_eq!(used(&world), current(&world).as_str(), "after {rounds} rounds");
    }
}
