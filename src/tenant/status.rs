//! From what a decision came to, to what is told.
//!
//! PURE. Section 9 of the design: never both Reconciling and Stalled; Ready is True only when every part was verified
//! for the generation that it names.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{
    action::{PartState, Parts, Story},
    child::Part,
    desired,
    ledger::secret_name,
    reason::Reason,
};
use crate::api::{
    class::TenantClassSpec,
    names::TenantName,
    record::TenantRecordSpec,
    tenant::{IdentityStatus, Phase, SecretStatus, TenantStatus},
};

/// The longest message that the API takes in a condition.
const MAX_MESSAGE: usize = 32_768;

/// An action that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose condition tells of it.
    pub part: Part,
    /// Why it failed.
    pub reason: Reason,
    /// What happened, to what, and what to do.
    pub message: String,
    /// Whether only a person can help.
    pub needs_person: bool,
}

/// What a status is made from.
#[derive(Debug)]
pub struct Telling<'a> {
    /// The tenant.
    pub name: &'a TenantName,
    /// The generation that was decided about.
    pub generation: i64,
    /// Now.
    pub now: Timestamp,
    /// What the decision came to.
    pub story: &'a Story,
    /// What failed while it was carried out.
    pub failures: &'a [Failure],
    /// The record, if there is one.
    pub record: Option<&'a TenantRecordSpec>,
    /// The class, if there is one.
    pub class: Option<&'a TenantClassSpec>,
    /// The status as it is, for the times of transition only.
    pub previous: &'a TenantStatus,
}

/// How the tenant stands as a whole.
struct Whole {
    ready: bool,
    reason: Reason,
    message: String,
    reconciling: bool,
    stalled: bool,
    phase: Phase,
}

/// The status to be written; `None` where nothing is told.
pub fn status(telling: &Telling<'_>) -> Option<TenantStatus> {
    let parts = told_parts(telling);
    let whole = match telling.story {
        Story::Silent | Story::Gone(..) => return None,
        Story::Beginning(reason, message) => beginning(telling, *reason, message),
        Story::Refused(refusal) => stalled(refusal.reason, refusal.message.clone()),
        Story::Kept { suspended, .. } => kept(&parts, *suspended),
        Story::Paused { drift, .. } => paused(&parts, drift),
        Story::Leaving { message } => leaving(telling, message),
        Story::Held { message } => held(telling, message),
    };
    let record = telling.record.filter(|_| !matches!(telling.story, Story::Refused(_)) || is_its_own(telling));
    Some(TenantStatus {
        observed_generation: telling.generation,
        phase: whole.phase,
        conditions: conditions(telling, &whole, &parts),
        namespace: record.map(|record| record.namespace.name.clone()),
        url: record.zip(telling.class).and_then(|(record, class)| desired::url(telling.name, class, record)),
        gateway: record.and_then(gateway),
        identity: record.map(identity),
        secrets: record.map(secrets).unwrap_or_default(),
        template_hash: record.and_then(|record| record.template.as_ref()).map(|template| template.hash.clone()),
    })
}

/// What is told where the definition of Tenants is too old for what was to be told: why, and no field that not every version of it
/// has. The rest stays as it is.
pub fn untold(telling: &Telling<'_>, why: String) -> TenantStatus {
    let whole = stalled(Reason::RequestRefused, why);
    let phase = match telling.story {
        Story::Leaving { .. } | Story::Held { .. } => Phase::Deleting,
        Story::Silent
        | Story::Beginning(..)
        | Story::Refused(_)
        | Story::Kept { .. }
        | Story::Paused { .. }
        | Story::Gone(..) => whole.phase,
    };
    TenantStatus {
        observed_generation: telling.generation,
        phase,
        conditions: conditions(telling, &whole, &told_parts(telling)),
        ..telling.previous.clone()
    }
}

/// Whether a refused Tenant may be told about the record: not where the record is somebody else's.
fn is_its_own(telling: &Telling<'_>) -> bool {
    !matches!(telling.story, Story::Refused(refusal) if refusal.reason == Reason::NameReserved)
}

