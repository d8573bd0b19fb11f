//! The second phase: the operator's workload in the former one's place, the same volume under it.
//!
//! PURE. Nothing in Kubernetes refuses a second pod on a ReadWriteMany claim, so before any pod of ours may start it is looked
//! which pods mount the claim, again and again until there is none.

use std::time::Duration;

use super::{
    super::{
        action::{Action, PartState, Parts},
        child::{Child, Part, claim_name},
        cloud,
        keep::{Kept, replace_record},
        observed::{Look, Observed},
        reason::Reason,
        workload::is_started,
    },
    Order,
    belongings::Mount,
    command, seen_within, stage,
};
use crate::api::{
    labels,
    names::AssociationId,
    record::{AdoptionStage, TenantRecordSpec},
    tenant::TenantSpec,
};

/// How often it is looked which pods mount the claim, while that is waited for.
const LOOKED_EVERY: Duration = Duration::from_secs(2);

/// How long a look is a ground for letting a pod start.
const ACTED_ON: Duration = Duration::from_secs(5);

/// How it stands with the pods of others.
pub(super) struct Step {
    /// Whether none of them mounts the claim.
    pub(super) is_free: bool,
    /// Another look, where it is time.
    pub(super) look: Option<Action>,
    /// What is told of the workload.
    pub(super) state: PartState,
}

/// Whether a cut-over may begin now.
pub(super) fn begin(observed: &Observed, record: &TenantRecordSpec) -> Step {
    // A look from before there was a record does not know which names the workspace needs.
    let seen = |age| seen_within(observed, age).filter(|belongings| belongings.replaces.is_some());
    let is_due = seen(LOOKED_EVERY).is_none();
    let look = is_due.then(|| Action::LookInside(record.namespace.name.clone()));
    let Some(belongings) = seen(ACTED_ON) else {
        let state = PartState::Working(Reason::Progressing, "it is being looked which pods mount the claim".into());
        return Step { is_free: false, look, state };
    };
    if belongings.replaces.iter().flatten().any(|child| *child == Child::StatefulSet) {
        return Step {
            is_free: false,
            look,
            state: PartState::Blocked(Reason::AdoptionUnclear, name_taken(observed, record)),
        };
    }
    let strangers = belongings.strangers(observed, record);
    let state = if strangers.is_empty() {
        PartState::Working(Reason::Progressing, "no pod mounts the claim: the workspace is being moved over".into())
    } else {
        PartState::Working(Reason::ClaimInUse, in_use(observed, record, &strangers))
    };
    Step { is_free: strangers.is_empty(), look, state }
}

/// A StatefulSet cannot be changed into another, and to delete the former one is its owner's.
fn name_taken(observed: &Observed, record: &TenantRecordSpec) -> String {
    format!(
        "StatefulSet {name} of namespace {namespace} is the former system's, and the workspace's own needs its name: scale it to \
         zero and delete it (`kubectl delete statefulset -n {namespace} {name}`; its claims stay)",
        name = observed.name,
        namespace = record.namespace.name
    )
}

fn in_use(observed: &Observed, record: &TenantRecordSpec, strangers: &[&Mount]) -> String {
    let named = |mount: &&Mount| format!("pod {} (kept by {})", mount.pod, mount.keeper);
    format!(
        "waits until no pod of others mounts claim {}: {}. Scale what keeps them to zero; this operator ends no pod that is not \
         its own",
        claim_name(&observed.name, record),
        strangers.iter().map(named).collect::<Vec<_>>().join(", ")
    )
}

/// Whether pods of the workspace may start on the claim. What runs already goes on: nobody starts a second one by that.
pub fn is_free(observed: &Observed, record: &TenantRecordSpec, open: bool) -> bool {
    stage(record) != Some(AdoptionStage::CutOver) || !open || is_started(observed) || begin(observed, record).is_free
}

