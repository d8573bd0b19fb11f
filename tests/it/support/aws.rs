//! Emulated AWS: what is in it, what was asked of it, and what shall go wrong.

use aws_sdk_eks::{
    config::{BehaviorVersion, Credentials, Region},
    types::PodIdentityAssociation,
};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client as HttpClient, rt::TokioExecutor};
use serde_json::{Value, json};

use super::Instance;

/// Something that shall go wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The connection breaks and nothing was done.
    DroppedBefore,
    /// It was done, and the answer is lost.
    AnswerLost,
    /// Refused for a missing right.
    AccessDenied,
    /// Too many requests.
    Throttled,
    /// A failure on AWS's side.
    ServerError,
    /// It was done, and the answer is a failure on AWS's side.
    ErrorAfter,
    /// No answer within any patience; it is done in the end.
    Slow,
    /// The same, and it is done only when a lease that was held then has long run out.
    Late,
    /// A listing does not show the newest item that the fault's text occurs in.
    Stale,
}

/// Calls that shall go wrong.
#[derive(Clone, Copy, Debug)]
pub struct Disturbance<'a> {
    /// Of which service; `*` is any.
    pub service: &'a str,
    /// Which operation.
    pub operation: &'a str,
    /// What they name.
    pub text: &'a str,
    /// How they go wrong.
    pub fault: Fault,
    /// How many of them; 0 stands for all.
    pub times: u32,
}

impl Fault {
    fn rule(self) -> Value {
        let refusal =
            |status: u16, code: &str| json!({ "status": status, "code": code, "message": "injected by a test" });
        match self {
            Self::DroppedBefore => json!({ "when": "before", "action": "drop" }),
            Self::AnswerLost => json!({ "when": "after", "action": "drop" }),
            Self::AccessDenied => json!({ "when": "before", "action": refusal(403, "AccessDeniedException") }),
            Self::Throttled => json!({ "when": "before", "action": refusal(429, "ThrottlingException") }),
            Self::ServerError => json!({ "when": "before", "action": refusal(500, "InternalFailure") }),
            Self::ErrorAfter => json!({ "when": "after", "action": refusal(500, "InternalFailure") }),
            // The operator waits for 5 s.
            Self::Slow => json!({ "when": "before", "action": { "delayMs": 6_000 } }),
            // The lease holds for 15 s, and its next holder comes within 20 s.
            Self::Late => json!({ "when": "before", "action": { "delayMs": 30_000 } }),
            Self::Stale => json!({ "when": "after", "action": "stale" }),
        }
    }
}

impl Instance {
    /// Lets the operator's next `times` calls of an operation that name `text` go wrong; 0 stands for all of them.
    pub async fn fault(&self, operation: &str, text: &str, fault: Fault, times: u32) -> String {
        self.disturb(Disturbance { service: "*", operation, text, fault, times }).await
    }

    /// The same for one service: EKS and Secrets Manager both have an operation `TagResource`.
    pub async fn disturb(&self, calls: Disturbance<'_>) -> String {
        let Disturbance { service, operation, text, fault, times } = calls;
        let mut rule = fault.rule();
        let id = format!("{operation}-{text}-{fault:?}").replace('/', "-");
        rule["id"] = json!(id);
        rule["service"] = json!(service);
        rule["operation"] = json!(operation);
        // What tests do themselves goes well.
        rule["accessKeyId"] = json!("operator");
        rule["match"] = json!(text);
        rule["times"] = json!(times);
        self.control("POST", "/faults", Some(rule)).await;
        id
    }

    /// Calls that a fault has touched and that have had their answer, or none, since.
    pub async fn disturbed(&self, id: &str) -> Vec<Value> {
        let touched = self.control("GET", &format!("/calls?since=0&fault={id}"), None).await;
        touched.as_array().cloned().unwrap_or_default()
    }

    /// Ends a fault.
    pub async fn heal(&self, id: &str) {
        self.control("DELETE", &format!("/faults/{id}"), None).await;
    }

    /// How many calls a fault has hit.
    pub async fn hits(&self, id: &str) -> u64 {
        let rules = self.control("GET", "/faults", None).await;
        let rule = rules.as_array().into_iter().flatten().find(|rule| rule["id"] == id).cloned();
        rule.and_then(|rule| rule["hits"].as_u64()).unwrap_or(0)
    }

