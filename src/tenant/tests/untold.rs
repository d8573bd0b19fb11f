//! What is told where the definition of Tenants has no room for what was to be told.

use jiff::Timestamp;

use super::fixtures::alice;
use crate::{
    api::tenant::{Phase, TenantStatus},
    tenant::{
        action::{PartState, Parts, Story},
        child::Part,
        reason::Reason,
        status::{Telling, untold},
    },
};

fn tell(story: &Story, previous: &TenantStatus) -> TenantStatus {
    let (name, now) = (alice(), Timestamp::from_second(1_000_000).expect("a time"));
    let telling =
        Telling { name: &name, generation: 4, now, story, failures: &[], record: None, class: None, previous };
    untold(&telling, "unknown field".into())
}

/// Condition by condition, whether it is True.
fn conditions(status: &TenantStatus) -> Vec<(&str, bool)> {
    status.conditions.iter().map(|one| (one.type_.as_str(), one.status == "True")).collect()
}

/// Ready is no lie while the status itself cannot be written as it should be.
#[test]
fn a_status_that_cannot_be_told_is_stalled_and_what_was_told_before_stays() {
    let done = PartState::Done(Reason::Verified, "ok".into());
    let parts: Parts = [(Part::Route, done)].into();
    let story = Story::Kept { suspended: false, parts, at_gate: false };
    let previous = TenantStatus {
        url: Some("https://alice.example.com/".into()),
        phase: Phase::Ready,
        observed_generation: 3,
        ..TenantStatus::default()
    };
    let told = tell(&story, &previous);
    assert_eq!(conditions(&told), [("Ready", false), ("Stalled", true), ("RouteReady", true)]);
    assert_eq!(
        (told.conditions[1].reason.as_str(), told.conditions[1].message.as_str()),
        ("RequestRefused", "unknown field")
    );
    let rest = TenantStatus { conditions: Vec::new(), phase: Phase::Ready, observed_generation: 3, ..told.clone() };
    assert_eq!((rest, told.phase, told.observed_generation), (previous, Phase::Error, 4));
    assert_eq!(tell(&story, &told), told, "it is said once");
}

#[test]
fn one_that_is_being_deleted_is_still_being_deleted() {
    let leaving = Story::Leaving { message: "…".into() };
    assert_eq!(tell(&leaving, &TenantStatus::default()).phase, Phase::Deleting);
}
