//! The road's end: what a record holds is removed for good.
//!
//! PURE. Rules S3 and S7, section 5 of the design, decision 8. The order strands nothing: secrets first, because they can be
//! restored; then the namespace; the volume last, because it cannot. Until its volume goes, everything can be given back.

mod volume;

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

pub use volume::why_volume_stays;
use volume::{recorded_volume, volume_going, volume_hangs, volume_step};

use super::{
    action::{Action, PartState, Plan, Precondition, SOON, Step, Story},
    adoption::{self, marks::Marks},
    beginning::purge_after,
    blueprint::Refusal,
    breaker::{self, Stage},
    child::Child,
    cloud::{self, Evidence, Keeping},
    digest::Digest,
    keep::replace_record,
    ledger::{unrecorded_secrets, unrecorded_volume},
    observed::{ClassView, Observed, RecordView},
    orders::confirmation,
    ownership::{check_mirror, is_ours, namespace_facts},
    reason::Reason,
    receipt, retire,
};
use crate::api::{
    labels,
    record::{HistoryEntry, HistoryEvent, Purge, PurgeCause, RecordPhase, TenantRecordSpec, remember},
    tenant::DeletionPolicy,
};

/// So long after it was kept, or a removal of it was taken back, a tenant's secrets are looked for by itself; then by the sweeps.
const JUST_KEPT: SignedDuration = SignedDuration::from_hours(1);

/// How soon to look again at what somebody has to do something about.
const LATER: Duration = Duration::from_mins(1);

/// How far ahead a date is waited for at once: pauses are jittered.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// How long a look at the cluster itself is a ground for a step that cannot be undone.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(5);

/// On what ground something may be removed (S3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// Which of the two.
    pub cause: PurgeCause,
    /// Since when.
    pub begun: Time,
}

/// The ground on which what a record holds may be removed now; `None` where there is none.
pub fn ground(observed: &Observed, record: &TenantRecordSpec) -> Option<Ground> {
    let tenant = observed.tenant.as_deref();
    let (cause, since) = match tenant {
        Some(tenant) => {
            let asked = breaker::asked_for(Some(tenant), record)?;
            (PurgeCause::Deleted, Some(asked).filter(|_| may_delete(observed, record))?)
        }
        None => (PurgeCause::Expired, breaker::expired(record, observed.now)?),
    };
    // One that is under way keeps its beginning.
    let begun = record.purge.as_ref().filter(|_| record.phase == RecordPhase::Purging).map(|purge| purge.begun.clone());
    Some(Ground { cause, begun: begun.unwrap_or(Time(since)) })
}

/// Whether the class lets a Tenant end with `Delete`; without a class, whether it did when it was last there.
pub fn may_delete(observed: &Observed, record: &TenantRecordSpec) -> bool {
    let named = observed.tenant.as_deref().and_then(|tenant| tenant.spec.as_ref().ok()).map(|spec| &spec.class_name);
    match &observed.class {
        // Another class than the record's has no say: it may allow what the tenant's own does not.
        ClassView::Found(_) if named.is_some_and(|named| *named != record.class_name) => {
            record.retirement.deletion_policy == DeletionPolicy::Delete
        }
        ClassView::Found(class) => class.deletion.allowed_policies.contains(&DeletionPolicy::Delete),
        ClassView::Missing | ClassView::Invalid(_) => record.retirement.deletion_policy == DeletionPolicy::Delete,
    }
}

