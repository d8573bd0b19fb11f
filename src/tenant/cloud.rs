//! The AWS half of a tenant: what stands, what is missing, what to do about it.
//!
//! PURE. Rules S1, S2 and section 6 of the design. Whether to look again is decided here too: a look is an action.

use std::time::Duration;

use super::{
    action::{Action, AwsAction, PartState},
    blueprint::{Blueprint, WantedSecret},
    ledger::{generated_version, secret_name},
    observed::{FoundAssociation, Look, Observed},
    reason::Reason,
};
use crate::{
    api::{
        class::SecretsMode,
        labels::tags,
        names::{AssociationId, NamespaceName, TenantName, Uid},
        record::{RecordedSecret, SecretOrigin, TenantRecordSpec},
    },
    aws::types::{Association, NewAssociation, NewSecret, Secret, Tags},
};

/// What one half of AWS came to.
#[derive(Clone, Debug)]
pub struct Half {
    /// What to do.
    pub actions: Vec<Action>,
    /// How it stands.
    pub state: PartState,
}

impl Half {
    fn done(reason: Reason, message: impl Into<String>) -> Self {
        Self { actions: Vec::new(), state: PartState::Done(reason, message.into()) }
    }

    fn working(actions: Vec<Action>, message: impl Into<String>) -> Self {
        Self { actions, state: PartState::Working(Reason::Progressing, message.into()) }
    }

    fn blocked(reason: Reason, message: impl Into<String>) -> Self {
        Self { actions: Vec::new(), state: PartState::Blocked(reason, message.into()) }
    }
}

/// How soon to look again at what a person is asked to put right: nothing tells when that is done.
const MENDED_SOON: Duration = Duration::from_mins(1);

/// Whether a look is old enough to be taken again.
fn is_due<T>(observed: &Observed, look: &Look<T>, state: &PartState) -> bool {
    let recheck = observed.settings.aws_recheck;
    let believed = if state.is_done() { recheck } else { recheck.min(MENDED_SOON) };
    match look {
        Look::Never => true,
        Look::At(at, _) => observed.now.duration_since(*at).unsigned_abs() >= believed,
    }
}

/// What stands is looked at again in its time; what is being changed is looked at by the change.
fn looked_at_again<T>(observed: &Observed, look: &Look<T>, mut half: Half, look_up: AwsAction) -> Half {
    if half.actions.is_empty() && is_due(observed, look, &half.state) {
        half.actions.push(Action::Aws(look_up));
    }
    half
}

/// How long the looks at what is recorded in AWS are still believed; `None` where there are none.
pub fn believed_for(observed: &Observed) -> Option<Duration> {
    let items = observed.record_spec().map(|record| record.secrets.items.as_slice()).unwrap_or_default();
    let remaining = |at: &jiff::Timestamp| {
        observed.settings.aws_recheck.saturating_sub(observed.now.duration_since(*at).unsigned_abs())
    };
    let association = match &observed.aws.association {
        Look::At(at, _) => Some(remaining(at)),
        Look::Never => None,
    };
    let secrets = items.iter().filter_map(|item| match observed.aws.secrets.get(&item.name) {
        Some(Look::At(at, _)) => Some(remaining(at)),
        Some(Look::Never) | None => None,
    });
    secrets.chain(association).min()
}

/// Tags by which a resource is this incarnation's, of this cluster.
pub fn identifying_tags(tenant: &TenantName, record: &TenantRecordSpec, cluster_uid: &Uid) -> Tags {
    Tags::from([
        (tags::MANAGED_BY.to_owned(), tags::MANAGED_BY_US.to_owned()),
        (tags::CLUSTER_UID.to_owned(), cluster_uid.to_string()),
        (tags::TENANT.to_owned(), tenant.to_string()),
        (tags::INCARNATION.to_owned(), record.incarnation.to_string()),
        (tags::OWNER_HASH.to_owned(), record.owner.hash.to_string()),
    ])
}

