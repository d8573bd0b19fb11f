//! The road's end: what is removed, when, what holds it, and how it is had back.
//!
//! The breaker counts every removal of a cluster, and most tests here make one: they share a platform of their own on which
//! many records stand. What is about the breaker itself has another.

mod breaker;
mod discovery;
mod orders;
mod release;
mod started;

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{Bed, Instance, LOOKS_OFTEN, OperatorProcess, condition};

/// So many records that a test more or less is no burst.
const FLEET: usize = 300;

/// A platform with many records, and a bed on it.
pub async fn bed(test: &str) -> Bed {
    static SHARED: OnceLock<(Instance, OperatorProcess)> = OnceLock::new();
    static FILLED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let (instance, _) = SHARED.get_or_init(|| {
        let instance = Instance::start();
        let operator = instance.start_operator_with(&LOOKS_OFTEN);
        (instance, operator)
    });
    FILLED.get_or_init(|| fill(instance)).await;
    Bed::on(instance, test).await
}

/// Records of tenants that are nobody's: they only count.
async fn fill(instance: &'static Instance) {
    let bed = Bed::on(instance, "fleet").await;
    let somebody = bed.acting_as("somebody-who-restores", &["openclaw:break-glass", "system:authenticated"]).await;
    for number in 0..FLEET {
        let name = format!("fleet-{number}");
        let spec = json!({
            "phase": "Active",
            "incarnation": format!("{number:010}"),
            "owner": { "hash": "0".repeat(64) },
            "className": bed.class,
            "namespace": { "name": format!("openclaw-{name}"), "prefix": "openclaw-" },
            "serviceAccount": format!("workspace-{number:010}"),
            "identity": { "mode": "None", "nonce": "0".repeat(32) },
            "secrets": { "mode": "None", "prefix": "openclaw" },
            "storage": { "className": "standard", "size": "1Gi" },
            "routing": { "mode": "Host" },
            "retirement": { "deletionPolicy": "Retain", "recoveryWindowDays": 7 },
        });
        somebody.create("TenantRecord", None, &name, json!({ "spec": spec })).await.expect("a record");
    }
}

/// The volume that the tenant's claim is bound to, by what the storage calls it.
async fn volume(bed: &Bed) -> (String, Value) {
    let claim = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    let name = claim["spec"]["volumeName"].as_str().expect("bound").to_owned();
    let volume = bed.get("PersistentVolume", None, &name).await.expect("volume");
    let spec = &volume["spec"];
    (name, json!([spec["csi"], spec["hostPath"], spec["local"]]))
}

fn secret_name(bed: &Bed) -> String {
    format!("openclaw/{}/gateway-token", bed.tenant)
}

/// The tags of the tenant's secret, and whether it is scheduled for deletion.
async fn secret(bed: &Bed) -> (Vec<String>, bool) {
    let described = bed.instance.secrets().describe_secret().secret_id(secret_name(bed)).send().await.expect("secret");
    let keys = described.tags().iter().filter_map(|tag| tag.key().map(str::to_owned)).collect();
    (keys, described.deleted_date().is_some())
}

fn phase(record: &Value) -> &str {
    record["spec"]["phase"].as_str().unwrap_or_default()
}

/// A Tenant with `Delete` that was deleted and is gone with everything it had.
async fn purged(bed: &Bed) -> Value {
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    let record = bed.record().await.expect("the record outlives everything");
    assert_eq!(phase(&record), "Purged", "the finalizer goes last: {record:#}");
    record
}

/// Delete: one road to its end, with a receipt that names everything.
#[tokio::test]
async fn delete_removes_everything_and_leaves_a_receipt() {
    let bed = bed("delete").await;
    let tenant = bed.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    let (name, _) = volume(&bed).await;
    let record = purged(&bed).await;
    assert_eq!(bed.get("Namespace", None, &bed.namespace()).await, None);
    assert_eq!(bed.get("PersistentVolume", None, &name).await, None);
    let (tags, is_scheduled) = secret(&bed).await;
    assert!(is_scheduled && !tags.iter().any(|tag| tag.starts_with("tenant-")), "{tags:?}");
    assert!(tags.iter().any(|tag| tag == "openclaw-incarnation"), "the identifying tags stay: {tags:?}");

    let purge = &record["spec"]["purge"];
    assert_eq!(purge["cause"], "Deleted");
    assert!(purge["recoverableUntil"].is_string() && purge["ended"].is_string(), "{purge:#}");
    let receipt = purge["receipt"].as_array().expect("a receipt");
    let outcome = |kind: &str| {
        let line = receipt.iter().find(|line| line["kind"] == kind);
        line.unwrap_or_else(|| panic!("no {kind} in {receipt:#?}"))["outcome"].clone()
    };
    for kind in [
        "Namespace",
        "ResourceQuota",
        "LimitRange",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "ServiceAccount",
        "PersistentVolumeClaim",
        "ConfigMap",
        "Service",
        "StatefulSet",
        "HTTPRoute",
        "PersistentVolume",
        "PodIdentityAssociation",
    ] {
        assert_eq!(outcome(kind), "Removed", "{kind}");
    }
    assert_eq!(outcome("Secret"), "Scheduled");
    let events = bed.events("Purged").await;
    assert!(events.len() == 1 && events[0].contains("can be restored until"), "{events:?}");
    assert!(bed.instance.log_about(&bed.tenant).contains("is removed"), "a line in the log");
    assert!(tenant["status"]["namespace"].is_string());
}

