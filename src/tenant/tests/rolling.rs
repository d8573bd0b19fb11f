//! A changed pod template on its way to the pods: who waits at the gate, and what stands meanwhile.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{
    fixtures::{alice, class_json},
    world::World,
};
use crate::{
    api::record::{Counts, Rolling},
    tenant::{
        child::Child,
        gate::{GateFigures, Turn},
    },
};

fn settled() -> World {
    let mut world = World::with_alice();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    world.done.clear();
    world
}

/// A class whose pods get another variable, and a gate of this width.
fn changed_class(value: &str, max_in_flight: u16) -> Value {
    let mut class = class_json();
    class["workload"]["env"] = json!([{ "name": "LOG_LEVEL", "value": value }]);
    class["rollout"] = json!({ "maxInFlight": max_in_flight, "maxFailures": 1, "deadlineSeconds": 600 });
    class
}

/// Somebody else of the fleet is restarting, perhaps for too long, or is done.
pub(super) fn somebody_rolls(world: &World, rolls: bool, is_late: bool) {
    let deadline = world.now + SignedDuration::from_secs(if is_late { -1 } else { 6000 });
    let rolling = Rolling { counts: Counts::Fully, deadline: Time(deadline) };
    let bob = "bob".parse().expect("name");
    world.cache.with_gate(|gate| gate.recorded(&bob, Some(&rolling).filter(|_| rolls)));
}

fn pod_uid(world: &World) -> Value {
    world.pods.values().next().expect("a pod")["metadata"]["uid"].clone()
}

fn template(world: &World) -> Value {
    world.child(Child::StatefulSet).expect("a StatefulSet")["spec"]["template"].clone()
}

fn live_env(world: &World) -> String {
    template(world)["spec"]["containers"][0]["env"].to_string()
}

#[test]
fn a_change_of_the_class_rolls_the_pod_through_the_gate() {
    let mut world = settled();
    let before = pod_uid(&world);
    world.set_class(&changed_class("debug", 1));
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_ne!(pod_uid(&world), before);
    assert!(live_env(&world).contains("LOG_LEVEL"));
    assert_eq!(world.record_spec().template.and_then(|template| template.rolling), None, "its place is free again");
    assert_eq!(world.cache.figures(world.now).gate, GateFigures::default());
}

#[test]
fn while_the_gate_is_full_the_former_template_runs_and_the_tenant_is_ready() {
    let mut world = settled();
    let (before, running) = (template(&world), pod_uid(&world));
    somebody_rolls(&world, true, false);
    world.set_class(&changed_class("debug", 1));
    world.settle();
    assert_eq!(world.ready(), (true, "RolloutPending".into()));
    assert_eq!((template(&world), pod_uid(&world)), (before, running));
    world.done.clear();
    assert_eq!(world.round().actions, Vec::new(), "L2");

    somebody_rolls(&world, false, false);
    assert_eq!(world.cache.take_woken(), [alice()]);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert!(live_env(&world).contains("LOG_LEVEL"));
}

#[test]
fn what_is_not_the_template_is_brought_back_while_it_waits() {
    let mut world = settled();
    somebody_rolls(&world, true, false);
    world.set_class(&changed_class("debug", 1));
    world.settle();
    let before = template(&world);
    world.edit_child(Child::StatefulSet, |set| set["spec"]["revisionHistoryLimit"] = json!(99));
    world.settle();
    let set = world.child(Child::StatefulSet).expect("a StatefulSet");
    assert_eq!((&set["spec"]["revisionHistoryLimit"], &set["spec"]["template"]), (&json!(3), &before));
    assert_eq!(world.ready(), (true, "RolloutPending".into()));
}

#[test]
fn a_template_that_somebody_changes_while_it_waits_is_replaced_by_the_new_one_at_once() {
    for tamper in [Child::StatefulSet, Child::ConfigMap] {
        let mut world = settled();
        somebody_rolls(&world, true, false);
        world.set_class(&changed_class("debug", 1));
        world.settle();
        world.edit_child(tamper, |object| match tamper {
            Child::StatefulSet => object["spec"]["template"]["spec"]["hostNetwork"] = json!(true),
            _ => object["data"]["openclaw.json"] = json!("{}"),
        });
        world.settle();
        assert_eq!(world.ready(), (true, "Verified".into()), "{tamper:?}");
        assert!(live_env(&world).contains("LOG_LEVEL") && !template(&world).to_string().contains("hostNetwork"));
    }
}

#[test]
fn the_tenant_s_own_edit_passes_at_once_and_holds_no_place() {
    let mut world = settled();
    somebody_rolls(&world, true, false);
    let running = pod_uid(&world);
    world.set_class(&changed_class("info", 1));
    world.settle();
    world.edit_tenant(|spec| spec["env"] = json!([{ "name": "LOG_FORMAT", "value": "json" }]));
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_ne!(pod_uid(&world), running);
    assert_eq!(world.cache.figures(world.now).gate.in_flight, 1, "only the other one");
}

#[test]
fn a_stopped_gate_names_who_stopped_it() {
    let mut world = settled();
    somebody_rolls(&world, true, true);
    world.set_class(&changed_class("debug", 10));
    world.settle();
    let status = world.status().expect("told");
    let ready = status.condition("Ready").expect("Ready");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "RolloutPending"));
    assert!(ready.message.contains("bob") && ready.message.contains("has stopped"), "{}", ready.message);
}

