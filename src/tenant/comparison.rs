//! Which children are wanted, how each stands against what is live, and what to do about it.
//!
//! PURE.

use jiff::SignedDuration;
use serde_json::Value;

use super::{
    action::{Action, PartState, Precondition},
    child::{Child, Kind},
    digest::{ContentHash, Digest, Facts, role_of},
    observed::{Observed, Rendering},
    reason::Reason,
    scaling,
};

/// How a child stands.
#[derive(Clone, Debug, PartialEq)]
pub enum ChildState {
    /// It is as it shall be.
    Equal,
    /// It is as the server makes of what it shall be, and that difference opens no door.
    EqualAsRendered,
    /// It is not there and shall be.
    Absent,
    /// It is there and shall be different.
    Differs(Precondition),
    /// It is there and shall not be.
    Unwanted(Precondition),
    /// It is going; what comes after waits for that.
    Going,
    /// Somebody changes what is written, where that opens a door.
    Opened(Vec<String>),
    /// It shall be, and the cluster does not serve its kind.
    Unserved,
    /// It shall be where somebody else's stands, in a namespace that is not the tenant's.
    Taken,
}

/// What an object shall be, as far as it is compared.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Hash of its content.
    pub hash: ContentHash,
    /// The role that it gives; empty where it is no binding.
    role: String,
}

impl Wish {
    /// Of an object that is built.
    pub fn of(child: Child, object: &Value) -> Self {
        let is_binding = matches!(child.kind(), Kind::RoleBinding | Kind::ClusterRoleBinding);
        let role = if is_binding { role_of(object) } else { String::new() };
        Self { hash: ContentHash::of_object(child.kind(), object), role }
    }
}

/// How a child stands against what it shall be; `None` where it neither is nor shall be.
pub fn state(observed: &Observed, child: Child, wanted: Option<&Wish>) -> Option<ChildState> {
    let live = observed.child(child);
    match (wanted, live) {
        (None, None) => None,
        (Some(_), None) if !observed.serves(child.kind()) => Some(ChildState::Unserved),
        (None, Some(live)) if !is_ours_to_touch(observed, child, live) => None,
        (Some(_), Some(live)) if !is_ours_to_touch(observed, child, live) => Some(ChildState::Taken),
        // Whoever has to take a finalizer off it may be gone with its kind's controllers.
        (None, Some(live)) if live.deleting && child.kind().is_optional() => None,
        (None, Some(live)) if live.deleting => Some(ChildState::Going),
        // A load balancer's controller holds it until no route leads to the workspace, and goes by it until then.
        (Some(_), Some(live)) if live.deleting && child == Child::TargetGroup => None,
        (None, Some(live)) => Some(ChildState::Unwanted(precondition(live))),
        (Some(_), None) => Some(ChildState::Absent),
        (Some(_), Some(live)) if live.deleting => Some(ChildState::Going),
        (Some(wanted), Some(live)) => Some(compare(observed, child, wanted, live)),
    }
}

/// In a namespace of the tenant everything with our fixed names is ours (S4); elsewhere it has to be seen.
fn is_ours_to_touch(observed: &Observed, child: Child, live: &Digest) -> bool {
    child != Child::InterceptorGrant || scaling::is_our_grant(observed, live)
}

fn compare(observed: &Observed, child: Child, wanted: &Wish, live: &Digest) -> ChildState {
    if live.content == wanted.hash {
        return ChildState::Equal;
    }
    // Kubernetes lets nobody change which role a binding gives: the other one goes first.
    if matches!(&live.facts, Facts::Binding(role) if *role != wanted.role) {
        return ChildState::Unwanted(precondition(live));
    }
    let known = observed
        .renderings
        .get(&child)
        .filter(|known| known.wanted == wanted.hash && is_believed(observed, live, known));
    match known {
        Some(known) if known.opens => ChildState::Opened(known.differs_at.clone()),
        Some(_) => ChildState::EqualAsRendered,
        None => ChildState::Differs(precondition(live)),
    }
}

/// How long what is written is left to whoever changes it in another way each time: two who never agree write no faster.
const TRUCE: SignedDuration = SignedDuration::from_secs(10);

/// How long a rendering that opens a door is believed before it is rehearsed again: what did it may be gone.
const BELIEF: SignedDuration = SignedDuration::from_mins(5);

/// Whether a difference is still the server's rendering. Anything beyond what was learned is drift.
fn is_believed(observed: &Observed, live: &Digest, known: &Rendering) -> bool {
    let age = observed.now.duration_since(known.learned_at);
    if live.content == known.answer { !known.opens || age < BELIEF } else { age < TRUCE }
}

pub(super) fn precondition(live: &Digest) -> Precondition {
    Precondition::of(&live.uid, &live.resource_version)
}

fn unserved(child: Child) -> String {
    let info = child.kind().info();
    let Some(comes_with) = child.kind().comes_with() else {
        return format!(
            "the class asks for {}, but the operator may not see {}: give it the rights (deploy/operator/owner-access.yaml; the chart's \
             value ownerAccess.enabled), or take ownerAccess off the class",
            child.title(),
            info.plural,
        );
    };
    format!(
        "the class asks for {}, but the cluster does not serve {} ({}): it comes with {comes_with}. Install that, or take it off the class",
        child.title(),
        info.kind,
        info.api_version()
    )
}

impl ChildState {
    /// Whether nothing is left to do about it.
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::Equal | Self::EqualAsRendered)
    }

    /// What to do about it, with what it shall be.
    pub fn action(&self, child: Child, object: impl FnOnce() -> Option<Value>) -> Option<Action> {
        match self.clone() {
            Self::Equal | Self::EqualAsRendered | Self::Going | Self::Opened(_) | Self::Unserved | Self::Taken => None,
            Self::Absent => Some(Action::Create { child, object: object()? }),
            Self::Differs(precondition) => Some(Action::Update { child, object: object()?, precondition }),
            Self::Unwanted(precondition) => Some(Action::Delete { child, precondition }),
        }
    }

    /// What to tell about it; `None` where it is settled.
    pub fn told(&self, child: Child) -> Option<PartState> {
        let name = child.title();
        match self {
            Self::Unserved => Some(PartState::Blocked(Reason::KindNotServed, unserved(child))),
            Self::Taken => Some(PartState::Blocked(
                Reason::GrantTaken,
                format!(
                    "{name} stands in the interceptor's namespace under this tenant's name and is somebody else's: see whose it is                      and delete it, or label it openclaw.io/managed=true and openclaw.io/tenant with the tenant's name"
                ),
            )),
            Self::Equal | Self::EqualAsRendered => None,
            Self::Absent => Some(PartState::Working(Reason::Progressing, format!("{name} is being made"))),
            Self::Differs(..) => Some(PartState::Working(Reason::Progressing, format!("{name} is being changed"))),
            Self::Unwanted(_) => Some(PartState::Working(Reason::Progressing, format!("{name} is being removed"))),
            Self::Going => Some(PartState::Working(Reason::Progressing, format!("{name} is being deleted"))),
            Self::Opened(differs_at) => Some(PartState::Blocked(
                Reason::ForeignMutation,
                format!(
                    "something in this cluster changes {name} as it is written, at {}: find the admission webhook or \
                     controller that does it and except namespaces labelled openclaw.io/managed",
                    differs_at.join(", ")
                ),
            )),
        }
    }
}
