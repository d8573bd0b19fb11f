//! What AWS says before something is removed for good, and the removal of secrets.
//!
//! PURE. Rules S1, S2 and S3. Nothing is removed on the ground of an old look.

use std::time::Duration;

use super::{age, association::is_own_association, is_own_secret, secrets::access_tags_of};
use crate::{
    api::{
        class::{IdentityMode, SecretsMode},
        labels::tags,
        names::TenantName,
        record::{RecordedSecret, TenantRecordSpec},
    },
    aws::types::Secret,
    tenant::{
        action::{Action, AwsAction},
        ledger::secret_name,
        looks::Subject,
        observed::{FoundAssociation, Look, Observed},
    },
};

/// How long a look is a ground for a step that cannot be undone.
const FRESH: Duration = Duration::from_secs(30);

/// What AWS says to a removal.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// Nobody has access any more.
    Clear,
    /// That is being looked at.
    Unknown(Vec<Action>),
    /// Somebody has: the record is contradicted.
    Against(String),
}

/// Whether anybody still has access to what a record holds.
pub fn evidence(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec) -> Evidence {
    let looks = looks(observed, record);
    if !looks.is_empty() {
        return Evidence::Unknown(looks);
    }
    let of_association = open_association(observed, tenant, record);
    let of_secret = items(record).find_map(|item| open_secret(observed, tenant, record, item));
    of_association.or(of_secret).map_or(Evidence::Clear, Evidence::Against)
}

fn items(record: &TenantRecordSpec) -> impl Iterator<Item = &RecordedSecret> {
    record.secrets.items.iter().filter(|_| record.secrets.mode != SecretsMode::None)
}

fn is_fresh<T>(observed: &Observed, subject: &Subject, look: &Look<T>) -> bool {
    let is_sure = !observed.aws.is_doubted(subject) && !observed.aws.is_only_listed(subject);
    is_sure && age(observed, look).is_some_and(|age| age < FRESH)
}

/// What is to be looked at before anything is removed.
fn looks(observed: &Observed, record: &TenantRecordSpec) -> Vec<Action> {
    let association = AwsAction::LookUpAssociation {
        namespace: record.namespace.name.clone(),
        service_account: record.service_account.clone(),
        known: record.identity.association_id.clone(),
    };
    let is_due = record.identity.mode != IdentityMode::None
        && !is_fresh(observed, &Subject::Association, &observed.aws.association);
    let of_secrets = items(record).filter_map(|item| {
        let look = observed.aws.secrets.get(&item.name).unwrap_or(&Look::Never);
        let is_due = !is_fresh(observed, &Subject::Secret(item.name.clone()), look);
        let name = secret_name(record, item.name.as_str());
        is_due.then(|| AwsAction::LookUpSecret { item: item.name.clone(), name })
    });
    let association = Some(association).filter(|_| is_due);
    association.into_iter().chain(of_secrets).map(Action::Aws).collect()
}

fn open_association(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec) -> Option<String> {
    match observed.aws.association.seen()? {
        FoundAssociation::One(one) if is_own_association(observed, tenant, record, one) => Some(format!(
            "association {} still gives its pods access (aws eks delete-pod-identity-association)",
            one.id
        )),
        // One that is not this tenant's gives access to nothing of its own.
        FoundAssociation::None | FoundAssociation::One(_) => None,
        FoundAssociation::Several(_) => Some("EKS lists more than one association for its ServiceAccount".to_owned()),
    }
}

/// A secret that somebody may read, or that the record knows by another ARN.
fn open_secret(
    observed: &Observed,
    tenant: &TenantName,
    record: &TenantRecordSpec,
    item: &RecordedSecret,
) -> Option<String> {
    let secret = own(observed, tenant, record, item)?;
    let reader = secret.tags.get(tags::SERVICE_ACCOUNT).filter(|reader| *reader != tags::REVOKED)?;
    (secret.deleted_at.is_none()).then(|| {
        format!(
            "secret {} can be read by {reader} (aws secretsmanager tag-resource --secret-id {} --tags Key={},Value={})",
            secret.name,
            secret.name,
            tags::SERVICE_ACCOUNT,
            tags::REVOKED
        )
    })
}

/// A secret of a record as it was seen, where it is this incarnation's.
pub fn own<'a>(
    observed: &'a Observed,
    tenant: &TenantName,
    record: &TenantRecordSpec,
    item: &RecordedSecret,
) -> Option<&'a Secret> {
    let secret = observed.aws.secrets.get(&item.name)?.seen()?.as_ref()?;
    is_own_secret(observed, tenant, record, secret).then_some(secret)
}

/// Secrets that still give access by their tags: they are stripped of those before anything else.
pub fn to_strip(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec) -> Vec<Action> {
    let standing = standing(observed, tenant, record).filter(|(_, secret)| access_tags_of(secret).next().is_some());
    let strip = |(item, secret): (&RecordedSecret, &Secret)| {
        Action::Aws(AwsAction::StripSecret { item: item.name.clone(), arn: secret.arn.clone() })
    };
    standing.map(strip).collect()
}

/// Secrets that are not scheduled for deletion yet.
pub fn to_schedule(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec) -> Vec<Action> {
    let window_days = record.retirement.recovery_window_days;
    let schedule = |(item, secret): (&RecordedSecret, &Secret)| {
        Action::Aws(AwsAction::DeleteSecret { item: item.name.clone(), arn: secret.arn.clone(), window_days })
    };
    standing(observed, tenant, record).map(schedule).collect()
}

/// Secrets of this incarnation that nobody has scheduled for deletion.
fn standing<'a>(
    observed: &'a Observed,
    tenant: &'a TenantName,
    record: &'a TenantRecordSpec,
) -> impl Iterator<Item = (&'a RecordedSecret, &'a Secret)> {
    let owned = items(record).filter_map(move |item| Some((item, own(observed, tenant, record, item)?)));
    owned.filter(|(_, secret)| secret.deleted_at.is_none())
}
