use serde_json::json;

use super::*;

fn told(spec: Value) -> Vec<String> {
    let schema = of("Tenant").expect("a kind of ours");
    let mut spec = spec;
    fill(&schema["properties"]["spec"], &mut spec);
    let found = problems(&schema["properties"]["spec"], &spec, "spec");
    found.into_iter().map(|one| format!("{}: {}", one.path, one.message)).collect()
}

#[test]
fn every_problem_is_told_with_its_place_and_what_to_do() {
    let spec = json!({
        "owner": { "mail": "alice@example.com", "email": "alice" },
        "classname": "default",
        "replicas": 1,
        "suspend": "yes",
        "deletionPolicy": "Keep",
        "quota": { "cpu": 6, "memory": "8GB", "pods": 0 },
        "env": [{ "name": "TZ" }, { "name": "TZ", "value": true }],
        "skills": ["a", "a"],
        "egress": { "cidrs": [{ "cidr": "203.0.113.0/24", "ports": [70_000, "443"] }] },
        "secrets": [{ "required": false }],
    });
    let fields = "owner";
    let expected = [
        "spec.classname: there is no such field; did you mean className?",
        "spec.deletionPolicy: \"Keep\" is not known; there is: Retain, Delete",
        "spec.egress.cidrs[0].ports[0]: 70000 is too large: use at most 65535",
        "spec.egress.cidrs[0].ports[1]: \"443\" is a text, and a whole number is needed: take the quotes away",
        "spec.env[1].value: true is a truth value, and a text is needed: put it in quotes",
        "spec.env[1]: TZ is in the list twice: take one away",
        "spec.owner.email: \"alice\" is not valid: use an address such as alice@example.com, at most 254 characters",
        "spec.owner.mail: there is no such field; did you mean email?",
        "spec.quota.cpu: 6 is a number, and a text is needed: put it in quotes",
        &format!("spec.quota.memory: \"8GB\" is not valid: {}", quantity::RULE),
        "spec.quota.pods: 0 is too small: use at least 1",
        "spec.secrets[0].name: is missing, and there is no default",
        "spec.skills[1]: a is in the list twice: take one away",
        "spec.suspend: \"yes\" is a text, and a truth value is needed: write true or false, without quotes",
    ];
    let mut found = told(spec);
    found.sort();
    let replicas = found.iter().position(|one| one.starts_with("spec.replicas: there is no such field; there is: "));
    let replicas = found.remove(replicas.expect("told"));
    assert!(replicas.contains(fields) && replicas.contains("suspend"), "{replicas}");
    assert_eq!(found, expected);
}

#[test]
fn what_the_schema_takes_has_no_problem() {
    let spec = json!({
        "owner": { "email": "alice@example.com", "subject": null },
        "displayName": "Alice",
        "storage": { "size": "20Gi" },
        "egress": { "domains": ["*.example.com"] },
    });
    assert_eq!(told(spec), Vec::<String>::new());
    assert_eq!(told(json!({})), ["spec.owner: is missing, and there is no default"]);
    assert_eq!(told(json!({ "owner": null })), ["spec.owner: nothing is said here, and a block of fields is needed"]);
}

#[test]
fn defaults_are_put_in_at_every_depth() {
    let schema = of("TenantClass").expect("a kind of ours");
    let mut spec = json!({ "routing": { "mode": "Host", "gateways": [{ "name": "g" }] }, "deletion": null });
    fill(&schema["properties"]["spec"], &mut spec);
    assert_eq!(spec["namespacePrefix"], "openclaw-");
    assert_eq!(spec["routing"]["gateways"][0]["capacity"], 90);
    assert_eq!(spec["quota"]["cpu"], "4");
    assert_eq!(spec["deletion"]["retentionDays"], 30);
}

/// Keywords of schemas that are read here; what else a schema could say would go unjudged.
const READ: [&str; 21] = [
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "nullable",
    "default",
    "description",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
];

/// Formats that restrict nothing beyond minimum and maximum.
const FORMATS: [&str; 6] = ["int32", "int64", "uint8", "uint16", "uint32", "double"];

fn unread(schema: &Value, place: &str, found: &mut Vec<String>) {
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let is_read =
            READ.contains(&keyword.as_str()) || (keyword == "format" && FORMATS.iter().any(|format| value == format));
        if !is_read {
            found.push(format!("{place}: {keyword}"));
        }
    }
    for (name, property) in properties(schema) {
        unread(property, &format!("{place}.{name}"), found);
    }
    for keyword in ["items", "additionalProperties"] {
        if schema[keyword].is_object() {
            unread(&schema[keyword], place, found);
        }
    }
}

#[test]
fn everything_that_our_schemas_say_is_read() {
    let mut found = Vec::new();
    for kind in ["Tenant", "TenantClass"] {
        let schema = of(kind).expect("a kind of ours");
        unread(&schema["properties"]["spec"], kind, &mut found);
    }
    assert_eq!(found, Vec::<String>::new());
}

fn patterns(schema: &Value, found: &mut Vec<String>) {
    found.extend(schema["pattern"].as_str().map(str::to_owned));
    properties(schema).for_each(|(_, property)| patterns(property, found));
    for keyword in ["items", "additionalProperties"] {
        if schema[keyword].is_object() {
            patterns(&schema[keyword], found);
        }
    }
}

#[test]
fn every_pattern_can_be_read_here() {
    for kind in ["Tenant", "TenantClass"] {
        let mut found = Vec::new();
        patterns(&of(kind).expect("a kind of ours")["properties"]["spec"], &mut found);
        assert!(!found.is_empty());
        for pattern in found {
            assert!(Regex::new(&pattern).is_ok(), "{pattern}");
        }
    }
}
