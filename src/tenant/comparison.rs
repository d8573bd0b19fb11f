//! Which children are wanted, how each stands against what is live, and what to do about it.
//!
//! PURE.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Value;

use super::{
    action::{Action, PartState, Precondition},
    blueprint::Blueprint,
    child::Child,
    desired,
    digest::{ContentHash, Digest},
    observed::{Observed, Rendering},
    reason::Reason,
};

/// How a child stands.
#[derive(Clone, Debug, PartialEq)]
pub enum ChildState {
    /// It is as it shall be.
    Equal,
    /// It is as the server makes of what it shall be, and that difference opens no door.
    EqualAsRendered,
    /// It is not there and shall be.
    Absent(Value),
    /// It is there and shall be different.
    Differs(Value, Precondition),
    /// It is there and shall not be.
    Unwanted(Precondition),
    /// It is going; what comes after waits for that.
    Going,
    /// Somebody changes what is written, where that opens a door.
    Opened(Vec<String>),
}

/// All children as they shall be.
pub fn wanted(blueprint: &Blueprint<'_>) -> BTreeMap<Child, Option<Value>> {
    Child::ALL.iter().map(|child| (*child, desired::build(*child, blueprint))).collect()
}

/// How a child stands against what it shall be; `None` where it neither is nor shall be.
pub fn state(observed: &Observed, child: Child, wanted: Option<Value>) -> Option<ChildState> {
    let live = observed.child(child);
    match (wanted, live) {
        (None, None) => None,
        (None, Some(live)) if live.deleting => Some(ChildState::Going),
        (None, Some(live)) => Some(ChildState::Unwanted(precondition(live))),
        (Some(wanted), None) => Some(ChildState::Absent(wanted)),
        (Some(_), Some(live)) if live.deleting => Some(ChildState::Going),
        (Some(wanted), Some(live)) => Some(compare(observed, child, wanted, live)),
    }
}

fn compare(observed: &Observed, child: Child, wanted: Value, live: &Digest) -> ChildState {
    let hash = ContentHash::of_object(child.kind(), &wanted);
    if live.content == hash {
        return ChildState::Equal;
    }
    let known =
        observed.renderings.get(&child).filter(|known| known.wanted == hash && is_believed(observed, live, known));
    match known {
        Some(known) if known.opens => ChildState::Opened(known.differs_at.clone()),
        Some(_) => ChildState::EqualAsRendered,
        None => ChildState::Differs(wanted, precondition(live)),
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

impl ChildState {
    /// Whether nothing is left to do about it.
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::Equal | Self::EqualAsRendered)
    }

    /// What to do about it.
    pub fn action(&self, child: Child) -> Option<Action> {
        match self.clone() {
            Self::Equal | Self::EqualAsRendered | Self::Going | Self::Opened(_) => None,
            Self::Absent(object) => Some(Action::Create { child, object }),
            Self::Differs(object, precondition) => Some(Action::Update { child, object, precondition }),
            Self::Unwanted(precondition) => Some(Action::Delete { child, precondition }),
        }
    }

    /// What to tell about it; `None` where it is settled.
    pub fn told(&self, name: &str) -> Option<PartState> {
        match self {
            Self::Equal | Self::EqualAsRendered => None,
            Self::Absent(_) => Some(PartState::Working(Reason::Progressing, format!("{name} is being made"))),
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
