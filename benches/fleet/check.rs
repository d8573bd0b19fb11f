//! Compares a run with the one that is committed.

use crate::figures::{Point, Run};

/// A ratio may be worse than the committed one by so much: runs on a machine that others use differ.
pub const TOLERANCE: f64 = 1.25;

type Ratio = fn(&Point) -> Option<f64>;

/// What is compared, each by its name.
const RATIOS: [(&str, Ratio); 5] = [
    ("converge by floor", Point::ratio),
    ("CPU time by the floor's", Point::work_ratio),
    ("p99 beside ill neighbours, at the machine's pace", Point::lateness_beside_ill),
    ("CPU time beside ill neighbours, at the machine's pace", Point::cpu_beside_ill),
    ("requests beside ill neighbours", Point::requests_beside_ill),
];

/// What is worse than what is committed by more than the tolerance, and what was written where nothing must be.
pub fn failures(run: &Run, committed: &Run) -> Vec<String> {
    let mut failures = Vec::new();
    for point in &run.points {
        let tenants = point.tenants;
        if let Some(rest) = point.rest.as_ref().filter(|rest| rest.asked.changes() + rest.asked.events > 0) {
            failures.push(format!("{tenants} tenants: at rest something was written: {:?}", rest.asked));
        }
        if let Some(restart) = point.restart.as_ref().filter(|one| one.asked.changes() + one.asked.events > 0) {
            failures.push(format!("{tenants} tenants: a restart wrote: {:?}", restart.asked));
        }
        let Some(before) = committed.points.iter().find(|before| before.tenants == tenants) else {
            failures.push(format!("{tenants} tenants: no such run is committed; make bench commits one"));
            continue;
        };
        for (what, ratio) in RATIOS {
            let Some(now) = ratio(point) else { continue };
            let Some(before) = ratio(before) else {
                println!(
                    "bench-check: {tenants} tenants: {what}: {now:.2}, with which nothing that is committed compares"
                );
                continue;
            };
            println!("bench-check: {tenants} tenants: {what}: {now:.2}, committed {before:.2}");
            if now > before * TOLERANCE {
                failures.push(format!("{tenants} tenants: {what} is {now:.2}, committed is {before:.2}"));
            }
        }
    }
    failures
}
