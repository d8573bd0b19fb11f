//! What is learned of a new tenant is collected, and recorded in one write.
//!
//! PURE. What has to stand before something is made is recorded as soon as it is decided (S6): the incarnation, tokens, the names of secrets,
//! the namespace's UID, the volume. What is only learned of what was made, and would be learned again by the same look after a crash, waits for
//! the pod template, which is recorded before the workspace starts. No workspace starts before all of it is recorded.

use std::time::Duration;

use super::{
    action::PartState,
    child::Child,
    observed::{Look, Observed},
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

/// Whether nothing was seen of the tenant in AWS for longer than the record waits. Before there is a namespace nothing is looked at.
fn is_recent(observed: &Observed) -> bool {
    let secrets = observed.aws.secrets.values().filter_map(Look::at);
    match secrets.chain(observed.aws.association.at()).min() {
        Some(first) => observed.now.duration_since(first).unsigned_abs() < COLLECTED_FOR,
        None => observed.namespace.is_none(),
    }
}

/// Whether a ledger says no more than what a look shows again.
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
