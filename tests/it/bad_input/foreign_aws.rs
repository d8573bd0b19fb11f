//! Secrets and associations of the tenant's names that are somebody else's (S1, S2, S4).

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::types::Tag;
use serde_json::{Value, json};

use crate::support::{Bed, condition, example_class};

/// A secret that somebody made before the tenant came.
async fn make_secret(bed: &Bed, item: &str, tags: &[(&str, &str)]) -> String {
    let name = format!("openclaw/{}/{item}", bed.tenant);
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
    let request = bed.instance.secrets().create_secret().name(&name).secret_string("somebody's");
    request.set_tags(Some(tags)).send().await.expect("a secret");
    name
}

/// Value, tags and versions.
async fn secret(bed: &Bed, name: &str) -> Value {
    let client = bed.instance.secrets();
    let value = client.get_secret_value().secret_id(name).send().await.expect("value");
    let described = client.describe_secret().secret_id(name).send().await.expect("described");
    let tags: BTreeMap<&str, &str> = described.tags().iter().filter_map(|tag| tag.key().zip(tag.value())).collect();
    let versions = described.version_ids_to_stages().map(|versions| versions.keys().cloned().collect::<Vec<_>>());
    json!([value.secret_string(), tags, versions])
}

/// The workspace does not start without a token of its own, and the stranger's is not touched.
#[tokio::test]
async fn a_foreign_secret_of_that_name_keeps_value_and_tags() {
    let bed = Bed::new("secret-taken").await;
    let name = make_secret(&bed, "gateway-token", &[("team", "blue")]).await;
    let before = secret(&bed, &name).await;
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("SecretTaken").await;
    assert!(message.contains(&name) && message.contains("It is not touched"), "{message}");
    assert_eq!(secret(&bed, &name).await, before);
    assert_eq!(bed.child("StatefulSet", &bed.tenant).await, None, "S5: no workload before its secrets");
    let calls = bed.instance.calls(&name).await;
    assert!(calls.iter().all(|call| call["mutating"] == false || call["accessKeyId"] != "operator"), "{calls:?}");
}

/// A secret of the same tenant name on another cluster, or of an earlier owner, is somebody else's too.
#[tokio::test]
async fn a_secret_of_another_incarnation_is_foreign() {
    let bed = Bed::new("secret-old").await;
    let tags = [
        ("managed-by", "openclaw-tenant-operator"),
        ("openclaw-tenant", bed.tenant.as_str()),
        ("openclaw-incarnation", "0123456789"),
        ("openclaw-cluster-uid", "another-cluster"),
    ];
    let name = make_secret(&bed, "gateway-token", &tags).await;
    let before = secret(&bed, &name).await;
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("SecretTaken").await;
    assert!(message.contains("incarnation 0123456789, cluster another-cluster"), "says whose: {message}");
    assert_eq!(secret(&bed, &name).await, before);
}

/// A Tenant that waits for its class, so that its ServiceAccount's name is known before anything is made.
async fn waiting_tenant(test: &str) -> (Bed, String, String) {
    let bed = Bed::new(test).await;
    bed.delete("TenantClass", None, &bed.class).await;
    let tenant = bed.apply_tenant(json!({})).await.expect("taken");
    bed.stalled("ClassNotFound").await;
    let incarnation = tenant["metadata"]["uid"].as_str().expect("uid").replace('-', "")[..10].to_owned();
    let account = format!("workspace-{incarnation}");
    (bed, incarnation, account)
}

async fn assert_untouched(bed: &Bed, id: &str, says: &str) {
    let before = bed.instance.association(id).await;
    bed.apply_class(example_class(bed.instance)).await.expect("class");
    let message = bed.stalled("AssociationTaken").await;
    assert!(message.contains(id) && message.contains(says), "{message}");
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("Tenant");
    assert_eq!(condition(&tenant, "IdentityReady")["status"], "False");
    assert_eq!(bed.instance.association(id).await, before, "tags, role and time of change");
    assert_eq!(bed.child("StatefulSet", &bed.tenant).await, None, "S5: no workload before its identity");
    let calls = bed.instance.calls(id).await;
    assert!(calls.iter().all(|call| call["mutating"] == false || call["accessKeyId"] != "operator"), "{calls:?}");
}

/// S1: none is changed that does not carry our tags.
#[tokio::test]
async fn a_foreign_association_of_that_service_account_keeps_tags_and_role() {
    let (bed, _, account) = waiting_tenant("assoc-taken").await;
    let id = bed.instance.make_association(&bed.namespace(), &account, &[("team", "blue")]).await;
    assert_untouched(&bed, &id, "is not this tenant's").await;
}

/// S1: nor one that has an owner, whatever its tags.
#[tokio::test]
async fn an_association_of_an_addon_is_not_touched_even_with_our_tags() {
    let (bed, incarnation, account) = waiting_tenant("assoc-addon").await;
    let system = bed.get("Namespace", None, "kube-system").await.expect("kube-system");
    let tags = [
        ("managed-by", "openclaw-tenant-operator"),
        ("openclaw-tenant", bed.tenant.as_str()),
        ("openclaw-incarnation", &incarnation),
        ("openclaw-cluster-uid", system["metadata"]["uid"].as_str().expect("uid")),
    ];
    let id = bed.instance.make_association(&bed.namespace(), &account, &tags).await;
    let addon = "arn:aws:eks:eu-west-1:123456789012:addon/openclaw-local/somebodys/1a2b";
    bed.instance.give_to_addon(&id, addon).await;
    assert_untouched(&bed, &id, addon).await;
}
