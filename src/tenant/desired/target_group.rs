//! How an Application Load Balancer reaches the workspace and sees that it is well.

use serde_json::{Value, json};

use super::{object, stateful_set::HEALTH};
use crate::tenant::{blueprint::Blueprint, child::Child};

pub(super) fn target_group(blueprint: &Blueprint<'_>) -> Option<Value> {
    let head = |spec: Value| object(Child::TargetGroup, blueprint.tenant, blueprint.record, [("spec", spec)]);
    let target = json!({ "group": "", "kind": "Service", "name": blueprint.tenant });
    // What is behind an interceptor is reached, and seen to be well, through that.
    let wanted = blueprint.class.routing.target_group.as_ref().filter(|_| blueprint.scaler.is_none());
    let Some(wanted) = wanted else {
        // The controller lets none go while a route leads to the workspace: until then it says nothing but the controller's defaults.
        let spec = json!({ "targetReference": target, "defaultConfiguration": {} });
        return blueprint.keeps_target_group.then(|| head(spec));
    };
    let delay = json!({
        "key": "deregistration_delay.timeout_seconds",
        "value": wanted.deregistration_delay_seconds.to_string(),
    });
    let spec = json!({
        "targetReference": target,
        "defaultConfiguration": {
            "targetType": "ip",
            "protocol": "HTTP",
            "healthCheckConfig": {
                "healthCheckPath": HEALTH,
                "healthCheckProtocol": "HTTP",
                "healthCheckInterval": wanted.health_check_interval_seconds,
                // Below the shortest interval, as the load balancer asks for.
                "healthCheckTimeout": 4,
                "healthyThresholdCount": 2,
                "unhealthyThresholdCount": 3,
                "matcher": { "httpCode": "200" },
            },
            "targetGroupAttributes": [delay],
        },
    });
    Some(head(spec))
}