/// Plans for a record that no Tenant holds.
pub fn unattended(observed: &Observed, view: &RecordView, record: &TenantRecordSpec) -> Plan {
    if adoption::is_only_attached(record) {
        return adoption::unattended(observed, record);
    }
    match (record.phase, ground(observed, record)) {
        (RecordPhase::Purged, _) => Plan::silent(),
        (RecordPhase::Active, _) => runs_on(observed, Plan::silent()),
        (RecordPhase::Retained, ground) => {
            if let Some(action) = retire::mirror(observed, record) {
                return Plan::silently(action);
            }
            if let Some(next) = completed(observed, record) {
                return Plan::silently(replace_record(view, &next));
            }
            match ground {
                Some(ground) => purge(observed, view, record, &ground),
                None if record.due_since.is_some() && !breaker::is_over(record, observed.now) => {
                    let next = TenantRecordSpec { due_since: None, ..record.clone() };
                    Plan::silently(replace_record(view, &next))
                }
                None if breaker::is_over(record, observed.now) => {
                    let next = TenantRecordSpec { due_since: Some(observed.time()), ..record.clone() };
                    let message = "its retention is over, and no Tenant has its name: its removal settles";
                    leaving(vec![replace_record(view, &next)], message.into())
                }
                None => kept(observed, record),
            }
        }
        (RecordPhase::Purging, Some(ground)) => purge(observed, view, record, &ground),
        (RecordPhase::Purging, None) => give_back_or_end(observed, view, record),
    }
}

/// A record that was rebuilt has to learn what it holds before anything of it goes.
fn completed(observed: &Observed, record: &TenantRecordSpec) -> Option<TenantRecordSpec> {
    let mut next = record.clone();
    next.storage.volume = unrecorded_volume(observed, record).or(next.storage.volume);
    next.secrets.items.extend(unrecorded_secrets(observed, record));
    (next != *record).then_some(next)
}

/// What is kept for an owner who may come back: nobody else's matter, until its date.
pub fn kept(observed: &Observed, record: &TenantRecordSpec) -> Plan {
    // Of what runs on though no Tenant holds it nothing is touched.
    let mut left = Vec::new();
    if observed.child(Child::Route).is_none() {
        left.extend(retire::end_outside(observed));
        left.extend(retire::end_binding(observed, record));
    }
    if !left.is_empty() {
        return Plan { actions: left, look_again: Some(SOON), ..Plan::silent() };
    }
    let until = until(observed, record.purge_after.as_ref());
    let since = record.retained_since.as_ref().map(|since| observed.now.duration_since(since.0));
    let keeping = if since.is_some_and(|since| since < JUST_KEPT) { Keeping::TakenBack } else { Keeping::AtRest };
    let secrets = cloud::secrets_kept(observed, &observed.name, record, keeping);
    let look_again = if secrets.actions.is_empty() { until } else { Some(SOON) };
    let plan = Plan { actions: secrets.actions.clone(), look_again, ..Plan::silent() };
    match secrets.state {
        PartState::Done(..) if retire::is_quiet(observed, record) => plan,
        // It was rebuilt without its Tenant.
        PartState::Done(..) => runs_on(observed, plan),
        PartState::Working(_, message) | PartState::Blocked(_, message) => leaving(secrets.actions, message),
    }
}

/// A missing Tenant is not a deletion, so nothing ends; and somebody has to know.
fn runs_on(observed: &Observed, plan: Plan) -> Plan {
    let name = &observed.name;
    let message = format!(
        "no Tenant {name} exists any more, and its workspace runs on as it was: nothing of it is touched, and nothing of it is \
         repaired. Apply the Tenant of its owner again; to end it, delete that one then"
    );
    Plan { story: Story::Refused(Refusal::new(Reason::Unattended, message)), ..plan }
}

fn until(observed: &Observed, date: Option<&Time>) -> Option<Duration> {
    let rest = date?.0.duration_since(observed.now);
    Some(Duration::try_from(rest).unwrap_or_default().clamp(SOON, LONGEST_WAIT))
}

/// Whether a removal has come so far that nothing is left to be given back: its volume goes, or is gone.
pub fn is_committed(observed: &Observed, record: &TenantRecordSpec) -> bool {
    let Some(recorded) = &record.storage.volume else { return false };
    let kept = observed.volume.as_ref().is_some_and(|volume| volume.name == recorded.name && volume.retained);
    record.phase == RecordPhase::Purging && own_namespace(observed, record).is_none() && !kept
}

