//! A living tenant: every part brought to what class and Tenant ask for, in the stages of rule S5.
//!
//! PURE.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{
    action::{Action, PartState, Parts, Plan, Precondition, Story},
    blueprint::{Blueprint, Refusal, blueprint},
    child::{Child, Part, Stage},
    cloud::{self, Half},
    comparison::{self, ChildState},
    digest::{ContentHash, Facts},
    ledger::{claimed_size, wanted_record},
    observed::{Observed, RecordView, TenantView},
    reason::Reason,
    retire, storage,
    workload::{self, Standing},
};
use crate::api::{
    class::{Enforcement, RoutingMode, TenantClassSpec},
    labels,
    record::TenantRecordSpec,
    tenant::TenantSpec,
};

/// How soon to look again at what no watch tells about.
const SOON: Duration = Duration::from_secs(2);

/// How soon to look again where a watch should have told: a net below the watches.
const LATER: Duration = Duration::from_mins(1);

/// What is known after observing: wanted objects and how each stands.
struct Survey {
    children: BTreeMap<Child, ChildState>,
    unplaced: bool,
}

/// Plans for a living tenant.
pub fn keep(
    observed: &Observed,
    tenant: &TenantView,
    spec: &TenantSpec,
    class: &TenantClassSpec,
    record: &TenantRecordSpec,
) -> Plan {
    if !tenant.has_our_finalizer() {
        return finalizer_first(tenant);
    }
    match kept(observed, spec, class, record) {
        Ok((actions, parts)) => {
            let look_again = look_again(observed, &parts);
            Plan { actions, story: Story::Kept { suspended: spec.suspend, parts }, look_again }
        }
        Err(refusal) => {
            // What cannot be built as it is written can still be ended.
            let actions = if spec.suspend { retire::suspension(observed, record) } else { Vec::new() };
            let look_again = if actions.is_empty() { LATER } else { SOON };
            Plan { actions, story: Story::Refused(refusal), look_again: Some(look_again) }
        }
    }
}

/// S6: the finalizer stands before anything external is made.
fn finalizer_first(tenant: &TenantView) -> Plan {
    let mut finalizers = tenant.finalizers.clone();
    finalizers.push(labels::FINALIZER.to_owned());
    let precondition = Precondition::of(&tenant.uid, &tenant.resource_version);
    Plan {
        actions: vec![Action::SetFinalizers { precondition, finalizers }],
        story: Story::Beginning(Reason::Progressing, "the tenant is being taken on".into()),
        look_again: Some(SOON),
    }
}

/// What to do for a living tenant, and how its parts stand.
///
/// # Errors
/// Where the class does not allow what the Tenant asks for.
pub(super) fn kept(
    observed: &Observed,
    spec: &TenantSpec,
    class: &TenantClassSpec,
    record: &TenantRecordSpec,
) -> Result<(Vec<Action>, Parts), Refusal> {
    let mut first = blueprint(&observed.name, spec, class, record, &observed.settings)?;
    // What the claim asks for already is never undercut, recorded or not.
    first.size = first.size.max(claimed_size(observed).unwrap_or(first.size));
    let next = wanted_record(observed, spec, &first);
    let claim_size = storage::claim_size(observed, &first);
    let plan = Blueprint { claim_size, record: &next, ..first.clone() };
    let wanted = comparison::wanted(&plan);
    let template_hash = hash_of_template(&wanted);
    let unplaced = plan.open && next.routing.placement.is_none();
    let survey = Survey { children: survey(observed, wanted), unplaced };

    // AWS is judged by the record as it is stored: a token that is not recorded is not used (S6).
    let stored = Blueprint { claim_size, ..first };
    let (identity, secrets) = aws_halves(observed, &stored, &survey);
    let storage = storage::storage(observed, &stored, survey.children.get(&Child::Claim));
    let guarded = is_guarded(observed, &survey) && identity.state.is_done() && is_usable(&secrets.state);
    let claimed = survey.children.get(&Child::Claim).is_some_and(ChildState::is_settled) && storage.bound;
    let confined = guarded && claimed;
    let applied = if confined { template_hash.clone() } else { next.template_hash.clone() };
    let ledger = TenantRecordSpec { template_hash: applied, ..next.clone() };
    let recorded = ledger == *record;

    let mut actions = Vec::new();
    if !recorded && let Some(view) = &observed.record {
        actions.push(replace_record(view, &ledger));
    }
    // A claim is refused while the quota has no figures yet.
    let claim = storage.claim_may_be_written && is_quota_enforced(observed);
    let known_template = template_hash.is_some() && template_hash == record.template_hash;
    let gates = Gates { confined, recorded, known_template };
    actions.extend(child_actions(observed, &survey, gates, claim));
    let standing = Standing { guarded, confined };
    let workload = workload::workload(observed, &plan, survey.children.get(&Child::StatefulSet), standing);
    let made =
        Made { identity: &identity.state, secrets: &secrets.state, storage: &storage.state, workload: &workload.state };
    let mut parts = parts(observed, &plan, &survey, &made, recorded);
    wait_for_earlier(&mut parts, confined);
    actions.extend(identity.actions);
    actions.extend(secrets.actions);
    actions.extend(storage.actions);
    actions.extend(workload.actions);
    Ok((actions, parts))
}

