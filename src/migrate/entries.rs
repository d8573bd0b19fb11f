//! PURE: the elements of a list, each with what the ApplicationSet's template makes of it, and which Applications those are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    elements::{ElementsError, Parameters, elements, render, text},
    observed::{ClassSight, Sight},
};
use crate::{
    api::names::{NamespaceName, TenantName},
    tenant::views,
};

/// One element with what the set's template makes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its parameters.
    pub element: Parameters,
    /// `name`; empty where it is missing.
    pub name: String,
    /// `email`; empty where it is missing.
    pub email: String,
    /// The Application's name; `None` where the template says more than names of parameters.
    pub application: Option<String>,
    /// The namespace that the Application deploys to; `None` likewise.
    pub destination: Option<String>,
}

/// All of them, in the order of the list.
///
/// # Errors
/// Where the elements cannot be told.
pub fn entries(set: &Value) -> Result<Vec<Entry>, ElementsError> {
    let go = set["spec"]["goTemplate"] == true;
    let template = &set["spec"]["template"];
    let of = |element: Parameters| {
        let rendered = |path: &str| {
            let text = template.pointer(path).and_then(Value::as_str)?;
            render(text, &element, go).filter(|text| !text.is_empty())
        };
        Entry {
            name: text(&element, "name").unwrap_or_default(),
            email: text(&element, "email").unwrap_or_default(),
            application: rendered("/metadata/name"),
            destination: rendered("/spec/destination/namespace"),
            element,
        }
    };
    Ok(elements(set)?.into_iter().map(of).collect())
}

/// The namespaces that matter: what the Applications deploy to, and what the tenants will have.
///
/// # Errors
/// Where the elements cannot be told.
pub fn namespaces(set: &Value, class: &ClassSight, only: &BTreeSet<String>) -> Result<BTreeSet<String>, ElementsError> {
    let wanted = entries(set)?.into_iter().filter(|entry| only.is_empty() || only.contains(&entry.name));
    let both = wanted.flat_map(|entry| {
        let own = entry.name.parse::<TenantName>().ok().map(|name| class.prefix.namespace(&name).to_string());
        entry.destination.into_iter().chain(own)
    });
    Ok(both.collect())
}

/// The tenants that can be, each with the namespace that it will have.
///
/// # Errors
/// Where the elements cannot be told.
pub fn tenants(
    set: &Value,
    class: &ClassSight,
    only: &BTreeSet<String>,
) -> Result<BTreeMap<String, NamespaceName>, ElementsError> {
    let wanted = entries(set)?.into_iter().filter(|entry| only.is_empty() || only.contains(&entry.name));
    let names = wanted.filter_map(|entry| entry.name.parse::<TenantName>().ok());
    Ok(names.map(|name| (name.to_string(), class.prefix.namespace(&name))).collect())
}

/// The whole list, to find in it what is there twice.
pub struct Listed<'a> {
    by_name: BTreeMap<&'a str, Vec<&'a Entry>>,
    by_destination: BTreeMap<&'a str, Vec<&'a Entry>>,
}

impl<'a> Listed<'a> {
    /// Of these entries.
    pub fn of(entries: &'a [Entry]) -> Self {
        let mut listed = Self { by_name: BTreeMap::new(), by_destination: BTreeMap::new() };
        for entry in entries {
            listed.by_name.entry(&entry.name).or_default().push(entry);
            if let Some(destination) = &entry.destination {
                listed.by_destination.entry(destination).or_default().push(entry);
            }
        }
        listed
    }

    /// Whether the name is in it.
    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// One name twice, or one namespace for two names.
    pub fn doubles(&self, entry: &Entry) -> Vec<String> {
        let same = self.by_name.get(entry.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let others: BTreeSet<&str> =
            same.iter().map(|other| other.email.as_str()).filter(|email| *email != entry.email).collect();
        let name = match (same.len(), others.is_empty()) {
            (0 | 1, _) => None,
            (_, true) => Some("the list has it twice: take one of the two out".to_owned()),
            (_, false) => Some(format!(
                "the name is {}'s as well: two people cannot have one tenant. Give one of them another name",
                joined(&others)
            )),
        };
        name.into_iter().chain(self.shared(entry)).collect()
    }

    fn shared(&self, entry: &Entry) -> Option<String> {
        let destination = entry.destination.as_deref()?;
        let there = self.by_destination.get(destination).into_iter().flatten();
        let others: BTreeSet<&str> =
            there.map(|other| other.name.as_str()).filter(|name| *name != entry.name).collect();
        (!others.is_empty()).then(|| {
            format!(
                "namespace {destination} is that of {} as well: a tenant has a namespace of its own. Move one of them first",
                joined(&others)
            )
        })
    }
}

fn joined(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// The Applications of Argo CD's namespace.
pub struct Applications<'a> {
    set: &'a str,
    by_name: BTreeMap<&'a str, &'a Value>,
    by_destination: BTreeMap<&'a str, Vec<&'a Value>>,
}

impl<'a> Applications<'a> {
    /// As they were seen.
    pub fn of(sight: &'a Sight) -> Self {
        let mut all = Self { set: views::name(&sight.set), by_name: BTreeMap::new(), by_destination: BTreeMap::new() };
        for application in sight.applications.as_deref().unwrap_or_default() {
            all.by_name.insert(views::name(application), application);
            if let Some(destination) = destination(application) {
                all.by_destination.entry(destination).or_default().push(application);
            }
        }
        all
    }

    /// Those of the ApplicationSet itself.
    pub fn of_set(&self) -> Vec<&'a Value> {
        self.by_name.values().filter(|application| owner(application) == Some(self.set)).copied().collect()
    }

    /// Those of an element: by the name that the template gives, or else those that deploy to where its namespace is. What
    /// another ApplicationSet owns is never one.
    pub fn of_entry(&self, entry: &Entry) -> Vec<&'a Value> {
        match (&entry.application, &entry.destination) {
            (Some(name), _) => {
                let named = self.by_name.get(name.as_str()).copied();
                named.filter(|application| self.is_its(application, entry)).into_iter().collect()
            }
            (None, Some(place)) => {
                let there = self.by_destination.get(place.as_str()).into_iter().flatten().copied();
                there.filter(|application| owner(application) == Some(self.set)).collect()
            }
            (None, None) => Vec::new(),
        }
    }

    /// An ApplicationSet that was deleted without its Applications leaves them without an owner; then they have to deploy to
    /// the same place.
    fn is_its(&self, application: &Value, entry: &Entry) -> bool {
        match owner(application) {
            Some(owner) => owner == self.set,
            None => destination(application) == entry.destination.as_deref(),
        }
    }
}

fn destination(application: &Value) -> Option<&str> {
    application["spec"]["destination"]["namespace"].as_str()
}

/// The ApplicationSet that an Application belongs to.
fn owner(application: &Value) -> Option<&str> {
    let mut owners = application["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.find(|owner| owner["kind"] == "ApplicationSet").and_then(|owner| owner["name"].as_str())
}