/// A removal whose ground is gone: what can be kept is kept again, as if nothing had been removed; or it comes to its end
/// where that is past.
pub fn give_back_or_end(observed: &Observed, view: &RecordView, record: &TenantRecordSpec) -> Plan {
    if is_committed(observed, record) {
        return end(observed, view, record);
    }
    let mut next = TenantRecordSpec {
        phase: RecordPhase::Retained,
        purge: None,
        due_since: None,
        confirmed: None,
        ..record.clone()
    };
    next.retained_since = Some(observed.time());
    next.purge_after = purge_after(observed, &next);
    let message = "its removal has lost its ground and is taken back; what is left is kept";
    leaving(vec![replace_record(view, &next)], message.into())
}

/// Removes what a record holds, one step after the other.
pub fn purge(observed: &Observed, view: &RecordView, record: &TenantRecordSpec, ground: &Ground) -> Plan {
    // One that came into sight again gives nobody access any more, and has to go before anything else does.
    let grants = retire::end_outside(observed);
    if !grants.is_empty() {
        return leaving(grants, "a way to the workspace is being taken away".into());
    }
    if let Some(plan) = held_back(observed, record, ground) {
        return plan;
    }
    // What AWS says comes first, because it decides what is left to do.
    let evidence = match cloud::evidence(observed, &observed.name, record) {
        Evidence::Unknown(looks) => return leaving(looks, "what stands in AWS is being looked at".into()),
        Evidence::Against(what) => Some(what),
        Evidence::Clear => None,
    };
    let (step, actions, message) = match next_step(observed, view, record, ground) {
        Next::Step(step, actions, message) => (step, actions, message),
        Next::End => return end(observed, view, record),
        Next::Wait(message) => return leaving(Vec::new(), message),
        Next::Hangs(message) => return held(message),
    };
    if let Some(what) = evidence.or_else(|| still_in_use(observed, record)) {
        return contradicted(observed, &what);
    }
    match &observed.looked {
        Some((before, at)) if *before == step && observed.now.duration_since(*at).abs() < JUST_NOW => {
            leaving(actions, message)
        }
        _ => leaving(vec![Action::LookAtCluster { before: step }], message),
    }
}

enum Next {
    Step(Step, Vec<Action>, String),
    Wait(String),
    Hangs(String),
    End,
}

fn next_step(observed: &Observed, view: &RecordView, record: &TenantRecordSpec, ground: &Ground) -> Next {
    let name = &observed.name;
    if record.phase == RecordPhase::Retained {
        let purge = Purge {
            cause: ground.cause,
            begun: ground.begun.clone(),
            ended: None,
            recoverable_until: None,
            receipt: Vec::new(),
        };
        let next = TenantRecordSpec { phase: RecordPhase::Purging, purge: Some(purge), ..record.clone() };
        return Next::Step(Step::Begin, vec![replace_record(view, &next)], "the removal is being recorded".into());
    }
    let strip = cloud::to_strip(observed, name, record);
    if !strip.is_empty() {
        return Next::Step(Step::Strip, strip, "the last tags that give access to secrets are being taken off".into());
    }
    let schedule = cloud::to_schedule(observed, name, record);
    if !schedule.is_empty() {
        return Next::Step(Step::Schedule, schedule, "secrets are being scheduled for deletion".into());
    }
    if let Some(live) = own_namespace(observed, record) {
        if live.deleting {
            return Next::Wait(namespace_going(observed, record));
        }
        let message = format!("namespace {} is being deleted", record.namespace.name);
        return Next::Step(Step::Namespace, vec![remove_namespace(live)], message);
    }
    volume_step(observed, record)
}

