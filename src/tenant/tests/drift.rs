//! Drift is found by equality: whatever leaf of an object is added, changed or removed, its hash is another one; and
//! nothing that is somebody else's business changes it.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::Index};
use serde_json::{Map, Value, json};

use super::{mishaps::settled, objects::given, world::World};
use crate::tenant::{
    child::{Child, Kind},
    digest::{ContentHash, allocated_fields},
};

/// Every kind's wanted object, with all that a class can switch on.
fn wanted() -> Vec<(Kind, Value)> {
    let given = given(
        |class| {
            class["network"] =
                json!({ "cidrs": [{ "cidr": "10.1.0.0/24", "ports": [5432] }], "allowInstanceMetadata": true });
            class["network"]["egressMode"] = json!("Allowlist");
            class["network"]["enforcement"] = json!("Cilium");
            class["network"]["domains"] = json!(["api.example.com"]);
            class["routing"]["targetGroup"] = json!({});
            class["ownerAccess"] = json!({});
            class["routing"]["gateways"][0]["sectionName"] = json!("https");
            class["workload"]["nodeSelector"] = json!({ "pool": "tenants" });
            class["workload"]["tolerations"] = json!([{ "key": "tenants", "operator": "Exists" }]);
        },
        |_| {},
    );
    let sleeping = super::objects::given(|class| class["workload"]["scaleToZero"] = json!({}), |_| {});
    let objects = Child::ALL.iter().filter_map(|child| {
        // What stands beside the workload of one that sleeps; of the rest one of a kind is enough.
        Some((child.kind(), given.build(*child).or_else(|| sleeping.build(*child))?))
    });
    let objects: Vec<(Kind, Value)> = objects.collect();
    let kinds: BTreeSet<Kind> = objects.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds.len(), Kind::ALL.len(), "every kind is among them");
    objects
}

/// Whether what lies at this place is the operator's to decide.
fn is_ours(kind: Kind, path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let pointer = format!("/{}", path.join("/"));
    if allocated_fields(kind).iter().any(|allocated| pointer.starts_with(allocated)) {
        return false;
    }
    match path.as_slice() {
        ["metadata", "labels" | "annotations", _, ..] => true,
        ["apiVersion" | "kind" | "status" | "metadata", ..] => false,
        _ => true,
    }
}

/// Paths of all values, leaves and containers, that are ours.
fn places(kind: Kind, object: &Value) -> Vec<Vec<String>> {
    fn walk(value: &Value, at: &[String], found: &mut Vec<Vec<String>>) {
        found.push(at.to_vec());
        let children: Vec<(String, &Value)> = match value {
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
            Value::Array(list) => list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
            _ => Vec::new(),
        };
        for (key, child) in children {
            walk(child, &[at, &[key]].concat(), found);
        }
    }
    let mut found = Vec::new();
    walk(object, &[], &mut found);
    found.retain(|path| !path.is_empty() && is_ours(kind, path));
    found
}

fn at<'a>(object: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(object, |value, key| match value {
        Value::Array(list) => &mut list[key.parse::<usize>().expect("an index")],
        other => &mut other[key.as_str()],
    })
}

fn remove(object: &mut Value, path: &[String]) {
    let (last, above) = path.split_last().expect("a path");
    match at(object, above) {
        Value::Array(items) => drop(items.remove(last.parse().expect("an index"))),
        Value::Object(map) => drop(map.remove(last)),
        _ => {}
    }
}

fn changed(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(format!("{text}x")),
        Value::Number(number) => json!(number.as_f64().map_or(1.0, |number| number + 1.0)),
        Value::Bool(flag) => json!(!flag),
        Value::Null => json!("x"),
        Value::Array(_) => json!({}),
        Value::Object(_) => json!([]),
    }
}

