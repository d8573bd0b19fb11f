//! Before a complete uninstall.

use serde_json::{Value, json};

use super::{started::Started, volume};
use crate::support::{Bed, Instance};

/// Finalizers off, nothing else touched, and all of it attached again afterwards.
#[tokio::test]
async fn release_takes_finalizers_off_and_touches_nothing_else() {
    let instance = Instance::own();
    let operator = instance.start_operator();
    let (bed, other) = (Bed::on(instance, "release").await, Bed::on(instance, "changed").await);
    let before = bed.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    other.ready_tenant(json!({})).await;
    let handle = volume(&bed).await;
    let (ok, _, why) = instance.run_operator(&["release", "--all", "--yes"]);
    assert!(!ok && why.contains("an operator leads"), "it would put them back: {why}");
    assert!(operator.stop(), "it ends in good order and gives its lease back");

    let (ok, said, why) = instance.run_operator(&["release", "--all"]);
    assert!(ok && said.contains("Nothing was changed"), "nobody answered: {said}{why}");
    let changes = || async { instance.calls(&bed.tenant).await.iter().filter(|call| call["mutating"] == true).count() };
    let asked = changes().await;
    let mut release = Started::new(instance, &["release", "--all"]);
    release.asks();
    // Somebody changes one of them before the answer.
    other.patch_tenant(json!({ "spec": { "displayName": "Carol" } })).await.expect("changed");
    let (ok, said, why) = release.answered("yes\n");
    assert!(!ok && said.contains("Released 1 Tenants"), "the others are released all the same: {said}{why}");
    assert!(why.contains(&format!("left as they were: {}.", other.tenant)), "{why}");
    bed.delete("Tenant", None, &bed.tenant).await;
    assert_eq!(bed.get("Tenant", None, &bed.tenant).await, None, "nothing holds it");
    let (ok, said, why) = instance.run_operator(&["release", "--all", "--yes"]);
    assert!(ok && said.contains("Released 1 Tenants"), "the other one, once somebody has looked again: {said}{why}");
    let _operator = instance.start_operator();
    let after = bed.ready_tenant(json!({})).await;
    for same in ["/status/secrets", "/status/identity", "/status/url"] {
        assert_eq!(after.pointer(same), before.pointer(same), "{same}");
    }
    assert_eq!(volume(&bed).await, handle);
    assert_eq!(changes().await, asked, "nothing was changed in AWS");
}

/// Whether an operator leads is seen by whether its lease moves: the caller's clock may be ahead of its holder's, or behind.
#[tokio::test]
async fn release_believes_no_clock_about_who_leads() {
    let instance = Instance::own();
    let bed = Bed::on(instance, "clock").await;
    let lease = |renewed: &str| json!({ "spec": { "holderIdentity": "somebody_1", "leaseDurationSeconds": 15, "renewTime": renewed } });
    let place = (Some("kube-system"), "openclaw-tenant-operator");
    bed.create("Lease", place.0, place.1, lease("2020-01-01T00:00:00.000000Z")).await.expect("a lease");
    let mut release = Started::new(instance, &["release", "--all", "--yes"]);
    release.waits();
    // Years ago, by the caller's clock.
    bed.patch("Lease", place.0, place.1, lease("2020-01-01T00:00:03.000000Z")).await.expect("renewed");
    let (ok, said, why) = release.ended();
    assert!(!ok && why.contains("an operator leads (somebody_1)"), "{said}{why}");

    // In years, by the caller's clock; but nobody renews it any more.
    bed.patch("Lease", place.0, place.1, lease("2099-01-01T00:00:00.000000Z")).await.expect("renewed");
    let (ok, said, why) = instance.run_operator(&["release", "--all", "--yes"]);
    assert!(ok && said.contains("Released 0 Tenants"), "{said}{why}");
    assert!(why.contains("Waiting 15 s") && why.contains("somebody_1"), "says what it waits for: {why}");
    let after: Value = bed.get("Lease", place.0, place.1).await.expect("the lease");
    assert_eq!(after["spec"]["holderIdentity"], "somebody_1", "it is not touched");
}
