//! The one road down: access ends at once, reversibly; then what is kept is kept, or removed (`purge`).
//!
//! PURE. It needs nothing but the record: class and namespace objects may be gone. Nothing here is irreversible.

use super::{
    action::{Action, PartState, Plan, Precondition, SOON, Story},
    adoption,
    beginning::purge_after,
    child::{Child, ObjectKey, WhenAccessEnds},
    cloud::{self, Keeping},
    collecting,
    comparison::{self, ChildState, Wish, precondition},
    desired,
    digest::Digest,
    keep::replace_record,
    ledger::{forget_association, unrecorded_volume},
    observed::{FoundAssociation, Look, Observed, RecordView, TenantView},
    ownership::{check_mirror, is_ours},
    purge,
    reason::Reason,
    scaling,
    workload::{has_ended, pods_ending},
};
use crate::api::{
    labels,
    record::{RecordPhase, RecordedSecret, TenantRecordSpec},
    tenant::DeletionPolicy,
};

/// Plans for a Tenant that is being deleted. Its finalizer goes last: with `Delete` when everything was seen to be gone, with
/// `Retain` when access was seen to have ended and the record says so (S6).
pub fn retire(observed: &Observed, tenant: &TenantView, view: &RecordView, record: &TenantRecordSpec) -> Plan {
    if adoption::is_only_attached(record) {
        return adoption::let_go(observed, tenant, view, record);
    }
    let (reason, message) = match record.phase {
        RecordPhase::Active => {
            if let Some(mut plan) = end_access(observed, record) {
                // Beside it, for access ends whether or not it can be recorded.
                plan.actions.extend(collecting::unrecorded(observed, record).map(|next| replace_record(view, &next)));
                return plan;
            }
            if let Some(plan) = adoption::end_former(observed, record) {
                return plan;
            }
            let next = retained(observed, record);
            return leaving(vec![replace_record(view, &next)], "what is kept is being recorded".into());
        }
        RecordPhase::Retained => {
            if let Some(action) = mirror(observed, record) {
                return leaving(vec![action], "what is kept is being marked".into());
            }
            if let Some(ground) = purge::ground(observed, record) {
                return purge::purge(observed, view, record, &ground);
            }
            let kept = cloud::secrets_kept(observed, &observed.name, record, Keeping::Promised);
            if let Some(message) = kept.waits_for() {
                return leaving(kept.actions, message);
            }
            farewell(observed, tenant, record)
        }
        RecordPhase::Purging => {
            return match purge::ground(observed, record) {
                Some(ground) => purge::purge(observed, view, record, &ground),
                None => purge::give_back_or_end(observed, view, record),
            };
        }
        RecordPhase::Purged => purge::farewell(observed, record),
    };
    Plan { story: Story::Gone(reason, message), ..release(tenant) }
}

fn leaving(actions: Vec<Action>, message: String) -> Plan {
    Plan { actions, story: Story::Leaving { message }, look_again: Some(SOON) }
}

/// Takes the finalizer off and touches nothing else.
pub fn release(tenant: &TenantView) -> Plan {
    let finalizers = tenant.finalizers.iter().filter(|f| *f != labels::FINALIZER).cloned().collect();
    let precondition = Precondition::of(&tenant.uid, &tenant.resource_version);
    Plan { actions: vec![Action::SetFinalizers { precondition, finalizers }], story: Story::Silent, look_again: None }
}

/// What is left to do until access has ended, for a Tenant that asks for it and is refused otherwise.
pub fn suspension(observed: &Observed, record: &TenantRecordSpec) -> Vec<Action> {
    end_access(observed, record).map(|plan| plan.actions).unwrap_or_default()
}

/// Route away, secrets closed, pods asked to end; when they are gone, association and own role. `None` once all of it is done,
/// and where nothing was given: what is only attached is not ours to end.
pub(super) fn end_access(observed: &Observed, record: &TenantRecordSpec) -> Option<Plan> {
    if adoption::is_only_attached(record) {
        return None;
    }
    let secrets = cloud::secrets_ended(observed, &observed.name, record);
    let mut actions = end_children(observed, record);
    let (waits_for, is_quiet) = (secrets.waits_for(), is_quiet(observed, record));
    if !actions.is_empty() || waits_for.is_some() || !is_quiet {
        actions.extend(secrets.actions);
        let message = waits_for.filter(|_| is_quiet).unwrap_or_else(|| pods_ending(observed));
        return Some(leaving(actions, message));
    }
    let identity = cloud::identity_ended(observed, &observed.name, record);
    let message = identity.waits_for()?;
    let plan = leaving(identity.actions, message.clone());
    Some(match identity.state {
        PartState::Blocked(..) => Plan { story: Story::Held { message }, ..plan },
        PartState::Done(..) | PartState::Working(..) => plan,
    })
}

