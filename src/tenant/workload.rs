//! The running gateway: rolled by the operator, never by force.
//!
//! PURE.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    action::{Action, PartState},
    blueprint::Blueprint,
    child::Child,
    digest::StatefulSetFacts,
    explain::{Awaited, said},
    observed::{Observed, PodView},
    reason::Reason,
    scaling,
};
use crate::api::{labels::GATEWAY_TOKEN, names::Uid};

/// How the gateway stands.
pub struct Workload {
    /// What to do.
    pub actions: Vec<Action>,
    /// How it stands.
    pub state: PartState,
}

/// How long a pod may run without credentials before it is made anew.
const WITHOUT_CREDENTIALS: Duration = Duration::from_mins(2);

/// What stands of everything that comes before the workspace.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// All of it but the claim.
    pub guarded: bool,
    /// All of it.
    pub confined: bool,
}

/// How the gateway of a living tenant stands, once its StatefulSet and configuration are `settled`. A pod is replaced only once
/// everything that comes before it stands (S5).
pub fn workload(observed: &Observed, blueprint: &Blueprint<'_>, settled: bool, standing: Standing) -> Workload {
    let working = |actions, reason, message: String| Workload { actions, state: PartState::Working(reason, message) };
    if let Some(pod) = holds_a_going_claim(observed, blueprint) {
        let message = format!(
            "the claim was deleted by somebody: pod {} is being replaced, so that the claim can be made again with the same \
             volume",
            pod.name
        );
        return working(replacement(pod, standing.guarded), Reason::RollingPod, message);
    }
    if !settled {
        let message = "the StatefulSet and its configuration are not as they shall be yet";
        return working(Vec::new(), Reason::Progressing, message.into());
    }
    let facts = set_facts(observed);
    if !facts.observed {
        return working(Vec::new(), Reason::Progressing, "the StatefulSet controller has not taken it up yet".into());
    }
    if blueprint.stopped {
        return stopped();
    }
    if !blueprint.open {
        return if has_ended(observed) {
            done(Reason::Suspended, "no pod runs; everything is kept")
        } else {
            working(Vec::new(), Reason::PodsEnding, pods_ending(observed))
        };
    }
    if blueprint.scaler.is_some() && scaling::rests(observed) {
        return Workload { actions: Vec::new(), state: scaling::asleep(observed) };
    }
    let its_own = format!("{}-0", blueprint.tenant);
    let Some(pod) = observed.pods.iter().find(|pod| !pod.deleting && pod.name == its_own) else {
        let message = match said(observed, Awaited::Pod) {
            Some(said) => format!("the pod cannot be made; the last event of its StatefulSet says: {said}"),
            None => "the pod is being made".to_owned(),
        };
        return working(Vec::new(), Reason::PodNotReady, message);
    };
    if pod.revision != facts.update_revision {
        let message = format!("pod {} is being replaced by one of the present template", pod.name);
        return working(replacement(pod, standing.confined), Reason::RollingPod, message);
    }
    if lacks_credentials(blueprint, pod) {
        let is_recorded = blueprint.record.identity.restarted_pod.as_ref() == Some(&pod.uid);
        let message = format!("pod {} runs without AWS credentials: see IdentityReady", pod.name);
        let actions = replacement(pod, standing.confined && is_recorded);
        return working(actions, Reason::CredentialsNotInjected, message);
    }
    judge_pod(observed, pod)
}

fn lacks_credentials(blueprint: &Blueprint<'_>, pod: &PodView) -> bool {
    blueprint.open && blueprint.has_identity() && !pod.injected
}

/// A workspace that stays down after a leak, whatever else stands.
fn stopped() -> Workload {
    let message = format!(
        "the {GATEWAY_TOKEN} has leaked, and no pod became ready with another one in time: the workspace is scaled to zero \
         rather than rolled back. Mend what keeps it from starting (its class, image or settings); a changed template, or \
         another value of openclaw.io/rotate-secrets, starts it again"
    );
    Workload { actions: Vec::new(), state: PartState::Blocked(Reason::RotationFailed, message) }
}

/// The pod of the present template that runs without credentials, and is old enough to be sure of it.
fn bare_pod<'a>(observed: &'a Observed, blueprint: &Blueprint<'_>) -> Option<&'a PodView> {
    let revision = set_facts(observed).update_revision;
    let is_old = |pod: &PodView| {
        pod.created.is_none_or(|at| observed.now.duration_since(at).unsigned_abs() >= WITHOUT_CREDENTIALS)
    };
    let mut pods = observed.pods.iter().filter(|pod| !pod.deleting && pod.revision == revision);
    pods.find(|pod| lacks_credentials(blueprint, pod) && is_old(pod)).map(Arc::as_ref)
}

