//! What the operator says about a class.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a class stands. Written by the operator; never an input to a decision of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantClassStatus {
    /// The generation of the spec that this status is about.
    #[serde(default)]
    pub observed_generation: i64,

    /// RoleReady: whether the role lets workspaces do what they should, and nothing else.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// What the class's role should say, where it says something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ProposedIdentity>,
}

/// Documents ready to apply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProposedIdentity {
    /// For `aws iam update-assume-role-policy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub proposed_trust_policy: Option<String>,

    /// For `aws iam put-role-policy`; in place of whatever else lets the role read secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub proposed_permissions: Option<String>,
}