/// Whether something is waited for that no watch tells of.
pub fn is_watching(observed: &Observed, record: &TenantRecordSpec, parts: &Parts) -> bool {
    let waits = |reasons: &[Reason]| matches!(parts.get(&Part::Workload), Some(PartState::Working(reason, _)) if reasons.contains(reason));
    match (stage(record), super::order(observed)) {
        (None, _)
        | (Some(_), Some(Order::Unknown(_)))
        | (Some(AdoptionStage::Attached), Some(Order::Finish) | None) => false,
        (Some(AdoptionStage::Attached), Some(Order::Start)) => waits(&[Reason::ClaimInUse, Reason::Progressing]),
        (Some(AdoptionStage::CutOver), None) => true,
        (Some(AdoptionStage::CutOver), Some(Order::Start | Order::Finish)) => {
            waits(&[Reason::ClaimInUse]) || (!is_started(observed) && is_next(parts))
        }
    }
}

/// Whether everything stands that comes before the workspace, so that it is the claim's turn.
fn is_next(parts: &Parts) -> bool {
    let earlier = [Part::Namespace, Part::Network, Part::Identity, Part::Storage];
    let stands = |part: &Part| parts.get(part).is_some_and(PartState::is_done);
    earlier.iter().all(stands) && parts.get(&Part::Secrets).is_some_and(cloud::is_usable)
}

/// A tenant that is built as any other, with what is peculiar to one that was moved over.
pub(super) fn followed(
    observed: &Observed,
    spec: &TenantSpec,
    record: &TenantRecordSpec,
    order: &Order,
    mut kept: Kept,
) -> Kept {
    if matches!(observed.aws.former, Look::Never) {
        kept.actions.extend(cloud::look_up_former(record));
    }
    if !is_free(observed, record, !spec.suspend) {
        // What comes before the workspace is told by its own conditions, and comes first.
        if !is_next(&kept.parts) {
            return kept;
        }
        let step = begin(observed, record);
        kept.actions.extend(step.look);
        if matches!(step.state, PartState::Working(Reason::ClaimInUse, _) | PartState::Blocked(..)) {
            kept.parts.insert(Part::Workload, step.state);
        }
        let message = "waits for WorkloadReady".to_owned();
        kept.parts.insert(Part::Route, PartState::Working(Reason::WaitingForEarlierPart, message));
        return kept;
    }
    if spec.suspend {
        return kept;
    }
    let stands = kept.parts.values().all(PartState::is_done) && kept.actions.iter().all(Action::is_look);
    match order {
        Order::Finish if stands => finish(observed, record, kept),
        Order::Finish | Order::Start | Order::Unknown(_) => tell(observed, record, kept),
    }
}

/// Says that the way back is open, and what closes it.
fn tell(observed: &Observed, record: &TenantRecordSpec, mut kept: Kept) -> Kept {
    if let Some(PartState::Done(_, message)) = kept.parts.get(&Part::Identity) {
        let message = format!(
            "{message}. The workspace was moved over; the former workload, scaled to zero, {} still there: `{}` ends the way \
             back, `{}` goes back",
            former(record),
            command(&observed.name, Some(labels::CUT_OVER_FINISH)),
            command(&observed.name, None)
        );
        kept.parts.insert(Part::Identity, PartState::Done(Reason::CutOver, message));
    }
    kept
}

fn former(record: &TenantRecordSpec) -> String {
    let ids: Vec<&str> = record
        .adoption
        .iter()
        .flat_map(|adoption| adoption.former_associations.iter().map(AssociationId::as_str))
        .collect();
    if ids.is_empty() { "is".to_owned() } else { format!("and association {} are", ids.join(", ")) }
}

/// The former associations go; when they were seen to be gone, the adoption is over. The former workload and its Secrets are
/// their owner's to remove.
fn finish(observed: &Observed, record: &TenantRecordSpec, mut kept: Kept) -> Kept {
    let half = cloud::former_ended(observed, record);
    if !half.state.is_done() {
        kept.parts.insert(Part::Identity, half.state);
        kept.actions.extend(half.actions);
        return kept;
    }
    let Some(view) = &observed.record else { return kept };
    let next = TenantRecordSpec { adoption: None, ..record.clone() };
    let message = "the former associations are gone, and the adoption is at its end".to_owned();
    kept.parts.insert(Part::Identity, PartState::Working(Reason::Progressing, message));
    kept.actions.push(replace_record(view, &next));
    kept
}
