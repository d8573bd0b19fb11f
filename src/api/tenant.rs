//! `Tenant`: who one person's workspace is for, and what differs from its class.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    names::{ClassName, Email, OwnerSubject, SecretItemName},
    quantity::Quantity,
};

mod status;

pub use status::{IdentityStatus, Phase, SecretStatus, TenantStatus};

/// One person's isolated OpenClaw workspace.
///
/// Written by people, Git or the signup function; everything else (namespace, quota, network policy, identity,
/// secrets, volume, workload, route) is made and kept by the operator.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "openclaw.io",
    version = "v1alpha1",
    kind = "Tenant",
    plural = "tenants",
    shortname = "tn",
    category = "openclaw",
    status = "TenantStatus",
    derive = "PartialEq",
    doc = "One person's isolated OpenClaw workspace.",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".status.url"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Class","type":"string","jsonPath":".spec.className","priority":1}"#,
    printcolumn = r#"{"name":"Namespace","type":"string","jsonPath":".status.namespace","priority":1}"#,
    printcolumn = r#"{"name":"Owner","type":"string","jsonPath":".spec.owner.email","priority":1}"#,
    validation = Rule::new("self.metadata.name.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$') && size(self.metadata.name) <= 40")
        .message("the name must be 1 to 40 lower-case letters, digits and hyphens, beginning with a letter and ending with a letter or digit"),
    validation = Rule::new("!(self.metadata.name in ['system', 'default', 'operator', 'gateway', 'admin', 'shared', 'public', 'openclaw']) && !self.metadata.name.startsWith('kube-')")
        .message("this name is reserved for the platform (system, default, operator, gateway, admin, shared, public, openclaw, kube-…): choose another"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(oldSelf.storage) || (has(self.storage) && quantity(self.storage.size).compareTo(quantity(oldSelf.storage.size)) >= 0)")
        .message("storage can grow but never shrink, and the block cannot be taken away again: set storage.size to at least its present value")
        .field_path(".storage"),
)]
pub struct TenantSpec {
    /// Who the workspace belongs to.
    pub owner: Owner,

    /// The name shown to people. It changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub display_name: Option<String>,

    /// The `TenantClass` with the defaults and limits. A change is refused where the classes differ in what a
    /// tenant's data hangs on (namespace prefix, storage class, identity and routing mode).
    #[serde(default = "default_class")]
    pub class_name: ClassName,

    /// Ends access and stops the workspace; everything is kept. Set it back to `false` to resume.
    #[serde(default)]
    pub suspend: bool,

    /// What becomes of the data when this Tenant is deleted, among what the class allows.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// Another image than the class's, from the repositories that the class allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageOverride>,

    /// More environment variables for the workspace; only names that match the class's patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,

    /// Skills to switch on in the workspace; only those that the class allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64), regex(pattern = r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub skills: Vec<String>,

    /// Other requests and limits of the gateway container, where the class allows it, within the quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Another quota than the class's default, within the class's maximum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<QuotaOverride>,

    /// The volume. It may grow, never shrink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageOverride>,

    /// Where the workspace may connect to beyond the class's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Egress>,

    /// Secrets of this tenant alone: made empty and tagged in Secrets Manager; a person or pipeline puts the value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<TenantSecret>,

    /// What the workspace may spend on models. The cost layer watches it; the operator passes it on as a tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

fn default_class() -> ClassName {
    // The literal is a valid class name; a unit test proves it.
    "default".parse().unwrap_or_else(|_| unreachable!("\"default\" is a class name"))
}

/// Who a workspace belongs to.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(oldSelf.subject) || (has(self.subject) && self.subject == oldSelf.subject)")
        .message("the owner's subject cannot change or go once it is set: handing a workspace to somebody else is a transfer, which an administrator orders on the TenantRecord (openclaw.io/transfer-to)"),
    validation = Rule::new("has(oldSelf.subject) || !has(self.subject) || self.subject == oldSelf.email.lowerAscii()")
        .message("the owner was recorded by email: the subject can be set once, to that email in lower case; anything else is a transfer, which an administrator orders on the TenantRecord (openclaw.io/transfer-to)"),
    validation = Rule::new("has(oldSelf.subject) || has(self.subject) || self.email == oldSelf.email")
        .message("while owner.subject is empty the email says who the owner is and cannot change: set owner.subject to the present email in lower case first"),
)]
pub struct Owner {
    /// Who the person is: the opaque subject of the identity provider (Cognito or OIDC `sub`). Without it, the
    /// lower-cased email at first attach is recorded as the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<OwnerSubject>,

