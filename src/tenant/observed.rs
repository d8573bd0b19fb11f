//! Everything that a decision about one tenant needs, in one value.
//!
//! PURE. Clock and randomness come in as values; status is not among them: it is never an input to a decision.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use litemap::LiteMap;
use smol_str::SmolStr;

use super::{
    action::Step,
    adoption::{Belongings, Order},
    breaker::Fleet,
    child::{Child, Kind, ObjectKey},
    digest::{ContentHash, Digest},
    explain::Waits,
    gate::Turn,
    looks::Subject,
    settings::Settings,
    wanted::Remembered,
};
use crate::{
    api::{
        class::TenantClassSpec,
        names::{AssociationId, Incarnation, NamespaceName, Nonce, SecretItemName, TenantName, Uid, VersionId},
        record::{Placement, TenantRecordSpec},
        tenant::TenantSpec,
    },
    aws::types::{Association, Role, Secret},
};

/// Everything that a decision about one tenant needs.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The tenant's name.
    pub name: TenantName,
    /// Now.
    pub now: Timestamp,
    /// Randomness drawn for this pass.
    pub draw: Nonce,
    /// The operator's surroundings.
    pub settings: Arc<Settings>,
    /// Whether our kinds are served.
    pub definitions: Definitions,
    /// The Tenant.
    pub tenant: Option<Arc<TenantView>>,
    /// The record.
    pub record: Option<Arc<RecordView>>,
    /// The class that the Tenant names.
    pub class: ClassView,
    /// The namespace that the tenant has, or would get; it may be anybody's. Without a record also one that carries the
    /// tenant's label under another name.
    pub namespace: Option<Arc<Digest>>,
    /// The live children, without the namespace.
    pub children: BTreeMap<Child, Arc<Digest>>,
    /// What the server made of an object that differs from what was sent, by child.
    pub renderings: BTreeMap<Child, Rendering>,
    /// The storage class of the claim.
    pub storage_class: Option<StorageClassView>,
    /// The volume that the claim is bound to, or the recorded one.
    pub volume: Option<Arc<VolumeView>>,
    /// The pods of the workspace.
    pub pods: Vec<Arc<PodView>>,
    /// What is waited for and does not come.
    pub waits: Waits,
    /// What lies in the namespace beside what is watched, as far as it was looked at: only while it is being adopted.
    pub belongings: Look<Belongings>,
    /// What is known of AWS.
    pub aws: Arc<AwsView>,
    /// A place on a gateway that is held for this tenant: for one that has none, or where an administrator orders it to be moved;
    /// `None` where that is full.
    pub place: Option<Placement>,
    /// How it stands at the roll-out gate.
    pub turn: Turn,
    /// All removals of the cluster; only where this tenant's own may be due.
    pub fleet: Arc<Fleet>,
    /// Whether its class says that nothing is removed.
    pub halted: bool,
    /// The last look at the cluster itself before a step that cannot be undone.
    pub looked: Option<(Step, Timestamp)>,
    /// Whether the quota has refused the claim, and a look has not found it.
    pub claim_is_nowhere: bool,
    /// Another volume with the same place in the storage.
    pub volume_shared_with: Option<String>,
    /// Volumes that are marked as this incarnation's; only where neither claim nor record names one.
    pub found_volumes: Vec<Arc<VolumeView>>,
    /// Network policies of others in its namespace that let anything pass: policies add up.
    pub foreign_policies: Vec<String>,
    /// Optional kinds that the cluster serves, and of which everything there is has been seen.
    pub served: BTreeSet<Kind>,
    /// ReferenceGrants that carry this tenant's label where its record does not look for one.
    pub stray_grants: Vec<(ObjectKey, Arc<Digest>)>,
    /// What shows that something enforces the policies of its namespace.
    pub evidence: Evidence,
    /// What the last decision's wish came to: it spares work, and decides nothing.
    pub remembered: Remembered,
}

/// What shows that something enforces the policies of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// What the VPC CNI's policy controller has made of policies, where its kind is served: pods that each policy is applied to, by
    /// the policy's name.
    pub policy_endpoints: Option<BTreeMap<String, BTreeSet<PodAddress>>>,
    /// UIDs of pods that Cilium manages, where its kind is served.
    pub cilium_endpoints: Option<BTreeSet<Uid>>,
}

