//! What an earlier system made in AWS for a tenant, and that consents to being adopted.
//!
//! PURE. Rules S1, S2 and S4: nothing without consent on itself, no value, and nothing that another cluster or owner has.

use std::time::Duration;

use smol_str::SmolStr;

use super::{
    Half, age, identifying_tags, is_ours, is_own_association, is_own_secret, missing,
    secrets::{fold, looked_for, refuse_secret},
};
use crate::{
    api::{
        class::SecretsMode,
        labels::tags,
        names::{AssociationId, TenantName},
        record::{RecordedSecret, TenantRecordSpec},
    },
    aws::types::{Association, Secret, Tags},
    tenant::{
        action::{Action, AwsAction},
        blueprint::{Blueprint, WantedSecret},
        observed::{Look, Observed},
        reason::Reason,
    },
};

/// How long what was seen of former associations is believed before one of them is deleted, or seen to be gone.
const ACTED_ON: Duration = Duration::from_mins(1);

/// What a resource in AWS says about being adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// Nothing, or it names another tenant.
    None,
    /// It consents.
    Given,
    /// It consents, but somebody else's marks are on it.
    Contradicted(String),
}

/// Whether a resource consents to being adopted by this tenant. What another cluster or another owner has marked stays theirs:
/// consent that was given once must not hand it on.
pub(super) fn consent(observed: &Observed, record: &TenantRecordSpec, actual: &Tags) -> Consent {
    let tag = |key: &str| actual.get(key).map(SmolStr::as_str);
    if tag(tags::ADOPT_BY) != Some(observed.name.as_str()) {
        return Consent::None;
    }
    let cluster = &observed.settings.cluster_uid;
    if let Some(other) = tag(tags::CLUSTER_UID).filter(|uid| *cluster != **uid) {
        return Consent::Contradicted(format!(
            "it consents to being adopted, but belongs to cluster {other}: remove its tags {} and {} first",
            tags::CLUSTER_UID,
            tags::MANAGED_BY
        ));
    }
    if tag(tags::OWNER_HASH).is_some_and(|hash| hash != record.owner.hash.as_str()) {
        return Consent::Contradicted(format!(
            "it consents to being adopted, but belongs to another owner: remove its tag {} first",
            tags::OWNER_HASH
        ));
    }
    Consent::Given
}

/// Looks for the associations of the namespace.
pub fn look_up_former(record: &TenantRecordSpec) -> Option<Action> {
    let adoption = record.adoption.as_ref()?;
    Some(Action::Aws(AwsAction::LookUpFormer {
        namespace: record.namespace.name.clone(),
        known: adoption.former_associations.clone(),
    }))
}

/// Whether an association is one that the former workload may live by: of the namespace, and not the operator's own.
fn is_former(record: &TenantRecordSpec, association: &Association) -> bool {
    association.namespace == record.namespace.name.as_str()
        && association.service_account != record.service_account.as_str()
        && association.owner_arn.is_none()
}

/// Ids of the former associations, as the record should name them: those that consent while nothing is cut over, and those that
/// carry our tags already.
pub fn former(observed: &Observed, record: &TenantRecordSpec, found: &[Association]) -> Vec<AssociationId> {
    let is_attaching = crate::tenant::adoption::is_only_attached(record);
    let is_it = |one: &&Association| {
        let ours = is_ours(&one.tags, &observed.name, record, &observed.settings.cluster_uid);
        let consents = is_attaching && consent(observed, record, &one.tags) == Consent::Given;
        is_former(record, one) && (ours || consents)
    };
    let mut ids: Vec<AssociationId> = found.iter().filter(is_it).map(|one| one.id.clone()).collect();
    ids.sort();
    ids.truncate(64);
    ids
}

