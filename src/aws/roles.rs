//! IAM roles through the SDK.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aws_sdk_iam::{Client, types::Tag};
use futures::{FutureExt as _, future::BoxFuture};
use percent_encoding::percent_decode_str;
use smol_str::SmolStr;

use super::{
    Roles,
    caller::Caller,
    error::{AwsError, AwsErrorKind, gone},
    limits::Bucket,
    sdk_error::Call,
    types::{NewRole, Role, Tags},
};
use crate::api::names::RoleArn;

/// A role has at most 20 managed policies, and its inline policies 10,240 characters together ("IAM and AWS STS quotas"),
/// so a listing that goes on after this many pages goes round in a circle.
const MOST_PAGES: usize = 20;

/// Roles of the account that the process's credentials belong to.
pub(super) struct SdkRoles {
    client: Client,
    caller: Arc<Caller>,
}

impl SdkRoles {
    pub(super) const fn new(client: Client, caller: Arc<Caller>) -> Self {
        Self { client, caller }
    }

    async fn look(&self, name: &str) -> Result<Option<Role>, AwsError> {
        let call = Call::new("GetRole", name);
        let request = self.client.get_role().role_name(name).send().boxed();
        let answer = match self.caller.read(&call, Bucket::IamRead, request).await {
            Err(error) if error.kind == AwsErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let found = answer.role.ok_or_else(|| call.odd_answer("no role"))?;
        let arn: RoleArn = found.arn.parse().map_err(|_| call.odd_answer(&format!("the ARN {:?}", found.arn)))?;
        let mut inline = BTreeMap::new();
        for policy in self.inline_names(name).await? {
            if let Some(document) = self.inline_policy(name, &policy).await? {
                inline.insert(policy, document);
            }
        }
        Ok(Some(Role {
            arn,
            boundary: found.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn),
            tags: found.tags.unwrap_or_default().into_iter().map(|tag| (tag.key.into(), tag.value.into())).collect(),
            trust: decoded(&call, found.assume_role_policy_document.as_deref())?,
            inline,
            attached: self.attached(name).await?,
        }))
    }

