//! What of an object is compared, and a hash of that.
//!
//! PURE. What is wanted and what is live go through the same reduction, so that they are equal or different, never "contained".

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{api::labels, tenant::child::Kind};

/// Hash of an object's normalised content: equal hashes mean that nothing differs that is ours to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 16]);

impl ContentHash {
    /// The hash in hex, for messages and the record.
    pub fn to_hex(self) -> String {
        crate::api::names::hex(&self.0)
    }

    /// Hash of any JSON value, independent of the order of its keys.
    pub fn of_value(value: &Value) -> Self {
        Self::fed(|hasher| feed(hasher, value))
    }

    /// Hash of an object's normalised content.
    pub fn of_object(kind: Kind, object: &Value) -> Self {
        Self::of_reduced(&reduced(kind, object))
    }

    pub(super) fn of_reduced(content: &Reduced<'_>) -> Self {
        Self::fed(|hasher| feed_fields(hasher, content.iter().map(|(field, value)| (*field, value.as_ref()))))
    }

    fn fed(feed: impl FnOnce(&mut Sha256)) -> Self {
        let mut hasher = Sha256::new();
        feed(&mut hasher);
        let mut short = [0; 16];
        short.copy_from_slice(&hasher.finalize()[..16]);
        Self(short)
    }
}

/// Feeds a value in a form in which no two different values read alike: every item is preceded by its type and length.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => item(hasher, b'n', &[]),
        Value::Bool(b) => item(hasher, b'b', &[u8::from(*b)]),
        Value::Number(n) => item(hasher, b'd', n.to_string().as_bytes()),
        Value::String(s) => item(hasher, b's', s.as_bytes()),
        Value::Array(list) => {
            item(hasher, b'a', &(list.len() as u64).to_le_bytes());
            for item in list {
                feed(hasher, item);
            }
        }
        Value::Object(map) if map.keys().is_sorted() => {
            feed_fields(hasher, map.iter().map(|(key, value)| (key.as_str(), value)));
        }
        Value::Object(map) => {
            let fields: BTreeMap<&str, &Value> = map.iter().map(|(key, value)| (key.as_str(), value)).collect();
            feed_fields(hasher, fields.into_iter());
        }
    }
}

/// Feeds an object's fields, in the order of their names.
fn feed_fields<'a>(hasher: &mut Sha256, fields: impl ExactSizeIterator<Item = (&'a str, &'a Value)>) {
    item(hasher, b'o', &(fields.len() as u64).to_le_bytes());
    for (key, value) in fields {
        hasher.update((key.len() as u64).to_le_bytes());
        hasher.update(key.as_bytes());
        feed(hasher, value);
    }
}

fn item(hasher: &mut Sha256, tag: u8, bytes: &[u8]) {
    hasher.update([tag]);
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Reduces an object to what the operator decides about: all of it but status, what the server allocates, and
/// metadata of others.
pub fn normalise(kind: Kind, object: &Value) -> Value {
    let content = reduced(kind, object).into_iter();
    Value::Object(content.map(|(field, value)| (field.to_owned(), value.into_owned())).collect())
}

/// The same, with everything borrowed that is as it stands: objects are hashed far more often than they are looked into.
pub(super) type Reduced<'a> = BTreeMap<&'a str, Cow<'a, Value>>;

pub(super) fn reduced(kind: Kind, object: &Value) -> Reduced<'_> {
    let fields = object.as_object().into_iter().flatten();
    let is_compared = |field: &str| !["apiVersion", "kind", "status", "metadata"].contains(&field);
    let mut content: Reduced<'_> = fields
        .filter(|(field, _)| is_compared(field))
        .map(|(field, value)| (field.as_str(), Cow::Borrowed(value)))
        .collect();
    content.insert("metadata", Cow::Owned(our_metadata(&object["metadata"])));
    strip_allocated(kind, &mut content);
    content
}

/// Labels and annotations in our domains, and owner references: a foreign owner could have our object collected.
fn our_metadata(metadata: &Value) -> Value {
    let mut ours = Map::new();
    ours.insert("labels".into(), filtered(metadata.get("labels"), is_our_label));
    ours.insert("annotations".into(), filtered(metadata.get("annotations"), is_our_annotation));
    let owners = metadata.get("ownerReferences").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    ours.insert("ownerReferences".into(), owners);
    Value::Object(ours)
}

fn filtered(map: Option<&Value>, keep: fn(&str) -> bool) -> Value {
    let kept = map.and_then(Value::as_object).into_iter().flatten().filter(|(key, _)| keep(key));
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// Whether a label is the operator's to decide about.
pub fn is_our_label(key: &str) -> bool {
    ["openclaw.io/", "app.kubernetes.io/", "pod-security.kubernetes.io/"].iter().any(|domain| key.starts_with(domain))
}

/// Whether an annotation is the operator's to decide about. Consent to adoption is the owner's of the foreign thing.
pub fn is_our_annotation(key: &str) -> bool {
    key.starts_with("openclaw.io/") && key != labels::ADOPT_BY
}

/// What the API server or a controller fills in for each object anew, as JSON pointers of at most two steps.
pub fn allocated_fields(kind: Kind) -> &'static [&'static str] {
    match kind {
        // The namespace controller's own finalizer.
        Kind::Namespace => &["/spec/finalizers"],
        // Which volume a claim is bound to is compared with the record, not with the rendering.
        Kind::PersistentVolumeClaim => &["/spec/volumeName"],
        Kind::Service => &["/spec/clusterIP", "/spec/clusterIPs", "/spec/ipFamilies", "/spec/ipFamilyPolicy"],
        // Token controllers of old clusters list their Secrets here.
        Kind::ServiceAccount => &["/secrets"],
        Kind::ResourceQuota
        | Kind::LimitRange
        | Kind::NetworkPolicy
        | Kind::PodDisruptionBudget
        | Kind::ConfigMap
        | Kind::StatefulSet
        | Kind::HttpRoute
        | Kind::CiliumNetworkPolicy
        | Kind::ScaledObject
        | Kind::InterceptorRoute
        | Kind::ReferenceGrant
        | Kind::TargetGroupConfiguration
        | Kind::RoleBinding
        | Kind::ClusterRole
        | Kind::ClusterRoleBinding => &[],
    }
}

fn strip_allocated(kind: Kind, content: &mut Reduced<'_>) {
    for pointer in allocated_fields(kind) {
        let mut path = pointer.trim_start_matches('/').split('/');
        match (path.next(), path.next()) {
            (Some(field), None) => {
                content.remove(field);
            }
            (Some(parent), Some(field)) => {
                if let Some(parent) = content.get_mut(parent).filter(|parent| parent.get(field).is_some())
                    && let Some(parent) = parent.to_mut().as_object_mut()
                {
                    parent.remove(field);
                }
            }
            (None, _) => {}
        }
    }
    let is_empty = |spec: &Cow<'_, Value>| spec.as_object().is_some_and(Map::is_empty);
    if kind == Kind::Namespace && content.get("spec").is_some_and(is_empty) {
        content.remove("spec");
    }
    if kind == Kind::StatefulSet {
        strip_unset_time(content);
    }
}

/// Older servers render an unset time in the metadata of a template.
fn strip_unset_time(content: &mut Reduced<'_>) {
    let is_unset = |spec: &Value| spec.pointer("/template/metadata/creationTimestamp").is_some_and(Value::is_null);
    if let Some(spec) = content.get_mut("spec").filter(|spec| is_unset(spec))
        && let Some(metadata) = spec.to_mut().pointer_mut("/template/metadata").and_then(Value::as_object_mut)
    {
        metadata.remove("creationTimestamp");
    }
}
