//! The secrets of a tenant in Secrets Manager.
//!
//! PURE. Rules S1 and S2.

use smol_str::{SmolStr, ToSmolStr as _};

use super::{
    Half,
    adoption::{Consent, consent, take_secret},
    identifying_tags, is_ours, looked_at_again, missing, unless_late, whose,
};
use crate::{
    api::{
        class::SecretsMode,
        labels::{CURRENT_STAGE, NEXT_STAGE, tags},
        names::{NamespaceName, TenantName, VersionId},
        record::{RecordedSecret, SecretOrigin, TenantRecordSpec},
    },
    aws::types::{NewSecret, Secret, Tags},
    tenant::{
        action::{Action, AwsAction, PartState},
        blueprint::{Blueprint, WantedSecret},
        ledger::{generated_version, secret_name},
        looks::Subject,
        observed::{Look, Observed},
        reason::Reason,
        rotation::next_version,
    },
};

/// The secrets of a living tenant. `identity_stands` says whether its association does.
pub fn secrets(observed: &Observed, blueprint: &Blueprint<'_>, identity_stands: bool) -> Half {
    if blueprint.record.secrets.mode == SecretsMode::None {
        return Half::done(Reason::SecretsNone, "the class keeps no secrets");
    }
    let is_wanted = |item: &&RecordedSecret| blueprint.secrets.iter().any(|wanted| wanted.name == item.name);
    // One that left the list is a person's to remove; until then it is kept, and readable by nobody.
    let unlisted = blueprint.record.secrets.items.iter().filter(|item| !is_wanted(item));
    let unlisted = unlisted.map(|item| secret_ended(observed, blueprint.tenant, blueprint.record, item));
    let wanted = blueprint.secrets.iter().map(|wanted| secret(observed, blueprint, wanted, identity_stands));
    let count = blueprint.secrets.len();
    let done = if blueprint.open {
        Half::done(Reason::Verified, format!("{count} in Secrets Manager, readable by the workspace alone"))
    } else {
        Half::done(Reason::Suspended, format!("{count} in Secrets Manager, readable by nobody"))
    };
    fold(wanted.chain(unlisted), done)
}

/// How much a state holds back. What a workspace can run with hides nothing that it cannot run with (S5).
const fn weight(state: &PartState) -> u8 {
    match state {
        PartState::Done(..) => 0,
        PartState::Blocked(Reason::AwaitingValue, _) => 1,
        PartState::Working(Reason::Rotating, _) => 2,
        PartState::Blocked(Reason::SecretMovedBack, _) => 3,
        PartState::Working(..) => 4,
        PartState::Blocked(..) => 5,
    }
}

/// Whether a workspace can run with secrets in this state: each of them has a value that it may read, or a person owes one.
pub const fn is_usable(state: &PartState) -> bool {
    weight(state) <= 3
}

/// Several halves as one: all actions, the first of the worst states.
pub(super) fn fold(halves: impl Iterator<Item = Half>, done: Half) -> Half {
    let mut all = done;
    for half in halves {
        all.actions.extend(half.actions);
        if weight(&half.state) > weight(&all.state) {
            all.state = half.state;
        }
    }
    all
}

fn secret(observed: &Observed, blueprint: &Blueprint<'_>, wanted: &WantedSecret, identity_stands: bool) -> Half {
    looked_for(observed, blueprint, wanted, |item, name, secret| match secret {
        None => create_secret(blueprint, item, name),
        Some(secret) => judge_secret(observed, blueprint, wanted, item, secret, identity_stands),
    })
}

/// One secret once it is recorded and was looked for: `judged` by its item, its full name, and what was found.
pub(super) fn looked_for(
    observed: &Observed,
    blueprint: &Blueprint<'_>,
    wanted: &WantedSecret,
    judged: impl FnOnce(&RecordedSecret, &str, Option<&Secret>) -> Half,
) -> Half {
    let record = blueprint.record;
    let name = secret_name(record, wanted.name.as_str());
    let Some(item) = record.secrets.items.iter().find(|item| item.name == wanted.name) else {
        return Half::working(Vec::new(), format!("secret {name} is being recorded"));
    };
    let look = observed.aws.secrets.get(&wanted.name).unwrap_or(&Look::Never);
    let half = match look.seen() {
        None => Half::working(Vec::new(), format!("secret {name} is being looked for")),
        Some(found) => judged(item, &name, found.as_deref()),
    };
    let look_up = AwsAction::LookUpSecret { item: wanted.name.clone(), name };
    looked_at_again(observed, &Subject::Secret(wanted.name.clone()), look, half, look_up)
}

