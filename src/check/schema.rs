//! What a definition's schema says of an object: as the API server reads it, with every field that it does not know an error.
//!
//! PURE. Only what our own schemas use; a test fails where they come to use more.

use std::fmt;

use regex::Regex;
use serde_json::{Map, Value};

use super::hints::instead;
use crate::api::{
    custom_resource_definitions,
    names::{
        ClassName, DomainName, Email, InferenceProfile, KmsKeyArn, ModelId, NamespaceName, NamespacePrefix,
        OwnerSubject, PolicyArn, RoleArn, SecretItemName,
    },
    quantity,
};

/// Something that is wrong at a place of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub path: String,
    /// What, and what to do.
    pub message: String,
}

impl Problem {
    pub(super) fn new(path: &impl fmt::Display, message: impl Into<String>) -> Self {
        Self { path: path.to_string(), message: message.into() }
    }
}

/// The schema of a kind of ours, as its definition has it.
pub fn of(kind: &str) -> Option<Value> {
    let definition = custom_resource_definitions().into_iter().find(|one| one.spec.names.kind == kind)?;
    let schema = definition.spec.versions.into_iter().next()?.schema?.open_api_v3_schema?;
    serde_json::to_value(schema).ok()
}

/// Puts in what the API server would put in where nothing is said.
pub fn fill(schema: &Value, value: &mut Value) {
    let items = &schema["items"];
    let entries = &schema["additionalProperties"];
    match value {
        Value::Object(object) => {
            for (name, property) in properties(schema) {
                let default = &property["default"];
                let is_unsaid = object.get(name).is_none_or(|it| it.is_null() && property["nullable"] != true);
                if is_unsaid && !default.is_null() {
                    object.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in object.iter_mut() {
                let property = schema["properties"].get(name).or(entries.is_object().then_some(entries));
                if let Some(property) = property {
                    fill(property, value);
                }
            }
        }
        Value::Array(list) if items.is_object() => list.iter_mut().for_each(|item| fill(items, item)),
        _ => {}
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

/// Everything that is wrong with a value by its schema.
pub fn problems(schema: &Value, value: &Value, path: &str) -> Vec<Problem> {
    if value.is_null() && schema["nullable"] == true {
        return Vec::new();
    }
    let wanted = schema["type"].as_str().unwrap_or("object");
    match (wanted, value) {
        ("object", Value::Object(object)) => of_object(schema, object, path),
        ("array", Value::Array(list)) => of_list(schema, list, path),
        ("string", Value::String(text)) => of_string(schema, text, path).into_iter().collect(),
        ("boolean", Value::Bool(_)) => Vec::new(),
        ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => of_number(schema, value, path),
        ("number", Value::Number(_)) => of_number(schema, value, path),
        _ => vec![Problem::new(&path, wrong_type(wanted, value))],
    }
}

fn wrong_type(wanted: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "nothing is said here".to_owned(),
        Value::Bool(it) => format!("{it} is a truth value"),
        Value::Number(it) => format!("{it} is a number"),
        Value::String(it) => format!("{it:?} is a text"),
        Value::Array(_) => "here is a list".to_owned(),
        Value::Object(_) => "here is a block of fields".to_owned(),
    };
    let (needed, hint) = match (wanted, value) {
        ("string", Value::Bool(_) | Value::Number(_)) => ("a text", ": put it in quotes"),
        ("string", _) => ("a text", ""),
        ("boolean", Value::String(_)) => ("a truth value", ": write true or false, without quotes"),
        ("boolean", _) => ("a truth value", ": write true or false"),
        ("integer", Value::String(_)) => ("a whole number", ": take the quotes away"),
        ("integer", _) => ("a whole number", ""),
        ("number", _) => ("a number", ""),
        ("array", _) => ("a list", ""),
        _ => ("a block of fields", ""),
    };
    format!("{found}, and {needed} is needed{hint}")
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn of_object(schema: &Value, object: &Map<String, Value>, path: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let entries = &schema["additionalProperties"];
    let known = || properties(schema).map(|(name, _)| name.as_str());
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            found.push(Problem::new(&below(path, name), "is missing, and there is no default"));
        }
    }
    for (name, value) in object {
        let place = below(path, name);
        match schema["properties"].get(name) {
            Some(property) => found.extend(problems(property, value, &place)),
            None if entries.is_object() => found.extend(problems(entries, value, &place)),
            None => {
                let known: Vec<&str> = known().collect();
                let message = format!("there is no such field; {}", instead(name, known));
                found.push(Problem::new(&place, message));
            }
        }
    }
    found.extend(of_count(schema, "Properties", "entries", object.len(), path));
    found
}

fn of_list(schema: &Value, list: &[Value], path: &str) -> Vec<Problem> {
    let mut found: Vec<Problem> = of_count(schema, "Items", "entries", list.len(), path).into_iter().collect();
    let keys: Vec<&str> = match schema["x-kubernetes-list-type"].as_str() {
        Some("map") => {
            schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
        }
        _ => Vec::new(),
    };
    let is_set = schema["x-kubernetes-list-type"] == "set";
    let identity = |item: &Value| -> Vec<Value> {
        if is_set { vec![item.clone()] } else { keys.iter().map(|key| item[*key].clone()).collect() }
    };
    for (index, item) in list.iter().enumerate() {
        let place = format!("{path}[{index}]");
        if (is_set || !keys.is_empty()) && list[..index].iter().any(|before| identity(before) == identity(item)) {
            let what: Vec<String> =
                identity(item).iter().map(|one| one.as_str().map_or(one.to_string(), str::to_owned)).collect();
            found.push(Problem::new(&place, format!("{} is in the list twice: take one away", what.join(", "))));
        }
        found.extend(problems(&schema["items"], item, &place));
    }
    found
}

fn of_count(schema: &Value, what: &str, unit: &str, count: usize, path: &str) -> Option<Problem> {
    let limit = |end: &str| schema[format!("{end}{what}")].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let (least, most) = (limit("min").unwrap_or(0), limit("max").unwrap_or(usize::MAX));
    if count < least {
        return Some(Problem::new(&path, format!("has {count} {unit}, and at least {least} are needed")));
    }
    (count > most).then(|| Problem::new(&path, format!("has {count} {unit}, and at most {most} are taken")))
}

fn of_string(schema: &Value, text: &str, path: &str) -> Option<Problem> {
    if let Some(known) = schema["enum"].as_array() {
        let known: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
        return (!known.contains(&text))
            .then(|| Problem::new(&path, format!("{text:?} is not known; {}", instead(text, known))));
    }
    let pattern = schema["pattern"].as_str();
    let is_formed = pattern.is_none_or(|pattern| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text)));
    if !is_formed {
        let rule = pattern
            .and_then(rule_of)
            .map_or_else(|| format!("it has to match {}", pattern.unwrap_or_default()), str::to_owned);
        return Some(Problem::new(&path, format!("{text:?} is not valid: {rule}")));
    }
    of_count(schema, "Length", "characters", text.chars().count(), path)
}

