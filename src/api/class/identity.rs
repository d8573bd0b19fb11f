//! Who workspaces are to AWS, and what they may do there.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::names::{InferenceProfile, ModelId, PolicyArn, RoleArn};

/// Who workspaces are to AWS.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode != 'SharedRole' || has(self.roleArn)")
        .message("name the shared role in identity.roleArn, or set identity.mode to None"),
    validation = Rule::new("self.mode != 'RolePerTenant' || has(self.permissionsBoundaryArn)")
        .message("name the permissions boundary of the tenants' roles in identity.permissionsBoundaryArn: without one, whoever makes roles owns the account (deploy/aws)"),
    validation = Rule::new("self.mode != 'RolePerTenant' || !has(self.roleArn)")
        .message("identity.roleArn is for mode SharedRole: with a role per tenant the operator names the roles"),
    validation = Rule::new("!has(oldSelf.permissionsBoundaryArn) || (has(self.permissionsBoundaryArn) && self.permissionsBoundaryArn == oldSelf.permissionsBoundaryArn)")
        .message("the permissions boundary never changes, the operator may not move it: make another class, or change the policy itself"),
)]
pub struct Identity {
    /// How a workspace gets its AWS credentials. Immutable.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("the identity mode never changes, what tenants may read hangs on it: make another class"))]
    pub mode: IdentityMode,

    /// The shared role, for mode SharedRole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<RoleArn>,

    /// The managed policy that bounds every role, for mode RolePerTenant. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary_arn: Option<PolicyArn>,

    /// The models that workspaces may invoke on Amazon Bedrock; none where it is empty. At most 16: the inline policies of
    /// a role have room for no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub models: Vec<Model>,

    /// Whether workspaces list the models and inference profiles of the account, and offer them (OpenClaw's discovery).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub model_discovery: bool,
}

/// How a workspace gets its AWS credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdentityMode {
    /// One role for all tenants of the class; session tags and resource tags keep them apart.
    SharedRole,
    /// A role for each tenant, made by the operator under a permissions boundary.
    RolePerTenant,
    /// None: clusters outside AWS.
    #[default]
    None,
}

/// A model on Amazon Bedrock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// The foundation model, such as `anthropic.claude-sonnet-4-5-20250929-v1:0`.
    pub id: ModelId,

    /// The inference profile through which alone it is invoked: what stands before the model's id in a profile of AWS
    /// (`eu`, `us`, `apac`, `global`, …), or the ARN of an application inference profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_profile: Option<InferenceProfile>,
}
