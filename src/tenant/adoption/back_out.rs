//! A cut-over that is taken back: what the operator built is taken away, and the tenant is attached again.
//!
//! PURE. Claim, volume, secrets and former associations stay. Only when all of it is gone is the stage recorded anew; who
//! starts the former workload then meets no pod of ours.

use super::{
    super::{
        action::{Action, PartState, Parts, Story},
        child::{Child, Part},
        comparison::precondition,
        keep::{Kept, replace_record},
        ledger::forget_association,
        observed::{FoundAssociation, Look, Observed},
        progress::Reached,
        reason::Reason,
        retire,
    },
    marks,
};
use crate::api::record::{AdoptionStage, TenantRecordSpec};

/// What becomes of a child when a cut-over is taken back.
pub(super) const fn is_taken_away(child: Child) -> bool {
    match child {
        Child::ResourceQuota
        | Child::LimitRange
        | Child::DefaultDeny
        | Child::Allowlist
        | Child::DomainPolicy
        | Child::DisruptionBudget
        | Child::ServiceAccount
        | Child::ConfigMap
        | Child::Service
        | Child::StatefulSet
        | Child::ScaledObject
        | Child::InterceptorRoute
        | Child::InterceptorGrant
        | Child::TargetGroup
        | Child::Route
        | Child::OwnerBinding
        | Child::OwnerRole
        | Child::OwnerRoleBinding => true,
        // These were there before, and hold what they held.
        Child::Namespace | Child::Claim => false,
    }
}

/// What a living tenant comes to whose cut-over is being taken back.
pub(super) fn kept(observed: &Observed, record: &TenantRecordSpec) -> Kept {
    let (actions, message) = step(observed, record);
    let told = |part: &Part| (*part, PartState::Working(Reason::Progressing, message.clone()));
    let parts: Parts = Part::ALL.iter().map(told).collect();
    Kept { actions, parts, template: Reached::Another }
}

fn step(observed: &Observed, record: &TenantRecordSpec) -> (Vec<Action>, String) {
    let back = "the cut-over is being taken back";
    if let Some(plan) = retire::end_access(observed, record) {
        let message = match plan.story {
            Story::Leaving { message } => format!("{back}: {message}"),
            _ => back.to_owned(),
        };
        return (plan.actions, message);
    }
    let standing: Vec<Child> =
        Child::ALL.iter().copied().filter(|child| is_taken_away(*child) && stands(observed, *child)).collect();
    if !standing.is_empty() {
        let live = standing.iter().filter_map(|child| Some((*child, observed.child(*child)?)));
        let live = live.filter(|(_, live)| !live.deleting);
        let actions = live.map(|(child, live)| Action::Delete { child, precondition: precondition(live) }).collect();
        let names: Vec<&str> = standing.iter().map(|child| child.title()).collect();
        return (actions, format!("{back}: {} go", names.join(", ")));
    }
    if let Some(mark) = marks::put_back(observed, record) {
        return (vec![mark], format!("{back}: the namespace gets its former labels"));
    }
    let recorded = observed.record.as_deref().map(|view| replace_record(view, &attached_again(observed, record)));
    (recorded.into_iter().collect(), format!("{back}: that is being recorded"))
}

/// What is going and would take somebody else's hand to go is not waited for; what is somebody else's is not there.
fn stands(observed: &Observed, child: Child) -> bool {
    match child {
        Child::InterceptorGrant => retire::own_grant(observed).is_some(),
        child => observed.child(child).is_some_and(|live| !(live.deleting && child.kind().is_optional())),
    }
}

fn attached_again(observed: &Observed, record: &TenantRecordSpec) -> TenantRecordSpec {
    let mut next = record.clone();
    if let Some(adoption) = &mut next.adoption {
        adoption.stage = AdoptionStage::Attached;
    }
    // What was built next time is built as if for the first time.
    next.template = None;
    next.routing.placement = None;
    next.routing.interceptor = None;
    next.identity.restarted_pod = None;
    // Also one that was gone before it was recorded: to its token EKS would answer with it again.
    if matches!(observed.aws.association, Look::At(_, FoundAssociation::None)) {
        forget_association(observed, &mut next);
    }
    next
}
