//! What is asked when nothing is to be done.

use std::time::{Duration, Instant};

use crate::{figures::Rest, fleet::Fleet, logs, platform, support::OperatorProcess};

/// Looks on for so long.
pub async fn measure(fleet: &Fleet, operator: &OperatorProcess, period: Duration) -> Rest {
    println!("rest: {} s", period.as_secs());
    let (mark, before, began) = (logs::mark(fleet.bed.instance).await, platform::usage(operator), Instant::now());
    tokio::time::sleep(period).await;
    let (usage, seconds) = (platform::usage(operator).since(before), began.elapsed().as_secs_f64());
    let asked = logs::since(fleet.bed.instance, mark).await;
    println!("  {} changes, {:.2} s CPU", asked.changes() + asked.events, usage.cpu_seconds);
    Rest { seconds, asked, usage }
}
