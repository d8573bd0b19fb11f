//! `TenantRecord`: the ledger of every tenant name ever used. It outlives its Tenant.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod adoption;

pub use adoption::{AdoptionStage, RecordedAdoption};
mod ending;

pub use ending::{
    HistoryEntry, HistoryEvent, Outcome, Purge, PurgeCause, ReceiptLine, Retirement, former_owners, remember,
};

use super::{
    class::{IdentityMode, RoutingMode, SecretsMode},
    names::{
        AssociationId, ClassName, DomainName, Incarnation, KmsKeyArn, NamespaceName, NamespacePrefix, Nonce, OwnerHash,
        OwnerSubject, RoleArn, SecretArn, SecretItemName, SecretsPrefix, ServiceAccountName, Uid, VersionId,
    },
    quantity::Quantity,
};

/// What the operator knows about one tenant name, written by the operator alone.
///
/// Think of a PersistentVolume to the Tenant's claim. Everything in it is spec: it is what decisions are made from,
/// not a report about them.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "openclaw.io",
    version = "v1alpha1",
    kind = "TenantRecord",
    plural = "tenantrecords",
    shortname = "tnr",
    category = "openclaw",
    derive = "PartialEq",
    doc = "What the operator knows about one tenant name. Written by the operator alone; it outlives the Tenant.",
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".spec.phase"}"#,
    printcolumn = r#"{"name":"Namespace","type":"string","jsonPath":".spec.namespace.name"}"#,
    printcolumn = r#"{"name":"Incarnation","type":"string","jsonPath":".spec.incarnation"}"#,
    printcolumn = r#"{"name":"Purge After","type":"string","jsonPath":".spec.purgeAfter"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Owner","type":"string","jsonPath":".spec.owner.subject","priority":1}"#,
    printcolumn = r#"{"name":"Volume","type":"string","jsonPath":".spec.storage.volume.name","priority":1}"#
)]
#[serde(rename_all = "camelCase")]
pub struct TenantRecordSpec {
    /// Where this name stands in its life.
    pub phase: RecordPhase,

    /// What "this tenant" means to AWS. Recorded once, never recomputed.
    pub incarnation: Incarnation,

    /// The UID of the Tenant that holds this record now, or held it last. Absent in a record that was rebuilt from
    /// its mirrors and not yet claimed by its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_uid: Option<Uid>,

    /// Whose it is.
    pub owner: RecordedOwner,

    /// The class it was made with, or moved to.
    pub class_name: ClassName,

    /// The namespace.
    pub namespace: RecordedNamespace,

    /// The ServiceAccount of the workspace.
    pub service_account: ServiceAccountName,

    /// Who the workspace is to AWS.
    pub identity: RecordedIdentity,

    /// Its secrets.
    pub secrets: RecordedSecrets,

    /// Its volume.
    pub storage: RecordedStorage,

    /// Its place on a gateway.
    pub routing: RecordedRouting,

    /// The pod template that was applied last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<RecordedTemplate>,

    /// What its end needs, taken from class and Tenant while they exist.
    pub retirement: Retirement,

    /// Since when it is retained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained_since: Option<Time>,

    /// When it may be purged; never by time where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge_after: Option<Time>,

    /// Since when it is over and no Tenant has the name. From then it settles, and by it the breaker counts: not by the date,
    /// which a wall clock that leaps passes for everybody at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_since: Option<Time>,

    /// How far the adoption of what an earlier system made is; absent where nothing is being adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption: Option<RecordedAdoption>,
    /// The beginning of the removal that an administrator has let through the breaker; another one is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Time>,

    /// The removal that is under way (phase Purging) or at its end (Purged).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Purge>,

    /// What happened to this name before: receipts of former incarnations, and administrators' orders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub history: Vec<HistoryEntry>,
}

/// Where a tenant name stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RecordPhase {
    /// A Tenant holds it, or held it and went without being deleted (detached).
    Active,
    /// Its Tenant was deleted; everything is kept for the owner.
    Retained,
    /// Being removed.
    Purging,
    /// Removed, as the receipt says.
    Purged,
}

/// Whose a record is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedOwner {
    /// The subject. Absent in a record that was rebuilt from its mirrors and not yet claimed by its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<OwnerSubject>,

    /// SHA-256 of the subject, in hex: what decides who the owner is.
    pub hash: OwnerHash,
}

/// The namespace of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedNamespace {
    /// Its name.
    pub name: NamespaceName,

    /// The class's prefix that it was named by.
    pub prefix: NamespacePrefix,

    /// The UID of the namespace that was made last: a precondition for deleting it, not a proof of owning it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
}

/// The AWS identity of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedIdentity {
    /// The mode it was made with.
    pub mode: IdentityMode,

    /// The role that the association is to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<RoleArn>,

    /// The role that it had when it was looked at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_role_arn: Option<RoleArn>,

    /// The association; absent before it was made and after it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association_id: Option<AssociationId>,

    /// From it the idempotency token of the next create is made; a new one is drawn for each new association.
    pub nonce: Nonce,

    /// When the association was seen to be gone: sessions from before may live on for hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,

    /// The pod that was made anew because it ran without credentials. It is tried once, until a pod has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_pod: Option<Uid>,
}

