//! From raw objects to what decisions see of them.
//!
//! PURE. Each is read by itself: one that cannot be read never hides the others.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize as _, de::DeserializeOwned};
use serde_json::Value;
use smol_str::SmolStr;

use super::{
    adoption::Order,
    desired::CONTAINER,
    observed::{
        ClaimRef, DefinitionView, PodView, RecordView, RotateOrder, StorageClassView, TenantView, UNKNOWN_HANDLE,
        VolumeView,
    },
};
use crate::api::{
    class::TenantClassSpec,
    labels,
    names::{TenantName, Uid, sha256_hex},
    tenant::TenantStatus,
};

/// The environment variable by which the Pod Identity webhook tells a container where its credentials are.
const INJECTED_VARIABLE: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// `metadata.uid`.
pub fn uid(object: &Value) -> Option<Uid> {
    object["metadata"]["uid"].as_str()?.parse().ok()
}

/// `metadata.resourceVersion`.
pub fn resource_version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

/// `metadata.name`.
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["labels"].get(key)?.as_str()
}

fn spec_of<T: DeserializeOwned>(object: &Value) -> Result<T, String> {
    T::deserialize(&object["spec"]).map_err(|error| error.to_string())
}

/// A Tenant.
pub fn tenant(object: &Value) -> Option<TenantView> {
    let metadata = &object["metadata"];
    let time = |field: &str| metadata[field].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let deleted_at = time("deletionTimestamp");
    let finalizers = metadata["finalizers"].as_array().into_iter().flatten();
    Some(TenantView {
        uid: uid(object)?,
        resource_version: resource_version(object),
        generation: metadata["generation"].as_i64().unwrap_or(0),
        created_at: time("creationTimestamp"),
        deleted_at,
        finalizers: finalizers.filter_map(Value::as_str).map(str::to_owned).collect(),
        paused: metadata["annotations"].get(labels::PAUSED).and_then(Value::as_str) == Some("true"),
        rotate: rotate_order(metadata),
        cut_over: metadata["annotations"].get(labels::CUT_OVER).and_then(Value::as_str).map(Order::read),
        spec: spec_of(object),
    })
}

fn rotate_order(metadata: &Value) -> Option<RotateOrder> {
    let value = metadata["annotations"].get(labels::ROTATE_SECRETS)?.as_str().filter(|value| !value.is_empty())?;
    // With or without what follows, and however it is written: a leak is not the time to mind letters.
    let compromised = value.to_ascii_lowercase().starts_with(labels::COMPROMISED);
    Some(RotateOrder { hash: sha256_hex(&[value]), compromised })
}

/// The status of a Tenant, as it is; one that cannot be read is as good as none and is written anew.
pub fn tenant_status(object: &Value) -> TenantStatus {
    TenantStatus::deserialize(&object["status"]).unwrap_or_default()
}

/// A record.
pub fn record(object: &Value) -> Option<RecordView> {
    Some(RecordView {
        uid: uid(object)?,
        resource_version: resource_version(object),
        orders: orders(object),
        spec: spec_of(object),
    })
}

/// Annotations by which administrators order something.
const ORDERS: [&str; 5] =
    [labels::TRANSFER_TO, labels::KEEP_UNTIL, labels::MOVE_TO, labels::PURGE_NOW, labels::CONFIRM_DELETION];

fn orders(object: &Value) -> BTreeMap<&'static str, String> {
    let annotations = &object["metadata"]["annotations"];
    let given = ORDERS.iter().filter_map(|key| Some((*key, annotations.get(*key)?.as_str()?.to_owned())));
    given.collect()
}

/// Whether a class says that nothing of its tenants is removed.
pub fn is_halted(object: &Value) -> bool {
    object["metadata"]["annotations"].get(labels::HALT).and_then(Value::as_str) == Some("true")
}

/// A class.
///
/// # Errors
/// Why it cannot be read.
pub fn class(object: &Value) -> Result<TenantClassSpec, String> {
    spec_of(object)
}

/// A storage class. `volumeBindingMode` defaults to `Immediate`.
pub fn storage_class(object: &Value) -> StorageClassView {
    StorageClassView {
        immediate: object["volumeBindingMode"].as_str().unwrap_or("Immediate") == "Immediate",
        expandable: object["allowVolumeExpansion"].as_bool().unwrap_or(false),
    }
}

/// A definition of ours.
pub fn definition(object: &Value) -> Option<DefinitionView> {
    Some(DefinitionView {
        uid: uid(object)?,
        resource_version: resource_version(object),
        deleting: object["metadata"]["deletionTimestamp"].is_string(),
        generation: object["metadata"]["generation"].as_i64().unwrap_or(0),
    })
}

