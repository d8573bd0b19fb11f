use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;

fn name(text: &str) -> TenantName {
    text.parse().expect("name")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("time")
}

fn rollout(max_in_flight: u16, max_failures: u16) -> Rollout {
    Rollout { max_in_flight, max_failures, ..Rollout::default() }
}

fn rolling(counts: Counts, deadline: i64) -> Rolling {
    Rolling { counts, deadline: Time(at(deadline)) }
}

/// Asks, and says how that stands.
fn ask(gate: &mut Gate, tenant: &str, rollout: Rollout, now: i64) -> Turn {
    gate.ask(&name(tenant), &rollout, at(now));
    gate.turn(&name(tenant))
}

#[test]
fn no_more_are_let_through_than_may_restart_at_the_same_time() {
    let (mut gate, two) = (Gate::default(), rollout(2, 1));
    assert_eq!(ask(&mut gate, "a", two, 0), Turn::Granted);
    assert_eq!(ask(&mut gate, "b", two, 0), Turn::Granted);
    assert_eq!(ask(&mut gate, "c", two, 0), Turn::Full { in_flight: 2 });
    // What is recorded takes the place of the leave, not a second one.
    gate.recorded(&name("a"), Some(&rolling(Counts::Fully, 100)));
    assert_eq!(ask(&mut gate, "c", two, 0), Turn::Full { in_flight: 2 });
    gate.recorded(&name("a"), None);
    assert_eq!(gate.take_woken(), [name("c")]);
    assert_eq!(ask(&mut gate, "c", two, 0), Turn::Granted);
}

#[test]
fn those_who_wait_are_woken_first_come_first_as_long_as_there_is_room() {
    let (mut gate, one) = (Gate::default(), rollout(1, 1));
    for tenant in ["a", "z", "b"] {
        ask(&mut gate, tenant, one, 0);
    }
    gate.leave(&name("a"));
    assert_eq!(gate.take_woken(), [name("z")]);
    let wide = rollout(10, 1);
    assert_eq!(ask(&mut gate, "z", wide, 0), Turn::Granted);
    assert_eq!(gate.take_woken(), [name("b")], "there may be room for another");
    assert_eq!(ask(&mut gate, "b", wide, 0), Turn::Granted);
    assert_eq!(gate.take_woken(), Vec::<TenantName>::new());
}

#[test]
fn failures_stop_the_gate_until_they_are_ready() {
    let (mut gate, rollout) = (Gate::default(), rollout(10, 2));
    for tenant in ["a", "b"] {
        gate.recorded(&name(tenant), Some(&rolling(Counts::Fully, 100)));
    }
    assert_eq!(ask(&mut gate, "c", rollout, 99), Turn::Granted, "they still have time");
    gate.leave(&name("c"));
    let stopped = Turn::Stopped { failed: vec![name("a"), name("b")], count: 2 };
    assert_eq!(ask(&mut gate, "c", rollout, 100), stopped);
    assert_eq!(gate.figures(at(100)), GateFigures { in_flight: 2, waiting: 1, failed: 2 });
    gate.recorded(&name("a"), None);
    assert_eq!(gate.take_woken(), [name("c")]);
    assert_eq!(ask(&mut gate, "c", rollout, 101), Turn::Granted);
}

#[test]
fn one_that_was_not_ready_before_stops_nobody_and_holds_its_place_only_for_its_time() {
    let (mut gate, one) = (Gate::default(), rollout(1, 1));
    gate.recorded(&name("a"), Some(&rolling(Counts::Place, 100)));
    assert_eq!(ask(&mut gate, "b", one, 99), Turn::Full { in_flight: 1 });
    assert_eq!(ask(&mut gate, "b", one, 100), Turn::Granted);
    gate.recorded(&name("c"), Some(&rolling(Counts::Nothing, 0)));
    assert_eq!(gate.figures(at(200)), GateFigures { in_flight: 1, waiting: 0, failed: 0 });
}
