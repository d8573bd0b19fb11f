//! PURE: whether a step may be taken, and whether it has come to its end. The operator's word is the record; a Tenant's status only
//! says how far the operator has come.

use super::{
    former::{Scale, former},
    sight::{Sight, Told, condition, is_ours, title, uid},
};
use crate::{
    api::{
        labels::PAUSED,
        record::{AdoptionStage, RecordPhase},
    },
    tenant::{adoption::Order, views},
};

/// Why a step is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is on its way out.
    #[error(
        "Tenant {0} is being deleted: nothing is moved over or back. What is only attached stays as it is (docs/adoption.md)"
    )]
    Going(String),
    /// The operator writes nothing for it.
    #[error("Tenant {0} is paused, so the operator would not follow: kubectl annotate tenant {0} {PAUSED}-")]
    Paused(String),
    /// What was recorded is not this Tenant's.
    #[error(
        "TenantRecord {0} is not held by this Tenant: it is another's, or its owner's time is over. kubectl describe tenant {0} says \
         which"
    )]
    AnothersRecord(String),
    /// It is to be at rest.
    #[error("Tenant {0} says suspend: true, so no workspace would start: set suspend: false first")]
    Suspended(String),
    /// Nothing of it is being adopted.
    #[error(
        "nothing of tenant {0} is being adopted: either it was finished, or the namespace had not consented before the Tenant was \
         made (docs/migration.md, step 6). kubectl get tenantrecord {0} -o jsonpath='{{.spec.adoption}}' is empty"
    )]
    NothingAdopted(String),
    /// The operator has not attached everything.
    #[error(
        "Tenant {name} does not await its cut-over yet ({reason}: {message}): do what that says, and wait until kubectl get tenant \
         {name} shows AwaitingCutOver"
    )]
    NotAttached {
        /// Whose.
        name: String,
        /// The reason of its condition.
        reason: String,
        /// In words.
        message: String,
    },
    /// The cut-over is being taken back.
    #[error(
        "the cut-over of {0} is being taken back: let that end first, with `migrate back-out {0}`, which waits for it"
    )]
    GoingBack(String),
    /// The last step was ordered.
    #[error("the adoption of {0} is being finished: `migrate finish {0}` goes on with it")]
    Finishing(String),
    /// The way back is closed.
    #[error(
        "the last step was ordered for {0}, and former associations may be gone: there is no way back by this command. The former \
         workload, where it still exists, was not touched"
    )]
    NoWayBack(String),
    /// The workspace was not moved over.
    #[error("the workspace of {name} was not moved over yet ({message}): `migrate cut-over {name}` comes first")]
    NotOver {
        /// Whose.
        name: String,
        /// How it stands.
        message: String,
    },
    /// It was finished, and does not stand as it should.
    #[error("tenant {name} is not Ready ({message}): nothing is removed before it is")]
    NotReady {
        /// Whose.
        name: String,
        /// How it stands.
        message: String,
    },
    /// Something would start the former workload again, or cannot be brought to zero.
    #[error("nothing was changed, because this stands against it:\n{}", .0.iter().map(|one| format!("  - {one}")).collect::<Vec<_>>().join("\n"))]
    Against(Vec<String>),
    /// Somebody else's pods are on the claim.
    #[error("{}: nothing is removed while pods of others mount the claim. Scale what keeps them to zero", .0.join(", "))]
    InUse(Vec<String>),
    /// Claim or volume are not as they must be before anything is deleted.
    #[error("nothing more is deleted: {0}")]
    Unsafe(String),
}

/// Where a cut-over begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At its beginning.
    Fresh,
    /// Where an earlier run, or a person, left it.
    Resumed,
    /// It has come to its end.
    Over,
}

/// Where a way back begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// The order is still on the Tenant.
    TakeOff,
    /// It was taken off.
    TakenOff,
}

/// Where the last step begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It was not ordered yet.
    Order,
    /// The operator is at it.
    Ordered,
    /// The operator's part is done.
    Done,
}

fn may_act(sight: &Sight) -> Result<(), Refused> {
    let name = || sight.name.to_string();
    if sight.tenant["metadata"]["deletionTimestamp"].is_string() {
        return Err(Refused::Going(name()));
    }
    if sight.tenant["metadata"]["annotations"][PAUSED] == "true" {
        return Err(Refused::Paused(name()));
    }
    let is_its = sight.record.tenant_uid.as_ref().is_some_and(|holder| *holder == *uid(&sight.tenant));
    if is_its && sight.record.phase == RecordPhase::Active { Ok(()) } else { Err(Refused::AnothersRecord(name())) }
}

/// Whether the workspace may be moved over.
///
/// # Errors
/// Why not, and what to do.
pub fn may_cut_over(sight: &Sight) -> Result<Begin, Refused> {
    may_act(sight)?;
    let name = sight.name.to_string();
    if sight.tenant["spec"]["suspend"] == true {
        return Err(Refused::Suspended(name));
    }
    let is_fresh = awaits(sight);
    match (sight.stage(), sight.order()) {
        (None, _) => Err(Refused::NothingAdopted(name)),
        (Some(AdoptionStage::CutOver), Some(Order::Start)) if is_over(sight) => Ok(Begin::Over),
        (Some(AdoptionStage::CutOver), Some(Order::Start)) => Ok(Begin::Resumed),
        (Some(AdoptionStage::Attached), Some(Order::Start)) if is_fresh || may_go_on(sight) => Ok(Begin::Resumed),
        (Some(AdoptionStage::Attached), Some(Order::Finish) | None) if is_fresh => Ok(Begin::Fresh),
        (Some(AdoptionStage::CutOver), Some(Order::Finish)) => Err(Refused::Finishing(name)),
        (Some(AdoptionStage::CutOver), None) => Err(Refused::GoingBack(name)),
        (Some(AdoptionStage::Attached), Some(Order::Start | Order::Finish) | None)
        | (Some(_), Some(Order::Unknown(_))) => Err(not_attached(sight)),
    }
}

