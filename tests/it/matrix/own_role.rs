//! A tenant's own role: one in the end, that says exactly what it shall; none once access has ended.

use std::collections::BTreeMap;

use aws_sdk_iam::types::Role;
use openclaw_tenant_operator::iam::{Document, ModelArns, Place, Reach, permissions, tenant_trust};
use serde_json::Value;

use super::{
    class_role::place,
    scene::percent_decoded,
    verdict::{expect, identifying_tags},
};
use crate::{role_per_tenant, support::Bed};

/// What the names of the tenant's roles begin with, whatever the incarnation.
pub fn names_begin(bed: &Bed) -> String {
    format!("openclaw-{}-", bed.tenant)
}

fn path(bed: &Bed) -> String {
    format!("/openclaw/{}/", bed.instance.fact("/aws/clusterName"))
}

/// The ARN that the role of this Tenant has.
pub fn arn(bed: &Bed, tenant: &Value) -> String {
    let account = bed.instance.fact("/aws/accountId");
    format!("arn:aws:iam::{account}:role{}{}", path(bed), role_per_tenant::name_of(tenant))
}

/// The one role, or that there is none.
pub async fn verdict(bed: &Bed, tenant: &Value, has_ended: bool) -> Result<(), String> {
    let iam = bed.instance.iam();
    let listed = iam.list_roles().max_items(1000).send().await.map_err(|error| format!("no listing: {error:?}"))?;
    let begin = names_begin(bed);
    let names: Vec<&str> = listed.roles().iter().map(Role::role_name).filter(|n| n.starts_with(&begin)).collect();
    let name = role_per_tenant::name_of(tenant);
    if has_ended {
        return expect("the tenant's roles", &names, &Vec::new());
    }
    expect("the tenant's roles", &names, &vec![name.as_str()])?;
    let role = iam.get_role().role_name(&name).send().await.ok().and_then(|answer| answer.role).ok_or("no role")?;
    expect("its ARN", &role.arn, &arn(bed, tenant))?;
    let boundary = role.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn);
    expect("its boundary", &boundary, &Some(role_per_tenant::boundary(bed.instance)))?;
    let tags: BTreeMap<String, String> = role.tags.unwrap_or_default().into_iter().map(|t| (t.key, t.value)).collect();
    let mut wanted = identifying_tags(bed, tenant).await;
    let owner = tags.get("openclaw-owner-hash").cloned().ok_or("no tag openclaw-owner-hash")?;
    wanted.insert("openclaw-owner-hash", owner);
    expect("its tags", &tags, &wanted.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())?;
    documents(bed, tenant, &name, role.assume_role_policy_document.unwrap_or_default()).await
}

/// Its trust policy and its one inline policy.
async fn documents(bed: &Bed, tenant: &Value, name: &str, trust: String) -> Result<(), String> {
    let place: Place = place(bed.instance);
    let namespace = bed.namespace().parse().expect("a namespace");
    let account = tenant["status"]["identity"]["serviceAccount"].as_str().unwrap_or_default();
    let account = account.parse().map_err(|error| format!("status.identity.serviceAccount {account:?}: {error}"))?;
    says("the trust policy", &percent_decoded(&trust), &tenant_trust(&place, &namespace, &account))?;
    let iam = bed.instance.iam();
    let listed = iam.list_role_policies().role_name(name).send().await.map_err(|_| "no policies")?;
    expect("its policies", &listed.policy_names, &vec![role_per_tenant::POLICY.to_owned()])?;
    let attached = iam.list_attached_role_policies().role_name(name).send().await.map_err(|_| "no policies")?;
    expect("policies attached to it", &attached.attached_policies().len(), &0)?;
    let models = role_per_tenant::class(bed.instance)["identity"]["models"].clone();
    let models = ModelArns::of(&place, &serde_json::from_value::<Vec<_>>(models).expect("models"));
    let reach = Reach { tenant: Some(bed.tenant.parse().expect("a name")), models, ..Reach::default() };
    let policy = percent_decoded(&role_per_tenant::policy(bed, name).await);
    says("its policy", &policy, &permissions(&place, &reach))
}

fn says(what: &str, text: &str, wanted: &Document) -> Result<(), String> {
    if wanted.is_said_by(text) { Ok(()) } else { Err(format!("{what} is {text} and not {}", wanted.to_json())) }
}
