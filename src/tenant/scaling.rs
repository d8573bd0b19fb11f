//! Workspaces that sleep while nobody uses them: whether they do, and what that means for everything else.
//!
//! PURE. How many pods are wanted is the scaler's to say while it stands: what it has said is rendered as wanted, so that nothing
//! the operator writes takes it back.

use super::{
    action::{Action, PartState},
    blueprint::{Backend, Blueprint},
    child::{Child, Kind},
    comparison::{self, ChildState},
    desired,
    digest::{Digest, Facts, Judgement},
    observed::Observed,
    parts::Survey,
    reason::Reason,
    retire::is_scaled,
    rollout,
    wanted::Wanted,
    workload::{has_ended, is_started},
};
use crate::api::class::{ScaleToZero, TenantClassSpec};

/// What a workspace needs of the cluster to sleep.
const NEEDED: [Kind; 3] = [Kind::ScaledObject, Kind::InterceptorRoute, Kind::ReferenceGrant];

/// How workspaces of the class sleep, where they shall and the cluster can do it.
pub(super) fn scaler<'a>(observed: &Observed, class: &'a TenantClassSpec) -> Option<&'a ScaleToZero> {
    let wanted = class.workload.scale_to_zero.as_ref();
    wanted.filter(|_| missing(observed).is_none())
}

/// What a workspace needs to sleep and the cluster does not serve.
fn missing(observed: &Observed) -> Option<Kind> {
    NEEDED.into_iter().find(|kind| !observed.serves(*kind))
}

/// The blueprint with what the scaler has to say in it. What is being adopted does not sleep: its former workload may have to come
/// back. Nor does what was not seen to start: a scaler that stands is taken away for that only once it has put the workspace to sleep.
pub(super) fn scaled<'a>(observed: &Observed, class: &'a TenantClassSpec, blueprint: Blueprint<'a>) -> Blueprint<'a> {
    let runs = blueprint.open && !blueprint.stopped;
    let is_proven = blueprint.record.template.as_ref().is_some_and(rollout::is_proven);
    let keeps_awake = is_scaled(observed) && !rests(observed);
    let may_sleep = blueprint.record.adoption.is_none() && (is_proven || keeps_awake);
    let scaler = scaler(observed, class).filter(|_| runs && may_sleep);
    let live = observed.child(Child::StatefulSet).and_then(|live| live.facts.as_stateful_set());
    let replicas = match live {
        _ if !runs => 0,
        // The scaler decides until it is asked to go, wanted or not; one that sleeps gets it back before it is woken.
        Some(live) if is_scaled(observed) || scaler.is_some() => live.replicas.clamp(0, 1),
        // A new one starts once, and is seen to start.
        Some(_) | None => 1,
    };
    let keeps_target_group = blueprint.open && observed.child(Child::TargetGroup).is_some();
    Blueprint { scaler, keeps_target_group, replicas, ..blueprint }
}

/// Whether a grant in the interceptor's namespace is this tenant's: by our label, or because nobody but its namespace gets anything by
/// it.
pub(super) fn is_our_grant(observed: &Observed, live: &Digest) -> bool {
    let namespace = observed.record_spec().map(|record| record.namespace.name.as_str());
    let is_about_it = matches!(&live.facts, Facts::Grant(from) if from.iter().map(String::as_str).eq(namespace));
    live.tenant.as_ref() == Some(&observed.name) || (live.tenant.is_none() && is_about_it)
}

/// Whether the scaler holds the workspace at zero. One that was scaled to zero for another reason has no scaler.
pub(super) fn is_asleep(observed: &Observed) -> bool {
    is_scaled(observed) && has_ended(observed)
}

/// Whether the scaler wants no pod. The last one may still be ending; who comes meanwhile waits for the next.
pub(super) fn rests(observed: &Observed) -> bool {
    is_scaled(observed) && observed.child(Child::StatefulSet).is_some() && !is_started(observed)
}

/// What is wanted, with a route through the interceptor once everything stands that leads on from there.
pub(super) fn through(observed: &Observed, plan: &Blueprint<'_>, wanted: &mut Wanted<'_>) {
    const BEFORE: [Child; 4] =
        [Child::Allowlist, Child::ScaledObject, Child::InterceptorGrant, Child::InterceptorRoute];
    let stands = |child: &Child| {
        let state = comparison::state(observed, *child, wanted.wish(*child).as_ref());
        state.is_some_and(|state| state.is_settled())
    };
    let route = observed.child(Child::InterceptorRoute).and_then(|live| live.facts.as_judged());
    if plan.scaler.is_some() && route == Some(&Judgement::Ready) && BEFORE.iter().all(stands) {
        let through = Blueprint { backend: Backend::Interceptor, ..plan.clone() };
        wanted.replace(Child::Route, desired::build(Child::Route, &through));
    }
}

/// A foreign grant is out of the watch's sight: whether it still stands in the way is looked at.
pub(super) fn look_at_grant(survey: &Survey) -> Option<Action> {
    let is_taken = matches!(survey.children.get(&Child::InterceptorGrant), Some(ChildState::Taken));
    is_taken.then_some(Action::LookAtGrant)
}

/// How a sleeping workspace stands: as well as what would wake it.
pub(super) fn asleep(observed: &Observed) -> PartState {
    let scaler = observed.child(Child::ScaledObject).and_then(|scaler| scaler.facts.as_judged());
    match scaler {
        Some(Judgement::Ready) => PartState::Done(
            Reason::Asleep,
            "no pod runs while nobody uses the workspace; the scaler starts one when somebody comes".into(),
        ),
        Some(Judgement::NotReady(why)) => PartState::Working(
            Reason::ScalerNotReady,
            format!("no pod runs, and KEDA says that its ScaledObject could start none: {why}"),
        ),
        Some(Judgement::Open) | None => PartState::Working(
            Reason::ScalerNotReady,
            "no pod runs, and KEDA has not said yet that it would start one: see that KEDA runs".into(),
        ),
    }
}

/// What is told of a workspace that runs all the time although its class wants it to sleep.
pub(super) fn told(observed: &Observed, class: &TenantClassSpec, workload: PartState) -> PartState {
    let missing = class.workload.scale_to_zero.as_ref().and_then(|_| missing(observed));
    match (missing, workload) {
        (Some(kind), PartState::Done(Reason::Verified, message)) => PartState::Done(
            Reason::ScalerNotServed,
            format!(
                "{message}; the class wants it to sleep while nobody uses it, but the cluster does not serve {} ({}), or the operator may \
                 not see it: it runs all the time. It needs {}",
                kind.info().kind,
                kind.info().api_version(),
                kind.comes_with().unwrap_or("Kubernetes")
            ),
        ),
        (_, workload) => workload,
    }
}