fn of_number(schema: &Value, value: &Value, path: &str) -> Vec<Problem> {
    let Some(number) = value.as_f64() else { return Vec::new() };
    let (least, most) = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
    if let Some(least) = least.filter(|least| number < *least) {
        return vec![Problem::new(&path, format!("{value} is too small: use at least {least}"))];
    }
    if let Some(most) = most.filter(|most| number > *most) {
        return vec![Problem::new(&path, format!("{value} is too large: use at most {most}"))];
    }
    Vec::new()
}

/// What a pattern of ours asks for, in words.
fn rule_of(pattern: &str) -> Option<&'static str> {
    let rules = [
        (quantity::PATTERN, quantity::RULE),
        (ClassName::PATTERN, ClassName::RULE),
        (DomainName::PATTERN, DomainName::RULE),
        (Email::PATTERN, Email::RULE),
        (InferenceProfile::PATTERN, InferenceProfile::RULE),
        (KmsKeyArn::PATTERN, KmsKeyArn::RULE),
        (ModelId::PATTERN, ModelId::RULE),
        (NamespaceName::PATTERN, NamespaceName::RULE),
        (NamespacePrefix::PATTERN, NamespacePrefix::RULE),
        (OwnerSubject::PATTERN, OwnerSubject::RULE),
        (PolicyArn::PATTERN, PolicyArn::RULE),
        (RoleArn::PATTERN, RoleArn::RULE),
        (SecretItemName::PATTERN, SecretItemName::RULE),
    ];
    rules.iter().find(|(known, _)| *known == pattern).map(|(_, rule)| *rule)
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
