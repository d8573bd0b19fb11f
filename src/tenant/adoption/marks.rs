//! Our marks on what is being adopted, and nothing else of it.
//!
//! PURE.

use std::collections::BTreeMap;

use litemap::LiteMap;
use serde_json::Value;
use smol_str::SmolStr;

use super::super::{
    action::{Action, Precondition},
    child::Child,
    desired,
    digest::{Digest, NamespaceFacts},
    observed::Observed,
    ownership::namespace_facts,
};
use crate::api::{labels, names::TenantName, record::TenantRecordSpec};

/// Labels and annotations to be set, or with `None` to be taken off. All others stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Labels.
    pub labels: BTreeMap<String, Option<String>>,
    /// Annotations.
    pub annotations: BTreeMap<String, Option<String>>,
}

/// Annotations of the mirror that are not always there.
const PASSING: [&str; 6] = [
    labels::PURGE_AFTER,
    labels::ROTATION_ORDER,
    labels::HANDED_OVER,
    labels::CLAIM,
    labels::ADOPTION,
    labels::FORMER_LABELS,
];

/// Labels by which the watches see what is attached, and decisions know whose it is.
fn own_labels(tenant: &TenantName) -> BTreeMap<String, String> {
    BTreeMap::from([(labels::MANAGED.into(), "true".into()), (labels::TENANT.into(), tenant.to_string())])
}

/// Labels of a namespace that the operator replaces when it builds it.
pub(super) fn replaced(facts: &NamespaceFacts) -> BTreeMap<String, String> {
    let is_mark = |key: &str| key == labels::MANAGED || key == labels::TENANT;
    facts
        .labels
        .iter()
        .filter(|(key, _)| !is_mark(key))
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

/// What is missing of our marks on the namespace; `None` where nothing is. Foreign labels are nobody's business here, so that
/// two tools do not fight.
pub(super) fn on_namespace(observed: &Observed, record: &TenantRecordSpec) -> Option<Action> {
    mark_namespace(observed, record, own_labels(&observed.name))
}

/// The same with the labels put back that the namespace had before, in place of ours.
pub(super) fn put_back(observed: &Observed, record: &TenantRecordSpec) -> Option<Action> {
    let former = record.adoption.as_ref().map(|adoption| adoption.namespace_labels.clone()).unwrap_or_default();
    let mut wanted = former;
    wanted.extend(own_labels(&observed.name));
    let live = observed.namespace.as_deref()?;
    let facts = namespace_facts(live);
    let surplus = facts.labels.keys().filter(|key| !wanted.contains_key(key.as_str()));
    let surplus: Vec<String> = surplus.map(ToString::to_string).collect();
    let mut marks = mark_namespace(observed, record, wanted);
    if !surplus.is_empty() {
        let action = marks.get_or_insert_with(|| Action::Mark {
            child: Child::Namespace,
            precondition: precondition(live),
            marks: Marks::default(),
        });
        if let Action::Mark { marks, .. } = action {
            marks.labels.extend(surplus.into_iter().map(|key| (key, None)));
        }
    }
    marks
}

fn mark_namespace(observed: &Observed, record: &TenantRecordSpec, wanted: BTreeMap<String, String>) -> Option<Action> {
    let live = observed.namespace.as_deref()?;
    let facts = namespace_facts(live);
    let mirror: BTreeMap<String, String> = desired::mirror(&observed.name, record)
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.as_str().map(str::to_owned)?)))
        .collect();
    let passed = PASSING.iter().filter(|key| facts.annotations.contains_key(**key) && !mirror.contains_key(**key));
    let passed: Vec<(String, Option<String>)> = passed.map(|key| ((*key).to_owned(), None)).collect();
    let mut marks = Marks { labels: missing(wanted, &facts.labels), annotations: missing(mirror, &facts.annotations) };
    marks.annotations.extend(passed);
    (marks != Marks::default()).then(|| Action::Mark {
        child: Child::Namespace,
        precondition: precondition(live),
        marks,
    })
}

fn missing(wanted: BTreeMap<String, String>, actual: &LiteMap<SmolStr, SmolStr>) -> BTreeMap<String, Option<String>> {
    let is_missing = |(key, value): &(String, String)| actual.get(key.as_str()).is_none_or(|actual| actual != value);
    wanted.into_iter().filter(is_missing).map(|(key, value)| (key, Some(value))).collect()
}

/// Marks a claim.
pub(super) fn on_claim(tenant: &TenantName, precondition: Precondition) -> Action {
    let labels = own_labels(tenant).into_iter().map(|(key, value)| (key, Some(value))).collect();
    Action::Mark { child: Child::Claim, precondition, marks: Marks { labels, annotations: BTreeMap::new() } }
}

fn precondition(live: &Digest) -> Precondition {
    Precondition::of(&live.uid, &live.resource_version)
}

/// As a merge patch of the object's metadata; what is to be taken off is null.
pub fn as_patch(marks: &Marks) -> Value {
    let map = |of: &BTreeMap<String, Option<String>>| {
        of.iter().map(|(key, value)| (key.clone(), value.clone().map_or(Value::Null, Value::String))).collect()
    };
    let mut patch = serde_json::Map::new();
    for (field, of) in [("labels", &marks.labels), ("annotations", &marks.annotations)] {
        if !of.is_empty() {
            patch.insert(field.to_owned(), Value::Object(map(of)));
        }
    }
    Value::Object(patch)
}
