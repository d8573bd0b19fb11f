//! PURE: what a tenant of the old side has that its class would give it otherwise.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    elements::Parameters,
    today::{OldClaim, OldWorkload},
};
use crate::api::{
    class::{Image, TenantClassSpec},
    quantity::Quantity,
};

/// Keys of an element that a Tenant has a field for.
pub const CARRIED: [&str; 4] = ["name", "email", "subject", "displayName"];

/// What the list says and no field of a Tenant takes. Values are not told: some list may hold a token.
pub fn of_element(element: &Parameters) -> Vec<String> {
    let left = element.keys().filter(|key| !CARRIED.contains(&key.as_str())).cloned().collect::<Vec<_>>();
    if left.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "the list also says {}: what of it still counts belongs into the Tenant's spec by hand",
        left.join(", ")
    )]
}

/// What the claim has otherwise. A size above the class's is carried over, so it is no difference.
pub fn of_claim(claim: &OldClaim, class: &TenantClassSpec) -> Vec<String> {
    let mut differences = Vec::new();
    if claim.storage_class != class.storage.class_name {
        differences.push(format!(
            "claim {} is of storage class {:?}, the class says {:?}",
            claim.name, claim.storage_class, class.storage.class_name
        ));
    }
    if claim.access_modes != ["ReadWriteMany"] {
        differences.push(format!("claim {} is {}, not ReadWriteMany", claim.name, claim.access_modes.join(" and ")));
    }
    if let Ok(size) = claim.size.parse::<Quantity>()
        && size < class.storage.size
    {
        differences.push(format!("claim {} would grow from {size} to {}", claim.name, class.storage.size));
    }
    differences
}

/// What the workloads have otherwise. Of a SandboxClaim, its Sandbox says it.
pub fn of_workloads(workloads: &[OldWorkload], class: &TenantClassSpec) -> Vec<String> {
    workloads.iter().filter(|workload| workload.pod.is_object()).flat_map(|one| of_workload(one, class)).collect()
}

fn of_workload(workload: &OldWorkload, class: &TenantClassSpec) -> Vec<String> {
    let mut differences = Vec::new();
    let wanted = image(&class.workload.image);
    let containers: Vec<&Value> = workload.pod["containers"].as_array().into_iter().flatten().collect();
    if containers.len() > 1 {
        let names: Vec<&str> = containers.iter().filter_map(|container| container["name"].as_str()).collect();
        differences.push(format!(
            "{} containers ({}), where the operator runs one",
            containers.len(),
            names.join(", ")
        ));
    }
    if let Some(image) = containers.first().and_then(|container| container["image"].as_str())
        && image != wanted
    {
        differences.push(format!("image {image}, the class says {wanted}"));
    }
    let known: BTreeSet<&str> = class.workload.env.iter().map(|variable| variable.name.as_str()).collect();
    let set: BTreeSet<&str> = containers
        .iter()
        .flat_map(|container| container["env"].as_array().into_iter().flatten())
        .filter_map(|variable| variable["name"].as_str())
        .filter(|name| !known.contains(name))
        .collect();
    if !set.is_empty() {
        let names: Vec<&str> = set.into_iter().collect();
        differences.push(format!("environment that neither class nor Tenant says: {}", names.join(", ")));
    }
    if let Some(runtime) = workload.pod["runtimeClassName"].as_str()
        && class.workload.runtime_class_name.as_deref() != Some(runtime)
    {
        differences.push(format!("runtime class {runtime}"));
    }
    if workload.at_rest {
        differences.push(
            "it is at rest (scaled to zero or suspended); the operator starts it, unless spec.suspend is set"
                .to_owned(),
        );
    }
    differences.into_iter().map(|difference| format!("{} {}: {difference}", workload.kind, workload.name)).collect()
}

fn image(image: &Image) -> String {
    match (&image.digest, &image.tag) {
        (Some(digest), _) => format!("{}@{digest}", image.repository),
        (None, Some(tag)) => format!("{}:{tag}", image.repository),
        (None, None) => image.repository.clone(),
    }
}
