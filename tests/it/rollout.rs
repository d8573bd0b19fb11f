//! The roll-out gate, and rotations that a crash interrupts. Each test has a platform of its own: the gate is the fleet's.

use serde_json::{Value, json};

use crate::{
    rotate,
    support::{Bed, Fault, Instance, condition, eventually, example_class, merge},
};

/// A class whose pods get another variable, with a gate of this width.
fn class(instance: &Instance, level: &str, max_in_flight: u16) -> Value {
    let mut class = example_class(instance);
    merge(
        &mut class,
        json!({
            "rollout": { "maxInFlight": max_in_flight, "maxFailures": 1, "deadlineSeconds": 30 },
            "workload": { "env": [{ "name": "LOG_LEVEL", "value": level }], "terminationGracePeriodSeconds": 1 },
        }),
    );
    class
}

/// Tenants of one class.
async fn fleet(instance: &'static Instance, count: usize) -> Vec<Bed> {
    let first = Bed::with_class(instance, "fleet", class(instance, "info", 1)).await;
    let class = first.class.clone();
    first.ready_tenant(json!({})).await;
    let mut beds = vec![first];
    for _ in 1..count {
        let mut bed = Bed::on(instance, "fleet").await;
        bed.class.clone_from(&class);
        bed.ready_tenant(json!({})).await;
        beds.push(bed);
    }
    beds
}

async fn is_rolled(bed: &Bed, level: &str) -> bool {
    let pod = bed.child("Pod", &format!("{}-0", bed.tenant)).await.unwrap_or(Value::Null);
    pod["spec"]["containers"].to_string().contains(&format!("\"value\":\"{level}\""))
}

/// From being let through to being ready again, as the record was written.
fn time_at_the_gate(bed: &Bed) -> (String, String) {
    let writes = bed.instance.writes_about(&bed.tenant);
    let of_record = writes.iter().filter(|event| event["objectRef"]["resource"] == "tenantrecords");
    let times: Vec<String> =
        of_record.map(|event| event["stageTimestamp"].as_str().unwrap_or_default().to_owned()).collect();
    let [.., begin, end] = times.as_slice() else { panic!("the record was not written twice: {times:?}") };
    (begin.clone(), end.clone())
}

/// Section 8: with a gate of one, no two tenants restart at the same time, and all of them do.
#[tokio::test]
async fn tenants_restart_one_after_the_other_through_a_gate_of_one() {
    let instance = Instance::own();
    let _operator = instance.start_operator();
    let beds = fleet(instance, 4).await;
    beds[0].apply_class(class(instance, "debug", 1)).await.expect("class");
    for bed in &beds {
        bed.until_so("the new template", || async { is_rolled(bed, "debug").await.then_some(()) }).await;
        let is_settled = |tenant: &Value| condition(tenant, "Ready")["reason"] == "Verified";
        bed.until("Ready with it", is_settled).await;
    }
    assert_one_after_the_other(&beds);
    let told = until_class(&beds[0], "rolled out", |class| condition(class, "RolledOut")["status"] == "True").await;
    let figures = json!({ "total": 4, "updated": 4, "inFlight": 0, "failed": 0, "pending": 0, "stopped": false });
    assert_eq!(told["status"]["rollout"], figures);
    assert_eq!(condition(&told, "RolledOut")["observedGeneration"], told["metadata"]["generation"]);
}

fn assert_one_after_the_other(beds: &[Bed]) {
    let mut times: Vec<(String, String)> = beds.iter().map(time_at_the_gate).collect();
    times.sort();
    for pair in times.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "two restarted at the same time: {times:?}");
    }
}

/// Waits until the beds' class says so.
async fn until_class(bed: &Bed, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let look = || async { bed.get("TenantClass", None, &bed.class).await.filter(|class| wanted(class)) };
    bed.until_so(&format!("a class that is {what}"), look).await
}

/// Section 8: a new version of the operator renders another template, though neither class nor Tenants have changed. What stands
/// for it here is a flag that is rendered into the pod.
#[tokio::test]
async fn an_upgrade_of_the_operator_passes_the_gate_as_well() {
    let instance = Instance::own();
    let mut operator = instance.start_operator();
    let beds = fleet(instance, 3).await;
    until_class(&beds[0], "rolled out", |class| condition(class, "RolledOut")["status"] == "True").await;
    let class = beds[0].get("TenantClass", None, &beds[0].class).await.expect("the class");
    operator.kill();
    let endpoint = "http://127.0.0.1:1/upgraded";
    operator = instance.start_operator_with(&["--emulator-endpoint", endpoint]);
    for bed in &beds {
        let pod = format!("{}-0", bed.tenant);
        bed.until_child("Pod", &pod, "of the new template", |pod| pod.to_string().contains(endpoint)).await;
        bed.until("Ready with it", |tenant| condition(tenant, "Ready")["reason"] == "Verified").await;
    }
    assert_one_after_the_other(&beds);
    let is_told = |class: &Value| class["status"]["rollout"]["updated"] == 3;
    let told = until_class(&beds[0], "rolled out again", is_told).await;
    assert_eq!(told["metadata"]["generation"], class["metadata"]["generation"], "nobody has changed the class");
    drop(operator);
}

