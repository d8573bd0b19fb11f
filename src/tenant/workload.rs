//! The running gateway: rolled by the operator, never by force.
//!
//! PURE.

use std::time::Duration;

use super::{
    action::{Action, PartState},
    blueprint::Blueprint,
    child::Child,
    comparison::ChildState,
    digest::{Facts, StatefulSetFacts},
    ledger::bound_volume,
    observed::{Observed, PodView},
    reason::Reason,
};

/// How the gateway stands.
pub struct Workload {
    /// What to do.
    pub actions: Vec<Action>,
    /// How it stands.
    pub state: PartState,
}

/// How long a pod may run without credentials before it is made again: no loop where injection itself is broken.
const WITHOUT_CREDENTIALS: Duration = Duration::from_mins(2);

/// What stands of everything that comes before the workspace.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// All of it but the claim.
    pub guarded: bool,
    /// All of it.
    pub confined: bool,
}

/// How the gateway of a living tenant stands, once its objects are as they shall be. A pod is replaced only once
/// everything that comes before it stands (S5).
pub fn workload(
    observed: &Observed,
    blueprint: &Blueprint<'_>,
    set: Option<&ChildState>,
    standing: Standing,
) -> Workload {
    let working = |actions, reason, message: String| Workload { actions, state: PartState::Working(reason, message) };
    if let Some(pod) = holds_a_going_claim(observed, blueprint) {
        let message = format!(
            "the claim was deleted by somebody: pod {} is being replaced, so that the claim can be made again with the same \
             volume",
            pod.name
        );
        return working(replacement(pod, standing.guarded), Reason::RollingPod, message);
    }
    if !set.is_some_and(ChildState::is_settled) {
        return working(Vec::new(), Reason::Progressing, "the StatefulSet is not as it shall be yet".into());
    }
    let facts = set_facts(observed);
    if !facts.observed {
        return working(Vec::new(), Reason::Progressing, "the StatefulSet controller has not taken it up yet".into());
    }
    if !blueprint.open {
        return if has_ended(observed) {
            done(Reason::Suspended, "no pod runs; everything is kept")
        } else {
            working(Vec::new(), Reason::PodsEnding, pods_ending(observed))
        };
    }
    let its_own = format!("{}-0", blueprint.tenant);
    let Some(pod) = observed.pods.iter().find(|pod| !pod.deleting && pod.name == its_own) else {
        return working(Vec::new(), Reason::PodNotReady, "the pod is being made".into());
    };
    if pod.revision != facts.update_revision {
        let message = format!("pod {} is being replaced by one of the present template", pod.name);
        return working(replacement(pod, standing.confined), Reason::RollingPod, message);
    }
    if blueprint.has_identity() && !pod.injected {
        let message = format!(
            "pod {} runs without AWS credentials: it started before its association was known, or the Pod Identity \
             webhook did not see it. It is made again every {} s",
            pod.name,
            WITHOUT_CREDENTIALS.as_secs()
        );
        let is_old = pod.created.is_none_or(|at| observed.now.duration_since(at).unsigned_abs() >= WITHOUT_CREDENTIALS);
        return working(replacement(pod, standing.confined && is_old), Reason::CredentialsNotInjected, message);
    }
    judge_pod(pod)
}

fn done(reason: Reason, message: &str) -> Workload {
    Workload { actions: Vec::new(), state: PartState::Done(reason, message.into()) }
}

/// The pod for which alone a deleted claim still stands. Its data is safe: the volume is kept and recorded.
fn holds_a_going_claim<'a>(observed: &'a Observed, blueprint: &Blueprint<'_>) -> Option<&'a PodView> {
    let volume = bound_volume(observed, blueprint)?;
    let is_recorded = blueprint.record.storage.volume.as_ref().is_some_and(|recorded| recorded.name == volume.name);
    let goes = observed.child(Child::Claim).is_some_and(|claim| claim.deleting);
    observed.pods.iter().find(|pod| is_recorded && goes && !pod.deleting)
}

fn replacement(pod: &PodView, may_start: bool) -> Vec<Action> {
    let action = || Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() };
    may_start.then(action).into_iter().collect()
}

/// Whether no pod runs, and none will be made: the StatefulSet's controller knows that none is wanted.
pub fn has_ended(observed: &Observed) -> bool {
    let set_is_at_zero = observed.child(Child::StatefulSet).is_none() || {
        let facts = set_facts(observed);
        facts.observed && facts.replicas == 0 && facts.current_pods == 0
    };
    set_is_at_zero && observed.pods.is_empty()
}

fn judge_pod(pod: &PodView) -> Workload {
    let state = if pod.ready {
        PartState::Done(Reason::Verified, format!("pod {} of the present template is ready", pod.name))
    } else {
        let trouble = pod.trouble.as_deref().unwrap_or("it has not passed its probes yet");
        PartState::Working(Reason::PodNotReady, format!("pod {} is not ready: {trouble}", pod.name))
    };
    Workload { actions: Vec::new(), state }
}

fn set_facts(observed: &Observed) -> StatefulSetFacts {
    match observed.child(Child::StatefulSet).map(|live| &live.facts) {
        Some(Facts::StatefulSet(facts)) => facts.clone(),
        Some(Facts::None | Facts::Namespace(_) | Facts::Quota { .. } | Facts::Claim(_) | Facts::Route(_)) | None => {
            StatefulSetFacts::default()
        }
    }
}

/// Which pods are still ending, by name.
pub fn pods_ending(observed: &Observed) -> String {
    if observed.pods.is_empty() {
        return "access is being ended".to_owned();
    }
    let names: Vec<&str> = observed.pods.iter().map(|pod| pod.name.as_str()).collect();
    format!("waits for pods to end by themselves, however long that takes: {}", names.join(", "))
}
