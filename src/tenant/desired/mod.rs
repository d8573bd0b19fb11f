//! The objects of one tenant, each whole, from its blueprint.
//!
//! PURE. Every field that the API server would default is rendered, so that what is wanted and what is live are
//! equal or different, never "contained".

mod claim;
mod config_map;
mod disruption_budget;
mod domain_policy;
mod limit_range;
mod namespace;
mod network_policy;
mod owner_access;
mod resource_quota;
mod route;
mod scaler;
mod service;
mod service_account;
mod stateful_set;
mod target_group;
pub mod workload;

use std::{cell::OnceCell, collections::BTreeMap};

use serde_json::{Map, Value, json};

use super::{
    blueprint::Blueprint,
    child::{Child, ObjectKey},
};
use crate::api::{labels, names::TenantName, record::TenantRecordSpec};

pub use namespace::{mirror, namespace};
pub use route::{domain, hostname, url};
pub use stateful_set::{CLAIM_VOLUME, CONTAINER};

/// All objects as they are wanted now; `None` is wanted away.
pub fn all(blueprint: &Blueprint<'_>) -> BTreeMap<Child, Option<Value>> {
    let files = Files::of(blueprint);
    Child::ALL.iter().map(|child| (*child, build_with(*child, blueprint, &files))).collect()
}

/// The object of a child as it is wanted now; `None` where it is wanted away.
pub fn build(child: Child, blueprint: &Blueprint<'_>) -> Option<Value> {
    build_with(child, blueprint, &Files::of(blueprint))
}

/// The files of a configuration. They are the largest of what a tenant has, and two objects need them: they are made once, if at all.
pub(super) struct Files<'a> {
    blueprint: &'a Blueprint<'a>,
    made: OnceCell<BTreeMap<String, String>>,
}

impl<'a> Files<'a> {
    /// Of this blueprint.
    pub(super) const fn of(blueprint: &'a Blueprint<'a>) -> Self {
        Self { blueprint, made: OnceCell::new() }
    }

    fn made(&self) -> &BTreeMap<String, String> {
        self.made.get_or_init(|| config_map::data(self.blueprint))
    }
}

/// The same with files that another object may have had made already.
pub(super) fn build_with(child: Child, blueprint: &Blueprint<'_>, files: &Files<'_>) -> Option<Value> {
    match child {
        Child::Namespace => Some(namespace::namespace(blueprint.tenant, blueprint.record)),
        Child::ResourceQuota => Some(resource_quota::resource_quota(blueprint)),
        Child::LimitRange => Some(limit_range::limit_range(blueprint)),
        Child::DefaultDeny => Some(network_policy::default_deny(blueprint)),
        Child::Allowlist => Some(network_policy::allowlist(blueprint)),
        Child::DomainPolicy => domain_policy::domain_policy(blueprint),
        Child::DisruptionBudget => Some(disruption_budget::disruption_budget(blueprint)),
        Child::ServiceAccount => Some(service_account::service_account(blueprint)),
        Child::Claim => Some(claim::claim(blueprint)),
        Child::ConfigMap => Some(config_map::config_map(blueprint, files.made())),
        Child::Service => Some(service::service(blueprint)),
        Child::StatefulSet => Some(stateful_set::stateful_set(blueprint, &config_map::hash(blueprint, files.made()))),
        Child::ScaledObject => scaler::scaled_object(blueprint),
        Child::InterceptorRoute => scaler::interceptor_route(blueprint),
        Child::InterceptorGrant => scaler::interceptor_grant(blueprint),
        Child::TargetGroup => target_group::target_group(blueprint),
        Child::Route => route::route(blueprint),
        Child::OwnerBinding => owner_access::owner_binding(blueprint),
        Child::OwnerRole => owner_access::its_role(blueprint),
        Child::OwnerRoleBinding => owner_access::owner_role_binding(blueprint),
    }
}

/// The object's head: what it is, where, and our labels.
fn object(
    child: Child,
    tenant: &TenantName,
    record: &TenantRecordSpec,
    body: impl IntoIterator<Item = (&'static str, Value)>,
) -> Value {
    let ObjectKey { kind, namespace, name } = child.key(tenant, record);
    let info = kind.info();
    let namespace = namespace.map(|namespace| ("namespace", json!(namespace)));
    let metadata = [("name", json!(name)), ("labels", Value::Object(our_labels(tenant)))].into_iter().chain(namespace);
    let head = [("apiVersion", json!(info.api_version())), ("kind", json!(info.kind)), ("metadata", fields(metadata))];
    fields(head.into_iter().chain(body))
}

/// A JSON object of what is built already. `json!` copies what it is given, all that is in it as well, at each level anew.
fn fields(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Labels of every owned object.
fn our_labels(tenant: &TenantName) -> Map<String, Value> {
    let mut all = selector(tenant);
    all.insert(labels::MANAGED.into(), json!("true"));
    all.insert("app.kubernetes.io/managed-by".into(), json!(labels::FIELD_MANAGER));
    all
}

/// Labels by which the workspace's pod is found. They never change: a StatefulSet's selector is immutable.
fn selector(tenant: &TenantName) -> Map<String, Value> {
    let mut labels = Map::new();
    labels.insert("app.kubernetes.io/name".into(), json!("openclaw"));
    labels.insert(labels::TENANT.into(), json!(tenant));
    labels
}
