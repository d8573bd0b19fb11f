//! Workspaces that sleep while nobody uses them: the scaler decides, everything else goes on.

use serde_json::{Value, json};

use super::{
    controllers,
    fixtures::{class_json, spec_json},
    rotating::{agrees, current, reason},
    world::World,
};
use crate::{
    api::labels,
    tenant::{
        action::Action,
        child::{Child, Kind},
    },
};

/// A class whose workspaces sleep, and whose sign-in reads Secrets Manager.
fn sleepy_class() -> Value {
    let mut class = class_json();
    class["login"] = json!({ "tokenSource": "SecretsManager" });
    class["workload"]["scaleToZero"] = json!({});
    class
}

/// A tenant that is used, in a cluster that can let it sleep.
fn awake() -> World {
    let mut world = World::new();
    world.serve_optional(true);
    world.set_class(&sleepy_class());
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(reason(&mut world, "WorkloadReady").0, "Verified");
    world.done.clear();
    world
}

fn asleep() -> World {
    let mut world = awake();
    world.is_used = false;
    world.settle();
    assert!(world.pods.is_empty());
    world
}

fn replicas(world: &World) -> &Value {
    &world.child(Child::StatefulSet).expect("a StatefulSet")["spec"]["replicas"]
}

#[test]
fn a_workspace_sleeps_and_wakes_and_the_operator_writes_nothing() {
    let mut world = asleep();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(reason(&mut world, "WorkloadReady").0, "Asleep");
    world.is_used = true;
    world.settle();
    assert_eq!(reason(&mut world, "WorkloadReady").0, "Verified");
    assert_eq!(world.done, Vec::new());
}

