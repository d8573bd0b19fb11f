//! PURE: what keeps the old side from cascading: what is missing of it, and the patches that bring it.
//!
//! How things cascade, after Argo CD 3.6 (github.com/argoproj/argo-cd, docs/operator-manual/applicationset/Application-Deletion.md,
//! applicationset/utils/utils.go, applicationset/controllers/applicationset_controller.go):
//!
//! - An ApplicationSet owns its Applications: where it goes, or where an element leaves its list, they go.
//! - An Application with the finalizer `resources-finalizer.argocd.argoproj.io` (or its `/foreground`, `/background`) takes along
//!   all that it made.
//! - The ApplicationSet's controller writes that finalizer into every Application, unless `preserveResourcesOnDeletion` is set;
//!   then it writes the template's own finalizers and no other. It also writes `spec` anew each time. So the set comes first: what
//!   is changed in an Application alone would be put back.
//! - An automated sync with `prune` deletes what has left the source.

use serde_json::{Map, Value, json};

/// The finalizers by which an Application takes along what it made
/// (pkg/apis/application/v1alpha1/application_defaults.go).
pub const CASCADING: [&str; 3] = [
    "resources-finalizer.argocd.argoproj.io",
    "resources-finalizer.argocd.argoproj.io/foreground",
    "resources-finalizer.argocd.argoproj.io/background",
];

/// One change to the old side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `spec.syncPolicy.preserveResourcesOnDeletion: true` of the ApplicationSet.
    Preserve,
    /// These finalizers out of the ApplicationSet's template.
    TemplateFinalizers(Vec<String>),
    /// `automated.prune: false` in the ApplicationSet's template.
    TemplatePrune,
    /// These finalizers off the Application.
    Finalizers(Vec<String>),
    /// `automated.prune: false` of the Application.
    Prune,
    /// The namespace's consent to be adopted by this tenant.
    Consent(String),
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Preserve => write!(f, "set spec.syncPolicy.preserveResourcesOnDeletion to true"),
            Self::TemplateFinalizers(names) => {
                write!(f, "take {} out of spec.template.metadata.finalizers", names.join(", "))
            }
            Self::TemplatePrune => write!(f, "set spec.template.spec.syncPolicy.automated.prune to false"),
            Self::Finalizers(names) => write!(f, "take the finalizer {} off", names.join(", ")),
            Self::Prune => write!(f, "set spec.syncPolicy.automated.prune to false"),
            Self::Consent(tenant) => write!(f, "annotate it with {}={tenant}", crate::api::labels::ADOPT_BY),
        }
    }
}

/// What an ApplicationSet still lacks.
pub fn of_set(set: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    if set["spec"]["syncPolicy"]["preserveResourcesOnDeletion"] != true {
        changes.push(Change::Preserve);
    }
    let cascading = cascading(&set["spec"]["template"]["metadata"]);
    if !cascading.is_empty() {
        changes.push(Change::TemplateFinalizers(cascading));
    }
    if prunes(&set["spec"]["template"]) {
        changes.push(Change::TemplatePrune);
    }
    changes
}

/// What an Application still lacks.
pub fn of_application(application: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    let cascading = cascading(&application["metadata"]);
    if !cascading.is_empty() {
        changes.push(Change::Finalizers(cascading));
    }
    // On its way out it is synced no more.
    if prunes(application) && application["metadata"]["deletionTimestamp"].is_null() {
        changes.push(Change::Prune);
    }
    changes
}

/// What a namespace still lacks for this tenant to adopt it.
pub fn of_namespace(namespace: &Value, tenant: &str) -> Vec<Change> {
    let consent = namespace["metadata"]["annotations"].get(crate::api::labels::ADOPT_BY).and_then(Value::as_str);
    if consent == Some(tenant) { Vec::new() } else { vec![Change::Consent(tenant.to_owned())] }
}

