//! What the tests stand on.

mod aws;
mod evidence;
mod instance;
mod others;
mod tenant;

pub use aws::{Disturbance, Fault};
pub use instance::{ACCOUNT, Instance, LOOKS_OFTEN, OPERATOR, OPTIONAL, OperatorProcess, Start};
pub use tenant::{BREAK_GLASS, Bed, condition, content, example_class, merge, refusal, rehearsed};

use std::{future::Future, time::Duration};

/// How long anything may take before a test gives up: far more than it ever took, so that a busy machine fails nothing. A score of
/// namespaces that went at once took more than two minutes of one that was shared with others, an OpenClaw that started as long.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(50);

/// Looks until something is there; `None` when patience ends.
pub async fn eventually<T, F: Future<Output = Option<T>>>(look: impl FnMut() -> F) -> Option<T> {
    eventually_every(PERIOD, look).await
}

/// The same, looking as often as this: where many wait at once, their looks are the most of a machine's work.
pub async fn eventually_every<T, F: Future<Output = Option<T>>>(
    period: Duration,
    mut look: impl FnMut() -> F,
) -> Option<T> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if tokio::time::Instant::now() > end {
            return None;
        }
        tokio::time::sleep(period).await;
    }
}