/// How the parts stand that are more than Kubernetes objects.
struct Made<'a> {
    identity: &'a PartState,
    secrets: &'a PartState,
    storage: &'a PartState,
    workload: &'a PartState,
}

fn parts(observed: &Observed, plan: &Blueprint<'_>, survey: &Survey, made: &Made<'_>, recorded: bool) -> Parts {
    let of_children =
        |part: Part, otherwise: &PartState| children_state(survey, part).unwrap_or_else(|| otherwise.clone());
    let state = |part: &Part| match part {
        Part::Namespace => namespace_state(observed, survey, recorded),
        Part::Network => of_children(Part::Network, &network_done(plan.class)),
        Part::Identity => of_children(Part::Identity, made.identity),
        Part::Secrets => made.secrets.clone(),
        Part::Storage => made.storage.clone(),
        Part::Workload => of_children(Part::Workload, made.workload),
        Part::Route => route_state(observed, plan, survey),
    };
    Part::ALL.iter().map(|part| (*part, state(part))).collect()
}

pub(super) fn replace_record(view: &RecordView, next: &TenantRecordSpec) -> Action {
    let precondition = Precondition::of(&view.uid, &view.resource_version);
    Action::ReplaceRecord { precondition, spec: Box::new(next.clone()) }
}

fn survey(observed: &Observed, wanted: BTreeMap<Child, Option<Value>>) -> BTreeMap<Child, ChildState> {
    wanted
        .into_iter()
        .filter_map(|(child, wanted)| Some((child, comparison::state(observed, child, wanted)?)))
        .collect()
}

fn hash_of_template(wanted: &BTreeMap<Child, Option<Value>>) -> Option<String> {
    let template = wanted.get(&Child::StatefulSet)?.as_ref()?.pointer("/spec/template")?;
    Some(ContentHash::of_value(template).to_hex())
}

/// Association and secrets: opened while the tenant is open, ended in the order of section 5 while it is suspended.
fn aws_halves(observed: &Observed, plan: &Blueprint<'_>, survey: &Survey) -> (Half, Half) {
    if plan.open {
        let identity = cloud::association(observed, plan);
        let secrets = cloud::secrets(observed, plan, identity.state.is_done());
        return (identity, secrets);
    }
    let secrets = cloud::secrets(observed, plan, false);
    let route_is_away = !survey.children.contains_key(&Child::Route);
    // What is not this tenant's own is no access of its, and holds nothing up.
    let closed = cloud::secrets_ended(observed, plan.tenant, plan.record).state.is_done();
    let identity = if !route_is_away || !closed || !workload::has_ended(observed) {
        let state = PartState::Working(Reason::PodsEnding, workload::pods_ending(observed));
        Half { actions: Vec::new(), state }
    } else {
        cloud::association_ended(observed, plan.tenant, plan.record)
    };
    (identity, secrets)
}

