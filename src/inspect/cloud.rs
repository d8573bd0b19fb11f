//! A tenant's half in AWS: as the record tells it, and as AWS does where it was asked. Never a value.

use serde_json::{Value, json};

use super::objects::Seen;
use crate::{
    api::{
        class::{IdentityMode, SecretsMode},
        record::TenantRecordSpec,
    },
    aws::{
        AwsClients, AwsError,
        types::{Association, Secret},
    },
    tenant::ledger::secret_name,
};

/// What AWS said.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudSight {
    /// The association, where the record names one.
    pub association: Option<Seen<Association>>,
    /// Each recorded secret, in the record's order.
    pub secrets: Vec<Seen<Secret>>,
}

fn seen<T>(found: Result<Option<T>, AwsError>) -> Seen<T> {
    match found {
        Ok(Some(it)) => Seen::There(it),
        Ok(None) => Seen::Missing,
        Err(error) => Seen::Unseen(error.to_string()),
    }
}

/// Asks AWS for what the record names.
pub async fn look(aws: &AwsClients, record: &TenantRecordSpec) -> CloudSight {
    let association = match &record.identity.association_id {
        Some(id) => Some(seen(aws.pod_identity.describe(id).await)),
        None => None,
    };
    let mut secrets = Vec::new();
    for item in &record.secrets.items {
        secrets.push(seen(aws.secrets.describe(&secret_name(record, item.name.as_str())).await));
    }
    CloudSight { association, secrets }
}

/// One line about AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudLine {
    /// What is told.
    pub text: String,
    /// Whether AWS contradicts the record.
    pub bad: bool,
}

fn line(text: String, bad: bool) -> CloudLine {
    CloudLine { text, bad }
}

/// What the record tells, and how AWS answers to it.
pub fn lines(record: &TenantRecordSpec, sight: Option<&CloudSight>) -> Vec<CloudLine> {
    let mut all = Vec::new();
    if record.identity.mode == IdentityMode::None {
        all.push(line("the class gives no AWS identity".into(), false));
    } else {
        all.push(association(record, sight));
    }
    if record.secrets.mode == SecretsMode::None {
        all.push(line("the class keeps no secrets".into(), false));
    }
    for (index, item) in record.secrets.items.iter().enumerate() {
        let name = secret_name(record, item.name.as_str());
        let version = item.version_id.as_ref().map_or_else(|| "no value yet".to_owned(), |it| format!("version {it}"));
        let since = item.rotated_at.as_ref().map(|at| format!(", since {}", at.0)).unwrap_or_default();
        let rotating = if item.rotation.is_some() { ", being rotated" } else { "" };
        let (said, bad) = match sight.and_then(|sight| sight.secrets.get(index)) {
            None => (String::new(), false),
            Some(Seen::Missing) => ("; AWS has no such secret".into(), true),
            Some(Seen::Unseen(why)) => (format!("; not seen in AWS: {why}"), false),
            Some(Seen::There(secret)) => of_secret(secret, item.version_id.as_ref(), item.rotation.is_some()),
        };
        all.push(line(format!("secret {name}: {version}{since}{rotating}{said}"), bad));
    }
    all
}

fn of_secret(secret: &Secret, version: Option<&crate::api::names::VersionId>, rotating: bool) -> (String, bool) {
    if let Some(at) = secret.deleted_at {
        return (format!("; AWS: scheduled for deletion since {at}"), true);
    }
    match (secret.current_version(), version) {
        (Some(current), Some(version)) if current == *version => ("; the same in AWS".into(), false),
        (Some(current), _) => (format!("; AWSCURRENT is version {current}"), !rotating && version.is_some()),
        (None, _) => ("; without a value in AWS".into(), version.is_some()),
    }
}

fn association(record: &TenantRecordSpec, sight: Option<&CloudSight>) -> CloudLine {
    let identity = &record.identity;
    let Some(id) = &identity.association_id else {
        return line("no Pod Identity association is recorded".into(), false);
    };
    let role = identity.role_arn.as_ref().map(|role| format!(", role {role}")).unwrap_or_default();
    let (said, bad) = match sight.and_then(|sight| sight.association.as_ref()) {
        None => (String::new(), false),
        Some(Seen::Missing) => ("; EKS has no such association".into(), true),
        Some(Seen::Unseen(why)) => (format!("; not seen in AWS: {why}"), false),
        Some(Seen::There(live)) if live.role_arn == identity.role_arn => ("; the same in AWS".into(), false),
        Some(Seen::There(live)) => {
            let role = live.role_arn.as_ref().map_or_else(|| "none that can be read".to_owned(), ToString::to_string);
            (format!("; in AWS its role is {role}"), true)
        }
    };
    line(format!("Pod Identity association {id} of ServiceAccount {}{role}{said}", record.service_account), bad)
}

/// The same as JSON.
pub fn json(record: &TenantRecordSpec, sight: Option<&CloudSight>) -> Value {
    let live = |index: usize| match sight.and_then(|sight| sight.secrets.get(index)) {
        None => Value::Null,
        Some(Seen::Missing) => json!({ "state": "missing" }),
        Some(Seen::Unseen(why)) => json!({ "state": "not seen", "why": why }),
        Some(Seen::There(secret)) => json!({
            "state": if secret.deleted_at.is_some() { "scheduled for deletion" } else { "present" },
            "currentVersion": secret.current_version(),
        }),
    };
    let association = match sight.and_then(|sight| sight.association.as_ref()) {
        None => Value::Null,
        Some(Seen::Missing) => json!({ "state": "missing" }),
        Some(Seen::Unseen(why)) => json!({ "state": "not seen", "why": why }),
        Some(Seen::There(live)) => json!({ "state": "present", "roleArn": live.role_arn }),
    };
    let secrets = record.secrets.items.iter().enumerate().map(|(index, item)| {
        json!({
            "name": item.name, "secretId": secret_name(record, item.name.as_str()), "arn": item.arn,
            "versionId": item.version_id, "rotatedAt": item.rotated_at, "rotating": item.rotation.is_some(),
            "live": live(index),
        })
    });
    json!({
        "association": {
            "id": record.identity.association_id, "roleArn": record.identity.role_arn,
            "serviceAccount": record.service_account, "live": association,
        },
        "secrets": secrets.collect::<Vec<_>>(),
    })
}
