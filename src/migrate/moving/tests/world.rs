//! Alice, attached, with a Deployment on a claim of another name.

use serde_json::{Value, json};

use crate::{
    api::record::{AdoptionStage, RecordedAdoption, TenantRecordSpec},
    migrate::moving::sight::Sight,
};

const HOLDER: &str = "01234567-89ab-4cde-8f01-23456789abcd";
pub(super) const NAMESPACE: &str = "openclaw-alice";

/// How far Alice is, and what her Tenant says.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// Attached; the operator waits for the order.
    Attached,
    /// Ordered; the former pod is still there.
    Ordered,
    /// Moved over, and Ready.
    Over,
    /// Finished, and Ready.
    Finished,
}

pub(super) fn record(stage: Option<AdoptionStage>) -> TenantRecordSpec {
    let mut record: TenantRecordSpec = serde_json::from_value(json!({
        "phase": "Active", "tenantUid": HOLDER, "incarnation": "0123456789", "className": "default",
        "owner": { "subject": "6f1c", "hash": "0".repeat(64) },
        "namespace": { "name": NAMESPACE, "prefix": "openclaw-" },
        "serviceAccount": "workspace-0123456789",
        "identity": { "mode": "None", "nonce": "0".repeat(32) },
        "secrets": { "mode": "None", "prefix": "openclaw" },
        "storage": { "className": "efs", "claim": "alice-data", "size": "10Gi", "volume": { "name": "pv-1", "handle": "fs-1" } },
        "routing": { "mode": "Host" },
        "retirement": { "deletionPolicy": "Retain", "recoveryWindowDays": 30 },
    }))
    .expect("a record");
    record.adoption = stage.map(|stage| RecordedAdoption {
        stage,
        former_associations: vec!["a-former".parse().expect("id")],
        namespace_labels: std::collections::BTreeMap::new(),
    });
    record
}

fn told(kind: &str, status: bool, reason: &str) -> Value {
    let status = if status { "True" } else { "False" };
    json!({ "type": kind, "status": status, "reason": reason, "message": format!("{kind} says so") })
}

fn tenant(order: Option<&str>, conditions: &Value) -> Value {
    json!({
        "metadata": { "name": "alice", "uid": HOLDER, "generation": 1, "annotations": { "openclaw.io/cut-over": order } },
        "spec": { "suspend": false },
        "status": { "observedGeneration": 1, "conditions": conditions, "url": "https://alice.example.com" },
    })
}

/// A workload of the former system, or of the operator.
pub(super) fn workload(kind: &str, version: &str, name: &str, spec: &Value) -> Value {
    json!({
        "kind": kind, "apiVersion": version, "spec": spec,
        "metadata": { "name": name, "namespace": NAMESPACE, "uid": format!("{kind}-{name}"), "resourceVersion": "7" },
    })
}

/// A pod spec that mounts a claim and names a Secret.
pub(super) fn pod_spec(claim: &str, secret: &str, account: &str) -> Value {
    json!({
        "serviceAccountName": account,
        "containers": [{ "name": "openclaw", "envFrom": [{ "secretRef": { "name": secret } }] }],
        "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": claim } }],
    })
}

pub(super) fn owned_by(mut object: Value, owner: &Value) -> Value {
    object["metadata"]["ownerReferences"] = json!([{
        "kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": true,
    }]);
    object
}

/// A pod that is ready and mounts a claim.
pub(super) fn pod(name: &str, claim: &str, owner: &Value) -> Value {
    let mut pod = owned_by(workload("Pod", "v1", name, &pod_spec(claim, "pods-own", "pods-own")), owner);
    pod["status"] = json!({
        "phase": "Running",
        "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:10Z" }],
    });
    pod
}

/// The Deployment of the former system.
pub(super) fn deployment(replicas: u8) -> Value {
    let template = json!({ "spec": pod_spec("alice-data", "own-token", "alice") });
    workload("Deployment", "apps/v1", "alice", &json!({ "replicas": replicas, "template": template }))
}

/// The operator's StatefulSet.
pub(super) fn own_set() -> Value {
    let template = json!({ "spec": pod_spec("alice-data", "none", "workspace-0123456789") });
    let mut set = workload("StatefulSet", "apps/v1", "alice", &json!({ "replicas": 1, "template": template }));
    set["metadata"]["labels"] = json!({ "openclaw.io/managed": "true" });
    set
}

/// What is seen of Alice.
pub(super) fn sight(at: At) -> Sight {
    let ready = json!([told("Ready", true, "Verified"), told("IdentityReady", true, "CutOver")]);
    let (stage, order, conditions) = match at {
        At::Attached => {
            let waits = [told("Ready", false, "AwaitingCutOver"), told("Stalled", true, "AwaitingCutOver")];
            (Some(AdoptionStage::Attached), None, json!(waits))
        }
        At::Ordered => {
            let waits = [told("Ready", false, "Progressing"), told("WorkloadReady", false, "ClaimInUse")];
            (Some(AdoptionStage::Attached), Some("start"), json!(waits))
        }
        At::Over => (Some(AdoptionStage::CutOver), Some("start"), ready),
        At::Finished => (None, Some("finish"), json!([told("Ready", true, "Verified")])),
    };
    let is_over = matches!(at, At::Over | At::Finished);
    let former = deployment(u8::from(!is_over));
    let set = owned_by(workload("ReplicaSet", "apps/v1", "alice-1", &former["spec"]), &former);
    let (workloads, pods) = if is_over {
        let own = own_set();
        let pod = pod("alice-0", "alice-data", &own);
        (vec![former, own], vec![pod])
    } else {
        (vec![former], vec![pod("alice-1-x", "alice-data", &set)])
    };
    Sight {
        name: "alice".parse().expect("name"),
        tenant: tenant(order, &conditions),
        record: record(stage),
        claim: Some(json!({
            "kind": "PersistentVolumeClaim", "spec": { "volumeName": "pv-1" }, "status": { "phase": "Bound" },
            "metadata": { "name": "alice-data", "uid": "claim-1", "resourceVersion": "3", "labels": { "team": "blue" } },
        })),
        volume: Some(json!({
            "metadata": { "name": "pv-1" },
            "spec": { "persistentVolumeReclaimPolicy": "Retain", "claimRef": { "uid": "claim-1" } },
        })),
        workloads,
        sets: vec![set],
        pods,
    }
}
