//! EKS Pod Identity associations through the SDK.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_eks::{
    Client,
    operation::list_pod_identity_associations::builders::ListPodIdentityAssociationsFluentBuilder as ListFluentBuilder,
    types::{PodIdentityAssociation, PodIdentityAssociationSummary},
};
use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;

use super::{
    PodIdentity,
    caller::Caller,
    error::{AwsError, AwsErrorKind, gone},
    limits::Bucket,
    sdk_error::Call,
    types::{Association, ListedAssociation, NewAssociation, Tags},
};
use crate::api::names::{AssociationId, NamespaceName, RoleArn, ServiceAccountName};

/// The most that a page of a listing holds (service model of ListPodIdentityAssociations).
const PAGE: i32 = 100;
/// A cluster has at most 5,000 associations (EKS service quotas), so a listing that goes on after this many pages goes
/// round in a circle.
const MOST_PAGES: usize = 51;

/// Associations of one cluster.
pub(super) struct SdkPodIdentity {
    client: Client,
    cluster: String,
    caller: Arc<Caller>,
}

impl SdkPodIdentity {
    pub(super) const fn new(client: Client, cluster: String, caller: Arc<Caller>) -> Self {
        Self { client, cluster, caller }
    }

    async fn find(
        &self,
        namespace: &NamespaceName,
        account: &ServiceAccountName,
    ) -> Result<Vec<AssociationId>, AwsError> {
        let call = Call::new("ListPodIdentityAssociations", &format!("{namespace}/{account}"));
        let filter = |list: ListFluentBuilder| list.namespace(namespace.as_str()).service_account(account.as_str());
        let listed = self.list_all(&call, filter).await?;
        let mut found: Vec<AssociationId> =
            listed.into_iter().filter(|one| is_for(one, namespace, account)).map(|one| one.id).collect();
        found.sort();
        found.dedup();
        Ok(found)
    }

    async fn find_in(&self, namespace: &NamespaceName) -> Result<Vec<AssociationId>, AwsError> {
        let call = Call::new("ListPodIdentityAssociations", namespace);
        let listed = self.list_all(&call, |list| list.namespace(namespace.as_str())).await?;
        // Filters are the service's to apply; that they were is checked.
        let is_it = |one: &ListedAssociation| one.namespace == namespace.as_str() && !one.is_addons;
        let mut found: Vec<AssociationId> = listed.into_iter().filter(is_it).map(|one| one.id).collect();
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// All pages of one listing.
    async fn list_all(
        &self,
        call: &Call,
        filter: impl FnOnce(ListFluentBuilder) -> ListFluentBuilder + Send,
    ) -> Result<Vec<ListedAssociation>, AwsError> {
        let list = filter(self.client.list_pod_identity_associations().cluster_name(&self.cluster).max_results(PAGE));
        let mut found = Vec::new();
        let mut next = None;
        for _ in 0..MOST_PAGES {
            let request = list.clone().set_next_token(next).send().boxed();
            let page = self.caller.read(call, Bucket::EksRead, request).await?;
            for summary in page.associations.unwrap_or_default() {
                found.push(listed(call, summary)?);
            }
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(found);
            }
        }
        Err(call.odd_answer("the listing does not end"))
    }

