//! PURE: the former workload: which it is, how it is brought to zero, and what it was before.
//!
//! What it was is written on the workload itself, in the same request that brings it to zero: so there is no moment at which it is
//! down and nobody knows how to start it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::sight::{Sight, is_ours, title, uid};
use crate::{api::labels::BEFORE_CUT_OVER, migrate::today, tenant::views};

/// How many pods a workload is to have.
///
/// The fields are those of apps/v1 and of agents.x-k8s.io: `replicas`, 0 or 1, in v1alpha1, and `operatingMode` since v1beta1
/// (github.com/kubernetes-sigs/agent-sandbox, api/v1alpha1/sandbox_types.go and api/v1beta1/sandbox_types.go).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scale {
    /// `spec.replicas`.
    Replicas(u64),
    /// `spec.operatingMode`.
    OperatingMode(String),
}

/// What a workload was before the cut-over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Before {
    /// How many pods it had to have.
    #[serde(flatten)]
    pub scale: Scale,
    /// When it was brought to zero, the last time.
    pub since: Timestamp,
    /// Labels of the claim: by them a Sandbox knows the claims that it made (controllers/sandbox_controller.go, reconcilePVCs),
    /// and the cut-over replaces them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claim_labels: BTreeMap<String, String>,
}

impl Scale {
    /// What a workload says now; `None` where it is none that can be scaled.
    pub fn of(workload: &Value) -> Option<Self> {
        let spec = &workload["spec"];
        let replicas = || Some(Self::Replicas(spec["replicas"].as_u64().unwrap_or(1)));
        match workload["kind"].as_str()? {
            "Deployment" | "StatefulSet" => replicas(),
            "Sandbox" if workload["apiVersion"].as_str()?.ends_with("/v1alpha1") => replicas(),
            "Sandbox" => Some(Self::OperatingMode(spec["operatingMode"].as_str().unwrap_or("Running").to_owned())),
            _ => None,
        }
    }

    /// Whether that is no pod at all.
    pub fn is_rest(&self) -> bool {
        match self {
            Self::Replicas(replicas) => *replicas == 0,
            Self::OperatingMode(mode) => mode == "Suspended",
        }
    }

    /// No pod at all, said the same way.
    fn rest(&self) -> Self {
        match self {
            Self::Replicas(_) => Self::Replicas(0),
            Self::OperatingMode(_) => Self::OperatingMode("Suspended".to_owned()),
        }
    }

    /// The field that says it.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Replicas(_) => "replicas",
            Self::OperatingMode(_) => "operatingMode",
        }
    }
}

impl std::fmt::Display for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Replicas(replicas) => write!(f, "{replicas} replicas"),
            Self::OperatingMode(mode) => write!(f, "operatingMode {mode}"),
        }
    }
}

/// What a workload was before the cut-over, where it carries that.
///
/// # Errors
/// Where it cannot be read: nothing is guessed.
pub fn before(workload: &Value) -> Result<Option<Before>, String> {
    let Some(text) = workload["metadata"]["annotations"].get(BEFORE_CUT_OVER).and_then(Value::as_str) else {
        return Ok(None);
    };
    serde_json::from_str(text).map(Some).map_err(|error| {
        format!(
            "annotation {BEFORE_CUT_OVER} of {} cannot be read ({error}): take it off, and scale the workload yourself",
            title(workload)
        )
    })
}

/// The former workloads: those that mount the claim by what they say, keep a pod that does, or were brought to zero for this.
pub fn former(sight: &Sight) -> Vec<&Value> {
    let keep: Vec<&str> = sight.strangers().into_iter().filter_map(|pod| sight.keeper(pod)).map(uid).collect();
    let is_it = |workload: &&Value| {
        !is_ours(workload)
            && (today::workload(workload).mounts.contains(sight.claim_name())
                || keep.contains(&uid(workload))
                || workload["metadata"]["annotations"].get(BEFORE_CUT_OVER).is_some())
    };
    sight.workloads.iter().filter(is_it).collect()
}

