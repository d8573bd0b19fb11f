//! Administrators' orders, by annotation and by command.

use serde_json::{Value, json};

use super::{bed, phase, started::Started, volume};
use crate::support::{Bed, condition, example_class, merge};

/// A tenant that was deleted and is kept.
async fn retained(test: &str) -> Bed {
    let bed = bed(test).await;
    bed.ready_tenant(json!({})).await;
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    bed
}

/// The last entry of the record's history, once there is one and the order is off.
async fn answered(bed: &Bed, order: &str) -> Value {
    let key = format!("openclaw.io/{order}");
    let is_answered = |record: &Value| {
        let last = record["spec"]["history"].as_array().and_then(|history| history.last());
        let is_about = last.is_some_and(|last| last["message"].as_str().is_some_and(|said| said.starts_with(&key)));
        is_about && record["metadata"]["annotations"].get(&key).is_none()
    };
    let record = bed.until_record("an answer to the order", is_answered).await;
    record["spec"]["history"].as_array().and_then(|history| history.last()).cloned().expect("an entry")
}

/// keep-until puts the end off, and shortens nobody's time.
#[tokio::test]
async fn keep_until_puts_the_end_of_retention_off() {
    let bed = retained("keep").await;
    let (ok, said, why) = bed.instance.run_operator(&["keep", &bed.tenant, "--until", "2035-01-31T00:00:00Z"]);
    assert!(ok, "{said}{why}");
    let entry = answered(&bed, "keep-until").await;
    assert_eq!(entry["event"], "Ordered", "{entry:#}");
    let record = bed.record().await.expect("record");
    assert_eq!(record["spec"]["purgeAfter"], "2035-01-31T00:00:00Z");
    let mirrors =
        |namespace: &Value| namespace["metadata"]["annotations"]["openclaw.io/purge-after"] == "2035-01-31T00:00:00Z";
    let look = || async { bed.get("Namespace", None, &bed.namespace()).await.filter(|one| mirrors(one)) };
    bed.until_so("the mirror of the date", look).await;
    bed.order("keep-until", "2034-01-31T00:00:00Z").await;
    let entry = answered(&bed, "keep-until").await;
    assert_eq!(entry["event"], "Refused", "{entry:#}");
    let told = || async { bed.events("OrderRefused").await.into_iter().next() };
    bed.until_so("an event that says why", told).await;
}

/// purge-now is about one incarnation, and takes the same road as the end of retention.
#[tokio::test]
async fn purge_now_ends_the_retention_of_the_incarnation_that_it_names() {
    let bed = retained("purge").await;
    let name = bed.record().await.expect("record")["spec"]["storage"]["volume"]["name"].clone();
    bed.order("purge-now", "0123456789").await;
    assert_eq!(answered(&bed, "purge-now").await["event"], "Refused");
    assert_eq!(phase(&bed.record().await.expect("record")), "Retained");
    let incarnation = bed.incarnation().await;
    let (ok, said, why) =
        bed.instance.run_operator(&["purge-now", &bed.tenant, "--incarnation", &incarnation, "--yes"]);
    assert!(ok, "{said}{why}");
    let record = bed.until_record("the end", |record| phase(record) == "Purged").await;
    assert_eq!(record["spec"]["purge"]["cause"], "Expired");
    assert_eq!(bed.get("Namespace", None, &bed.namespace()).await, None);
    assert_eq!(bed.get("PersistentVolume", None, name.as_str().expect("a name")).await, None);
    let told = || async { bed.events("Purged").await.into_iter().next() };
    bed.until_so("an event about the record", told).await;
}

/// A workspace changes hands on purpose only, and whole: never a dispute. The former owner's token is worth nothing afterwards.
#[tokio::test]
async fn a_transfer_hands_everything_to_another_owner() {
    let bed = bed("transfer").await;
    // The sign-in reads Secrets Manager: a copy elsewhere would be a person's to replace.
    let mut class = example_class(bed.instance);
    merge(&mut class, json!({ "login": { "tokenSource": "SecretsManager" } }));
    bed.apply_class(class).await.expect("class");
    let before = bed.ready_tenant(json!({})).await;
    let token = format!("openclaw/{}/gateway-token", bed.tenant);
    let known = bed.instance.current_version(&token).await;
    let handle = volume(&bed).await;
    let (ok, said, why) = bed.instance.run_operator(&["transfer", &bed.tenant, "--to", "bob-subject", "--yes"]);
    assert!(ok, "{said}{why}");
    let entry = answered(&bed, "transfer-to").await;
    assert_eq!(entry["event"], "Transferred", "{entry:#}");
    assert!(entry["formerOwner"].is_string());
    let message = bed.stalled("NameReserved").await;
    assert!(message.contains("handed"), "{message}");
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    let bob = json!({ "owner": { "subject": "bob-subject", "email": "bob@example.com" } });
    let after = bed.ready_tenant(bob).await;
    let arns = |tenant: &Value| -> Vec<Value> {
        let items = tenant["status"]["secrets"].as_array().cloned().unwrap_or_default();
        items.into_iter().map(|item| item["arn"].clone()).collect()
    };
    assert!(!arns(&before).is_empty(), "{before:#}");
    assert_eq!(arns(&after), arns(&before));
    assert_ne!(bed.instance.current_version(&token).await, known, "the former owner knows that one");
    assert_eq!(after["status"]["identity"], before["status"]["identity"]);
    assert_eq!(volume(&bed).await, handle);
    let namespace = bed.get("Namespace", None, &bed.namespace()).await.expect("namespace");
    let record = bed.record().await.expect("record");
    let hash = &record["spec"]["owner"]["hash"];
    assert_eq!(namespace["metadata"]["annotations"]["openclaw.io/owner-hash"], *hash);
    let id = after["status"]["identity"]["associationId"].as_str().expect("an association");
    let association = bed.instance.association(id).await;
    let tag = association.tags().and_then(|tags| tags.get("openclaw-owner-hash").cloned());
    assert_eq!(tag.as_deref(), hash.as_str(), "the tags in AWS follow");
    assert!(bed.events("RecordDisputed").await.is_empty());
    // Where a subject is set a changed email is no new owner.
    let moved = bed.ready_tenant(json!({ "owner": { "subject": "bob-subject", "email": "b@example.org" } })).await;
    assert_eq!(condition(&moved, "Ready")["status"], "True");
}

