//! From how far a pod template has come to what a class's status says of it.
//!
//! PURE.

use jiff::Timestamp;

use super::condition::{Words, with};
use crate::{
    api::class::{RolloutStatus, TenantClassStatus},
    tenant::{progress::Progress, reason::Reason, rollout::stopped},
};

/// The condition.
const ROLLED_OUT: &str = "RolledOut";

/// The status with what is to be said of the roll-out of this generation. The rest stays as it is.
pub(super) fn rolled(
    progress: &Progress,
    before: &TenantClassStatus,
    generation: i64,
    now: Timestamp,
) -> TenantClassStatus {
    let conditions = with(&before.conditions, ROLLED_OUT, words(progress), generation, now);
    TenantClassStatus { conditions, rollout: Some(figures(progress)), ..before.clone() }
}

fn figures(progress: &Progress) -> RolloutStatus {
    RolloutStatus {
        total: progress.total,
        updated: progress.updated,
        in_flight: progress.in_flight,
        failed: progress.failed,
        pending: progress.waiting + progress.held + progress.undecided,
        stopped: progress.stopped_by.is_some(),
    }
}

fn words(progress: &Progress) -> Words {
    let Progress { total, updated, .. } = progress;
    if progress.is_complete() {
        let message = match total {
            0 => "no tenant has this class".to_owned(),
            total => format!("all {total} tenants have the present pod template"),
        };
        return ("True", Reason::Verified, message);
    }
    let rows = [
        (progress.in_flight, "restart with it"),
        (progress.failed, "were ready before it and are not in time after it"),
        (progress.waiting, "wait at the gate"),
        (progress.held, "cannot take it now (kubectl get tenants says why)"),
        (progress.undecided, "are to be looked at"),
    ];
    let rows = rows.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let figures =
        format!("{updated} of {total} tenants have the present pod template; {}", rows.collect::<Vec<_>>().join(", "));
    match &progress.stopped_by {
        Some((names, count)) => ("False", Reason::RolloutStopped, format!("{}. {figures}", stopped(names, *count))),
        None => ("False", Reason::RolloutProgressing, figures),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::{
        super::told::{Seen, told},
        *,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time")
    }

    fn said(progress: &Progress) -> (String, String, String) {
        let status = rolled(progress, &TenantClassStatus::default(), 3, at(1));
        let [one] = status.conditions.as_slice() else { panic!("one condition: {status:?}") };
        (one.status.clone(), one.reason.clone(), one.message.clone())
    }

    #[test]
    fn the_same_again_is_the_same_status_and_no_write() {
        let progress = Progress { total: 3, updated: 3, ..Progress::default() };
        let first = rolled(&progress, &TenantClassStatus::default(), 3, at(1));
        assert_eq!(rolled(&progress, &first, 3, at(1_000)), first);
        let figures = RolloutStatus { total: 3, updated: 3, ..RolloutStatus::default() };
        assert_eq!(first.rollout, Some(figures));
    }

    #[test]
    fn a_roll_out_is_told_with_its_figures_and_one_that_has_stopped_with_what_to_do() {
        let all = Progress { total: 2, updated: 2, ..Progress::default() };
        let told = said(&all);
        assert_eq!((told.0.as_str(), told.1.as_str()), ("True", "Verified"));
        assert_eq!(told.2, "all 2 tenants have the present pod template");

        let under_way = Progress { total: 9, updated: 1, in_flight: 2, waiting: 5, held: 1, ..Progress::default() };
        let told = said(&under_way);
        assert_eq!((told.0.as_str(), told.1.as_str()), ("False", "RolloutProgressing"));
        let figures = "1 of 9 tenants have the present pod template; 2 restart with it, 5 wait at the gate, 1 cannot take it \
                       now (kubectl get tenants says why)";
        assert_eq!(told.2, figures);

        let bob = "bob".parse().expect("name");
        let stopped_by = Some((vec![bob], 1));
        let told = said(&Progress { failed: 1, in_flight: 1, stopped_by, ..under_way });
        assert_eq!((told.0.as_str(), told.1.as_str()), ("False", "RolloutStopped"));
        assert!(told.2.contains("(bob). Mend them, or take the change back"), "{}", told.2);
    }

    /// Two tell of one class: neither changes what the other has said, nor the order.
    #[test]
    fn role_and_roll_out_come_to_rest_together() {
        let progress = Progress { total: 1, updated: 1, ..Progress::default() };
        let role = told(&Seen::NoIdentity, &TenantClassStatus::default(), 1, at(1));
        let both = rolled(&progress, &role, 1, at(2));
        assert_eq!(told(&Seen::NoIdentity, &both, 1, at(3)), both);
        assert_eq!(rolled(&progress, &both, 1, at(4)), both);
    }

    #[test]
    fn what_is_said_of_the_role_stays() {
        let role = Condition {
            type_: "RoleReady".into(),
            status: "True".into(),
            reason: "Verified".into(),
            message: "m".into(),
            observed_generation: Some(1),
            last_transition_time: Time(at(1)),
        };
        let before = TenantClassStatus { observed_generation: 1, conditions: vec![role.clone()], ..Default::default() };
        let after = rolled(&Progress::default(), &before, 2, at(2));
        assert_eq!((after.observed_generation, after.conditions.len(), &after.conditions[0]), (1, 2, &role));
    }
}
