//! Records that were lost or edited by somebody who broke glass.

use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::{belongings, break_glass, spec, without_nonces};
use crate::support::{Bed, Instance, condition};

/// A lost record is found again in its mirrors and in what exists, and nothing that runs notices.
#[tokio::test]
async fn a_deleted_record_is_rebuilt_as_it_was_and_nothing_is_rolled() {
    let bed = Bed::new("lost").await;
    bed.ready_tenant(json!({ "secrets": [{ "name": "slack-bot-token" }], "storage": { "size": "12Gi" } })).await;
    let (before, belonged) = (bed.record().await.expect("record"), belongings(&bed).await);
    break_glass(&bed).await.delete("TenantRecord", None, &bed.tenant).await;

    let rebuilt = || async {
        let record = bed.record().await?;
        let same = without_nonces(&record["spec"]) == without_nonces(&before["spec"]);
        (same && record["metadata"]["uid"] != before["metadata"]["uid"]).then_some(())
    };
    bed.until_so("the same record again", rebuilt).await;
    bed.ready().await;
    assert_eq!(belongings(&bed).await, belonged, "nothing was rolled, moved or made again");
    let told = || async { bed.events("RecordRebuilt").await.into_iter().next() };
    bed.until_so("an event that says so", told).await;
}

/// What can be seen is believed more than what somebody wrote.
#[tokio::test]
async fn learned_fields_that_somebody_edited_converge_to_what_is_there() {
    let bed = Bed::new("learned").await;
    bed.ready_tenant(json!({})).await;
    let (before, belonged) = (spec(&bed).await, belongings(&bed).await);
    let mut edited = before.clone();
    edited["namespace"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    edited["identity"]["associationId"] = json!("a-00000000000000000");
    edited["identity"]["roleArn"] = json!("arn:aws:iam::123456789012:role/another");
    edited["secrets"]["items"][0]["versionId"] = json!("0".repeat(32));
    edited["secrets"]["items"][0]["arn"] = json!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:other");
    edited["storage"]["size"] = json!("1Gi");
    edited["storage"]["volume"] = Value::Null;
    edited["routing"]["placement"] = Value::Null;
    edited["template"]["hash"] = json!("0");
    edited["retirement"]["retentionDays"] = json!(7);
    let somebody = break_glass(&bed).await;
    somebody.patch("TenantRecord", None, &bed.tenant, json!({ "spec": edited })).await.expect("edited");

    bed.until_so("the record as it was", || async { (spec(&bed).await == before).then_some(()) }).await;
    bed.ready().await;
    assert_eq!(belongings(&bed).await, belonged, "and nothing followed the edited record meanwhile");
}

/// What cannot be seen is disputed: nothing is written until a person has decided.
#[tokio::test]
async fn a_record_that_contradicts_its_mirror_is_disputed_and_nothing_is_written() {
    let bed = Bed::new("disputed").await;
    bed.ready_tenant(json!({})).await;
    let (before, belonged) = (spec(&bed).await, belongings(&bed).await);
    let somebody = break_glass(&bed).await;
    for change in [json!({ "incarnation": "0123456789" }), json!({ "serviceAccount": "workspace-0123456789" })] {
        somebody.patch("TenantRecord", None, &bed.tenant, json!({ "spec": change })).await.expect("edited");
        let message = bed.stalled("RecordDisputed").await;
        assert!(message.contains(&bed.namespace()) && message.contains(&bed.tenant), "says which two: {message}");
        let put_back = json!({ "spec": before });
        somebody.patch("TenantRecord", None, &bed.tenant, put_back).await.expect("put back");
        bed.ready().await;
    }
    assert_eq!(belongings(&bed).await, belonged);
}

/// Without a Tenant nobody says that it is wanted: it is kept for its owner, with the full time from now.
#[tokio::test]
async fn a_record_lost_while_its_tenant_is_absent_is_rebuilt_as_retained_from_now() {
    let bed = Bed::new("absent").await;
    bed.ready_tenant(json!({})).await;
    let before = spec(&bed).await;
    super::detached::vanish(&bed).await;
    let belonged = belongings(&bed).await;
    let deleted_at = Timestamp::now();
    break_glass(&bed).await.delete("TenantRecord", None, &bed.tenant).await;

    let again = bed.until_so("a record again", || async { bed.record().await }).await;
    let spec = &again["spec"];
    assert_eq!(spec["phase"], "Retained");
    let time = |field: &str| spec[field].as_str().and_then(|time| time.parse::<Timestamp>().ok()).expect("a time");
    let since = time("retainedSince");
    // The record's times are whole seconds.
    assert!(since >= deleted_at - 2.seconds(), "{since} after {deleted_at}");
    assert_eq!(time("purgeAfter"), since + (30 * 24).hours(), "the class's 30 days");
    assert_eq!((&spec["tenantUid"], &spec["owner"]["subject"]), (&Value::Null, &Value::Null), "nobody holds it");
    for known in ["incarnation", "serviceAccount", "namespace"] {
        assert_eq!(spec[known], before[known], "{known}");
    }
    assert_eq!(spec["owner"]["hash"], before["owner"]["hash"]);

    let tenant = bed.ready_tenant(json!({})).await;
    assert_eq!(condition(&tenant, "Ready")["reason"], "Verified");
    let mut after = without_nonces(&super::spec(&bed).await);
    after["tenantUid"] = before["tenantUid"].clone();
    assert_eq!(after, without_nonces(&before), "all of it is known again, and Active");
    let now = belongings(&bed).await;
    assert_eq!(now, belonged, "and none of it was touched");
}

/// The same for an operator that knows nothing yet: what it has not looked up is not taken for missing.
#[tokio::test]
async fn a_record_lost_while_no_operator_ran_is_rebuilt_and_nothing_is_rolled() {
    let instance: &'static Instance = Instance::own();
    let operator = instance.start_operator();
    let bed = Bed::on(instance, "unwatched").await;
    bed.ready_tenant(json!({})).await;
    let (before, belonged) = (spec(&bed).await, belongings(&bed).await);
    assert!(operator.stop(), "it ends in good order");
    break_glass(&bed).await.delete("TenantRecord", None, &bed.tenant).await;

    let _operator = instance.start_operator();
    let rebuilt = || async {
        let record = bed.record().await?;
        (without_nonces(&record["spec"]) == without_nonces(&before)).then_some(())
    };
    bed.until_so("the same record again", rebuilt).await;
    bed.ready().await;
    assert_eq!(belongings(&bed).await, belonged, "nothing was rolled, moved or made again");
}
