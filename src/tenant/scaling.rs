//! Workspaces that sleep while nobody uses them: whether they do, and what that means for everything else.
//!
//! PURE. How many pods are wanted is the scaler's to say while it stands: what it has said is rendered as wanted, so that nothing
//! the operator writes takes it back.

use super::{
    action::PartState,
    blueprint::Blueprint,
    child::{Child, Kind},
    digest::{Digest, Facts, Judgement},
    observed::Observed,
    reason::Reason,
    retire::is_scaled,
    workload::{has_ended, is_started},
};
use crate::api::class::{ScaleToZero, TenantClassSpec};

/// What a workspace needs of the cluster to sleep.
const NEEDED: [Kind; 3] = [Kind::ScaledObject, Kind::InterceptorRoute, Kind::ReferenceGrant];

/// How workspaces of the class sleep, where they shall and the cluster can do it.
pub(super) fn scaler<'a>(observed: &Observed, class: &'a TenantClassSpec) -> Option<&'a ScaleToZero> {
    let wanted = class.workload.scale_to_zero.as_ref();
    wanted.filter(|_| NEEDED.iter().all(|kind| observed.serves(*kind)))
}

/// The blueprint with what the scaler has to say in it.
pub(super) fn scaled<'a>(observed: &Observed, class: &'a TenantClassSpec, blueprint: Blueprint<'a>) -> Blueprint<'a> {
    let runs = blueprint.open && !blueprint.stopped;
    let scaler = scaler(observed, class).filter(|_| runs);
    let live = observed.child(Child::StatefulSet).and_then(|live| live.facts.as_stateful_set());
    let replicas = match (runs, scaler, live) {
        (false, _, _) => 0,
        (true, Some(_), Some(live)) => live.replicas.clamp(0, 1),
        // A new one starts once, and is seen to start.
        (true, _, _) => 1,
    };
    Blueprint { scaler, replicas, ..blueprint }
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
    let missing = NEEDED.iter().find(|kind| class.workload.scale_to_zero.is_some() && !observed.serves(**kind));
    match (missing, workload) {
        (Some(kind), PartState::Done(Reason::Verified, message)) => PartState::Done(
            Reason::ScalerNotServed,
            format!(
                "{message}; the class wants it to sleep while nobody uses it, but the cluster does not serve {} ({}): it runs all the \
                 time. It needs {}",
                kind.info().kind,
                kind.info().api_version(),
                kind.comes_with()
            ),
        ),
        (_, workload) => workload,
    }
}