#[test]
fn a_new_workspace_starts_once_although_nobody_uses_it_yet() {
    let mut world = World::new();
    world.serve_optional(true);
    world.set_class(&sleepy_class());
    world.make_tenant(&spec_json());
    world.broken.push("scaler");
    world.settle();
    assert_eq!(replicas(&world), 1);
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn suspending_takes_the_scaler_away_before_the_pods() {
    let mut world = awake();
    world.suspend(true);
    world.settle();
    assert_eq!(world.ready(), (true, "Suspended".into()));
    let at = |is_it: &dyn Fn(&Action) -> bool| world.done.iter().position(is_it).expect("it was done");
    let scaler = at(&|action| matches!(action, Action::Delete { child: Child::ScaledObject, .. }));
    let zero = at(&|action| matches!(action, Action::Update { child: Child::StatefulSet, .. }));
    assert!(scaler < zero, "{:#?}", world.done);
    for kind in [Kind::ScaledObject, Kind::InterceptorRoute, Kind::ReferenceGrant, Kind::HttpRoute] {
        assert!(world.children[&kind].is_empty(), "{kind:?}");
    }
    assert_eq!(world.record_spec().routing.interceptor, None);

    world.suspend(false);
    world.settle();
    assert_eq!(replicas(&world), 1, "somebody uses it");
    assert_eq!(reason(&mut world, "WorkloadReady").0, "Verified");
}

#[test]
fn one_that_sleeps_passes_the_gate_without_a_pod_and_waits_at_it_like_everybody() {
    let mut world = asleep();
    let mut class = sleepy_class();
    class["workload"]["env"] = json!([{ "name": "LOG_LEVEL", "value": "debug" }]);
    class["rollout"] = json!({ "maxInFlight": 1, "maxFailures": 1, "deadlineSeconds": 600 });
    super::rolling::somebody_rolls(&world, true, false);
    world.set_class(&class);
    world.settle();
    let template = |world: &World| world.child(Child::StatefulSet).expect("a set")["spec"]["template"].to_string();
    assert!(!template(&world).contains("LOG_LEVEL"), "the gate is full");
    super::rolling::somebody_rolls(&world, false, false);
    world.pass(61);
    assert!(template(&world).contains("LOG_LEVEL") && world.pods.is_empty());
    assert_eq!(world.record_spec().template.expect("recorded").rolling, None, "its place is free again");
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn one_that_sleeps_rotates_without_a_pod_also_after_a_leak() {
    for order in ["now", "compromised: now"] {
        let mut world = asleep();
        let before = current(&world);
        world.annotate_tenant(labels::ROTATE_SECRETS, order);
        world.settle();
        assert_ne!(current(&world), before, "{order}");
        agrees(&world);
        assert!(world.pods.is_empty(), "{order}");
        assert_eq!(reason(&mut world, "WorkloadReady").0, "Asleep", "{order}");
    }
}

#[test]
fn where_the_cluster_cannot_do_it_the_workspace_runs_all_the_time_and_says_so() {
    let mut world = World::new();
    world.set_class(&sleepy_class());
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(reason(&mut world, "WorkloadReady").0, "ScalerNotServed");
    world.serve_optional(true);
    world.settle();
    assert_eq!(reason(&mut world, "WorkloadReady").0, "Verified");
    let backend = |world: &World| {
        world.child(Child::Route).expect("a route")["spec"]["rules"][0]["backendRefs"][0]["namespace"].clone()
    };
    assert_eq!(backend(&world), "keda");

    // Taken away while it sleeps: nobody would wake it.
    world.is_used = false;
    world.settle();
    world.serve_optional(false);
    world.settle();
    assert_eq!((replicas(&world), backend(&world)), (&json!(1), Value::Null));
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(world.record_spec().routing.interceptor, None);
}

#[test]
fn one_that_sleeps_and_that_nobody_would_wake_is_not_ready() {
    let mut world = asleep();
    world.broken.push("judges");
    world.edit_child(Child::ScaledObject, |object| {
        object["status"]["conditions"] =
            json!([{ "type": "Ready", "status": "False", "reason": "ScaledObjectCheckFailed", "message": "no scaler" }]);
    });
    assert!(!world.ready().0);
    let (reason_of, message) = reason(&mut world, "WorkloadReady");
    assert_eq!(reason_of, "ScalerNotReady");
    assert!(message.contains("no scaler"), "{message}");
}

#[test]
fn another_interceptor_gets_the_grant_and_the_former_one_loses_it() {
    let mut world = awake();
    let mut class = sleepy_class();
    class["workload"]["scaleToZero"] = json!({ "interceptor": { "namespace": "keda-two" } });
    world.set_class(&class);
    world.settle();
    let places: Vec<&String> = world.children[&Kind::ReferenceGrant].keys().collect();
    assert_eq!(places, ["keda-two/openclaw-alice"]);
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn a_foreign_grant_of_the_same_name_is_left_alone() {
    let mut world = World::new();
    world.serve_optional(true);
    world.set_class(&sleepy_class());
    world.make_tenant(&spec_json());
    let foreign = world.born(json!({
        "metadata": { "namespace": "keda", "name": "openclaw-alice" },
        "spec": { "from": [{ "namespace": "elsewhere" }], "to": [] },
    }));
    world.children.entry(Kind::ReferenceGrant).or_default().insert("keda/openclaw-alice".into(), foreign.clone());
    world.settle();
    assert_eq!(reason(&mut world, "RouteReady").0, "GrantTaken");
    world.delete_tenant();
    world.settle();
    assert_eq!(world.children[&Kind::ReferenceGrant]["keda/openclaw-alice"], foreign);
    assert!(world.tenant.is_none());
}

#[test]
fn a_tenant_that_goes_leaves_no_grant_behind_whatever_is_known_of_it() {
    for lost in [false, true] {
        let mut world = awake();
        if lost {
            // Rebuilt from the namespace's marks, which do not name the interceptor.
            world.record = None;
        }
        world.delete_tenant();
        world.settle();
        world.pass(61);
        assert!(world.tenant.is_none(), "lost: {lost}");
        assert!(world.children[&Kind::ReferenceGrant].is_empty(), "lost: {lost}");
    }
}

/// Neither the record nor the label says whose it is, and the class still says where it lies.
#[test]
fn a_grant_that_lost_its_label_goes_though_the_record_was_lost_as_well() {
    let mut world = awake();
    world.delete_tenant();
    world.edit_child(Child::InterceptorGrant, |grant| grant["metadata"]["labels"] = json!({}));
    world.record = None;
    world.settle();
    world.pass(61);
    assert!(world.tenant.is_none());
    assert!(world.children[&Kind::ReferenceGrant].is_empty());
}

/// By its label alone is it found once the record names another place.
#[test]
fn a_grant_that_lost_its_label_gets_it_back_before_another_interceptor_takes_its_place() {
    let mut world = awake();
    world.edit_child(Child::InterceptorGrant, |grant| grant["metadata"]["labels"] = json!({}));
    world.usual_class["workload"]["scaleToZero"] = json!({ "interceptor": { "namespace": "keda-two" } });
    world.set_class(&world.usual_class.clone());
    world.settle();
    let places: Vec<&String> = world.children[&Kind::ReferenceGrant].keys().collect();
    assert_eq!(places, ["keda-two/openclaw-alice"]);
    assert_eq!(world.ready(), (true, "Verified".into()));
}

fn broken_class() -> Value {
    let mut class = sleepy_class();
    class["workload"]["env"] = json!([{ "name": "LOG_LEVEL", "value": "broken" }]);
    class["rollout"] = json!({ "maxInFlight": 1, "maxFailures": 1, "deadlineSeconds": 300 });
    class
}

fn is_broken(pod: &Value) -> bool {
    pod["metadata"]["labels"]["template"].as_str().is_some_and(|template| template.contains("broken"))
}

#[test]
fn what_was_never_seen_to_start_does_not_sleep() {
    let mut world = World::new();
    world.serve_optional(true);
    world.set_class(&sleepy_class());
    world.make_tenant(&spec_json());
    world.is_used = false;
    world.break_pods(|_| true);
    world.settle();
    assert!(world.children[&Kind::ScaledObject].is_empty());
    assert!(!world.ready().0 && !world.pods.is_empty());
    world.break_pods(|_| false);
    world.settle();
    assert_eq!(reason(&mut world, "WorkloadReady").0, "Asleep");
}

#[test]
fn a_roll_out_that_failed_is_not_mended_by_sleep() {
    let mut world = awake();
    world.break_pods(is_broken);
    world.set_class(&broken_class());
    world.settle();
    world.pass(1000);
    assert_eq!(world.cache.figures(world.now).gate.failed, 1);
    // The scaler knows nothing of readiness: it waits until the workspace was seen to start.
    world.is_used = false;
    world.settle();
    world.pass(61);
    assert!(!world.pods.is_empty() && world.children[&Kind::ScaledObject].is_empty());
    assert_eq!(world.cache.figures(world.now).gate.failed, 1);
    assert!(!world.ready().0);
    // Nor does a rotation count it as done.
    let before = current(&world);
    world.annotate_tenant(labels::ROTATE_SECRETS, "now");
    world.settle();
    assert_eq!(current(&world), before);
}

/// Nobody may come for weeks, and nobody would know whether it starts: it starts once, and then sleeps.
#[test]
fn one_that_is_put_to_sleep_amid_a_roll_starts_once_before_it_sleeps() {
    for order in [None, Some("now"), Some("compromised: now")] {
        let mut world = awake();
        world.edit_tenant(|spec| spec["env"] = json!([{ "name": "LOG_LEVEL", "value": "debug" }]));
        world.is_used = false;
        let before = current(&world);
        if let Some(order) = order {
            world.round();
            controllers::run(&mut world);
            world.annotate_tenant(labels::ROTATE_SECRETS, order);
        }
        world.settle();
        world.pass(400);
        world.pass(400);
        assert_eq!(world.ready(), (true, "Verified".into()), "{order:?}");
        assert_eq!(reason(&mut world, "WorkloadReady").0, "Asleep", "{order:?}");
        assert_eq!(current(&world) == before, order.is_none(), "{order:?}");
    }
}

#[test]
fn a_sleeping_tenant_s_template_is_written_after_its_configuration_and_record() {
    let mut world = asleep();
    world.set_class(&broken_class());
    for round in 0..8 {
        let config_is_new = |world: &World| {
            let wanted = world.record_spec().template.map(|template| template.config);
            let live = world.child(Child::ConfigMap).expect("a ConfigMap");
            wanted == Some(crate::tenant::digest::ContentHash::of_object(Kind::ConfigMap, live).to_hex())
        };
        let plan = world.round_with(&mut |action| match action {
            Action::Update { child: Child::ConfigMap, .. } => super::world::Fault::Lost,
            _ => super::world::Fault::None,
        });
        let writes_set =
            plan.actions.iter().any(|action| matches!(action, Action::Update { child: Child::StatefulSet, .. }));
        assert!(!writes_set || config_is_new(&world), "round {round}");
    }
}

#[test]
fn there_is_never_more_than_one_replica_whatever_somebody_sets() {
    let mut world = awake();
    world.broken.push("scaler");
    world.edit_child(Child::StatefulSet, |set| set["spec"]["replicas"] = json!(3));
    world.round();
    assert_eq!(replicas(&world), 1);
}

#[test]
fn the_route_leads_through_the_interceptor_only_once_that_leads_on() {
    let mut world = World::new();
    world.serve_optional(true);
    world.set_class(&sleepy_class());
    world.make_tenant(&spec_json());
    world.broken.push("judges");
    world.settle();
    let backend = |world: &World| {
        world.child(Child::Route).expect("a route")["spec"]["rules"][0]["backendRefs"][0]["namespace"].clone()
    };
    assert_eq!(backend(&world), Value::Null, "nobody has taken the InterceptorRoute up");
    world.broken.clear();
    world.settle();
    assert_eq!(backend(&world), "keda");
    // And back: the route first.
    world.set_class(&class_json());
    world.done.clear();
    world.settle();
    assert_eq!(backend(&world), Value::Null);
    let at = |is_it: &dyn Fn(&Action) -> bool| world.done.iter().position(is_it).expect("it was done");
    let route = at(&|action| matches!(action, Action::Update { child: Child::Route, .. }));
    let grant = at(&|action| matches!(action, Action::Delete { child: Child::InterceptorGrant, .. }));
    assert!(route < grant);
}

#[test]
fn a_scaler_whose_keda_is_gone_is_waited_for_by_nobody_for_long() {
    let mut world = asleep();
    world.held.push(Kind::ScaledObject);
    world.set_class(&class_json());
    world.settle();
    assert_eq!((world.ready(), replicas(&world)), ((true, "Verified".into()), &json!(1)));

    let mut world = awake();
    world.held.push(Kind::ScaledObject);
    world.suspend(true);
    world.settle();
    assert_eq!(replicas(&world), 0, "at once");
    world.pass(61);
    assert_eq!(world.ready(), (true, "Suspended".into()));
    world.delete_tenant();
    world.settle();
    world.pass(61);
    assert!(world.tenant.is_none());
}

#[test]
fn a_target_group_that_its_controller_holds_is_nobody_s_trouble() {
    let mut world = World::new();
    world.serve_optional(true);
    let mut class = class_json();
    class["routing"]["targetGroup"] = json!({});
    world.set_class(&class);
    world.make_tenant(&spec_json());
    world.settle();
    world.held.push(Kind::TargetGroupConfiguration);
    world.set_class(&class_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    let live = world.child(Child::TargetGroup).expect("while a route leads to the workspace");
    assert_eq!(live["spec"]["defaultConfiguration"], json!({}));
    assert!(live["metadata"]["deletionTimestamp"].is_null());
    // Deleted by hand it stays until the route goes, and counts until then.
    world.delete_child(Child::TargetGroup);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn a_lost_record_takes_no_grant_away() {
    let mut world = awake();
    world.record = None;
    world.done.clear();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert!(!world.done.iter().any(|action| matches!(action, Action::DeleteStray { .. })), "{:#?}", world.done);
    assert_eq!(world.record_spec().routing.interceptor.expect("recorded").as_str(), "keda");
}

#[test]
fn a_grant_that_comes_into_sight_again_goes_although_nobody_holds_the_name() {
    let mut world = awake();
    let grant = world.children[&Kind::ReferenceGrant]["keda/openclaw-alice"].clone();
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none());
    let back = world.born(grant);
    world.children.entry(Kind::ReferenceGrant).or_default().insert("keda/openclaw-alice".into(), back);
    world.settle();
    assert!(world.children[&Kind::ReferenceGrant].is_empty());
}
