//! One tenant with everything that it has, as it was seen.
//!
//! PURE.

use jiff::Timestamp;
use serde_json::Value;

use super::cloud::CloudSight;
use crate::{
    api::record::{RecordPhase, TenantRecordSpec},
    tenant::child::{Child, Kind, ObjectKey, WhenAccessEnds},
};

/// What a look found.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen<T> {
    /// It is there.
    There(T),
    /// It is not there.
    Missing,
    /// It could not be seen.
    Unseen(String),
}

impl<T> Seen<T> {
    /// What is there.
    pub const fn there(&self) -> Option<&T> {
        match self {
            Self::There(it) => Some(it),
            Self::Missing | Self::Unseen(_) => None,
        }
    }
}

/// One object of a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Which of its children.
    pub child: Child,
    /// Where it is.
    pub key: ObjectKey,
    /// What was found; of kinds with nothing to tell but that they are there, only the metadata.
    pub seen: Seen<Value>,
    /// Whether it has to be there.
    pub wanted: bool,
}

/// One tenant with everything that it has.
#[derive(Clone, Debug, PartialEq)]
pub struct One {
    /// Its name.
    pub name: String,
    /// When it was looked.
    pub now: Timestamp,
    /// The Tenant.
    pub tenant: Seen<Value>,
    /// The record.
    pub record: Seen<Value>,
    /// Its objects, in the order in which they are made.
    pub objects: Vec<Object>,
    /// The PersistentVolume.
    pub volume: Option<(String, Seen<Value>)>,
    /// Its pods.
    pub pods: Seen<Vec<Value>>,
    /// What AWS says; `None` where it was not asked.
    pub cloud: Option<CloudSight>,
}

/// How an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is there.
    Present,
    /// It is there, and on its way out.
    Deleting,
    /// It is not there.
    Missing,
    /// It could not be seen.
    Unseen,
}

impl State {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Deleting => "being deleted",
            Self::Missing => "missing",
            Self::Unseen => "not seen",
        }
    }
}

/// How what was seen stands.
pub fn state(seen: &Seen<Value>) -> State {
    match seen {
        Seen::There(object) if object["metadata"]["deletionTimestamp"].is_string() => State::Deleting,
        Seen::There(_) => State::Present,
        Seen::Missing => State::Missing,
        Seen::Unseen(_) => State::Unseen,
    }
}

impl Object {
    /// Whether it is not there though it has to be.
    pub fn is_missing_wrongly(&self) -> bool {
        self.wanted && self.seen == Seen::Missing
    }

    /// Whether there is anything to tell of it: what only some classes ask for is told where it is there.
    pub const fn is_told(&self) -> bool {
        self.wanted || matches!(self.seen, Seen::There(_))
    }

    /// Whether it may be there, and that cannot be known.
    pub const fn may_be_there(&self) -> bool {
        !self.wanted && matches!(self.seen, Seen::Unseen(_))
    }
}

/// Whether a tenant has to have an object of this kind. What only some classes ask for is not demanded.
pub fn is_wanted(child: Child, tenant: Option<&Value>, record: &TenantRecordSpec) -> bool {
    if child.kind().is_optional() {
        return false;
    }
    let is_open = record.phase == RecordPhase::Active
        && tenant.is_none_or(|it| it["spec"]["suspend"] != true && it["metadata"]["deletionTimestamp"].is_null());
    match record.phase {
        RecordPhase::Purging | RecordPhase::Purged => false,
        RecordPhase::Active | RecordPhase::Retained => is_open || child.when_access_ends() != WhenAccessEnds::Removed,
    }
}

/// Whether more is to be told of an object than that it is there.
pub const fn has_details(kind: Kind) -> bool {
    matches!(kind, Kind::ResourceQuota | Kind::StatefulSet | Kind::PersistentVolumeClaim | Kind::HttpRoute)
}

/// What there is to tell of an object beyond its state.
pub fn details(object: &Object) -> String {
    let Some(live) = object.seen.there() else { return String::new() };
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    match object.child.kind() {
        Kind::StatefulSet => {
            let number = |pointer: &str| live.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
            format!("{} of {} ready", number("/status/readyReplicas"), number("/spec/replicas"))
        }
        Kind::PersistentVolumeClaim => {
            format!("{}, {}", text("/status/phase"), text("/spec/resources/requests/storage"))
        }
        Kind::ResourceQuota => {
            let used = |what: &str| {
                let of = |side: &str| live["status"][side][what].as_str().unwrap_or("?").to_owned();
                format!("{} of {}", of("used"), of("hard"))
            };
            format!("cpu {}, memory {}", used("limits.cpu"), used("limits.memory"))
        }
        Kind::HttpRoute => {
            let parents = live["status"]["parents"].as_array().into_iter().flatten();
            let mut accepted = parents.filter(|parent| {
                let conditions = parent["conditions"].as_array().into_iter().flatten();
                conditions.clone().any(|one| one["type"] == "Accepted" && one["status"] == "True")
            });
            if accepted.next().is_some() { "accepted".to_owned() } else { "no gateway has accepted it".to_owned() }
        }
        _ => String::new(),
    }
}