/// A PersistentVolume.
pub fn volume(object: &Value) -> Option<VolumeView> {
    let spec = &object["spec"];
    let claim = spec["claimRef"].as_object().map(|claim| {
        let text = |key: &str| claim.get(key).and_then(Value::as_str).map(str::to_owned);
        ClaimRef {
            namespace: text("namespace").unwrap_or_default(),
            name: text("name").unwrap_or_default(),
            uid: text("uid").filter(|uid| !uid.is_empty()),
        }
    });
    let managed = label(object, labels::MANAGED) == Some("true");
    let tenant: Option<TenantName> =
        label(object, labels::TENANT).filter(|_| managed).and_then(|name| name.parse().ok());
    Some(VolumeView {
        name: name(object).to_owned(),
        uid: uid(object)?,
        resource_version: resource_version(object),
        retained: spec["persistentVolumeReclaimPolicy"] == "Retain",
        phase: object["status"]["phase"].as_str().unwrap_or_default().to_owned(),
        claim,
        handle: handle(spec),
        tenant,
        incarnation: label(object, labels::INCARNATION).filter(|_| managed).and_then(|text| text.parse().ok()),
        provisioned: object["metadata"]["annotations"].get(PROVISIONED_BY).is_some(),
        released_at: object["metadata"]["annotations"]
            .get(labels::RELEASED_AT)
            .and_then(Value::as_str)
            .and_then(|time| time.parse().ok()),
        phase_since: object["status"]["lastPhaseTransitionTime"].as_str().and_then(|time| time.parse().ok()),
        trouble: object["status"]["message"].as_str().filter(|text| !text.is_empty()).map(str::to_owned),
    })
}

/// Annotation by which a provisioner knows the volumes that it made, and that it deletes (Kubernetes: Persistent Volumes).
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// What the storage calls a volume: the CSI handle, or the place of a local or NFS one.
fn handle(spec: &Value) -> String {
    let text = |pointer: &str| spec.pointer(pointer).and_then(Value::as_str);
    let nfs = text("/nfs/server").zip(text("/nfs/path")).map(|(server, path)| format!("{server}:{path}"));
    text("/csi/volumeHandle")
        .or_else(|| text("/hostPath/path"))
        .or_else(|| text("/local/path"))
        .map(str::to_owned)
        .or(nfs)
        .unwrap_or_else(|| UNKNOWN_HANDLE.to_owned())
}

/// A pod of a workspace, with the tenant whose label it carries.
pub fn pod(object: &Value) -> Option<(TenantName, PodView)> {
    let tenant = label(object, labels::TENANT)?.parse().ok()?;
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.clone().any(|c| c["type"] == "Ready" && c["status"] == "True");
    let view = PodView {
        name: name(object).into(),
        namespace: object["metadata"]["namespace"].as_str()?.parse().ok()?,
        uid: uid(object)?,
        ip: object["status"]["podIP"].as_str().filter(|ip| !ip.is_empty()).map(SmolStr::from),
        revision: label(object, "controller-revision-hash").unwrap_or_default().to_owned(),
        created: object["metadata"]["creationTimestamp"].as_str().and_then(|time| time.parse().ok()),
        ready,
        deleting: object["metadata"]["deletionTimestamp"].is_string(),
        injected: is_injected(object),
        trouble: trouble(object),
    };
    Some((tenant, view))
}

fn is_injected(pod: &Value) -> bool {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut gateway = containers.filter(|container| container["name"] == CONTAINER);
    gateway.any(|container| {
        container["env"].as_array().into_iter().flatten().any(|variable| variable["name"] == INJECTED_VARIABLE)
    })
}

/// Why a pod is not ready: what a container waits for or died of, or why no node takes the pod.
fn trouble(pod: &Value) -> Option<String> {
    let statuses = ["initContainerStatuses", "containerStatuses"];
    let statuses = statuses.iter().flat_map(|field| pod["status"][*field].as_array().into_iter().flatten());
    let of_container = statuses.into_iter().find_map(|status| {
        let waiting = &status["state"]["waiting"];
        let reason = waiting["reason"].as_str().filter(|reason| *reason != "PodInitializing")?;
        let message = waiting["message"].as_str().unwrap_or_default();
        Some(format!("container {}: {reason} {message}", status["name"].as_str().unwrap_or("?")))
    });
    of_container.or_else(|| {
        let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let scheduled = conditions.find(|c| c["type"] == "PodScheduled" && c["status"] == "False")?;
        Some(format!("no node takes it: {}", scheduled["message"].as_str().unwrap_or_default()))
    })
}
