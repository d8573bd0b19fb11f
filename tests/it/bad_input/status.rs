//! A status is what the operator says, whatever somebody writes into it.

use std::time::Instant;

use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::support::{Bed, condition};

/// Writes into the status, as somebody with the right to.
async fn forge(bed: &Bed, status: Value) -> Value {
    let resource = kube::api::ApiResource {
        group: "openclaw.io".into(),
        version: "v1alpha1".into(),
        api_version: "openclaw.io/v1alpha1".into(),
        kind: "Tenant".into(),
        plural: "tenants".into(),
    };
    let api: Api<DynamicObject> = Api::all_with(bed.client.clone(), &resource);
    let patch = Patch::Merge(json!({ "status": status }));
    json!(api.patch_status(&bed.tenant, &PatchParams::default(), &patch).await.expect("forged"))
}

fn without_times(status: &Value) -> Value {
    let mut status = status.clone();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = Value::Null;
    }
    status
}

/// Forges, and waits until the status says again what it said before. At rest nothing but the watch wakes the operator.
async fn assert_written_back(bed: &Bed, forged: Value) {
    let honest = bed.get("Tenant", None, &bed.tenant).await.expect("Tenant")["status"].clone();
    let written = forge(bed, forged).await;
    assert_ne!(without_times(&written["status"]), without_times(&honest), "it was forged");
    let began = Instant::now();
    bed.until("honest again", |tenant| without_times(&tenant["status"]) == without_times(&honest)).await;
    eprintln!("TIMING status written back after {:?}", began.elapsed());
}

/// S10: Ready is what was verified, not what somebody says.
#[tokio::test]
async fn a_bogus_ready_on_a_stalled_tenant_is_taken_back() {
    let bed = Bed::new("bogus").await;
    bed.apply_tenant(json!({ "className": "there-is-no-such-class" })).await.expect("taken");
    bed.stalled("ClassNotFound").await;
    let time = "2026-01-01T00:00:00Z";
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "Verified", "message": "trust me", "observedGeneration": 1,
        "lastTransitionTime": time,
    });
    assert_written_back(&bed, json!({ "phase": "Ready", "conditions": [ready] })).await;
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("Tenant");
    assert_eq!(condition(&tenant, "Ready")["status"], "False");
    assert_ne!(condition(&tenant, "Ready")["lastTransitionTime"], time, "that was a transition");
}

/// Neither a URL, an identity nor an emptied status stays.
#[tokio::test]
async fn a_status_edited_by_hand_is_written_back_and_changes_nothing_else() {
    let bed = Bed::new("forged").await;
    bed.ready_tenant(json!({})).await;
    let record = bed.record().await.expect("record");
    assert_written_back(&bed, json!({ "url": "https://evil.example.com/" })).await;
    assert_written_back(&bed, json!({ "identity": { "serviceAccount": "default", "incarnation": "0123456789" } }))
        .await;
    assert_written_back(&bed, json!({ "templateHash": "x", "namespace": "kube-system", "secrets": [] })).await;
    assert_written_back(&bed, json!({ "conditions": [], "phase": "Pending", "observedGeneration": -1 })).await;
    assert_eq!(bed.record().await, Some(record), "status is never an input to a decision");
}
