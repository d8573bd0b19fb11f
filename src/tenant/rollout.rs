//! Changes of the pod template: which of them wait at the fleet's gate, and what stands while they wait.
//!
//! PURE. Section 8 of the design: whatever the class, a new version of the operator or a rotation changes passes one
//! gate; what the Tenant itself changes does not wait. While a change waits, the former template is held.

use std::time::Duration;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{
    action::{Action, PartState},
    blueprint::Blueprint,
    child::{Child, Kind},
    comparison::{ChildState, precondition},
    digest::ContentHash,
    gate::Turn,
    observed::{Look, Observed},
    progress::Reached,
    reason::Reason,
    retire::is_scaled,
    rotation, scaling,
    wanted::Wanted,
    workload::{NewestPod, is_rolled, newest_pod},
};
use crate::api::{
    class::TenantClassSpec,
    names::{SecretItemName, TenantName},
    record::{AppliedSecret, Counts, RecordedSecret, RecordedTemplate, Rolling, TenantRecordSpec},
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
}

/// How far a template has come by its passage. Nobody takes a place at the gate who cannot use it now.
pub const fn reached(passage: &Passage, confined: bool) -> Reached {
    match passage {
        Passage::Unchanged => Reached::Present,
        Passage::Waits(_) | Passage::Granted if confined => Reached::AtGate,
        Passage::Waits(_) | Passage::Granted | Passage::AtOnce => Reached::Former,
    }
}

/// The template and configuration that are wanted, as the record would say it.
pub(super) fn wanted_template(
    spec: &TenantSpec,
    record: &TenantRecordSpec,
    wanted: &Wanted<'_>,
) -> Option<RecordedTemplate> {
    Some(RecordedTemplate {
        hash: wanted.template()?.to_hex(),
        rendered: None,
        config: wanted.wish(Child::ConfigMap)?.hash.to_hex(),
        own: own_share(spec).to_hex(),
        secrets: applied_secrets(record),
        rolling: None,
        unproven: false,
    })
}

fn applied_secrets(record: &TenantRecordSpec) -> Vec<AppliedSecret> {
    let applied =
        |item: &RecordedSecret| Some(AppliedSecret { name: item.name.clone(), version_id: item.version_id.clone()? });
    record.secrets.items.iter().filter_map(applied).collect()
}