/// What a person has to look at, because no patch of ours reaches it.
pub fn remarks(set: &Value) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(patch) = set["spec"]["templatePatch"].as_str()
        && ["finalizers", "syncPolicy", "prune"].iter().any(|word| patch.contains(word))
    {
        remarks.push(
            "spec.templatePatch speaks of finalizers or of the sync policy, and has the last word in every Application: take that \
             out of it yourself"
                .to_owned(),
        );
    }
    overriding(&set["spec"]["generators"], "spec.generators", &mut remarks);
    if let Some(owner) = tracking(&set["metadata"]) {
        remarks.push(format!(
            "it is itself kept by {owner}: make these changes where that comes from as well, or they are put back"
        ));
    }
    remarks
}

/// A generator's own template wins over the set's (applicationset/controllers/template).
fn overriding(generators: &Value, path: &str, remarks: &mut Vec<String>) {
    for (index, generator) in generators.as_array().into_iter().flatten().enumerate() {
        for (kind, inner) in generator.as_object().into_iter().flatten() {
            let path = format!("{path}[{index}].{kind}");
            if !cascading(&inner["template"]["metadata"]).is_empty() || prunes(&inner["template"]) {
                remarks.push(format!(
                    "{path}.template sets finalizers or prune, and wins over spec.template: take that out yourself"
                ));
            }
            overriding(&inner["generators"], &format!("{path}.generators"), remarks);
        }
    }
}

/// By which Application of Argo CD an object says that it was applied: the annotation counts, then the label
/// (docs/user-guide/resource_tracking.md).
pub fn tracking(metadata: &Value) -> Option<String> {
    let id = metadata["annotations"].get("argocd.argoproj.io/tracking-id").and_then(Value::as_str);
    let label = metadata["labels"].get("app.kubernetes.io/instance").and_then(Value::as_str);
    match (id, label) {
        (Some(id), _) => Some(format!("annotation argocd.argoproj.io/tracking-id={id}")),
        (None, Some(label)) => Some(format!("label app.kubernetes.io/instance={label}")),
        (None, None) => None,
    }
}

fn finalizers(metadata: &Value) -> impl Iterator<Item = &str> {
    metadata["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn cascading(metadata: &Value) -> Vec<String> {
    finalizers(metadata).filter(|name| CASCADING.contains(name)).map(str::to_owned).collect()
}

/// `prune` is off where it is not said; whether the automated sync is `enabled` can change any day, so it does not count.
fn prunes(application: &Value) -> bool {
    application["spec"]["syncPolicy"]["automated"]["prune"] == true
}

/// The merge patch that makes these changes to this very state of the object, under its UID and resource version.
pub fn patch(object: &Value, changes: &[Change]) -> Value {
    let metadata = &object["metadata"];
    let mut patch = json!({ "metadata": { "uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"] } });
    for change in changes {
        match change {
            Change::Preserve => {
                put(&mut patch, &["spec", "syncPolicy", "preserveResourcesOnDeletion"], json!(true));
            }
            Change::TemplateFinalizers(names) => {
                let rest = without(&object["spec"]["template"]["metadata"], names);
                put(&mut patch, &["spec", "template", "metadata", "finalizers"], rest);
            }
            Change::TemplatePrune => {
                put(&mut patch, &["spec", "template", "spec", "syncPolicy", "automated", "prune"], json!(false));
            }
            Change::Finalizers(names) => put(&mut patch, &["metadata", "finalizers"], without(metadata, names)),
            Change::Prune => put(&mut patch, &["spec", "syncPolicy", "automated", "prune"], json!(false)),
            Change::Consent(tenant) => {
                put(&mut patch, &["metadata", "annotations", crate::api::labels::ADOPT_BY], json!(tenant));
            }
        }
    }
    patch
}

fn without(metadata: &Value, names: &[String]) -> Value {
    let rest: Vec<&str> = finalizers(metadata).filter(|name| !names.iter().any(|gone| gone == name)).collect();
    if rest.is_empty() { Value::Null } else { json!(rest) }
}

fn put(target: &mut Value, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *target = value;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    put(&mut target[*first], rest, value);
}
