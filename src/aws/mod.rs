//! The only place that knows AWS: a narrow trait for each service, the SDK behind it.

mod caller;
pub mod client;
pub mod error;
#[cfg(test)]
pub(crate) mod fake;
pub mod limits;
mod perform;
mod pod_identity;
mod roles;
mod sdk_error;
mod secrets;
pub mod types;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;

use crate::api::names::{AssociationId, NamespaceName, RoleArn, SecretArn, ServiceAccountName, VersionId};

pub use client::{AwsClients, AwsSettings, AwsStartError, Discovered, connect};
pub use error::{AwsError, AwsErrorKind};
pub use limits::Rates;
pub use perform::perform;
use types::{Association, ListedAssociation, ListedSecret, NewAssociation, NewRole, NewSecret, Role, Secret, Tags};

/// EKS Pod Identity associations of one cluster.
///
/// Every method is one request (the pages of `find` and `list` aside) with one attempt; mutating ones pass the fence.
pub trait PodIdentity: Send + Sync {
    /// Ids of the associations of this namespace and ServiceAccount. Listings lag several seconds behind.
    fn find<'a>(
        &'a self,
        namespace: &'a NamespaceName,
        service_account: &'a ServiceAccountName,
    ) -> BoxFuture<'a, Result<Vec<AssociationId>, AwsError>>;

    /// Ids of the associations of this namespace, whatever their ServiceAccount, without those of EKS add-ons. Listings lag
    /// several seconds behind.
    fn find_in<'a>(&'a self, namespace: &'a NamespaceName) -> BoxFuture<'a, Result<Vec<AssociationId>, AwsError>>;

    /// Every association of the cluster, as its listing shows it, in pages of 100. Listings lag several seconds behind.
    fn list(&self) -> BoxFuture<'_, Result<Vec<ListedAssociation>, AwsError>>;

    /// The association; `None` where there is none of this id.
    fn describe<'a>(&'a self, id: &'a AssociationId) -> BoxFuture<'a, Result<Option<Association>, AwsError>>;

    /// Makes an association.
    fn create<'a>(&'a self, new: &'a NewAssociation) -> BoxFuture<'a, Result<Association, AwsError>>;

    /// Gives an association another role. Running pods keep the old role's session until they roll.
    fn update_role<'a>(
        &'a self,
        id: &'a AssociationId,
        role: &'a RoleArn,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Association, AwsError>>;

    /// Adds or overwrites tags.
    fn tag<'a>(&'a self, association: &'a Association, tags: &'a Tags) -> BoxFuture<'a, Result<(), AwsError>>;

    /// Deletes an association; one that is gone already is success.
    fn delete<'a>(&'a self, id: &'a AssociationId) -> BoxFuture<'a, Result<(), AwsError>>;
}

/// Secrets in Secrets Manager. No method reads a value: the operator has no right to.
pub trait Secrets: Send + Sync {
    /// The secret of this name; `None` where there is none.
    fn describe<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, AwsError>>;

    /// Every secret of the account and region whose name begins with this, those included that are scheduled for
    /// deletion, in pages of 100. Listings lag up to five minutes behind.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<ListedSecret>, AwsError>>;

    /// Makes a secret, with a freshly generated value where one is asked for.
    fn create<'a>(&'a self, new: &'a NewSecret) -> BoxFuture<'a, Result<SecretArn, AwsError>>;

    /// Puts a freshly generated value as this version under these staging labels. The same version again, after a
    /// lost answer, is success.
    fn put_generated<'a>(
        &'a self,
        arn: &'a SecretArn,
        version: &'a VersionId,
        stages: &'a [&'a str],
    ) -> BoxFuture<'a, Result<(), AwsError>>;

    /// Moves a staging label from the version that carries it to another: a compare-and-swap, refused as a conflict where
    /// `from` does not carry it. Without `to` the label is taken off.
    fn move_label<'a>(
        &'a self,
        arn: &'a SecretArn,
        label: &'a str,
        from: Option<&'a VersionId>,
        to: Option<&'a VersionId>,
    ) -> BoxFuture<'a, Result<(), AwsError>>;

    /// Takes a secret back out of its recovery window; one that is not in it stays as it is.
    fn restore<'a>(&'a self, arn: &'a SecretArn) -> BoxFuture<'a, Result<(), AwsError>>;

    /// Adds or overwrites tags.
    fn tag<'a>(&'a self, arn: &'a SecretArn, tags: &'a Tags) -> BoxFuture<'a, Result<(), AwsError>>;

    /// Takes tags off; those that are not there are success.
    fn untag<'a>(&'a self, arn: &'a SecretArn, keys: &'a [&'a str]) -> BoxFuture<'a, Result<(), AwsError>>;

    /// Schedules a secret for deletion, so many days (7 to 30) from now; one that is scheduled or gone already is success.
    /// Never without a recovery window.
    fn delete<'a>(&'a self, arn: &'a SecretArn, window_days: u8) -> BoxFuture<'a, Result<(), AwsError>>;
}

/// IAM roles of the operator's account. A role that may not be looked at is an error, `AccessDenied`, and not "missing".
pub trait Roles: Send + Sync {
    /// The role of this name with its inline policies and what is attached to it; `None` where there is none. One request
    /// for each inline policy.
    fn look<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Role>, AwsError>>;

    /// What these managed policies say now, by ARN.
    fn managed<'a>(&'a self, arns: &'a BTreeSet<String>) -> BoxFuture<'a, Result<BTreeMap<String, String>, AwsError>>;

    /// Makes a role.
    fn create<'a>(&'a self, new: &'a NewRole) -> BoxFuture<'a, Result<RoleArn, AwsError>>;

    /// Adds or overwrites tags.
    fn tag<'a>(&'a self, name: &'a str, tags: &'a Tags) -> BoxFuture<'a, Result<(), AwsError>>;

    /// Replaces the trust policy.
    fn put_trust<'a>(&'a self, name: &'a str, document: &'a str) -> BoxFuture<'a, Result<(), AwsError>>;

    /// Makes or replaces an inline policy.
    fn put_policy<'a>(
        &'a self,
        name: &'a str,
        policy: &'a str,
        document: &'a str,
    ) -> BoxFuture<'a, Result<(), AwsError>>;

    /// Deletes an inline policy; one that is gone already is success.
    fn delete_policy<'a>(&'a self, name: &'a str, policy: &'a str) -> BoxFuture<'a, Result<(), AwsError>>;

    /// Deletes a role that has no policies any more; one that is gone already is success.
    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), AwsError>>;
}
