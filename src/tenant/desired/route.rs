//! How the owner reaches the workspace.

use serde_json::{Value, json};

use super::object;
use crate::{
    api::{
        class::{GatewaySlot, Interceptor, RoutingMode, TenantClassSpec},
        labels,
        names::{DomainName, TenantName},
        record::{Placement, TenantRecordSpec},
    },
    tenant::{
        blueprint::{Backend, Blueprint},
        child::Child,
    },
};

pub(super) fn route(blueprint: &Blueprint<'_>) -> Option<Value> {
    let Blueprint { tenant, class, record, .. } = blueprint;
    let placement = record.routing.placement.as_ref().filter(|_| blueprint.open)?;
    let path = base_path(tenant, record.routing.mode).unwrap_or_else(|| "/".into());
    let mut parent = json!({
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": placement.namespace,
        "name": placement.name,
    });
    if let Some(section) = slot(class, placement).and_then(|slot| slot.section_name.as_ref()) {
        parent["sectionName"] = json!(section);
    }
    let backend = backend(blueprint);
    let rule = json!({
        "matches": [{ "path": { "type": "PathPrefix", "value": path } }],
        "backendRefs": [backend],
    });
    let spec = json!({
        "parentRefs": [parent],
        "hostnames": [hostname(tenant, record.routing.mode, placement)],
        "rules": [rule],
    });
    Some(object(Child::Route, tenant, record, [("spec", spec)]))
}

/// The workspace itself, or the interceptor that wakes it.
fn backend(blueprint: &Blueprint<'_>) -> Value {
    match blueprint.scaler.map(|scaler| &scaler.interceptor).filter(|_| blueprint.backend == Backend::Interceptor) {
        None => {
            json!({ "group": "", "kind": "Service", "name": blueprint.tenant, "port": labels::GATEWAY_PORT, "weight": 1 })
        }
        Some(Interceptor { namespace, service, port, pod_labels: _ }) => {
            json!({ "group": "", "kind": "Service", "namespace": namespace, "name": service, "port": port, "weight": 1 })
        }
    }
}

/// The host on which a tenant is served.
pub fn hostname(tenant: &TenantName, mode: RoutingMode, placement: &Placement) -> String {
    match mode {
        RoutingMode::Host => format!("{tenant}.{}", placement.domain),
        RoutingMode::Path => placement.domain.to_string(),
    }
}

/// The domain of the place whose host this is; `None` where it is no host of this tenant's.
pub fn domain(tenant: &TenantName, mode: RoutingMode, hostname: &str) -> Option<DomainName> {
    let domain = match mode {
        RoutingMode::Host => hostname.strip_prefix(tenant.as_str())?.strip_prefix('.')?,
        RoutingMode::Path => hostname,
    };
    domain.parse().ok()
}

/// The path under which a tenant is served, in Path mode.
pub(super) fn base_path(tenant: &TenantName, mode: RoutingMode) -> Option<String> {
    match mode {
        RoutingMode::Host => None,
        RoutingMode::Path => Some(format!("/t/{tenant}")),
    }
}

/// Scheme and host, as a browser's origin.
pub(super) fn origin(tenant: &TenantName, class: &TenantClassSpec, record: &TenantRecordSpec) -> Option<String> {
    let placement = record.routing.placement.as_ref()?;
    let scheme = slot(class, placement).map_or("https", |slot| slot.scheme.as_str());
    Some(format!("{scheme}://{}", hostname(tenant, record.routing.mode, placement)))
}

/// Where the owner finds the workspace; `None` while it has no place on a gateway.
pub fn url(tenant: &TenantName, class: &TenantClassSpec, record: &TenantRecordSpec) -> Option<String> {
    let origin = origin(tenant, class, record)?;
    let path = base_path(tenant, record.routing.mode).unwrap_or_default();
    Some(format!("{origin}{path}/"))
}

fn slot<'a>(class: &'a TenantClassSpec, placement: &Placement) -> Option<&'a GatewaySlot> {
    let is_there = |slot: &&GatewaySlot| {
        slot.namespace == placement.namespace && slot.name == placement.name && slot.domain == placement.domain
    };
    class.routing.gateways.iter().find(is_there)
}
