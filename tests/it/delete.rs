//! A deleted Tenant ends access at once, and keeps everything for its owner.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Bed, Instance, example_class};

async fn deleted(bed: &Bed, policy: &str) -> (Value, Value) {
    let tenant = bed.ready_tenant(json!({ "deletionPolicy": policy })).await;
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    let record = bed.record().await.expect("the record outlives its Tenant");
    (tenant, record)
}

#[tokio::test]
async fn delete_with_retain_keeps_everything_and_the_record_says_until_when() {
    let mut class = example_class(Instance::shared());
    class["deletion"]["retentionDays"] = json!(12);
    let bed = Bed::with_class(Instance::shared(), "retain", class).await;
    // Times in objects are whole seconds, the one that has begun.
    let before = Timestamp::now() - SignedDuration::from_secs(1);
    let (tenant, record) = deleted(&bed, "Retain").await;
    let spec = &record["spec"];
    assert_eq!(spec["phase"], "Retained");
    let time = |field: &str| -> Timestamp { spec[field].as_str().and_then(|at| at.parse().ok()).expect("a time") };
    assert!((before..Timestamp::now()).contains(&time("retainedSince")), "{spec:#}");
    let kept = time("purgeAfter").duration_since(time("retainedSince"));
    assert_eq!(kept, SignedDuration::from_hours(12 * 24), "for the days that the class says: {spec:#}");
    assert_eq!(spec["identity"]["associationId"], Value::Null, "the association is gone");
    assert!(bed.child("HTTPRoute", &bed.tenant).await.is_none());
    assert!(bed.children("Pod").await.is_empty());
    let claim = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("the claim is kept");
    assert_eq!(claim["spec"]["volumeName"], spec["storage"]["volume"]["name"]);
    let namespace = bed.get("Namespace", None, &bed.namespace()).await.expect("the namespace is kept");
    assert_eq!(namespace["metadata"]["annotations"]["openclaw.io/phase"], "Retained");
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    let value = bed.instance.secrets().get_secret_value().secret_id(name).send().await.expect("the secret is kept");
    assert_eq!(value.version_id(), tenant["status"]["secrets"][0]["versionId"].as_str());
    assert_eq!(bed.events("Retained").await.len(), 1);
}

/// `git revert` is an undelete.
#[tokio::test]
async fn the_same_owner_s_new_tenant_gets_everything_back() {
    let bed = Bed::new("revert").await;
    let (before, record) = deleted(&bed, "Retain").await;
    let after = bed.ready_tenant(json!({})).await;
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    for same in ["/status/secrets", "/status/identity/incarnation", "/status/identity/serviceAccount", "/status/url"] {
        assert_eq!(after.pointer(same), before.pointer(same), "{same}");
    }
    let claim = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    assert_eq!(claim["spec"]["volumeName"], record["spec"]["storage"]["volume"]["name"]);
    let now = bed.record().await.expect("record");
    assert_eq!(now["spec"]["storage"]["volume"], record["spec"]["storage"]["volume"], "the same volume handle");
    assert_eq!(now["spec"]["phase"], "Active");
    assert_eq!(now["spec"]["retainedSince"], Value::Null);
    assert_eq!(bed.events("Attached").await.len(), 1);
}

/// A kept name is nobody else's, whatever they call themselves.
#[tokio::test]
async fn another_owner_s_tenant_of_a_kept_name_is_refused_and_touches_nothing() {
    let bed = Bed::new("reserved").await;
    deleted(&bed, "Retain").await;
    let before = bed.get("Namespace", None, &bed.namespace()).await.expect("namespace");
    let changes = |calls: Vec<Value>| calls.into_iter().filter(|call| call["mutating"] == true).count();
    let calls = changes(bed.instance.calls(&bed.tenant).await);
    bed.apply_tenant(json!({ "owner": { "email": "mallory@example.com" } })).await.expect("taken");
    let message = bed.stalled("NameReserved").await;
    for said in ["until 20", "openclaw.io/transfer-to='mallory@example.com'", "openclaw.io/purge-now="] {
        assert!(message.contains(said), "until when, and the commands by which it is freed: {message}");
    }
    assert!(message.contains("openclaw-record-administrator"), "and by whom: {message}");
    let after = bed.get("Namespace", None, &bed.namespace()).await.expect("namespace");
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    assert_eq!(changes(bed.instance.calls(&bed.tenant).await), calls, "nothing was changed in AWS");
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("tenant");
    assert_eq!(tenant["status"]["namespace"], Value::Null, "nothing is told about somebody else's namespace");
    // Nothing hangs on it, so it goes at once.
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    assert_eq!(bed.record().await.expect("record")["spec"]["phase"], "Retained");
}

/// Pods are never killed by force; the one that stays is named, and the rest of the road waits.
#[tokio::test]
async fn a_pod_that_stays_is_named_and_waited_for() {
    let bed = Bed::new("stays").await;
    bed.ready_tenant(json!({})).await;
    let pod = format!("{}-0", bed.tenant);
    let hold = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    bed.patch("Pod", Some(&bed.namespace()), &pod, hold).await.expect("held");
    bed.delete("Tenant", None, &bed.tenant).await;
    let is_told = |tenant: &Value| {
        let message =
            crate::support::condition(tenant, "Reconciling")["message"].as_str().unwrap_or_default().to_owned();
        tenant["status"]["phase"] == "Deleting" && message.contains(&pod)
    };
    bed.until("waiting for the pod", is_told).await;
    assert_eq!(bed.record().await.expect("record")["spec"]["phase"], "Active");
    let release = json!({ "metadata": { "finalizers": null } });
    bed.patch("Pod", Some(&bed.namespace()), &pod, release).await.expect("released");
    bed.gone().await;
    assert_eq!(bed.record().await.expect("record")["spec"]["phase"], "Retained");
}
