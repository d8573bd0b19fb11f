//! What the role of a workspace may do.
//!
//! PURE. Section 6 of the design: a secret is readable where three of its tags equal three tags of the session, so the
//! tag `tenant-service-account: revoked` ends access at once, whatever sessions are still alive. A role per tenant
//! carries the same conditions, or `revoked` would stop nothing there.

use super::{
    ModelArns, Place,
    document::{Document, Statement},
};
use crate::api::{class::TenantClassSpec, labels::tags, names::TenantName};

/// How far a role reaches, beside its secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The one tenant whose secrets it names; `None` for a role that all tenants share.
    pub tenant: Option<TenantName>,
    /// The KMS keys that the secrets are encrypted with, where that is not the account's default key.
    pub kms_keys: Vec<String>,
    /// The models.
    pub models: ModelArns,
    /// Whether it may list the models and inference profiles of the account.
    pub discovery: bool,
}

impl Reach {
    /// As far as a class lets the role of its tenants reach: of this one, or of them all.
    pub fn of(place: &Place, class: &TenantClassSpec, tenant: Option<TenantName>) -> Self {
        Self {
            tenant,
            kms_keys: class.secrets.kms_key_arn.iter().map(ToString::to_string).collect(),
            models: ModelArns::of(place, &class.identity.models),
            discovery: class.identity.model_discovery,
        }
    }
}

/// The tag of a secret and the tag of a session that must be equal.
pub(super) const MUST_BE_EQUAL: [(&str, &str); 3] = [
    (tags::NAMESPACE, "kubernetes-namespace"),
    (tags::SERVICE_ACCOUNT, "kubernetes-service-account"),
    (tags::CLUSTER_ARN, "eks-cluster-arn"),
];

/// What a condition compares with what.
pub(super) fn equality((tag, session): (&str, &str)) -> (String, String) {
    (format!("secretsmanager:ResourceTag/{tag}"), format!("${{aws:PrincipalTag/{session}}}"))
}

/// What a role may do.
pub fn permissions(place: &Place, reach: &Reach) -> Document {
    let secrets = place.secrets(&reach.tenant.as_ref().map(|tenant| format!("{tenant}/")).unwrap_or_default());
    let mut all = vec![read_own_secrets(secrets.clone())];
    if !reach.kms_keys.is_empty() {
        all.push(decrypt_own_secrets(place, reach.kms_keys.clone(), secrets));
    }
    all.extend(invoke_models(&reach.models));
    if reach.discovery {
        all.push(list_models());
    }
    Document::of(all)
}

/// The most that the role of any tenant may ever do, whatever its own policy says.
pub fn boundary(place: &Place, kms_keys: Vec<String>) -> Document {
    permissions(place, &Reach { tenant: None, kms_keys, models: ModelArns::every(place), discovery: true })
}

/// The resolver in a workspace calls GetSecretValue and nothing else of Secrets Manager.
fn read_own_secrets(secrets: String) -> Statement {
    let allow = Statement::allow("ReadOwnSecrets", &["secretsmanager:GetSecretValue"], [secrets]);
    MUST_BE_EQUAL.into_iter().map(equality).fold(allow, |all, (key, value)| all.when("StringEquals", &key, value))
}

/// Secrets Manager decrypts in the caller's name, with the secret's ARN as encryption context ("Secret encryption and
/// decryption in AWS Secrets Manager", Secrets Manager User Guide).
fn decrypt_own_secrets(place: &Place, keys: Vec<String>, secrets: String) -> Statement {
    Statement::allow("DecryptOwnSecrets", &["kms:Decrypt"], keys)
        .when("StringEquals", "kms:ViaService", place.via_secrets_manager())
        .when("StringLike", "kms:EncryptionContext:SecretARN", secrets)
}

const INVOKE: [&str; 2] = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"];

fn invoke_models(models: &ModelArns) -> Vec<Statement> {
    let mut all = Vec::new();
    if !models.on_demand.is_empty() {
        all.push(Statement::allow("InvokeModels", &INVOKE, models.on_demand.clone()));
    }
    if !models.profiles.is_empty() {
        all.push(Statement::allow("InvokeProfiles", &INVOKE, models.profiles.clone()));
    }
    if !models.destinations.is_empty() {
        let through = Statement::allow("InvokeModelsThroughProfiles", &INVOKE, models.destinations.clone());
        all.push(through.when_any("StringLike", "bedrock:InferenceProfileArn", models.profiles.clone()));
    }
    all
}

