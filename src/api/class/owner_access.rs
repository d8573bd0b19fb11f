//! What owners may see in the cluster.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lets each owner look at what runs in the own namespace (pods, their logs, events) and at the own Tenant, as the user that the API
/// server knows them by. Nothing can be changed by it, and it goes when access ends. The operator needs rights of its own for it: the
/// chart's value `ownerAccess.enabled`.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerAccess {
    /// What of an owner is in the name by which the API server knows them.
    #[serde(default)]
    pub user_name: UserName,

    /// What stands before it there: the API server's `--oidc-username-prefix`, or that of the identity provider that is associated with
    /// the EKS cluster.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128), regex(pattern = r"^[A-Za-z0-9:._/@#|-]*$"))]
    #[x_kube(validation = Rule::new("!self.startsWith('system:')")
        .message("names that begin with system: are Kubernetes' own"))]
    pub user_name_prefix: String,
}

/// By what an owner is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UserName {
    /// `spec.owner.email` of the Tenant, as it is written there.
    #[default]
    Email,
    /// The owner's subject: `spec.owner.subject` of the Tenant, or what was recorded in its place.
    Subject,
}
