//! Volumes never shrink, and none is claimed of a storage class that cannot keep it safe.

use serde_json::{Value, json};

use crate::support::{Bed, Instance, condition, content, example_class, refusal};

fn size(size: &str) -> Value {
    json!({ "storage": { "size": size } })
}

/// Neither in one step nor in two.
#[tokio::test]
async fn storage_that_was_asked_for_neither_shrinks_nor_goes() {
    let bed = Bed::new("shrink").await;
    bed.ready_tenant(size("20Gi")).await;
    for smaller in [size("10Gi"), size("20479Mi"), json!({})] {
        let message = refusal(bed.apply_tenant(smaller).await);
        assert!(message.contains("storage can grow but never shrink"), "{message}");
        assert!(message.contains("set storage.size to at least its present value"), "{message}");
    }
    bed.apply_tenant(size("20480Mi")).await.expect("the same in other words");
    bed.ready().await;
}

/// The API server cannot know the live size; the operator does.
#[tokio::test]
async fn a_first_size_below_the_live_volume_stalls_and_a_sufficient_one_mends_it() {
    let bed = Bed::new("below").await;
    bed.ready_tenant(json!({})).await;
    let claim = bed.child("PersistentVolumeClaim", &bed.tenant).await.map(content);
    bed.apply_tenant(size("5Gi")).await.expect("taken");
    let message = bed.stalled("StorageShrunk").await;
    assert!(message.contains("5Gi") && message.contains("set at least 10Gi"), "{message}");
    assert_eq!(bed.child("PersistentVolumeClaim", &bed.tenant).await.map(content), claim, "the claim is as it was");
    bed.apply_tenant(size("10Gi")).await.expect("taken");
    bed.ready().await;
}

/// The class has the last word, and may say another.
#[tokio::test]
async fn a_size_above_the_class_s_maximum_stalls_until_the_class_allows_it() {
    let bed = Bed::new("too-large").await;
    bed.ready_tenant(json!({})).await;
    bed.apply_tenant(size("200Gi")).await.expect("taken");
    let message = bed.stalled("StorageAboveMaximum").await;
    assert!(message.contains("200Gi") && message.contains("100Gi"), "{message}");
    let mut class = example_class(bed.instance);
    class["storage"]["maximum"] = json!("200Gi");
    bed.apply_class(class).await.expect("class");
    bed.ready().await;
}

/// S5: said before any claim is made, and mended by an administrator.
#[tokio::test]
async fn no_claim_is_made_while_the_storage_class_is_missing() {
    let bed = bed_with_storage_class("no-class").await;
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("StorageClassNotFound").await;
    assert!(message.contains(&bed.class), "{message}");
    assert_unclaimed(&bed).await;
    make_storage_class(&bed, "Immediate").await;
    bed.ready().await;
}

/// S5: a volume that comes with the pod would come before it was set to Retain.
#[tokio::test]
async fn no_claim_is_made_of_a_storage_class_that_waits_for_a_pod() {
    let bed = bed_with_storage_class("waits").await;
    make_storage_class(&bed, "WaitForFirstConsumer").await;
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("BindingModeUnsupported").await;
    assert!(message.contains("WaitForFirstConsumer") && message.contains("volumeBindingMode Immediate"), "{message}");
    assert_unclaimed(&bed).await;
    bed.delete("StorageClass", None, &bed.class).await;
    bed.stalled("StorageClassNotFound").await;
    make_storage_class(&bed, "Immediate").await;
    bed.ready().await;
}

/// A bed whose class names a storage class of its own, which is not there.
async fn bed_with_storage_class(test: &str) -> Bed {
    let bed = Bed::new(test).await;
    bed.delete("TenantClass", None, &bed.class).await;
    let mut class = example_class(Instance::shared());
    class["storage"]["className"] = json!(bed.class);
    bed.apply_class(class).await.expect("class");
    bed
}

async fn make_storage_class(bed: &Bed, mode: &str) {
    let model = bed.get("StorageClass", None, bed.instance.fact("/storageClass")).await.expect("the local one");
    let body = json!({
        "provisioner": model["provisioner"],
        "reclaimPolicy": "Retain",
        "volumeBindingMode": mode,
    });
    bed.create("StorageClass", None, &bed.class, body).await.expect("StorageClass");
}

async fn assert_unclaimed(bed: &Bed) {
    assert_eq!(bed.children("PersistentVolumeClaim").await, Vec::<Value>::new());
    assert_eq!(bed.children("StatefulSet").await, Vec::<Value>::new(), "no workload without its volume");
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("Tenant");
    assert_eq!(condition(&tenant, "StorageReady")["status"], "False");
}
