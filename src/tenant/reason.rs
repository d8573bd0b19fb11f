//! The reasons of conditions and events, as one closed list in CamelCase.

mod explained;

use std::fmt;

pub use explained::Explanation;

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident),+ $(,)?) => {
        /// Why a condition stands as it does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $reason),+ }

        impl Reason {
            /// All of them: the documentation lists each.
            pub const ALL: &'static [Self] = &[$(Self::$reason),+];

            /// As it stands in a condition.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$reason => stringify!($reason)),+ }
            }
        }
    };
}

reasons! {
    /// Everything stands and was verified.
    Verified,
    /// Being made or changed.
    Progressing,
    /// Access ended on request; everything is kept.
    Suspended,
    /// Nothing is written on request.
    Paused,
    /// On the road of its deletion policy.
    Deleting,
    /// An earlier part is not ready.
    WaitingForEarlierPart,
    /// A request failed; it is tried again.
    RequestFailed,
    /// The API server refuses the object itself.
    RequestRefused,
    /// AWS does not answer or throttles; it is tried again.
    AwsUnavailable,
    /// The operator lacks a right.
    AccessDenied,
    /// A quota of the AWS account is used up.
    AwsQuotaExceeded,
    /// The KMS key refuses the operator.
    KmsDenied,
    /// The process has no AWS credentials.
    AwsCredentialsMissing,
    /// AWS refuses the request itself.
    AwsRefused,
    /// The role does not exist or does not trust Pod Identity yet.
    RoleNotReady,
    /// The role that tenants share lets them do more than they should.
    RoleOpen,
    /// The role that tenants share does not let them do what they should.
    RoleIncomplete,
    /// The role that tenants share could not be read.
    RoleUnread,
    /// The class has no AWS identity.
    IdentityNone,
    /// The class keeps no secrets.
    SecretsNone,
    /// A running pod has no injected credentials.
    CredentialsNotInjected,
    /// The Tenant's spec cannot be read.
    InvalidSpec,
    /// The class does not exist.
    ClassNotFound,
    /// The class's spec cannot be read.
    ClassInvalid,
    /// Class and record differ in what tenants' data hangs on.
    ClassMismatch,
    /// The name is kept for another owner.
    NameReserved,
    /// Record and its mirrors contradict each other.
    RecordDisputed,
    /// The record's spec cannot be read.
    RecordInvalid,
    /// The namespace belongs to somebody else.
    NamespaceTaken,
    /// The namespace is one that no tenant ever gets.
    NamespaceReserved,
    /// The namespace is being deleted by somebody else.
    NamespaceTerminating,
    /// The association belongs to somebody else.
    AssociationTaken,
    /// The tenant's role belongs to somebody else.
    RoleTaken,
    /// The tenant's role is not bounded as the class says.
    RoleUnbounded,
    /// More than one association for one ServiceAccount.
    AssociationDoubled,
    /// The secret belongs to somebody else.
    SecretTaken,
    /// The secret is scheduled for deletion.
    SecretScheduledForDeletion,
    /// A required secret has no value yet.
    AwaitingValue,
    /// A secret is being rotated.
    Rotating,
    /// The secrets may not be rotated while the sign-in hands out copies.
    RotationBlocked,
    /// A rotation was given up, or the workspace stays down after a leak.
    RotationFailed,
    /// AWSCURRENT was moved back to the version that the last rotation replaced.
    SecretMovedBack,
    /// AWSCURRENT of a rotated secret names the new version.
    SecretRotated,
    /// The class does not allow the deletion policy.
    DeletionPolicyNotAllowed,
    /// The quota is above the class's maximum.
    QuotaAboveMaximum,
    /// The class does not allow resources.
    ResourcesNotAllowed,
    /// The workspace does not fit into its quota.
    WorkloadAboveQuota,
    /// The volume is above the class's maximum.
    StorageAboveMaximum,
    /// A volume never shrinks.
    StorageShrunk,
    /// The storage class does not exist.
    StorageClassNotFound,
    /// The storage class binds only when a pod comes.
    BindingModeUnsupported,
    /// The storage keeps the volume's old size.
    SizeNotEnforced,
    /// The claim is not bound yet.
    ClaimPending,
    /// A workspace runs on, and no Tenant holds it.
    Unattended,
    /// Kubernetes has given up the claim.
    ClaimLost,
    /// The recorded volume is gone.
    VolumeLost,
    /// The claim is bound to another volume than the recorded one.
    VolumeMismatch,
    /// The class does not allow the address ranges or domains.
    EgressNotAllowed,
    /// Domain lists need the Allowlist mode.
    DomainsNeedAllowlist,
    /// The network does not know domain names.
    DomainsUnsupported,
    /// The class does not allow the image.
    ImageNotAllowed,
    /// The class does not allow the variable.
    EnvNotAllowed,
    /// The class does not allow the skill.
    SkillNotAllowed,
    /// The class does not allow the secret.
    SecretNotAllowed,
    /// The workspace's configuration cannot be rendered.
    ConfigurationRefused,
    /// Network policies of others add to what may pass.
    ForeignPolicy,
    /// Somebody changes what the operator writes, where that opens a door.
    ForeignMutation,
    /// All gateways of the class are full.
    CapacityExhausted,
    /// No gateway has answered for the route yet.
    RoutePending,
    /// The gateway refuses the route.
    RouteRefused,
    /// The pod is not ready.
    PodNotReady,
    /// No pod runs while nobody uses the workspace; the scaler starts one.
    Asleep,
    /// No pod runs, and the scaler could start none.
    ScalerNotReady,
    /// The class wants workspaces to sleep, and the cluster cannot do it.
    ScalerNotServed,
    /// The class wants objects of a kind that the cluster does not serve.
    KindNotServed,
    /// An object of ours in somebody else's namespace is somebody else's.
    GrantTaken,
    /// What enforces network policies has not taken this tenant's up yet.
    EnforcementPending,
    /// What the class says enforces network policies is not in this cluster.
    EnforcementUnseen,
    /// The pod of an older template is being replaced.
    RollingPod,
    /// A changed pod template waits at the roll-out gate; the former one runs.
    RolloutPending,
    /// The present pod template of a class has not come to all of its tenants yet.
    RolloutProgressing,
    /// Too many tenants that took a changed pod template are not ready: nobody else is let through.
    RolloutStopped,
    /// The quota was lowered below what is used, and what stood stays so far.
    QuotaBelowUse,
    /// The quota controller has not taken the quota up yet.
    QuotaNotEnforced,
    /// Pods are still ending.
    PodsEnding,
    /// The Tenant is deleted; everything is kept.
    Retained,
    /// What an earlier system made is recorded and marked as the tenant's, and as it was otherwise.
    Adopted,
    /// What is to be adopted cannot be told, or is not as it was.
    AdoptionUnclear,
    /// The former workload runs until somebody asks for the cut-over.
    AwaitingCutOver,
    /// Pods of others still mount the claim.
    ClaimInUse,
    /// The operator's workload runs, and what the former one lived by is still there.
    CutOver,
    /// Nothing is removed until somebody says or does something.
    DeletionHeld,
    /// Everything is removed, as the receipt in the record says.
    Purged,
    /// An administrator's order was carried out.
    OrderDone,
    /// An administrator's order was not carried out.
    OrderRefused,
    /// The Tenant got what was kept for it.
    Attached,
    /// The CRDs go; everything is left as it is.
    Detached,
    /// A lost record was rebuilt from its mirrors.
    RecordRebuilt,
    /// Resources in AWS that nobody stands behind.
    OrphansFound,
    /// None of them is left.
    OrphansGone,
    /// So many, or seen with so little, that they are not believed.
    OrphansRefused,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
