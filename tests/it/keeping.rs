//! What is kept for an owner who may come back is kept with its secrets, whatever happens to them meanwhile.

use serde_json::{Value, json};

use crate::support::{Bed, condition};

/// Whether the token's secret is scheduled for deletion, who reads it, and its versions.
async fn token(bed: &Bed) -> (bool, String, Vec<String>) {
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    let described = bed.instance.secrets().describe_secret().secret_id(name).send().await.expect("described");
    let reader = described.tags().iter().find(|tag| tag.key() == Some("tenant-service-account"));
    let reader = reader.and_then(|tag| tag.value()).unwrap_or("nobody").to_owned();
    let mut versions: Vec<String> =
        described.version_ids_to_stages().into_iter().flat_map(|all| all.keys().cloned()).collect();
    versions.sort();
    (described.deleted_date().is_some(), reader, versions)
}

async fn schedule(bed: &Bed) {
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    bed.instance.secrets().delete_secret().secret_id(name).send().await.expect("scheduled");
}

async fn until_taken_back(bed: &Bed) {
    let is_back = || async { (!token(bed).await.0).then_some(()) };
    bed.until_so("the secret taken back", is_back).await;
}

/// The owner is told that secrets are kept only when they are.
#[tokio::test]
async fn a_secret_that_somebody_scheduled_is_taken_back_before_its_tenant_goes_and_while_it_is_kept() {
    let bed = Bed::new("kept").await;
    bed.ready_tenant(json!({})).await;
    let (_, _, versions) = token(&bed).await;
    bed.delete("Tenant", None, &bed.tenant).await;
    schedule(&bed).await;
    bed.gone().await;
    let is_kept = |(scheduled, reader, found): (bool, String, Vec<String>)| {
        assert!(!scheduled && (reader == "revoked" || reader == "nobody"), "{reader}");
        assert_eq!(found, versions);
    };
    is_kept(token(&bed).await);

    schedule(&bed).await;
    until_taken_back(&bed).await;
    is_kept(token(&bed).await);
}

/// A removal that is taken back after it has scheduled the secrets: they would have died at the end of their window, while the
/// record said that they are kept.
#[tokio::test]
async fn a_removal_that_is_taken_back_gives_the_secrets_back() {
    let bed = Bed::new("giveback").await;
    bed.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    let (_, _, versions) = token(&bed).await;
    let namespace = bed.namespace();
    let held = json!({ "metadata": { "finalizers": ["example.com/hold"] }, "data": {} });
    bed.create("ConfigMap", Some(&namespace), "held", held).await.expect("held");
    bed.delete("Tenant", None, &bed.tenant).await;
    let hangs = |tenant: &Value| {
        condition(tenant, "Reconciling")["message"].as_str().is_some_and(|said| said.contains("example.com/hold"))
    };
    bed.until("the namespace hanging", hangs).await;
    assert!(token(&bed).await.0, "scheduled");
    bed.patch_tenant(json!({ "spec": { "deletionPolicy": "Retain" } })).await.expect("taken back");
    bed.gone().await;
    let record = bed.record().await.expect("record");
    assert_eq!(record["spec"]["phase"], "Retained");
    let (scheduled, reader, found) = token(&bed).await;
    assert_eq!((scheduled, found), (false, versions));
    assert!(reader == "revoked" || reader == "nobody", "{reader}");
    let release = json!({ "metadata": { "finalizers": null } });
    bed.patch("ConfigMap", Some(&namespace), "held", release).await.expect("released");
}