fn list_models() -> Statement {
    // Neither action knows a resource to be named (Service Authorization Reference, Amazon Bedrock).
    let actions = ["bedrock:ListFoundationModels", "bedrock:ListInferenceProfiles"];
    Statement::allow("ListModels", &actions, ["*".to_owned()])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::iam::place::example;

    fn models() -> ModelArns {
        let models = json!([
            { "id": "anthropic.claude-haiku-4-5-20251001-v1:0" },
            { "id": "anthropic.claude-sonnet-4-5-20250929-v1:0", "inferenceProfile": "eu" },
        ]);
        ModelArns::of(&example(), &serde_json::from_value::<Vec<_>>(models).expect("models"))
    }

    #[test]
    fn the_shared_role_reads_what_is_tagged_for_the_session_and_nothing_else() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1".to_owned();
        let reach = Reach { tenant: None, kms_keys: vec![key.clone()], models: models(), discovery: true };
        let profile =
            "arn:aws:bedrock:eu-west-1:111122223333:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
        let secrets = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:openclaw/*";
        let invoke = json!(["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]);
        let wanted = json!({ "Version": "2012-10-17", "Statement": [
            {
                "Sid": "ReadOwnSecrets", "Effect": "Allow",
                "Action": ["secretsmanager:GetSecretValue"], "Resource": [secrets],
                "Condition": { "StringEquals": {
                    "secretsmanager:ResourceTag/tenant-namespace": ["${aws:PrincipalTag/kubernetes-namespace}"],
                    "secretsmanager:ResourceTag/tenant-service-account": ["${aws:PrincipalTag/kubernetes-service-account}"],
                    "secretsmanager:ResourceTag/eks-cluster-arn": ["${aws:PrincipalTag/eks-cluster-arn}"],
                } },
            },
            {
                "Sid": "DecryptOwnSecrets", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [key],
                "Condition": {
                    "StringEquals": { "kms:ViaService": ["secretsmanager.eu-west-1.amazonaws.com"] },
                    "StringLike": { "kms:EncryptionContext:SecretARN": [secrets] },
                },
            },
            {
                "Sid": "InvokeModels", "Effect": "Allow", "Action": invoke,
                "Resource": ["arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0"],
            },
            { "Sid": "InvokeProfiles", "Effect": "Allow", "Action": invoke, "Resource": [profile] },
            {
                "Sid": "InvokeModelsThroughProfiles", "Effect": "Allow", "Action": invoke,
                "Resource": ["arn:aws:bedrock:*::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"],
                "Condition": { "StringLike": { "bedrock:InferenceProfileArn": [profile] } },
            },
            {
                "Sid": "ListModels", "Effect": "Allow",
                "Action": ["bedrock:ListFoundationModels", "bedrock:ListInferenceProfiles"], "Resource": ["*"],
            },
        ] });
        assert_eq!(json!(permissions(&example(), &reach)), wanted);
    }

    #[test]
    fn a_tenants_role_names_its_own_secrets_and_carries_the_same_conditions() {
        let alice = Reach { tenant: Some("alice".parse().expect("name")), ..Reach::default() };
        let (own, shared) = (permissions(&example(), &alice), permissions(&example(), &Reach::default()));
        assert_eq!(own.statement.len(), 1, "no key and no model, so no right on any");
        assert_eq!(
            own.statement[0].resource,
            ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:openclaw/alice/*"]
        );
        assert_eq!(own.statement[0].condition, shared.statement[0].condition);
    }

    #[test]
    fn documents_stay_far_below_what_iam_takes() {
        let many: Vec<String> =
            (0..16).map(|index| format!("anthropic.claude-sonnet-4-5-2025{index:04}-v1:0")).collect();
        let many: Vec<_> = many.iter().map(|id| json!({ "id": id, "inferenceProfile": "global" })).collect();
        let models = ModelArns::of(&example(), &serde_json::from_value::<Vec<_>>(json!(many)).expect("models"));
        let reach = Reach { models, ..Reach::default() };
        assert!(permissions(&example(), &reach).to_json().len() < 10_240, "inline policies of a role together");
        assert!(boundary(&example(), vec!["k".repeat(200)]).to_json().len() < 6_144, "one managed policy");
    }
}
