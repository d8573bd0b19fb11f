//! When rotations by schedule are due.
//!
//! PURE.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::{
    class::TenantClassSpec,
    names::{Incarnation, sha256_hex},
    record::RecordedSecret,
};

/// A scheduled rotation that failed is not tried again before this.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_hours(24);

/// Seconds of a day.
const DAY: i64 = 24 * 3600;

/// The longest that a tenant with a schedule rests: its hour is not to be slept through.
pub(super) const NAP: Duration = Duration::from_mins(20);

/// Each tenant rotates in an hour of its own of the day: a class that begins to rotate finds all of its tenants due.
pub(super) fn is_its_hour(now: Timestamp, incarnation: &Incarnation) -> bool {
    let begins = share_of(&[incarnation.as_str(), "hour"], DAY);
    (now.as_second() - begins).rem_euclid(DAY) < 3600
}

/// When a generated secret is to be rotated by the class's schedule; `None` where it has none.
pub(super) fn due_at(class: &TenantClassSpec, incarnation: &Incarnation, item: &RecordedSecret) -> Option<Timestamp> {
    let generated = class.secrets.generated.iter().find(|one| one.name == item.name)?;
    let seconds = i64::from(generated.rotate_every_days?) * DAY;
    let last = item.rotated_at.as_ref()?.0;
    // From nine to eleven tenths of the period, another part of it for each tenant, secret and time.
    let text = [incarnation.as_str(), item.name.as_str(), &last.as_second().to_string()];
    let jittered = seconds / 10 * 9 + share_of(&text, seconds / 5);
    let due = last.checked_add(SignedDuration::from_secs(jittered)).ok()?;
    let after_failure = item.failed_at.as_ref().and_then(|failed| failed.0.checked_add(AFTER_FAILURE).ok());
    Some(due.max(after_failure.unwrap_or(due)))
}

/// A part of a span that is another for each text, and always the same for one.
fn share_of(text: &[&str], span: i64) -> i64 {
    let hash = sha256_hex(text);
    let drawn = hash.get(..4).and_then(|digits| i64::from_str_radix(digits, 16).ok()).unwrap_or(0);
    span * drawn / 0xffff
}