/// The pod that the record names as made anew for want of credentials: one is tried, until a pod has some.
pub fn restarted_pod(observed: &Observed, blueprint: &Blueprint<'_>) -> Option<Uid> {
    let recorded = blueprint.record.identity.restarted_pod.clone();
    if observed.pods.iter().any(|pod| !pod.deleting && pod.injected) {
        return None;
    }
    recorded.or_else(|| bare_pod(observed, blueprint).map(|pod| pod.uid.clone()))
}

/// What the identity says of a pod without credentials; as it stands otherwise.
pub fn identity_of_pod(observed: &Observed, blueprint: &Blueprint<'_>, identity: PartState) -> PartState {
    let bare = observed.pods.iter().find(|pod| !pod.deleting && lacks_credentials(blueprint, pod));
    let (Some(pod), true) = (bare, identity.is_done()) else { return identity };
    let why = "it started before its association was known, or the Pod Identity webhook did not see it";
    match &blueprint.record.identity.restarted_pod {
        Some(before) if *before != pod.uid => PartState::Blocked(
            Reason::CredentialsNotInjected,
            format!(
                "pod {} runs without AWS credentials, and so did the one before it: see that the Pod Identity agent and its \
                 webhook run, then delete the pod",
                pod.name
            ),
        ),
        _ => PartState::Working(
            Reason::CredentialsNotInjected,
            format!(
                "pod {} runs without AWS credentials: {why}. It is made anew once, {} s after its start",
                pod.name,
                WITHOUT_CREDENTIALS.as_secs()
            ),
        ),
    }
}

fn done(reason: Reason, message: &str) -> Workload {
    Workload { actions: Vec::new(), state: PartState::Done(reason, message.into()) }
}

/// The pod for which alone a deleted claim still stands. Its data is safe: the volume is kept and recorded.
fn holds_a_going_claim<'a>(observed: &'a Observed, blueprint: &Blueprint<'_>) -> Option<&'a PodView> {
    let recorded = blueprint.record.storage.volume.as_ref()?;
    // Kubernetes may have given up the claim, so the volume need not name this very one.
    let is_kept = observed.volume.as_ref().is_some_and(|volume| volume.name == recorded.name && volume.retained);
    let goes = observed.child(Child::Claim).is_some_and(|claim| claim.deleting);
    observed.pods.iter().find(|pod| is_kept && goes && !pod.deleting).map(Arc::as_ref)
}

fn replacement(pod: &PodView, may_start: bool) -> Vec<Action> {
    let action = || Action::DeletePod { name: pod.name.to_string(), uid: pod.uid.clone() };
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

/// Whether pods of the workspace are wanted, by the StatefulSet as it stands.
pub fn is_started(observed: &Observed) -> bool {
    observed.child(Child::StatefulSet).is_some() && set_facts(observed).replicas > 0
}

/// How far the pod of the live template is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewestPod {
    /// It was made, and when.
    Present(Option<Timestamp>),
    /// One of a former template is still there.
    Former,
    /// There is none, or nobody can tell yet.
    None,
}

/// How far the pod of the live template is.
pub fn newest_pod(observed: &Observed) -> NewestPod {
    let facts = set_facts(observed);
    let present = observed.pods.iter().find(|pod| !pod.deleting && pod.revision == facts.update_revision);
    match present {
        // The controller has not said yet which revision the live template is.
        _ if !facts.observed => NewestPod::None,
        Some(pod) => NewestPod::Present(pod.created),
        None if observed.pods.iter().any(|pod| pod.revision != facts.update_revision) => NewestPod::Former,
        None => NewestPod::None,
    }
}

/// Whether a ready pod of the live template runs.
pub fn is_rolled(observed: &Observed) -> bool {
    let facts = set_facts(observed);
    let is_it = |pod: &Arc<PodView>| pod.ready && !pod.deleting && pod.revision == facts.update_revision;
    facts.observed && observed.pods.iter().any(is_it)
}

fn judge_pod(observed: &Observed, pod: &PodView) -> Workload {
    let state = if pod.ready {
        PartState::Done(Reason::Verified, format!("pod {} of the present template is ready", pod.name))
    } else {
        let trouble = said(observed, Awaited::Start).or(pod.trouble.as_deref());
        let trouble = trouble.unwrap_or("it has not passed its probes yet");
        PartState::Working(Reason::PodNotReady, format!("pod {} is not ready: {trouble}", pod.name))
    };
    Workload { actions: Vec::new(), state }
}

fn set_facts(observed: &Observed) -> StatefulSetFacts {
    let live = observed.child(Child::StatefulSet);
    live.and_then(|live| live.facts.as_stateful_set()).cloned().unwrap_or_default()
}

/// Which pods are still ending, by name.
pub fn pods_ending(observed: &Observed) -> String {
    if observed.pods.is_empty() {
        return "access is being ended".to_owned();
    }
    let names: Vec<&str> = observed.pods.iter().map(|pod| pod.name.as_str()).collect();
    format!("waits for pods to end by themselves, however long that takes: {}", names.join(", "))
}
