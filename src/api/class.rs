//! `TenantClass`: what a group of tenants has in common and how far each of them may differ.

use k8s_openapi::api::core::v1::Toleration;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{
    names::{DomainName, KmsKeyArn, NamespaceName, NamespacePrefix, RoleArn, SecretItemName},
    quantity::Quantity,
    tenant::{CidrRule, CpuMemory, DeletionPolicy, EnvVar},
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
    doc = "Defaults, limits and the platform's side of a group of tenants.",
    printcolumn = r#"{"name":"Prefix","type":"string","jsonPath":".spec.namespacePrefix"}"#,
    printcolumn = r#"{"name":"Storage","type":"string","jsonPath":".spec.storage.className"}"#,
    printcolumn = r#"{"name":"Routing","type":"string","jsonPath":".spec.routing.mode"}"#,
    printcolumn = r#"{"name":"Egress","type":"string","jsonPath":".spec.network.egressMode"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    validation = Rule::new("size(self.metadata.name) <= 63").message("a class's name has at most 63 characters"),
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

    /// The volume of every tenant of this class.
    pub storage: Storage,

    /// The gateway that runs in every workspace of this class.
    pub workload: Workload,

    /// How owners reach their workspaces.
    pub routing: Routing,

    /// What a workspace may spend on models in a month, in US dollars, where its Tenant says nothing.
    #[serde(default = "defaults::budget")]
    #[schemars(range(min = 0, max = 1_000_000))]
    #[serde(rename = "budgetMonthlyUSD")]
    pub budget_monthly_usd: u32,

    /// What a Tenant of this class may set for itself. Nothing, unless said here.
    #[serde(default)]
    pub allow: Allow,
}

mod defaults {
    use super::{CpuMemory, NamespacePrefix, Quantity, SecretItemName};

    pub(super) fn namespace_prefix() -> NamespacePrefix {
        "openclaw-".parse().unwrap_or_else(|_| unreachable!("a unit test parses it"))
    }

    pub(super) fn gateway_token() -> Vec<super::GeneratedSecret> {
        let name: SecretItemName = "gateway-token".parse().unwrap_or_else(|_| unreachable!("a unit test parses it"));
        vec![super::GeneratedSecret { name }]
    }

    pub(super) const fn cpu_memory(cpu_milli: u32, memory_mebibytes: u32) -> CpuMemory {
        CpuMemory { cpu: Some(Quantity::milli(cpu_milli)), memory: Some(Quantity::mebibytes(memory_mebibytes)) }
    }

    pub(super) fn budget() -> u32 {
        100
    }

    pub(super) fn true_() -> bool {
        true
    }

    pub(super) fn scheme() -> String {
        "https".into()
    }

    pub(super) fn retention_days() -> u16 {
        30
    }

    pub(super) fn recovery_window_days() -> u8 {
        30
    }

    pub(super) fn gateway_capacity() -> u16 {
        90
    }

    pub(super) fn grace_seconds() -> u16 {
        330
    }

    pub(super) fn storage_size() -> Quantity {
        Quantity::gibibytes(10)
    }

    pub(super) fn storage_maximum() -> Quantity {
        Quantity::gibibytes(100)
    }

    pub(super) fn claims() -> u32 {
        1
    }

    pub(super) fn workload_requests() -> CpuMemory {
        cpu_memory(250, 1024)
    }

    pub(super) fn workload_limits() -> CpuMemory {
        cpu_memory(2000, 2048)
    }
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
}

fn both_policies() -> Vec<DeletionPolicy> {
    vec![DeletionPolicy::Retain, DeletionPolicy::Delete]
}

impl Default for Deletion {
    fn default() -> Self {
        Self {
            allowed_policies: both_policies(),
            retention: Retention::default(),
            retention_days: defaults::retention_days(),
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

/// Where workspaces may connect to and who may connect to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// The egress mode.
    #[serde(default)]
    pub egress_mode: EgressMode,

    /// Address ranges that every workspace may connect to, such as VPC endpoints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub cidrs: Vec<CidrRule>,

    /// DNS names that every workspace may connect to, for Allowlist mode with an enforcement that knows names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 253), regex(pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))
    )]
    pub domains: Vec<String>,

