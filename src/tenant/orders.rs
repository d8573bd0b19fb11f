//! What administrators order by annotations on a record, and what comes of each.
//!
//! PURE. The annotation goes with the change that it asked for; the record's history keeps what was ordered and what came of
//! it. An order that cannot be carried out is taken off as well, and the history says why.

mod moving;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    action::{Action, Plan, Precondition, SOON},
    adoption::is_only_attached,
    breaker,
    observed::{Observed, RecordView},
    ownership::{check_mirror, is_ours, namespace_facts},
    purge, retire,
};
use crate::api::{
    class::SecretsMode,
    labels,
    names::{Incarnation, OwnerHash, OwnerSubject},
    record::{HistoryEntry, HistoryEvent, RecordPhase, RecordedOwner, SecretOrigin, TenantRecordSpec, remember},
};

pub use moving::offered;

/// In this order, where several are given at once.
const ORDERS: [&str; 5] =
    [labels::TRANSFER_TO, labels::KEEP_UNTIL, labels::MOVE_TO, labels::PURGE_NOW, labels::CONFIRM_DELETION];

/// The longest value of an order that is repeated in a message.
const LONGEST: usize = 80;

/// The longest message that a record's history takes.
const LONGEST_MESSAGE: usize = 1024;

/// Carries out what is ordered; `None` where nothing is.
pub fn carried_out(observed: &Observed, view: &RecordView, record: &TenantRecordSpec) -> Option<Plan> {
    let given: Vec<(&'static str, &String)> =
        ORDERS.into_iter().filter_map(|key| Some((key, view.orders.get(key)?))).collect();
    if given.is_empty() {
        return None;
    }
    let mut next = record.clone();
    let (mut all_well, mut told) = (true, Vec::new());
    for (key, value) in &given {
        let before = next.clone();
        let result = obey(observed, &mut next, key, value.trim());
        let (event, message) = match result {
            Ok(message) if *key == labels::TRANSFER_TO => (HistoryEvent::Transferred, message),
            Ok(message) => (HistoryEvent::Ordered, message),
            Err(why) => {
                next = before.clone();
                all_well = false;
                (HistoryEvent::Refused, why)
            }
        };
        // What the former owner may see goes first: from then on nobody's Tenant would take it away.
        let rights = if event == HistoryEvent::Transferred { retire::end_rights(observed, record) } else { Vec::new() };
        if !rights.is_empty() {
            return Some(Plan { actions: rights, look_again: Some(SOON), ..Plan::silent() });
        }
        if event == HistoryEvent::Transferred
            && let Some(mark) = retire::mark(observed, &next)
        {
            // The namespace says so before the record does: a record that is lost at any moment is rebuilt either as the former
            // owner's, with the transfer still to be ordered, or as the new owner's.
            return Some(Plan::silently(mark));
        }
        let message = shortened(&format!("{key}={}: {message}", shortened(value, LONGEST)), LONGEST_MESSAGE);
        let former_owner: Option<OwnerHash> = (event == HistoryEvent::Transferred).then(|| before.owner.hash.clone());
        told.push(message.clone());
        let entry = HistoryEntry { at: observed.time(), event, message, former_owner, incarnation: None, purge: None };
        remember(&mut next.history, entry);
    }
    let action = Action::CarryOutOrders {
        precondition: Precondition::of(&view.uid, &view.resource_version),
        spec: Box::new(next),
        orders: given.iter().map(|(key, _)| *key).collect(),
        told: (all_well, told.join("; ")),
    };
    Some(Plan::silently(action))
}

fn shortened(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

fn obey(observed: &Observed, record: &mut TenantRecordSpec, key: &str, value: &str) -> Result<String, String> {
    match key {
        labels::TRANSFER_TO => transfer(observed, record, value),
        labels::KEEP_UNTIL => keep_until(observed, record, value),
        labels::MOVE_TO => moving::move_to(observed, record, value),
        labels::PURGE_NOW => purge_now(observed, record, value),
        labels::CONFIRM_DELETION => confirm(observed, record, value),
        other => Err(format!("{other} is no order")),
    }
}

/// An incarnation is named so that an order given for one never hits the next.
fn same_incarnation(record: &TenantRecordSpec, value: &str) -> Result<(), String> {
    if value.parse::<Incarnation>().is_ok_and(|named| named == record.incarnation) {
        return Ok(());
    }
    Err(format!("refused: the incarnation is {}; name it to show that you mean this one", record.incarnation))
}

/// An order may have waited, for a pause to end or for an operator to lead, until another removal of the same incarnation began.
fn same_beginning(named: &str, begun: Timestamp) -> Result<(), String> {
    let named: Timestamp = named.parse().map_err(|_| {
        "refused: what follows the @ is no time; use the beginning that `openclaw-tenant-operator deletions` shows"
            .to_owned()
    })?;
    if breaker::whole(named) == breaker::whole(begun) {
        return Ok(());
    }
    Err(format!(
        "refused: the removal that is meant began {named}, and this one {}: look at it again (openclaw-tenant-operator deletions)",
        breaker::whole(begun)
    ))
}

fn transfer(observed: &Observed, record: &mut TenantRecordSpec, value: &str) -> Result<String, String> {
    let subject: OwnerSubject = value.parse().map_err(|error| format!("refused: {error}"))?;
    let hash = subject.hash();
    if hash == record.owner.hash {
        return Err("refused: it is that owner's already".into());
    }
    if record.phase == RecordPhase::Purging {
        return Err("refused: what it holds is being removed; keep it first (openclaw.io/keep-until)".into());
    }
    if breaker::asked_for(observed.tenant.as_deref(), record).is_some() && !has_begun(observed, record, &hash) {
        return Err("refused: its Tenant is being deleted with deletionPolicy Delete; set that to Retain first".into());
    }
    if breaker::is_over(record, observed.now) {
        return Err("refused: its retention is over; keep it first (openclaw.io/keep-until)".into());
    }
    if record.phase == RecordPhase::Purged && !purge::is_recoverable(observed, record) {
        return Err("refused: nothing is kept under this name, and anybody may have it".into());
    }
    check_marks(observed, record, &hash)?;
    record.owner = RecordedOwner { subject: Some(subject), hash };
    // The former owner's Tenant lets go of it: it neither changes nor ends what is another's now.
    record.tenant_uid = None;
    // The former owner may know them. What persons put is the new owner's to replace.
    for item in record.secrets.items.iter_mut().filter(|item| item.origin == SecretOrigin::Generated) {
        item.handed_over = true;
        item.handed_over_version = None;
    }
    let values = match record.secrets.mode {
        SecretsMode::SecretsManager => "generated secrets then get new values",
        SecretsMode::None => {
            "the former owner may know the token, the file gateway-token on its volume: remove it and delete the pod"
        }
    };
    Ok(format!(
        "done: it is the new owner's. The Tenant of the former one can be deleted, and one that names the new owner be applied; \
         {values}"
    ))
}

/// Whether the namespace says already that it is the new owner's. Stopped there, nobody could have it any more, nor end it.
fn has_begun(observed: &Observed, record: &TenantRecordSpec, to: &OwnerHash) -> bool {
    let own = observed.namespace.as_deref().filter(|live| is_ours(live, record));
    own.is_some_and(|live| {
        namespace_facts(live).annotations.get(labels::OWNER_HASH).is_some_and(|mark| mark == to.as_str())
    })
}

/// Marks that contradict the record are not painted over; those of this very transfer are no contradiction.
fn check_marks(observed: &Observed, record: &TenantRecordSpec, to: &OwnerHash) -> Result<(), String> {
    let owner = RecordedOwner { subject: None, hash: to.clone() };
    let transferred = TenantRecordSpec { owner, ..record.clone() };
    let check = check_mirror(observed, record).or_else(|_| check_mirror(observed, &transferred));
    check.map_err(|refusal| format!("refused: {}", refusal.message))
}

fn keep_until(observed: &Observed, record: &mut TenantRecordSpec, value: &str) -> Result<String, String> {
    let date: Timestamp =
        value.parse().map_err(|_| "refused: it is no time; use one such as 2030-01-31T00:00:00Z".to_owned())?;
    if date <= observed.now {
        return Err("refused: that time is past. To end retention: openclaw.io/purge-now".into());
    }
    match record.phase {
        RecordPhase::Active => {
            return Err("refused: nothing is retained, a Tenant holds it or will hold it again".into());
        }
        RecordPhase::Purged => return Err("refused: what it held is removed already".into()),
        RecordPhase::Purging if purge::is_committed(observed, record) => {
            return Err("refused: its volume is being deleted, and nothing can be kept any more".into());
        }
        RecordPhase::Retained | RecordPhase::Purging => {}
    }
    if breaker::asked_for(observed.tenant.as_deref(), record).is_some() {
        return Err("refused: its Tenant is being deleted with deletionPolicy Delete; set that to Retain".into());
    }
    match &record.purge_after {
        None => return Err("refused: it is kept with no end by time already".into()),
        // What is due is kept by any date; otherwise nobody's time is shortened by mistake.
        Some(before) if before.0 > observed.now && date < before.0 => {
            return Err(format!("refused: it is kept until {} already. To end that: openclaw.io/purge-now", before.0));
        }
        Some(_) => {}
    }
    if record.phase == RecordPhase::Purging {
        // Taken back: what was scheduled for deletion meanwhile is looked for and restored.
        record.retained_since = Some(observed.time());
    }
    record.phase = RecordPhase::Retained;
    record.purge = None;
    record.confirmed = None;
    record.purge_after = Some(Time(date));
    record.due_since = None;
    Ok(format!("done: it is kept until {date}"))
}

fn purge_now(observed: &Observed, record: &mut TenantRecordSpec, value: &str) -> Result<String, String> {
    same_incarnation(record, value)?;
    match record.phase {
        RecordPhase::Retained => {}
        RecordPhase::Purging | RecordPhase::Purged => return Err("refused: it is removed, or being removed".into()),
        RecordPhase::Active => {
            return Err(
                "refused: its access has not ended. Delete its Tenant first; where that is gone, apply it again".into(),
            );
        }
    }
    if is_only_attached(record) {
        return Err("refused: what it has was attached and never cut over, and is its former keeper's to remove".into());
    }
    if breaker::asked_for(observed.tenant.as_deref(), record).is_some() {
        return Err("refused: it is being removed with its Tenant already".into());
    }
    record.purge_after = Some(observed.time());
    record.due_since = None;
    record.confirmed = None;
    let settles = breaker::settles(record, observed.time().0);
    let waits = match &observed.tenant {
        Some(_) => ", as soon as no Tenant of this name exists",
        None => "",
    };
    Ok(format!("done: everything is removed from {settles} on{waits}. To take it back: openclaw.io/keep-until"))
}

/// The order by which the removal that began then, and no other, may pass the breaker.
pub fn confirmation(incarnation: &Incarnation, begun: Timestamp) -> String {
    format!("{incarnation}@{}", breaker::whole(begun))
}

fn confirm(observed: &Observed, record: &mut TenantRecordSpec, value: &str) -> Result<String, String> {
    let (incarnation, seen) = value.split_once('@').map_or((value, None), |(one, begun)| (one, Some(begun)));
    same_incarnation(record, incarnation)?;
    let Some((_, begun)) = breaker::pending(observed.tenant.as_deref(), record, observed.now) else {
        return Err("refused: nothing of it is being removed".into());
    };
    if let Some(seen) = seen {
        same_beginning(seen, begun)?;
    }
    record.confirmed = Some(Time(begun));
    Ok(format!("done: the removal that began {begun} may pass the breaker"))
}
