//! How the fleet stands, told to the metrics from time to time: what grows with the number of tenants is no part of anybody's pass.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cache::Cache;
use crate::telemetry::metrics::{Figures, Metrics};

/// How often figures over all tenants are taken. Each is a walk over every tenant: taken for every pass, it would make each tenant dearer by
/// the size of the fleet. Scrapes come no more often.
pub(super) const PERIOD: Duration = Duration::from_secs(5);

/// Tells the metrics how the fleet stands, until it is stopped: only the process that leads, so that figures of several add up.
pub async fn follow(cache: Arc<Cache>, metrics: Metrics, leading: watch::Receiver<bool>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {
                let leads = *leading.borrow();
                metrics.set_fleet(&if leads { cache.figures() } else { Figures::default() });
            }
        }
    }
}
