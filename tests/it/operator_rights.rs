//! What the operator itself may write: tenants' and nothing beside, whatever its ClusterRole says. It is played by an administrator
//! who acts in its name, so that nothing but the policies stands in the way.

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::support::{Bed, refusal};

const OPERATOR: &str = "system:serviceaccount:openclaw-system:openclaw-tenant-operator";

/// Admission is asked, and nothing is done.
fn rehearsed() -> DeleteParams {
    DeleteParams { dry_run: true, ..DeleteParams::default() }
}

fn in_namespace(namespace: &str, body: &Value) -> Value {
    let mut body = body.clone();
    body["metadata"]["namespace"] = json!(namespace);
    body
}

#[tokio::test]
async fn the_operator_writes_in_tenants_namespaces_only() {
    let bed = Bed::new("rights").await;
    bed.ready_tenant(json!({})).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let tenants = bed.namespace();
    for (kind, body) in [
        ("ConfigMap", json!({ "data": {} })),
        ("ServiceAccount", json!({})),
        ("NetworkPolicy", json!({ "spec": { "podSelector": {} } })),
        ("ResourceQuota", json!({ "spec": {} })),
        ("Secret", json!({})),
    ] {
        let name = format!("of-{}", bed.tenant);
        for place in ["default", "kube-system", "openclaw-system"] {
            let message = refusal(operator.create(kind, Some(place), &name, in_namespace(place, &body)).await);
            assert!(message.contains(&format!("namespace {place} does not")), "{kind}: {message}");
        }
        operator.create(kind, Some(&tenants), &name, in_namespace(&tenants, &body)).await.expect("a tenant's");
        operator.delete(kind, Some(&tenants), &name).await;
    }
    let message =
        refusal(operator.delete_with("ConfigMap", Some("kube-system"), "kube-root-ca.crt", &rehearsed()).await);
    assert!(message.contains("DELETE of configmaps is refused"), "{message}");
    let lease = json!({ "metadata": { "namespace": "default" }, "spec": {} });
    refusal(operator.create("Lease", Some("default"), "openclaw-tenant-operator", lease).await);
    // Nobody else is meant.
    let own = format!("own-{}", bed.tenant);
    bed.create("ConfigMap", Some("default"), &own, in_namespace("default", &json!({})))
        .await
        .expect("an administrator's");
    bed.delete("ConfigMap", Some("default"), &own).await;
}

#[tokio::test]
async fn outside_of_tenants_namespaces_the_operator_writes_one_grant_for_each_tenant() {
    let bed = Bed::new("grants").await;
    let interceptor = format!("keda-{}", bed.tenant);
    bed.make_interceptor(&interceptor).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let spec = json!({
        "from": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": bed.namespace() }],
        "to": [{ "group": "", "kind": "Service" }],
    });
    let grant = |labels: Value| in_namespace(&interceptor, &json!({ "metadata": { "labels": labels }, "spec": spec }));
    let own = format!("openclaw-{}", bed.tenant);
    let labels = json!({ "openclaw.io/tenant": bed.tenant });
    for (name, labels) in [(own.as_str(), json!({})), ("openclaw-another", labels.clone()), ("any", labels.clone())] {
        refusal(operator.create("ReferenceGrant", Some(&interceptor), name, grant(labels)).await);
    }
    operator.create("ReferenceGrant", Some(&interceptor), &own, grant(labels)).await.expect("the tenant's");
    operator.delete("ReferenceGrant", Some(&interceptor), &own).await;
    bed.delete("Namespace", None, &interceptor).await;
}

#[tokio::test]
async fn the_operator_deletes_a_namespace_only_after_it_said_so_on_it() {
    let bed = Bed::new("approved").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let namespace = bed.namespace();
    let rehearsed = rehearsed();
    let delete = || operator.delete_with("Namespace", None, &namespace, &rehearsed);
    let message = refusal(delete().await);
    assert!(message.contains("openclaw.io/delete-approved"), "{message}");
    let approve = |uid: Value| json!({ "metadata": { "annotations": { "openclaw.io/delete-approved": uid } } });
    // Where the operator is at work it takes away what it did not put there.
    bed.patch_tenant(json!({ "metadata": { "annotations": { "openclaw.io/paused": "true" } } })).await.expect("paused");
    operator.patch("Namespace", None, &namespace, approve(json!("another"))).await.expect("marked");
    refusal(delete().await);
    let uid = bed.get("Namespace", None, &namespace).await.expect("there")["metadata"]["uid"].clone();
    operator.patch("Namespace", None, &namespace, approve(uid)).await.expect("marked");
    delete().await.expect("approved");

    let name = format!("other-{}", bed.tenant);
    refusal(operator.create("Namespace", None, &name, json!({})).await);
    let labels = json!({ "metadata": { "labels": { "openclaw.io/managed": "true", "openclaw.io/tenant": "other" } } });
    operator.create("Namespace", None, &name, labels).await.expect("with our labels");
    bed.breaking_glass().await.delete("Namespace", None, &name).await;
}

#[tokio::test]
async fn of_a_volume_the_operator_changes_what_becomes_of_it_and_its_own_marks() {
    let bed = Bed::new("volumes").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let record = bed.record().await.expect("a record");
    let volume = record["spec"]["storage"]["volume"]["name"].as_str().expect("a volume").to_owned();
    for refused in [
        json!({ "metadata": { "labels": { "team": "blue" } } }),
        json!({ "metadata": { "annotations": { "pv.kubernetes.io/provisioned-by": "somebody" } } }),
        json!({ "spec": { "storageClassName": "another" } }),
        json!({ "spec": { "mountOptions": ["ro"] } }),
        json!({ "spec": { "capacity": { "storage": "1Ti" } } }),
    ] {
        let message = refusal(operator.patch("PersistentVolume", None, &volume, refused.clone()).await);
        assert!(message.contains("the operator changes"), "{refused}: {message}");
    }
    let message = refusal(operator.delete_with("PersistentVolume", None, &volume, &rehearsed()).await);
    assert!(message.contains("neither makes nor deletes"), "{message}");
    let mark = json!({ "metadata": { "annotations": { "openclaw.io/test": "x" } }, "spec": { "persistentVolumeReclaimPolicy": "Retain" } });
    operator.patch("PersistentVolume", None, &volume, mark).await.expect("its own");
}
