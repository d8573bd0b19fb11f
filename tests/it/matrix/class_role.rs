//! A role that the tenants of a class share: somebody opens it, and the class says so.

use std::sync::atomic::{AtomicUsize, Ordering};

use openclaw_tenant_operator::iam::{Place, Reach, permissions, shared_trust};
use serde_json::{Value, json};

use crate::support::{Bed, Instance, condition};

/// The inline policy.
const INLINE: &str = "own-inline";

/// A role with an inline and an attached policy.
pub struct SharedRole {
    pub name: String,
    pub arn: String,
    policy: String,
}

/// Where the platform's documents hold; none of those that are asked for here names the cluster's UID.
pub fn place(instance: &Instance) -> Place {
    let cluster = instance.fact("/aws/clusterArn").parse().expect("an ARN");
    Place::new(&cluster, &"any".parse().expect("a UID"), &"openclaw".parse().expect("a prefix"))
}

impl SharedRole {
    /// Makes one that says what it should, and nothing else.
    pub async fn make(instance: &Instance) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("shared-{}-{:03}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let (place, iam) = (place(instance), instance.iam());
        let (trust, right) =
            (shared_trust(&place, "openclaw-").to_json(), permissions(&place, &Reach::default()).to_json());
        let made = iam.create_role().role_name(&name).assume_role_policy_document(trust).send().await;
        let arn = made.expect("a role").role.expect("a role").arn;
        let made = iam.create_policy().policy_name(&name).policy_document(&right).send().await;
        let policy = made.expect("a policy").policy.and_then(|policy| policy.arn).expect("its ARN");
        iam.attach_role_policy().role_name(&name).policy_arn(&policy).send().await.expect("attached");
        let put = iam.put_role_policy().role_name(&name).policy_name(INLINE).policy_document(&right);
        put.send().await.expect("put");
        Self { name, arn, policy }
    }

    /// Lets any pod take it on, and lets it read every secret, by either of its policies.
    pub async fn open(&self, instance: &Instance) {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Principal": { "Service": "pods.eks.amazonaws.com" }, "Action": ["sts:AssumeRole", "sts:TagSession"] }] });
        let open = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue", "Resource": "*" }] });
        let (iam, open) = (instance.iam(), open.to_string());
        let put = iam.update_assume_role_policy().role_name(&self.name).policy_document(trust.to_string());
        put.send().await.expect("the trust policy");
        let put = iam.put_role_policy().role_name(&self.name).policy_name(INLINE).policy_document(&open);
        put.send().await.expect("the inline policy");
        let version = iam.create_policy_version().policy_arn(&self.policy).policy_document(&open).set_as_default(true);
        version.send().await.expect("the attached policy");
    }

    /// Whether the class says all three that are open.
    pub fn is_told_open(&self, class: &Value) -> Result<(), String> {
        let trust = "the trust policy lacks the condition aws:RequestTag/kubernetes-namespace like openclaw-*";
        let of = |policy: &str| format!("policy {policy} lets every workspace of the class read secrets");
        is_told(class, "RoleOpen", &[trust.to_owned(), of(INLINE), of(&self.policy)])
    }
}

/// Whether the class says this of its role, for its present generation.
pub fn is_told(class: &Value, reason: &str, words: &[String]) -> Result<(), String> {
    let told = condition(class, "RoleReady");
    let message = told["message"].as_str().unwrap_or_default();
    let is_right = told["reason"] == reason
        && told["status"] == (if reason == "Verified" { "True" } else { "False" })
        && told["observedGeneration"] == class["metadata"]["generation"]
        && words.iter().all(|words| message.contains(words));
    if is_right { Ok(()) } else { Err(format!("RoleReady is {told} and not {reason} with {words:?}")) }
}

/// The class, once it says anything for its present generation.
pub async fn told(bed: &Bed) -> Option<Value> {
    let class = bed.get("TenantClass", None, &bed.class).await?;
    (class["status"]["observedGeneration"] == class["metadata"]["generation"]).then_some(class)
}

/// Changes the class in something that its role has nothing to do with.
pub async fn edit(bed: &Bed) {
    let class = bed.get("TenantClass", None, &bed.class).await.expect("the class");
    let pods = class["spec"]["quota"]["maximum"]["pods"].as_u64().expect("a number") + 1;
    let patch = json!({ "spec": { "quota": { "maximum": { "pods": pods } } } });
    bed.patch("TenantClass", None, &bed.class, patch).await.expect("changed");
}
