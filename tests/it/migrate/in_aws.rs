//! The old side's AWS half, with the caller's own credentials.

use aws_sdk_secretsmanager::types::Tag;
use serde_json::{Value, json};

use super::{Old, settled, texts};
use crate::support::Bed;

const CONSENT: &str = "openclaw-adopt-by";

async fn tag_of(bed: &Bed, secret: &str) -> Option<String> {
    let described = bed.instance.secrets().describe_secret().secret_id(secret).send().await.expect("there");
    described.tags().iter().find(|tag| tag.key() == Some(CONSENT)).and_then(|tag| tag.value()).map(str::to_owned)
}

fn stand(report: &Value, tenant: usize, what: &str) -> Value {
    let items = report["tenants"][tenant]["aws"].as_array().into_iter().flatten();
    items.into_iter().find(|item| item["what"] == what).map_or(Value::Null, |item| item["stand"].clone())
}

async fn secret(bed: &Bed, name: &str, consent: Option<&str>) {
    let tag = consent.map(|tenant| Tag::builder().key(CONSENT).value(tenant).build());
    let request = bed.instance.secrets().create_secret().name(name).secret_string("nobody-may-read-this");
    request.set_tags(tag.map(|tag| vec![tag])).send().await.expect("a secret");
}

/// It is told what is there and what it would do to the Tenant; consent is given only where it was asked for, never over another's,
/// and is all that the Tenant needs.
#[tokio::test]
async fn what_is_in_aws_is_told_and_consents_only_where_that_was_asked_for() {
    let old = Old::new("inaws").await;
    let bed = &old.bed;
    let (alice, bob) = (old.name("alice"), old.name("bob"));
    old.set(json!([{ "name": alice, "email": "alice@example.com" }, { "name": bob, "email": "bob@example.com" }]))
        .await;
    for name in [&alice, &bob] {
        old.tenant(name).await;
        settled(&old, name).await;
    }
    let (token, slack) = (format!("openclaw/{alice}/gateway-token"), format!("openclaw/{alice}/slack"));
    let foreign = format!("openclaw/{bob}/gateway-token");
    secret(bed, &token, None).await;
    secret(bed, &slack, None).await;
    secret(bed, &foreign, Some("mallory")).await;
    let id = bed.instance.make_association(&format!("openclaw-{alice}"), &alice, &[]).await;
    let association = format!("association {id} of ServiceAccount {alice}");
    let version = bed.instance.current_version(&token).await;
    let calls =
        |calls: Vec<Value>, operation: &str| calls.into_iter().filter(|call| call["operation"] == operation).count();
    let read = calls(bed.instance.calls("openclaw/").await, "GetSecretValue");

    let (_, report, _) = old.run(&[]);
    assert_eq!((&report["applicationSet"]["awsSeen"], &report["tenants"][0]["aws"]), (&json!(false), &Value::Null));

    let cluster = ["--cluster-name", bed.instance.fact("/aws/clusterName")];
    let (success, report, errors) = old.run(&cluster);
    assert_eq!(report["unread"], json!([]), "{errors}");
    assert_eq!(stand(&report, 0, &format!("secret {token}")), "no consent", "{report:#}");
    assert_eq!(stand(&report, 0, &format!("secret {slack}")), "not asked for");
    assert_eq!(stand(&report, 0, &association), "no consent");
    assert_eq!(stand(&report, 1, &format!("secret {foreign}")), "refused");
    assert!(!success, "bob is blocked");
    assert!(
        texts(&report["tenants"][1]["blocks"]).iter().any(|text| text.contains("consented to be adopted by mallory")),
        "{report:#}"
    );
    assert_eq!(tag_of(bed, &token).await, None, "a look changes nothing");

    let (_, report, _) = old.run(&[cluster.as_slice(), &["--apply"]].concat());
    assert_eq!(tag_of(bed, &token).await, None, "nor does the preparation: {report:#}");
    let (_, report, _) = old.run(&[cluster.as_slice(), &["--apply", "--consent"]].concat());
    assert_eq!(report["failed"], json!([]));
    assert_eq!(stand(&report, 0, &format!("secret {token}")), "consents", "{report:#}");
    assert_eq!(stand(&report, 0, &association), "consents");
    assert_eq!((tag_of(bed, &token).await, tag_of(bed, &slack).await), (Some(alice.clone()), None));
    assert_eq!(tag_of(bed, &foreign).await.as_deref(), Some("mallory"));
    assert_eq!(bed.instance.association(&id).await.tags().and_then(|tags| tags.get(CONSENT)), Some(&alice));
    let (_, report, _) = old.run(&[cluster.as_slice(), &["--apply", "--consent"]].concat());
    assert_eq!(report["done"], json!([]), "again changes nothing");
    assert_eq!(calls(bed.instance.calls("openclaw/").await, "GetSecretValue"), read, "no value was read");
    assert_eq!(bed.instance.current_version(&token).await, version);

    // That is all that a Tenant needs to be attached.
    let spec =
        json!({ "owner": { "email": "alice@example.com" }, "className": bed.class, "storage": { "size": "12Gi" } });
    bed.apply("Tenant", None, &alice, json!({ "spec": spec })).await.expect("taken");
    let attached = || async {
        let tenant = bed.get("Tenant", None, &alice).await?;
        let conditions = tenant["status"]["conditions"].as_array()?;
        conditions.iter().any(|one| one["type"] == "Stalled" && one["reason"] == "AwaitingCutOver").then_some(())
    };
    bed.until_so("an attached tenant", attached).await;
}
