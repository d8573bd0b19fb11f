//! JSON Schemas of Tenant and TenantClass for editors and pull requests, made from the definitions.
//!
//! PURE. Strict: what the API server would drop or refuse is an error in the editor.

use serde_json::{Map, Value, json};

use super::schema;
use crate::api::{
    labels::GROUP,
    names::{RESERVED_TENANT_NAMES, TenantName},
};

/// Where the repository serves them.
const ID: &str = "https://raw.githubusercontent.com/openclaw/openclaw-tenant-operator/main/crds/schema";

/// The schema of each kind that people write, by file name.
pub fn json_schemas() -> Vec<(&'static str, Value)> {
    let named = |kind: &'static str, file: &'static str, name: Value| {
        schema::of(kind).map(|schema| (file, whole(kind, file, &schema, &name)))
    };
    let tenant = json!({
        "type": "string", "minLength": 1, "maxLength": 40, "pattern": TenantName::PATTERN,
        "not": { "anyOf": [{ "enum": RESERVED_TENANT_NAMES }, { "pattern": "^kube-" }] },
        "description": TenantName::RULE,
    });
    let class = json!({
        "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "description": "The name by which Tenants name the class.",
    });
    [named("Tenant", "tenant.json", tenant), named("TenantClass", "tenantclass.json", class)]
        .into_iter()
        .flatten()
        .collect()
}

fn whole(kind: &str, file: &str, schema: &Value, name: &Value) -> Value {
    let strings = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": format!("{ID}/{file}"),
        "title": kind,
        "description": schema["description"],
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": { "const": format!("{GROUP}/v1alpha1") },
            "kind": { "const": kind },
            "metadata": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": false,
                "properties": { "name": name, "labels": strings, "annotations": strings },
            },
            "spec": converted(&schema["properties"]["spec"]),
        },
    })
}

/// A structural schema as JSON Schema: closed objects, `nullable` as a type, and nothing of Kubernetes' own.
fn converted(schema: &Value) -> Value {
    let mut out = Map::new();
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        match keyword.as_str() {
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let properties: Map<String, Value> =
                    properties.map(|(name, property)| (name.clone(), converted(property))).collect();
                out.insert(keyword.clone(), Value::Object(properties));
                out.insert("additionalProperties".into(), json!(false));
            }
            "items" | "additionalProperties" => {
                out.insert(keyword.clone(), converted(value));
            }
            // What is written is judged; how a number is kept is told by its bounds.
            "nullable" | "format" => {}
            _ if keyword.starts_with("x-kubernetes-") => {}
            _ => {
                out.insert(keyword.clone(), value.clone());
            }
        }
    }
    if schema["x-kubernetes-list-type"] == "set" {
        out.insert("uniqueItems".into(), json!(true));
    }
    if schema["nullable"] == true {
        out.insert("type".into(), json!([schema["type"], "null"]));
        if let Some(values) = out.get_mut("enum").and_then(Value::as_array_mut) {
            values.push(Value::Null);
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_objects(schema: &Value, place: &str, found: &mut Vec<String>) {
        if schema["properties"].is_object() && schema["additionalProperties"] != false {
            found.push(place.to_owned());
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            open_objects(property, &format!("{place}.{name}"), found);
        }
        for keyword in ["items", "additionalProperties"] {
            if schema[keyword].is_object() {
                open_objects(&schema[keyword], place, found);
            }
        }
    }

    #[test]
    fn every_object_is_closed_and_nothing_is_kubernetes_own() {
        let schemas = json_schemas();
        assert_eq!(schemas.iter().map(|(file, _)| *file).collect::<Vec<_>>(), ["tenant.json", "tenantclass.json"]);
        for (file, schema) in schemas {
            let mut found = Vec::new();
            open_objects(&schema, file, &mut found);
            assert_eq!(found, Vec::<String>::new());
            let text = schema.to_string();
            assert!(!text.contains("x-kubernetes") && !text.contains("nullable"), "{file}");
        }
    }

    #[test]
    fn what_may_be_null_says_so_in_its_type() {
        let converted = converted(&json!({
            "type": "string", "nullable": true, "enum": ["a"], "format": "x",
            "x-kubernetes-validations": [{ "rule": "true" }],
        }));
        assert_eq!(converted, json!({ "type": ["string", "null"], "enum": ["a", null] }));
    }
}
