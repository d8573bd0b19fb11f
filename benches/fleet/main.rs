//! The fleet: how long the operator takes for N tenants beside a bare client that sends the same, what it does at rest, after a
//! restart, against drift, for a change of class, and what ill neighbours cost the healthy. docs/performance.md says how to run
//! it and what was found.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on ends as a test does")]

#[allow(dead_code, unused_imports, reason = "what the integration tests stand on; this needs a part")]
#[path = "../../tests/it/support/mod.rs"]
mod support;

mod asked;
mod check;
mod converge;
mod drift;
mod figures;
mod fleet;
mod floor;
mod logs;
mod picture;
mod platform;
mod recording;
mod replay;
mod report;
mod rest;
mod restart;
mod script;
mod upheaval;
mod usage;

use std::time::Duration;

use clap::{Parser, ValueEnum};

use figures::{Point, Run};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// From the first apply to the last tenant, beside the floor.
    Converge,
    /// What is asked when nothing is to be done.
    Rest,
    /// From the start of a new process to the last tenant verified.
    Restart,
    /// One object of each kind changed or deleted.
    Drift,
    /// Another pod template for all, with the gate wide open.
    ClassChange,
    /// A tenth of the tenants poisoned, and AWS throttled.
    Neighbours,
}

/// Measures the operator with fleets of tenants on local platforms of its own
#[derive(Debug, Parser)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(name = "fleet", args_override_self = true)]
struct Arguments {
    /// How many tenants, such as 100,1000
    #[arg(long, value_delimiter = ',', default_value = "100,1000")]
    tenants: Vec<u32>,
    /// 5,000 tenants as well
    #[arg(long)]
    large: bool,
    /// For how many seconds the fleet is watched at rest
    #[arg(long, default_value = "600", value_name = "SECONDS")]
    rest: u64,
    /// Only these; converge is always done, for the others need its fleet
    #[arg(long, value_delimiter = ',')]
    only: Vec<Step>,
    /// How many objects of each kind are changed, and how many deleted
    #[arg(long, default_value = "10", value_name = "COUNT")]
    drifts: u32,
    /// Writes the table to docs/performance as well
    #[arg(long)]
    commit: bool,
    /// Keeps what is committed of other sizes, where the same commit was measured on the same machine: large fleets take hours
    #[arg(long)]
    add: bool,
    /// Fails where a ratio is worse than the committed one by more than the tolerance
    #[arg(long)]
    check: bool,
    /// cargo bench says this
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    fn wants(&self, step: Step) -> bool {
        self.only.is_empty() || self.only.contains(&step)
    }

    fn sizes(&self) -> Vec<u32> {
        let large = self.large.then_some(5_000);
        let mut sizes: Vec<u32> = self.tenants.iter().copied().chain(large).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }
}

fn main() {
    let arguments = Arguments::parse();
    let mut run = Run::on_this_machine();
    run.core = report::core_estimates();
    if arguments.add {
        run.keep(report::committed());
    }
    for tenants in arguments.sizes() {
        run.take(measure(&arguments, tenants));
        // What was measured so far is not lost where the next size fails.
        report::write(&run, false);
    }
    report::write(&run, arguments.commit);
    println!("{}", report::markdown(&run));
    if arguments.check {
        compare(&run);
    }
}

/// Ends the process where something is worse than what is committed.
fn compare(run: &Run) {
    let failures = check::failures(run, &report::committed());
    for failure in &failures {
        eprintln!("bench-check: {failure}");
    }
    if !failures.is_empty() {
        std::process::exit(1);
    }
    println!("bench-check: no ratio is worse than the committed one by more than {} times", check::TOLERANCE);
}

fn measure(arguments: &Arguments, tenants: u32) -> Point {
    let mut point = platform::with(move |instance| {
        let arguments = Plan::of(arguments);
        async move { operate(instance, arguments, tenants).await }
    });
    if arguments.wants(Step::Converge) {
        let asked = point.converge.asked.clone();
        point.floor = Some(floor::measure(tenants, &asked));
    }
    if arguments.wants(Step::Neighbours) {
        point.neighbours = Some(platform::with(move |instance| upheaval::neighbours(instance, tenants)));
    }
    point
}

/// What of the arguments concerns one platform.
#[derive(Clone, Copy)]
struct Plan {
    rest: Option<Duration>,
    restart: bool,
    drifts: Option<u32>,
    class_change: bool,
}

impl Plan {
    fn of(arguments: &Arguments) -> Self {
        Self {
            rest: arguments.wants(Step::Rest).then_some(Duration::from_secs(arguments.rest)),
            restart: arguments.wants(Step::Restart),
            drifts: arguments.wants(Step::Drift).then_some(arguments.drifts),
            class_change: arguments.wants(Step::ClassChange),
        }
    }
}

/// Everything that one fleet goes through on one platform, one after the other.
async fn operate(instance: &'static support::Instance, plan: Plan, tenants: u32) -> Point {
    let fleet = fleet::Fleet::new(instance, tenants).await;
    let mut operator = platform::operator(instance);
    fleet.class_is_told().await;
    fleet.is_operated_by(&operator);
    let converge = converge::measure(&fleet, &operator).await;
    let mut point = Point::new(tenants, converge);
    if let Some(period) = plan.rest {
        point.rest = Some(rest::measure(&fleet, &operator, period).await);
    }
    if plan.restart {
        let (restarted, successor) = restart::measure(&fleet, operator).await;
        point.restart = Some(restarted);
        operator = successor;
        fleet.is_operated_by(&operator);
    }
    if let Some(count) = plan.drifts {
        point.drift = drift::measure(&fleet, count).await;
    }
    if plan.class_change {
        point.class_change = Some(upheaval::class_change(&fleet, &operator).await);
    }
    drop(operator);
    point
}
