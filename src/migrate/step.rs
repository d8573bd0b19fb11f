//! PURE: one step of the preparation: which object, and what is to be changed in it.

use std::fmt;

use serde_json::{Value, json};

use super::{
    observed::{APPLICATION, APPLICATION_SET},
    preparation::{self, Change},
};
use crate::{
    api::labels,
    kubernetes::definitions,
    tenant::{child::KindInfo, views},
};

/// What is changed on the old side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OldKind {
    /// Argo CD's ApplicationSet.
    ApplicationSet,
    /// Argo CD's Application.
    Application,
    /// A tenant's namespace, which consents to be adopted.
    Namespace,
}

impl OldKind {
    /// What the API calls it.
    pub const fn info(self) -> KindInfo {
        match self {
            Self::ApplicationSet => APPLICATION_SET,
            Self::Application => APPLICATION,
            Self::Namespace => definitions::NAMESPACE,
        }
    }
}

/// One object of the old side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OldObject {
    /// Its kind.
    pub kind: OldKind,
    /// Its namespace, where it has one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl OldObject {
    /// This very object.
    pub fn of(kind: OldKind, object: &Value) -> Self {
        let namespace = object["metadata"]["namespace"].as_str().map(str::to_owned);
        Self { kind, namespace, name: views::name(object).to_owned() }
    }
}

impl fmt::Display for OldObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind.info().kind, self.name),
            None => write!(f, "{} {}", self.kind.info().kind, self.name),
        }
    }
}

/// One change that is still to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// To what.
    pub object: OldObject,
    /// What.
    pub change: Change,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.change)
    }
}

impl Step {
    /// As JSON, for programs.
    pub fn json(&self) -> Value {
        let OldObject { kind, namespace, name } = &self.object;
        json!({ "kind": kind.info().kind, "namespace": namespace, "name": name, "change": self.change.to_string() })
    }

    /// All changes to one object.
    pub fn all(kind: OldKind, object: &Value, changes: Vec<Change>) -> Vec<Self> {
        let object = OldObject::of(kind, object);
        changes.into_iter().map(|change| Self { object: object.clone(), change }).collect()
    }
}

/// Why this state of an object must not be changed: what was planned was planned for another one.
///
/// # Errors
/// What has happened in between.
pub fn still_holds(kind: OldKind, live: &Value, planned: &[Change]) -> Result<(), String> {
    let metadata = &live["metadata"];
    if kind != OldKind::Namespace {
        // What keeps things from cascading is right in every state.
        return Ok(());
    }
    if !metadata["deletionTimestamp"].is_null() {
        return Err("it is being deleted by now: nothing was changed".to_owned());
    }
    let promised = metadata["annotations"].get(labels::ADOPT_BY).and_then(Value::as_str);
    let is_planned = |tenant: &str| planned.contains(&Change::Consent(tenant.to_owned()));
    match promised.filter(|tenant| !is_planned(tenant)) {
        Some(other) => Err(format!("it has consented to be adopted by {other} in between: nothing was changed")),
        None => Ok(()),
    }
}

/// What this state of an object still lacks of what was planned; what is done already is left out.
pub fn remaining(kind: OldKind, live: &Value, planned: &[Change]) -> Vec<Change> {
    match kind {
        OldKind::ApplicationSet => preparation::of_set(live),
        OldKind::Application => preparation::of_application(live),
        OldKind::Namespace => planned
            .iter()
            .flat_map(|change| match change {
                Change::Consent(tenant) => preparation::of_namespace(live, tenant),
                Change::Preserve
                | Change::TemplateFinalizers(_)
                | Change::TemplatePrune
                | Change::Finalizers(_)
                | Change::Prune => Vec::new(),
            })
            .collect(),
    }
}