fn create_secret(blueprint: &Blueprint<'_>, item: &RecordedSecret, name: &str) -> Half {
    let generate = match item.origin {
        SecretOrigin::Generated => Some(generated_version(blueprint.record, item)),
        SecretOrigin::Person => None,
    };
    let new = NewSecret {
        name: name.to_owned(),
        description: format!("{} of the OpenClaw workspace of tenant {}", item.name, blueprint.tenant),
        kms_key: blueprint.class.secrets.kms_key_arn.clone(),
        tags: secret_tags(blueprint, blueprint.open),
        generate,
    };
    let create = AwsAction::CreateSecret { item: item.name.clone(), new };
    Half::working(vec![Action::Aws(create)], format!("secret {name} is being made"))
}

fn secret_tags(blueprint: &Blueprint<'_>, open: bool) -> Tags {
    let mut all = identifying_tags(blueprint.tenant, blueprint.record, &blueprint.settings.cluster_uid);
    all.extend(access_tags(blueprint.record, open));
    if let Some(cluster) = &blueprint.settings.eks {
        all.insert(SmolStr::new_static(tags::CLUSTER_ARN), cluster.arn.to_smolstr());
    }
    all.insert(SmolStr::new_static(tags::BUDGET), blueprint.budget.to_smolstr());
    all
}

/// The tags that decide who may read (section 6).
fn access_tags(record: &TenantRecordSpec, open: bool) -> Tags {
    let service_account = if open { record.service_account.as_str() } else { tags::REVOKED };
    let namespace: &NamespaceName = &record.namespace.name;
    Tags::from_iter([
        (SmolStr::new_static(tags::NAMESPACE), namespace.to_smolstr()),
        (SmolStr::new_static(tags::SERVICE_ACCOUNT), service_account.into()),
    ])
}

/// The tags of a secret that decide who may read it.
pub(super) fn access_tags_of(secret: &Secret) -> impl Iterator<Item = &str> {
    tags::ACCESS.into_iter().filter(|key| secret.tags.contains_key(*key))
}

fn judge_secret(
    observed: &Observed,
    blueprint: &Blueprint<'_>,
    wanted: &WantedSecret,
    item: &RecordedSecret,
    secret: &Secret,
    identity_stands: bool,
) -> Half {
    let name = &secret.name;
    let wanted_tags = secret_tags(blueprint, blueprint.open);
    if let Some(half) = take_secret(observed, blueprint, item, secret, &wanted_tags) {
        return half;
    }
    if let Some(half) = refuse_secret(observed, blueprint.tenant, blueprint.record, secret) {
        return half;
    }
    if secret.deleted_at.is_some() {
        // Its tags have just said that it is this incarnation's; what else they say is judged once it is back.
        return restore_secret(item, secret);
    }
    // Revoked when access ended, or stripped before it was scheduled for deletion.
    let is_closed = secret.tags.get(tags::SERVICE_ACCOUNT).is_none_or(|reader| reader == tags::REVOKED);
    if blueprint.open && is_closed && !identity_stands {
        return Half::working(Vec::new(), format!("secret {name} is opened again once the association stands"));
    }
    let tags = missing(&wanted_tags, &secret.tags);
    if !tags.is_empty() {
        let tag = AwsAction::TagSecret { item: item.name.clone(), arn: secret.arn.clone(), tags };
        return Half::working(vec![Action::Aws(tag)], format!("tags of secret {name} are brought back"));
    }
    match (item.origin, secret.current_version()) {
        (SecretOrigin::Generated, current) => judge_generated(blueprint.record, item, secret, current.as_ref()),
        (SecretOrigin::Person, Some(_)) => Half::done(Reason::Verified, format!("secret {name} stands")),
        (SecretOrigin::Person, None) if wanted.required && blueprint.open => {
            let message = format!(
                "secret {name} has no value yet and is required: put one with `aws secretsmanager put-secret-value \
                 --secret-id {name} --secret-string …`"
            );
            Half::blocked(Reason::AwaitingValue, message)
        }
        (SecretOrigin::Person, None) => Half::done(Reason::AwaitingValue, format!("secret {name} awaits a value")),
    }
}

