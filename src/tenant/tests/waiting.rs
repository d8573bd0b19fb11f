//! What does not come, and what events say of it.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::world::World;
use crate::tenant::{
    action::{Action, Plan},
    child::{Child, Part},
    explain::Awaited,
};

fn event_about(world: &World, object: &Value, reason: &str, message: &str) -> Value {
    json!({
        "type": "Warning", "reason": reason, "message": message, "lastTimestamp": world.now,
        "involvedObject": { "uid": object["metadata"]["uid"] },
    })
}

fn message(world: &mut World, part: Part) -> String {
    let status = world.status().expect("told");
    let found = status.condition(part.condition()).expect("told");
    assert_eq!(found.status, "False");
    found.message.clone()
}

fn looks(plan: &Plan) -> Vec<Awaited> {
    let of = |action: &Action| match action {
        Action::LookAtEvents { awaited, .. } => Some(*awaited),
        _ => None,
    };
    plan.actions.iter().filter_map(of).collect()
}

/// Everything but what this controller does.
fn waiting_for(controller: &'static str) -> World {
    let mut world = World::with_alice();
    world.broken.push(controller);
    world.settle();
    world
}

#[test]
fn a_claim_that_stays_pending_is_explained_by_its_events() {
    let mut world = waiting_for("volumes");
    assert!(message(&mut world, Part::Storage).contains("kubectl describe pvc"));
    let claim = world.child(Child::Claim).expect("a claim").clone();
    let event = event_about(&world, &claim, "ProvisioningFailed", "no\u{1b} access point\nleft");
    world.events.push(event);
    world.now += SignedDuration::from_secs(10);
    assert_eq!(looks(&world.round()), [Awaited::Volume]);
    let said = message(&mut world, Part::Storage);
    assert!(said.ends_with("its last event that matters says: ProvisioningFailed: no access point left"), "{said}");
    world.broken.clear();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.round().look_again, None, "nothing is looked at any more");
}

/// Once after some seconds, then less and less often, and what another tenant's events say is not asked for.
#[test]
fn events_are_looked_at_less_and_less_often() {
    let mut world = waiting_for("volumes");
    assert_eq!(looks(&world.round()), [], "most claims are bound within seconds");
    let mut at = Vec::new();
    for _ in 0..500 {
        world.now += SignedDuration::from_secs(4);
        if !looks(&world.round()).is_empty() {
            at.push(world.now);
        }
    }
    let pauses: Vec<i64> = at.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect();
    assert_eq!(pauses, [60, 120, 240, 480, 960]);
    assert!(world.round().look_again.is_some());
}

#[test]
fn a_pod_that_is_refused_is_told_with_the_refusal() {
    let mut world = waiting_for("pods");
    assert!(message(&mut world, Part::Workload).contains("has not taken it up"));
    // The StatefulSet's controller works, and admission refuses the pod.
    let set = world.child(Child::StatefulSet).expect("a set").clone();
    world.edit_child(Child::StatefulSet, |set| {
        set["status"] = json!({ "observedGeneration": set["metadata"]["generation"], "replicas": 0 });
    });
    let refusal = "create Pod alice-0 failed error: pods \"alice-0\" is forbidden: exceeded quota: alice";
    let event = event_about(&world, &set, "FailedCreate", refusal);
    world.events.push(event);
    assert!(message(&mut world, Part::Workload).contains("is being made"));
    world.now += SignedDuration::from_secs(10);
    assert_eq!(looks(&world.round()), [Awaited::Pod]);
    let said = message(&mut world, Part::Workload);
    assert_eq!(
        said,
        format!("the pod cannot be made; the last event of its StatefulSet says: FailedCreate: {refusal}")
    );
    world.broken.clear();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn a_pod_that_does_not_start_is_told_with_what_keeps_it() {
    let mut world = World::with_alice();
    world.break_pods(|_| true);
    world.settle();
    assert!(message(&mut world, Part::Workload).contains("has not passed its probes"));
    let pod = world.pods.values().next().expect("a pod").clone();
    let event = event_about(&world, &pod, "FailedMount", "mount failed");
    world.events.push(event);
    world.now += SignedDuration::from_secs(60);
    world.round();
    let said = message(&mut world, Part::Workload);
    assert_eq!(said, "pod alice-0 is not ready: FailedMount: mount failed");
}

/// What is made anew is waited for anew: the former one's events are not its own.
#[test]
fn another_object_of_the_name_has_nothing_to_do_with_the_former_one_s_events() {
    let mut world = waiting_for("volumes");
    let claim = world.child(Child::Claim).expect("a claim").clone();
    let event = event_about(&world, &claim, "ProvisioningFailed", "former");
    world.events.push(event);
    world.now += SignedDuration::from_secs(10);
    world.round();
    assert!(message(&mut world, Part::Storage).contains("former"));
    world.edit_child(Child::Claim, |claim| claim["metadata"]["uid"] = json!("99999999-aaaa-4bbb-8ccc-ddddeeeeffff"));
    assert!(!message(&mut world, Part::Storage).contains("former"));
}

/// What a dry run cannot ask it does not wait to ask: it comes back no sooner for it.
#[test]
fn a_dry_run_asks_for_no_events() {
    let mut world = waiting_for("volumes");
    let dry = crate::tenant::settings::Settings { dry_run: true, ..world.settings.as_ref().clone() };
    world.settings = std::sync::Arc::new(dry);
    world.restart();
    world.observe();
    world.now += SignedDuration::from_mins(10);
    let plan = crate::tenant::plan::plan(&world.observe());
    assert_eq!((looks(&plan), world.observe().waits.len()), (Vec::new(), 0));
}
