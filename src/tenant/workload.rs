//! The running gateway: rolled by the operator, never by force.
//!
//! PURE.

use super::{
    action::{Action, PartState},
    blueprint::Blueprint,
    child::Child,
    comparison::ChildState,
    digest::{Facts, StatefulSetFacts},
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

/// How the gateway of a living tenant stands, once its objects are as they shall be.
pub fn workload(observed: &Observed, blueprint: &Blueprint<'_>, set: Option<&ChildState>) -> Workload {
    let working = |actions, reason, message: String| Workload { actions, state: PartState::Working(reason, message) };
    if !set.is_some_and(ChildState::is_settled) {
        return working(Vec::new(), Reason::Progressing, "the StatefulSet is not as it shall be yet".into());
    }
    let facts = set_facts(observed);
    if !facts.observed {
        return working(Vec::new(), Reason::Progressing, "the StatefulSet controller has not taken it up yet".into());
    }
    if !blueprint.open {
        return if observed.pods.is_empty() && facts.current_pods == 0 {
            done(Reason::Suspended, "no pod runs; everything is kept")
        } else {
            working(Vec::new(), Reason::PodsEnding, pods_ending(observed))
        };
    }
    let Some(pod) = observed.pods.iter().find(|pod| !pod.deleting) else {
        return working(Vec::new(), Reason::PodNotReady, "the pod is being made".into());
    };
    if pod.revision != facts.update_revision {
        let action = Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() };
        return working(
            vec![action],
            Reason::RollingPod,
            format!("pod {} is being replaced by one of the present template", pod.name),
        );
    }
    judge_pod(blueprint, pod)
}

fn done(reason: Reason, message: &str) -> Workload {
    Workload { actions: Vec::new(), state: PartState::Done(reason, message.into()) }
}

fn judge_pod(blueprint: &Blueprint<'_>, pod: &PodView) -> Workload {
    let state = if blueprint.has_identity() && !pod.injected {
        let message = format!(
            "pod {} runs without AWS credentials: it started before its association was known. Delete the pod to have it \
             made again",
            pod.name
        );
        PartState::Working(Reason::CredentialsNotInjected, message)
    } else if pod.ready {
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
