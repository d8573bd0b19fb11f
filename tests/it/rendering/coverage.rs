//! The variants hold every field of class and Tenant, every value of an enumeration, and both of every switch.

use std::collections::BTreeSet;

use openclaw_tenant_operator::api::custom_resource_definitions;
use serde_json::{Value, json};

use super::{VARIANTS, variants, without_nulls};
use crate::support::{Instance, example_class, merge};

fn schema(kind: &str) -> Value {
    let all = custom_resource_definitions();
    let definition = all.iter().find(|definition| definition.spec.names.kind == kind).expect("a definition");
    json!(definition)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// What there is to set: fields, entries of lists, and values of what has few.
fn wanted(schema: &Value, place: &str, all: &mut BTreeSet<String>) {
    for value in values(schema) {
        all.insert(format!("{place}={value}"));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        wanted(property, &place, all);
        all.insert(place);
    }
    if schema["items"].is_object() {
        let place = format!("{place}[]");
        wanted(&schema["items"], &place, all);
        all.insert(place);
    }
}

fn values(schema: &Value) -> Vec<Value> {
    match (schema["enum"].as_array(), schema["type"] == "boolean") {
        (Some(values), _) => values.iter().filter(|value| !value.is_null()).cloned().collect(),
        (None, true) => vec![json!(true), json!(false)],
        (None, false) => Vec::new(),
    }
}

/// What a value sets of it, with what the server sets where it says nothing.
fn set(schema: &Value, value: &Value, place: &str, all: &mut BTreeSet<String>) {
    if !values(schema).is_empty() {
        all.insert(format!("{place}={value}"));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        let given = value.get(name).filter(|given| !given.is_null());
        if given.is_some() {
            all.insert(place.clone());
        }
        if let Some(inner) = given.or_else(|| property.get("default")) {
            set(property, inner, &place, all);
        }
    }
    for entry in value.as_array().into_iter().flatten() {
        let place = format!("{place}[]");
        set(&schema["items"], entry, &place, all);
        all.insert(place);
    }
}

#[test]
fn every_field_and_every_value_of_class_and_tenant_is_in_a_variant() {
    let instance = Instance::shared();
    let (class_schema, tenant_schema) = (schema("TenantClass"), schema("Tenant"));
    let mut all = BTreeSet::new();
    wanted(&class_schema, "TenantClass", &mut all);
    wanted(&tenant_schema, "Tenant", &mut all);
    assert!(all.len() > 100, "the schemas were read: {all:#?}");

    let mut found = BTreeSet::new();
    for variant in VARIANTS.iter().copied().chain([variants::a_secret_of_a_person as fn(&Instance) -> _]) {
        let variant = variant(instance);
        let mut class = example_class(instance);
        merge(&mut class, variant.class);
        let mut tenant = json!({ "owner": { "email": "alice@example.com" }, "className": "a" });
        merge(&mut tenant, variant.tenant);
        set(&class_schema, &without_nulls(class), "TenantClass", &mut found);
        set(&tenant_schema, &without_nulls(tenant), "Tenant", &mut found);
    }
    let missing: Vec<&String> = all.difference(&found).collect();
    assert_eq!(missing, Vec::<&String>::new(), "no variant sets these");
}
