//! What a plan may ask for: the only things that the operator ever does to the world.
//!
//! PURE.

mod in_aws;

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use super::{
    adoption::marks::Marks,
    blueprint::Refusal,
    child::{Child, ObjectKey, Part},
    explain::Awaited,
    progress::Reached,
    reason::Reason,
};
use crate::api::{
    class::Rollout,
    names::{Incarnation, NamespaceName, SecretItemName, TenantName, Uid},
    record::TenantRecordSpec,
};

pub use in_aws::AwsAction;

/// One thing to do. The actions of one plan do not depend on each other and may be done at the same time.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make the record of a name that has none.
    CreateRecord(Box<TenantRecordSpec>),
    /// Replace the record.
    ReplaceRecord {
        /// What it replaces.
        precondition: Precondition,
        /// What it shall say.
        spec: Box<TenantRecordSpec>,
    },
    /// Set the Tenant's finalizers.
    SetFinalizers {
        /// Of this very Tenant.
        precondition: Precondition,
        /// The whole list.
        finalizers: Vec<String>,
    },
    /// Make a child that is not there.
    Create {
        /// Which.
        child: Child,
        /// As it shall be.
        object: Value,
    },
    /// Bring a child to what it shall be.
    Update {
        /// Which.
        child: Child,
        /// As it shall be.
        object: Value,
        /// Of this very object.
        precondition: Precondition,
    },
    /// Delete a child that holds no data.
    Delete {
        /// Which.
        child: Child,
        /// This very object.
        precondition: Precondition,
    },
    /// Look whether a foreign object still stands in the place of the tenant's ReferenceGrant.
    LookAtGrant,
    /// Delete a ReferenceGrant that stands where the record does not look for one.
    DeleteStray {
        /// Where it is.
        key: ObjectKey,
        /// This very object.
        precondition: Precondition,
    },
    /// Take the workspace's pods away without touching anything else of it.
    ScaleToZero {
        /// Of this very StatefulSet.
        precondition: Precondition,
    },
    /// Keep a volume's data when its claim goes, and mark it as the tenant's.
    RetainVolume {
        /// The PersistentVolume.
        name: String,
        /// This very volume.
        precondition: Precondition,
        /// Whose it is.
        tenant: TenantName,
        /// Of which incarnation: nobody who has the name later ever gets it.
        incarnation: Incarnation,
    },
    /// Let a released volume be bound by the claim of the same name again.
    ReofferVolume {
        /// The PersistentVolume.
        name: String,
        /// This very volume.
        precondition: Precondition,
    },
    /// Let a pod be made anew from the present template. Never by force.
    DeletePod {
        /// Its name.
        name: String,
        /// This very pod.
        uid: Uid,
    },
    /// Look what the events of an object say of why something does not come.
    LookAtEvents {
        /// What is waited for.
        awaited: Awaited,
        /// The object.
        of: Uid,
    },
    /// Look which claims lie in a namespace that is being adopted, and which pods mount them.
    LookInside(NamespaceName),
    /// Mark what is being adopted, and touch nothing else of it.
    Mark {
        /// Which.
        child: Child,
        /// This very object.
        precondition: Precondition,
        /// With what.
        marks: Marks,
    },
    /// Replace the record as administrators' orders ask, and take those off it.
    CarryOutOrders {
        /// Of this very record.
        precondition: Precondition,
        /// What it shall say.
        spec: Box<TenantRecordSpec>,
        /// The orders: annotations of the record.
        orders: Vec<&'static str>,
        /// What came of them, and whether all were carried out.
        told: (bool, String),
    },
    /// Look at the cluster itself before a step that cannot be undone, not at what the watches have told so far (S3).
    LookAtCluster {
        /// Before which.
        before: Step,
    },
    /// Delete the namespace and everything in it.
    RemoveNamespace {
        /// This very namespace.
        precondition: Precondition,
    },
    /// Let the storage delete a volume: reclaim policy Delete.
    ReleaseVolume {
        /// The PersistentVolume.
        name: String,
        /// This very volume.
        precondition: Precondition,
        /// When: noted on it, because the storage is given some time from then.
        at: Time,
    },
    /// Ask for a turn at the roll-out gate.
    AskForTurn(Rollout),
    /// Something in AWS.
    Aws(AwsAction),
}

