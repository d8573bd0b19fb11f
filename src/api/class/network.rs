//! Where workspaces may connect to and who may connect to them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::api::tenant::CidrRule;

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
    /// TCP 443 to every public address; private, reserved, link-local and cluster addresses only as listed.
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