    /// How to reach the person. It may change where a subject is set.
    pub email: Email,
}

impl Owner {
    /// Who the owner is: the subject, or the lower-cased email where none is set.
    pub fn effective_subject(&self) -> OwnerSubject {
        self.subject.clone().unwrap_or_else(|| OwnerSubject::from_email(&self.email))
    }
}

/// What becomes of a tenant's data when its Tenant is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Access ends at once; namespace, volume and secrets stay until the class's retention is over.
    #[default]
    Retain,
    /// Access ends at once; after a settling time everything is removed. Secrets stay restorable for their
    /// recovery window.
    Delete,
}

/// Another image than the class's.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.tag) != has(self.digest)")
        .message("name the image by exactly one of tag and digest"),
)]
pub struct ImageOverride {
    /// Registry and repository, such as `ghcr.io/openclaw/openclaw`; without it the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-z0-9][a-zA-Z0-9._/:-]*$"))]
    pub repository: Option<String>,

    /// The tag. `latest` is refused: a workspace is always pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"))]
    #[x_kube(validation = Rule::new("self != 'latest'").message("pin the image: latest is not taken"))]
    pub tag: Option<String>,

    /// The digest, such as `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71), regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub digest: Option<String>,
}

/// One environment variable with a plain value. Secret values belong into `secrets`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// The name.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,

    /// The value, not a secret.
    #[serde(default)]
    #[schemars(length(max = 4096))]
    pub value: String,
}

/// Requests and limits of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What the scheduler reserves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<CpuMemory>,

    /// What the container may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<CpuMemory>,
}

/// An amount of CPU and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CpuMemory {
    /// CPU, in cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,

    /// Memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
}

/// Another quota than the class's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaOverride {
    /// CPU of all pods together, requests and limits each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,

    /// Memory of all pods together, requests and limits each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,

    /// Number of pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub pods: Option<u32>,
}

/// The volume of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageOverride {
    /// Its size.
    pub size: Quantity,
}

/// Where a workspace may connect to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Egress {
    /// Address ranges and ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub cidrs: Vec<CidrRule>,

    /// DNS names, for classes in Allowlist mode whose network knows names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(
            length(min = 1, max = 253),
            regex(pattern = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
        )
    )]
    pub domains: Vec<String>,
}

/// One address range with its TCP ports.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CidrRule {
    /// The range, such as `203.0.113.0/24`.
    #[schemars(length(min = 3, max = 49))]
    #[x_kube(validation = Rule::new("isCIDR(self) && cidr(self) == cidr(self).masked()")
        .message("use an address range in CIDR form with no host bits set, such as 203.0.113.0/24"))]
    pub cidr: String,

    /// TCP ports; 443 where none is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(range(min = 1, max = 65535)))]
    pub ports: Vec<u16>,
}

/// A secret that a person or a pipeline fills.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantSecret {
    /// Its name, the last part of the name in Secrets Manager. Names of the class cannot be taken.
    pub name: SecretItemName,

    /// Whether the workspace is not ready without a value.
    #[serde(default)]
    pub required: bool,
}

/// What a workspace may spend.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// US dollars a month.
    #[serde(rename = "monthlyUSD")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub monthly_usd: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_tenant_gets_the_documented_defaults() {
        let spec: TenantSpec =
            serde_json::from_value(serde_json::json!({"owner": {"email": "Alice@Example.com"}})).expect("valid");
        assert_eq!(spec.class_name.as_str(), "default");
        assert_eq!(spec.deletion_policy, DeletionPolicy::Retain);
        assert!(!spec.suspend);
        assert_eq!(spec.owner.effective_subject().as_str(), "alice@example.com");
    }

    #[test]
    fn a_set_subject_is_the_owner_whatever_the_email() {
        let owner: Owner =
            serde_json::from_value(serde_json::json!({"subject": "6f1c", "email": "a@b.c"})).expect("valid");
        assert_eq!(owner.effective_subject().as_str(), "6f1c");
    }
}
