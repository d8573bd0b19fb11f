//! `TenantClass`: what a group of tenants has in common and how far each of them may differ.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod defaults;
mod identity;
mod network;
mod owner_access;
mod rollout;
mod routing;
mod scaling;
mod secrets;
mod status;
mod workload;

pub use identity::{Identity, IdentityMode, Model};
pub use network::{EgressMode, Enforcement, IngressSource, Network};
pub use owner_access::OwnerAccess;
pub use rollout::Rollout;
pub use routing::{GatewaySlot, Routing, RoutingMode, TargetGroup};
pub use scaling::{Interceptor, ScaleToZero};
pub use secrets::{GeneratedSecret, Login, Secrets, SecretsMode, TokenSource};
pub use status::{ProposedIdentity, RolloutStatus, TenantClassStatus};
pub use workload::{Image, PullPolicy, Workload};

use super::{
    names::NamespacePrefix,
    quantity::Quantity,
    tenant::{CpuMemory, DeletionPolicy},
};

/// Defaults, limits and the platform's side of a group of tenants. Written by platform administrators.
///
/// What tenants' data hangs on (namespace prefix, storage class, identity and routing mode) never changes.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "openclaw.io",
    version = "v1alpha1",
    kind = "TenantClass",
    plural = "tenantclasses",
    shortname = "tnc",
    category = "openclaw",
    derive = "PartialEq",
    status = "TenantClassStatus",
    doc = "Defaults, limits and the platform's side of a group of tenants.",
    printcolumn = r#"{"name":"Prefix","type":"string","jsonPath":".spec.namespacePrefix"}"#,
    printcolumn = r#"{"name":"Storage","type":"string","jsonPath":".spec.storage.className"}"#,
    printcolumn = r#"{"name":"Routing","type":"string","jsonPath":".spec.routing.mode"}"#,
    printcolumn = r#"{"name":"Egress","type":"string","jsonPath":".spec.network.egressMode"}"#,
    printcolumn = r#"{"name":"Tenants","type":"integer","jsonPath":".status.rollout.total"}"#,
    printcolumn = r#"{"name":"Updated","type":"integer","jsonPath":".status.rollout.updated"}"#,
    printcolumn = r#"{"name":"RolledOut","type":"string","jsonPath":".status.conditions[?(@.type=='RolledOut')].status"}"#,
    printcolumn = r#"{"name":"Role","type":"string","jsonPath":".status.conditions[?(@.type=='RoleReady')].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    validation = Rule::new("size(self.metadata.name) <= 63").message("a class's name has at most 63 characters"),
    validation = Rule::new("!has(self.spec.workload.scaleToZero) || !has(self.spec.rollout) || (self.spec.workload.scaleToZero.idleSeconds >= self.spec.rollout.deadlineSeconds && self.spec.workload.scaleToZero.idleSeconds >= self.spec.workload.scaleToZero.wakeSeconds)")
        .message("a workspace that sleeps before it had its time to start is never seen to work: set workload.scaleToZero.idleSeconds to at least rollout.deadlineSeconds and wakeSeconds"),
    validation = Rule::new("!has(self.spec.secrets) || !has(self.spec.secrets.generated) || (has(self.spec.login) && has(self.spec.login.tokenSource) && self.spec.login.tokenSource == 'SecretsManager') || self.spec.secrets.generated.all(item, item.name != 'gateway-token' || !has(item.rotateEveryDays))")
        .message("the sign-in holds a copy of gateway-token, which a rotation would make worthless: let it read Secrets Manager and set login.tokenSource to SecretsManager, or take rotateEveryDays of gateway-token away"),
)]
#[serde(rename_all = "camelCase")]
pub struct TenantClassSpec {
    /// What stands before a tenant's name in the name of its namespace. Immutable.
    #[serde(default = "defaults::namespace_prefix")]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("the namespace prefix never changes, tenants' namespaces are named by it: make another class"))]
    pub namespace_prefix: NamespacePrefix,

    /// What tenants may choose for their end, and how long the retained are kept.
    #[serde(default)]
    pub deletion: Deletion,

    /// The quota of a tenant's namespace.
    #[serde(default)]
    pub quota: Quota,