/// A finalizer of somebody else's holds one namespace, is named, and holds nobody else.
#[tokio::test]
async fn a_stuck_namespace_is_told_with_its_blocker_and_holds_nobody_else() {
    let (stuck, other) = (bed("stuck").await, bed("unstuck").await);
    stuck.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    other.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    let namespace = stuck.namespace();
    let held = json!({ "metadata": { "finalizers": ["example.com/hold"] }, "data": {} });
    stuck.create("ConfigMap", Some(&namespace), "held", held).await.expect("held");
    stuck.delete("Tenant", None, &stuck.tenant).await;
    let names_it = |tenant: &Value| {
        let message = condition(tenant, "Reconciling")["message"].as_str().unwrap_or_default().to_owned();
        message.contains("example.com/hold")
    };
    stuck.until("told with its blocker", names_it).await;
    purged(&other).await;
    let record = stuck.record().await.expect("record");
    assert_eq!(phase(&record), "Purging");
    let volume = record["spec"]["storage"]["volume"]["name"].as_str().expect("a volume").to_owned();
    assert!(stuck.get("PersistentVolume", None, &volume).await.is_some(), "the data goes last");
    let release = json!({ "metadata": { "finalizers": null } });
    stuck.patch("ConfigMap", Some(&namespace), "held", release).await.expect("released");
    stuck.gone().await;
    assert_eq!(phase(&stuck.record().await.expect("record")), "Purged");
}

/// Inside the recovery window the owner gets the very same secrets, under the same incarnation.
#[tokio::test]
async fn an_owner_who_comes_back_inside_the_recovery_window_gets_the_same_secrets() {
    let bed = bed("return").await;
    let before = bed.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    purged(&bed).await;
    // Nobody else does.
    bed.apply_tenant(json!({ "owner": { "email": "mallory@example.com" } })).await.expect("taken");
    let message = bed.stalled("NameReserved").await;
    assert!(message.contains("can be restored until 20") && message.contains("transfer-to"), "{message}");
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;

    let after = bed.ready_tenant(json!({})).await;
    for same in ["/status/secrets", "/status/identity/incarnation", "/status/identity/serviceAccount"] {
        assert_eq!(after.pointer(same), before.pointer(same), "{same}");
    }
    let (tags, is_scheduled) = secret(&bed).await;
    assert!(!is_scheduled && tags.iter().any(|tag| tag == "tenant-service-account"), "{tags:?}");
    let record = bed.record().await.expect("record");
    assert_eq!(phase(&record), "Active");
    assert_eq!(record["spec"]["history"][0]["event"], "Purged");
}

/// Where nothing can be restored the name is anybody's, and what was before is not forgotten.
#[tokio::test]
async fn where_there_are_no_secrets_the_next_owner_begins_another_incarnation_at_once() {
    let bed = bed("next").await;
    let mut class = crate::support::example_class(bed.instance);
    class["secrets"] = json!({ "mode": "None" });
    bed.delete("TenantClass", None, &bed.class).await;
    bed.apply_class(class).await.expect("class");
    let before = bed.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    purged(&bed).await;
    let after = bed.ready_tenant(json!({ "owner": { "email": "next@example.com" } })).await;
    assert_ne!(after["status"]["identity"]["incarnation"], before["status"]["identity"]["incarnation"]);
    let record = bed.record().await.expect("record");
    assert_eq!(record["spec"]["history"][0]["incarnation"], before["status"]["identity"]["incarnation"]);
    assert!(record["spec"]["history"][0]["purge"]["receipt"].is_array());
}

/// A deletion that has not gone too far is taken back on the Tenant itself; a halted class lets none go on.
#[tokio::test]
async fn a_halted_deletion_is_held_and_taken_back_with_retain() {
    let bed = bed("halt").await;
    let before = bed.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    let handle = volume(&bed).await;
    let halt = |value: Value| json!({ "metadata": { "annotations": { "openclaw.io/halt": value } } });
    bed.patch("TenantClass", None, &bed.class, halt(json!("true"))).await.expect("halted");
    bed.delete("Tenant", None, &bed.tenant).await;
    let is_held = |tenant: &Value| condition(tenant, "Ready")["reason"] == "DeletionHeld";
    let tenant = bed.until("held", is_held).await;
    assert_eq!(condition(&tenant, "Reconciling"), Value::Null);
    assert_eq!(condition(&tenant, "Stalled"), Value::Null);
    assert!(condition(&tenant, "Ready")["message"].as_str().is_some_and(|said| said.contains("deletionPolicy")));
    assert!(bed.children("Pod").await.is_empty(), "the end of access does not wait");
    bed.patch_tenant(json!({ "spec": { "deletionPolicy": "Retain" } })).await.expect("taken back");
    bed.gone().await;
    assert_eq!(phase(&bed.record().await.expect("record")), "Retained");
    bed.patch("TenantClass", None, &bed.class, halt(Value::Null)).await.expect("not halted");
    let after = bed.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    assert_eq!(after["status"]["secrets"], before["status"]["secrets"]);
    assert_eq!(volume(&bed).await, handle);
}