/// Whether the CustomResourceDefinitions of our kinds stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definitions {
    /// All of them.
    Stand,
    /// That of Tenants is being deleted: Tenants that go now go with it, and are not being deleted by anybody.
    Leaving,
    /// At least one is missing, or goes while that of Tenants stays.
    Missing,
}

/// A Tenant as decisions see it.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantView {
    /// Its UID.
    pub uid: Uid,
    /// Its resource version.
    pub resource_version: String,
    /// Its generation.
    pub generation: i64,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When its deletion was asked for.
    pub deleted_at: Option<Timestamp>,
    /// Its finalizers.
    pub finalizers: Vec<String>,
    /// Whether it asks for nothing to be written.
    pub paused: bool,
    /// The order to rotate its secrets that it carries.
    pub rotate: Option<RotateOrder>,
    /// What it orders of the adoption of its name.
    pub cut_over: Option<Order>,
    /// What it asks for, or why that cannot be read.
    pub spec: Result<TenantSpec, String>,
}

/// An order to rotate secrets, as an annotation of a Tenant says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotateOrder {
    /// SHA-256 of the annotation's value, in hex: another value is another order.
    pub hash: String,
    /// Whether it says that the values have leaked.
    pub compromised: bool,
}

/// A record as decisions see it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordView {
    /// Its UID.
    pub uid: Uid,
    /// Its resource version.
    pub resource_version: String,
    /// Administrators' orders: annotations by key.
    pub orders: BTreeMap<&'static str, String>,
    /// What it says, or why that cannot be read.
    pub spec: Result<TenantRecordSpec, String>,
}

/// A class as decisions see it.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassView {
    /// There is none of that name.
    Missing,
    /// It cannot be read.
    Invalid(String),
    /// It is there.
    Found(Arc<TenantClassSpec>),
}

/// What the server makes of an object, where that differs from what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendering {
    /// Hash of what was sent.
    pub wanted: ContentHash,
    /// Hash of what came back.
    pub answer: ContentHash,
    /// Where they differ, as JSON pointers.
    pub differs_at: Vec<String>,
    /// Whether the difference lies where it could open a door.
    pub opens: bool,
    /// When it was learned.
    pub learned_at: Timestamp,
}

/// A CustomResourceDefinition of ours that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionView {
    /// Identity.
    pub uid: Uid,
    /// Version for preconditions.
    pub resource_version: String,
    /// Whether it is being deleted, and its objects with it.
    pub deleting: bool,
    /// Its generation: another one may know other fields.
    pub generation: i64,
}

/// A storage class as decisions see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageClassView {
    /// Whether it binds a claim before a pod comes.
    pub immediate: bool,
    /// Whether a bound claim can grow.
    pub expandable: bool,
}

/// A volume as decisions see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeView {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Uid,
    /// Its resource version.
    pub resource_version: String,
    /// Whether its data stays when the claim goes.
    pub retained: bool,
    /// `status.phase`.
    pub phase: String,
    /// The claim it is bound to, or was bound to last.
    pub claim: Option<ClaimRef>,
    /// What the storage calls it.
    pub handle: String,
    /// The tenant whose label it carries.
    pub tenant: Option<TenantName>,
    /// The incarnation whose label it carries.
    pub incarnation: Option<Incarnation>,
    /// Whether a provisioner made it, which deletes it when it is released.
    pub provisioned: bool,
    /// When it was given to its storage to be deleted.
    pub released_at: Option<Timestamp>,
    /// Since when it has its phase, where the server says so.
    pub phase_since: Option<Timestamp>,
    /// What its storage says of what went wrong.
    pub trouble: Option<String>,
}

/// What stands for the place of a volume of a kind that the operator does not know.
pub const UNKNOWN_HANDLE: &str = "unknown kind of volume";

impl VolumeView {
    /// Whether the operator knows what the storage calls it.
    pub fn has_known_handle(&self) -> bool {
        self.handle != UNKNOWN_HANDLE
    }
}

/// The claim that a volume belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRef {
    /// Namespace of the claim.
    pub namespace: String,
    /// Name of the claim.
    pub name: String,
    /// UID of the claim; absent where any claim of that name may have the volume.
    pub uid: Option<String>,
}

