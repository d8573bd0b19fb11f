//! Labels, annotations, tags and fixed names: the marks by which the operator knows what is its own.

use super::names::TenantName;

/// The API group, and the domain of every label and annotation of ours.
pub const GROUP: &str = "openclaw.io";

/// The field manager of every write.
pub const FIELD_MANAGER: &str = "openclaw-tenant-operator";

/// The finalizer on a Tenant: taken off only after its external state was confirmed.
pub const FINALIZER: &str = "openclaw.io/tenant-operator";

/// Label on everything that the operator keeps; the watches select by it.
pub const MANAGED: &str = "openclaw.io/managed";

/// Label on every owned object, and annotation on an owned namespace: the tenant's name.
pub const TENANT: &str = "openclaw.io/tenant";

/// Annotation on an owned namespace: the incarnation it belongs to.
pub const INCARNATION: &str = "openclaw.io/incarnation";

/// Annotation on an owned namespace: SHA-256 of the owner's subject, in hex.
pub const OWNER_HASH: &str = "openclaw.io/owner-hash";

/// Annotation on an owned namespace: the workspace's ServiceAccount.
pub const SERVICE_ACCOUNT: &str = "openclaw.io/service-account";

/// Annotation on an owned namespace: the class it was made with.
pub const CLASS: &str = "openclaw.io/class";

/// Annotation on an owned namespace: the record's phase.
pub const PHASE: &str = "openclaw.io/phase";

/// Annotation on an owned namespace: when its record may be purged.
pub const PURGE_AFTER: &str = "openclaw.io/purge-after";

/// Annotation by which a foreign namespace consents to being adopted by the tenant that it names.
pub const ADOPT_BY: &str = "openclaw.io/adopt-by";

/// Annotation on an owned namespace: how far its adoption is, while it is under way.
pub const ADOPTION: &str = "openclaw.io/adoption";

/// Annotation on an owned namespace: the name of an adopted claim that is not the tenant's.
pub const CLAIM: &str = "openclaw.io/claim";

/// Annotation on a namespace that is being adopted: its labels before the operator's, as JSON.
pub const FORMER_LABELS: &str = "openclaw.io/former-labels";

/// Annotation on a Tenant whose namespace is being adopted: [`CUT_OVER_START`] moves the workspace over, [`CUT_OVER_FINISH`]
/// ends the way back; taking it off goes back.
pub const CUT_OVER: &str = "openclaw.io/cut-over";

/// The value of [`CUT_OVER`] by which the operator's workload takes the former one's place.
pub const CUT_OVER_START: &str = "start";

/// The value of [`CUT_OVER`] by which what the former workload lived by is removed.
pub const CUT_OVER_FINISH: &str = "finish";

/// Annotation on a former workload that `migrate cut-over` has scaled to zero: what it was before, as JSON, so that a second run
/// and the way back know it.
pub const BEFORE_CUT_OVER: &str = "openclaw.io/before-cut-over";

/// Annotation on a Tenant: with the value `true` nothing is written for it.
pub const PAUSED: &str = "openclaw.io/paused";

/// Annotation on a Tenant: any new value orders a rotation of its generated secrets; one that begins with
/// [`COMPROMISED`] says that they have leaked.
pub const ROTATE_SECRETS: &str = "openclaw.io/rotate-secrets";

/// Beginning of a value of [`ROTATE_SECRETS`] by which secrets are said to have leaked.
pub const COMPROMISED: &str = "compromised";

/// Annotation on an owned namespace: the order to rotate that was carried out last.
pub const ROTATION_ORDER: &str = "openclaw.io/rotation-order";

/// Annotation on an owned namespace: its own UID, once its removal was decided. The policies let the operator delete no other.
pub const DELETE_APPROVED: &str = "openclaw.io/delete-approved";

/// Annotation on a PersistentVolume: when it was given to its storage to be deleted.
pub const RELEASED_AT: &str = "openclaw.io/released-at";

/// Annotation on an owned namespace: generated secrets have to get new values, because a former owner may know them.
pub const HANDED_OVER: &str = "openclaw.io/handed-over";