/// L4: good → bad → good returns to good, through a gate that the bad one has stopped.
#[test]
fn a_broken_template_is_left_again_without_a_hand() {
    let mut world = settled();
    world.break_pods(|pod| pod["metadata"]["labels"]["template"].as_str().is_some_and(|env| env.contains("broken")));
    world.set_class(&changed_class("broken", 1));
    world.settle();
    assert_eq!(world.ready(), (false, "Progressing".into()));
    world.now += SignedDuration::from_secs(1000);
    assert_eq!(world.cache.figures(world.now).gate, GateFigures { in_flight: 1, waiting: 0, failed: 1 });
    world.set_class(&changed_class("fine", 1));
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.cache.figures(world.now).gate, GateFigures::default());
}

/// A place that was given and is not needed any more goes to the next.
#[test]
fn a_change_that_is_taken_back_while_it_waits_leaves_the_gate() {
    let mut world = settled();
    let before = pod_uid(&world);
    somebody_rolls(&world, true, false);
    world.set_class(&changed_class("debug", 1));
    world.settle();
    assert!(matches!(world.observe().turn, Turn::Full { in_flight: 1 }));
    world.set_class(&class_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!((world.observe().turn, pod_uid(&world)), (Turn::NotAsked, before));
}

/// L6: who is paused, refused or being deleted on the way holds no place, and is no failure.
#[test]
fn a_tenant_that_nobody_works_on_holds_no_place() {
    let on_its_way = || {
        let mut world = settled();
        world.broken.push("pods");
        world.set_class(&changed_class("debug", 1));
        for _ in 0..12 {
            world.round();
        }
        assert_eq!(world.cache.figures(world.now).gate.in_flight, 1);
        world
    };
    let steps: [fn(&mut World); 3] = [
        |world| world.annotate_tenant(crate::api::labels::PAUSED, "true"),
        |world| world.edit_tenant(|spec| spec["image"] = json!({ "repository": "foreign/image", "tag": "1" })),
        World::delete_tenant,
    ];
    for step in steps {
        let mut world = on_its_way();
        step(&mut world);
        world.round();
        assert_eq!(world.cache.figures(world.now).gate, GateFigures::default());
    }
    let mut world = on_its_way();
    world.annotate_tenant(crate::api::labels::PAUSED, "true");
    world.round();
    world.annotate_tenant(crate::api::labels::PAUSED, "false");
    world.round();
    assert_eq!(world.cache.figures(world.now).gate.in_flight, 1, "worked on again, it counts again");
}

/// Who was deleted on the way and comes back days later begins anew.
#[test]
fn a_returning_tenant_is_no_failure() {
    let mut world = settled();
    world.broken.push("pods");
    world.set_class(&changed_class("debug", 1));
    for _ in 0..12 {
        world.round();
    }
    world.broken.clear();
    world.delete_tenant();
    world.settle();
    world.now += SignedDuration::from_hours(100);
    world.make_tenant(&super::fixtures::spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.cache.figures(world.now).gate, GateFigures::default());
}

/// A required secret's first value that waits at the gate is not in the workspace yet, and Ready does not say so.
#[test]
fn a_required_value_that_waits_is_not_ready() {
    let mut world = settled();
    world.edit_tenant(|spec| spec["secrets"] = json!([{ "name": "slack-bot-token", "required": true }]));
    world.settle();
    somebody_rolls(&world, true, false);
    world.set_class(&changed_class("info", 1));
    let secret = world.cloud.secrets.get_mut("openclaw/alice/slack-bot-token").expect("the secret");
    secret.versions.insert("s".repeat(32).into(), vec!["AWSCURRENT".into()]);
    world.restart();
    world.set_class(&changed_class("info", 1));
    somebody_rolls(&world, true, false);
    for _ in 0..6 {
        world.round();
        world.now += SignedDuration::from_secs(2);
    }
    assert!(!world.ready().0);
    somebody_rolls(&world, false, false);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

/// What a Tenant decides itself is recorded as a hash, which a later version of the operator must find unchanged.
#[test]
fn the_hash_of_a_tenant_s_own_share_is_the_same_for_ever() {
    let mut world = World::new();
    world.make_tenant(&json!({
        "owner": { "subject": "6f1c", "email": "alice@example.com" },
        "env": [{ "name": "LOG_LEVEL", "value": "debug" }],
        "skills": ["weather"],
        "secrets": [{ "name": "slack-bot-token" }],
        "resources": { "limits": { "memory": "3Gi" } },
    }));
    world.settle();
    let own = world.record_spec().template.expect("a template").own;
    assert_eq!(own, "a916c4921aa77ab4697ff5bfada2d0d5");
}

/// A restart of the operator forgets nobody who is restarting.
#[test]
fn places_survive_a_restart() {
    let mut world = settled();
    world.broken.push("pods");
    world.set_class(&changed_class("debug", 1));
    for _ in 0..12 {
        world.round();
    }
    world.restart();
    world.observe();
    assert_eq!(world.cache.figures(world.now).gate.in_flight, 1);
}

#[test]
fn a_suspended_tenant_takes_a_new_template_without_waiting() {
    let mut world = settled();
    world.suspend(true);
    world.settle();
    somebody_rolls(&world, true, false);
    world.set_class(&changed_class("debug", 1));
    world.settle();
    assert_eq!(world.ready(), (true, "Suspended".into()));
    assert!(live_env(&world).contains("LOG_LEVEL"));
}