/// Whether the operator, which was given the order, waits for nothing but the claim; or nothing is left to be brought to zero. An
/// order that came with the manifest says nothing of whether everything is attached.
fn may_go_on(sight: &Sight) -> bool {
    let at_claim = |told: Told<'_>| ["ClaimInUse", "Progressing"].contains(&told.reason);
    let runs = |one: &serde_json::Value| Scale::of(one).is_some_and(|scale| !scale.is_rest());
    (sight.is_current() && condition(&sight.tenant, "WorkloadReady").is_some_and(at_claim))
        || !former(sight).into_iter().any(runs)
}

fn not_attached(sight: &Sight) -> Refused {
    let ready = condition(&sight.tenant, "Ready");
    let (reason, message) = match ready.filter(|_| sight.is_current()) {
        Some(told) => (told.reason.to_owned(), told.message.to_owned()),
        None => ("Unseen".to_owned(), "the operator has not looked at what it says now".to_owned()),
    };
    Refused::NotAttached { name: sight.name.to_string(), reason, message }
}

/// Whether everything is attached, and the operator waits for a person.
fn awaits(sight: &Sight) -> bool {
    sight.is_current() && condition(&sight.tenant, "Stalled").is_some_and(|told| told.reason == "AwaitingCutOver")
}

/// Whether the workspace was moved over: the record says so, every part was verified, and its own pod is ready.
pub fn is_over(sight: &Sight) -> bool {
    let is_moved =
        condition(&sight.tenant, "IdentityReady").is_some_and(|told| told.is_true && told.reason == "CutOver");
    sight.stage() == Some(AdoptionStage::CutOver)
        && sight.is_ready()
        && is_moved
        && sight.own_pod_ready_since().is_some()
}

/// Whether the way back may be taken.
///
/// # Errors
/// Why not, and what to do.
pub fn may_back_out(sight: &Sight) -> Result<Back, Refused> {
    may_act(sight)?;
    let name = sight.name.to_string();
    match (sight.stage(), sight.order()) {
        (None, _) => Err(Refused::NothingAdopted(name)),
        (Some(AdoptionStage::CutOver), Some(Order::Finish)) => Err(Refused::NoWayBack(name)),
        (Some(_), Some(_)) => Ok(Back::TakeOff),
        (Some(_), None) => Ok(Back::TakenOff),
    }
}

/// Whether the operator has given the place back: the record says so, it waits for an order again, and nothing of its own is on
/// the claim.
pub fn is_given_back(sight: &Sight) -> bool {
    let own = sight.workloads.iter().any(is_ours) || sight.own_pods().next().is_some();
    sight.stage() == Some(AdoptionStage::Attached) && sight.order().is_none() && awaits(sight) && !own
}

/// Whether the last step may be taken.
///
/// # Errors
/// Why not, and what to do.
pub fn may_finish(sight: &Sight) -> Result<Finish, Refused> {
    may_act(sight)?;
    let name = sight.name.to_string();
    let found = match (sight.stage(), sight.order()) {
        (None, _) if is_finished(sight) => Finish::Done,
        (Some(AdoptionStage::CutOver), Some(Order::Start)) if is_over(sight) => Finish::Order,
        (Some(AdoptionStage::CutOver), Some(Order::Finish)) => Finish::Ordered,
        (Some(AdoptionStage::CutOver), None) => return Err(Refused::GoingBack(name)),
        (None, _) => return Err(Refused::NotReady { name, message: progress(sight) }),
        _ => return Err(Refused::NotOver { name, message: progress(sight) }),
    };
    let strangers = sight.strangers();
    if strangers.is_empty() {
        return Ok(found);
    }
    let named = |pod: &&serde_json::Value| match sight.keeper(pod) {
        Some(keeper) => format!("pod {} of {}", views::name(pod), title(keeper)),
        None => format!("pod {}", views::name(pod)),
    };
    Err(Refused::InUse(strangers.iter().map(named).collect()))
}

/// Whether the operator's part of the last step is done.
pub fn is_finished(sight: &Sight) -> bool {
    sight.stage().is_none() && sight.is_ready() && sight.own_pod_ready_since().is_some()
}

/// What is waited for, in the Tenant's own words.
pub fn progress(sight: &Sight) -> String {
    let Some(told) = condition(&sight.tenant, "Ready").filter(|_| sight.is_current()) else {
        return "the operator has not looked at the Tenant yet".to_owned();
    };
    let is_ordered = sight.order() == Some(Order::Start);
    match (sight.stage(), is_ordered) {
        // Its status is from before.
        (Some(_), true) if told.reason == "AwaitingCutOver" => "the operator has not seen the order yet".to_owned(),
        (Some(AdoptionStage::CutOver), false) if told.is_true && sight.order().is_none() => {
            "the operator has not seen yet that the order is gone".to_owned()
        }
        (Some(_), _) if told.is_true => "every part stands; the operator is at the next step".to_owned(),
        // The other parts only say that they come later.
        (Some(AdoptionStage::Attached), true) => of_workload(sight).unwrap_or_else(|| one(&told)),
        _ => one(&told),
    }
}

fn of_workload(sight: &Sight) -> Option<String> {
    condition(&sight.tenant, "WorkloadReady").filter(|told| !told.is_true).map(|told| one(&told))
}

fn one(told: &Told<'_>) -> String {
    format!("{}: {}", told.reason, told.message)
}