/// A step of a removal that cannot be undone, or not for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The record says that the removal is under way.
    Begin,
    /// Secrets lose the tags that give access.
    Strip,
    /// Secrets are scheduled for deletion.
    Schedule,
    /// The namespace goes.
    Namespace,
    /// The volume goes.
    Volume,
}

/// The very object that a change is about: another of the same name, or a later state of it, is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// Its UID.
    pub uid: Uid,
    /// Its resource version.
    pub resource_version: String,
}

impl Precondition {
    /// The object of this UID in the state of this resource version.
    pub fn of(uid: &Uid, resource_version: &str) -> Self {
        Self { uid: uid.clone(), resource_version: resource_version.to_owned() }
    }
}

impl Action {
    /// The part of the tenant whose condition tells when this fails.
    pub fn part(&self) -> Part {
        match self {
            Self::CreateRecord(_)
            | Self::ReplaceRecord { .. }
            | Self::CarryOutOrders { .. }
            | Self::SetFinalizers { .. }
            | Self::LookInside(_)
            | Self::LookAtCluster { .. }
            | Self::RemoveNamespace { .. } => Part::Namespace,
            Self::Create { child, .. }
            | Self::Update { child, .. }
            | Self::Delete { child, .. }
            | Self::Mark { child, .. } => child.part(),
            Self::DeleteStray { .. } | Self::LookAtGrant => Part::Route,
            Self::LookAtEvents { awaited, .. } => awaited.part(),
            Self::ScaleToZero { .. } | Self::DeletePod { .. } | Self::AskForTurn(_) => Part::Workload,
            Self::RetainVolume { .. } | Self::ReofferVolume { .. } | Self::ReleaseVolume { .. } => Part::Storage,
            Self::Aws(action) => action.part(),
        }
    }
}

/// What an action is about, whatever it wants of it: one that failed is not tried again in other words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    action: std::mem::Discriminant<Action>,
    child: Option<Child>,
    aws: Option<std::mem::Discriminant<AwsAction>>,
    secret: Option<SecretItemName>,
}

impl Action {
    /// Whether it changes nothing outside this process.
    pub const fn is_look(&self) -> bool {
        matches!(
            self,
            Self::AskForTurn(_)
                | Self::LookAtGrant
                | Self::LookAtEvents { .. }
                | Self::LookInside(_)
                | Self::LookAtCluster { .. }
                | Self::Aws(
                    AwsAction::LookUpAssociation { .. }
                        | AwsAction::LookUpFormer { .. }
                        | AwsAction::ListAssociation { .. }
                        | AwsAction::LookUpRole(_)
                        | AwsAction::LookUpSecret { .. }
                )
        )
    }

    /// Whether it takes away what nobody can put back, or not for long: never done but right after a look (S3).
    pub const fn is_removal(&self) -> bool {
        matches!(
            self,
            Self::RemoveNamespace { .. }
                | Self::ReleaseVolume { .. }
                | Self::Aws(AwsAction::StripSecret { .. } | AwsAction::DeleteSecret { .. })
        )
    }

    /// What it is about.
    pub fn target(&self) -> Target {
        let (mut child, mut aws, mut secret) = (None, None, None);
        match self {
            Self::Create { child: of, .. }
            | Self::Update { child: of, .. }
            | Self::Delete { child: of, .. }
            | Self::Mark { child: of, .. } => {
                child = Some(*of);
            }
            Self::Aws(action) => {
                aws = Some(std::mem::discriminant(action));
                secret = action.secret().cloned();
            }
            Self::CreateRecord(_)
            | Self::ReplaceRecord { .. }
            | Self::CarryOutOrders { .. }
            | Self::SetFinalizers { .. }
            | Self::LookAtCluster { .. }
            | Self::RemoveNamespace { .. }
            | Self::ReleaseVolume { .. }
            | Self::DeleteStray { .. }
            | Self::LookAtGrant
            | Self::ScaleToZero { .. }
            | Self::RetainVolume { .. }
            | Self::ReofferVolume { .. }
            | Self::DeletePod { .. }
            | Self::LookInside(_)
            | Self::LookAtEvents { .. }
            | Self::AskForTurn(_) => {}
        }
        Target { action: std::mem::discriminant(self), child, aws, secret }
    }
}

