//! How the fleet stands, told to the metrics from time to time: what grows with the number of tenants is no part of anybody's pass.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::cache::Cache;
use crate::telemetry::metrics::Metrics;

/// Scrapes come no more often.
const PERIOD: Duration = Duration::from_secs(5);

/// Tells the metrics how the fleet stands, until it is stopped.
pub async fn follow(cache: Arc<Cache>, metrics: Metrics, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => metrics.set_fleet(&cache.figures()),
        }
    }
}
