//! One document: is it ours, and does its form hold?
//!
//! PURE.

use serde_json::{Map, Value};

use super::{
    documents::Document,
    hints::{instead, nearest},
    report::{Finding, Place},
    rules,
    schema::{self, Problem},
};
use crate::api::{class::TenantClassSpec, labels::GROUP, tenant::TenantSpec};

/// The version of our kinds that this program knows.
const VERSION: &str = "v1alpha1";

/// Which of our kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// TenantClass.
    Class,
    /// Tenant.
    Tenant,
}

impl Kind {
    /// What the API calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Class => "TenantClass",
            Self::Tenant => "Tenant",
        }
    }
}

/// A document of a kind of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Where it stands.
    pub place: Place,
    /// Its kind.
    pub kind: Kind,
    /// Its name; empty where it has none.
    pub name: String,
    /// What it says, with the defaults that the API server puts in.
    pub object: Value,
    /// What it says itself.
    pub written: Value,
}

/// What a document turned out to be.
pub enum Sorted {
    /// Something of ours, with what is wrong with its form.
    Ours(Box<Manifest>, Vec<Finding>),
    /// Something of ours that nobody applies.
    Refused(Finding),
    /// Somebody else's.
    Other,
}

/// Fields of every object's metadata (Kubernetes API, ObjectMeta).
const METADATA: [&str; 15] = [
    "name",
    "labels",
    "annotations",
    "finalizers",
    "generateName",
    "namespace",
    "ownerReferences",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Finds out what a document is.
pub fn sort(document: Document) -> Sorted {
    let Document { place, object } = document;
    let (group, version) = object["apiVersion"].as_str().and_then(|it| it.split_once('/')).unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    let ours = match kind {
        "Tenant" => Some(Kind::Tenant),
        "TenantClass" => Some(Kind::Class),
        _ => None,
    };
    if group != GROUP {
        let is_meant = ours.is_some() && nearest(group, [GROUP]).is_some();
        let message = || format!("apiVersion {group}/{version} is nobody's: did you mean {GROUP}/{VERSION}?");
        return if is_meant { Sorted::Refused(Finding::error(place, message())) } else { Sorted::Other };
    }
    let refused = |message: String| Sorted::Refused(Finding::error(place.clone(), message));
    let Some(kind) = ours else {
        if kind == "TenantRecord" {
            return refused("a TenantRecord is written by the operator alone: take it away".to_owned());
        }
        return refused(format!("kind {kind:?} is not known; {}", instead(kind, ["Tenant", "TenantClass"])));
    };
    if version != VERSION {
        return refused(format!("this program knows {GROUP}/{VERSION} and not {GROUP}/{version}"));
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut manifest = Manifest { place, kind, name, object: object.clone(), written: object };
    let problems = form(&mut manifest);
    let findings = problems.into_iter().map(|problem| manifest.finding(problem)).collect();
    Sorted::Ours(Box::new(manifest), findings)
}

impl Manifest {
    /// An error of this manifest.
    pub fn finding(&self, problem: Problem) -> Finding {
        let object = Some((self.kind.as_str().to_owned(), self.name.clone()));
        Finding { object, path: problem.path, ..Finding::error(self.place.clone(), problem.message) }
    }
}

/// What is wrong with its form: each step stands on the one before.
fn form(manifest: &mut Manifest) -> Vec<Problem> {
    let Some(schema) = schema::of(manifest.kind.as_str()) else { return Vec::new() };
    let spec = &schema["properties"]["spec"];
    let mut found = around(&manifest.object);
    schema::fill(spec, &mut manifest.object["spec"]);
    found.extend(schema::problems(spec, &manifest.object["spec"], "spec"));
    if found.is_empty() {
        found = rules::broken(&schema, &manifest.object, "");
    }
    if found.is_empty() {
        let spec = manifest.object["spec"].clone();
        let read = match manifest.kind {
            Kind::Tenant => serde_json::from_value::<TenantSpec>(spec).map(|_| ()),
            Kind::Class => serde_json::from_value::<TenantClassSpec>(spec).map(|_| ()),
        };
        found.extend(read.err().map(|error| Problem::new(&"spec", error.to_string())));
    }
    found
}

/// What stands around the spec.
fn around(object: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    let fields = object.as_object().into_iter().flat_map(Map::keys);
    let known = ["apiVersion", "kind", "metadata", "spec", "status"];
    for field in fields.filter(|field| !known.contains(&field.as_str())) {
        found.push(Problem::new(field, format!("there is no such field; {}", instead(field, known))));
    }
    let metadata = &object["metadata"];
    for field in metadata.as_object().into_iter().flat_map(Map::keys) {
        if !METADATA.contains(&field.as_str()) {
            let known = METADATA.into_iter().take(3);
            let message = format!("there is no such field; {}", instead(field, known));
            found.push(Problem::new(&format!("metadata.{field}"), message));
        }
    }
    if !metadata["name"].is_string() {
        found.push(Problem::new(&"metadata.name", "is missing"));
    }
    for field in ["labels", "annotations"] {
        for (key, value) in metadata[field].as_object().into_iter().flatten().filter(|(_, value)| !value.is_string()) {
            let message = format!("{value} is no text: put it in quotes");
            found.push(Problem::new(&format!("metadata.{field}[{key}]"), message));
        }
    }
    if object["spec"].is_null() {
        found.push(Problem::new(&"spec", "is missing"));
    }
    found
}