/// How one part of a tenant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartState {
    /// It stands and was verified.
    Done(Reason, String),
    /// It will come by itself.
    Working(Reason, String),
    /// Only a person can help.
    Blocked(Reason, String),
}

impl PartState {
    /// Whether it stands.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Done(..))
    }
}

impl From<Refusal> for PartState {
    fn from(refusal: Refusal) -> Self {
        Self::Blocked(refusal.reason, refusal.message)
    }
}

/// How all parts stand.
pub type Parts = BTreeMap<Part, PartState>;

/// How soon to look again at what no watch tells about, and at what makes its own events.
pub const SOON: Duration = Duration::from_secs(2);

/// Who is not looked at again for so long is not being worked on, as far as anybody can tell.
const LONG_PAUSE: Duration = Duration::from_secs(30);

/// What a decision came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What to do now.
    pub actions: Vec<Action>,
    /// What to tell.
    pub story: Story,
    /// When to look again if nothing happens meanwhile; `None` where only an event can change anything.
    pub look_again: Option<Duration>,
}

/// What to tell about a tenant.
#[derive(Clone, Debug, PartialEq)]
pub enum Story {
    /// Nothing: no status is written.
    Silent,
    /// Something comes before the parts can be judged.
    Beginning(Reason, String),
    /// Only a person can help.
    Refused(Refusal),
    /// It is kept as it asks to be.
    Kept {
        /// Whether access has ended on request.
        suspended: bool,
        /// How its parts stand.
        parts: Parts,
        /// How far its pod template has come: who has no business at the gate gives back what it was given there.
        template: Reached,
    },
    /// Nothing is written on request.
    Paused {
        /// How its parts stand.
        parts: Parts,
        /// What would be changed.
        drift: Vec<String>,
    },
    /// It is being deleted.
    Leaving {
        /// What is waited for.
        message: String,
    },
    /// It is being deleted, and somebody has to say or do something before anything is removed.
    Held {
        /// What, and how to take it back.
        message: String,
    },
    /// It was let go: said in an event, because its status goes with it.
    Gone(Reason, String),
}

impl Plan {
    /// Whether the tenant has business at the roll-out gate.
    pub const fn is_at_gate(&self) -> bool {
        matches!(&self.story, Story::Kept { template: Reached::AtGate, .. })
    }

    /// Whether something is waited for.
    pub fn is_waiting(&self) -> bool {
        match &self.story {
            Story::Kept { parts, .. } => !parts.values().all(PartState::is_done),
            Story::Beginning(..) | Story::Leaving { .. } | Story::Held { .. } => true,
            Story::Silent | Story::Refused(_) | Story::Paused { .. } | Story::Gone(..) => false,
        }
    }

    /// Whether nothing is to be done, and nothing is waited for.
    pub fn is_at_rest(&self) -> bool {
        self.actions.is_empty() && !self.is_waiting()
    }

    /// Whether nothing is to be done, and nobody looks again soon unless something happens.
    pub fn is_idle(&self) -> bool {
        let looks_late = || self.look_again.is_none_or(|pause| pause >= LONG_PAUSE);
        self.is_at_rest() || (self.actions.is_empty() && looks_late())
    }

    /// Whether administrators' orders are carried out by it.
    pub fn carries_out_orders(&self) -> bool {
        self.actions.iter().any(|action| matches!(action, Action::CarryOutOrders { .. }))
    }

    /// One thing to do of which nothing is said, and another look soon: some of it makes no event.
    pub fn silently(action: Action) -> Self {
        Self { actions: vec![action], look_again: Some(Duration::from_secs(2)), ..Self::silent() }
    }

    /// Nothing to do and nothing to say.
    pub const fn silent() -> Self {
        Self { actions: Vec::new(), story: Story::Silent, look_again: None }
    }
}
