//! What the rest of the operator knows of AWS: values only, no client. Decisions are made from these.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::api::labels::CURRENT_STAGE;
use crate::api::names::{
    AssociationId, ClusterArn, KmsKeyArn, NamespaceName, PolicyArn, RoleArn, RoleName, SecretArn, ServiceAccountName,
    Uid, VersionId,
};

/// Tags of an AWS resource, sorted by their keys. Every tenant has some: they take no more room than they are many, and what fits lies in
/// place. For machines to read they are collected into a `BTreeMap`: without any, these would be written as a list.
pub type Tags = LiteMap<SmolStr, SmolStr>;

/// The cluster that this operator serves, as AWS knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// The EKS cluster's ARN.
    pub arn: ClusterArn,
    /// The EKS cluster's name.
    pub name: String,
    /// UID of `kube-system`: a rebuilt cluster of the same name is another cluster.
    pub uid: Uid,
}

/// A Pod Identity association as EKS describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Association {
    /// Its id.
    pub id: AssociationId,
    /// Its ARN, as needed for tagging.
    pub arn: String,
    /// The namespace it is for.
    pub namespace: String,
    /// The ServiceAccount it is for.
    pub service_account: String,
    /// The role; `None` where EKS returned something that is no role ARN.
    pub role_arn: Option<RoleArn>,
    /// Set where an EKS add-on owns it: then it is never touched.
    pub owner_arn: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// When it was made, where EKS says so.
    pub created_at: Option<Timestamp>,
}

/// An association as a listing shows it: that it exists and for whom. Role, tags and whose it is need a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAssociation {
    /// Its id.
    pub id: AssociationId,
    /// Its ARN.
    pub arn: String,
    /// The namespace it is for.
    pub namespace: String,
    /// The ServiceAccount it is for.
    pub service_account: String,
    /// Whether an EKS add-on owns it: then it is never touched.
    pub is_addons: bool,
}

/// An association to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAssociation {
    /// The namespace it is for.
    pub namespace: NamespaceName,
    /// The ServiceAccount it is for.
    pub service_account: ServiceAccountName,
    /// The role.
    pub role_arn: RoleArn,
    /// Its tags.
    pub tags: Tags,
    /// The idempotency token, 1 to 64 characters.
    pub token: String,
}

/// A secret as Secrets Manager describes it. Never a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Its ARN.
    pub arn: SecretArn,
    /// Its name.
    pub name: String,
    /// The key that was given; absent for the account's default key.
    pub kms_key: Option<String>,
    /// Set while it is scheduled for deletion: when deletion was asked for.
    pub deleted_at: Option<Timestamp>,
    /// Its tags.
    pub tags: Tags,
    /// Staging labels of each version that has any.
    pub versions: LiteMap<SmolStr, Vec<SmolStr>>,
}

/// A secret as a listing shows it: all that a description says, some minutes late, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSecret {
    /// The secret.
    pub secret: Secret,
    /// When it was made, where Secrets Manager says so.
    pub created_at: Option<Timestamp>,
}

impl Secret {
    /// The version that readers get who name none.
    pub fn current_version(&self) -> Option<VersionId> {
        let (id, _) = self.versions.iter().find(|(_, labels)| labels.iter().any(|l| l == CURRENT_STAGE))?;
        id.parse().ok()
    }

    /// Whether this version carries this staging label.
    pub fn has_label(&self, id: &VersionId, label: &str) -> bool {
        self.versions.get(id.as_str()).is_some_and(|labels| labels.iter().any(|one| one == label))
    }

    /// Whether this version is still retrievable.
    pub fn has_version(&self, id: &VersionId) -> bool {
        self.versions.contains_key(id.as_str())
    }
}

/// A secret to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecret {
    /// Its name.
    pub name: String,
    /// What it is for, for people who find it in the console.
    pub description: String,
    /// The key that encrypts it; `None` for the account's default key.
    pub kms_key: Option<KmsKeyArn>,
    /// Its tags.
    pub tags: Tags,
    /// The version to make with a generated value; `None` for a secret that a person fills.
    pub generate: Option<VersionId>,
}

/// A role as IAM knows it, with its documents as they stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: RoleArn,
    /// The managed policy that bounds it.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// Its trust policy.
    pub trust: String,
    /// Its inline policies, by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies that are attached to it.
    pub attached: BTreeSet<String>,
}

/// A role to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRole {
    /// Its name.
    pub name: RoleName,
    /// Its path, which begins and ends with a slash.
    pub path: String,
    /// What it is for, for people who find it in the console.
    pub description: String,
    /// The managed policy that bounds it.
    pub boundary: PolicyArn,
    /// Its trust policy.
    pub trust: String,
    /// Its tags.
    pub tags: Tags,
}