/// So many secrets a record has room for.
pub const MOST_SECRETS: usize = 64;

/// The secrets of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedSecrets {
    /// Where they are kept.
    pub mode: SecretsMode,

    /// What their names begin with.
    pub prefix: SecretsPrefix,

    /// The KMS key that they were made under; absent: the account's default key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<KmsKeyArn>,

    /// SHA-256 of the order to rotate (annotation `openclaw.io/rotate-secrets` of the Tenant) that was taken up last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub order: Option<String>,

    /// Each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MOST_SECRETS), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub items: Vec<RecordedSecret>,
}

/// One secret of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedSecret {
    /// The name of the item.
    pub name: SecretItemName,

    /// Whether the operator generates the value, or a person puts it.
    pub origin: SecretOrigin,

    /// From it the idempotency token of the next value is made.
    pub nonce: Nonce,

    /// The ARN, known once the secret exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<SecretArn>,

    /// The version that the pod template shall name; absent while the secret has no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<VersionId>,

    /// The rotation that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RecordedRotation>,

    /// When the value was generated, or rotated last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<Time>,

    /// When a rotation was given up last, until one succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Time>,

    /// The version that the last rotation replaced: nothing goes back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<VersionId>,

    /// Whether a former owner may know the value: it is replaced before the present one's workspace runs on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handed_over: bool,

    /// The version that readers got when it was first looked at after that: only another one is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over_version: Option<VersionId>,
}

/// A rotation that is under way (section 6 of the design): new version, pod rolled onto it, AWSCURRENT moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedRotation {
    /// From it the id of the new version is made.
    pub nonce: Nonce,

    /// The version that it takes the place of.
    pub from: VersionId,

    /// Why it was begun.
    pub cause: RotationCause,

    /// When it was begun.
    pub since: Time,

    /// Whether it was given up: the former version is used again, and the new one is being let go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abandoned: bool,
}

/// Why a rotation was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RotationCause {
    /// The class's period is over.
    Schedule,
    /// Somebody asked for it.
    Order,
    /// Somebody said that the value has leaked: there is no way back.
    Compromise,
}

/// The pod template that was applied last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedTemplate {
    /// Hash of the template as the operator wrote it.
    #[schemars(length(max = 64))]
    pub hash: String,

    /// Hash of what the API server made of it, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub rendered: Option<String>,

    /// Hash of the ConfigMap that belongs to it.
    #[schemars(length(max = 64))]
    pub config: String,

    /// Hash of what the Tenant itself decides of it: its own edit does not wait at the gate.
    #[schemars(length(max = 64))]
    pub own: String,

    /// The versions of secrets that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub secrets: Vec<AppliedSecret>,

    /// Set from when it was let through the roll-out gate until a pod of it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolling: Option<Rolling>,
}

/// The version of a secret that a pod template names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppliedSecret {
    /// The name of the item.
    pub name: SecretItemName,

    /// The version.
    pub version_id: VersionId,
}

/// A tenant on its way to another pod template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rolling {
    /// How it counts at the gate.
    pub counts: Counts,

    /// When it counts as failed.
    pub deadline: Time,
}

/// How a tenant counts at the roll-out gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Counts {
    /// It was ready before: it holds a place until it is again, and is a failure where it is not in time.
    Fully,
    /// It was not ready before: it holds a place until it is or its time is over, and is never a failure.
    Place,
    /// It did not have to wait: it holds no place.
    Nothing,
}

impl RecordedTemplate {
    /// The version of a secret that it names.
    pub fn version_of(&self, item: &SecretItemName) -> Option<&VersionId> {
        self.secrets.iter().find(|secret| secret.name == *item).map(|secret| &secret.version_id)
    }
}

/// Whose work the value of a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SecretOrigin {
    /// The operator generates it.
    Generated,
    /// A person or a pipeline puts it; the operator never writes a value.
    Person,
}

/// The volume of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedStorage {
    /// The StorageClass it was made with.
    #[schemars(length(min = 1, max = 253))]
    pub class_name: String,

    /// The claim's name, where it is not the tenant's: an adopted claim keeps the name that it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub claim: Option<String>,

    /// The size that was asked for last.
    pub size: Quantity,

    /// The bound volume, once it is bound and set to Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<RecordedVolume>,
}

/// The bound volume of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedVolume {
    /// The PersistentVolume's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// What the storage calls it: the CSI volume handle, or the path of a local one.
    #[schemars(length(max = 1024))]
    pub handle: String,
}

/// The place of a record on a gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedRouting {
    /// The mode it was made with.
    pub mode: RoutingMode,

    /// Where it was placed; absent while no gateway has room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,

    /// The namespace of the interceptor through which it is reached, and in which its ReferenceGrant lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interceptor: Option<NamespaceName>,
}

/// A place on a gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The Gateway's namespace.
    pub namespace: NamespaceName,

    /// The Gateway's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The domain or shared host.
    pub domain: DomainName,
}