fn patch_of(workload: &Value, scale: Option<&Scale>, annotation: &Value) -> Value {
    let metadata = &workload["metadata"];
    let mut patch = json!({ "metadata": {
        "uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"], "annotations": { BEFORE_CUT_OVER: annotation },
    } });
    if let Some(scale) = scale {
        patch["spec"] = json!(scale);
    }
    patch
}

/// The merge patch that brings a workload to zero and writes on it what it was; `None` where it is at zero. What it was before an
/// earlier descent stays: somebody may have started it otherwise since, and the claim has other labels by now.
///
/// # Errors
/// Where what it carries cannot be read: it would be lost.
pub fn down(workload: &Value, claim: Option<&Value>, now: Timestamp) -> Result<Option<Value>, String> {
    let Some(scale) = Scale::of(workload).filter(|scale| !scale.is_rest()) else { return Ok(None) };
    let rest = scale.rest();
    let was = match before(workload)? {
        Some(first) => Before { since: now, ..first },
        None => Before { scale, since: now, claim_labels: labels_of(claim) },
    };
    Ok(Some(patch_of(workload, Some(&rest), &Value::String(json!(was).to_string()))))
}

fn labels_of(claim: Option<&Value>) -> BTreeMap<String, String> {
    let labels = claim.map(|claim| claim["metadata"]["labels"].clone()).unwrap_or_default();
    let labels: BTreeMap<String, String> = serde_json::from_value(labels).unwrap_or_default();
    labels.into_iter().filter(|(key, _)| !key.starts_with("openclaw.io/")).collect()
}

/// The merge patch that makes a workload what it was and forgets that; `None` where it carries nothing. One that runs again
/// already stays as it is.
///
/// # Errors
/// Where what it carries cannot be read.
pub fn up(workload: &Value) -> Result<Option<(Value, Scale)>, String> {
    let Some(before) = before(workload)? else { return Ok(None) };
    let is_at_rest = Scale::of(workload).is_some_and(|scale| scale.is_rest());
    let patch = patch_of(workload, Some(&before.scale).filter(|_| is_at_rest), &Value::Null);
    Ok(Some((patch, before.scale)))
}

/// The merge patch that gives the claim the labels back by which the former system knew it; `None` where it has them.
pub fn relabel(claim: &Value, former: &[&Value]) -> Option<Value> {
    let known = former.iter().filter_map(|workload| before(workload).ok().flatten());
    let wanted: BTreeMap<String, String> = known.flat_map(|before| before.claim_labels).collect();
    let there = &claim["metadata"]["labels"];
    let missing: BTreeMap<String, String> =
        wanted.into_iter().filter(|(key, value)| there.get(key) != Some(&json!(value))).collect();
    (!missing.is_empty())
        .then(|| json!({ "metadata": { "uid": uid(claim), "resourceVersion": views::resource_version(claim), "labels": missing } }))
}

/// Former workloads that are to have pods again although they were brought to zero, and who says so.
pub fn scaled_up_again(sight: &Sight) -> Vec<String> {
    let annotated = former(sight).into_iter().filter(|one| matches!(before(one), Ok(Some(_))));
    let running = annotated.filter_map(|one| Some((one, Scale::of(one).filter(|scale| !scale.is_rest())?)));
    running
        .map(|(one, scale)| {
            let managers = managers(one, scale.field());
            let by =
                if managers.is_empty() { String::new() } else { format!(", by field manager {}", managers.join(", ")) };
            format!("{} has {scale} again{by}", title(one))
        })
        .collect()
}

/// Who manages a field of the spec.
fn managers(object: &Value, field: &str) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let has = |entry: &&Value| entry["fieldsV1"]["f:spec"].get(format!("f:{field}")).is_some();
    entries.into_iter().filter(has).filter_map(|entry| entry["manager"].as_str()).map(str::to_owned).collect()
}