/// A pod of a workspace as decisions see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// Its name.
    pub name: SmolStr,
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its UID.
    pub uid: Uid,
    /// Its address, once it has one.
    pub ip: Option<SmolStr>,
    /// The StatefulSet's revision that it was made from.
    pub revision: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether it is ending.
    pub deleting: bool,
    /// Whether the Pod Identity variables were injected.
    pub injected: bool,
    /// Why it is not ready, in the kubelet's words.
    pub trouble: Option<String>,
}

/// What is known of a tenant's resources in AWS.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AwsView {
    /// Its association.
    pub association: Look<FoundAssociation>,
    /// Whether EKS did not list the association yet when it was asked last: what was just made "may take several seconds to
    /// be effective" (EKS API Reference, CreatePodIdentityAssociation).
    pub association_unlisted: bool,
    /// The token to which EKS answered with an association last. Where that is gone, the token is spent: EKS would repeat its answer.
    pub answered_to: Option<SmolStr>,
    /// When the tenant was looked at first.
    pub first_seen: Option<Timestamp>,
    /// All associations of its namespace, as far as they were looked at: only while it is being adopted.
    pub former: Look<Vec<Association>>,
    /// Its own role, where the class wants one for each tenant.
    pub role: Look<Option<Role>>,
    /// Its secrets.
    pub secrets: LiteMap<SecretItemName, Look<Option<Arc<Secret>>>>,
    /// Versions that were written once and have lost their labels since: their ids cannot be used again.
    pub spent: BTreeSet<VersionId>,
    /// Since when EKS refuses the role: one that was just made is refused for a while.
    pub role_refused_since: Option<Timestamp>,
    /// What was seen and is contradicted since.
    pub doubted: BTreeSet<Subject>,
    /// What is known from a listing alone.
    pub listed: BTreeSet<Subject>,
}

/// The last look at something outside the cluster.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Look<T> {
    /// Never looked, or what was seen no longer holds.
    #[default]
    Never,
    /// Seen at that time.
    At(Timestamp, T),
}

impl<T> Look<T> {
    /// What was seen.
    pub const fn seen(&self) -> Option<&T> {
        match self {
            Self::Never => None,
            Self::At(_, value) => Some(value),
        }
    }

    /// When it was seen.
    pub const fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::At(at, _) => Some(*at),
        }
    }
}

/// What a look for an association found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundAssociation {
    /// None.
    None,
    /// One.
    One(Association),
    /// More than one, which rule S1 forbids.
    Several(Vec<AssociationId>),
}

/// A pod by name and address: a StatefulSet's pods have one name after the other's end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodAddress {
    /// Its name.
    pub name: SmolStr,
    /// Its address.
    pub ip: SmolStr,
}

impl Observed {
    /// Whether objects of this kind can be made here.
    pub fn serves(&self, kind: Kind) -> bool {
        !kind.is_optional() || self.served.contains(&kind)
    }

    /// Now as it stands in objects: in whole seconds.
    pub fn time(&self) -> Time {
        Time(Timestamp::from_second(self.now.as_second()).unwrap_or(self.now))
    }

    /// The record, where it can be read.
    pub fn record_spec(&self) -> Option<&TenantRecordSpec> {
        self.record.as_ref()?.spec.as_ref().ok()
    }

    /// The digest of a child, the namespace included.
    pub fn child(&self, child: Child) -> Option<&Digest> {
        match child {
            Child::Namespace => self.namespace.as_deref(),
            Child::ResourceQuota
            | Child::LimitRange
            | Child::DefaultDeny
            | Child::Allowlist
            | Child::DomainPolicy
            | Child::DisruptionBudget
            | Child::ServiceAccount
            | Child::Claim
            | Child::ConfigMap
            | Child::Service
            | Child::StatefulSet
            | Child::ScaledObject
            | Child::InterceptorRoute
            | Child::InterceptorGrant
            | Child::TargetGroup
            | Child::Route
            | Child::OwnerBinding
            | Child::OwnerRole
            | Child::OwnerRoleBinding => self.children.get(&child).map(Arc::as_ref),
        }
    }
}
