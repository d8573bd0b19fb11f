//! How far a pod template has come, and that whatever changes it passes the gate.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    fixtures::{alice, class_json},
    rolling::somebody_rolls,
    world::World,
};
use crate::{
    api::{
        class::Rollout,
        names::TenantName,
        record::{Counts, Rolling},
    },
    tenant::{
        child::Child,
        gate::Gate,
        progress::{Progress, Reached},
        settings::Settings,
    },
};

fn settled() -> World {
    let mut world = World::with_alice();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    world
}

fn changed_class(value: &str) -> Value {
    let mut class = class_json();
    class["workload"]["env"] = json!([{ "name": "LOG_LEVEL", "value": value }]);
    class["rollout"] = json!({ "maxInFlight": 1, "maxFailures": 1, "deadlineSeconds": 600 });
    class
}

fn progress(world: &World) -> Progress {
    let all = world.cache.progress(world.now);
    let [(class, _, progress)] = all.as_slice() else { panic!("one class: {all:?}") };
    assert_eq!(class.as_str(), "default");
    progress.clone()
}

fn one() -> Progress {
    Progress { total: 1, ..Progress::default() }
}

#[test]
fn every_tenant_of_a_class_is_counted_once_where_it_stands() {
    let name = |text: &str| text.parse::<TenantName>().expect("name");
    let now = super::fixtures::start();
    let rolling = |counts, seconds| {
        let deadline = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now + SignedDuration::from_secs(seconds));
        Rolling { counts, deadline }
    };
    let rollout = Rollout { max_in_flight: 3, max_failures: 1, ..Rollout::default() };
    let mut gate = Gate::default();
    gate.recorded(&name("on-its-way"), Some(&rolling(Counts::Fully, 60)));
    gate.recorded(&name("late-for-itself"), Some(&rolling(Counts::Place, -60)));
    gate.ask(&name("granted"), &rollout, now);
    gate.recorded(&name("failed"), Some(&rolling(Counts::Fully, -60)));
    gate.ask(&name("waits"), &rollout, now);
    let (present, at_gate) = (Some(Reached::Present), Some(Reached::AtGate));
    let rows = [
        ("on-its-way", present),
        ("late-for-itself", present),
        ("granted", at_gate),
        ("failed", present),
        ("waits", at_gate),
        ("through", present),
        ("refused", Some(Reached::Former)),
        ("attached", Some(Reached::Another)),
        ("new", None),
    ];
    let rows: Vec<(TenantName, Option<Reached>)> = rows.map(|(tenant, reached)| (name(tenant), reached)).into();
    let of = |rollout: &Rollout| Progress::of(rows.iter().map(|(name, reached)| (name, *reached)), &gate, rollout, now);
    let expected = Progress {
        total: 8,
        updated: 1,
        in_flight: 3,
        failed: 1,
        waiting: 1,
        held: 1,
        undecided: 1,
        stopped_by: Some((vec![name("failed")], 1)),
    };
    assert_eq!(of(&rollout), expected);
    let patient = of(&Rollout { max_failures: 2, ..rollout });
    assert_eq!(patient, Progress { stopped_by: None, ..expected });
}

#[test]
fn a_roll_out_is_followed_from_the_change_of_the_class_to_its_end() {
    let mut world = settled();
    world.round();
    assert_eq!(progress(&world), Progress { updated: 1, ..one() });
    somebody_rolls(&world, true, false);
    world.set_class(&changed_class("debug"));
    world.observe();
    assert_eq!(progress(&world), Progress { undecided: 1, ..one() });
    assert!(progress(&world).is_premature(), "nobody knows yet whether it changes anything for anybody");
    world.settle();
    assert_eq!(progress(&world), Progress { waiting: 1, ..one() });
    somebody_rolls(&world, true, true);
    world.round();
    let stopped_by = Some((vec!["bob".parse().expect("name")], 1));
    assert_eq!(progress(&world), Progress { waiting: 1, stopped_by, ..one() });
    somebody_rolls(&world, false, false);
    let mut seen = Vec::new();
    for _ in 0..20 {
        world.round();
        super::controllers::run(&mut world);
        let now = progress(&world);
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    assert_eq!(seen, [Progress { in_flight: 1, ..one() }, Progress { updated: 1, ..one() }]);
}

#[test]
fn a_class_that_changes_nothing_of_the_template_is_through_at_once() {
    let mut world = settled();
    let mut class = class_json();
    class["quota"]["pods"] = json!(9);
    world.set_class(&class);
    world.round();
    assert_eq!(progress(&world), Progress { updated: 1, ..one() });
}

/// A pod that goes down later, a paused tenant and one that is refused are not taken for what they are not.
#[test]
fn what_happens_after_a_roll_out_is_none() {
    let mut world = settled();
    world.pods.clear();
    world.round();
    assert_eq!(progress(&world), Progress { updated: 1, ..one() });
    world.settle();
    world.annotate_tenant(crate::api::labels::PAUSED, "true");
    world.round();
    assert_eq!(progress(&world), Progress { updated: 1, ..one() }, "nothing would be changed");
    world.set_class(&changed_class("debug"));
    world.round();
    assert_eq!(progress(&world), Progress { held: 1, ..one() });
    world.delete_tenant();
    world.round();
    assert_eq!(progress(&world), Progress::default());
}

/// Section 8: a new version of the operator renders another template, though neither class nor Tenant have changed.
#[test]
fn an_upgrade_of_the_operator_passes_the_gate() {
    let mut world = settled();
    let template = |world: &World| world.child(Child::StatefulSet).expect("a set")["spec"]["template"].clone();
    let (former, pod) = (template(&world), world.pods.clone());
    // What it was started with before is nothing that another version renders.
    let upgraded = Settings { emulator_endpoint: Some("http://127.0.0.1:1".into()), ..world.settings.as_ref().clone() };
    world.settings = Arc::new(upgraded);
    world.restart();
    world.observe();
    somebody_rolls(&world, true, false);
    world.set_class(&{
        let mut class = class_json();
        class["rollout"] = json!({ "maxInFlight": 1 });
        class
    });
    world.settle();
    assert_eq!(world.ready(), (true, "RolloutPending".into()));
    assert_eq!((template(&world), &world.pods), (former.clone(), &pod), "the former one runs");
    assert_eq!(progress(&world), Progress { waiting: 1, ..one() });
    somebody_rolls(&world, false, false);
    assert_eq!(world.cache.take_woken(), [alice()]);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_ne!(template(&world), former);
    assert_eq!(progress(&world), Progress { updated: 1, ..one() });
}