/// A template that does not come up stops at one tenant; the others stay Ready with the former one, and when it is taken
/// back everybody is well without a hand (L4).
#[tokio::test]
async fn a_broken_template_stops_at_the_first_tenant_and_is_left_without_a_hand() {
    let instance = Instance::own();
    let operator = instance.start_operator();
    let beds = fleet(instance, 3).await;
    // No node takes such a pod.
    let mut broken = class(instance, "broken", 1);
    merge(&mut broken, json!({ "workload": { "nodeSelector": { "no-such-node": "true" } } }));
    beds[0].apply_class(broken).await.expect("class");
    let waiting = |tenant: &Value| {
        let ready = condition(tenant, "Ready");
        ready["reason"] == "RolloutPending"
            && ready["message"].as_str().is_some_and(|text| text.contains("has stopped"))
    };
    let stopped = eventually(|| async {
        let mut count = 0;
        for bed in &beds {
            let tenant = bed.get("Tenant", None, &bed.tenant).await?;
            count += usize::from(waiting(&tenant) && condition(&tenant, "Ready")["status"] == "True");
        }
        (count == 2).then_some(())
    });
    assert!(stopped.await.is_some(), "two wait at a gate that has stopped\n{}", operator.log());
    let (_, metrics) = operator.get("/metrics").await.expect("metrics");
    assert!(metrics.contains("openclaw_rollout_tenants{state=\"failed\"} 1"), "{metrics}");
    let is_stopped = |class: &Value| condition(class, "RolledOut")["reason"] == "RolloutStopped";
    let told = until_class(&beds[0], "told to have stopped", is_stopped).await;
    let figures = json!({ "total": 3, "updated": 0, "inFlight": 0, "failed": 1, "pending": 2, "stopped": true });
    assert_eq!(told["status"]["rollout"], figures);
    let message = condition(&told, "RolledOut")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("Mend them, or take the change back"), "{message}");
    beds[0].apply_class(class(instance, "fine", 1)).await.expect("class");
    for bed in &beds {
        bed.until_so("the good template", || async { is_rolled(bed, "fine").await.then_some(()) }).await;
        bed.ready().await;
    }
}

/// A Tenant's own edit does not wait behind others.
#[tokio::test]
async fn a_tenant_s_own_edit_passes_a_closed_gate() {
    let instance = Instance::own();
    let _operator = instance.start_operator();
    let beds = fleet(instance, 2).await;
    let mut broken = class(instance, "broken", 1);
    merge(&mut broken, json!({ "workload": { "nodeSelector": { "no-such-node": "true" } } }));
    beds[0].apply_class(broken).await.expect("class");
    let pending = eventually(|| async {
        for bed in &beds {
            let tenant = bed.get("Tenant", None, &bed.tenant).await?;
            if condition(&tenant, "Ready")["reason"] == "RolloutPending" {
                return Some(bed);
            }
        }
        None
    });
    let bed = pending.await.expect("one waits");
    let uid = bed.child("StatefulSet", &bed.tenant).await.expect("set")["metadata"]["generation"].clone();
    bed.apply_tenant(json!({ "env": [{ "name": "LOG_FORMAT", "value": "json" }] })).await.expect("edited");
    let passed = |set: &Value| set["metadata"]["generation"] != uid && set.to_string().contains("LOG_FORMAT");
    bed.until_child("StatefulSet", &bed.tenant, "the edited one", passed).await;
}

/// Section 6: killed at each step of a rotation, before or after the step's effect, the next process ends it with one
/// version that template and label agree on.
#[tokio::test]
async fn a_rotation_survives_a_crash_after_each_step() {
    let instance = Instance::own();
    let mut operator = instance.start_operator();
    let steps = [
        ("PutSecretValue", "openclaw-next"),
        ("UpdateSecretVersionStage", "AWSCURRENT"),
        ("UpdateSecretVersionStage", "openclaw-next"),
    ];
    let bed = rotate::bed(instance, "crash").await;
    bed.ready_tenant(json!({})).await;
    for (number, (operation, label)) in steps.into_iter().enumerate() {
        for fault in [Fault::DroppedBefore, Fault::AnswerLost] {
            let before = instance.current_version(&format!("openclaw/{}/gateway-token", bed.tenant)).await;
            let id = instance.fault(operation, label, fault, 0).await;
            rotate::order(&bed, &format!("{number}-{fault:?}")).await;
            let is_hit = || async { (instance.hits(&id).await > 0).then_some(()) };
            bed.until_so(&format!("{operation} of {label}, {fault:?}"), is_hit).await;
            operator.kill();
            instance.heal(&id).await;
            operator = instance.start_operator();
            rotate::rotated(&bed, &before).await;
        }
    }
    drop(operator);
}