/// What of the template the Tenant itself decides. The hash outlives versions of the operator: a field that is added to
/// the API must not change it for those who do not set it.
fn own_share(spec: &TenantSpec) -> ContentHash {
    let TenantSpec { image, env, skills, resources, .. } = spec;
    let secrets: Vec<&SecretItemName> = spec.secrets.iter().map(|secret| &secret.name).collect();
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
    let is_broken = applied.rolling.is_some() || !stands(observed, applied) || has_lost_a_version(observed, applied);
    if is_own_edit || starts_no_pod || is_broken || rotation::is_urgent(blueprint.record) {
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

/// What is said where too many that were let through are not ready in time.
pub fn stopped(failed: &[TenantName], count: usize) -> String {
    let names: Vec<&str> = failed.iter().map(TenantName::as_str).collect();
    let more = if count > names.len() { " and others" } else { "" };
    format!(
        "the roll-out has stopped: {count} tenants that were ready before it are not after it ({}{more}). Mend them, or take \
         the change back; rollout.maxFailures of the class says how many are too many",
        names.join(", ")
    )
}

/// Whether a version that the applied template names is gone: its pod could not start again.
fn has_lost_a_version(observed: &Observed, applied: &RecordedTemplate) -> bool {
    applied.secrets.iter().any(|secret| {
        let seen = observed.aws.secrets.get(&secret.name).and_then(Look::seen).and_then(Option::as_ref);
        seen.is_some_and(|seen| seen.deleted_at.is_none() && !seen.has_version(&secret.version_id))
    })
}

/// Whether a ready pod of the template that was applied last runs, with its configuration, or would be the next to start where the
/// workspace sleeps.
pub fn is_rolled_onto(observed: &Observed, applied: &RecordedTemplate) -> bool {
    stands(observed, applied) && (is_rolled(observed) || (is_proven(applied) && scaling::is_asleep(observed)))
}

/// Whether the template that was applied last, and its configuration, still stand. Only hashes of them are known, so what
/// somebody has changed cannot be brought back.
pub fn stands(observed: &Observed, applied: &RecordedTemplate) -> bool {
    let is_applied = |hash: String| hash == applied.hash || Some(hash) == applied.rendered;
    live_template(observed).is_some_and(is_applied) && config_stands(observed, applied)
}

/// Whether the configuration of a template is the live one.
pub fn config_stands(observed: &Observed, template: &RecordedTemplate) -> bool {
    let live = observed.child(Child::ConfigMap).filter(|live| !live.deleting);
    live.is_some_and(|live| live.content.to_hex() == template.config)
}

fn live_template(observed: &Observed) -> Option<String> {
    let live = observed.child(Child::StatefulSet).filter(|live| !live.deleting)?;
    live.facts.as_stateful_set()?.template.map(ContentHash::to_hex)
}

/// How a child stands while the former template is held: the template and its configuration as they are, the rest as
/// wanted.
pub(super) fn held_state(observed: &Observed, child: Child, wanted: &mut Wanted<'_>) -> Option<ChildState> {
    let live = observed.child(child)?;
    match child {
        Child::ConfigMap => Some(ChildState::Equal),
        Child::StatefulSet => {
            let frame = without_template(&wanted.object(child)?);
            let facts = live.facts.as_stateful_set()?;
            if facts.frame == Some(ContentHash::of_object(Kind::StatefulSet, &frame)) {
                return Some(ChildState::Equal);
            }
            // What the server made of the former one is what it makes of the frame as well.
            let known = observed.renderings.get(&child).filter(|known| known.answer == live.content && !known.opens);
            if known.is_some() {
                return Some(ChildState::EqualAsRendered);
            }
            wanted.replace(child, Some(frame));
            Some(ChildState::Differs(precondition(live)))
        }
        Child::Namespace
        | Child::ResourceQuota
        | Child::LimitRange
        | Child::DefaultDeny
        | Child::Allowlist
        | Child::DomainPolicy
        | Child::DisruptionBudget
        | Child::ServiceAccount
        | Child::Claim
        | Child::Service
        | Child::ScaledObject
        | Child::InterceptorRoute
        | Child::InterceptorGrant
        | Child::TargetGroup
        | Child::Route
        | Child::OwnerBinding
        | Child::OwnerRole
        | Child::OwnerRoleBinding => None,
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
    wanted: &RecordedTemplate,
    ready: bool,
) -> RecordedTemplate {
    let former = blueprint.record.template.clone();
    match (passage, former) {
        (Passage::Waits(_), Some(former)) => former,
        (Passage::Unchanged, Some(former)) => {
            let rolling = former.rolling.filter(|_| !ready).map(|rolling| renewed(observed, blueprint, rolling));
            // After a restart it is not known yet what is only the server's rendering.
            let still = || former.rendered.filter(|hash| live_template(observed).as_ref() == Some(hash));
            let rendered = wanted.rendered.clone().or_else(still);
            RecordedTemplate { rendered, rolling, unproven: former.unproven && !ready, ..wanted.clone() }
        }
        // No pod has to be replaced. What a stopped roll-out keeps from others it has kept from this one too.
        // Where the record was lost a scaler shows that a pod was ready once: it was not made before.
        (_, former) if scaling::is_asleep(observed) && former.as_ref().is_none_or(is_proven) => wanted.clone(),
        (_, former) => {
            let counts = counts(observed, passage, former.as_ref(), wanted);
            let counts = counts.or_else(|| rotation::is_under_way(blueprint.record).then_some(Counts::Nothing));
            let deadline = Time(deadline(observed, blueprint));
            let rolling = counts.map(|counts| Rolling { counts, deadline });
            let unproven = former.is_some() || !is_scaled(observed);
            RecordedTemplate { rolling, unproven, ..wanted.clone() }
        }
    }
}

/// Whether a pod of this template was seen to be ready, or one of a former one that needed no pod to be replaced.
pub const fn is_proven(template: &RecordedTemplate) -> bool {
    template.rolling.is_none() && !template.unproven
}

/// The time of a pod begins when the one before it can be replaced: nobody may have worked on that for long.
fn renewed(observed: &Observed, blueprint: &Blueprint<'_>, rolling: Rolling) -> Rolling {
    let is_over = observed.now >= rolling.deadline.0 && newest_pod(observed) == NewestPod::Former;
    let deadline = if is_over { Time(deadline(observed, blueprint)) } else { rolling.deadline };
    Rolling { deadline, ..rolling }
}

/// How a tenant counts at the gate with a template that it takes now.
fn counts(
    observed: &Observed,
    passage: &Passage,
    former: Option<&RecordedTemplate>,
    wanted: &RecordedTemplate,
) -> Option<Counts> {
    if *passage == Passage::Granted {
        return Some(if was_ready(observed) { Counts::Fully } else { Counts::Place });
    }
    let former = former?;
    let rolling = former.rolling.as_ref()?;
    Some(match rolling.counts {
        // What the owner changes meanwhile is the owner's: the fleet is not held up by what comes of it.
        Counts::Fully if former.own != wanted.own => Counts::Place,
        Counts::Place if observed.now >= rolling.deadline.0 => Counts::Nothing,
        counts => counts,
    })
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

/// Whether the time is over in which the workspace had to become ready with the applied template. A pod has all of its own
/// time, and while one of a former template is still there, it is not the pod that is late.
pub fn is_overdue(observed: &Observed, class: &TenantClassSpec, applied: &RecordedTemplate) -> bool {
    let Some(rolling) = &applied.rolling else { return false };
    let patience = SignedDuration::from_secs(i64::from(class.rollout.deadline_seconds));
    let is_late = match newest_pod(observed) {
        NewestPod::Present(Some(created)) => observed.now.duration_since(created) >= patience,
        NewestPod::Former => !stands(observed, applied),
        NewestPod::Present(None) | NewestPod::None => true,
    };
    is_late && observed.now >= rolling.deadline.0
}

/// How long until that time is over.
pub fn until_overdue(observed: &Observed, template: Option<&RecordedTemplate>) -> Option<Duration> {
    let rolling = template?.rolling.as_ref()?;
    let left = rolling.deadline.0.duration_since(observed.now);
    (left > SignedDuration::ZERO).then(|| left.unsigned_abs())
}

/// How the workload stands where its new template waits: what runs is the former one, verified.
pub fn waiting(blueprint: &Blueprint<'_>, passage: &Passage, workload: PartState) -> PartState {
    match (passage, workload) {
        (Passage::Waits(message), PartState::Done(Reason::Verified | Reason::Asleep, running)) => {
            match lacks_required(blueprint) {
                None => PartState::Done(Reason::RolloutPending, format!("{running}; {message}")),
                Some(item) => PartState::Working(
                    Reason::RolloutPending,
                    format!(
                        "secret {item} is required and has a value that the running pod does not know yet; {message}"
                    ),
                ),
            }
        }
        (_, workload) => workload,
    }
}

/// A required secret whose first value the applied template does not name yet.
fn lacks_required<'a>(blueprint: &'a Blueprint<'_>) -> Option<&'a SecretItemName> {
    let applied = blueprint.record.template.as_ref()?;
    let required = blueprint.secrets.iter().filter(|wanted| wanted.required).map(|wanted| &wanted.name);
    required.into_iter().find(|name| applied.version_of(name).is_none())
}
