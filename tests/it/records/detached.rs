//! A missing Tenant is not a deletion (S3): everything stays, and its owner gets it back.

use kube::api::{DeleteParams, Preconditions};
use serde_json::{Value, json};

use super::{belongings, spec};
use crate::support::{Bed, condition};

/// Lets the Tenant go without the operator having a say: the finalizer is taken off, and that very state deleted.
/// Where the operator puts the finalizer back in between, the precondition fails, and it is done anew.
pub async fn vanish(bed: &Bed) {
    let vanished = || async {
        let without = json!({ "metadata": { "finalizers": null } });
        let tenant = bed.patch_tenant(without).await.expect("finalizer off");
        let resource_version = tenant["metadata"]["resourceVersion"].as_str().map(str::to_owned);
        let preconditions = Preconditions { resource_version, uid: None };
        let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match bed.delete_with("Tenant", None, &bed.tenant, &parameters).await {
            Ok(_) => Some(()),
            Err(kube::Error::Api(status)) if status.code == 409 => None,
            Err(error) => panic!("{error}"),
        }
    };
    bed.until_so("the end of the Tenant", vanished).await;
    assert_eq!(bed.get("Tenant", None, &bed.tenant).await, None);
}

/// The same person's next Tenant of that name holds what the last one held.
#[tokio::test]
async fn a_tenant_that_vanished_is_detached_and_its_owner_gets_everything_back() {
    let bed = Bed::new("detach").await;
    let first = bed.ready_tenant(json!({})).await;
    let (before, belonged) = (spec(&bed).await, belongings(&bed).await);
    vanish(&bed).await;
    assert_eq!(spec(&bed).await, before, "still Active: nobody ended it");

    let second = bed.ready_tenant(json!({})).await;
    assert_ne!(second["metadata"]["uid"], first["metadata"]["uid"]);
    assert_eq!(second["status"]["identity"], first["status"]["identity"]);
    assert_eq!(second["status"]["secrets"], first["status"]["secrets"]);
    let mut after = spec(&bed).await;
    assert_eq!(after["tenantUid"], second["metadata"]["uid"]);
    after["tenantUid"] = before["tenantUid"].clone();
    assert_eq!(after, before, "only whose hands it is in has changed");
    assert_eq!(belongings(&bed).await, belonged, "nothing was touched, neither without the Tenant nor by its return");
    let told = || async { bed.events("Attached").await.into_iter().next() };
    bed.until_so("an event that says so", told).await;
}

/// Somebody else who comes by that name gets nothing and is told nothing.
#[tokio::test]
async fn another_owner_s_tenant_of_a_detached_name_stalls_and_touches_nothing() {
    let bed = Bed::new("another").await;
    bed.ready_tenant(json!({})).await;
    let (before, belonged) = (spec(&bed).await, belongings(&bed).await);
    vanish(&bed).await;
    let written = bed.instance.writes_about(&bed.namespace()).len();

    let mallory = json!({ "owner": { "email": "mallory@example.com" } });
    bed.apply_tenant(mallory).await.expect("taken");
    let message = bed.stalled("NameReserved").await;
    assert!(message.contains("is kept for another owner") && message.contains("openclaw.io/transfer-to"), "{message}");
    assert!(!message.contains(&bed.email()), "not whose: {message}");
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("Tenant");
    for secret in ["namespace", "url", "identity", "secrets", "gateway"] {
        assert_eq!(tenant["status"][secret], Value::Null, "{secret} of somebody else is not told");
    }
    assert_eq!(condition(&tenant, "Ready")["status"], "False");
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    assert_eq!(spec(&bed).await, before);
    assert_eq!(bed.instance.writes_about(&bed.namespace()).len(), written, "not even an attempt");

    bed.ready_tenant(json!({})).await;
    assert_eq!(belongings(&bed).await, belonged, "and the owner gets it all");
}