    /// Defaults for containers that ask for nothing.
    #[serde(default)]
    pub limit_range: LimitRangeDefaults,

    /// Whether nodes can be drained while a workspace runs on them.
    #[serde(default)]
    pub disruption: Disruption,

    /// Where workspaces may connect to and who may connect to them.
    #[serde(default)]
    pub network: Network,

    /// Who workspaces are to AWS.
    #[serde(default)]
    pub identity: Identity,

    /// The secrets of every tenant of this class.
    #[serde(default)]
    pub secrets: Secrets,

    /// Where owners' tokens are read at sign-in.
    #[serde(default)]
    pub login: Login,

    /// The volume of every tenant of this class.
    pub storage: Storage,

    /// The gateway that runs in every workspace of this class.
    pub workload: Workload,

    /// How fast changes of the pod template reach the tenants of this class.
    #[serde(default)]
    pub rollout: Rollout,

    /// How owners reach their workspaces.
    pub routing: Routing,

    /// Lets owners see in the cluster how their tenant stands. Without it they have no right there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_access: Option<OwnerAccess>,

    /// What a workspace may spend on models in a month, in US dollars, where its Tenant says nothing.
    #[serde(default = "defaults::budget")]
    #[schemars(range(min = 0, max = 1_000_000))]
    #[serde(rename = "budgetMonthlyUSD")]
    pub budget_monthly_usd: u32,

    /// What a Tenant of this class may set for itself. Nothing, unless said here.
    #[serde(default)]
    pub allow: Allow,
}

/// What tenants may choose for their end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// The deletion policies that a Tenant may name.
    #[serde(default = "both_policies")]
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub allowed_policies: Vec<DeletionPolicy>,

    /// What happens at the end of retention.
    #[serde(default)]
    pub retention: Retention,

    /// Days for which a retained tenant is kept before it is purged, where `retention` is `Days`.
    #[serde(default = "defaults::retention_days")]
    #[schemars(range(min = 7, max = 365))]
    pub retention_days: u16,

    /// Seconds between the beginning of a removal and its first step that cannot be undone. Within this time a deletion can
    /// be taken back by setting its Tenant's `deletionPolicy` to Retain, and the breaker sees what comes together with it.
    #[serde(default = "defaults::settling_seconds")]
    #[schemars(range(min = 1, max = 86400))]
    pub settling_seconds: u32,
}

/// Seconds that a removal settles where a class says nothing.
pub const SETTLING_SECONDS: u32 = 60;

fn both_policies() -> Vec<DeletionPolicy> {
    vec![DeletionPolicy::Retain, DeletionPolicy::Delete]
}

impl Default for Deletion {
    fn default() -> Self {
        Self {
            allowed_policies: both_policies(),
            retention: Retention::default(),
            retention_days: defaults::retention_days(),
            settling_seconds: defaults::settling_seconds(),
        }
    }
}

/// Whether retained tenants are ever purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Retention {
    /// Purged after `retentionDays`.
    #[default]
    Days,
    /// Never purged by time; an administrator orders it.
    Forever,
}

/// The quota of a tenant's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// CPU of all pods together, requests and limits each.
    #[serde(default = "Quota::default_cpu")]
    pub cpu: Quantity,
    /// Memory of all pods together, requests and limits each.
    #[serde(default = "Quota::default_memory")]
    pub memory: Quantity,
    /// Number of pods.
    #[serde(default = "Quota::default_pods")]
    #[schemars(range(min = 1, max = 1000))]
    pub pods: u32,
    /// Number of PersistentVolumeClaims.
    #[serde(default = "defaults::claims")]
    #[schemars(range(min = 1, max = 100))]
    pub persistent_volume_claims: u32,
    /// What a Tenant may ask for at most; without it no more than the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<QuotaMaximum>,
}

impl Quota {
    fn default_cpu() -> Quantity {
        Quantity::units(4)
    }

    fn default_memory() -> Quantity {
        Quantity::gibibytes(8)
    }

    fn default_pods() -> u32 {
        10
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            cpu: Self::default_cpu(),
            memory: Self::default_memory(),
            pods: Self::default_pods(),
            persistent_volume_claims: defaults::claims(),
            maximum: None,
        }
    }
}