    /// Lets workspaces reach the instance metadata service (169.254.169.254). Leave it off.
    #[serde(default)]
    pub allow_instance_metadata: bool,

    /// Who may connect to the workspace's port beside its own namespace. Without any: everybody who can route to it,
    /// as a load balancer with IP targets needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub ingress_from: Vec<IngressSource>,

    /// What enforces NetworkPolicies in this cluster, said again in `NetworkReady`.
    #[serde(default)]
    pub enforcement: Enforcement,
}

/// The two ways of limiting where a workspace may connect to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EgressMode {
    /// TCP 443 to every public address; private, link-local and cluster addresses only as listed.
    #[default]
    Internet,
    /// Only what class and Tenant list.
    Allowlist,
}

/// Who may connect to a workspace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.cidr) != has(self.namespaceLabels)")
    .message("name a source by exactly one of cidr and namespaceLabels"))]
pub struct IngressSource {
    /// Addresses, such as the load balancer's subnets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 49))]
    #[x_kube(validation = Rule::new("isCIDR(self)").message("use an address range in CIDR form, such as 10.0.0.0/16"))]
    pub cidr: Option<String>,

    /// Pods in namespaces that carry all of these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1, "maxProperties" = 8, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub namespace_labels: Option<BTreeMap<String, String>>,
}

/// What enforces NetworkPolicies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Enforcement {
    /// The Amazon VPC CNI's network policy agent.
    VpcCni,
    /// Cilium.
    Cilium,
    /// Somebody vouches for it; the operator has no evidence of its own.
    #[default]
    Declared,
}

/// Who workspaces are to AWS.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode == 'None' || has(self.roleArn)")
    .message("name the shared role in identity.roleArn, or set identity.mode to None"))]
pub struct Identity {
    /// How a workspace gets its AWS credentials. Immutable.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("the identity mode never changes, what tenants may read hangs on it: make another class"))]
    pub mode: IdentityMode,

    /// The shared role, for mode SharedRole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<RoleArn>,
}

/// How a workspace gets its AWS credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdentityMode {
    /// One role for all tenants of the class; session tags and resource tags keep them apart.
    SharedRole,
    /// None: clusters outside AWS.
    #[default]
    None,
}

/// The secrets of every tenant of a class.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode == 'None' || !has(self.generated) || self.generated.exists(item, item.name == 'gateway-token')")
    .message("secrets.generated must hold gateway-token: owners log in with it"))]
pub struct Secrets {
    /// Where secrets are kept.
    #[serde(default)]
    pub mode: SecretsMode,

    /// The KMS key that encrypts them; without it the account's default key for Secrets Manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<KmsKeyArn>,

    /// Days for which a deleted secret can be restored.
    #[serde(default = "defaults::recovery_window_days")]
    #[schemars(range(min = 7, max = 30))]
    pub recovery_window_days: u8,

    /// Secrets that the operator generates: 32 random bytes in URL-safe base64.
    #[serde(default = "defaults::gateway_token")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub generated: Vec<GeneratedSecret>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            mode: SecretsMode::default(),
            kms_key_arn: None,
            recovery_window_days: defaults::recovery_window_days(),
            generated: defaults::gateway_token(),
        }
    }
}

/// Where secrets are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SecretsMode {
    /// AWS Secrets Manager.
    SecretsManager,
    /// Nowhere: clusters outside AWS. The workspace then gets no gateway token from the operator.
    #[default]
    None,
}

/// A secret that the operator generates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedSecret {
    /// Its name, the last part of the name in Secrets Manager.
    pub name: SecretItemName,
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

