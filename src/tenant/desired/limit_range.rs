//! Defaults for containers that ask for nothing; no maximum below the quota.

use serde_json::{Value, json};

use super::object;
use crate::{
    api::tenant::CpuMemory,
    tenant::{blueprint::Blueprint, child::Child},
};

pub(super) fn limit_range(blueprint: &Blueprint<'_>) -> Value {
    let defaults = &blueprint.class.limit_range;
    // The server takes a limit as the request of what has none, and drops an empty map.
    let requests = CpuMemory {
        cpu: defaults.requests.cpu.or(defaults.limits.cpu),
        memory: defaults.requests.memory.or(defaults.limits.memory),
    };
    let mut limit = json!({ "type": "Container" });
    for (field, amounts) in [("default", defaults.limits), ("defaultRequest", requests)] {
        if amounts != CpuMemory::default() {
            limit[field] = json!(amounts);
        }
    }
    object(Child::LimitRange, blueprint.tenant, blueprint.record, [("spec", json!({ "limits": [limit] }))])
}