/// A secret that a person has not filled yet holds the tenant back from Ready, not from being built.
fn is_usable(secrets: &PartState) -> bool {
    match secrets {
        PartState::Done(..) | PartState::Blocked(Reason::AwaitingValue, _) => true,
        PartState::Working(..) | PartState::Blocked(..) => false,
    }
}

/// S5: no workload before its policy, quota and defaults stand.
fn is_guarded(observed: &Observed, survey: &Survey) -> bool {
    let settled = Child::ALL
        .iter()
        .filter(|child| child.stage() < Stage::Workspace && **child != Child::Claim)
        .all(|child| survey.children.get(child).is_some_and(ChildState::is_settled));
    settled && is_quota_enforced(observed)
}

fn is_quota_enforced(observed: &Observed) -> bool {
    observed.child(Child::ResourceQuota).is_some_and(|quota| quota.facts == Facts::Quota { enforced: true })
}

/// What opens the stages of rule S5.
#[derive(Clone, Copy)]
struct Gates {
    /// Everything that comes before the workspace stands.
    confined: bool,
    /// The record says what is about to be done.
    recorded: bool,
    /// The pod template is the one that was applied last: writing it brings back, and starts nothing new.
    known_template: bool,
}

fn child_actions(observed: &Observed, survey: &Survey, gates: Gates, claim: bool) -> Vec<Action> {
    let namespace_stands = survey.children.get(&Child::Namespace).is_some_and(ChildState::is_settled);
    let may_write = |child: Child, state: &ChildState| match child.stage() {
        Stage::Namespace => true,
        Stage::Confinement => namespace_stands && (child != Child::Claim || claim),
        // Access ends whatever else stands in the way.
        Stage::Workspace => {
            ends_access(child, state) || (namespace_stands && may_write_workspace(observed, child, state, gates))
        }
    };
    survey
        .children
        .iter()
        .filter(|(child, state)| may_write(**child, state))
        .filter_map(|(child, state)| state.action(*child))
        .collect()
}

/// What starts a workspace, or changes what it runs, waits for everything before it. What brings a standing object back
/// to what it was does not: an outage of AWS leaves no foreign sidecar in place.
fn may_write_workspace(observed: &Observed, child: Child, state: &ChildState, gates: Gates) -> bool {
    let is_new = match state {
        ChildState::Absent(_) => true,
        ChildState::Differs(wanted, _) => match child {
            Child::StatefulSet => !gates.known_template || starts_pods(observed, wanted),
            Child::ConfigMap => !gates.known_template,
            _ => false,
        },
        ChildState::Equal
        | ChildState::EqualAsRendered
        | ChildState::Unwanted(_)
        | ChildState::Going
        | ChildState::Opened(_) => false,
    };
    gates.recorded && (gates.confined || !is_new)
}

