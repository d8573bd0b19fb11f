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

    /// RoleReady: whether the role lets workspaces do what they should, and nothing else. RolledOut: whether all tenants of the
    /// class have the present pod template.
    #[serde(default)]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// What the class's role should say, where it says something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ProposedIdentity>,

    /// How far the present pod template has come to the tenants of the class, as of the generation that RolledOut names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
}

/// How far a pod template has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// Tenants of the class, without those that go or whose former workload runs yet.
    #[serde(default)]
    pub total: u32,

    /// Tenants that have it and are through with it.
    #[serde(default)]
    pub updated: u32,

    /// Tenants that have been let through and are not ready with it yet.
    #[serde(default)]
    pub in_flight: u32,

    /// Tenants that were ready before it and are not in time after it.
    #[serde(default)]
    pub failed: u32,

    /// Tenants that have not got it yet.
    #[serde(default)]
    pub pending: u32,

    /// Whether nobody else is let through: too many tenants of the fleet have failed.
    #[serde(default)]
    pub stopped: bool,
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
