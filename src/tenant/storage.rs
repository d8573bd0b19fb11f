//! The volume: claimed, bound, kept, grown, and found again.
//!
//! PURE. Nobody's data is ever lost: the volume is set to Retain before the workload starts, and a claim that is made
//! again gets the recorded volume or none.

use super::{
    action::{Action, PartState, Precondition},
    blueprint::Blueprint,
    child::{Child, claim_name},
    comparison::ChildState,
    digest::ClaimFacts,
    explain::{Awaited, said},
    ledger::{is_claimed, is_safe},
    observed::{Observed, VolumeView},
    reason::Reason,
};
use crate::api::{labels, quantity::Quantity, record::RecordedVolume};

/// The phase of a claim whose volume is gone or is another claim's.
const LOST: &str = "Lost";

/// How the volume stands.
pub struct Storage {
    /// What to do.
    pub actions: Vec<Action>,
    /// How it stands.
    pub state: PartState,
    /// Whether claim and volume are bound to each other, and the volume is kept.
    pub bound: bool,
    /// Whether the claim may be made or changed.
    pub claim_may_be_written: bool,
}

impl Storage {
    fn blocked(reason: Reason, message: String) -> Self {
        let state = PartState::Blocked(reason, message);
        Self { actions: Vec::new(), state, bound: false, claim_may_be_written: false }
    }

    fn working(actions: Vec<Action>, reason: Reason, message: String) -> Self {
        let state = PartState::Working(reason, message);
        Self { actions, state, bound: false, claim_may_be_written: true }
    }
}

/// The size that the claim shall ask for: what is wanted where the storage lets a claim grow, else what it has.
pub fn claim_size(observed: &Observed, blueprint: &Blueprint<'_>) -> Quantity {
    let recorded = blueprint.record.storage.size;
    let live = claim_facts(observed).and_then(|facts| facts.requested.as_deref()?.parse::<Quantity>().ok());
    let present = match (live, &blueprint.record.storage.volume) {
        (Some(live), _) => live,
        (None, Some(_)) => recorded,
        (None, None) => return blueprint.size,
    };
    let expandable = observed.storage_class.as_ref().is_some_and(|class| class.expandable);
    if expandable { present.max(blueprint.size) } else { present }
}

fn claim_facts(observed: &Observed) -> Option<&ClaimFacts> {
    observed.child(Child::Claim)?.facts.as_claim()
}

/// How the volume of a living tenant stands, and what to do about it.
pub fn storage(observed: &Observed, blueprint: &Blueprint<'_>, claim: Option<&ChildState>) -> Storage {
    if observed.child(Child::Claim).is_none()
        && let Some(storage) = before_claim(observed, blueprint)
    {
        return storage;
    }
    if let Some(told) = claim.and_then(|state| state.told(Child::Claim)) {
        return match told {
            PartState::Blocked(reason, message) => Storage::blocked(reason, message),
            PartState::Working(_, message) | PartState::Done(_, message) => {
                let retain = retain(observed, blueprint).into_iter();
                let actions = retain.chain(reoffer(observed, blueprint)).collect();
                Storage::working(actions, Reason::Progressing, message)
            }
        };
    }
    let Some(facts) = claim_facts(observed) else {
        return Storage::working(Vec::new(), Reason::ClaimPending, "the claim is being made".into());
    };
    judge_claim(observed, blueprint, facts)
}

/// What must be right before a claim is made.
fn before_claim(observed: &Observed, blueprint: &Blueprint<'_>) -> Option<Storage> {
    let class_name = &blueprint.record.storage.class_name;
    let Some(class) = &observed.storage_class else {
        let message = format!(
            "StorageClass {class_name} does not exist: create it (deploy/aws/storage-class.yaml is one for EFS)"
        );
        return Some(Storage::blocked(Reason::StorageClassNotFound, message));
    };
    if !class.immediate {
        let message = format!(
            "StorageClass {class_name} binds a claim only when a pod comes (WaitForFirstConsumer), and no pod comes before \
             its volume is kept safe: use a class with volumeBindingMode Immediate"
        );
        return Some(Storage::blocked(Reason::BindingModeUnsupported, message));
    }
    let Some(recorded) = &blueprint.record.storage.volume else { return found(observed, blueprint) };
    if observed.volume.as_ref().is_some_and(|volume| volume.name == recorded.name) {
        return None;
    }
    Some(volume_lost(recorded))
}

/// No empty volume is put in the place of one that is marked as this incarnation's.
fn found(observed: &Observed, blueprint: &Blueprint<'_>) -> Option<Storage> {
    match observed.found_volumes.as_slice() {
        [] => None,
        [volume] => {
            let message = format!("volume {} is marked as this tenant's and is being recorded", volume.name);
            let keep = (!volume.retained).then(|| keep_volume(blueprint, volume));
            let working = Storage::working(keep.into_iter().collect(), Reason::ClaimPending, message);
            Some(Storage { claim_may_be_written: false, ..working })
        }
        several => {
            let names: Vec<&str> = several.iter().map(|volume| volume.name.as_str()).collect();
            let message = format!(
                "volumes {} are all marked as this tenant's, and neither claim nor record says which holds the data: take the \
                 label {} off the others (kubectl label pv NAME {}-)",
                names.join(", "),
                labels::INCARNATION,
                labels::INCARNATION
            );
            Some(Storage::blocked(Reason::VolumeMismatch, message))
        }
    }
}

