//! Which child may be written when: the stages of rule S5, and what opens them.
//!
//! PURE.

use super::{
    action::Action,
    child::{Child, Stage},
    comparison::ChildState,
    observed::Observed,
    parts::Survey,
    retire,
    wanted::Wanted,
};

/// What opens the stages of rule S5.
#[derive(Clone, Copy)]
pub(super) struct Gates {
    /// Everything that comes before the workspace stands.
    pub(super) confined: bool,
    /// The record says what is about to be done.
    pub(super) recorded: bool,
    /// What writing the pod template does.
    pub(super) template: TemplateGate,
    /// What is wanted of the workspace.
    pub(super) aim: Aim,
    /// How many pods are wanted.
    pub(super) replicas: i64,
}

/// What is wanted of the workspace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// No pod, whatever stands in the way.
    Ends,
    /// A pod whenever there is reason for one.
    Runs {
        /// Whether the route leads where it shall.
        route_stands: bool,
    },
}

/// What writing the pod template does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TemplateGate {
    /// It is the one that was applied last: writing it brings back, and starts nothing new.
    BringsBack,
    /// It is another one, and the configuration that it names is not written yet.
    WaitsForConfiguration,
    /// It is another one, and its configuration stands.
    Changes,
}

pub(super) fn child_actions(
    observed: &Observed,
    survey: &Survey,
    gates: Gates,
    claim: bool,
    wanted: &Wanted<'_>,
) -> Vec<Action> {
    let namespace_stands = survey.children.get(&Child::Namespace).is_some_and(ChildState::is_settled);
    let may_write = |child: Child, state: &ChildState| match child.stage() {
        Stage::Namespace => true,
        Stage::Confinement => namespace_stands && (child != Child::Claim || claim),
        // Not while a scaler may start it again; that one goes first, and is not waited for once it is asked to.
        Stage::Workspace
            if child == Child::StatefulSet && stops_pods(observed, state, gates) && retire::is_scaled(observed) =>
        {
            false
        }
        // What the route leads through goes after the route has left it.
        Stage::Workspace if is_way_through(child) && matches!(state, ChildState::Unwanted(_)) => {
            gates.aim != Aim::Runs { route_stands: false }
        }
        // Access ends whatever else stands in the way.
        Stage::Workspace => {
            ends_access(child, state, gates) || (namespace_stands && may_write_workspace(observed, child, state, gates))
        }
    };
    survey
        .children
        .iter()
        .filter(|(child, state)| may_write(**child, state))
        .filter_map(|(child, state)| state.action(*child, || wanted.object(*child)))
        .collect()
}

/// What starts a workspace, or changes what it runs, waits for everything before it. What brings a standing object back
/// to what it was does not: an outage of AWS leaves no foreign sidecar in place.
fn may_write_workspace(observed: &Observed, child: Child, state: &ChildState, gates: Gates) -> bool {
    // The configuration before the template that names it: a pod that is made in between is made anew afterwards.
    let is_early = matches!(state, ChildState::Differs(..)) && gates.template == TemplateGate::WaitsForConfiguration;
    if child == Child::StatefulSet && is_early {
        return false;
    }
    let is_known = gates.template == TemplateGate::BringsBack;
    let is_new = match state {
        ChildState::Absent => true,
        ChildState::Differs(_) => match child {
            Child::StatefulSet => !is_known || gates.replicas > live_replicas(observed),
            Child::ConfigMap => !is_known,
            _ => false,
        },
        ChildState::Equal
        | ChildState::EqualAsRendered
        | ChildState::Unwanted(_)
        | ChildState::Going
        | ChildState::Unserved
        | ChildState::Taken
        | ChildState::Opened(_) => false,
    };
    gates.recorded && (gates.confined || !is_new)
}

/// What leads through an interceptor, and wakes.
const fn is_way_through(child: Child) -> bool {
    matches!(child, Child::ScaledObject | Child::InterceptorRoute | Child::InterceptorGrant)
}

fn stops_pods(observed: &Observed, state: &ChildState, gates: Gates) -> bool {
    matches!(state, ChildState::Differs(_)) && gates.replicas == 0 && live_replicas(observed) > 0
}

fn live_replicas(observed: &Observed) -> i64 {
    let live = observed.child(Child::StatefulSet).and_then(|live| live.facts.as_stateful_set());
    live.map_or(0, |facts| facts.replicas)
}

fn ends_access(child: Child, state: &ChildState, gates: Gates) -> bool {
    match state {
        ChildState::Unwanted(_) => true,
        // Not where it only sleeps: that is nobody's end.
        ChildState::Differs(..) => child == Child::StatefulSet && gates.aim == Aim::Ends,
        ChildState::Equal
        | ChildState::EqualAsRendered
        | ChildState::Absent
        | ChildState::Going
        | ChildState::Unserved
        | ChildState::Taken
        | ChildState::Opened(_) => false,
    }
}
