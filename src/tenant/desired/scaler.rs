//! What lets a workspace sleep and wakes it: KEDA's ScaledObject, and the route and grant of its HTTP add-on's interceptor.
//!
//! The add-on no longer makes the ScaledObject by itself since its `InterceptorRoute` (v1beta1): the two are written side by side.

use serde_json::{Value, json};

use super::{
    object,
    route::{base_path, hostname},
};
use crate::{
    api::labels,
    tenant::{
        blueprint::Blueprint,
        child::{Child, Kind},
    },
};

/// How often KEDA asks the add-on, beside what the add-on tells by itself, in seconds.
const POLLING_SECONDS: u32 = 15;

pub(super) fn scaled_object(blueprint: &Blueprint<'_>) -> Option<Value> {
    let scaler = blueprint.scaler?;
    let set = Kind::StatefulSet.info();
    let spec = json!({
        "scaleTargetRef": { "apiVersion": set.api_version(), "kind": set.kind, "name": blueprint.tenant },
        "pollingInterval": POLLING_SECONDS,
        "cooldownPeriod": scaler.idle_seconds,
        // A new workspace has as long to start, and is seen to start.
        "initialCooldownPeriod": scaler.idle_seconds,
        "minReplicaCount": 0,
        "maxReplicaCount": 1,
        "triggers": [{
            "type": "external-push",
            "metadata": { "scalerAddress": scaler.scaler_address, "interceptorRoute": blueprint.tenant },
        }],
    });
    Some(object(Child::ScaledObject, blueprint.tenant, blueprint.record, [("spec", spec)]))
}

pub(super) fn interceptor_route(blueprint: &Blueprint<'_>) -> Option<Value> {
    let scaler = blueprint.scaler?;
    let placement = blueprint.record.routing.placement.as_ref()?;
    let mode = blueprint.record.routing.mode;
    let mut rule = json!({ "hosts": [hostname(blueprint.tenant, mode, placement)] });
    if let Some(path) = base_path(blueprint.tenant, mode) {
        rule["paths"] = json!([{ "value": path }]);
    }
    let spec = json!({
        "target": { "service": blueprint.tenant, "port": labels::GATEWAY_PORT },
        "rules": [rule],
        // More than one replica there never is, so the figure only tells busy from idle.
        "scalingMetric": { "concurrency": { "targetValue": 100 } },
        "timeouts": { "readiness": format!("{}s", scaler.wake_seconds) },
    });
    Some(object(Child::InterceptorRoute, blueprint.tenant, blueprint.record, [("spec", spec)]))
}

/// Lets the tenant's HTTPRoute, and nobody else's, name the interceptor's Service.
pub(super) fn interceptor_grant(blueprint: &Blueprint<'_>) -> Option<Value> {
    let scaler = blueprint.scaler?;
    let route = Kind::HttpRoute.info();
    let spec = json!({
        "from": [{ "group": route.group, "kind": route.kind, "namespace": blueprint.record.namespace.name }],
        "to": [{ "group": "", "kind": "Service", "name": scaler.interceptor.service }],
    });
    Some(object(Child::InterceptorGrant, blueprint.tenant, blueprint.record, [("spec", spec)]))
}