fn volume_lost(recorded: &RecordedVolume) -> Storage {
    let message = format!(
        "the recorded volume {} ({}) is gone, and no empty one is put in its place: restore the PersistentVolume {} over \
         the same storage, or, if the data is lost for good, have an administrator break glass and take storage.volume off the record",
        recorded.name, recorded.handle, recorded.name
    );
    Storage::blocked(Reason::VolumeLost, message)
}

fn judge_claim(observed: &Observed, blueprint: &Blueprint<'_>, facts: &ClaimFacts) -> Storage {
    let recorded = blueprint.record.storage.volume.as_ref();
    if let (Some(recorded), Some(bound)) = (recorded, &facts.volume)
        && recorded.name != *bound
    {
        let message = format!(
            "the claim is bound to volume {bound}, but the tenant's data lies on {}: stop, and bind the claim to {} by hand",
            recorded.name, recorded.name
        );
        return Storage::blocked(Reason::VolumeMismatch, message);
    }
    if facts.phase != "Bound" {
        if let (Some(recorded), None) = (recorded, &observed.volume) {
            return volume_lost(recorded);
        }
        if facts.phase == LOST {
            return claim_lost(observed, blueprint, facts);
        }
        let phase = if facts.phase.is_empty() { "new" } else { &facts.phase };
        let message = match said(observed, Awaited::Volume) {
            Some(said) => format!("the claim is {phase}, not bound yet; its last event that matters says: {said}"),
            None => format!("the claim is {phase}, not bound yet: kubectl describe pvc shows what the storage says"),
        };
        return Storage::working(reoffer(observed, blueprint), Reason::ClaimPending, message);
    }
    let Some(volume) = &observed.volume else {
        let message = format!("volume {} is not seen yet", facts.volume.as_deref().unwrap_or("?"));
        return Storage::working(Vec::new(), Reason::ClaimPending, message);
    };
    if !is_claimed(observed, blueprint, volume) {
        let message = format!("volume {} does not name the claim it is bound to yet", volume.name);
        return Storage::working(Vec::new(), Reason::ClaimPending, message);
    }
    match retain(observed, blueprint) {
        None => bound(blueprint, volume),
        Some(retain) => {
            let message = format!("volume {} is being set to Retain", volume.name);
            Storage::working(vec![retain], Reason::Progressing, message)
        }
    }
}

/// Kubernetes binds a claim that it has given up never again: it has to be made anew, which no volume that is kept minds.
fn claim_lost(observed: &Observed, blueprint: &Blueprint<'_>, facts: &ClaimFacts) -> Storage {
    let namespace = &blueprint.record.namespace.name;
    let claim = claim_name(blueprint.tenant, blueprint.record);
    let volume = facts.volume.as_deref().unwrap_or("?");
    let bound_to = observed.volume.as_ref().filter(|live| live.name == volume);
    let why = match bound_to.map(|live| &live.claim) {
        Some(Some(other)) => format!("{volume} is bound to {}/{} under another UID", other.namespace, other.name),
        Some(None) => format!("{volume} is bound to nothing"),
        None => format!("{volume} is gone"),
    };
    let message = format!(
        "Kubernetes has given up claim {namespace}/{claim} (phase {LOST}): {why}. See that the volume is there, then break glass and \
         `kubectl delete pvc -n {namespace} {claim}`: the claim is made anew and gets the recorded volume, or none"
    );
    Storage::blocked(Reason::ClaimLost, message)
}

/// Sets the claimed volume to Retain where it is not: above all while its claim is already going.
fn retain(observed: &Observed, blueprint: &Blueprint<'_>) -> Option<Action> {
    let volume = observed.volume.as_ref().filter(|volume| is_claimed(observed, blueprint, volume))?;
    (!is_safe(volume, blueprint)).then(|| keep_volume(blueprint, volume))
}

fn keep_volume(blueprint: &Blueprint<'_>, volume: &VolumeView) -> Action {
    Action::RetainVolume {
        name: volume.name.clone(),
        precondition: precondition(volume),
        tenant: blueprint.tenant.clone(),
        incarnation: blueprint.record.incarnation.clone(),
    }
}

fn bound(blueprint: &Blueprint<'_>, volume: &VolumeView) -> Storage {
    let state = if blueprint.claim_size < blueprint.size {
        let message = format!(
            "volume {} is bound and kept; the storage does not grow claims, so it keeps {} where {} is asked for",
            volume.name, blueprint.claim_size, blueprint.size
        );
        PartState::Done(Reason::SizeNotEnforced, message)
    } else {
        PartState::Done(Reason::Verified, format!("volume {} is bound and kept (Retain)", volume.name))
    };
    Storage { actions: Vec::new(), state, bound: true, claim_may_be_written: true }
}

/// A released volume of ours, offered to the claim that is made again.
fn reoffer(observed: &Observed, blueprint: &Blueprint<'_>) -> Vec<Action> {
    let Some(volume) = &observed.volume else { return Vec::new() };
    let recorded = blueprint.record.storage.volume.as_ref().is_some_and(|recorded| recorded.name == volume.name);
    let last_claim_was_ours = volume.claim.as_ref().is_some_and(|claim| {
        claim.uid.is_some()
            && claim.namespace == blueprint.record.namespace.name.as_str()
            && claim.name == claim_name(blueprint.tenant, blueprint.record)
    });
    if recorded && last_claim_was_ours && volume.retained && volume.phase == "Released" {
        vec![Action::ReofferVolume { name: volume.name.clone(), precondition: precondition(volume) }]
    } else {
        Vec::new()
    }
}

fn precondition(volume: &VolumeView) -> Precondition {
    Precondition::of(&volume.uid, &volume.resource_version)
}
