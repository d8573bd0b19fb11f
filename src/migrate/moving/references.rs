//! PURE: which Secrets and ServiceAccounts an object names. Names only.

use std::collections::BTreeSet;

use serde_json::Value;

/// Endings of fields that hold a Secret's name, or something with one (Kubernetes' API: `secretName`, `secretRef`, `secretKeyRef`,
/// `imagePullSecrets`, `nodePublishSecretRef`, a volume's `secret`, a ServiceAccount's `secrets`).
const SURE: [&str; 6] = ["secretname", "secretref", "secretkeyref", "secrets", "secret", "imagepullsecrets"];

/// Secrets that an object names for sure.
pub fn secrets(object: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(object, &|field| SURE.iter().any(|ending| field.ends_with(ending)), &mut found);
    found
}

/// Everything that an object may name as a Secret: what stands here is in use.
pub fn maybe_secrets(object: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(object, &|field| field.contains("secret"), &mut found);
    found
}

/// Metadata and status name nothing that an object needs.
fn walk(value: &Value, is_it: &dyn Fn(&str) -> bool, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (field, inner) in members.iter().filter(|(field, _)| *field != "metadata" && *field != "status") {
                if is_it(&field.to_ascii_lowercase()) {
                    found.extend(names(inner));
                }
                walk(inner, is_it, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, is_it, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn names(value: &Value) -> Vec<String> {
    match value {
        Value::String(name) => vec![name.clone()],
        Value::Object(members) => {
            ["name", "secretName"].iter().filter_map(|key| members.get(*key)?.as_str()).map(str::to_owned).collect()
        }
        Value::Array(items) => items.iter().flat_map(names).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// ServiceAccounts that an object's pods run as, or that a binding is for; those of another namespace left out.
pub fn accounts(object: &Value, namespace: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    pods_accounts(object, &mut found);
    let subjects = object["subjects"].as_array().into_iter().flatten();
    let own = subjects.filter(|subject| subject["kind"] == "ServiceAccount" && subject["namespace"] == namespace);
    found.extend(own.filter_map(|subject| subject["name"].as_str()).map(str::to_owned));
    found
}

fn pods_accounts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (field, inner) in members.iter().filter(|(field, _)| *field != "metadata" && *field != "status") {
                if field == "serviceAccountName" || field == "serviceAccount" {
                    found.extend(inner.as_str().map(str::to_owned));
                }
                pods_accounts(inner, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| pods_accounts(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
