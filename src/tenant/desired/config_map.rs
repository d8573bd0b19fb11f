//! Configuration and secret resolver.

use serde_json::{Value, json};

use super::object;
use crate::tenant::{
    blueprint::{Blueprint, Refusal},
    child::Child,
};

pub(super) fn config_map(blueprint: &Blueprint<'_>) -> Result<Value, Refusal> {
    Ok(object(Child::ConfigMap, blueprint.tenant, blueprint.record, json!({ "data": {} })))
}

pub(super) fn hash(blueprint: &Blueprint<'_>) -> Result<String, Refusal> {
    Ok(String::new())
}