    async fn inline_names(&self, name: &str) -> Result<Vec<String>, AwsError> {
        let call = Call::new("ListRolePolicies", name);
        let (mut found, mut marker) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let request = self.client.list_role_policies().role_name(name).set_marker(marker).send().boxed();
            let page = self.caller.read(&call, Bucket::IamRead, request).await?;
            found.extend(page.policy_names);
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                return Ok(found);
            }
        }
        Err(call.odd_answer("the listing does not end"))
    }

    async fn inline_policy(&self, name: &str, policy: &str) -> Result<Option<String>, AwsError> {
        let call = Call::new("GetRolePolicy", &format!("{name}/{policy}"));
        let request = self.client.get_role_policy().role_name(name).policy_name(policy).send().boxed();
        match self.caller.read(&call, Bucket::IamRead, request).await {
            Ok(answer) => decoded(&call, Some(&answer.policy_document)).map(Some),
            Err(error) if error.kind == AwsErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn attached(&self, name: &str) -> Result<BTreeSet<String>, AwsError> {
        let call = Call::new("ListAttachedRolePolicies", name);
        let (mut found, mut marker) = (BTreeSet::new(), None);
        for _ in 0..MOST_PAGES {
            let request = self.client.list_attached_role_policies().role_name(name).set_marker(marker).send().boxed();
            let page = self.caller.read(&call, Bucket::IamRead, request).await?;
            found.extend(page.attached_policies.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_arn));
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                return Ok(found);
            }
        }
        Err(call.odd_answer("the listing does not end"))
    }

    async fn managed(&self, arns: &BTreeSet<String>) -> Result<BTreeMap<String, String>, AwsError> {
        let mut found = BTreeMap::new();
        for arn in arns {
            found.insert(arn.clone(), self.managed_policy(arn).await?);
        }
        Ok(found)
    }

    async fn managed_policy(&self, arn: &str) -> Result<String, AwsError> {
        let call = Call::new("GetPolicy", arn);
        let request = self.client.get_policy().policy_arn(arn).send().boxed();
        let policy = self.caller.read(&call, Bucket::IamRead, request).await?.policy;
        let version = policy.and_then(|policy| policy.default_version_id);
        let version = version.ok_or_else(|| call.odd_answer("a policy without version"))?;
        let call = Call::new("GetPolicyVersion", arn);
        let request = self.client.get_policy_version().policy_arn(arn).version_id(version).send().boxed();
        let answer = self.caller.read(&call, Bucket::IamRead, request).await?;
        decoded(&call, answer.policy_version.and_then(|version| version.document).as_deref())
    }

    async fn create(&self, new: &NewRole) -> Result<RoleArn, AwsError> {
        let call = Call::new("CreateRole", &new.name);
        let request = self
            .client
            .create_role()
            .role_name(new.name.as_str())
            .path(&new.path)
            .description(&new.description)
            .permissions_boundary(new.boundary.as_str())
            .assume_role_policy_document(&new.trust)
            .set_tags(Some(sdk_tags(&call, &new.tags)?))
            .send()
            .boxed();
        let answer = self.caller.write(&call, Bucket::IamWrite, request).await?;
        let arn = answer.role.map(|role| role.arn).unwrap_or_default();
        arn.parse().map_err(|_| call.odd_answer(&format!("the ARN {arn:?}")))
    }

    async fn tag(&self, name: &str, tags: &Tags) -> Result<(), AwsError> {
        let call = Call::new("TagRole", name);
        let tags = Some(sdk_tags(&call, tags)?);
        let request = self.client.tag_role().role_name(name).set_tags(tags).send().boxed();
        self.caller.write(&call, Bucket::IamWrite, request).await.map(drop)
    }

    async fn put_trust(&self, name: &str, document: &str) -> Result<(), AwsError> {
        let call = Call::new("UpdateAssumeRolePolicy", name);
        let request = self.client.update_assume_role_policy().role_name(name).policy_document(document).send().boxed();
        self.caller.write(&call, Bucket::IamWrite, request).await.map(drop)
    }

    async fn put_policy(&self, name: &str, policy: &str, document: &str) -> Result<(), AwsError> {
        let call = Call::new("PutRolePolicy", name);
        let put = self.client.put_role_policy().role_name(name).policy_name(policy).policy_document(document);
        self.caller.write(&call, Bucket::IamWrite, put.send().boxed()).await.map(drop)
    }

    async fn delete_policy(&self, name: &str, policy: &str) -> Result<(), AwsError> {
        let call = Call::new("DeleteRolePolicy", name);
        let request = self.client.delete_role_policy().role_name(name).policy_name(policy).send().boxed();
        gone(self.caller.write(&call, Bucket::IamWrite, request).await.map(drop))
    }

    async fn delete(&self, name: &str) -> Result<(), AwsError> {
        let call = Call::new("DeleteRole", name);
        let request = self.client.delete_role().role_name(name).send().boxed();
        gone(self.caller.write(&call, Bucket::IamWrite, request).await.map(drop))
    }
}

fn sdk_tags(call: &Call, tags: &Tags) -> Result<Vec<Tag>, AwsError> {
    let tag = |(key, value): (&SmolStr, &SmolStr)| Tag::builder().key(key.as_str()).value(value.as_str()).build();
    tags.iter().map(tag).collect::<Result<_, _>>().map_err(|error| call.error(AwsErrorKind::Invalid, error.to_string()))
}

/// IAM returns documents percent-encoded (API reference of GetRole: "URL-encoded compliant with RFC 3986").
fn decoded(call: &Call, document: Option<&str>) -> Result<String, AwsError> {
    let document = document.ok_or_else(|| call.odd_answer("no document"))?;
    let decoded = percent_decode_str(document).decode_utf8();
    decoded.map(String::from).map_err(|_| call.odd_answer("a document that is no text"))
}

impl Roles for SdkRoles {
    fn look<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Role>, AwsError>> {
        Box::pin(self.look(name))
    }

    fn managed<'a>(&'a self, arns: &'a BTreeSet<String>) -> BoxFuture<'a, Result<BTreeMap<String, String>, AwsError>> {
        Box::pin(self.managed(arns))
    }

    fn create<'a>(&'a self, new: &'a NewRole) -> BoxFuture<'a, Result<RoleArn, AwsError>> {
        Box::pin(self.create(new))
    }

    fn tag<'a>(&'a self, name: &'a str, tags: &'a Tags) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.tag(name, tags))
    }

    fn put_trust<'a>(&'a self, name: &'a str, document: &'a str) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.put_trust(name, document))
    }

    fn put_policy<'a>(
        &'a self,
        name: &'a str,
        policy: &'a str,
        document: &'a str,
    ) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.put_policy(name, policy, document))
    }

    fn delete_policy<'a>(&'a self, name: &'a str, policy: &'a str) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.delete_policy(name, policy))
    }

    fn delete<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), AwsError>> {
        Box::pin(self.delete(name))
    }
}

#[cfg(test)]
#[path = "roles_tests.rs"]
mod tests;
