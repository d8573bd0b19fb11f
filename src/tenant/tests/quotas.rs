//! Quotas that are lowered below what is used, and workspaces that do not fit into theirs.

use serde_json::{Value, json};

use super::{
    controllers,
    fixtures::{class_json, spec_json},
    world::World,
};
use crate::{
    api::quantity::Quantity,
    tenant::{
        action::Action,
        child::{Child, Part},
        fit,
        status::announcements,
    },
};

fn class_with_quota(cpu: &str, pods: u32) -> Value {
    let mut class = class_json();
    class["quota"] = json!({ "cpu": cpu, "memory": "8Gi", "pods": pods });
    class
}

fn settled(class: &Value) -> World {
    let mut world = World::new();
    world.set_class(class);
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    world
}

/// Others in the namespace use so much, and it is counted.
fn others_use(world: &mut World, resource: &'static str, amount: u32) {
    world.used_by_others.insert(resource, Quantity::units(amount));
    world.settle();
}

fn hard(world: &World, resource: &str) -> String {
    let quota = world.child(Child::ResourceQuota).expect("a quota");
    quota["spec"]["hard"][resource].as_str().expect("an amount").to_owned()
}

/// Reason and message of NamespaceReady.
fn namespace_ready(world: &mut World) -> (String, String) {
    let status = world.status().expect("told");
    let found = status.condition(Part::Namespace.condition()).expect("told");
    assert_eq!(found.status, "True");
    (found.reason.clone(), found.message.clone())
}

#[test]
fn a_quota_below_what_is_used_is_lowered_to_that_and_told_and_follows_when_less_is_used() {
    let mut world = settled(&class_with_quota("8", 10));
    others_use(&mut world, "limits.cpu", 2);
    others_use(&mut world, "pods", 3);
    world.set_class(&class_with_quota("3", 2));
    world.settle();
    let used = world.child(Child::ResourceQuota).expect("a quota")["status"]["used"].clone();
    assert_eq!(
        (hard(&world, "limits.cpu"), hard(&world, "pods")),
        (used["limits.cpu"].as_str().expect("used").into(), "4".into())
    );
    assert_eq!(hard(&world, "requests.cpu"), "3", "what is not used goes");
    assert_eq!(world.ready(), (true, "Verified".into()));
    let (reason, message) = namespace_ready(&mut world);
    assert_eq!(reason, "QuotaBelowUse");
    assert!(
        message.contains("limits.cpu stays at 4200m where 3 is asked for, pods stays at 4 where 2 is asked for"),
        "{message}"
    );
    assert_eq!(world.round().actions, Vec::new(), "L2");

    world.used_by_others.clear();
    world.settle();
    assert_eq!((hard(&world, "limits.cpu"), hard(&world, "pods")), ("3".into(), "2".into()));
    assert_eq!(namespace_ready(&mut world).0, "Verified");
}

/// The pod that is drained away must find its place again: also the pod of a former template, which waits at the gate.
#[test]
fn what_the_workspace_itself_needs_stays_while_its_pod_is_away() {
    let mut world = settled(&class_with_quota("8", 10));
    super::rolling::somebody_rolls(&world, true, false);
    let mut smaller = class_with_quota("1", 10);
    smaller["workload"]["limits"] = json!({ "cpu": "500m", "memory": "1Gi" });
    smaller["workload"]["requests"] = json!({ "cpu": "100m", "memory": "512Mi" });
    smaller["rollout"] = json!({ "maxInFlight": 1 });
    world.set_class(&smaller);
    world.settle();
    assert_eq!(world.ready(), (true, "RolloutPending".into()));
    let held = hard(&world, "limits.cpu");
    assert_eq!(held, "2200m");
    // Drained; nobody makes it anew at once.
    world.broken.push("pods");
    world.pods.clear();
    world.settle();
    assert_eq!(hard(&world, "limits.cpu"), held);
    world.broken.clear();
    super::rolling::somebody_rolls(&world, false, false);
    world.settle();
    assert_eq!((hard(&world, "limits.cpu"), namespace_ready(&mut world).0), ("1".into(), "Verified".into()));
}

/// What somebody else raises is drift, however much of it is used.
#[test]
fn what_somebody_raises_comes_down_to_what_is_used() {
    let mut world = settled(&class_with_quota("4", 10));
    others_use(&mut world, "limits.cpu", 50);
    world.edit_child(Child::ResourceQuota, |quota| quota["spec"]["hard"]["limits.cpu"] = json!("100"));
    world.settle();
    assert_eq!(hard(&world, "limits.cpu"), "52200m");
}

