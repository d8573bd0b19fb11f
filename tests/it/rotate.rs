//! Generated secrets rotate: a new version, a pod that uses it, and only then the label that readers go by.

use serde_json::{Value, json};

use crate::support::{Bed, Fault, Instance, condition, example_class, merge};

const ORDER: &str = "openclaw.io/rotate-secrets";

/// A class that lets the sign-in read Secrets Manager, and encrypts with a key of its own.
pub fn class(instance: &Instance) -> Value {
    let (region, account) = (instance.fact("/aws/region"), instance.fact("/aws/accountId"));
    let key = format!("arn:aws:kms:{region}:{account}:key/11111111-2222-4333-8444-555555555555");
    let mut class = example_class(instance);
    merge(&mut class, json!({ "login": { "tokenSource": "SecretsManager" }, "secrets": { "kmsKeyArn": key } }));
    class
}

/// A bed of that class.
pub async fn bed(instance: &'static Instance, test: &str) -> Bed {
    Bed::with_class(instance, test, class(instance)).await
}

pub async fn order(bed: &Bed, value: &str) {
    bed.patch_tenant(json!({ "metadata": { "annotations": { ORDER: value } } })).await.expect("ordered");
}

fn token_of(bed: &Bed) -> String {
    format!("openclaw/{}/gateway-token", bed.tenant)
}

/// Version and value that readers get, as an administrator sees them.
async fn token(bed: &Bed, stage: &str) -> (String, String) {
    let request = bed.instance.secrets().get_secret_value().secret_id(token_of(bed)).version_stage(stage);
    let value = request.send().await.expect("a value");
    (value.version_id().expect("version").to_owned(), value.secret_string().expect("value").to_owned())
}

/// Labels of all versions that have any.
async fn labels(bed: &Bed) -> Vec<String> {
    let described = bed.instance.secrets().describe_secret().secret_id(token_of(bed)).send().await.expect("described");
    let stages = described.version_ids_to_stages().cloned().unwrap_or_default();
    let mut labels: Vec<String> = stages.into_values().flatten().collect();
    labels.sort();
    labels
}

/// The version that the configuration of the workspace names.
async fn pinned(bed: &Bed) -> String {
    let map = bed.child("ConfigMap", &bed.tenant).await.expect("ConfigMap");
    let pinned: Value = serde_json::from_str(map["data"]["secrets.json"].as_str().expect("pinned")).expect("JSON");
    pinned["gateway-token"]["versionId"].as_str().expect("a version").to_owned()
}

async fn pod(bed: &Bed) -> Value {
    bed.child("Pod", &format!("{}-0", bed.tenant)).await.unwrap_or(Value::Null)
}

/// Waits until the rotation that was ordered is over: readers get another version than this one, and nothing of it is left.
pub async fn rotated(bed: &Bed, before: &str) {
    let is_over = || async {
        let record = bed.record().await?;
        let item =
            record["spec"]["secrets"]["items"].as_array()?.iter().find(|item| item["name"] == "gateway-token")?;
        (item["rotation"].is_null() && item["versionId"] != before && item["versionId"].is_string()).then_some(())
    };
    bed.until_so("the end of the rotation", is_over).await;
    bed.ready().await;
    let (current, _) = token(bed, "AWSCURRENT").await;
    assert_ne!(current, before);
    assert_eq!(pinned(bed).await, current, "template and label agree");
    assert_eq!(labels(bed).await, ["AWSCURRENT", "AWSPREVIOUS"], "nothing of the rotation is left");
    assert_eq!(token(bed, "AWSPREVIOUS").await.0, before, "S2: the former value stays retrievable");
}

/// An order makes a new value, restarts the workspace with it, and keeps the former one.
#[tokio::test]
async fn an_order_rotates_the_token_and_restarts_the_workspace() {
    let bed = bed(Instance::shared(), "rotate").await;
    bed.ready_tenant(json!({})).await;
    let ((before, old), old_pod) = (token(&bed, "AWSCURRENT").await, pod(&bed).await);
    order(&bed, "1").await;
    rotated(&bed, &before).await;
    assert_ne!(token(&bed, "AWSCURRENT").await.1, old);
    assert_ne!(pod(&bed).await["metadata"]["uid"], old_pod["metadata"]["uid"]);
    assert_eq!(bed.events("SecretRotated").await.len(), 1);
    let calls = bed.instance.calls(&bed.tenant).await;
    let count = |operation: &str| calls.iter().filter(|call| call["operation"] == operation).count();
    assert_eq!((count("PutSecretValue"), count("UpdateSecretVersionStage")), (1, 2), "one version, two labels");
}