fn end_children(observed: &Observed, record: &TenantRecordSpec) -> Vec<Action> {
    let mut actions = end_in_namespace(observed, record);
    actions.extend(end_outside(observed));
    actions
}

/// What lies outside the namespace is known by its name or its label, and goes whatever has become of the namespace.
pub(super) fn end_outside(observed: &Observed) -> Vec<Action> {
    outside(observed).filter_map(end).chain(end_strays(observed, |_| false)).collect()
}

/// What an owner may see, taken away.
pub(super) fn end_rights(observed: &Observed, record: &TenantRecordSpec) -> Vec<Action> {
    let is_right = |(child, _): &(Child, &Digest)| matches!(child, Child::OwnerRole | Child::OwnerRoleBinding);
    end_binding(observed, record).into_iter().chain(outside(observed).filter(is_right).filter_map(end)).collect()
}

/// The part of it that lies in the namespace.
pub(super) fn end_binding(observed: &Observed, record: &TenantRecordSpec) -> Option<Action> {
    let binding = observed.child(Child::OwnerBinding).filter(|_| is_home(observed, record))?;
    end((Child::OwnerBinding, binding))
}

fn end((child, live): (Child, &Digest)) -> Option<Action> {
    (!live.deleting).then(|| Action::Delete { child, precondition: precondition(live) })
}

/// Whether the namespace that stands is the tenant's. In one that is not, nothing is.
pub(super) fn is_home(observed: &Observed, record: &TenantRecordSpec) -> bool {
    observed.namespace.as_deref().is_some_and(|live| is_ours(live, record))
}

/// What of the tenant's stands outside its namespace. A grant lies among those of others, and is the tenant's only if it says so.
fn outside(observed: &Observed) -> impl Iterator<Item = (Child, &Digest)> {
    Child::ALL.iter().copied().filter(|child| child.lies_outside()).filter_map(|child| {
        let live = if child == Child::InterceptorGrant { own_grant(observed) } else { observed.child(child) };
        Some((child, live?))
    })
}

/// Grants that stand where the record does not look for one.
pub(super) fn end_strays(observed: &Observed, is_named: impl Fn(&ObjectKey) -> bool) -> impl Iterator<Item = Action> {
    let strays = observed.stray_grants.iter().filter(move |(key, live)| !live.deleting && !is_named(key));
    strays.map(|(key, live)| Action::DeleteStray { key: key.clone(), precondition: precondition(live) })
}

pub(super) fn own_grant(observed: &Observed) -> Option<&Digest> {
    observed.child(Child::InterceptorGrant).filter(|live| scaling::is_our_grant(observed, live))
}

fn end_in_namespace(observed: &Observed, record: &TenantRecordSpec) -> Vec<Action> {
    if !is_home(observed, record) {
        return Vec::new();
    }
    let is_scaled = is_scaled(observed);
    let ends = |child: &Child| {
        let live = observed.child(*child).filter(|live| !live.deleting)?;
        match child.when_access_ends() {
            WhenAccessEnds::Removed => end((*child, live)),
            // Not while a scaler may start it again: that one goes in this very pass, and is not waited for any longer than
            // until it is asked to.
            WhenAccessEnds::ScaledToZero if is_scaled => None,
            WhenAccessEnds::ScaledToZero => {
                let runs = live.facts.as_stateful_set().is_some_and(|facts| facts.replicas != 0);
                runs.then(|| Action::ScaleToZero { precondition: precondition(live) })
            }
            WhenAccessEnds::Stays => None,
        }
    };
    Child::ALL.iter().filter(|child| !child.lies_outside()).filter_map(ends).collect()
}

/// Whether no route leads to the workspace and no pod of it runs.
pub(super) fn is_quiet(observed: &Observed, record: &TenantRecordSpec) -> bool {
    let is_outside_quiet = outside(observed).next().is_none() && observed.stray_grants.is_empty();
    is_outside_quiet && (!is_home(observed, record) || (!has_way_in(observed) && has_ended(observed)))
}

fn has_grant(observed: &Observed) -> bool {
    own_grant(observed).is_some() || !observed.stray_grants.is_empty()
}

