//! TenantRecords: nobody edits them, a lost one is rebuilt, and by them everybody gets back what is theirs.

mod detached;
mod policy;
mod rebuilt;

use serde_json::{Value, json};

use crate::support::{BREAK_GLASS, Bed, content};

/// The bed in the hands of somebody who breaks glass, and has no right but what the group gives.
async fn break_glass(bed: &Bed) -> Bed {
    bed.acting_as("somebody-in-an-emergency", &[BREAK_GLASS, "system:authenticated"]).await
}

/// What the record says, but for what is drawn anew in a rebuilt one, and the age of values, which nothing else knows.
fn without_nonces(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["identity"]["nonce"] = Value::Null;
    for item in spec["secrets"]["items"].as_array_mut().into_iter().flatten() {
        item["nonce"] = Value::Null;
        item["rotatedAt"] = Value::Null;
    }
    spec
}

/// The record's spec.
async fn spec(bed: &Bed) -> Value {
    bed.record().await.expect("record")["spec"].clone()
}

/// Everything that a person would miss, whole; and how often AWS was changed for it.
async fn belongings(bed: &Bed) -> Value {
    let namespace = bed.get("Namespace", None, &bed.namespace()).await.expect("namespace");
    let mut objects = vec![content(namespace)];
    let pod = format!("{}-0", bed.tenant);
    for (kind, name) in [
        ("PersistentVolumeClaim", bed.tenant.as_str()),
        ("StatefulSet", &bed.tenant),
        ("ConfigMap", &bed.tenant),
        ("HTTPRoute", &bed.tenant),
        ("NetworkPolicy", &bed.tenant),
        ("Pod", &pod),
    ] {
        objects.push(content(bed.child(kind, name).await.unwrap_or_else(|| panic!("{kind} {name}"))));
    }
    let claim = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    let volume = claim["spec"]["volumeName"].as_str().expect("bound");
    objects.push(content(bed.get("PersistentVolume", None, volume).await.expect("volume")));
    let calls = bed.instance.calls(&bed.tenant).await;
    let changes = calls.iter().filter(|call| call["mutating"] == true).count();
    json!({ "objects": objects, "changes in AWS": changes })
}
