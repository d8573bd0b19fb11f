//! A role for each tenant, under a boundary and a path, against the emulator's IAM.

use serde_json::{Value, json};

use crate::support::{Bed, Fault, Instance, example_class};

/// The one inline policy of such a role.
pub const POLICY: &str = "openclaw-workspace";

/// The managed policy that bounds such roles.
pub fn boundary(instance: &Instance) -> String {
    let account = instance.fact("/aws/tenantRoleArn").split(':').nth(4).expect("an account").to_owned();
    format!("arn:aws:iam::{account}:policy/openclaw-boundary")
}

/// A class whose tenants have a role each.
pub fn class(instance: &Instance) -> Value {
    let mut class = example_class(instance);
    let models = json!([{ "id": "anthropic.claude-haiku-4-5-20251001-v1:0" }]);
    class["identity"] =
        json!({ "mode": "RolePerTenant", "permissionsBoundaryArn": boundary(instance), "models": models });
    class
}

/// The boundary stands before anybody makes a role; several tests of one platform make it once.
pub async fn make_boundary(instance: &Instance) {
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let made = instance.iam().create_policy().policy_name("openclaw-boundary").policy_document(document).send().await;
    if let Err(error) = made {
        let error = error.into_service_error();
        assert!(error.is_entity_already_exists_exception(), "{error:?}");
    }
}

async fn bed(test: &str) -> Bed {
    let instance = Instance::shared();
    make_boundary(instance).await;
    Bed::with_class(instance, test, class(instance)).await
}

async fn role(bed: &Bed, name: &str) -> Option<aws_sdk_iam::types::Role> {
    bed.instance.iam().get_role().role_name(name).send().await.ok().and_then(|answer| answer.role)
}

/// What its policy says, as IAM returns it.
pub async fn policy(bed: &Bed, name: &str) -> String {
    let request = bed.instance.iam().get_role_policy().role_name(name).policy_name(POLICY);
    request.send().await.map(|answer| answer.policy_document).unwrap_or_default()
}

/// What the role of this Tenant is called.
pub fn name_of(tenant: &Value) -> String {
    let incarnation = tenant["status"]["identity"]["incarnation"].as_str().expect("incarnation");
    format!("openclaw-{}-{incarnation}", tenant["metadata"]["name"].as_str().expect("name"))
}

/// Made with boundary and path, brought back when somebody changes it, gone when access ends, and back with it.
#[tokio::test]
async fn each_tenant_has_a_bounded_role_that_lives_as_long_as_its_access() {
    let bed = bed("own-role").await;
    let tenant = bed.ready_tenant(json!({})).await;
    let name = name_of(&tenant);
    let made = role(&bed, &name).await.expect("the tenant's role");
    assert_eq!(made.path, format!("/openclaw/{}/", bed.instance.fact("/aws/clusterName")));
    let bounded = made.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn);
    assert_eq!(bounded, Some(boundary(bed.instance)));
    let association = tenant["status"]["identity"]["associationId"].as_str().expect("association");
    assert_eq!(bed.instance.association(association).await.role_arn, Some(made.arn));

    let before = policy(&bed, &name).await;
    let iam = bed.instance.iam();
    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    iam.put_role_policy().role_name(&name).policy_name(POLICY).policy_document(open).send().await.expect("changed");
    bed.until_so("the policy's repair", || async { (policy(&bed, &name).await == before).then_some(()) }).await;

    bed.ready_tenant(json!({ "suspend": true })).await;
    assert!(role(&bed, &name).await.is_none(), "the role is gone with the access");
    bed.ready_tenant(json!({ "suspend": false })).await;
    assert!(role(&bed, &name).await.is_some(), "and back with it");
}

/// A role of the tenant's role's name that somebody else made is refused, and stays as it is.
#[tokio::test]
async fn a_foreign_role_of_that_name_is_refused() {
    let bed = bed("foreign-role").await;
    let tenant = bed.ready_tenant(json!({ "suspend": true })).await;
    let name = name_of(&tenant);
    let trust = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let iam = bed.instance.iam();
    iam.create_role().role_name(&name).assume_role_policy_document(trust).send().await.expect("somebody's role");
    bed.apply_tenant(json!({ "suspend": false })).await.expect("resumed");
    let message = bed.stalled("RoleTaken").await;
    assert!(message.contains(&name), "{message}");
    let found = role(&bed, &name).await.expect("it stays");
    assert!(found.tags.unwrap_or_default().is_empty() && found.path == "/", "untouched");
}

/// Lost answers and refusals on the way there and back: one role in the end, with its policy, and none after the end of access.
#[tokio::test]
async fn lost_answers_about_roles_end_in_the_right_state() {
    let bed = bed("lost-role").await;
    for (operation, fault) in [
        ("CreateRole", Fault::AnswerLost),
        ("PutRolePolicy", Fault::AnswerLost),
        ("PutRolePolicy", Fault::Throttled),
        ("DeleteRolePolicy", Fault::AnswerLost),
        ("DeleteRole", Fault::DroppedBefore),
        ("DeleteRole", Fault::AnswerLost),
    ] {
        bed.instance.fault(operation, &bed.tenant, fault, 1).await;
    }
    let tenant = bed.ready_tenant(json!({})).await;
    let name = name_of(&tenant);
    assert!(policy(&bed, &name).await.contains("GetSecretValue"), "the role has its policy");
    let calls = bed.instance.calls(&name).await;
    let made = calls.iter().filter(|call| call["operation"] == "CreateRole").count();
    assert_eq!(made, 1, "what was made is found by looking, not by making again: {calls:?}");
    bed.ready_tenant(json!({ "suspend": true })).await;
    assert!(role(&bed, &name).await.is_none());
    let calls = bed.instance.calls(&name).await;
    let deleted = calls.iter().filter(|call| call["operation"] == "DeleteRole").count();
    assert!(deleted >= 2, "the first was dropped: {calls:?}");
}
