//! Many deletions at once, and the time in which one is taken back.

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::phase;
use crate::support::{Bed, Instance, LOOKS_OFTEN, condition, eventually};

async fn all<T>(beds: &[Bed], each: impl AsyncFn(&Bed) -> T) -> Vec<T> {
    let each = &each;
    join_all(beds.iter().map(async |bed| each(bed).await)).await
}

/// Fifty Tenants with `Delete` are deleted together, by a mistake in a list: access ends, and nothing is lost before somebody
/// confirms, not even over a restart.
#[tokio::test]
async fn fifty_deletions_at_once_lose_nothing_before_somebody_confirms() {
    let instance = Instance::own();
    let operator = instance.start_operator_with(&LOOKS_OFTEN);
    let first = Bed::on(instance, "burst").await;
    let mut beds = Vec::new();
    for _ in 0..50 {
        let bed = Bed { class: first.class.clone(), ..Bed::on(instance, "burst").await };
        beds.push(bed);
    }
    // Ten at a time: how long each may take counts from when it was asked for, and not from when the first one was.
    for beds in beds.chunks(10) {
        all(beds, async |bed| bed.ready_tenant(json!({ "deletionPolicy": "Delete" })).await).await;
    }
    all(&beds, async |bed| bed.delete("Tenant", None, &bed.tenant).await).await;
    let is_held = |tenant: &Value| condition(tenant, "Ready")["reason"] == "DeletionHeld";
    let held = all(&beds, async |bed| bed.until("held", is_held).await).await;
    let message = condition(&held[0], "Ready")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("50 removals began") && message.contains("confirm-deletion="), "{message}");
    assert_eq!(beds[0].events("DeletionHeld").await.len(), 1);
    let metric = r#"openclaw_deletions{state="held"} 50"#;
    let counted = eventually(|| async { operator.get("/metrics").await?.1.contains(metric).then_some(()) }).await;
    assert!(counted.is_some(), "{metric}\n{}", operator.log());

    // Over a restart, and long after the settling time of one second.
    operator.kill();
    let operator = instance.start_operator_with(&LOOKS_OFTEN);
    let counted = eventually(|| async { operator.get("/metrics").await?.1.contains(metric).then_some(()) }).await;
    assert!(counted.is_some(), "{metric}\n{}", operator.log());
    for bed in &beds {
        assert_eq!(phase(&bed.record().await.expect("record")), "Retained");
        assert!(bed.child("PersistentVolumeClaim", &bed.tenant).await.is_some(), "{} lost its claim", bed.tenant);
        let value = instance.secrets().get_secret_value().secret_id(super::secret_name(bed)).send().await;
        assert!(value.is_ok(), "{} lost its secret", bed.tenant);
    }

    // The three that began first are let through, and nobody else.
    let (ok, listed, why) = instance.run_operator(&["deletions", "--output", "json"]);
    assert!(ok, "{why}");
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let names: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|one| one["tenant"].as_str()).collect();
    assert_eq!(names.len(), 50);
    let (ok, said, why) = instance.run_operator(&["deletions", "--confirm", "3"]);
    assert!(ok && said.starts_with("Confirmed 3 of 3"), "{said}{why}");
    let (confirmed, waiting): (Vec<Bed>, Vec<Bed>) =
        beds.into_iter().partition(|bed| names[..3].contains(&bed.tenant.as_str()));
    assert_eq!(confirmed.len(), 3);
    all(&confirmed, Bed::gone).await;
    for bed in &waiting {
        assert_eq!(phase(&bed.record().await.expect("record")), "Retained");
    }
    // One that is taken back is kept.
    waiting[0].patch_tenant(json!({ "spec": { "deletionPolicy": "Retain" } })).await.expect("taken back");
    waiting[0].gone().await;
    assert_eq!(phase(&waiting[0].record().await.expect("record")), "Retained");
}

/// The settling time is counted from the deletion, whoever leads meanwhile.
#[tokio::test]
async fn a_deletion_settles_over_a_restart() {
    const SETTLING: SignedDuration = SignedDuration::from_secs(45);
    let instance = Instance::own();
    let operator = instance.start_operator_with(&LOOKS_OFTEN);
    let mut class = crate::support::example_class(instance);
    class["deletion"]["settlingSeconds"] = json!(SETTLING.as_secs());
    let bed = Bed::with_class(instance, "settle", class).await;
    bed.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    bed.delete("Tenant", None, &bed.tenant).await;
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("a Tenant that goes");
    let deleted = tenant["metadata"]["deletionTimestamp"].as_str().expect("a time");
    let deleted: Timestamp = deleted.parse().expect("a time");
    let due = deleted + SETTLING;
    let settles = |tenant: &Value| {
        let message = condition(tenant, "Reconciling")["message"].as_str().unwrap_or_default().to_owned();
        message.contains(&format!("everything is removed from {due} on"))
    };
    bed.until("settling", settles).await;
    // Late enough that who counts anew from the restart comes long after the others.
    let late = deleted + SignedDuration::from_secs(30);
    bed.until_so("two thirds of its time", || std::future::ready((Timestamp::now() >= late).then_some(()))).await;
    assert!(operator.stop(), "it ends in good order, and the next one leads at once");
    let restarted = Timestamp::now();
    let _operator = instance.start_operator_with(&LOOKS_OFTEN);
    let begins = |record: &Value| phase(record) != "Retained";
    let record = bed.until_record("the removal", begins).await;
    let begun = Timestamp::now();
    assert!(begun >= due, "not before its time: {begun}, and it was due at {due}");
    assert!(begun < restarted + SETTLING, "counted anew since {restarted}: it was due at {due}, and began at {begun}");
    assert_eq!(record["spec"]["purge"]["begun"], json!(deleted.to_string()));
    bed.gone().await;
    assert_eq!(phase(&bed.record().await.expect("record")), "Purged");
}
