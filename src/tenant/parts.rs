//! How each part of a living tenant stands, from its objects and from what AWS and the workload came to.
//!
//! PURE.

use std::collections::BTreeMap;

use super::{
    action::{PartState, Parts},
    blueprint::Blueprint,
    child::{Child, Part},
    comparison::ChildState,
    digest::{Facts, Judgement},
    enforcement,
    observed::Observed,
    reason::Reason,
    retire,
};
use crate::api::class::RoutingMode;

/// What is known after observing: wanted objects and how each stands.
pub(super) struct Survey {
    /// How each child stands that is or shall be.
    pub(super) children: BTreeMap<Child, ChildState>,
    /// Whether no gateway has room.
    pub(super) unplaced: bool,
    /// What of the quota is not lowered yet.
    pub(super) quota_held: Option<String>,
    /// Why the quota is being counted anew.
    pub(super) quota_recounted: Option<String>,
}

impl Survey {
    /// Whether a child is as it shall be.
    pub(super) fn is_settled(&self, child: Child) -> bool {
        self.children.get(&child).is_some_and(ChildState::is_settled)
    }
}

/// How the parts stand that are more than Kubernetes objects.
pub(super) struct Made {
    /// Association and pod.
    pub(super) identity: PartState,
    /// Secrets.
    pub(super) secrets: PartState,
    /// Claim and volume.
    pub(super) storage: PartState,
    /// The running gateway.
    pub(super) workload: PartState,
}

/// How all parts stand.
pub(super) fn parts(observed: &Observed, plan: &Blueprint<'_>, survey: &Survey, made: &Made, recorded: bool) -> Parts {
    let of_children =
        |part: Part, otherwise: &PartState| children_state(survey, part).unwrap_or_else(|| otherwise.clone());
    let state = |part: &Part| match part {
        Part::Namespace => namespace_state(observed, survey, recorded),
        Part::Network => of_children(Part::Network, &enforcement::network(observed, plan.class)),
        Part::Identity => of_children(Part::Identity, &made.identity),
        Part::Secrets => made.secrets.clone(),
        Part::Storage => made.storage.clone(),
        Part::Workload => of_children(Part::Workload, &made.workload),
        Part::Route => route_state(observed, plan, survey),
    };
    Part::ALL.iter().map(|part| (*part, state(part))).collect()
}

pub(super) fn is_quota_enforced(observed: &Observed) -> bool {
    let is_enforced = |facts: &Facts| matches!(facts, Facts::Quota(quota) if quota.enforced);
    observed.child(Child::ResourceQuota).is_some_and(|quota| is_enforced(&quota.facts))
}

/// The first unsettled child of a part; a blocked one before all others.
fn children_state(survey: &Survey, part: Part) -> Option<PartState> {
    let mut told = survey
        .children
        .iter()
        .filter(|(child, _)| child.part() == part)
        .filter_map(|(child, state)| state.told(*child));
    let first = told.next()?;
    if matches!(first, PartState::Blocked(..)) {
        return Some(first);
    }
    Some(told.find(|state| matches!(state, PartState::Blocked(..))).unwrap_or(first))
}

fn namespace_state(observed: &Observed, survey: &Survey, recorded: bool) -> PartState {
    if let Some(ChildState::Going) = survey.children.get(&Child::Namespace) {
        let message =
            "the namespace is being deleted by somebody; it is made again once it is gone, with the same volume";
        return PartState::Working(Reason::NamespaceTerminating, message.into());
    }
    if let Some(message) = &survey.quota_recounted {
        return PartState::Working(Reason::QuotaNotEnforced, message.clone());
    }
    if let Some(state) = children_state(survey, Part::Namespace) {
        return state;
    }
    if !recorded {
        return PartState::Working(Reason::Progressing, "what is known of the tenant is being recorded".into());
    }
    if !is_quota_enforced(observed) {
        let message = "the quota controller has not taken the quota up yet";
        return PartState::Working(Reason::QuotaNotEnforced, message.into());
    }
    let Some(held) = &survey.quota_held else {
        return PartState::Done(Reason::Verified, "namespace, quota and container defaults stand".into());
    };
    let message = format!(
        "the quota is not lowered below what is used: {held}. It follows as soon as less is used: end what runs in the namespace \
         beside the workspace, or raise the quota of Tenant or class"
    );
    PartState::Done(Reason::QuotaBelowUse, message)
}

fn route_state(observed: &Observed, plan: &Blueprint<'_>, survey: &Survey) -> PartState {
    if !plan.open {
        return if retire::has_way_in(observed) {
            PartState::Working(Reason::Progressing, "the way to the workspace is being removed".into())
        } else {
            PartState::Done(Reason::Suspended, "no route leads to the workspace".into())
        };
    }
    if survey.unplaced {
        let message = "every gateway of the class is full or cordoned: add a gateway to the class, or raise a capacity";
        return PartState::Blocked(Reason::CapacityExhausted, message.into());
    }
    if let Some(state) = children_state(survey, Part::Route) {
        return state;
    }
    let live = observed.child(Child::Route).and_then(|live| live.facts.as_route());
    let facts = live.cloned().unwrap_or_default();
    if let Some(problem) = facts.problems.first() {
        return PartState::Working(Reason::RouteRefused, format!("the gateway does not serve the route: {problem}"));
    }
    if !facts.answered {
        return PartState::Working(Reason::RoutePending, "no gateway has answered for the route yet".into());
    }
    if let Some(state) = plan.scaler.and_then(|_| interceptor_state(observed)) {
        return state;
    }
    let warning = match plan.record.routing.mode {
        RoutingMode::Host => "",
        RoutingMode::Path => "; all tenants of this host share one browser origin, which the class accepts",
    };
    PartState::Done(Reason::Verified, format!("the gateway serves the route{warning}"))
}

/// What keeps the interceptor from leading to the workspace.
fn interceptor_state(observed: &Observed) -> Option<PartState> {
    match observed.child(Child::InterceptorRoute).and_then(|live| live.facts.as_judged()) {
        Some(Judgement::Ready) => None,
        Some(Judgement::NotReady(why)) => {
            Some(PartState::Working(Reason::RouteRefused, format!("the interceptor does not serve the route: {why}")))
        }
        Some(Judgement::Open) | None => Some(PartState::Working(
            Reason::RoutePending,
            "KEDA's HTTP add-on has not taken the InterceptorRoute up yet".into(),
        )),
    }
}

/// Workload and route say what they wait for, instead of that they are not there.
pub(super) fn wait_for_earlier(parts: &mut Parts, confined: bool) {
    if confined {
        return;
    }
    let earlier = [Part::Namespace, Part::Network, Part::Identity, Part::Secrets, Part::Storage];
    let waits_for: Vec<&str> =
        earlier.iter().filter(|part| !parts[part].is_done()).map(|part| part.condition()).collect();
    let message = format!("waits for {}", waits_for.join(", "));
    for part in [Part::Workload, Part::Route] {
        if let Some(PartState::Working(Reason::Progressing, _)) = parts.get(&part) {
            parts.insert(part, PartState::Working(Reason::WaitingForEarlierPart, message.clone()));
        }
    }
}