/// The value of a generated secret: there is one, or the next is on its way.
fn judge_generated(
    record: &TenantRecordSpec,
    item: &RecordedSecret,
    secret: &Secret,
    current: Option<&VersionId>,
) -> Half {
    let name = &secret.name;
    let put = |version, stage| {
        let (item, arn) = (item.name.clone(), secret.arn.clone());
        vec![Action::Aws(AwsAction::PutGenerated { item, arn, version, stage })]
    };
    let drop = |version: VersionId| {
        let (item, arn) = (item.name.clone(), secret.arn.clone());
        let actions = vec![Action::Aws(AwsAction::DropNext { item, arn, version })];
        Half::rotating(actions, format!("the rotation of secret {name} is being ended"))
    };
    let Some(rotation) = &item.rotation else {
        return match current {
            // Left by a rotation whose record was lost. The version keeps its other label.
            Some(current) if secret.has_label(current, NEXT_STAGE) => drop(current.clone()),
            Some(current) if item.replaced.as_ref() == Some(current) => moved_back(secret, item),
            Some(_) => Half::done(Reason::Verified, format!("secret {name} stands")),
            // Ours, and without any value: its making was cut short, or a person took the labels off.
            None => Half::working(
                put(generated_version(record, item), CURRENT_STAGE),
                format!("secret {name} gets its first value"),
            ),
        };
    };
    let Some(next) = next_version(record, item) else {
        return Half::done(Reason::Verified, format!("secret {name} stands"));
    };
    let is_over = rotation.abandoned || current == Some(&next);
    if is_over && secret.has_label(&next, NEXT_STAGE) {
        return drop(next);
    }
    if !is_over && !secret.has_version(&next) {
        return Half::rotating(put(next, NEXT_STAGE), format!("secret {name} gets its next value"));
    }
    Half::done(Reason::Rotating, format!("secret {name} is being rotated: its next value waits for a pod that uses it"))
}

/// Readers who name no version get another one than the workspace uses, and nobody but a person may want that.
fn moved_back(secret: &Secret, item: &RecordedSecret) -> Half {
    let name = &secret.name;
    let used = item.version_id.as_ref().map_or("none", VersionId::as_str);
    let message = format!(
        "AWSCURRENT of secret {name} was moved back to the version that the last rotation replaced; the workspace uses {used}. \
         Move it forward with `aws secretsmanager update-secret-version-stage --secret-id {name} --version-stage AWSCURRENT \
         --move-to-version-id {used} --remove-from-version-id {}`, or put a new value",
        item.replaced.as_ref().map_or("…", VersionId::as_str)
    );
    Half::blocked(Reason::SecretMovedBack, message)
}

/// Whether a secret is this tenant's.
pub fn is_own_secret(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec, secret: &Secret) -> bool {
    is_ours(&secret.tags, tenant, record, &observed.settings.cluster_uid)
}

pub(super) fn refuse_secret(
    observed: &Observed,
    tenant: &TenantName,
    record: &TenantRecordSpec,
    secret: &Secret,
) -> Option<Half> {
    let name = &secret.name;
    if is_own_secret(observed, tenant, record, secret) {
        return None;
    }
    let whose = whose(&secret.tags);
    if let Some(date) = secret.deleted_at {
        let message = format!(
            "secret {name} is another's and in its recovery window ({whose}; Secrets Manager gives {date} as the date of its \
             deletion): the name is free once it is gone, up to 30 days after it was scheduled. Choose another tenant name, \
             or wait"
        );
        return Some(Half::blocked(Reason::NameReserved, message));
    }
    if let Consent::Contradicted(why) = consent(observed, record, &secret.tags) {
        let message = format!("secret {name} exists and is not this tenant's ({whose}). It is not touched: {why}");
        return Some(Half::blocked(Reason::SecretTaken, message));
    }
    let message = format!(
        "secret {name} exists and is not this tenant's: {whose}. It is not touched; rename or remove it, choose another tenant \
         name, or, if it is this tenant's, let it consent to being adopted by the tag {}={tenant}",
        tags::ADOPT_BY
    );
    Some(Half::blocked(Reason::SecretTaken, message))
}

