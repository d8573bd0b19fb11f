//! Changes of the pod template: which of them wait at the fleet's gate, and what stands while they wait.
//!
//! PURE. Section 8 of the design: whatever the class, a new version of the operator or a rotation changes passes one
//! gate; what the Tenant itself changes does not wait. While a change waits, the former template is held.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{
    action::{Action, PartState},
    blueprint::Blueprint,
    child::{Child, Kind},
    comparison::{ChildState, precondition},
    digest::{ContentHash, Facts},
    gate::Turn,
    observed::Observed,
    reason::Reason,
    rotation,
};
use crate::api::{
    class::TenantClassSpec,
    record::{Counts, RecordedTemplate, Rolling},
    tenant::TenantSpec,
};

/// How a wanted pod template stands to the one that was applied last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It is the same.
    Unchanged,
    /// Another one, which does not wait: the first of all, one that starts no pod, the Tenant's own edit, one that
    /// replaces what is broken, or one after a leak.
    AtOnce,
    /// Another one, which the gate lets through now.
    Granted,
    /// Another one, which waits at the gate, and what for.
    Waits(String),
}

impl Passage {
    /// Whether another template than the applied one is to be written now.
    pub const fn changes(&self) -> bool {
        matches!(self, Self::AtOnce | Self::Granted)
    }

    /// Whether the former template is held.
    pub const fn holds(&self) -> bool {
        matches!(self, Self::Waits(_))
    }

    /// Whether the tenant has business at the gate: it waits, or has a leave that it has not used yet.
    pub const fn is_at_gate(&self) -> bool {
        matches!(self, Self::Waits(_) | Self::Granted)
    }
}

/// The template and configuration that are wanted, as the record would say it.
pub fn wanted_template(spec: &TenantSpec, wanted: &BTreeMap<Child, Option<Value>>) -> Option<RecordedTemplate> {
    let set = wanted.get(&Child::StatefulSet)?.as_ref()?;
    let config = wanted.get(&Child::ConfigMap)?.as_ref()?;
    Some(RecordedTemplate {
        hash: ContentHash::of_value(set.pointer("/spec/template")?).to_hex(),
        rendered: None,
        config: ContentHash::of_object(Kind::ConfigMap, config).to_hex(),
        own: own_share(spec).to_hex(),
        rolling: None,
    })
}

/// What of the template the Tenant itself decides.
fn own_share(spec: &TenantSpec) -> ContentHash {
    let TenantSpec { image, env, skills, resources, secrets, .. } = spec;
    let share = json!({ "image": image, "env": env, "skills": skills, "resources": resources, "secrets": secrets });
    ContentHash::of_value(&share)
}

/// Whether a wanted template may be applied now.
pub fn passage(observed: &Observed, blueprint: &Blueprint<'_>, wanted: &RecordedTemplate) -> Passage {
    let Some(applied) = &blueprint.record.template else { return Passage::AtOnce };
    if applied.hash == wanted.hash && applied.config == wanted.config {
        return Passage::Unchanged;
    }
    let is_own_edit = applied.own != wanted.own;
    let starts_no_pod = !blueprint.open;
    if is_own_edit || starts_no_pod || applied.rolling.is_some() || !stands(observed, applied) {
        return Passage::AtOnce;
    }
    if rotation::is_urgent(blueprint.record) {
        return Passage::AtOnce;
    }
    match &observed.turn {
        Turn::Granted => Passage::Granted,
        Turn::NotAsked => Passage::Waits("a changed pod template asks for its turn".to_owned()),
        Turn::Full { in_flight } => Passage::Waits(format!(
            "a changed pod template waits for its turn: {in_flight} tenants of the fleet are restarting, no more may at once \
             (rollout.maxInFlight of the class)"
        )),
        Turn::Stopped { failed, count } => Passage::Waits(stopped(failed, *count)),
    }
}

fn stopped(failed: &[crate::api::names::TenantName], count: usize) -> String {
    let names: Vec<&str> = failed.iter().map(crate::api::names::TenantName::as_str).collect();
    let more = if count > names.len() { " and others" } else { "" };
    format!(
        "the roll-out has stopped: {count} tenants that were ready before it are not after it ({}{more}). Mend them, or take \
         the change back; rollout.maxFailures of the class says how many are too many",
        names.join(", ")
    )
}

/// Whether the template that was applied last, and its configuration, still stand. Only hashes of them are known, so what
/// somebody has changed cannot be brought back.
fn stands(observed: &Observed, applied: &RecordedTemplate) -> bool {
    let config = observed.child(Child::ConfigMap).filter(|live| !live.deleting).map(|live| live.content.to_hex());
    let is_applied = |hash: String| hash == applied.hash || Some(hash) == applied.rendered;
    live_template(observed).is_some_and(is_applied) && config.as_ref() == Some(&applied.config)
}