/// Every difference of one place, by name.
fn differences(object: &Value, path: &[String]) -> Vec<(&'static str, Value)> {
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut object = object.clone();
        edit(at(&mut object, path));
        object
    };
    let mut all = vec![("changed", edited(&|value| *value = changed(value)))];
    let mut without = object.clone();
    remove(&mut without, path);
    all.push(("removed", without));
    all.push(("null", edited(&|value| *value = Value::Null)));
    match at(&mut object.clone(), path) {
        Value::Object(_) => {
            for (name, added) in [("added", json!("x")), ("added {}", json!({})), ("added []", json!([]))] {
                all.push((name, edited(&|value| value["openclaw.io/foreign"] = added.clone())));
            }
        }
        Value::Array(_) => {
            for (name, added) in [("item", json!("x")), ("item {}", json!({})), ("item null", Value::Null)] {
                all.push((name, edited(&|value| value.as_array_mut().expect("a list").push(added.clone()))));
            }
            all.push((
                "doubled",
                edited(&|value| {
                    let list = value.as_array_mut().expect("a list");
                    list.extend(list.first().cloned());
                }),
            ));
        }
        _ => {}
    }
    all.retain(|(_, other)| other != object);
    all
}

#[test]
fn any_leaf_added_changed_or_removed_anywhere_is_seen() {
    let mut tried = 0;
    for (kind, object) in wanted() {
        let hash = ContentHash::of_object(kind, &object);
        for path in places(kind, &object) {
            for (name, other) in differences(&object, &path) {
                assert_ne!(ContentHash::of_object(kind, &other), hash, "{kind:?} {name} at /{}", path.join("/"));
                tried += 1;
            }
        }
    }
    assert!(tried > 1500, "only {tried} differences were tried");
}

#[test]
fn an_empty_egress_rule_which_opens_everything_is_seen() {
    let (kind, mut policy) = wanted().into_iter().rfind(|(kind, _)| *kind == Kind::NetworkPolicy).expect("a policy");
    let hash = ContentHash::of_object(kind, &policy);
    policy["spec"]["egress"].as_array_mut().expect("rules").push(json!({}));
    assert_ne!(ContentHash::of_object(kind, &policy), hash);
}

#[test]
fn a_label_or_annotation_of_ours_that_is_added_changed_or_removed_is_seen() {
    for (kind, object) in wanted() {
        let hash = ContentHash::of_object(kind, &object);
        for (field, key) in [
            ("labels", "openclaw.io/x"),
            ("labels", "app.kubernetes.io/part-of"),
            ("labels", "pod-security.kubernetes.io/enforce-version"),
            ("annotations", "openclaw.io/x"),
        ] {
            let mut other = object.clone();
            other["metadata"][field][key] = json!("x");
            assert_ne!(ContentHash::of_object(kind, &other), hash, "{kind:?} {field} {key}");
        }
        let mut owned = object.clone();
        owned["metadata"]["ownerReferences"] = json!([{ "kind": "ConfigMap", "name": "x", "uid": "y" }]);
        assert_ne!(ContentHash::of_object(kind, &owned), hash, "a foreign owner could have {kind:?} collected");
    }
}

/// What the server, its controllers and other people add.
fn as_stored(kind: Kind, object: &Value) -> Value {
    let mut stored = object.clone();
    for (field, value) in [
        ("uid", json!("6f1c2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b")),
        ("resourceVersion", json!("4711")),
        ("generation", json!(3)),
        ("creationTimestamp", json!("2026-01-02T03:04:05Z")),
        ("managedFields", json!([{ "manager": "x", "operation": "Apply" }])),
        ("finalizers", json!(["kubernetes.io/pvc-protection"])),
    ] {
        stored["metadata"][field] = value;
    }
    stored["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!("x");
    stored["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = json!("yes");
    stored["metadata"]["annotations"]["openclaw.io/adopt-by"] = json!("alice");
    stored["status"] = json!({ "phase": "Bound", "replicas": 1 });
    for pointer in allocated_fields(kind) {
        let path: Vec<String> = pointer.trim_start_matches('/').split('/').map(str::to_owned).collect();
        let (last, parent) = path.split_last().expect("a path");
        at(&mut stored, parent)[last.as_str()] = json!(["allocated"]);
    }
    if kind == Kind::StatefulSet {
        stored["spec"]["template"]["metadata"]["creationTimestamp"] = Value::Null;
    }
    stored
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let pairs: Vec<(String, Value)> = map.iter().map(|(key, value)| (key.clone(), reversed(value))).collect();
            Value::Object(pairs.into_iter().rev().collect::<Map<String, Value>>())
        }
        Value::Array(list) => Value::Array(list.iter().map(reversed).collect()),
        other => other.clone(),
    }
}

