//! What a drain may do to the workspace.

use serde_json::{Value, json};

use super::{object, selector};
use crate::{
    api::class::Disruption,
    tenant::{blueprint::Blueprint, child::Child},
};

pub(super) fn disruption_budget(blueprint: &Blueprint<'_>) -> Value {
    let mut spec = json!({ "selector": { "matchLabels": selector(blueprint.tenant) } });
    match blueprint.class.disruption {
        Disruption::Drainable => spec["maxUnavailable"] = json!(1),
        Disruption::Strict => spec["minAvailable"] = json!(1),
    }
    object(Child::DisruptionBudget, blueprint.tenant, blueprint.record, [("spec", spec)])
}