/// The gateway that runs in every workspace of a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// The pinned image.
    pub image: Image,

    /// What the gateway container reserves.
    #[serde(default = "defaults::workload_requests")]
    pub requests: CpuMemory,

    /// What the gateway container may use.
    #[serde(default = "defaults::workload_limits")]
    pub limits: CpuMemory,

    /// Seconds that a workspace has to finish its work when it is stopped. OpenClaw drains for up to 315 s.
    #[serde(default = "defaults::grace_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub termination_grace_period_seconds: u16,

    /// The model that assistants use, such as `amazon-bedrock/anthropic.claude-sonnet-4`; without it OpenClaw's own
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = r"^[A-Za-z0-9._:/-]+$"))]
    pub model: Option<String>,

    /// Environment variables of every workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub env: Vec<EnvVar>,

    /// Labels that a node must carry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub node_selector: BTreeMap<String, String>,

    /// Taints of nodes that workspaces tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub tolerations: Vec<Toleration>,

    /// A runtime with stronger isolation, such as gVisor or Kata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
}

/// A pinned image.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.tag) != has(self.digest)").message("name the image by exactly one of tag and digest"))]
pub struct Image {
    /// Registry and repository, such as `ghcr.io/openclaw/openclaw`.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-z0-9][a-zA-Z0-9._/:-]*$"))]
    pub repository: String,

    /// The tag. `latest` is refused: a workspace is always pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"))]
    #[x_kube(validation = Rule::new("self != 'latest'").message("pin the image: latest is not taken"))]
    pub tag: Option<String>,

    /// The digest, such as `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub digest: Option<String>,

    /// When nodes ask the registry again.
    #[serde(default)]
    pub pull_policy: PullPolicy,
}

/// When nodes ask the registry again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// Only where the node does not have the image.
    #[default]
    IfNotPresent,
    /// At every start.
    Always,
    /// Never: the image was put on the node.
    Never,
}

/// How owners reach their workspaces.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode != 'Path' || self.acceptSharedOrigin")
        .message("in Path mode all tenants of a host share one browser origin: a script of one can read another's token. Set acceptSharedOrigin: true if you accept that, or use Host mode"),
)]
pub struct Routing {
    /// A host of its own for each tenant, or a path on a shared one. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("the routing mode never changes, owners' bookmarks and tokens hang on it: make another class"))]
    pub mode: RoutingMode,

    /// Says that in Path mode a shared browser origin is accepted.
    #[serde(default)]
    pub accept_shared_origin: bool,

    /// The gateways, each with a host (Path) or domain (Host) of its own.
    #[schemars(length(min = 1, max = 16))]
    pub gateways: Vec<GatewaySlot>,
}

/// A host of its own for each tenant, or a path on a shared one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RoutingMode {
    /// `<tenant>.<domain>`.
    Host,
    /// `<domain>/t/<tenant>`.
    Path,
}

/// One gateway and how many tenants it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySlot {
    /// The Gateway's namespace.
    pub namespace: NamespaceName,

    /// The Gateway's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The listener; without it every listener of the Gateway that takes the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,

    /// The domain under which each tenant has its host, or the shared host in Path mode.
    pub domain: DomainName,

    /// The scheme that owners use.
    #[serde(default = "defaults::scheme")]
    #[schemars(extend("enum" = ["https", "http"]))]
    pub scheme: String,

    /// How many tenants it takes. One Application Load Balancer has 100 target groups, not adjustable.
    #[serde(default = "defaults::gateway_capacity")]
    #[schemars(range(min = 1, max = 100_000))]
    pub capacity: u16,

    /// Takes no new tenants; those it has stay.
    #[serde(default)]
    pub cordoned: bool,
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
        assert_eq!(class.deletion.retention_days, 30);
        assert_eq!(class.routing.gateways[0].capacity, 90);
        assert_eq!(class.budget_monthly_usd, 100);
        assert_eq!(class.network.egress_mode, EgressMode::Internet);
    }
}
