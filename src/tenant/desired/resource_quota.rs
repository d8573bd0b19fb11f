//! The quota of the namespace.

use serde_json::{Value, json};

use super::object;
use crate::{
    api::quantity::Quantity,
    tenant::{blueprint::Blueprint, child::Child},
};

pub(super) fn resource_quota(blueprint: &Blueprint<'_>) -> Value {
    let quota = &blueprint.quota;
    let claims = blueprint.class.quota.persistent_volume_claims;
    let hard = json!({
        "requests.cpu": quota.cpu,
        "limits.cpu": quota.cpu,
        "requests.memory": quota.memory,
        "limits.memory": quota.memory,
        "pods": Quantity::units(quota.pods),
        "persistentvolumeclaims": Quantity::units(claims),
        "requests.storage": blueprint.size.times(claims),
        // A tenant opens no door of its own: every way in is the HTTPRoute.
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    });
    object(Child::ResourceQuota, blueprint.tenant, blueprint.record, [("spec", json!({ "hard": hard }))])
}