/// Before the pod is ready AWSCURRENT has not moved.
#[tokio::test]
async fn readers_get_the_new_value_only_when_the_pod_uses_it() {
    let bed = bed(Instance::shared(), "rotate-order").await;
    bed.ready_tenant(json!({})).await;
    let (before, _) = token(&bed, "AWSCURRENT").await;
    let fault = bed.instance.fault("UpdateSecretVersionStage", &bed.tenant, Fault::Throttled, 0).await;
    order(&bed, "1").await;
    let is_rolled = || async {
        let asked = bed.instance.calls(&bed.tenant).await;
        asked.iter().any(|call| call["operation"] == "UpdateSecretVersionStage").then_some(())
    };
    bed.until_so("the attempt to move AWSCURRENT", is_rolled).await;
    assert_eq!(token(&bed, "AWSCURRENT").await.0, before);
    let next = pinned(&bed).await;
    assert_ne!(next, before, "the workspace uses the next version already");
    let ready = pod(&bed).await["status"]["conditions"].as_array().cloned().unwrap_or_default();
    assert!(ready.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"), "and is ready: {ready:?}");
    bed.instance.heal(&fault).await;
    rotated(&bed, &before).await;
    assert_eq!(token(&bed, "AWSCURRENT").await.0, next);
}

/// While the sign-in hands out copies nothing is rotated, and the Tenant says so.
#[tokio::test]
async fn while_the_sign_in_holds_a_copy_rotation_is_refused() {
    let bed = Bed::new("rotate-copy").await;
    bed.ready_tenant(json!({})).await;
    let (before, _) = token(&bed, "AWSCURRENT").await;
    order(&bed, "1").await;
    let is_told = |tenant: &Value| condition(tenant, "SecretsReady")["reason"] == "RotationBlocked";
    let tenant = bed.until("told that it is blocked", is_told).await;
    assert_eq!(condition(&tenant, "Ready")["status"], "True", "nothing is wrong with the tenant");
    order(&bed, "compromised:1").await;
    let message = bed.stalled("RotationBlocked").await;
    assert!(message.contains("login.tokenSource") && message.contains("suspend"), "{message}");
    assert_eq!(token(&bed, "AWSCURRENT").await.0, before);
    assert!(!bed.events("RotationBlocked").await.is_empty());
}

/// A suspended tenant rotates without a pod.
#[tokio::test]
async fn a_suspended_tenant_rotates_without_a_pod() {
    let bed = bed(Instance::shared(), "rotate-asleep").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let (before, _) = token(&bed, "AWSCURRENT").await;
    order(&bed, "1").await;
    rotated(&bed, &before).await;
    assert_eq!(pod(&bed).await, Value::Null);
}

/// What a person puts into a generated secret is used, and never overwritten.
#[tokio::test]
async fn a_value_that_a_person_puts_is_used_and_kept() {
    let bed = bed(Instance::shared(), "rotate-hand").await;
    bed.ready_tenant(json!({})).await;
    let put = bed.instance.secrets().put_secret_value().secret_id(token_of(&bed)).secret_string("put-by-a-person");
    let by_hand = put.send().await.expect("put").version_id().expect("version").to_owned();
    let is_used = || async { (pinned(&bed).await == by_hand).then_some(()) };
    bed.until_so("the version that was put by hand in the configuration", is_used).await;
    bed.ready().await;
    assert_eq!(token(&bed, "AWSCURRENT").await, (by_hand, "put-by-a-person".to_owned()));
}

/// A person's own secret: when a value arrives, the workspace restarts with it.
#[tokio::test]
async fn a_value_that_arrives_rolls_the_pod() {
    let bed = Bed::new("arrives").await;
    bed.apply_tenant(json!({ "secrets": [{ "name": "slack-bot-token", "required": true }] })).await.expect("applied");
    bed.stalled("AwaitingValue").await;
    let id = format!("openclaw/{}/slack-bot-token", bed.tenant);
    let put = bed.instance.secrets().put_secret_value().secret_id(id).secret_string("xoxb-1");
    let version = put.send().await.expect("put").version_id().expect("version").to_owned();
    bed.ready().await;
    let map = bed.child("ConfigMap", &bed.tenant).await.expect("ConfigMap");
    assert!(map["data"]["secrets.json"].as_str().expect("pinned").contains(&version));
}

/// A secret of this tenant that somebody has scheduled for deletion is taken back, with the same value.
#[tokio::test]
async fn a_secret_that_was_scheduled_for_deletion_is_taken_back() {
    let bed = Bed::new("restore").await;
    bed.ready_tenant(json!({})).await;
    let before = token(&bed, "AWSCURRENT").await;
    let delete = bed.instance.secrets().delete_secret().secret_id(token_of(&bed)).recovery_window_in_days(7);
    delete.send().await.expect("scheduled");
    let restored = || async {
        let calls = bed.instance.calls(&bed.tenant).await;
        calls.iter().any(|call| call["operation"] == "RestoreSecret" && call["status"] == 200).then_some(())
    };
    bed.until_so("RestoreSecret", restored).await;
    bed.ready().await;
    assert_eq!(token(&bed, "AWSCURRENT").await, before);
}

/// One in the recovery window that is somebody else's is left alone, and the name is said to be reserved.
#[tokio::test]
async fn a_foreign_secret_in_its_recovery_window_reserves_the_name() {
    let bed = Bed::new("window").await;
    let secrets = bed.instance.secrets();
    secrets.create_secret().name(token_of(&bed)).secret_string("somebody's").send().await.expect("made");
    let delete = secrets.delete_secret().secret_id(token_of(&bed)).recovery_window_in_days(7);
    delete.send().await.expect("scheduled");
    bed.apply_tenant(json!({})).await.expect("applied");
    let message = bed.stalled("NameReserved").await;
    assert!(message.contains("recovery window"), "{message}");
    let calls = bed.instance.calls(&token_of(&bed)).await;
    let touched = calls.iter().filter(|call| call["mutating"] == true && call["accessKeyId"] == "operator");
    assert_eq!(touched.count(), 0);
}
