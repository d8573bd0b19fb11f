//! PURE: everything that a report is made from, as one value.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cloud::CloudSight;

use crate::{
    api::{
        class::TenantClassSpec,
        names::{ClassName, NamespacePrefix},
    },
    tenant::child::KindInfo,
};

/// Argo CD's ApplicationSet.
pub const APPLICATION_SET: KindInfo = argo("ApplicationSet", "applicationsets");

/// Argo CD's Application.
pub const APPLICATION: KindInfo = argo("Application", "applications");

const fn argo(kind: &'static str, plural: &'static str) -> KindInfo {
    KindInfo { group: "argoproj.io", version: "v1alpha1", kind, plural, namespaced: true }
}

/// What was seen before anything is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// The ApplicationSet.
    pub set: Value,
    /// Whether it was read from the cluster.
    pub live: bool,
    /// The Applications in its namespace; `None` where they were not read.
    pub applications: Option<Vec<Value>>,
    /// The class that the Tenants will name.
    pub class: ClassSight,
    /// The Tenants that are there, by name.
    pub tenants: BTreeMap<String, Value>,
    /// The TenantRecords that are there, by name.
    pub records: BTreeMap<String, Value>,
    /// What lies in the namespaces that matter, by name: `None` where there is no such namespace. Of one that could not be read
    /// nothing is said.
    pub places: BTreeMap<String, Option<Place>>,
    /// What was seen in AWS; `None` where it was not looked at, or could not be.
    pub cloud: Option<CloudSight>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

/// What is known of the class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSight {
    /// Its name.
    pub name: ClassName,
    /// What it puts before tenants' names.
    pub prefix: NamespacePrefix,
    /// The class itself, where it was read.
    pub spec: Option<TenantClassSpec>,
}

/// One namespace and what matters in it. What could not be read is `None`, and never taken for missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// The namespace.
    pub namespace: Value,
    /// Deployments, StatefulSets, Sandboxes and SandboxClaims, each with its `kind`.
    pub workloads: Option<Vec<Value>>,
    /// PersistentVolumeClaims.
    pub claims: Option<Vec<Value>>,
    /// ServiceAccounts.
    pub accounts: Option<Vec<Value>>,
    /// Names of Secrets. Their values are never asked for.
    pub secrets: Option<Vec<String>>,
    /// Reclaim policies of the volumes behind the claims, by the volume's name.
    pub reclaim: BTreeMap<String, String>,
}