/// In two requests: a policy of the cluster lets nobody, the operator included, delete a namespace whose UID an earlier one did not
/// write on it. What is given back loses the mark with the next write of its annotations.
fn remove_namespace(live: &Digest) -> Action {
    let precondition = Precondition::of(&live.uid, &live.resource_version);
    let facts = namespace_facts(live);
    if facts.annotations.get(labels::DELETE_APPROVED).is_some_and(|uid| live.uid == *uid.as_str()) {
        return Action::RemoveNamespace { precondition };
    }
    let approval = (labels::DELETE_APPROVED.to_owned(), Some(live.uid.to_string()));
    let marks = Marks { labels: BTreeMap::new(), annotations: BTreeMap::from([approval]) };
    Action::Mark { child: Child::Namespace, precondition, marks }
}

fn namespace_going(observed: &Observed, record: &TenantRecordSpec) -> String {
    let name = &record.namespace.name;
    let blockers = observed.namespace.as_deref().map(|live| namespace_facts(live).blockers).unwrap_or_default();
    if blockers.is_empty() {
        return format!("namespace {name} is being deleted");
    }
    format!("namespace {name} is being deleted and is held by: {}", blockers.join("; "))
}

fn own_namespace<'a>(observed: &'a Observed, record: &TenantRecordSpec) -> Option<&'a Digest> {
    observed.namespace.as_deref().filter(|live| is_ours(live, record))
}

/// What in the cluster contradicts the record: a workspace that still runs, or marks that say something else.
fn still_in_use(observed: &Observed, record: &TenantRecordSpec) -> Option<String> {
    if let Err(refusal) = check_mirror(observed, record) {
        return Some(refusal.message);
    }
    if own_namespace(observed, record).is_none_or(|live| live.deleting) {
        return None;
    }
    (!retire::is_quiet(observed, record)).then(|| "its workspace still runs, or a route leads to it".to_owned())
}

fn contradicted(observed: &Observed, what: &str) -> Plan {
    let message = format!(
        "nothing is removed, because what there is contradicts the record of {name}: {what}. Put that right, or keep the \
         tenant: openclaw-tenant-operator keep {name} --until <date>",
        name = observed.name
    );
    held(message)
}

fn held(message: String) -> Plan {
    Plan { actions: Vec::new(), story: Story::Held { message }, look_again: Some(LATER) }
}

fn leaving(actions: Vec<Action>, message: String) -> Plan {
    Plan { actions, story: Story::Leaving { message }, look_again: Some(SOON) }
}

/// What holds a removal back before anything is looked at.
fn held_back(observed: &Observed, record: &TenantRecordSpec, ground: &Ground) -> Option<Plan> {
    let begun = ground.begun.0;
    let name = &observed.name;
    match breaker::stage(&observed.fleet, record, begun, observed.halted, observed.now) {
        Stage::Free => None,
        // Nothing that can be undone is left: it comes to its end.
        Stage::Held(_) | Stage::Halted if is_committed(observed, record) => None,
        Stage::Held(burst) => Some(held(format!(
            "nothing is removed until an administrator confirms it: {burst}. To confirm: openclaw-tenant-operator deletions \
             --confirm <how many>, or kubectl annotate tenantrecord {name} openclaw.io/confirm-deletion={}. {}",
            confirmation(&record.incarnation, begun),
            taking_back(observed, ground)
        ))),
        Stage::Halted => Some(held(format!(
            "nothing is removed while class {} carries the annotation openclaw.io/halt. {}",
            record.class_name,
            taking_back(observed, ground)
        ))),
        Stage::Settling => {
            let settles = breaker::settles(record, begun);
            let message =
                format!("access has ended; everything is removed from {settles} on. {}", taking_back(observed, ground));
            Some(Plan { look_again: until(observed, Some(&Time(settles))), ..leaving(Vec::new(), message) })
        }
    }
}