/// The secrets of a tenant that is being retired: readable by nobody. It needs nothing but the record.
pub fn secrets_ended(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec) -> Half {
    let halves = record.secrets.items.iter().map(|item| secret_ended(observed, tenant, record, item));
    fold(halves, Half::done(Reason::Suspended, "readable by nobody"))
}

/// How well the secrets of a kept tenant are looked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// The sweeps tell what is not as it should be.
    AtRest,
    /// Each is looked for: some may have been scheduled for deletion a moment ago.
    TakenBack,
    /// Each is looked for, and readable by nobody: a person is about to be told so.
    Promised,
}

/// The secrets of a tenant that is kept for its owner: one that is scheduled for deletion is taken back, whoever scheduled it, a
/// removal that was taken back or somebody by hand. Nobody's access ends that was not said to: a Tenant may only have vanished.
pub fn secrets_kept(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec, keeping: Keeping) -> Half {
    let items = record.secrets.items.iter().filter(|_| record.secrets.mode != SecretsMode::None);
    let halves = items.map(|item| secret_kept(observed, tenant, record, item, keeping));
    fold(halves, Half::done(Reason::Suspended, "kept, and readable by nobody"))
}

fn secret_kept(
    observed: &Observed,
    tenant: &TenantName,
    record: &TenantRecordSpec,
    item: &RecordedSecret,
    keeping: Keeping,
) -> Half {
    let subject = Subject::Secret(item.name.clone());
    let look = observed.aws.secrets.get(&item.name).unwrap_or(&Look::Never);
    let name = secret_name(record, item.name.as_str());
    let is_scheduled = |secret: &Secret| secret.deleted_at.is_some() && is_own_secret(observed, tenant, record, secret);
    let half = match look.seen() {
        None if keeping == Keeping::AtRest && !observed.aws.is_doubted(&subject) => {
            return Half::done(Reason::Suspended, format!("secret {name} is in nobody's doubt"));
        }
        Some(Some(secret)) if is_scheduled(secret) => restore_secret(item, secret),
        None | Some(_) if keeping == Keeping::Promised => return secret_ended(observed, tenant, record, item),
        None => Half::working(Vec::new(), format!("secret {name} is being looked for")),
        Some(_) => Half::done(Reason::Suspended, format!("secret {name} is kept")),
    };
    looked_at_again(observed, &subject, look, half, AwsAction::LookUpSecret { item: item.name.clone(), name })
}

fn restore_secret(item: &RecordedSecret, secret: &Secret) -> Half {
    let restore = AwsAction::RestoreSecret { item: item.name.clone(), arn: secret.arn.clone() };
    let message = format!("secret {} was scheduled for deletion and is taken back", secret.name);
    Half::working(vec![Action::Aws(restore)], message)
}

fn secret_ended(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec, item: &RecordedSecret) -> Half {
    let name = secret_name(record, item.name.as_str());
    let look = observed.aws.secrets.get(&item.name).unwrap_or(&Look::Never);
    let look_up = AwsAction::LookUpSecret { item: item.name.clone(), name: name.clone() };
    let half = match look.seen() {
        None => Half::working(Vec::new(), format!("secret {name} is being looked for")),
        Some(None) => {
            let done = Half::done(Reason::Suspended, format!("secret {name} is not there"));
            let what = format!("secret {name}");
            if item.arn.is_some() { done } else { unless_late(observed, look, &look_up, &what, done) }
        }
        // Not this tenant's to close, or closed to everybody already.
        Some(Some(secret)) if !is_own_secret(observed, tenant, record, secret) || secret.deleted_at.is_some() => {
            Half::done(Reason::Suspended, format!("secret {name} is out of reach"))
        }
        Some(Some(secret)) => close_secret(record, item, secret),
    };
    looked_at_again(observed, &Subject::Secret(item.name.clone()), look, half, look_up)
}

fn close_secret(record: &TenantRecordSpec, item: &RecordedSecret, secret: &Secret) -> Half {
    let name = &secret.name;
    let tags = missing(&access_tags(record, false), &secret.tags);
    if tags.is_empty() {
        return Half::done(Reason::Suspended, format!("secret {name} is readable by nobody"));
    }
    let tag = AwsAction::TagSecret { item: item.name.clone(), arn: secret.arn.clone(), tags };
    Half::working(vec![Action::Aws(tag)], format!("access to secret {name} is being ended"))
}
