//! A live object with everything that is ours to decide replaced by what is wanted.
//!
//! PURE.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    child::Kind,
    digest::{ContentHash, allocated_fields, is_our_annotation, is_our_label, normalise},
    observed::Rendering,
};

/// What to send so that the live object becomes the wanted one: foreign metadata and what the server allocates stay.
pub fn replacement(kind: Kind, live: &Value, wanted: &Value) -> Value {
    let mut object = live.as_object().cloned().unwrap_or_default();
    object.retain(|field, _| ["apiVersion", "kind", "metadata", "status"].contains(&field.as_str()));
    for (field, value) in wanted.as_object().into_iter().flatten() {
        if field != "metadata" {
            object.insert(field.clone(), value.clone());
        }
    }
    carry_allocated(kind, live, &mut object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("ownerReferences");
        merge(metadata, "labels", &wanted["metadata"]["labels"], is_our_label);
        merge(metadata, "annotations", &wanted["metadata"]["annotations"], is_our_annotation);
    }
    Value::Object(object)
}

/// What is wanted, with the live pod template where none is given: a template that waits at the roll-out gate leaves the
/// former one in place.
pub fn completed(kind: Kind, live: &Value, wanted: &Value) -> Value {
    let mut wanted = wanted.clone();
    if kind == Kind::StatefulSet
        && let (Some(spec), Some(template)) = (wanted["spec"].as_object_mut(), live.pointer("/spec/template"))
    {
        spec.entry("template").or_insert_with(|| template.clone());
    }
    wanted
}

fn carry_allocated(kind: Kind, live: &Value, object: &mut Map<String, Value>) {
    for pointer in allocated_fields(kind) {
        let Some(value) = live.pointer(pointer) else { continue };
        let mut path = pointer.trim_start_matches('/').split('/');
        let (Some(head), tail) = (path.next(), path.next()) else { continue };
        match tail {
            None => {
                object.insert(head.to_owned(), value.clone());
            }
            Some(field) => {
                let parent = object.entry(head).or_insert_with(|| Value::Object(Map::new()));
                if let Some(parent) = parent.as_object_mut() {
                    parent.entry(field).or_insert_with(|| value.clone());
                }
            }
        }
    }
}

fn merge(metadata: &mut Map<String, Value>, field: &str, wanted: &Value, ours: fn(&str) -> bool) {
    let mut merged = metadata.get(field).and_then(Value::as_object).cloned().unwrap_or_default();
    merged.retain(|key, _| !ours(key));
    merged.extend(wanted.as_object().cloned().unwrap_or_default());
    metadata.insert(field.to_owned(), Value::Object(merged));
}

/// What is learned when the server answers a replacement with something else than was sent.
pub fn rendering(kind: Kind, wanted: &Value, answer: &Value, now: Timestamp) -> Rendering {
    let (wanted, answer) = (normalise(kind, wanted), normalise(kind, answer));
    let mut differs_at = Vec::new();
    differences(&wanted, &answer, String::new(), &mut differs_at);
    let opens = differs_at.iter().any(|pointer| opens_a_door(kind, pointer));
    differs_at.truncate(10);
    Rendering {
        wanted: ContentHash::of_value(&wanted),
        answer: ContentHash::of_value(&answer),
        differs_at,
        opens,
        learned_at: now,
    }
}

fn differences(left: &Value, right: &Value, at: String, found: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
            for key in keys {
                let (left, right) = (left.get(key).unwrap_or(&Value::Null), right.get(key).unwrap_or(&Value::Null));
                differences(left, right, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                differences(left, right, format!("{at}/{index}"), found);
            }
        }
        (left, right) if left == right => {}
        _ => found.push(at),
    }
}

/// Whether a difference there could open a door: in who may talk to whom, who the workspace is, how it is shut in, or
/// what runs beside it.
fn opens_a_door(kind: Kind, pointer: &str) -> bool {
    match kind {
        Kind::NetworkPolicy
        | Kind::CiliumNetworkPolicy
        | Kind::ServiceAccount
        | Kind::HttpRoute
        | Kind::InterceptorRoute
        | Kind::ReferenceGrant
        | Kind::RoleBinding
        | Kind::ClusterRole
        | Kind::ClusterRoleBinding
        | Kind::ResourceQuota => true,
        Kind::Namespace => pointer.contains("pod-security.kubernetes.io"),
        Kind::StatefulSet => {
            let harmless =
                ["/resources", "/nodeSelector", "/tolerations", "/affinity", "/topologySpreadConstraints", "/priority"];
            let in_template = pointer.starts_with("/spec/template/spec");
            in_template && !harmless.iter().any(|field| pointer.contains(field))
        }
        Kind::LimitRange
        | Kind::PodDisruptionBudget
        | Kind::PersistentVolumeClaim
        | Kind::ConfigMap
        | Kind::ScaledObject
        | Kind::TargetGroupConfiguration
        | Kind::Service => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(egress: &Value) -> Value {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "name": "alice", "labels": { "openclaw.io/managed": "true" } },
            "spec": { "podSelector": {}, "policyTypes": ["Egress"], "egress": egress },
        })
    }

    #[test]
    fn a_replacement_is_the_wanted_content_with_foreign_metadata_kept() {
        let wanted = policy(&json!([]));
        let mut live = policy(&json!([{}]));
        live["metadata"]["labels"]["team"] = json!("blue");
        live["metadata"]["labels"]["openclaw.io/stray"] = json!("x");
        live["metadata"]["resourceVersion"] = json!("7");
        live["metadata"]["ownerReferences"] = json!([{ "name": "somebody" }]);
        let sent = replacement(Kind::NetworkPolicy, &live, &wanted);
        assert_eq!(normalise(Kind::NetworkPolicy, &sent), normalise(Kind::NetworkPolicy, &wanted));
        assert_eq!(sent["metadata"]["labels"], json!({ "openclaw.io/managed": "true", "team": "blue" }));
        assert_eq!(sent["metadata"]["resourceVersion"], "7");
    }

    #[test]
    fn what_the_server_allocated_is_carried_over() {
        let wanted = json!({ "kind": "Service", "metadata": {}, "spec": { "type": "ClusterIP" } });
        let live =
            json!({ "kind": "Service", "metadata": {}, "spec": { "type": "NodePort", "clusterIP": "10.0.0.1" } });
        let sent = replacement(Kind::Service, &live, &wanted);
        assert_eq!(sent["spec"], json!({ "type": "ClusterIP", "clusterIP": "10.0.0.1" }));
    }

    #[test]
    fn a_changed_policy_opens_a_door_and_changed_resources_do_not() {
        let changed = rendering(Kind::NetworkPolicy, &policy(&json!([])), &policy(&json!([{}])), Timestamp::UNIX_EPOCH);
        assert_eq!((changed.differs_at, changed.opens), (vec!["/spec/egress".to_owned()], true));
        let set = |cpu: &str, image: &str| json!({ "spec": { "template": { "spec": { "containers": [{ "image": image, "resources": { "requests": { "cpu": cpu } } }] } } } });
        assert!(!rendering(Kind::StatefulSet, &set("1", "a"), &set("2", "a"), Timestamp::UNIX_EPOCH).opens);
        assert!(rendering(Kind::StatefulSet, &set("1", "a"), &set("1", "b"), Timestamp::UNIX_EPOCH).opens);
    }
}