/// Who is kept, what of theirs, and until when.
#[tokio::test]
async fn retained_lists_who_is_kept_with_what_and_until_when() {
    let bed = retained("listed").await;
    let record = bed.record().await.expect("record");
    let (ok, listed, why) = bed.instance.run_operator(&["retained", "--output", "json"]);
    assert!(ok, "{why}");
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let one = listed.as_array().expect("a list").iter().find(|one| one["tenant"] == *bed.tenant).cloned();
    let one = one.unwrap_or_else(|| panic!("not listed: {listed:#}"));
    assert_eq!(one["until"], record["spec"]["purgeAfter"]);
    assert_eq!(one["namespace"], *bed.namespace());
    assert_eq!(one["volume"]["handle"], record["spec"]["storage"]["volume"]["handle"]);
    assert_eq!(one["secrets"][0], record["spec"]["secrets"]["items"][0]["arn"]);
    let (ok, table, why) = bed.instance.run_operator(&["retained"]);
    assert!(ok && table.contains(&bed.tenant) && table.contains("UNTIL"), "{table}{why}");
}

/// Who answers a question has looked at what was there when it was asked: what has become of it meanwhile is not handed over.
#[tokio::test]
async fn an_order_is_about_what_was_seen_when_it_was_asked_for() {
    let bed = retained("seen").await;
    let mut transfer = Started::new(bed.instance, &["transfer", &bed.tenant, "--to", "bob-subject"]);
    transfer.asks();
    let before = bed.record().await.expect("record");
    bed.order("keep-until", "2035-01-31T00:00:00Z").await;
    answered(&bed, "keep-until").await;
    let (ok, said, why) = transfer.answered("yes\n");
    assert!(!ok && why.contains("has changed since it was looked at"), "{said}{why}");
    let after = bed.record().await.expect("record");
    assert_eq!(after["metadata"]["annotations"].get("openclaw.io/transfer-to"), None, "nothing is ordered");
    assert_eq!(after["spec"]["owner"], before["spec"]["owner"]);
    assert_eq!(after["spec"]["history"].as_array().map(Vec::len), Some(1), "{after:#}");

    let mut transfer = Started::new(bed.instance, &["transfer", &bed.tenant, "--to", "bob-subject"]);
    transfer.asks();
    let (ok, said, why) = transfer.answered("yes\n");
    assert!(ok, "who looks again hands it over: {said}{why}");
    assert_eq!(answered(&bed, "transfer-to").await["event"], "Transferred");
}

/// Nothing is written for a paused tenant: an order waits, and who gave it is told, by the command and by the Tenant.
#[tokio::test]
async fn an_order_for_a_paused_tenant_waits_until_it_is_not() {
    let bed = bed("waits").await;
    bed.ready_tenant(json!({})).await;
    let pause = |value: Value| json!({ "metadata": { "annotations": { "openclaw.io/paused": value } } });
    bed.patch_tenant(pause(json!("true"))).await.expect("paused");
    let is_paused = |tenant: &Value| condition(tenant, "Ready")["reason"] == "Paused";
    bed.until("paused", is_paused).await;
    let (ok, said, why) = bed.instance.run_operator(&["transfer", &bed.tenant, "--to", "bob-subject", "--yes"]);
    let command = format!("kubectl annotate tenant {} openclaw.io/paused-", bed.tenant);
    assert!(ok && said.contains("the order waits") && said.contains(&command), "{said}{why}");
    let is_told = |tenant: &Value| {
        let message = condition(tenant, "Ready")["message"].as_str().unwrap_or_default().to_owned();
        is_paused(tenant) && message.contains("order openclaw.io/transfer-to waits")
    };
    bed.until("told that an order waits", is_told).await;
    let history = bed.record().await.expect("record")["spec"]["history"].clone();
    assert_eq!(history, Value::Null, "it waits");
    bed.patch_tenant(pause(Value::Null)).await.expect("not paused");
    assert_eq!(answered(&bed, "transfer-to").await["event"], "Transferred");
}
