//! What a plan may ask of AWS.
//!
//! PURE.

use crate::{
    api::names::{
        AssociationId, NamespaceName, RoleArn, RoleName, SecretArn, SecretItemName, ServiceAccountName, VersionId,
    },
    aws::types::{Association, NewAssociation, NewRole, NewSecret, Tags},
    tenant::child::Part,
};

/// One thing to do in AWS.
#[derive(Clone, Debug, PartialEq)]
pub enum AwsAction {
    /// Look for the association.
    LookUpAssociation {
        /// Its namespace.
        namespace: NamespaceName,
        /// Its ServiceAccount.
        service_account: ServiceAccountName,
        /// The one that the record names, which listings may not show yet.
        known: Option<AssociationId>,
    },
    /// See whether EKS lists the association that stands.
    ListAssociation {
        /// Its namespace.
        namespace: NamespaceName,
        /// Its ServiceAccount.
        service_account: ServiceAccountName,
        /// Which.
        id: AssociationId,
    },
    /// Make the association.
    CreateAssociation(NewAssociation),
    /// Give it another role.
    UpdateRole {
        /// Which.
        id: AssociationId,
        /// The role.
        role: RoleArn,
        /// The idempotency token.
        token: String,
    },
    /// Bring its tags back.
    TagAssociation {
        /// Which.
        association: Association,
        /// Those that are missing or wrong.
        tags: Tags,
    },
    /// Delete it.
    DeleteAssociation(AssociationId),
    /// Look at all associations of a namespace that is being adopted.
    LookUpFormer {
        /// The namespace.
        namespace: NamespaceName,
        /// Those that the record names, which listings may not show.
        known: Vec<AssociationId>,
    },
    /// Mark an association that the former workload lives by.
    TagFormer {
        /// Which.
        association: Association,
        /// With what.
        tags: Tags,
    },
    /// Delete one.
    DeleteFormer(AssociationId),
    /// Look at the tenant's own role.
    LookUpRole(RoleName),
    /// Make it.
    CreateRole(NewRole),
    /// Bring its tags back.
    TagRole {
        /// Which.
        name: RoleName,
        /// Those that are missing or wrong.
        tags: Tags,
    },
    /// Replace its trust policy.
    PutRoleTrust {
        /// Which.
        name: RoleName,
        /// The document.
        document: String,
    },
    /// Make or replace an inline policy.
    PutRolePolicy {
        /// Of which role.
        name: RoleName,
        /// The policy's name.
        policy: String,
        /// The document.
        document: String,
    },
    /// Delete an inline policy.
    DeleteRolePolicy {
        /// Of which role.
        name: RoleName,
        /// The policy's name.
        policy: String,
    },
    /// Delete it.
    DeleteRole(RoleName),
    /// Look at a secret.
    LookUpSecret {
        /// Which item.
        item: SecretItemName,
        /// Its full name.
        name: String,
    },
    /// Make a secret.
    CreateSecret {
        /// Which item.
        item: SecretItemName,
        /// As it shall be.
        new: NewSecret,
    },
    /// Generate a value: the first of a secret that has none, or the next in a rotation.
    PutGenerated {
        /// Which item.
        item: SecretItemName,
        /// Where.
        arn: SecretArn,
        /// As this version.
        version: VersionId,
        /// Under this staging label, of [`CURRENT_STAGE`](crate::api::labels::CURRENT_STAGE) and [`NEXT_STAGE`](crate::api::labels::NEXT_STAGE).
        stage: &'static str,
    },
    /// Let readers get another version: a compare-and-swap.
    MoveCurrent {
        /// Which item.
        item: SecretItemName,
        /// Where.
        arn: SecretArn,
        /// The version that they get now; `None` where none carries the label.
        from: Option<VersionId>,
        /// The version that they shall get.
        to: VersionId,
    },
    /// Take the label of a rotation off a version.
    DropNext {
        /// Which item.
        item: SecretItemName,
        /// Where.
        arn: SecretArn,
        /// Which version.
        version: VersionId,
    },
    /// Take a secret back out of its recovery window.
    RestoreSecret {
        /// Which item.
        item: SecretItemName,
        /// Where.
        arn: SecretArn,
    },
    /// Take the tags off a secret that give access to it. The identifying ones stay.
    StripSecret {
        /// Which item.
        item: SecretItemName,
        /// Where.
        arn: SecretArn,
    },
    /// Schedule a secret for deletion. It can be restored until then.
    DeleteSecret {
        /// Which item.
        item: SecretItemName,
        /// Where.
        arn: SecretArn,
        /// Days until it goes.
        window_days: u8,
    },
    /// Bring a secret's tags back.
    TagSecret {
        /// Which item.
        item: SecretItemName,
        /// Where.
        arn: SecretArn,
        /// Those that are missing or wrong.
        tags: Tags,
    },
}

impl AwsAction {
    pub(super) const fn secret(&self) -> Option<&SecretItemName> {
        match self {
            Self::LookUpSecret { item, .. }
            | Self::CreateSecret { item, .. }
            | Self::PutGenerated { item, .. }
            | Self::MoveCurrent { item, .. }
            | Self::DropNext { item, .. }
            | Self::RestoreSecret { item, .. }
            | Self::StripSecret { item, .. }
            | Self::DeleteSecret { item, .. }
            | Self::TagSecret { item, .. } => Some(item),
            Self::LookUpAssociation { .. }
            | Self::ListAssociation { .. }
            | Self::CreateAssociation(_)
            | Self::UpdateRole { .. }
            | Self::TagAssociation { .. }
            | Self::DeleteAssociation(_)
            | Self::LookUpFormer { .. }
            | Self::TagFormer { .. }
            | Self::DeleteFormer(_)
            | Self::LookUpRole(_)
            | Self::CreateRole(_)
            | Self::TagRole { .. }
            | Self::PutRoleTrust { .. }
            | Self::PutRolePolicy { .. }
            | Self::DeleteRolePolicy { .. }
            | Self::DeleteRole(_) => None,
        }
    }

    /// The part of the tenant whose condition tells when this fails.
    pub const fn part(&self) -> Part {
        match self {
            Self::LookUpAssociation { .. }
            | Self::ListAssociation { .. }
            | Self::CreateAssociation(_)
            | Self::UpdateRole { .. }
            | Self::TagAssociation { .. }
            | Self::DeleteAssociation(_)
            | Self::LookUpFormer { .. }
            | Self::TagFormer { .. }
            | Self::DeleteFormer(_)
            | Self::LookUpRole(_)
            | Self::CreateRole(_)
            | Self::TagRole { .. }
            | Self::PutRoleTrust { .. }
            | Self::PutRolePolicy { .. }
            | Self::DeleteRolePolicy { .. }
            | Self::DeleteRole(_) => Part::Identity,
            Self::LookUpSecret { .. }
            | Self::CreateSecret { .. }
            | Self::PutGenerated { .. }
            | Self::MoveCurrent { .. }
            | Self::DropNext { .. }
            | Self::RestoreSecret { .. }
            | Self::StripSecret { .. }
            | Self::DeleteSecret { .. }
            | Self::TagSecret { .. } => Part::Secrets,
        }
    }
}