    async fn describe(&self, id: &AssociationId) -> Result<Option<Association>, AwsError> {
        let call = Call::new("DescribePodIdentityAssociation", id);
        let request = self
            .client
            .describe_pod_identity_association()
            .cluster_name(&self.cluster)
            .association_id(id.as_str())
            .send()
            .boxed();
        match self.caller.read(&call, Bucket::EksRead, request).await {
            Ok(answer) => association(&call, answer.association).map(Some),
            // A missing cluster is another error.
            Err(error) if error.kind == AwsErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, new: &NewAssociation) -> Result<Association, AwsError> {
        let call = Call::new("CreatePodIdentityAssociation", &format!("{}/{}", new.namespace, new.service_account));
        let request = self
            .client
            .create_pod_identity_association()
            .cluster_name(&self.cluster)
            .namespace(new.namespace.as_str())
            .service_account(new.service_account.as_str())
            .role_arn(new.role_arn.as_str())
            .client_request_token(&new.token)
            .set_tags(Some(sdk_tags(&new.tags)))
            .send()
            .boxed();
        let answer = self.caller.write(&call, Bucket::EksWrite, request).await?;
        association(&call, answer.association)
    }

    async fn update_role(&self, id: &AssociationId, role: &RoleArn, token: &str) -> Result<Association, AwsError> {
        let call = Call::new("UpdatePodIdentityAssociation", id);
        let request = self
            .client
            .update_pod_identity_association()
            .cluster_name(&self.cluster)
            .association_id(id.as_str())
            .role_arn(role.as_str())
            .client_request_token(token)
            .send()
            .boxed();
        let answer = self.caller.write(&call, Bucket::EksWrite, request).await?;
        association(&call, answer.association)
    }

    async fn tag(&self, association: &Association, tags: &Tags) -> Result<(), AwsError> {
        if tags.is_empty() {
            return Ok(());
        }
        let call = Call::new("TagResource", &association.arn);
        let request =
            self.client.tag_resource().resource_arn(&association.arn).set_tags(Some(sdk_tags(tags))).send().boxed();
        self.caller.write(&call, Bucket::EksWrite, request).await.map(drop)
    }

    async fn delete(&self, id: &AssociationId) -> Result<(), AwsError> {
        let call = Call::new("DeletePodIdentityAssociation", id);
        let request = self
            .client
            .delete_pod_identity_association()
            .cluster_name(&self.cluster)
            .association_id(id.as_str())
            .send()
            .boxed();
        gone(self.caller.write(&call, Bucket::EksWrite, request).await.map(drop))
    }
}

/// Filters are the service's to apply; that they were is checked, because a foreign id here would be adopted or refused
/// in this tenant's name.
fn is_for(listed: &ListedAssociation, namespace: &NamespaceName, account: &ServiceAccountName) -> bool {
    listed.namespace == namespace.as_str() && listed.service_account == account.as_str()
}

fn listed(call: &Call, summary: PodIdentityAssociationSummary) -> Result<ListedAssociation, AwsError> {
    Ok(ListedAssociation {
        id: id_of(call, summary.association_id.as_deref())?,
        arn: summary.association_arn.unwrap_or_default(),
        namespace: summary.namespace.unwrap_or_default(),
        service_account: summary.service_account.unwrap_or_default(),
        is_addons: summary.owner_arn.is_some_and(|owner| !owner.is_empty()),
    })
}

fn id_of(call: &Call, id: Option<&str>) -> Result<AssociationId, AwsError> {
    id.unwrap_or_default().parse().map_err(|_| call.odd_answer(&format!("the association id {id:?}")))
}

fn sdk_tags(tags: &Tags) -> HashMap<String, String> {
    tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn association(call: &Call, answer: Option<PodIdentityAssociation>) -> Result<Association, AwsError> {
    let answer = answer.ok_or_else(|| call.odd_answer("no association"))?;
    let tags = answer.tags.unwrap_or_default();
    Ok(Association {
        id: id_of(call, answer.association_id.as_deref())?,
        arn: answer.association_arn.ok_or_else(|| call.odd_answer("an association without ARN"))?,
        namespace: answer.namespace.unwrap_or_default(),
        service_account: answer.service_account.unwrap_or_default(),
        role_arn: answer.role_arn.and_then(|arn| arn.parse().ok()),
        owner_arn: answer.owner_arn.filter(|owner| !owner.is_empty()),
        tags: tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        // Only told to people: one that cannot be read is as good as none.
        created_at: answer.created_at.and_then(|date| Timestamp::new(date.secs(), 0).ok()),
    })
}

impl PodIdentity for SdkPodIdentity {
    fn find<'a>(
        &'a self,
        namespace: &'a NamespaceName,
        service_account: &'a ServiceAccountName,
    ) -> BoxFuture<'a, Result<Vec<AssociationId>, AwsError>> {
        Box::pin(self.find(namespace, service_account))
    }

    fn find_in<'a>(&'a self, namespace: &'a NamespaceName) -> BoxFuture<'a, Result<Vec<AssociationId>, AwsError>> {
        Box::pin(self.find_in(namespace))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ListedAssociation>, AwsError>> {
        Box::pin(async { self.list_all(&Call::new("ListPodIdentityAssociations", &self.cluster), |list| list).await })
    }

    fn describe<'a>(&'a self, id: &'a AssociationId) -> BoxFuture<'a, Result<Option<Association>, AwsError>> {
        Box::pin(self.describe(id))
    }

    fn create<'a>(&'a self, new: &'a NewAssociation) -> BoxFuture<'a, Result<Association, AwsError>> {
        Box::pin(self.create(new))
    }

    fn update_role<'a>(
        &'a self,
        id: &'a AssociationId,
        role: &'a RoleArn,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Association, AwsError>> {
        Box::pin(self.update_role(id, role, token))
    }

    fn tag<'a>(&'a self, association: &'a Association, tags: &'a Tags) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.tag(association, tags))
    }

    fn delete<'a>(&'a self, id: &'a AssociationId) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.delete(id))
    }
}

#[cfg(test)]
#[path = "pod_identity_tests.rs"]
mod tests;
