//! A class tells how the role stands that its tenants share.

use openclaw_tenant_operator::iam::{Place, Reach, permissions};
use serde_json::{Value, json};

use crate::support::{Bed, Instance, condition, example_class};

/// A role as somebody made it in a hurry: any pod of any cluster takes it on, and reads every secret.
async fn careless_role(instance: &Instance, name: &str) -> String {
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": { "Service": "pods.eks.amazonaws.com" }, "Action": ["sts:AssumeRole", "sts:TagSession"] }] });
    let iam = instance.iam();
    let request = iam.create_role().role_name(name).assume_role_policy_document(trust.to_string());
    let arn = request.send().await.expect("a role").role.expect("a role").arn;
    let open = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Action": "secretsmanager:GetSecretValue", "Resource": "*" }] });
    let put = iam.put_role_policy().role_name(name).policy_name("everything").policy_document(open.to_string());
    put.send().await.expect("its policy");
    arn
}

async fn until_told(bed: &Bed, reason: &str) -> Value {
    bed.until_so(&format!("RoleReady: {reason}"), || async {
        let class = bed.get("TenantClass", None, &bed.class).await?;
        (condition(&class, "RoleReady")["reason"] == reason).then_some(class)
    })
    .await
}

/// What is wrong is said, and once it is put right that is said as well.
#[tokio::test]
async fn a_careless_role_is_told_with_what_to_apply_and_a_mended_one_is_verified() {
    let instance = Instance::shared();
    let name = format!("careless-{}", std::process::id());
    let mut class = example_class(instance);
    class["identity"]["roleArn"] = json!(careless_role(instance, &name).await);
    let bed = Bed::with_class(instance, "careless", class).await;

    let told = until_told(&bed, "RoleOpen").await;
    let message = condition(&told, "RoleReady")["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("policy everything lets every workspace of the class read secrets"), "{message}");
    assert!(message.contains("aws:RequestTag/kubernetes-namespace like openclaw-*"), "{message}");
    assert_eq!(condition(&told, "RoleReady")["status"], "False");

    let iam = instance.iam();
    let trust = told["status"]["identity"]["proposedTrustPolicy"].as_str().expect("a trust policy");
    iam.update_assume_role_policy().role_name(&name).policy_document(trust).send().await.expect("applied");
    let cluster = instance.fact("/aws/clusterArn").parse().expect("an ARN");
    // No policy is proposed while other tests have secrets without tags, so it is made here.
    let place = Place::new(&cluster, &"any".parse().expect("a UID"), &"openclaw".parse().expect("a prefix"));
    let right = permissions(&place, &Reach::default()).to_json();
    let put = iam.put_role_policy().role_name(&name).policy_name("everything").policy_document(right);
    put.send().await.expect("applied");

    let told = until_told(&bed, "Verified").await;
    assert_eq!(told["status"]["observedGeneration"], told["metadata"]["generation"]);
    assert_eq!(told["status"]["identity"], Value::Null, "nothing is proposed any more");
}

/// A role that does not exist is said to be missing.
#[tokio::test]
async fn a_missing_role_is_told() {
    let instance = Instance::shared();
    let mut class = example_class(instance);
    let role = instance.fact("/aws/tenantRoleArn").to_owned();
    class["identity"]["roleArn"] = json!(format!("{role}-nobodys"));
    let bed = Bed::with_class(instance, "roleless", class).await;
    let told = until_told(&bed, "RoleNotReady").await;
    assert_eq!(condition(&told, "RoleReady")["status"], "False");
}
