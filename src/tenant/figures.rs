//! How the fleet stands, told to the metrics from time to time: what grows with the number of tenants is no part of anybody's pass.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cache::Cache;
use crate::telemetry::metrics::{Figures, Metrics};

/// How often figures over all tenants are taken, at most. Each is a walk over every tenant: taken for every pass, it would make each tenant
/// dearer by the size of the fleet. Scrapes come no more often.
pub(super) const PERIOD: Duration = Duration::from_secs(5);

/// Tells the metrics how the fleet stands, until it is stopped: only the process that leads, so that figures of several add up. At rest they
/// are what they were, and nobody walks.
pub async fn follow(cache: Arc<Cache>, metrics: Metrics, leading: watch::Receiver<bool>, stop: CancellationToken) {
    let (mut ticks, mut told) = (tokio::time::interval(PERIOD), Told::default());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let leads = *leading.borrow();
        if told.is_due(leads, cache.take_changes()) {
            metrics.set_fleet(&if leads { cache.figures(Timestamp::now()) } else { Figures::default() });
        }
    }
}

/// As what figures were told last: as the leader's, or as the nothing of who waits.
#[derive(Default)]
struct Told {
    as_leader: Option<bool>,
}

impl Told {
    fn is_due(&mut self, leads: bool, has_changed: bool) -> bool {
        self.as_leader.replace(leads) != Some(leads) || leads && has_changed
    }
}

#[cfg(test)]
mod tests {
    use super::Told;

    #[test]
    fn who_leads_tells_at_once_and_after_each_change_and_who_waits_once() {
        let mut told = Told::default();
        let looks =
            [(false, true), (false, true), (true, false), (true, false), (true, true), (true, false), (false, true)];
        let due = looks.map(|(leads, has_changed)| told.is_due(leads, has_changed));
        assert_eq!(due, [true, false, true, false, true, false, true]);
    }
}
