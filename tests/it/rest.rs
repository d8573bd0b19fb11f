//! At rest the operator is silent (L2).

use serde_json::{Value, json};

use crate::support::{Bed, Instance, condition};

/// Waits until the class is told of its role and of its roll-out, each of which has its own time.
async fn class_is_told(bed: &Bed) {
    let is_told = |class: &Value| {
        let roll_out = condition(class, "RolledOut");
        condition(class, "RoleReady").is_object()
            && roll_out["status"] == "True"
            && class["status"]["rollout"]["total"] == 1
    };
    let told = || async { bed.get("TenantClass", None, &bed.class).await.filter(is_told) };
    bed.until_so("the class's status", told).await;
}

/// No mutating call for a tenant at rest, neither to Kubernetes nor to AWS, over several sweeps and audits.
#[tokio::test]
async fn a_tenant_at_rest_causes_no_write() {
    let bed = Bed::new("rest").await;
    bed.ready_tenant(json!({ "env": [{ "name": "LOG_LEVEL", "value": "info" }] })).await;
    // The class bears the tenant's name in these tests.
    class_is_told(&bed).await;
    let namespace = bed.namespace();
    let writes = || {
        bed.instance.audited(|event| {
            let object = &event["objectRef"];
            let is_read = ["get", "list", "watch"].iter().any(|verb| event["verb"] == *verb);
            let is_operator =
                event["user"]["username"].as_str().is_some_and(|user| user.ends_with(":openclaw-tenant-operator"));
            let is_ours =
                object["namespace"] == namespace || object["name"] == bed.tenant || object["name"] == namespace;
            is_operator && is_ours && !is_read
        })
    };
    let looks = || async {
        let calls = bed.instance.calls(&bed.tenant).await;
        calls.iter().filter(|call| call["operation"] == "DescribeSecret").count()
    };
    let changes =
        || async { bed.instance.calls(&bed.tenant).await.iter().filter(|call| call["mutating"] == true).count() };
    let (before, in_aws) = (writes(), changes().await);
    let seen = looks().await;
    // The audit has described the secret three more times, and the sweeps have listed it more often than that.
    bed.until_so("three looks at AWS", || async { (looks().await >= seen + 3).then_some(()) }).await;
    let after = writes();
    assert_eq!(after.len(), before.len(), "{:#?}", &after[before.len()..]);
    assert_eq!(changes().await, in_aws);
}

/// A restart verifies everything and writes nothing.
#[tokio::test]
async fn a_restart_writes_nothing() {
    let instance: &'static Instance = Instance::own();
    let first = instance.start_operator();
    let beds = [Bed::on(instance, "again").await, Bed::on(instance, "again").await];
    for bed in &beds {
        bed.ready_tenant(json!({ "secrets": [{ "name": "extra" }] })).await;
    }
    for bed in &beds {
        class_is_told(bed).await;
    }
    assert!(first.stop(), "an orderly end is a success");
    let is_write = |event: &Value| {
        let is_operator =
            event["user"]["username"].as_str().is_some_and(|user| user.ends_with(":openclaw-tenant-operator"));
        let is_read = ["get", "list", "watch"].iter().any(|verb| event["verb"] == *verb);
        is_operator && !is_read && event["objectRef"]["resource"] != "leases"
    };
    let before = instance.audited(is_write).len();
    let second = instance.start_operator();
    // Each tenant was decided about, by what the first sweep listed, and left as it was.
    let unchanged = || async {
        let (_, metrics) = second.get("/metrics").await?;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("openclaw_reconciles_total") && line.contains("outcome=\"unchanged\""))?;
        let count: usize = line.rsplit(' ').next()?.parse().ok()?;
        (count >= beds.len()).then_some(())
    };
    beds[0].until_so("a pass that changes nothing, for each tenant", unchanged).await;
    let after = instance.audited(is_write);
    assert_eq!(after.len(), before, "{:#?}", &after[before..]);
    drop(second);
}