/// The parts of the story, with what failed meanwhile.
fn told_parts(telling: &Telling<'_>) -> Parts {
    let mut parts = match telling.story {
        Story::Kept { parts, .. } | Story::Paused { parts, .. } => parts.clone(),
        // What was not looked at is not told: a condition that nobody verified would be a lie.
        Story::Silent
        | Story::Beginning(..)
        | Story::Refused(_)
        | Story::Leaving { .. }
        | Story::Held { .. }
        | Story::Gone(..) => return Parts::new(),
    };
    for failure in telling.failures {
        let blocked = matches!(parts.get(&failure.part), Some(PartState::Blocked(..)));
        if failure.needs_person {
            parts.insert(failure.part, PartState::Blocked(failure.reason, failure.message.clone()));
        } else if !blocked {
            parts.insert(failure.part, PartState::Working(failure.reason, failure.message.clone()));
        }
    }
    parts
}

fn kept(parts: &Parts, suspended: bool) -> Whole {
    let blocked = parts.iter().find_map(|(part, state)| match state {
        PartState::Blocked(reason, message) => Some((*reason, format!("{}: {message}", part.condition()))),
        PartState::Done(..) | PartState::Working(..) => None,
    });
    if let Some((reason, message)) = blocked {
        return stalled(reason, message);
    }
    let working = parts.iter().find_map(|(part, state)| match state {
        PartState::Working(_, message) => Some(format!("{}: {message}", part.condition())),
        PartState::Done(..) | PartState::Blocked(..) => None,
    });
    if let Some(message) = working {
        return reconciling(Reason::Progressing, message, Phase::Provisioning);
    }
    let waiting = parts.values().find_map(|state| match state {
        PartState::Done(Reason::RolloutPending, message) => Some(message.clone()),
        PartState::Done(..) | PartState::Working(..) | PartState::Blocked(..) => None,
    });
    if let Some(message) = waiting {
        let reason = Reason::RolloutPending;
        return Whole { ready: true, reason, message, reconciling: false, stalled: false, phase: Phase::Ready };
    }
    let (reason, message, phase) = if suspended {
        (Reason::Suspended, "access has ended on request; everything is kept", Phase::Suspended)
    } else {
        (Reason::Verified, "every part stands and was verified", Phase::Ready)
    };
    Whole { ready: true, reason, message: message.into(), reconciling: false, stalled: false, phase }
}

fn paused(parts: &Parts, drift: &[String]) -> Whole {
    let ready = drift.is_empty() && parts.values().all(PartState::is_done);
    let message = if drift.is_empty() {
        "nothing is written for this tenant while it is paused".to_owned()
    } else {
        format!("paused; would be changed: {}", drift.join(", "))
    };
    let phase = if ready { Phase::Ready } else { Phase::Provisioning };
    Whole { ready, reason: Reason::Paused, message, reconciling: false, stalled: false, phase }
}

fn beginning(telling: &Telling<'_>, reason: Reason, message: &str) -> Whole {
    match telling.failures.first() {
        Some(failure) if failure.needs_person => stalled(failure.reason, failure.message.clone()),
        Some(failure) => reconciling(failure.reason, failure.message.clone(), Phase::Provisioning),
        None => reconciling(reason, message.to_owned(), Phase::Provisioning),
    }
}

fn leaving(telling: &Telling<'_>, message: &str) -> Whole {
    match telling.failures.first() {
        Some(failure) if failure.needs_person => {
            Whole { phase: Phase::Deleting, ..stalled(failure.reason, failure.message.clone()) }
        }
        Some(failure) => reconciling(Reason::Deleting, failure.message.clone(), Phase::Deleting),
        None => reconciling(Reason::Deleting, message.to_owned(), Phase::Deleting),
    }
}

fn held(telling: &Telling<'_>, message: &str) -> Whole {
    if telling.failures.iter().any(|failure| failure.needs_person) {
        return leaving(telling, message);
    }
    let (reason, message) = (Reason::DeletionHeld, message.to_owned());
    Whole { ready: false, reason, message, reconciling: false, stalled: false, phase: Phase::Deleting }
}

fn stalled(reason: Reason, message: String) -> Whole {
    Whole { ready: false, reason, message, reconciling: false, stalled: true, phase: Phase::Error }
}

fn reconciling(reason: Reason, message: String, phase: Phase) -> Whole {
    Whole { ready: false, reason, message, reconciling: true, stalled: false, phase }
}