/// Annotation on a TenantRecord, an administrator's order: the subject of the owner who shall have it from now on.
pub const TRANSFER_TO: &str = "openclaw.io/transfer-to";

/// Annotation on a TenantRecord, an administrator's order: the incarnation whose retention ends now.
pub const PURGE_NOW: &str = "openclaw.io/purge-now";

/// Annotation on a TenantRecord, an administrator's order: the time until which it is kept.
pub const KEEP_UNTIL: &str = "openclaw.io/keep-until";

/// Annotation on a TenantRecord, an administrator's order: the incarnation whose removal may pass the breaker.
pub const CONFIRM_DELETION: &str = "openclaw.io/confirm-deletion";

/// Annotation on a TenantRecord, an administrator's order: the gateway of its class to which it is moved, as `namespace/name`, or
/// `namespace/name/domain` where the class lists it under several domains.
pub const MOVE_TO: &str = "openclaw.io/move-to";

/// Annotation on a TenantClass: with the value `true` nothing of its tenants is removed for good.
pub const HALT: &str = "openclaw.io/halt";

/// The secret that owners log in with.
pub const GATEWAY_TOKEN: &str = "gateway-token";

/// Staging label of a version that a rotation has made and that is not in use yet. `AWSPENDING` is Secrets Manager's own.
pub const NEXT_STAGE: &str = "openclaw-next";

/// Staging label of the version that readers get who name none.
pub const CURRENT_STAGE: &str = "AWSCURRENT";

/// The ClusterRole of what owners may see in their namespaces, where their class lets them.
pub const TENANT_READER: &str = "openclaw:tenant-reader";

/// The name of the ClusterRole and the ClusterRoleBinding by which an owner may see the own Tenant. The beginning is the operator's
/// own: no Tenant's name makes it the name of anything else.
pub fn owner_role(tenant: &TenantName) -> String {
    format!("openclaw:tenant:{tenant}")
}

/// Annotation on the pod template: hash of the configuration, so that a changed one rolls the pod.
pub const CONFIG_HASH: &str = "openclaw.io/config-hash";

/// The container's and the Service's port of a workspace (OpenClaw's own default).
pub const GATEWAY_PORT: u16 = 18789;

/// Keys of the tags on AWS resources.
pub mod tags {
    /// ABAC: must equal the session tag `kubernetes-namespace`. The old platform's key.
    pub const NAMESPACE: &str = "tenant-namespace";
    /// ABAC: must equal the session tag `kubernetes-service-account`; `revoked` ends access at once.
    pub const SERVICE_ACCOUNT: &str = "tenant-service-account";
    /// ABAC: must equal the session tag of the same name.
    pub const CLUSTER_ARN: &str = "eks-cluster-arn";
    /// The tenant's name.
    pub const TENANT: &str = "openclaw-tenant";
    /// The incarnation.
    pub const INCARNATION: &str = "openclaw-incarnation";
    /// SHA-256 of the owner's subject.
    pub const OWNER_HASH: &str = "openclaw-owner-hash";
    /// UID of the cluster's `kube-system` namespace: a rebuilt cluster of the same name is another cluster.
    pub const CLUSTER_UID: &str = "openclaw-cluster-uid";
    /// Who made it.
    pub const MANAGED_BY: &str = "managed-by";
    /// The value of [`MANAGED_BY`] on what is ours.
    pub const MANAGED_BY_US: &str = "openclaw-tenant-operator";
    /// Consent of an association or a secret to being adopted by the tenant that it names.
    pub const ADOPT_BY: &str = "openclaw-adopt-by";
    /// What the cost layer watches.
    pub const BUDGET: &str = "budget-usd";
    /// The tags that give access to a secret: taken off before it is scheduled for deletion, because a restored one is
    /// readable as it was tagged. The identifying ones stay.
    pub const ACCESS: [&str; 2] = [NAMESPACE, SERVICE_ACCOUNT];
    /// The value of [`SERVICE_ACCOUNT`] that matches no session.
    pub const REVOKED: &str = "revoked";
}