#[test]
fn what_is_somebody_else_s_is_not_drift() {
    for (kind, object) in wanted() {
        let hash = ContentHash::of_object(kind, &object);
        assert_eq!(ContentHash::of_object(kind, &as_stored(kind, &object)), hash, "{kind:?}");
        assert_eq!(ContentHash::of_object(kind, &reversed(&object)), hash, "{kind:?}: the order of keys");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9/.-]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::btree_map("[a-zA-Z]{1,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_put_anywhere_is_seen(place in any::<(Index, Index)>(), value in json_value(), key in "[a-zA-Z]{1,6}") {
        let all = wanted();
        let (kind, object) = place.0.get(&all);
        let places = places(*kind, object);
        let path = place.1.get(&places);
        let mut other = object.clone();
        match at(&mut other, path) {
            Value::Object(map) if path[0] != "metadata" && !map.contains_key(&key) => drop(map.insert(key, value)),
            Value::Array(list) => list.push(value),
            leaf => *leaf = value,
        }
        let same = other == *object;
        prop_assert_eq!(ContentHash::of_object(*kind, &other) == ContentHash::of_object(*kind, object), same);
    }

    #[test]
    fn two_values_have_one_hash_only_if_they_are_equal(left in json_value(), right in json_value()) {
        let same = left == right;
        prop_assert_eq!(ContentHash::of_value(&left) == ContentHash::of_value(&right), same);
    }
}

/// Policies add up: one of somebody else's that lets anything pass is named, whatever labels it carries, and is nobody's here to
/// delete.
#[test]
fn a_policy_of_others_that_lets_more_pass_is_named() {
    for labels in [json!({}), json!({ "openclaw.io/managed": "true", "openclaw.io/tenant": "alice" })] {
        let mut world = settled();
        let mut put = |name: &str, spec: Value| {
            let metadata = json!({ "name": name, "namespace": "openclaw-alice", "labels": labels });
            let policy = world.born(json!({ "metadata": metadata, "spec": spec }));
            world
                .children
                .get_mut(&Kind::NetworkPolicy)
                .expect("policies")
                .insert(format!("openclaw-alice/{name}"), policy);
        };
        put("denies", json!({ "podSelector": {}, "policyTypes": ["Egress"] }));
        put("opens", json!({ "podSelector": {}, "egress": [{}], "policyTypes": ["Egress"] }));
        world.settle();
        let network = |world: &mut World| {
            let status = world.status().expect("told");
            let told = status.condition("NetworkReady").expect("NetworkReady");
            (told.reason.clone(), told.message.clone())
        };
        let (reason, message) = network(&mut world);
        assert!(reason == "ForeignPolicy" && message.contains(": NetworkPolicy opens. "), "{reason}: {message}");
        assert_eq!(world.ready(), (true, "Verified".into()), "a person may mean it");
        assert_eq!(world.children[&Kind::NetworkPolicy].len(), 4, "nothing of others is touched");
        world.children.get_mut(&Kind::NetworkPolicy).expect("policies").remove("openclaw-alice/opens");
        world.settle();
        assert_eq!(network(&mut world).0, "Verified");
    }
}
