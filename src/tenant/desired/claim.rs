//! The volume.

use serde_json::{Value, json};

use super::object;
use crate::tenant::{blueprint::Blueprint, child::Child};

pub(super) fn claim(blueprint: &Blueprint<'_>) -> Value {
    let storage = &blueprint.record.storage;
    let mut spec = json!({
        "accessModes": ["ReadWriteMany"],
        "resources": { "requests": { "storage": blueprint.claim_size } },
        "storageClassName": storage.class_name,
        "volumeMode": "Filesystem",
    });
    // A claim that is made again gets the volume that holds the tenant's data, never an empty one.
    if let Some(volume) = &storage.volume {
        spec["volumeName"] = json!(volume.name);
    }
    object(Child::Claim, blueprint.tenant, blueprint.record, [("spec", spec)])
}