/// The former associations of a tenant that is attached: those that consent get our identifying tags, and nothing else.
pub fn former_attached(observed: &Observed, blueprint: &Blueprint<'_>) -> Half {
    let record = blueprint.record;
    if !blueprint.has_identity() {
        return Half::done(Reason::IdentityNone, "the class gives workspaces no AWS identity");
    }
    let look_up = look_up_former(record).into_iter().collect();
    let Some(found) = observed.aws.former.seen() else {
        return Half::working(look_up, "the associations of the namespace are being looked for");
    };
    let mut half = judge_former(observed, blueprint, found);
    let patience = if half.state.is_done() { observed.settings.sweeps.interval } else { super::mended_soon(observed) };
    if half.actions.is_empty() && age(observed, &observed.aws.former).is_none_or(|age| age >= patience) {
        half.actions = look_up;
    }
    half
}

fn judge_former(observed: &Observed, blueprint: &Blueprint<'_>, found: &[Association]) -> Half {
    let record = blueprint.record;
    let recorded = record.adoption.as_ref().map(|one| one.former_associations.as_slice()).unwrap_or_default();
    let wanted = identifying_tags(blueprint.tenant, record, &blueprint.settings.cluster_uid);
    let (mut attached, mut others) = (Vec::new(), Vec::new());
    for one in found.iter().filter(|one| is_former(record, one)) {
        let named = format!("{} of ServiceAccount {}", one.id, one.service_account);
        let ours = is_own_association(observed, blueprint.tenant, record, one);
        match consent(observed, record, &one.tags) {
            Consent::Contradicted(why) if !ours => {
                return Half::blocked(Reason::AssociationTaken, format!("association {named} is not touched: {why}"));
            }
            Consent::None if !ours => others.push(named),
            // S6: first recorded, then tagged.
            _ if !recorded.contains(&one.id) => {
                return Half::working(Vec::new(), format!("association {named} is being recorded"));
            }
            // All of them, not only those that are missing: by those of the request IAM knows that it becomes ours.
            _ if !missing(&wanted, &one.tags).is_empty() => {
                let tag = AwsAction::TagFormer { association: one.clone(), tags: wanted };
                return Half::working(vec![Action::Aws(tag)], format!("association {named} is being marked"));
            }
            _ => attached.push(named),
        }
    }
    Half::done(Reason::Adopted, told_former(&attached, &others, blueprint.tenant))
}

fn told_former(attached: &[String], others: &[String], tenant: &TenantName) -> String {
    let mut message = if attached.is_empty() {
        "no association of the namespace is attached".to_owned()
    } else {
        format!("association {} attached; it stays until the cut-over is finished", attached.join(", "))
    };
    if !others.is_empty() {
        message =
            format!("{message}; not touched for want of the tag {}={tenant}: {}", tags::ADOPT_BY, others.join(", "));
    }
    format!("{message}. The workspace's own is made at cut-over")
}

/// The end of the former associations: each that is recorded and carries our tags is deleted, and seen to be gone.
pub fn former_ended(observed: &Observed, record: &TenantRecordSpec) -> Half {
    let recorded = record.adoption.as_ref().map(|one| one.former_associations.as_slice()).unwrap_or_default();
    if recorded.is_empty() {
        return Half::done(Reason::Verified, "no former association is left");
    }
    let is_recent = age(observed, &observed.aws.former).is_some_and(|age| age < ACTED_ON);
    let Some(found) = observed.aws.former.seen().filter(|_| is_recent) else {
        let look_up = look_up_former(record).into_iter().collect();
        return Half::working(look_up, "the former associations are being looked at");
    };
    let is_it = |one: &&Association| {
        recorded.contains(&one.id)
            && is_former(record, one)
            && is_own_association(observed, &observed.name, record, one)
    };
    match found.iter().find(is_it) {
        None => Half::done(Reason::Verified, "no former association is left"),
        Some(one) => {
            let message = format!("former association {} is being deleted", one.id);
            Half::working(vec![Action::Aws(AwsAction::DeleteFormer(one.id.clone()))], message)
        }
    }
}

