//! Defaults for containers that ask for nothing; no maximum below the quota.

use serde_json::{Value, json};

use super::object;
use crate::tenant::{blueprint::Blueprint, child::Child};

pub(super) fn limit_range(blueprint: &Blueprint<'_>) -> Value {
    let defaults = &blueprint.class.limit_range;
    let limit = json!({ "type": "Container", "default": defaults.limits, "defaultRequest": defaults.requests });
    object(Child::LimitRange, blueprint.tenant, blueprint.record, json!({ "spec": { "limits": [limit] } }))
}
