//! How often progress is told.
//!
//! PURE. A tenant on its way passes through some five states within seconds, each with a message of its own, and each of them is a write. The first
//! is told at once, and so is everything that somebody may wait for or has to do something about; what only tells how far it has come since is
//! told every few seconds.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::tenant::TenantStatus;

/// The least time between two statuses that only tell of progress.
const PACE: Duration = Duration::from_secs(5);

/// How long a status may wait that only tells of progress since the one that was told at that time; `None` where it is told now.
pub fn rest(previous: &TenantStatus, next: &TenantStatus, told: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    // Where nobody knows when it was told, as after a restart, or the clock went back, nothing waits.
    let since = Duration::try_from(now.duration_since(told?)).ok()?;
    let rest = PACE.checked_sub(since).filter(|rest| !rest.is_zero())?;
    is_only_progress(previous, next).then_some(rest)
}

/// Whether a tenant is on its way, as it was, and nothing that stood before stands no more.
fn is_only_progress(previous: &TenantStatus, next: &TenantStatus) -> bool {
    let is_on_its_way =
        |status: &TenantStatus| status.is_true("Reconciling") && !status.is_true("Stalled") && !status.is_true("Ready");
    let reason = |status: &TenantStatus| status.condition("Ready").map(|ready| ready.reason.clone());
    let mut stood = previous.conditions.iter().filter(|condition| condition.status == "True");
    let still_stands = |condition: &Condition| next.is_true(&condition.type_);
    is_on_its_way(previous)
        && is_on_its_way(next)
        && previous.observed_generation == next.observed_generation
        && previous.phase == next.phase
        && reason(previous) == reason(next)
        && stood.all(still_stands)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::api::tenant::Phase;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).expect("time")
    }

    fn status(phase: Phase, conditions: &[(&str, &str, &str)]) -> TenantStatus {
        let condition = |(kind, status, reason): &(&str, &str, &str)| Condition {
            type_: (*kind).into(),
            status: (*status).into(),
            reason: (*reason).into(),
            message: "…".into(),
            observed_generation: Some(3),
            last_transition_time: Time(at(0)),
        };
        TenantStatus {
            observed_generation: 3,
            phase,
            conditions: conditions.iter().map(condition).collect(),
            ..TenantStatus::default()
        }
    }

    fn on_its_way(storage: (&str, &str)) -> TenantStatus {
        let storage = ("StorageReady", storage.0, storage.1);
        let whole = [("Ready", "False", "Progressing"), ("Reconciling", "True", "Progressing")];
        status(Phase::Provisioning, &[whole[0], whole[1], ("NetworkReady", "True", "Verified"), storage])
    }

    #[test]
    fn progress_waits_for_the_rest_of_five_seconds() {
        let (before, after) = (on_its_way(("False", "ClaimPending")), on_its_way(("True", "Verified")));
        assert_eq!(rest(&before, &after, Some(at(0)), at(0)), Some(PACE));
        assert_eq!(rest(&before, &after, Some(at(0)), at(3)), Some(Duration::from_secs(2)));
        assert_eq!(rest(&before, &after, Some(at(0)), at(5)), None);
    }

    #[test]
    fn nothing_waits_where_nobody_knows_when_it_was_told() {
        let (before, after) = (on_its_way(("False", "ClaimPending")), on_its_way(("True", "Verified")));
        assert_eq!(rest(&before, &after, None, at(0)), None);
        assert_eq!(rest(&before, &after, Some(at(10)), at(0)), None, "the clock went back");
    }

    /// Nobody waits to hear what they wait for, what they have to do, or that something fell.
    #[test]
    fn whatever_is_more_than_progress_is_told_at_once() {
        let before = on_its_way(("True", "Verified"));
        let ready = status(Phase::Ready, &[("Ready", "True", "Verified"), ("NetworkReady", "True", "Verified")]);
        let stalled =
            |phase| status(phase, &[("Ready", "False", "AwaitingValue"), ("Stalled", "True", "AwaitingValue")]);
        let mut of_an_edit = before.clone();
        of_an_edit.observed_generation += 1;
        let leaving = status(Phase::Deleting, &[("Ready", "False", "Deleting"), ("Reconciling", "True", "Deleting")]);
        let rows = [
            ("Ready", before.clone(), ready.clone()),
            ("no more Ready", ready, before.clone()),
            ("a person is needed", before.clone(), stalled(Phase::Error)),
            ("no person is needed any more", stalled(Phase::Error), before.clone()),
            ("an edit was seen", before.clone(), of_an_edit),
            ("it goes", before.clone(), leaving),
            ("something fell", before.clone(), on_its_way(("False", "ClaimPending"))),
            ("the first of all", TenantStatus::default(), before),
        ];
        for (what, previous, next) in rows {
            assert_eq!(rest(&previous, &next, Some(at(0)), at(0)), None, "{what}");
        }
    }
}
