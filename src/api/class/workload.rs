//! The gateway that runs in every workspace of a class.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;

use super::{defaults, scaling::ScaleToZero};
use crate::api::tenant::{CpuMemory, EnvVar};

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

    /// Lets workspaces sleep while nobody uses them. Without it they run all the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_to_zero: Option<ScaleToZero>,
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