fn conditions(telling: &Telling<'_>, whole: &Whole, parts: &Parts) -> Vec<Condition> {
    let mut all = vec![condition(telling, "Ready", whole.ready, whole.reason, &whole.message)];
    if whole.reconciling {
        all.push(condition(telling, "Reconciling", true, whole.reason, &whole.message));
    }
    if whole.stalled {
        all.push(condition(telling, "Stalled", true, whole.reason, &whole.message));
    }
    for (part, state) in parts {
        let (PartState::Done(reason, message)
        | PartState::Working(reason, message)
        | PartState::Blocked(reason, message)) = state;
        all.push(condition(telling, part.condition(), state.is_done(), *reason, message));
    }
    all
}

fn condition(telling: &Telling<'_>, kind: &str, is_true: bool, reason: Reason, message: &str) -> Condition {
    let status = if is_true { "True" } else { "False" };
    let before = telling.previous.condition(kind);
    let since =
        before.filter(|condition| condition.status == status).map(|condition| condition.last_transition_time.clone());
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.as_str().to_owned(),
        message: message.chars().take(MAX_MESSAGE / 4).collect(),
        observed_generation: Some(telling.generation),
        last_transition_time: since.unwrap_or(Time(telling.now)),
    }
}

fn gateway(record: &TenantRecordSpec) -> Option<String> {
    let placement = record.routing.placement.as_ref()?;
    Some(format!("{}/{}", placement.namespace, placement.name))
}

fn identity(record: &TenantRecordSpec) -> IdentityStatus {
    IdentityStatus {
        incarnation: record.incarnation.clone(),
        service_account: record.service_account.clone(),
        association_id: record.identity.association_id.clone(),
    }
}

fn secrets(record: &TenantRecordSpec) -> Vec<SecretStatus> {
    let told = |item: &crate::api::record::RecordedSecret| SecretStatus {
        name: item.name.clone(),
        secret_id: secret_name(record, item.name.as_str()),
        version_id: item.version_id.as_ref().map(ToString::to_string),
    };
    record.secrets.items.iter().map(told).collect()
}

/// Something that happened, for an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Whether it is a warning.
    pub warning: bool,
    /// Why.
    pub reason: String,
    /// What.
    pub note: String,
}

/// What a part tells while it stands, and people should hear of when it begins.
const ANNOUNCED: [Reason; 4] =
    [Reason::RotationBlocked, Reason::RotationFailed, Reason::ForeignPolicy, Reason::QuotaBelowUse];

