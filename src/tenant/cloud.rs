//! The AWS half of a tenant: what stands, what is missing, what to do about it.
//!
//! PURE. Rules S1, S2 and section 6 of the design. Whether to look again is decided here too: a look is an action.

mod association;
mod role;
mod secrets;

use std::time::Duration;

use super::{
    action::{Action, AwsAction, PartState},
    blueprint::Blueprint,
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

pub use association::{is_own_association, what_is_left};
pub use role::{POLICY, wanted_role};
pub use secrets::{is_own_secret, is_usable, secrets, secrets_ended};

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
    let role = match &observed.aws.role {
        Look::At(at, _) => Some(remaining(at)),
        Look::Never => None,
    };
    secrets.chain(association).chain(role).min()
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
