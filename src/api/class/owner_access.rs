//! What owners may see in the cluster.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Lets each owner look at what runs in the own namespace (pods, their logs, events) and at the own Tenant, as the user whom the API
/// server knows by the owner's subject: `spec.owner.subject` of the Tenant or, where it names none, its e-mail in lower case. Another
/// e-mail beside a subject is nobody's right. Nothing can be changed by it, and it goes when access ends. The operator needs rights of its
/// own for it: the chart's value `ownerAccess.enabled`.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerAccess {
    /// What stands before the subject in the name of the user: the API server's `--oidc-username-prefix`, or that of the identity
    /// provider that is associated with the EKS cluster. A name that begins with `system:` is given nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 128), regex(pattern = r"^[A-Za-z0-9:._/@#|-]*$"))]
    #[x_kube(validation = Rule::new("!self.startsWith('system:')")
        .message("names that begin with system: are Kubernetes' own"))]
    pub user_name_prefix: String,
}
