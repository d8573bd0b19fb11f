//! From the start of a new process to the last tenant verified.

use std::time::{Duration, Instant};

use crate::{
    figures::Restart,
    fleet::Fleet,
    logs, platform,
    support::{OperatorProcess, eventually_every},
};

/// What the operator says when each tenant was decided about by what is there, once since it leads.
const VERIFIED: &str = "every tenant was looked at since this process leads";

const PERIOD: Duration = Duration::from_millis(10);

/// Ends the operator in good order, starts another, and waits until it has verified all.
pub async fn measure(fleet: &Fleet, operator: OperatorProcess) -> (Restart, OperatorProcess) {
    println!("restart");
    let instance = fleet.bed.instance;
    assert!(operator.stop(), "an orderly end");
    let (mark, began) = (logs::mark(instance).await, Instant::now());
    let operator = platform::operator(instance);
    let is_ready = || async { operator.get("/readyz").await.filter(|(status, _)| *status == 200) };
    eventually_every(PERIOD, is_ready).await.expect("the operator is ready");
    let ready_seconds = began.elapsed().as_secs_f64();
    let is_verified = || async { operator.log().contains(VERIFIED).then_some(()) };
    eventually_every(PERIOD, is_verified).await.expect("the operator says that all are verified");
    let unchanged = format!("unchanged={} ", fleet.names.len());
    assert!(operator.log().contains(&unchanged), "all were found as they should be: {}", operator.log());
    let (verified_seconds, usage) = (began.elapsed().as_secs_f64(), platform::usage(&operator));
    let asked = logs::since(instance, mark).await;
    println!("  verified after {verified_seconds:.1} s with {} changes", asked.changes() + asked.events);
    (Restart { ready_seconds, verified_seconds, asked, usage }, operator)
}
