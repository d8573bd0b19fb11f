//! What `make bench-check` takes for worse, shown with the figures that are committed, and that the committed table is theirs.

#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

#[allow(dead_code, reason = "what the benchmark counts; this reads it")]
#[path = "../benches/fleet/asked.rs"]
mod asked;
#[path = "../benches/fleet/check.rs"]
mod check;
#[allow(dead_code, reason = "what the benchmark measures; this reads it")]
#[path = "../benches/fleet/figures.rs"]
mod figures;
#[path = "../benches/fleet/picture.rs"]
mod picture;
#[allow(dead_code, reason = "what the benchmark writes; this reads it")]
#[path = "../benches/fleet/report.rs"]
mod report;
#[allow(dead_code, reason = "what the benchmark measures; this reads it")]
#[path = "../benches/fleet/usage.rs"]
mod usage;

use asked::Asked;
use figures::{Floor, Neighbours, Point, Run, Work};

/// What is committed of 100 tenants, as a new run that found the very same, but for a change.
fn run_with(change: impl Fn(&mut Point)) -> Run {
    let mut run = report::committed();
    run.points.retain(|point| point.tenants == 100);
    run.points.iter_mut().for_each(change);
    run
}

fn failures_with(change: impl Fn(&mut Point)) -> Vec<String> {
    check::failures(&run_with(change), &report::committed())
}

fn floor(point: &mut Point) -> &mut Floor {
    point.floor.as_mut().expect("the committed run has a floor")
}

fn ill(point: &mut Point) -> &mut Neighbours {
    point.neighbours.as_mut().expect("the committed run has ill neighbours")
}

fn work(point: &mut Point) -> &mut Work {
    ill(point).work.as_mut().expect("the committed run says what was worked beside ill neighbours")
}

/// What makes a ratio so many hundredths of what it is, and leaves all others.
type Change = fn(&mut Point, u32);

const RATIOS: [(&str, Change); 5] = [
    ("converge by floor", |point, hundredths| floor(point).seconds /= times(hundredths)),
    ("CPU time by the floor's", |point, hundredths| floor(point).work_seconds /= times(hundredths)),
    ("p99 beside ill neighbours, at the machine's pace", |point, hundredths| {
        ill(point).latency.p99 *= times(hundredths);
    }),
    ("CPU time beside ill neighbours, at the machine's pace", |point, hundredths| {
        let work = work(point);
        let more = work.usage.cpu_seconds * (times(hundredths) - 1.0);
        // What all others did stays, and with it the machine's pace.
        work.usage.cpu_seconds += more;
        work.seconds += more;
    }),
    ("requests beside ill neighbours", |point, hundredths| {
        let work = work(point);
        work.requests = work.requests * u64::from(hundredths) / 100;
        // So does the pace where others had as much more to do.
        let own = work.usage.cpu_seconds;
        work.seconds = (work.seconds - own).mul_add(times(hundredths), own);
    }),
];

fn times(hundredths: u32) -> f64 {
    f64::from(hundredths) / 100.0
}

#[test]
fn a_run_that_finds_what_is_committed_passes() {
    assert_eq!(failures_with(|_| {}), Vec::<String>::new());
}

#[test]
fn a_ratio_that_is_worse_by_more_than_the_tolerance_fails_and_is_named() {
    for (what, change) in RATIOS {
        let failures = failures_with(|point| change(point, 130));
        assert_eq!(failures.len(), 1, "{what}: {failures:?}");
        assert!(failures[0].starts_with(&format!("100 tenants: {what} is ")), "{what}: {failures:?}");
    }
}

#[test]
fn a_ratio_that_is_worse_within_the_tolerance_passes() {
    for (what, change) in RATIOS {
        assert_eq!(failures_with(|point| change(point, 120)), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn a_ratio_that_is_better_passes() {
    for (what, change) in RATIOS {
        assert_eq!(failures_with(|point| change(point, 50)), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn what_is_written_at_rest_or_by_a_restart_fails() {
    let (event, patch) = ("an event", "patch configmaps");
    let wrote = |asked: &mut Asked, what: &str| {
        if what == event {
            asked.events += 1;
        } else {
            *asked.writes.entry(what.to_owned()).or_default() += 1;
        }
    };
    for what in [event, patch] {
        let at_rest = failures_with(|point| wrote(&mut point.rest.as_mut().expect("rest").asked, what));
        assert_eq!(at_rest.len(), 1, "{what}: {at_rest:?}");
        assert!(at_rest[0].starts_with("100 tenants: at rest something was written: "), "{at_rest:?}");
        let by_restart = failures_with(|point| wrote(&mut point.restart.as_mut().expect("restart").asked, what));
        assert_eq!(by_restart.len(), 1, "{what}: {by_restart:?}");
        assert!(by_restart[0].starts_with("100 tenants: a restart wrote: "), "{by_restart:?}");
    }
}

#[test]
fn a_size_of_which_nothing_is_committed_fails() {
    let failures = failures_with(|point| point.tenants = 99);
    assert_eq!(failures, ["99 tenants: no such run is committed; make bench commits one"]);
}

#[test]
fn the_committed_table_is_what_its_figures_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance/fleet.md");
    let table = std::fs::read_to_string(path).expect(path);
    assert_eq!(table, report::markdown(&report::committed()), "make bench writes both");
}
