//! How owners reach their workspaces.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults;
use crate::api::names::{DomainName, NamespaceName};

/// How owners reach their workspaces.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode != 'Path' || self.acceptSharedOrigin")
        .message("in Path mode all tenants of a host share one browser origin: a script of one can read another's token. Set acceptSharedOrigin: true if you accept that, or use Host mode"),
)]
pub struct Routing {
    /// A host of its own for each tenant, or a path on a shared one. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("the routing mode never changes, owners' bookmarks and tokens hang on it: make another class"))]
    pub mode: RoutingMode,

    /// Says that in Path mode a shared browser origin is accepted.
    #[serde(default)]
    pub accept_shared_origin: bool,

    /// The gateways, each with a host (Path) or domain (Host) of its own.
    #[schemars(length(min = 1, max = 16))]
    pub gateways: Vec<GatewaySlot>,

    /// How an Application Load Balancer reaches workspaces (TargetGroupConfiguration of the AWS Load Balancer Controller); without
    /// it the controller's own defaults. Workspaces behind an interceptor (`workload.scaleToZero`) are reached through that, and
    /// have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_group: Option<TargetGroup>,
}

/// How an Application Load Balancer reaches workspaces: by the pods' addresses, with OpenClaw's own health page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetGroup {
    /// Seconds between two looks at a workspace's health.
    #[serde(default = "defaults::health_check_interval_seconds")]
    #[schemars(range(min = 5, max = 300))]
    pub health_check_interval_seconds: u16,

    /// Seconds for which connections to a workspace that goes are left open.
    #[serde(default = "defaults::deregistration_delay_seconds")]
    #[schemars(range(min = 0, max = 3600))]
    pub deregistration_delay_seconds: u16,
}

/// A host of its own for each tenant, or a path on a shared one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RoutingMode {
    /// `<tenant>.<domain>`.
    Host,
    /// `<domain>/t/<tenant>`.
    Path,
}

/// One gateway and how many tenants it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySlot {
    /// The Gateway's namespace.
    pub namespace: NamespaceName,

    /// The Gateway's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The listener; without it every listener of the Gateway that takes the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,

    /// The domain under which each tenant has its host, or the shared host in Path mode.
    pub domain: DomainName,

    /// The scheme that owners use. OpenClaw's page makes a key for each browser, and browsers do that only on https pages and on
    /// localhost: with http it lets nobody in who comes by any other name.
    #[serde(default = "defaults::scheme")]
    #[schemars(extend("enum" = ["https", "http"]))]
    pub scheme: String,

    /// How many tenants its Gateway takes: no new one comes here while so many are on the Gateway, under whatever domain and
    /// of whatever class. One Application Load Balancer has 100 target groups, not adjustable.
    #[serde(default = "defaults::gateway_capacity")]
    #[schemars(range(min = 1, max = 100_000))]
    pub capacity: u32,

    /// Takes no new tenants; those it has stay, until an administrator moves them (`openclaw-tenant-operator move`).
    #[serde(default)]
    pub cordoned: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capacity_that_the_schema_allows_is_read() {
        let json = serde_json::json!({ "namespace": "g", "name": "g", "domain": "example.com", "capacity": 100_000 });
        let slot: GatewaySlot = serde_json::from_value(json).expect("a slot");
        assert_eq!((slot.capacity, slot.scheme.as_str(), slot.cordoned), (100_000, "https", false));
    }
}