/// Whether anything still leads to the workspace, or may start it: all that goes when access ends. A scaler that is going counts no
/// more: what would take its finalizer off would also have been what starts a pod.
pub(super) fn has_way_in(observed: &Observed) -> bool {
    let stands = |child: &&Child| match child {
        Child::InterceptorGrant => has_grant(observed),
        Child::ScaledObject => may_still_scale(observed),
        // Without the route nothing leads to it.
        Child::InterceptorRoute => observed.child(**child).is_some_and(|live| !live.deleting),
        child => observed.child(**child).is_some(),
    };
    Child::ALL.iter().filter(|child| child.when_access_ends() == WhenAccessEnds::Removed).any(|child| stands(&child))
}

/// For so long a scaler that is asked to go may still start a pod: KEDA may have been about to. Where no KEDA is left its finalizer
/// stays for ever, and nobody waits for that.
const LAST_WORD: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);

fn may_still_scale(observed: &Observed) -> bool {
    let Some(scaler) = observed.child(Child::ScaledObject) else { return false };
    !scaler.deleting
        || scaler.deleting_since.as_deref().is_some_and(|since| observed.now.duration_since(*since) < LAST_WORD)
}

/// Whether a scaler may start pods.
pub(super) fn is_scaled(observed: &Observed) -> bool {
    observed.child(Child::ScaledObject).is_some_and(|scaler| !scaler.deleting)
}

/// The record of a tenant that is kept for its owner. With `Delete` too: it is removed on the ground of its Tenant, and where
/// that goes without having been heard, as with its CRD, the full retention begins.
fn retained(observed: &Observed, record: &TenantRecordSpec) -> TenantRecordSpec {
    let mut next = record.clone();
    next.phase = RecordPhase::Retained;
    next.retained_since = Some(observed.time());
    next.purge_after = purge_after(observed, record);
    next.due_since = None;
    next.storage.volume = unrecorded_volume(observed, record).or(next.storage.volume);
    // Those that were recorded were seen to be gone.
    if let Some(adoption) = &mut next.adoption {
        adoption.former_associations.clear();
    }
    let is_gone = matches!(observed.aws.association, Look::At(_, FoundAssociation::None));
    if is_gone && next.identity.association_id.is_some() {
        let ended_at = next.identity.ended_at.clone();
        forget_association(observed, &mut next);
        next.identity.ended_at = ended_at.or(next.identity.ended_at);
    }
    next
}

/// The namespace's annotations follow the record, so that a lost record is rebuilt as retained. What contradicts the record
/// stays as it is: either side may be the wrong one.
pub(super) fn mirror(observed: &Observed, record: &TenantRecordSpec) -> Option<Action> {
    check_mirror(observed, record).ok()?;
    mark(observed, record)
}

/// The namespace's annotations as this record wants them; `None` where they are so, and where there is no namespace of ours.
pub(super) fn mark(observed: &Observed, record: &TenantRecordSpec) -> Option<Action> {
    let live = observed.namespace.as_deref().filter(|live| is_ours(live, record) && !live.deleting)?;
    let wanted = desired::namespace(&observed.name, record);
    let state = comparison::state(observed, Child::Namespace, Some(&Wish::of(Child::Namespace, &wanted)));
    let differs = matches!(state, Some(ChildState::Differs(_)));
    differs.then(|| Action::Update { child: Child::Namespace, object: wanted, precondition: precondition(live) })
}

fn farewell(observed: &Observed, tenant: &TenantView, record: &TenantRecordSpec) -> (Reason, String) {
    let until = record
        .purge_after
        .as_ref()
        .map_or_else(|| "with no end by time".to_owned(), |time| format!("until {}", time.0));
    let asks = tenant.spec.as_ref().is_ok_and(|spec| spec.deletion_policy == DeletionPolicy::Delete);
    let asked = if asks { "the class does not allow deletionPolicy Delete: " } else { "" };
    let message = format!(
        "{asked}access has ended; namespace {}, its volume and {} secrets are kept {until}. A Tenant {} of the same owner gets \
         them back",
        record.namespace.name,
        record.secrets.items.len(),
        observed.name
    );
    let is_gone = |item: &&RecordedSecret| {
        item.arn.is_some() && matches!(observed.aws.secrets.get(&item.name), Some(Look::At(_, None)))
    };
    let gone: Vec<&str> = record.secrets.items.iter().filter(is_gone).map(|item| item.name.as_str()).collect();
    let message =
        if gone.is_empty() { message } else { format!("{message}. Gone from Secrets Manager: {}", gone.join(", ")) };
    let message = match cloud::what_is_left(record) {
        Some(left) => format!("{message}. Of the association that is deleted: {left}"),
        None => message,
    };
    (Reason::Retained, message)
}
