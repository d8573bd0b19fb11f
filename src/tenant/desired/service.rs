//! The port of the gateway.

use serde_json::{Value, json};

use super::{object, selector};
use crate::{
    api::labels,
    tenant::{blueprint::Blueprint, child::Child},
};

pub(super) fn service(blueprint: &Blueprint<'_>) -> Value {
    // The VPC CNI's policy agent wants the Service's port to be the container's.
    let port = json!({ "name": "gateway", "port": labels::GATEWAY_PORT, "protocol": "TCP", "targetPort": "gateway" });
    let spec = json!({
        "type": "ClusterIP",
        "selector": selector(blueprint.tenant),
        "ports": [port],
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    });
    object(Child::Service, blueprint.tenant, blueprint.record, [("spec", spec)])
}