fn live_template(observed: &Observed) -> Option<String> {
    match &observed.child(Child::StatefulSet).filter(|live| !live.deleting)?.facts {
        Facts::StatefulSet(facts) => facts.template.map(ContentHash::to_hex),
        Facts::None | Facts::Namespace(_) | Facts::Quota { .. } | Facts::Claim(_) | Facts::Route(_) => None,
    }
}

/// How a child stands while the former template is held: the template and its configuration as they are, the rest as
/// wanted.
pub fn held_state(observed: &Observed, child: Child, wanted: Option<&Value>) -> Option<ChildState> {
    let live = observed.child(child)?;
    match child {
        Child::ConfigMap => Some(ChildState::Equal),
        Child::StatefulSet => {
            let frame = without_template(wanted?);
            let Facts::StatefulSet(facts) = &live.facts else { return None };
            if facts.frame == Some(ContentHash::of_object(Kind::StatefulSet, &frame)) {
                return Some(ChildState::Equal);
            }
            Some(ChildState::Differs(frame, precondition(live)))
        }
        Child::Namespace
        | Child::ResourceQuota
        | Child::LimitRange
        | Child::DefaultDeny
        | Child::Allowlist
        | Child::DisruptionBudget
        | Child::ServiceAccount
        | Child::Claim
        | Child::Service
        | Child::Route => None,
    }
}

/// A StatefulSet without its pod template: where it is written, the live template stays.
pub fn without_template(set: &Value) -> Value {
    let mut frame = set.clone();
    if let Some(spec) = frame["spec"].as_object_mut() {
        spec.remove("template");
    }
    frame
}

/// What the record says of the template after this decision. `ready` says whether a pod of the present template is ready.
pub fn recorded_template(
    observed: &Observed,
    blueprint: &Blueprint<'_>,
    passage: &Passage,
    wanted: RecordedTemplate,
    ready: bool,
) -> RecordedTemplate {
    let former = blueprint.record.template.clone();
    match (passage, former) {
        (Passage::Unchanged | Passage::Waits(_), Some(former)) => {
            let is_over = matches!(passage, Passage::Unchanged) && ready;
            let rolling = former.rolling.clone().filter(|_| !is_over);
            let rendered =
                if matches!(passage, Passage::Unchanged) { wanted.rendered } else { former.rendered.clone() };
            RecordedTemplate { own: wanted.own, rendered, rolling, ..former }
        }
        (_, former) => {
            let counts = former.and_then(|former| former.rolling).map(|rolling| rolling.counts);
            let counts = match passage {
                Passage::Granted if was_ready(observed) => Some(Counts::Fully),
                Passage::Granted => Some(Counts::Place),
                _ => counts,
            };
            let counts = counts.or_else(|| rotation::is_under_way(blueprint.record).then_some(Counts::Nothing));
            let deadline = Time(deadline(observed, blueprint));
            RecordedTemplate { rolling: counts.map(|counts| Rolling { counts, deadline }), ..wanted }
        }
    }
}

/// Hash of what the API server made of the template, where something in the cluster changes it as it is written.
pub fn rendered(observed: &Observed, is_rendered: bool) -> Option<String> {
    live_template(observed).filter(|_| is_rendered)
}

/// Asks for a turn, once: from then on the gate remembers who waits.
pub fn ask(observed: &Observed, class: &TenantClassSpec, passage: &Passage) -> Option<Action> {
    (passage.holds() && observed.turn == Turn::NotAsked).then_some(Action::AskForTurn(class.rollout))
}

fn was_ready(observed: &Observed) -> bool {
    observed.pods.iter().any(|pod| pod.ready && !pod.deleting)
}

fn deadline(observed: &Observed, blueprint: &Blueprint<'_>) -> jiff::Timestamp {
    let class = blueprint.class;
    // The former pod may take its whole time to end before the next one starts.
    let seconds =
        i64::from(class.rollout.deadline_seconds) + i64::from(class.workload.termination_grace_period_seconds);
    let now = observed.time().0;
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

/// Whether a tenant has used up the time that it had for becoming ready with its present template.
pub fn is_overdue(observed: &Observed, template: Option<&RecordedTemplate>) -> bool {
    let rolling = template.and_then(|template| template.rolling.as_ref());
    rolling.is_some_and(|rolling| observed.now >= rolling.deadline.0)
}

/// How long until that time is over.
pub fn until_overdue(observed: &Observed, template: Option<&RecordedTemplate>) -> Option<Duration> {
    let rolling = template?.rolling.as_ref()?;
    let left = rolling.deadline.0.duration_since(observed.now);
    (left > SignedDuration::ZERO).then(|| left.unsigned_abs())
}

/// How the workload stands where its new template waits: what runs is the former one, verified.
pub fn waiting(passage: &Passage, workload: PartState) -> PartState {
    match (passage, workload) {
        (Passage::Waits(message), PartState::Done(Reason::Verified, running)) => {
            PartState::Done(Reason::RolloutPending, format!("{running}; {message}"))
        }
        (_, workload) => workload,
    }
}
