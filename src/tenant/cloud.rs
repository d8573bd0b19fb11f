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
        names::{NamespaceName, TenantName, Uid},
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

/// Whether a look is old enough to be taken again.
fn is_due<T>(observed: &Observed, look: &Look<T>) -> bool {
    match look {
        Look::Never => true,
        Look::At(at, _) => observed.now.duration_since(*at).unsigned_abs() >= observed.settings.aws_recheck,
    }
}

/// How long the looks at AWS are still believed; `None` where there are none.
pub fn believed_for(observed: &Observed) -> Option<Duration> {
    let remaining = |at: &jiff::Timestamp| {
        observed.settings.aws_recheck.saturating_sub(observed.now.duration_since(*at).unsigned_abs())
    };
    let association = match &observed.aws.association {
        Look::At(at, _) => Some(remaining(at)),
        Look::Never => None,
    };
    let secrets = observed.aws.secrets.values().filter_map(|look| match look {
        Look::At(at, _) => Some(remaining(at)),
        Look::Never => None,
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
    let look_up = Action::Aws(look_up_association(record));
    let Some(found) = look.seen() else {
        return Half::working(vec![look_up], "the Pod Identity association is being looked for");
    };
    let mut half = match found {
        FoundAssociation::None => create_association(blueprint),
        FoundAssociation::Several(ids) => several(ids.iter().map(ToString::to_string).collect()),
        FoundAssociation::One(association) => judge_association(observed, blueprint, association),
    };
    // What stands is looked at again in its time; what is being changed is looked at by the change.
    if half.actions.is_empty() && is_due(observed, look) {
        half.actions.push(look_up);
    }
    half
}

fn look_up_association(record: &TenantRecordSpec) -> AwsAction {
    AwsAction::LookUpAssociation {
        namespace: record.namespace.name.clone(),
        service_account: record.service_account.clone(),
        known: record.identity.association_id.clone(),
    }
}

fn several(ids: Vec<String>) -> Half {
    let message = format!(
        "EKS lists more than one association for this ServiceAccount: {}. Delete those that this operator did not make",
        ids.join(", ")
    );
    Half::blocked(Reason::AssociationDoubled, message)
}

fn create_association(blueprint: &Blueprint<'_>) -> Half {
    let record = blueprint.record;
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

/// S1: what is an add-on's, or does not carry our tags, is never touched.
fn refuse_foreign(
    observed: &Observed,
    tenant: &TenantName,
    record: &TenantRecordSpec,
    association: &Association,
) -> Option<Half> {
    let id = &association.id;
    if let Some(owner) = &association.owner_arn {
        let message = format!("association {id} of this ServiceAccount belongs to {owner}; it is not touched");
        return Some(Half::blocked(Reason::AssociationTaken, message));
    }
    if is_ours(&association.tags, tenant, record, &observed.settings.cluster_uid) {
        return None;
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
    let look_up = look_up_association(record);
    match observed.aws.association.seen() {
        None => Half::working(vec![Action::Aws(look_up)], "the Pod Identity association is being looked for"),
        Some(FoundAssociation::None) => Half::done(Reason::Suspended, "the Pod Identity association is deleted"),
        Some(FoundAssociation::Several(ids)) => several(ids.iter().map(ToString::to_string).collect()),
        Some(FoundAssociation::One(association)) => {
            // One that is not ours was never this tenant's access: it stays, and holds nothing up.
            if refuse_foreign(observed, tenant, record, association).is_some() {
                return Half::done(
                    Reason::Suspended,
                    format!("association {} is not this tenant's and stays", association.id),
                );
            }
            let delete = AwsAction::DeleteAssociation(association.id.clone());
            Half::working(vec![Action::Aws(delete)], format!("association {} is being deleted", association.id))
        }
    }
}

/// The secrets of a living tenant. `identity_stands` says whether its association does.
pub fn secrets(observed: &Observed, blueprint: &Blueprint<'_>, identity_stands: bool) -> Half {
    if blueprint.record.secrets.mode == SecretsMode::None {
        return Half::done(Reason::SecretsNone, "the class keeps no secrets");
    }
    let halves: Vec<Half> =
        blueprint.secrets.iter().map(|wanted| secret(observed, blueprint, wanted, identity_stands)).collect();
    fold(halves, if blueprint.open { Reason::Verified } else { Reason::Suspended }, blueprint.open)
}

/// Several halves as one: all actions, the worst state.
fn fold(halves: Vec<Half>, done: Reason, open: bool) -> Half {
    let count = halves.len();
    let mut actions = Vec::new();
    let mut worst: Option<PartState> = None;
    for half in halves {
        actions.extend(half.actions);
        worst = match (worst, half.state) {
            (Some(PartState::Blocked(reason, message)), _) => Some(PartState::Blocked(reason, message)),
            (_, blocked @ PartState::Blocked(..)) => Some(blocked),
            (Some(working @ PartState::Working(..)), _) => Some(working),
            (_, working @ PartState::Working(..)) => Some(working),
            (worst, PartState::Done(..)) => worst,
        };
    }
    let access = if open { "readable by the workspace alone" } else { "readable by nobody" };
    let state = worst.unwrap_or_else(|| PartState::Done(done, format!("{count} in Secrets Manager, {access}")));
    Half { actions, state }
}

fn secret(observed: &Observed, blueprint: &Blueprint<'_>, wanted: &WantedSecret, identity_stands: bool) -> Half {
    let record = blueprint.record;
    let name = secret_name(record, wanted.name.as_str());
    let Some(item) = record.secrets.items.iter().find(|item| item.name == wanted.name) else {
        return Half::working(Vec::new(), format!("secret {name} is being recorded"));
    };
    let look = observed.aws.secrets.get(&wanted.name).unwrap_or(&Look::Never);
    let look_up = Action::Aws(AwsAction::LookUpSecret { item: wanted.name.clone(), name: name.clone() });
    let Some(found) = look.seen() else {
        return Half::working(vec![look_up], format!("secret {name} is being looked for"));
    };
    let mut half = match found {
        None => create_secret(blueprint, item, &name),
        Some(secret) => judge_secret(observed, blueprint, wanted, item, secret, identity_stands),
    };
    if half.actions.is_empty() && is_due(observed, look) {
        half.actions.push(look_up);
    }
    half
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
        (SecretOrigin::Person, None) if wanted.required => {
            let message = format!(
                "secret {name} has no value yet and is required: put one with `aws secretsmanager put-secret-value \
                 --secret-id {name} --secret-string …`"
            );
            Half::blocked(Reason::AwaitingValue, message)
        }
        (SecretOrigin::Person, None) => Half::done(Reason::AwaitingValue, format!("secret {name} awaits a value")),
    }
}

fn refuse_secret(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec, secret: &Secret) -> Option<Half> {
    let name = &secret.name;
    if !is_ours(&secret.tags, tenant, record, &observed.settings.cluster_uid) {
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
    let halves = record.secrets.items.iter().map(|item| secret_ended(observed, tenant, record, item)).collect();
    fold(halves, Reason::Suspended, false)
}

fn secret_ended(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec, item: &RecordedSecret) -> Half {
    let name = secret_name(record, item.name.as_str());
    let look = observed.aws.secrets.get(&item.name).unwrap_or(&Look::Never);
    let Some(found) = look.seen() else {
        let look_up = AwsAction::LookUpSecret { item: item.name.clone(), name: name.clone() };
        return Half::working(vec![Action::Aws(look_up)], format!("secret {name} is being looked for"));
    };
    let Some(secret) = found else { return Half::done(Reason::Suspended, format!("secret {name} was never made")) };
    if !is_ours(&secret.tags, tenant, record, &observed.settings.cluster_uid) || secret.deleted_at.is_some() {
        // Not this tenant's to close, or closed to everybody already.
        return Half::done(Reason::Suspended, format!("secret {name} is out of reach"));
    }
    let tags = missing(&access_tags(record, false), &secret.tags);
    if tags.is_empty() {
        return Half::done(Reason::Suspended, format!("secret {name} is readable by nobody"));
    }
    let tag = AwsAction::TagSecret { item: item.name.clone(), arn: secret.arn.clone(), tags };
    Half::working(vec![Action::Aws(tag)], format!("access to secret {name} is being ended"))
}