    /// The version that readers of a secret get.
    pub async fn current_version(&self, secret: &str) -> String {
        let value = self.secrets().get_secret_value().secret_id(secret).send().await.expect("a value");
        value.version_id().expect("its version").to_owned()
    }

    /// Calls that named `text` so far, oldest first.
    pub async fn calls(&self, text: &str) -> Vec<Value> {
        let all = self.control("GET", "/calls?since=0", None).await;
        let names = |call: &&Value| {
            // Every call names nothing.
            let names_it = |field: &str| call[field].as_str().is_some_and(|value| value.contains(text));
            text.is_empty() || names_it("target") || names_it("identity")
        };
        all.as_array().into_iter().flatten().filter(names).cloned().collect()
    }

    /// Keeps etcd as it is now, under this name.
    pub async fn back_up_etcd(&self, name: &str) {
        self.control("POST", &format!("/etcd/{name}"), None).await;
    }

    /// Puts a backup in the place of what etcd holds. No operator may run meanwhile: like every component that has seen
    /// the later state, it is started anew.
    pub async fn restore_etcd(&self, name: &str) {
        self.control("PUT", &format!("/etcd/{name}"), None).await;
    }

    /// Makes an association like one of an EKS add-on's.
    pub async fn give_to_addon(&self, association: &str, owner: &str) {
        self.control("PUT", &format!("/associations/{association}"), Some(json!({ "ownerArn": owner }))).await;
    }

    /// An association as EKS describes it.
    pub async fn association(&self, id: &str) -> PodIdentityAssociation {
        let request = self.eks().describe_pod_identity_association().association_id(id);
        let answer = request.cluster_name(self.fact("/aws/clusterName")).send().await.expect("described");
        answer.association.expect("association")
    }

    /// Makes an association as somebody who is not the operator, and returns its id.
    pub async fn make_association(&self, namespace: &str, account: &str, tags: &[(&str, &str)]) -> String {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let request = self.eks().create_pod_identity_association().namespace(namespace).service_account(account);
        let request = request.cluster_name(self.fact("/aws/clusterName")).role_arn(self.fact("/aws/tenantRoleArn"));
        let answer = request.set_tags(Some(tags)).send().await.expect("an association");
        answer.association.and_then(|association| association.association_id).expect("its id")
    }

    async fn control(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let client = HttpClient::builder(TokioExecutor::new()).build_http::<Full<axum::body::Bytes>>();
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.fact("/controlURL")))
            .header("content-type", "application/json")
            .body(Full::new(body.into()))
            .expect("request");
        let answer = client.request(request).await.expect("the platform's control address answers");
        let status = answer.status();
        let bytes = answer.into_body().collect().await.expect("answer").to_bytes();
        assert!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    }

    /// EKS, as an administrator sees it.
    pub fn eks(&self) -> aws_sdk_eks::Client {
        let config = aws_sdk_eks::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.fact("/aws/region").to_owned()))
            .credentials_provider(administrator())
            .endpoint_url(self.fact("/aws/endpoints/eks"))
            .build();
        aws_sdk_eks::Client::from_conf(config)
    }

    /// IAM, as an administrator sees it.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.fact("/aws/region").to_owned()))
            .credentials_provider(administrator())
            .endpoint_url(self.fact("/aws/endpoints/iam"))
            .build();
        aws_sdk_iam::Client::from_conf(config)
    }

    /// Makes a role that Pod Identity may assume, and returns its ARN.
    pub async fn make_role(&self, name: &str) -> String {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "pods.eks.amazonaws.com" },
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }] });
        let request = self.iam().create_role().role_name(name);
        let made = request.assume_role_policy_document(trust.to_string()).send().await.expect("a role");
        made.role.expect("the role").arn
    }

    /// Secrets Manager, as an administrator sees it.
    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.fact("/aws/region").to_owned()))
            .credentials_provider(administrator())
            .endpoint_url(self.fact("/aws/endpoints/secretsManager"))
            .build();
        aws_sdk_secretsmanager::Client::from_conf(config)
    }
}

fn administrator() -> Credentials {
    Credentials::new("administrator", "administrator", None, None, "test")
}