/// What is announced when one status follows another: transitions only.
pub fn announcements(previous: &TenantStatus, next: &TenantStatus) -> Vec<Announcement> {
    let announce = |warning: bool, told: &Condition| Announcement {
        warning,
        reason: told.reason.clone(),
        note: told.message.clone(),
    };
    let mut all = Vec::new();
    let stalled_before = previous.condition("Stalled");
    if let Some(stalled) = next.condition("Stalled")
        && stalled_before.is_none_or(|before| before.reason != stalled.reason)
    {
        all.push(announce(true, stalled));
    }
    let ready_before = previous.condition("Ready");
    if let Some(ready) = next.condition("Ready")
        && ready.status == "True"
        && ready_before.is_none_or(|before| before.status != "True" || before.reason != ready.reason)
    {
        all.push(announce(false, ready));
    }
    if let Some(held) = next.condition("Ready").filter(|ready| ready.reason == Reason::DeletionHeld.as_str())
        && ready_before.is_none_or(|before| before.reason != held.reason)
    {
        all.push(announce(true, held));
    }
    for told in next.conditions.iter().filter(|told| ANNOUNCED.iter().any(|reason| reason.as_str() == told.reason)) {
        let is_new = previous.condition(&told.type_).is_none_or(|before| before.reason != told.reason);
        if is_new && told.type_ != "Stalled" && told.type_ != "Ready" && told.status == "True" {
            all.push(announce(true, told));
        }
    }
    if next.phase == Phase::Deleting && previous.phase != Phase::Deleting {
        let note = "access is being ended".to_owned();
        all.push(Announcement { warning: false, reason: Reason::Deleting.as_str().to_owned(), note });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{super::progress::Reached, *};

    fn parts(state: &PartState) -> Parts {
        Part::ALL.iter().map(|part| (*part, state.clone())).collect()
    }

    fn tell(story: &Story, failures: &[Failure], previous: &TenantStatus) -> TenantStatus {
        let name: TenantName = "alice".parse().expect("name");
        let now = Timestamp::from_second(1_000_000).expect("time");
        let telling = Telling { name: &name, generation: 3, now, story, failures, record: None, class: None, previous };
        status(&telling).expect("told")
    }

    fn summary(status: &TenantStatus) -> (String, String, bool, bool, Phase) {
        let ready = status.condition("Ready").expect("Ready is always told");
        (
            ready.status.clone(),
            ready.reason.clone(),
            status.condition("Reconciling").is_some(),
            status.condition("Stalled").is_some(),
            status.phase,
        )
    }

    /// The table of section 9.
    #[test]
    fn every_state_is_told_as_the_table_of_the_design_says() {
        let done = PartState::Done(Reason::Verified, "ok".into());
        let working = PartState::Working(Reason::Progressing, "soon".into());
        let awaiting = PartState::Blocked(Reason::AwaitingValue, "put one".into());
        let refusal = super::super::blueprint::Refusal { reason: Reason::ClassNotFound, message: "no".into() };
        let kept = |parts, suspended| Story::Kept { suspended, parts, template: Reached::Present };
        let paused = |drift: Vec<String>| Story::Paused { parts: parts(&done), drift };
        let none = TenantStatus::default();
        let rows = [
            (kept(parts(&working), false), ("False", "Progressing", true, false, Phase::Provisioning)),
            (kept(parts(&done), false), ("True", "Verified", false, false, Phase::Ready)),
            (kept(parts(&done), true), ("True", "Suspended", false, false, Phase::Suspended)),
            (kept(parts(&awaiting), false), ("False", "AwaitingValue", false, true, Phase::Error)),
            (Story::Refused(refusal), ("False", "ClassNotFound", false, true, Phase::Error)),
            (paused(Vec::new()), ("True", "Paused", false, false, Phase::Ready)),
            (paused(vec!["Route differs".into()]), ("False", "Paused", false, false, Phase::Provisioning)),
            (Story::Leaving { message: "…".into() }, ("False", "Deleting", true, false, Phase::Deleting)),
            (Story::Held { message: "…".into() }, ("False", "DeletionHeld", false, false, Phase::Deleting)),
        ];
        for (story, (status, reason, reconciling, stalled, phase)) in rows {
            let expected = (status.to_owned(), reason.to_owned(), reconciling, stalled, phase);
            assert_eq!(summary(&tell(&story, &[], &none)), expected, "{story:?}");
        }
    }

    #[test]
    fn a_failure_takes_ready_away_and_only_a_person_s_matter_stalls() {
        let story = Story::Kept {
            suspended: false,
            parts: parts(&PartState::Done(Reason::Verified, "ok".into())),
            template: Reached::Present,
        };
        let failure = |needs_person| Failure {
            part: Part::Secrets,
            reason: Reason::AwsUnavailable,
            message: "no answer".into(),
            needs_person,
        };
        let none = TenantStatus::default();
        assert!(summary(&tell(&story, &[failure(false)], &none)).2, "Reconciling");
        assert!(summary(&tell(&story, &[failure(true)], &none)).3, "Stalled");
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let story = Story::Kept {
            suspended: false,
            parts: parts(&PartState::Done(Reason::Verified, "ok".into())),
            template: Reached::Present,
        };
        let mut first = tell(&story, &[], &TenantStatus::default());
        let long_ago = Time(Timestamp::from_second(1).expect("time"));
        for condition in &mut first.conditions {
            condition.last_transition_time = long_ago.clone();
        }
        assert_eq!(tell(&story, &[], &first), first, "nothing changed, so nothing is written");
    }

    #[test]
    fn announcements_are_made_on_transitions_only() {
        let done = Story::Kept {
            suspended: false,
            parts: parts(&PartState::Done(Reason::Verified, "ok".into())),
            template: Reached::Present,
        };
        let ready = tell(&done, &[], &TenantStatus::default());
        assert_eq!(announcements(&TenantStatus::default(), &ready).len(), 1);
        assert_eq!(announcements(&ready, &ready), Vec::new());
    }
}