/// What a Tenant may ask for at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaMaximum {
    /// CPU of all pods together.
    pub cpu: Quantity,
    /// Memory of all pods together.
    pub memory: Quantity,
    /// Number of pods.
    #[schemars(range(min = 1, max = 1000))]
    pub pods: u32,
}

/// Defaults for containers that ask for nothing. There is no maximum below the quota.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitRangeDefaults {
    /// Limits of a container that names none.
    #[serde(default = "LimitRangeDefaults::default_limits")]
    pub limits: CpuMemory,
    /// Requests of a container that names none.
    #[serde(default = "LimitRangeDefaults::default_requests")]
    pub requests: CpuMemory,
}

impl LimitRangeDefaults {
    fn default_limits() -> CpuMemory {
        defaults::cpu_memory(500, 512)
    }

    fn default_requests() -> CpuMemory {
        defaults::cpu_memory(100, 128)
    }
}

impl Default for LimitRangeDefaults {
    fn default() -> Self {
        Self { limits: Self::default_limits(), requests: Self::default_requests() }
    }
}

/// Whether nodes can be drained while a workspace runs on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Disruption {
    /// `maxUnavailable: 1`: a drain moves the workspace.
    #[default]
    Drainable,
    /// `minAvailable: 1`: a drain waits until somebody moves the workspace.
    Strict,
}

/// The volume of every tenant of a class.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// The StorageClass. It must bind immediately. Immutable.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("the storage class never changes, tenants' data lies in it: make another class"))]
    pub class_name: String,

    /// The size of a volume where the Tenant says nothing.
    #[serde(default = "defaults::storage_size")]
    pub size: Quantity,

    /// The largest size that a Tenant may ask for.
    #[serde(default = "defaults::storage_maximum")]
    pub maximum: Quantity,
}

/// What a Tenant may set for itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Allow {
    /// Repositories that a Tenant's image may come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 255)))]
    pub image_repositories: Vec<String>,

    /// Patterns of environment variables that a Tenant may set; `*` stands for any characters at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*\*?$")))]
    pub env: Vec<String>,

    /// Skills that a Tenant may switch on; `*` stands for any characters at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64), regex(pattern = r"^[a-zA-Z0-9._-]*\*?$")))]
    pub skills: Vec<String>,

    /// Whether a Tenant may set requests and limits of the gateway container.
    #[serde(default)]
    pub resources: bool,

    /// Whether a Tenant may list address ranges (public ones only).
    #[serde(default = "defaults::true_")]
    pub egress_cidrs: bool,

    /// Whether a Tenant may list DNS names.
    #[serde(default)]
    pub egress_domains: bool,

    /// How many secrets of its own a Tenant may have.
    #[serde(default = "Allow::default_secrets")]
    #[schemars(range(min = 0, max = 32))]
    pub secrets: u8,
}

impl Allow {
    fn default_secrets() -> u8 {
        8
    }
}

impl Default for Allow {
    fn default() -> Self {
        Self {
            image_repositories: Vec::new(),
            env: Vec::new(),
            skills: Vec::new(),
            resources: false,
            egress_cidrs: true,
            egress_domains: false,
            secrets: Self::default_secrets(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_class_gets_the_documented_defaults() {
        let class: TenantClassSpec = serde_json::from_value(serde_json::json!({
            "storage": {"className": "efs"},
            "workload": {"image": {"repository": "ghcr.io/openclaw/openclaw", "tag": "2026.9.6"}},
            "routing": {"mode": "Host", "gateways": [{"namespace": "openclaw-system", "name": "g", "domain": "example.com"}]},
        }))
        .expect("valid");
        assert_eq!(class.namespace_prefix.as_str(), "openclaw-");
        assert_eq!(
            (class.quota.cpu, class.quota.memory, class.quota.pods),
            (Quantity::units(4), Quantity::gibibytes(8), 10)
        );
        assert_eq!(class.secrets.generated[0].name.as_str(), "gateway-token");
        assert_eq!((class.deletion.retention_days, class.deletion.settling_seconds), (30, 60));
        assert_eq!(class.routing.gateways[0].capacity, 90);
        assert_eq!(class.budget_monthly_usd, 100);
        assert_eq!(class.network.egress_mode, EgressMode::Internet);
    }
}
