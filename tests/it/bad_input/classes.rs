//! Classes that are not there, go, come back, or would change what data hangs on.

use serde_json::{Value, json};

use crate::support::{Bed, Instance, content, example_class, merge, refusal};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555";

/// A class with something else in it.
fn class_with(change: Value) -> Value {
    let mut class = example_class(Instance::shared());
    merge(&mut class, change);
    class
}

/// Everything by which one would notice that a tenant was touched.
async fn traces(bed: &Bed) -> Value {
    let whole = |object: Option<Value>| content(object.expect("it stands"));
    json!({
        "namespace": whole(bed.get("Namespace", None, &bed.namespace()).await),
        "record": whole(bed.record().await),
        "set": whole(bed.child("StatefulSet", &bed.tenant).await),
        "pod": whole(bed.child("Pod", &format!("{}-0", bed.tenant)).await),
        "policy": whole(bed.child("NetworkPolicy", &bed.tenant).await),
        "claim": whole(bed.child("PersistentVolumeClaim", &bed.tenant).await),
        "changes in AWS": changes(bed).await,
    })
}

async fn changes(bed: &Bed) -> usize {
    let calls = bed.instance.calls(&bed.tenant).await;
    calls.iter().filter(|call| call["mutating"] == true).count()
}

/// Nothing at all is written before it is known what is to be written.
#[tokio::test]
async fn an_unknown_class_stalls_with_nothing_written_and_is_ready_when_the_class_appears() {
    let bed = Bed::new("unknown").await;
    let class = bed.get("TenantClass", None, &bed.class).await.expect("class");
    bed.delete("TenantClass", None, &bed.class).await;
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("ClassNotFound").await;
    assert!(message.contains(&bed.class) && message.contains("Create the class or name another"), "{message}");
    assert_eq!(bed.get("Namespace", None, &bed.namespace()).await, None);
    assert_eq!(bed.record().await, None);
    assert_eq!(bed.instance.calls(&bed.tenant).await, Vec::<Value>::new(), "AWS was not even asked");
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("Tenant");
    assert_eq!(tenant["metadata"]["finalizers"], Value::Null, "it can go as it came");

    bed.apply_class(class["spec"].clone()).await.expect("class");
    bed.ready().await;
}

/// A class that goes takes nothing with it.
#[tokio::test]
async fn a_class_that_is_deleted_while_tenants_use_it_leaves_them_running() {
    let bed = Bed::new("class-goes").await;
    bed.ready_tenant(json!({})).await;
    let before = traces(&bed).await;
    bed.delete("TenantClass", None, &bed.class).await;
    let message = bed.stalled("ClassNotFound").await;
    assert!(message.contains("the tenant stays as it is"), "{message}");
    bed.apply_class(example_class(bed.instance)).await.expect("class");
    bed.ready().await;
    assert_eq!(traces(&bed).await, before, "nothing was touched, neither without the class nor when it came back");
}

/// The API server holds what tenants' data hangs on.
#[tokio::test]
async fn what_data_hangs_on_cannot_be_edited_in_a_class() {
    let bed = Bed::new("class-edit").await;
    let path = json!({ "routing": { "mode": "Path", "acceptSharedOrigin": true } });
    let rows = [
        (json!({ "namespacePrefix": "other-" }), "the namespace prefix never changes"),
        (json!({ "storage": { "className": "other" } }), "the storage class never changes"),
        (json!({ "identity": { "mode": "None" } }), "the identity mode never changes"),
        (json!({ "secrets": { "mode": "None" } }), "the secrets mode never changes"),
        (json!({ "secrets": { "kmsKeyArn": KEY } }), "the KMS key never changes"),
        (path, "the routing mode never changes"),
    ];
    for (change, says) in rows {
        let message = refusal(bed.apply_class(class_with(change)).await);
        assert!(message.contains(says) && message.contains("make another class"), "{message}");
    }
    let mut without_identity = example_class(bed.instance);
    without_identity.as_object_mut().expect("a class").remove("identity");
    let message = refusal(bed.apply_class(without_identity).await);
    assert!(message.contains("the identity mode never changes"), "also by taking the block away: {message}");
    bed.apply_class(class_with(json!({ "budgetMonthlyUSD": 7 }))).await.expect("the rest may change");
}

/// What the API server cannot hold, the record does: a class can be deleted and made again.
#[tokio::test]
async fn a_class_that_is_made_again_with_something_else_stalls_its_tenants_and_touches_nothing() {
    let bed = Bed::new("class-again").await;
    bed.ready_tenant(json!({})).await;
    let before = traces(&bed).await;
    let path = json!({ "routing": { "mode": "Path", "acceptSharedOrigin": true } });
    let rows = [
        (json!({ "namespacePrefix": "other-" }), "namespacePrefix is other- in the class, openclaw- in the record"),
        (json!({ "storage": { "className": "other" } }), "storage.className is other in the class"),
        (json!({ "identity": { "mode": "None" } }), "identity.mode is None in the class, SharedRole in the record"),
        (path, "routing.mode is Path in the class, Host in the record"),
    ];
    for (change, says) in rows {
        bed.delete("TenantClass", None, &bed.class).await;
        bed.stalled("ClassNotFound").await;
        bed.apply_class(class_with(change)).await.expect("another class of that name");
        let message = bed.stalled("ClassMismatch").await;
        assert!(message.contains(says), "{message}");
    }
    assert_eq!(bed.get("Namespace", None, &format!("other-{}", bed.tenant)).await, None);
    bed.delete("TenantClass", None, &bed.class).await;
    bed.stalled("ClassNotFound").await;
    bed.apply_class(example_class(bed.instance)).await.expect("class");
    bed.ready().await;
    assert_eq!(traces(&bed).await, before);
}

/// The same answer to a Tenant that names another class, and a class that agrees is taken.
#[tokio::test]
async fn a_tenant_moves_to_a_class_that_agrees_and_to_no_other() {
    let bed = Bed::new("move").await;
    bed.ready_tenant(json!({})).await;
    let before = traces(&bed).await;
    let (other, fitting) = (format!("{}-other", bed.class), format!("{}-fitting", bed.class));
    let spec = class_with(json!({ "namespacePrefix": "other-" }));
    bed.apply("TenantClass", None, &other, json!({ "spec": spec })).await.expect("class");
    let spec = class_with(json!({ "quota": { "pods": 12 } }));
    bed.apply("TenantClass", None, &fitting, json!({ "spec": spec })).await.expect("class");

    bed.apply_tenant(json!({ "className": other })).await.expect("taken");
    let message = bed.stalled("ClassMismatch").await;
    assert!(message.contains(&format!("such as the former {}", bed.class)), "{message}");
    assert_eq!(traces(&bed).await, before);
    bed.apply_tenant(json!({ "className": fitting })).await.expect("taken");
    bed.ready().await;
    let quota = bed.child("ResourceQuota", &bed.tenant).await.expect("quota");
    assert_eq!(quota["spec"]["hard"]["pods"], "12");
    assert_eq!(traces(&bed).await["pod"], before["pod"], "nothing of the pod differs");
    assert_eq!(bed.record().await.expect("record")["spec"]["className"], fitting);
}
