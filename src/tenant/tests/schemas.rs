//! What the schemas of all three kinds promise: every list and string has a bound, every property is described.

use serde_json::Value;

use crate::api::custom_resource_definitions;

/// Types of Kubernetes' own, whose descriptions and bounds are not ours to write.
const BORROWED: [&str; 2] = ["/conditions", "/tolerations"];

fn schemas() -> Vec<(String, Value)> {
    custom_resource_definitions()
        .into_iter()
        .map(|definition| {
            let kind = definition.spec.names.kind.clone();
            let schema = definition.spec.versions[0].schema.clone().and_then(|schema| schema.open_api_v3_schema);
            (kind, serde_json::to_value(schema.expect("a schema")).expect("JSON"))
        })
        .collect()
}

/// Calls `check` for every property of ours, with its place.
fn each(schema: &Value, place: &str, check: &mut dyn FnMut(&str, &Value)) {
    if BORROWED.iter().any(|borrowed| place.contains(borrowed)) {
        return;
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}/{name}");
        check(&place, property);
        each(property, &place, check);
    }
    for field in ["items", "additionalProperties"] {
        if schema[field].is_object() {
            let place = format!("{place}/{field}");
            each(&schema[field], &place, check);
            check(&place, &schema[field]);
        }
    }
}

fn failing(is_well: impl Fn(&str, &Value) -> bool) -> Vec<String> {
    let mut failing = Vec::new();
    for (kind, schema) in schemas() {
        for part in ["spec", "status"] {
            let root = &schema["properties"][part];
            each(root, &format!("{kind}.{part}"), &mut |place, property| {
                if !is_well(place, property) {
                    failing.push(place.to_owned());
                }
            });
        }
    }
    failing
}

#[test]
fn every_list_says_how_long_it_may_be() {
    assert_eq!(failing(|_, one| one["type"] != "array" || one["maxItems"].is_u64()), Vec::<String>::new());
}

#[test]
fn every_map_says_how_many_entries_it_may_have() {
    let is_map = |one: &Value| one["type"] == "object" && one["additionalProperties"].is_object();
    assert_eq!(failing(|_, one| !is_map(one) || one["maxProperties"].is_u64()), Vec::<String>::new());
}

#[test]
fn every_string_says_how_long_it_may_be() {
    let is_bounded = |one: &Value| one["maxLength"].is_u64() || one["enum"].is_array() || one["format"] == "date-time";
    assert_eq!(failing(|_, one| one["type"] != "string" || is_bounded(one)), Vec::<String>::new());
}

#[test]
fn every_property_is_described() {
    let is_entry = |place: &str| place.ends_with("/items") || place.ends_with("/additionalProperties");
    let is_told = |one: &Value| one["description"].as_str().is_some_and(|text| text.len() > 5);
    assert_eq!(failing(|place, one| is_entry(place) || is_told(one)), Vec::<String>::new());
}

#[test]
fn every_property_has_a_type_so_that_the_schema_is_structural() {
    let has_type = |one: &Value| one["type"].is_string() || one["x-kubernetes-int-or-string"] == true;
    assert_eq!(failing(|_, one| has_type(one)), Vec::<String>::new());
}

#[test]
fn every_rule_tells_people_what_to_do() {
    fn rules(value: &Value, found: &mut Vec<Value>) {
        match value {
            Value::Object(map) => {
                found.extend(
                    map.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten().cloned(),
                );
                map.values().for_each(|value| rules(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| rules(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (_, schema) in schemas() {
        rules(&schema, &mut found);
    }
    assert!(found.len() >= 10, "{}", found.len());
    for rule in found {
        assert!(rule["message"].as_str().is_some_and(|message| message.len() > 20), "{rule}");
    }
}

#[test]
fn every_kind_is_cluster_scoped_and_of_one_version() {
    for definition in custom_resource_definitions() {
        assert_eq!((definition.spec.scope.as_str(), definition.spec.group.as_str()), ("Cluster", "openclaw.io"));
        let versions: Vec<&str> = definition.spec.versions.iter().map(|version| version.name.as_str()).collect();
        assert_eq!(versions, ["v1alpha1"]);
        assert!(definition.spec.names.categories.as_ref().is_some_and(|all| all == &["openclaw"]));
    }
}