fn wanted_replicas(wanted: &Value) -> i64 {
    wanted.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

fn starts_pods(observed: &Observed, wanted: &Value) -> bool {
    let live = match observed.child(Child::StatefulSet).map(|live| &live.facts) {
        Some(Facts::StatefulSet(facts)) => facts.replicas,
        _ => 0,
    };
    wanted_replicas(wanted) > live
}

fn ends_access(child: Child, state: &ChildState) -> bool {
    match state {
        ChildState::Unwanted(_) => true,
        ChildState::Differs(wanted, _) => child == Child::StatefulSet && wanted_replicas(wanted) == 0,
        ChildState::Equal
        | ChildState::EqualAsRendered
        | ChildState::Absent(_)
        | ChildState::Going
        | ChildState::Opened(_) => false,
    }
}

/// The first unsettled child of a part; a blocked one before all others.
fn children_state(survey: &Survey, part: Part) -> Option<PartState> {
    let mut told = survey
        .children
        .iter()
        .filter(|(child, _)| child.part() == part)
        .filter_map(|(child, state)| state.told(child.title()));
    let first = told.next()?;
    if matches!(first, PartState::Blocked(..)) {
        return Some(first);
    }
    Some(told.find(|state| matches!(state, PartState::Blocked(..))).unwrap_or(first))
}

fn namespace_state(observed: &Observed, survey: &Survey, recorded: bool) -> PartState {
    if let Some(ChildState::Going) = survey.children.get(&Child::Namespace) {
        let message =
            "the namespace is being deleted by somebody; it is made again once it is gone, with the same volume";
        return PartState::Working(Reason::NamespaceTerminating, message.into());
    }
    if let Some(state) = children_state(survey, Part::Namespace) {
        return state;
    }
    if !recorded {
        return PartState::Working(Reason::Progressing, "what is known of the tenant is being recorded".into());
    }
    if is_quota_enforced(observed) {
        PartState::Done(Reason::Verified, "namespace, quota and container defaults stand".into())
    } else {
        PartState::Working(Reason::QuotaNotEnforced, "the quota controller has not taken the quota up yet".into())
    }
}

fn network_done(class: &TenantClassSpec) -> PartState {
    let vouched = match class.network.enforcement {
        Enforcement::VpcCni => "the class says that the VPC CNI enforces them",
        Enforcement::Cilium => "the class says that Cilium enforces them",
        Enforcement::Declared => {
            "the class declares that something enforces them; the operator has no evidence of its own"
        }
    };
    PartState::Done(Reason::Verified, format!("default-deny and the allowlist stand; {vouched}"))
}

fn route_state(observed: &Observed, plan: &Blueprint<'_>, survey: &Survey) -> PartState {
    if !plan.open {
        return match survey.children.get(&Child::Route) {
            None => PartState::Done(Reason::Suspended, "no route leads to the workspace".into()),
            Some(_) => PartState::Working(Reason::Progressing, "the route is being removed".into()),
        };
    }
    if survey.unplaced {
        let message = "every gateway of the class is full or cordoned: add a gateway to the class, or raise a capacity";
        return PartState::Blocked(Reason::CapacityExhausted, message.into());
    }
    if let Some(state) = children_state(survey, Part::Route) {
        return state;
    }
    let facts = match observed.child(Child::Route).map(|live| &live.facts) {
        Some(Facts::Route(facts)) => facts.clone(),
        _ => super::digest::RouteFacts::default(),
    };
    if let Some(problem) = facts.problems.first() {
        return PartState::Working(Reason::RouteRefused, format!("the gateway does not serve the route: {problem}"));
    }
    if !facts.answered {
        return PartState::Working(Reason::RoutePending, "no gateway has answered for the route yet".into());
    }
    let warning = match plan.record.routing.mode {
        RoutingMode::Host => "",
        RoutingMode::Path => "; all tenants of this host share one browser origin, which the class accepts",
    };
    PartState::Done(Reason::Verified, format!("the gateway serves the route{warning}"))
}

/// Workload and route say what they wait for, instead of that they are not there.
fn wait_for_earlier(parts: &mut Parts, confined: bool) {
    if confined {
        return;
    }
    let earlier = [Part::Namespace, Part::Network, Part::Identity, Part::Secrets, Part::Storage];
    let waits_for: Vec<&str> =
        earlier.iter().filter(|part| !parts[part].is_done()).map(|part| part.condition()).collect();
    let message = format!("waits for {}", waits_for.join(", "));
    for part in [Part::Workload, Part::Route] {
        if let Some(PartState::Working(Reason::Progressing, _)) = parts.get(&part) {
            parts.insert(part, PartState::Working(Reason::WaitingForEarlierPart, message.clone()));
        }
    }
}

fn look_again(observed: &Observed, parts: &Parts) -> Option<Duration> {
    let unfinished = |part: Part| matches!(parts.get(&part), Some(PartState::Working(..)));
    let net = if unfinished(Part::Identity) || unfinished(Part::Secrets) {
        Some(SOON)
    } else if parts.values().any(|state| !state.is_done()) {
        Some(LATER)
    } else {
        None
    };
    let settled = |part: Part| parts.get(&part).is_none_or(PartState::is_done);
    if settled(Part::Identity) && settled(Part::Secrets) {
        return net;
    }
    // What is overdue is asked for by the plan itself; looking again at once would only spin.
    let mended = cloud::believed_for(observed).map(|rest| rest.max(SOON));
    [net, mended].into_iter().flatten().min()
}