/// The secrets of a tenant that is attached: those that are there and consent get our identifying tags, and nothing else, so
/// that whoever reads them reads on. What does not exist is made at cut-over.
pub fn secrets_attached(observed: &Observed, blueprint: &Blueprint<'_>) -> Half {
    if blueprint.record.secrets.mode == SecretsMode::None {
        return Half::done(Reason::SecretsNone, "the class keeps no secrets");
    }
    let is_there =
        |wanted: &&WantedSecret| matches!(observed.aws.secrets.get(&wanted.name).and_then(Look::seen), Some(Some(_)));
    let there: Vec<&str> = blueprint.secrets.iter().filter(is_there).map(|one| one.name.as_str()).collect();
    let rest = blueprint.secrets.len() - there.len();
    let told = match (there.is_empty(), rest) {
        (true, rest) => format!("none of {rest} secrets exists yet; they are made at cut-over"),
        (false, 0) => format!("{} recorded and marked, with the values that they have", there.join(", ")),
        (false, rest) => {
            format!(
                "{} recorded and marked, with the values that they have; {rest} more are made at cut-over",
                there.join(", ")
            )
        }
    };
    let halves = blueprint.secrets.iter().map(|wanted| secret_attached(observed, blueprint, wanted));
    fold(halves, Half::done(Reason::Adopted, told))
}

fn secret_attached(observed: &Observed, blueprint: &Blueprint<'_>, wanted: &WantedSecret) -> Half {
    looked_for(observed, blueprint, wanted, |item, name, secret| match secret {
        None => Half::done(Reason::Adopted, format!("secret {name} is made at cut-over")),
        Some(secret) => judge_attached(observed, blueprint, item, secret),
    })
}

fn judge_attached(observed: &Observed, blueprint: &Blueprint<'_>, item: &RecordedSecret, secret: &Secret) -> Half {
    let record = blueprint.record;
    let name = &secret.name;
    let is_own = is_own_secret(observed, blueprint.tenant, record, secret);
    let consents = consent(observed, record, &secret.tags) == Consent::Given && secret.deleted_at.is_none();
    if !is_own && !consents {
        return refuse_secret(observed, blueprint.tenant, record, secret)
            .unwrap_or_else(|| Half::done(Reason::Adopted, format!("secret {name} stands")));
    }
    if secret.deleted_at.is_some() {
        let message = format!(
            "secret {name} was scheduled for deletion by somebody, and nothing is undone before the cut-over: take it back \
             with `aws secretsmanager restore-secret --secret-id {name}`"
        );
        return Half::blocked(Reason::SecretScheduledForDeletion, message);
    }
    let wanted = identifying_tags(blueprint.tenant, record, &blueprint.settings.cluster_uid);
    if missing(&wanted, &secret.tags).is_empty() {
        return Half::done(Reason::Adopted, format!("secret {name} is attached"));
    }
    let tag = AwsAction::TagSecret { item: item.name.clone(), arn: secret.arn.clone(), tags: wanted };
    Half::working(vec![Action::Aws(tag)], format!("secret {name} is being marked"))
}

/// A secret that consents to being adopted by a tenant that lives already: after a backup was restored into another cluster, for
/// one. Its value stays the one that is used.
pub(super) fn take_secret(
    observed: &Observed,
    blueprint: &Blueprint<'_>,
    item: &RecordedSecret,
    secret: &Secret,
    wanted: &Tags,
) -> Option<Half> {
    let record = blueprint.record;
    let is_own = is_own_secret(observed, blueprint.tenant, record, secret);
    if is_own || secret.deleted_at.is_some() || consent(observed, record, &secret.tags) != Consent::Given {
        return None;
    }
    // All of them, not only those that are missing: by those of the request IAM knows that it becomes ours.
    let tag = AwsAction::TagSecret { item: item.name.clone(), arn: secret.arn.clone(), tags: wanted.clone() };
    Some(Half::working(
        vec![Action::Aws(tag)],
        format!("secret {} consents to being adopted and is being marked", secret.name),
    ))
}
