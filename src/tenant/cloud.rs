//! The AWS half of a tenant: what stands, what is missing, what to do about it.
//!
//! PURE. Rules S1, S2 and section 6 of the design. Whether to look again is decided here too: a look is an action.

mod adoption;
mod association;
mod removal;
mod role;
mod secrets;

use std::time::Duration;

use jiff::SignedDuration;
use smol_str::{SmolStr, ToSmolStr as _};

use super::{
    action::{Action, AwsAction, PartState},
    blueprint::Blueprint,
    looks::Subject,
    observed::{Look, Observed},
    reason::Reason,
};
use crate::{
    api::{
        labels::tags,
        names::{TenantName, Uid},
        record::TenantRecordSpec,
    },
    aws::types::Tags,
};

pub use adoption::{former, former_attached, former_ended, look_up_former, secrets_attached};
pub use association::{is_own_association, what_is_left};
pub use removal::{Evidence, evidence, own, to_schedule, to_strip};
pub use role::{POLICY, wanted_role};
pub use secrets::{Keeping, is_own_secret, is_usable, secrets, secrets_ended, secrets_kept};

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

    fn rotating(actions: Vec<Action>, message: impl Into<String>) -> Self {
        Self { actions, state: PartState::Working(Reason::Rotating, message.into()) }
    }

    /// What is waited for; `None` once it is done and nothing is left to look at either: what is done may be in doubt.
    pub fn waits_for(&self) -> Option<String> {
        match &self.state {
            PartState::Done(..) if self.actions.is_empty() => None,
            PartState::Done(..) => Some("what stands in AWS is being looked at".to_owned()),
            PartState::Working(_, message) | PartState::Blocked(_, message) => Some(message.clone()),
        }
    }

    fn blocked(reason: Reason, message: impl Into<String>) -> Self {
        Self { actions: Vec::new(), state: PartState::Blocked(reason, message.into()) }
    }
}

/// Who a living tenant is to AWS: its role, where it has one of its own, and then its association.
pub fn identity(observed: &Observed, blueprint: &Blueprint<'_>) -> Half {
    let role = role::role(observed, blueprint);
    one_after_the_other(role, || association::association(observed, blueprint))
}

/// The end of it, in the other order.
pub fn identity_ended(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec) -> Half {
    let association = association::association_ended(observed, tenant, record);
    if !association.state.is_done() {
        return association;
    }
    match role::role_ended(observed, tenant, record) {
        Some(role) => Half { actions: [association.actions, role.actions].concat(), state: role.state },
        None => association,
    }
}

fn one_after_the_other(first: Option<Half>, then: impl FnOnce() -> Half) -> Half {
    match first {
        None => then(),
        Some(first) if !first.state.is_done() => first,
        Some(first) => {
            let then = then();
            Half { actions: [first.actions, then.actions].concat(), state: then.state }
        }
    }
}

/// How soon to look again at what is not as it should be: nothing tells when a person has put it right.
const MENDED_SOON: Duration = Duration::from_mins(1);

/// How long a look is a ground for changing something. What stands may have been seen long ago, and have become
/// somebody else's since (S1).
const ACTED_ON: Duration = Duration::from_mins(10);

/// How long after a Tenant's deletion what was asked for before it may still come to be: a request's own time, and that
/// of listings to show what it has made.
const LATE: SignedDuration = SignedDuration::from_secs(30);

/// What was never seen of a tenant that is being deleted is believed to be nowhere only when it could not come any more: a
/// create whose answer was lost may take effect after the look that found nothing.
fn unless_late<T>(observed: &Observed, look: &Look<T>, look_up: &AwsAction, what: &str, done: Half) -> Half {
    let deleted_at = observed.tenant.as_deref().and_then(|tenant| tenant.deleted_at);
    let settled = deleted_at.and_then(|at| at.checked_add(LATE).ok());
    match (settled, look) {
        (Some(settled), Look::At(at, _)) if *at < settled => {
            let actions = (observed.now >= settled).then(|| Action::Aws(look_up.clone())).into_iter().collect();
            Half::working(
                actions,
                format!("{what} may still be made by a request that was sent before: that is waited for"),
            )
        }
        _ => done,
    }
}