fn taking_back(observed: &Observed, ground: &Ground) -> String {
    let name = &observed.name;
    match ground.cause {
        PurgeCause::Deleted => format!(
            "To take it back: kubectl patch tenant {name} --type merge -p '{{\"spec\":{{\"deletionPolicy\":\"Retain\"}}}}'"
        ),
        PurgeCause::Expired => format!("To take it back: openclaw-tenant-operator keep {name} --until <date>"),
    }
}

/// Everything was seen to be removed, scheduled or left: the receipt is written. Nothing is removed here.
pub fn end(observed: &Observed, view: &RecordView, record: &TenantRecordSpec) -> Plan {
    if let Evidence::Unknown(looks) = cloud::evidence(observed, &observed.name, record) {
        return leaving(looks, "what is left in AWS is being looked at".into());
    }
    if let Some(volume) = recorded_volume(observed, record)
        && !volume.retained
        && why_volume_stays(observed, record, volume).is_none()
    {
        return match volume_hangs(observed, record, volume) {
            Some(message) => held(message),
            None => leaving(Vec::new(), volume_going(volume)),
        };
    }
    let next = purged(observed, record);
    let told = next.purge.as_ref().map(|purge| receipt::told(&observed.name, purge)).unwrap_or_default();
    let story = match &observed.tenant {
        // It is told when the Tenant goes.
        Some(_) => Story::Leaving { message: "the receipt is being written".into() },
        None => Story::Gone(Reason::Purged, told),
    };
    Plan { actions: vec![replace_record(view, &next)], story, look_again: Some(SOON) }
}

/// The record of a name whose everything is removed.
fn purged(observed: &Observed, record: &TenantRecordSpec) -> TenantRecordSpec {
    let mut next = record.clone();
    let receipt = receipt::receipt(observed, record);
    let recoverable_until = receipt.iter().filter_map(|line| line.until.clone()).max_by_key(|until| until.0);
    next.phase = RecordPhase::Purged;
    if let Some(purge) = &mut next.purge {
        purge.ended = Some(observed.time());
        purge.recoverable_until = recoverable_until;
        purge.receipt = receipt;
    }
    next.purge_after = None;
    next.due_since = None;
    next.namespace.uid = None;
    next.identity.association_id = None;
    next.identity.nonce = observed.draw.derive("association");
    next.identity.restarted_pod = None;
    // One that was left is its owner's again.
    if recorded_volume(observed, record).is_none() {
        next.storage.volume = None;
        next.storage.size = crate::api::quantity::Quantity::units(0);
    }
    next.routing.placement = None;
    next.routing.interceptor = None;
    next.template = None;
    next
}

/// Whether what was removed can still be had back by its owner.
pub fn is_recoverable(observed: &Observed, record: &TenantRecordSpec) -> bool {
    let until = record.purge.as_ref().and_then(|purge| purge.recoverable_until.as_ref());
    until.is_some_and(|until| observed.now < until.0)
}

/// What a record remembers of a removal when somebody comes afterwards.
pub fn remember_purge(observed: &Observed, record: &mut TenantRecordSpec) {
    let (incarnation, owner) = (record.incarnation.clone(), record.owner.hash.clone());
    let Some(purge) = record.purge.take() else { return };
    let message = receipt::told(&observed.name, &purge);
    let entry = HistoryEntry {
        at: purge.ended.clone().unwrap_or_else(|| observed.time()),
        event: HistoryEvent::Purged,
        message: message.chars().take(1024).collect(),
        former_owner: Some(owner),
        incarnation: Some(incarnation),
        purge: Some(purge),
    };
    remember(&mut record.history, entry);
}

/// What the last event about a Tenant says whose everything is removed.
pub fn farewell(observed: &Observed, record: &TenantRecordSpec) -> (Reason, String) {
    let told = record.purge.as_ref().map(|purge| receipt::told(&observed.name, purge));
    (Reason::Purged, told.unwrap_or_else(|| "everything it had is removed".to_owned()))
}
