//! What the operator says about a Tenant.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::names::{AssociationId, Incarnation, NamespaceName, SecretItemName, ServiceAccountName};

/// How a tenant stands. Written by the operator; never an input to a decision of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1, "phase": "Pending"}))]
pub struct TenantStatus {
    /// The generation of the spec that this status is about; -1 before the operator saw the Tenant.
    #[serde(default = "unseen_generation")]
    #[schemars(extend("default" = -1))]
    pub observed_generation: i64,

    /// One word for people. Machines read the conditions.
    #[serde(default)]
    pub phase: Phase,

    /// Ready, Reconciling, Stalled, and one condition for each part of the tenant.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<NamespaceName>,

    /// Where the owner finds the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub url: Option<String>,

    /// The gateway that serves it, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 317))]
    pub gateway: Option<String>,

    /// Who the workspace is to AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityStatus>,

    /// Its secrets in Secrets Manager: names and versions, never values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub secrets: Vec<SecretStatus>,

    /// Hash of the pod template that was applied last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub template_hash: Option<String>,
}

impl TenantStatus {
    /// The condition of that type, where one is told.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind)
    }

    /// Whether that condition is told, and True.
    pub fn is_true(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }
}

fn unseen_generation() -> i64 {
    -1
}

/// One word for how a tenant stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Not looked at yet.
    #[default]
    Pending,
    /// Being made or changed.
    Provisioning,
    /// Everything stands and was verified.
    Ready,
    /// Access ended, everything kept.
    Suspended,
    /// Going down the road of its deletion policy.
    Deleting,
    /// Only a person can help: the Stalled condition says how.
    Error,
}

/// Who a workspace is to AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityStatus {
    /// The incarnation that tags everything in AWS.
    pub incarnation: Incarnation,

    /// The workspace's ServiceAccount.
    pub service_account: ServiceAccountName,

    /// The Pod Identity association.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association_id: Option<AssociationId>,
}

/// One secret of a tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretStatus {
    /// The name of the item.
    pub name: SecretItemName,

    /// Its full name in Secrets Manager.
    #[schemars(length(max = 512))]
    pub secret_id: String,

    /// The version that the workspace is told to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version_id: Option<String>,
}