#[test]
fn use_that_comes_and_goes_wakes_nobody_and_what_waits_for_it_looks_again() {
    let mut world = settled(&class_with_quota("8", 10));
    others_use(&mut world, "pods", 3);
    let quota = world.child(Child::ResourceQuota).expect("a quota").clone();
    let mut used = quota.clone();
    used["status"]["used"]["pods"] = json!("4");
    used["metadata"]["resourceVersion"] = json!("99999");
    let watched = crate::tenant::cache::Watched::Child(crate::tenant::child::Kind::ResourceQuota);
    world.observe();
    assert_eq!(world.cache.upsert(watched, &used), crate::tenant::cache::Concerns::Nobody);

    let mut world = settled(&class_with_quota("8", 10));
    others_use(&mut world, "pods", 3);
    world.set_class(&class_with_quota("8", 2));
    world.settle();
    assert!(world.round().look_again.is_some());
}

#[test]
fn that_a_quota_is_held_is_announced_once() {
    let mut world = settled(&class_with_quota("8", 10));
    let before = world.status().expect("told");
    others_use(&mut world, "pods", 3);
    world.set_class(&class_with_quota("8", 2));
    world.settle();
    let after = world.status().expect("told");
    let reasons: Vec<String> = announcements(&before, &after).into_iter().map(|one| one.reason).collect();
    assert_eq!(reasons, ["QuotaBelowUse"]);
    assert_eq!(announcements(&after, &after), Vec::new());
}

/// A quota below the workspace's own pod is not applied at all.
#[test]
fn a_quota_below_the_workspace_itself_is_refused() {
    let mut world = settled(&class_with_quota("8", 10));
    world.done.clear();
    world.set_class(&class_with_quota("1", 10));
    world.settle();
    assert_eq!(world.ready(), (false, "WorkloadAboveQuota".into()));
    let touched = world.done.iter().any(|action| matches!(action, Action::Update { .. }));
    assert!(!touched && hard(&world, "limits.cpu") == "8");
}

/// A claim that grows before its quota is refused.
#[test]
fn the_quota_grows_before_the_claim_does() {
    let mut world = settled(&class_with_quota("4", 10));
    world.done.clear();
    world.edit_tenant(|spec| spec["storage"] = json!({ "size": "40Gi" }));
    let written = |plan: &crate::tenant::action::Plan| {
        let child = |action: &Action| match action {
            Action::Update { child, .. } => Some(*child),
            _ => None,
        };
        plan.actions.iter().filter_map(child).collect::<Vec<_>>()
    };
    let plan = world.round();
    assert_eq!(written(&plan), [Child::ResourceQuota], "and its figures are waited for");
    world.settle();
    assert_eq!(hard(&world, "requests.storage"), "40Gi");
    let claim = world.child(Child::Claim).expect("a claim");
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "40Gi");
    assert_eq!(world.ready(), (true, "Verified".into()));
}

/// Whoever asked for the claim was gone before it was stored: it is counted, and not there.
#[test]
fn a_claim_that_is_counted_and_not_there_is_counted_anew() {
    let mut world = settled(&class_with_quota("4", 10));
    world.edit_tenant(|spec| spec["suspend"] = json!(true));
    world.settle();
    let claim = world.child(Child::Claim).expect("a claim").clone();
    world.delete_child(Child::Claim);
    world.miscounted = fit::claim(&claim);
    world.done.clear();
    world.settle();
    let made = world.child(Child::Claim).expect("made again");
    assert_eq!(made["status"]["phase"], "Bound");
    assert_eq!(hard(&world, "persistentvolumeclaims"), "1");
    assert_eq!(world.ready().1, "Suspended");
    let quotas =
        world.done.iter().filter(|action| matches!(action, Action::Update { child: Child::ResourceQuota, .. }));
    assert_eq!(quotas.count(), 2, "to have it counted, and back");
}

/// A claim of somebody else's is no mistake: nothing is written again and again, and it is told what to do.
#[test]
fn a_claim_of_others_that_takes_the_room_is_told_and_nothing_is_written_for_it_at_rest() {
    let mut world = settled(&class_with_quota("4", 10));
    world.edit_tenant(|spec| spec["suspend"] = json!(true));
    world.settle();
    world.delete_child(Child::Claim);
    world.used_by_others.insert("persistentvolumeclaims", Quantity::units(1));
    let some_rounds = |world: &mut World| {
        for _ in 0..9 {
            world.round();
            controllers::run(world);
        }
    };
    some_rounds(&mut world);
    world.done.clear();
    some_rounds(&mut world);
    assert!(world.done.is_empty() && world.child(Child::Claim).is_none(), "{:?}", world.done);
    let status = world.status().expect("told");
    let told = status.condition(Part::Namespace.condition()).expect("told");
    assert_eq!((told.status.as_str(), told.reason.as_str()), ("False", "QuotaNotEnforced"));
    assert!(told.message.contains("delete the claims of others"), "{}", told.message);

    world.used_by_others.clear();
    world.settle();
    assert_eq!(world.child(Child::Claim).expect("made again")["status"]["phase"], "Bound");
    assert_eq!(hard(&world, "persistentvolumeclaims"), "1");
}
