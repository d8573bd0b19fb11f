//! One condition among those of a class.
//!
//! PURE.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::tenant::reason::Reason;

/// What a condition says: its status, why, and in words.
pub(super) type Words = (&'static str, Reason, String);

/// All conditions with this one as it is now, each at the place that it has: another order would be another status.
pub(super) fn with(
    before: &[Condition],
    kind: &str,
    (status, reason, message): Words,
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let mut conditions = before.to_vec();
    let earlier = conditions.iter_mut().find(|condition| condition.type_ == kind);
    let since = earlier.as_ref().filter(|earlier| earlier.status == status);
    let condition = Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.as_str().to_owned(),
        message,
        observed_generation: Some(generation),
        last_transition_time: since.map_or(Time(now), |earlier| earlier.last_transition_time.clone()),
    };
    match earlier {
        Some(earlier) => *earlier = condition,
        None => conditions.push(condition),
    }
    conditions
}