fn mended_soon(observed: &Observed) -> Duration {
    observed.settings.sweeps.interval.min(MENDED_SOON)
}

fn age<T>(observed: &Observed, look: &Look<T>) -> Option<Duration> {
    Some(observed.now.duration_since(look.at()?).unsigned_abs())
}

/// How much longer a look is believed for what is not as it should be.
fn remaining<T>(observed: &Observed, look: &Look<T>) -> Option<Duration> {
    Some(mended_soon(observed).saturating_sub(age(observed, look)?))
}

fn is_audit_due<T>(observed: &Observed, look: &Look<T>) -> bool {
    age(observed, look).is_some_and(|age| age >= observed.settings.sweeps.audit_period)
}

/// How long until a tenant's own role is to be looked at again; `None` where it has none.
pub fn role_believed_for(observed: &Observed) -> Option<Duration> {
    let age = age(observed, &observed.aws.role)?;
    Some(observed.settings.sweeps.audit_period.saturating_sub(age))
}

/// Whether something is to be looked at: never seen, in doubt, or not as it should be for long enough. What stands is
/// watched by the sweeps.
fn is_due<T>(observed: &Observed, look: &Look<T>, subject: &Subject, state: &PartState) -> bool {
    match remaining(observed, look) {
        None => true,
        Some(_) if observed.aws.is_doubted(subject) => true,
        // No sweep tells of roles: each is looked at in the time of the audit.
        Some(_) if *subject == Subject::Role && is_audit_due(observed, look) => true,
        Some(rest) => !state.is_done() && rest.is_zero(),
    }
}

/// What is in doubt is looked at again; what is being changed is looked at by the change. What was seen long ago, or in
/// a listing alone, is enough to rest on: before anything is done it is looked at itself.
fn looked_at_again<T>(
    observed: &Observed,
    subject: &Subject,
    look: &Look<T>,
    mut half: Half,
    look_up: AwsAction,
) -> Half {
    let acts = !half.actions.is_empty();
    let is_listed = observed.aws.is_only_listed(subject) && (acts || !half.state.is_done());
    if is_listed || (acts && age(observed, look).is_some_and(|age| age >= ACTED_ON)) {
        return Half::working(vec![Action::Aws(look_up)], "what stands in AWS is being looked at");
    }
    if !acts && is_due(observed, look, subject, &half.state) {
        half.actions.push(Action::Aws(look_up));
    }
    half
}

/// How much longer the looks at what is recorded in AWS are believed where something there is not as it should be;
/// `None` where there are none.
pub fn believed_for(observed: &Observed) -> Option<Duration> {
    let items = observed.record_spec().map(|record| record.secrets.items.as_slice()).unwrap_or_default();
    let secrets = items.iter().filter_map(|item| remaining(observed, observed.aws.secrets.get(&item.name)?));
    let role = remaining(observed, &observed.aws.role);
    secrets.chain(remaining(observed, &observed.aws.association)).chain(role).min()
}

/// Tags by which a resource is this incarnation's, of this cluster.
pub fn identifying_tags(tenant: &TenantName, record: &TenantRecordSpec, cluster_uid: &Uid) -> Tags {
    let all = [
        (tags::MANAGED_BY, SmolStr::new_static(tags::MANAGED_BY_US)),
        (tags::CLUSTER_UID, cluster_uid.to_smolstr()),
        (tags::TENANT, tenant.to_smolstr()),
        (tags::INCARNATION, record.incarnation.to_smolstr()),
        (tags::OWNER_HASH, record.owner.hash.to_smolstr()),
    ];
    all.into_iter().map(|(key, value)| (SmolStr::new_static(key), value)).collect()
}

/// Whether a resource is ours to touch (S1, S4): made by us, for this cluster, this tenant and this incarnation.
pub fn is_ours(actual: &Tags, tenant: &TenantName, record: &TenantRecordSpec, cluster_uid: &Uid) -> bool {
    let identifying = identifying_tags(tenant, record, cluster_uid);
    // A transfer changes the owner, not the incarnation.
    identifying.iter().filter(|(key, _)| *key != tags::OWNER_HASH).all(|(key, value)| actual.get(key) == Some(value))
}

fn whose(actual: &Tags) -> String {
    let tag = |key: &str| actual.get(key).map_or("none", SmolStr::as_str);
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
