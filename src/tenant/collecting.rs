//! What is learned of a new tenant is collected, and recorded in one write.
//!
//! PURE. What has to stand before something is made is recorded as soon as it is decided (S6): the incarnation, tokens, the names of secrets,
//! the namespace's UID, the volume. What is only learned of what was made, and would be learned again by the same look after a crash, waits for
//! the pod template, which is recorded before the workspace starts; so does the place on a gateway, which nobody has told of yet. No
//! workspace starts before all of it is recorded.

use std::time::Duration;

use super::{
    action::PartState,
    child::Child,
    cloud::{is_own_association, is_own_secret},
    observed::{FoundAssociation, Look, Observed},
};
use crate::api::record::TenantRecordSpec;

/// How long after the first look the record waits for more: a volume is usually bound sooner.
const COLLECTED_FOR: Duration = Duration::from_mins(2);

/// Whether the record may be written later, together with what is learned next. `made` says how the parts stand that are made from what is
/// recorded.
pub(super) fn may_wait(
    observed: &Observed,
    record: &TenantRecordSpec,
    ledger: &TenantRecordSpec,
    made: &[&PartState],
) -> bool {
    let is_new = record.template.is_none() && ledger.template.is_none() && record.adoption.is_none();
    // A person who is waited for, or who looks why nothing moves, finds it recorded.
    let moves = !made.iter().any(|state| matches!(state, PartState::Blocked(..))) && is_recent(observed);
    is_new && moves && observed.child(Child::StatefulSet).is_none() && is_only_learned(record, ledger)
}

/// Whether the tenant was looked at first not long ago, or not at all yet.
fn is_recent(observed: &Observed) -> bool {
    match observed.aws.first_seen {
        Some(first) => observed.now.duration_since(first).unsigned_abs() < COLLECTED_FOR,
        None => observed.namespace.is_none(),
    }
}

/// Whether a ledger says no more than what waits.
fn is_only_learned(record: &TenantRecordSpec, ledger: &TenantRecordSpec) -> bool {
    let mut bare = ledger.clone();
    bare.identity.association_id.clone_from(&record.identity.association_id);
    bare.identity.given_role_arn.clone_from(&record.identity.given_role_arn);
    bare.routing.placement.clone_from(&record.routing.placement);
    bare.storage.size = record.storage.size;
    for (item, recorded) in bare.secrets.items.iter_mut().zip(&record.secrets.items) {
        item.arn.clone_from(&recorded.arn);
        item.version_id.clone_from(&recorded.version_id);
    }
    bare == *record
}

/// The record with what was collected, for a tenant that goes before all of it came; `None` where it says so already.
pub(super) fn unrecorded(observed: &Observed, record: &TenantRecordSpec) -> Option<TenantRecordSpec> {
    let (tenant, mut next) = (&observed.name, record.clone());
    if let Some(FoundAssociation::One(association)) = observed.aws.association.seen()
        && record.identity.association_id.is_none()
        && is_own_association(observed, tenant, record, association)
    {
        next.identity.association_id = Some(association.id.clone());
        next.identity.given_role_arn.clone_from(&association.role_arn);
    }
    for item in next.secrets.items.iter_mut().filter(|item| item.arn.is_none()) {
        let seen = observed.aws.secrets.get(&item.name).and_then(Look::seen).and_then(Option::as_ref);
        if let Some(secret) = seen.filter(|secret| is_own_secret(observed, tenant, record, secret)) {
            item.arn = Some(secret.arn.clone());
            item.version_id = secret.current_version();
        }
    }
    (next != *record).then_some(next)
}