/// Whether a resource is ours to touch (S1, S4): made by us, for this cluster, this tenant and this incarnation.
pub fn is_ours(actual: &Tags, tenant: &TenantName, record: &TenantRecordSpec, cluster_uid: &Uid) -> bool {
    let identifying = identifying_tags(tenant, record, cluster_uid);
    // A transfer changes the owner, not the incarnation.
    identifying.iter().filter(|(key, _)| *key != tags::OWNER_HASH).all(|(key, value)| actual.get(key) == Some(value))
}

fn whose(actual: &Tags) -> String {
    let tag = |key: &str| actual.get(key).map_or("none", String::as_str);
    format!(
        "its tags say tenant {}, incarnation {}, cluster {}",
        tag(tags::TENANT),
        tag(tags::INCARNATION),
        tag(tags::CLUSTER_UID)
    )
}

fn missing(wanted: &Tags, actual: &Tags) -> Tags {
    wanted.iter().filter(|(key, value)| actual.get(*key) != Some(*value)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// The association of a living tenant.
pub fn association(observed: &Observed, blueprint: &Blueprint<'_>) -> Half {
    let record = blueprint.record;
    if !blueprint.has_identity() {
        return Half::done(Reason::IdentityNone, "the class gives workspaces no AWS identity");
    }
    let look = &observed.aws.association;
    let look_up = look_up_association(record);
    let Some(found) = look.seen() else {
        return Half::working(vec![Action::Aws(look_up)], "the Pod Identity association is being looked for");
    };
    let half = match found {
        FoundAssociation::None => create_association(blueprint),
        FoundAssociation::Several(ids) => several(ids),
        FoundAssociation::One(association) => judge_association(observed, blueprint, association),
    };
    looked_at_again(observed, look, half, look_up)
}

fn look_up_association(record: &TenantRecordSpec) -> AwsAction {
    AwsAction::LookUpAssociation {
        namespace: record.namespace.name.clone(),
        service_account: record.service_account.clone(),
        known: record.identity.association_id.clone(),
    }
}

fn several(ids: &[AssociationId]) -> Half {
    let ids: Vec<&str> = ids.iter().map(AssociationId::as_str).collect();
    let message = format!(
        "EKS lists more than one association for this ServiceAccount: {}. Delete those that this operator did not make",
        ids.join(", ")
    );
    Half::blocked(Reason::AssociationDoubled, message)
}

fn create_association(blueprint: &Blueprint<'_>) -> Half {
    let record = blueprint.record;
    if let Some(gone) = &record.identity.association_id {
        // To the token that is still recorded EKS would answer with the one that is gone.
        return Half::working(Vec::new(), format!("association {gone} is gone, which is being recorded"));
    }
    let Some(role_arn) = record.identity.role_arn.clone() else {
        return Half::blocked(Reason::RoleNotReady, "the class names no role: set identity.roleArn");
    };
    let new = NewAssociation {
        namespace: record.namespace.name.clone(),
        service_account: record.service_account.clone(),
        role_arn,
        tags: association_tags(blueprint),
        token: record.identity.nonce.to_string(),
    };
    Half::working(vec![Action::Aws(AwsAction::CreateAssociation(new))], "the Pod Identity association is being made")
}

fn association_tags(blueprint: &Blueprint<'_>) -> Tags {
    identifying_tags(blueprint.tenant, blueprint.record, &blueprint.settings.cluster_uid)
}

fn judge_association(observed: &Observed, blueprint: &Blueprint<'_>, association: &Association) -> Half {
    let record = blueprint.record;
    if let Some(half) = refuse_foreign(observed, blueprint.tenant, record, association) {
        return half;
    }
    // A role in the record that is not the class's is on its way out, and not acted upon.
    if let Some(role) = &record.identity.role_arn
        && blueprint.class.identity.role_arn.as_ref() == Some(role)
        && association.role_arn.as_ref() != Some(role)
    {
        let token = observed.draw.derive("role").to_string();
        let update = AwsAction::UpdateRole { id: association.id.clone(), role: role.clone(), token };
        return Half::working(vec![Action::Aws(update)], format!("association {} gets role {role}", association.id));
    }
    let tags = missing(&association_tags(blueprint), &association.tags);
    if !tags.is_empty() {
        let tag = AwsAction::TagAssociation { association: association.clone(), tags };
        return Half::working(
            vec![Action::Aws(tag)],
            format!("tags of association {} are brought back", association.id),
        );
    }
    Half::done(Reason::Verified, format!("association {} stands", association.id))
}

/// Whether an association is this tenant's: not an add-on's, and with our tags.
pub fn is_own_association(
    observed: &Observed,
    tenant: &TenantName,
    record: &TenantRecordSpec,
    association: &Association,
) -> bool {
    association.owner_arn.is_none() && is_ours(&association.tags, tenant, record, &observed.settings.cluster_uid)
}

/// S1: what is an add-on's, or does not carry our tags, is never touched.
fn refuse_foreign(
    observed: &Observed,
    tenant: &TenantName,
    record: &TenantRecordSpec,
    association: &Association,
) -> Option<Half> {
    let id = &association.id;
    if is_own_association(observed, tenant, record, association) {
        return None;
    }
    if let Some(owner) = &association.owner_arn {
        let message = format!("association {id} of this ServiceAccount belongs to {owner}; it is not touched");
        return Some(Half::blocked(Reason::AssociationTaken, message));
    }
    let message = format!(
        "association {id} of this ServiceAccount is not this tenant's: {}. It is not touched; remove it if nobody needs it",
        whose(&association.tags)
    );
    Some(Half::blocked(Reason::AssociationTaken, message))
}

/// The association of a tenant whose access has ended and whose pods are gone: deleted, and seen to be gone.
pub fn association_ended(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec) -> Half {
    if record.identity.mode == crate::api::class::IdentityMode::None {
        return Half::done(Reason::IdentityNone, "the class gives workspaces no AWS identity");
    }
    let look = &observed.aws.association;
    let look_up = look_up_association(record);
    let half = match look.seen() {
        None => Half::working(Vec::new(), "the Pod Identity association is being looked for"),
        Some(FoundAssociation::None) => Half::done(Reason::Suspended, "the Pod Identity association is deleted"),
        Some(FoundAssociation::Several(ids)) => several(ids),
        // One that is not ours was never this tenant's access: it stays, and holds nothing up.
        Some(FoundAssociation::One(association)) if !is_own_association(observed, tenant, record, association) => {
            Half::done(Reason::Suspended, format!("association {} is not this tenant's and stays", association.id))
        }
        Some(FoundAssociation::One(association)) => {
            let delete = AwsAction::DeleteAssociation(association.id.clone());
            Half::working(vec![Action::Aws(delete)], format!("association {} is being deleted", association.id))
        }
    };
    looked_at_again(observed, look, half, look_up)
}

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

/// How much a state holds back. A value that a person owes holds back nothing but Ready, so it hides nothing else.
const fn weight(state: &PartState) -> u8 {
    match state {
        PartState::Done(..) => 0,
        PartState::Blocked(Reason::AwaitingValue, _) => 1,
        PartState::Working(..) => 2,
        PartState::Blocked(..) => 3,
    }
}

/// Several halves as one: all actions, the first of the worst states.
fn fold(halves: impl Iterator<Item = Half>, done: Half) -> Half {
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
    let record = blueprint.record;
    let name = secret_name(record, wanted.name.as_str());
    let Some(item) = record.secrets.items.iter().find(|item| item.name == wanted.name) else {
        return Half::working(Vec::new(), format!("secret {name} is being recorded"));
    };
    let look = observed.aws.secrets.get(&wanted.name).unwrap_or(&Look::Never);
    let half = match look.seen() {
        None => Half::working(Vec::new(), format!("secret {name} is being looked for")),
        Some(None) => create_secret(blueprint, item, &name),
        Some(Some(secret)) => judge_secret(observed, blueprint, wanted, item, secret, identity_stands),
    };
    looked_at_again(observed, look, half, AwsAction::LookUpSecret { item: wanted.name.clone(), name })
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
        all.insert(tags::CLUSTER_ARN.to_owned(), cluster.arn.to_string());
    }
    all.insert(tags::BUDGET.to_owned(), blueprint.budget.to_string());
    all
}

/// The tags that decide who may read (section 6).
fn access_tags(record: &TenantRecordSpec, open: bool) -> Tags {
    let service_account = if open { record.service_account.as_str() } else { tags::REVOKED };
    let namespace: &NamespaceName = &record.namespace.name;
    Tags::from([
        (tags::NAMESPACE.to_owned(), namespace.to_string()),
        (tags::SERVICE_ACCOUNT.to_owned(), service_account.to_owned()),
    ])
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
    if let Some(half) = refuse_secret(observed, blueprint.tenant, blueprint.record, secret) {
        return half;
    }
    let is_revoked = secret.tags.get(tags::SERVICE_ACCOUNT).map(String::as_str) == Some(tags::REVOKED);
    if blueprint.open && is_revoked && !identity_stands {
        return Half::working(Vec::new(), format!("secret {name} is opened again once the association stands"));
    }
    let tags = missing(&secret_tags(blueprint, blueprint.open), &secret.tags);
    if !tags.is_empty() {
        let tag = AwsAction::TagSecret { item: item.name.clone(), arn: secret.arn.clone(), tags };
        return Half::working(vec![Action::Aws(tag)], format!("tags of secret {name} are brought back"));
    }
    match (item.origin, secret.current_version()) {
        (_, Some(_)) => Half::done(Reason::Verified, format!("secret {name} stands")),
        // Ours, and without any value: its making was cut short, or a person took the labels off.
        (SecretOrigin::Generated, None) => {
            let version = generated_version(blueprint.record, item);
            let put = AwsAction::PutGenerated { item: item.name.clone(), arn: secret.arn.clone(), version };
            Half::working(vec![Action::Aws(put)], format!("secret {name} gets its first value"))
        }
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

/// Whether a secret is this tenant's.
pub fn is_own_secret(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec, secret: &Secret) -> bool {
    is_ours(&secret.tags, tenant, record, &observed.settings.cluster_uid)
}

fn refuse_secret(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec, secret: &Secret) -> Option<Half> {
    let name = &secret.name;
    if !is_own_secret(observed, tenant, record, secret) {
        let message = format!(
            "secret {name} exists and is not this tenant's: {}. It is not touched; rename or remove it, or choose another \
             tenant name",
            whose(&secret.tags)
        );
        return Some(Half::blocked(Reason::SecretTaken, message));
    }
    let deleted_at = secret.deleted_at?;
    let message = format!(
        "secret {name} was scheduled for deletion by somebody at {deleted_at}: bring it back with `aws secretsmanager \
         restore-secret --secret-id {name}`"
    );
    Some(Half::blocked(Reason::SecretScheduledForDeletion, message))
}

/// The secrets of a tenant that is being retired: readable by nobody. It needs nothing but the record.
pub fn secrets_ended(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec) -> Half {
    let halves = record.secrets.items.iter().map(|item| secret_ended(observed, tenant, record, item));
    fold(halves, Half::done(Reason::Suspended, "readable by nobody"))
}

fn secret_ended(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec, item: &RecordedSecret) -> Half {
    let name = secret_name(record, item.name.as_str());
    let look = observed.aws.secrets.get(&item.name).unwrap_or(&Look::Never);
    let half = match look.seen() {
        None => Half::working(Vec::new(), format!("secret {name} is being looked for")),
        Some(None) => Half::done(Reason::Suspended, format!("secret {name} was never made")),
        // Not this tenant's to close, or closed to everybody already.
        Some(Some(secret)) if !is_own_secret(observed, tenant, record, secret) || secret.deleted_at.is_some() => {
            Half::done(Reason::Suspended, format!("secret {name} is out of reach"))
        }
        Some(Some(secret)) => close_secret(record, item, secret),
    };
    looked_at_again(observed, look, half, AwsAction::LookUpSecret { item: item.name.clone(), name })
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
