//! Where many Tenants come at once, as many are begun as can soon have their workspaces (docs/decisions/0023).

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Bed, Instance, example_class};

/// With one tenant worked on at a time, four are begun.
const PLACES: usize = 4;

/// A storage class whose provisioner nobody runs: whoever has it is begun, and gets no workspace.
async fn nowhere(instance: &'static Instance) -> Value {
    let maker = Bed::on(instance, "nowhere").await;
    let storage = json!({
        "provisioner": "nobody.example.com", "reclaimPolicy": "Retain", "volumeBindingMode": "Immediate",
    });
    maker.create("StorageClass", None, &maker.class, storage).await.expect("StorageClass");
    let mut class = example_class(instance);
    class["storage"]["className"] = json!(maker.class);
    class
}

async fn begun(beds: &[Bed]) -> usize {
    join_all(beds.iter().map(Bed::record)).await.into_iter().flatten().count()
}

/// When each was recorded, the first first.
fn recorded(instance: &Instance, beds: &[Bed]) -> Vec<Timestamp> {
    let made = instance.audited(|event| {
        event["verb"] == "create"
            && event["objectRef"]["resource"] == "tenantrecords"
            && event["responseStatus"]["code"] == 201
            && beds.iter().any(|bed| event["objectRef"]["name"] == bed.tenant)
    });
    let time = |event: &Value| event["requestReceivedTimestamp"].as_str()?.parse().ok();
    let mut times: Vec<Timestamp> = made.iter().filter_map(time).collect();
    times.sort_unstable();
    times
}

/// They wait for a minute at most for those that do not get on. Whoever was begun before, and whoever goes, waits for nobody.
#[tokio::test]
async fn who_has_nothing_yet_waits_for_those_before_and_nobody_else_does() {
    let instance = Instance::own();
    let operator = instance.start_operator_with(&["--concurrency", "1"]);
    let resident = Bed::on(instance, "resident").await;
    resident.ready_tenant(json!({})).await;
    let class = nowhere(instance).await;
    let mut beds = Vec::new();
    for _ in 0..PLACES + 2 {
        beds.push(Bed::with_class(instance, "newcomer", class.clone()).await);
    }
    for bed in &beds {
        bed.apply_tenant(json!({})).await.expect("taken");
    }
    resident.until_so("as many as there are places", || async { (begun(&beds).await == PLACES).then_some(()) }).await;

    resident
        .patch_tenant(json!({ "spec": { "env": [{ "name": "LOG_LEVEL", "value": "debug" }] } }))
        .await
        .expect("edited");
    resident
        .until("Ready with what was edited", |tenant| {
            tenant["metadata"]["generation"] == tenant["status"]["observedGeneration"]
                && tenant["status"]["phase"] == "Ready"
        })
        .await;
    let waits = beds.last().expect("the last");
    assert_eq!(waits.record().await, None, "its turn has not come\n{}", operator.log());
    waits.delete("Tenant", None, &waits.tenant).await;
    waits.gone().await;

    let next = &beds[..=PLACES];
    resident.until_so("the next one", || async { (begun(next).await == PLACES + 1).then_some(()) }).await;
    let times = recorded(instance, &beds);
    // A minute from when the first took its place, which is before it was recorded.
    let pause = times[PLACES].duration_since(times[0]);
    assert!(times.len() == PLACES + 1 && pause > SignedDuration::from_secs(55), "{times:?}\n{}", operator.log());
}
