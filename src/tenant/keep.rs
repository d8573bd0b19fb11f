//! A living tenant: every part brought to what class and Tenant ask for, in the stages of rule S5.
//!
//! PURE.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{
    action::{Action, PartState, Parts, Plan, Precondition, Story},
    adoption,
    blueprint::{Blueprint, Refusal, blueprint},
    child::{Child, Part, Stage},
    cloud::{self, Half},
    comparison::{self, ChildState},
    ledger::{claimed_size, wanted_record},
    observed::{Observed, RecordView, TenantView},
    parts::{Made, Survey, is_quota_enforced, parts, wait_for_earlier},
    reason::Reason,
    retire,
    rollout::{self, Passage},
    rotation, scaling, storage,
    workload::{self, Standing},
};
use crate::api::{
    class::TenantClassSpec,
    labels,
    record::{RecordedTemplate, TenantRecordSpec},
    tenant::TenantSpec,
};

/// How soon to look again at what no watch tells about.
const SOON: Duration = Duration::from_secs(2);

/// How soon to look again where a watch should have told: a net below the watches.
const LATER: Duration = Duration::from_mins(1);

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
        Ok(Kept { actions, parts, at_gate }) => {
            let look_again = look_again(observed, class, record, &parts);
            Plan { actions, story: Story::Kept { suspended: spec.suspend, parts, at_gate }, look_again }
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

/// What a living tenant comes to.
pub(super) struct Kept {
    /// What to do.
    pub(super) actions: Vec<Action>,
    /// How its parts stand.
    pub(super) parts: Parts,
    /// Whether it has business at the roll-out gate.
    pub(super) at_gate: bool,
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
) -> Result<Kept, Refusal> {
    adoption::kept(observed, spec, class, record, || built(observed, spec, class, record))
}

/// What a tenant comes to whose every part is the operator's to build.
fn built(
    observed: &Observed,
    spec: &TenantSpec,
    class: &TenantClassSpec,
    record: &TenantRecordSpec,
) -> Result<Kept, Refusal> {
    let first = stored_blueprint(observed, spec, class, record)?;
    let next = wanted_record(observed, spec, &first);
    let claim_size = storage::claim_size(observed, &first);
    let plan = Blueprint { claim_size, record: &next, ..first.clone() };
    // AWS is judged by the record as it is stored: a token that is not recorded is not used (S6).
    let stored = Blueprint { claim_size, ..first };
    let wanted = comparison::wanted(&plan);
    let template = rollout::wanted_template(spec, &next, &wanted);
    let passage = template.as_ref().map_or(Passage::AtOnce, |template| rollout::passage(observed, &plan, template));
    let unplaced = plan.open && next.routing.placement.is_none();
    let survey = Survey { children: survey(observed, wanted, &passage), unplaced };

    let (identity, secrets) = aws_halves(observed, &stored);
    let storage = storage::storage(observed, &stored, survey.children.get(&Child::Claim));
    let standing = standing(observed, &stored, &survey, (&identity, &secrets), storage.bound);
    let settled = [Child::ConfigMap, Child::StatefulSet].iter().all(|child| survey.is_settled(*child));
    let workload = workload::workload(observed, &plan, settled, standing);
    let turn = Turning { passage: &passage, template, stands: workload_stands(&plan, &workload.state) };
    let mut ledger = TenantRecordSpec { template: turn.recorded(observed, &plan, &survey, standing), ..next.clone() };
    let recorded = ledger == *record;
    let moves = rotation::moves(observed, &stored, settled);

    let made = Made {
        identity: workload::identity_of_pod(observed, &stored, identity.state),
        secrets: if moves.is_empty() { rotation::told(observed, &stored, secrets.state) } else { rotation::moving() },
        storage: storage.state,
        workload: scaling::told(observed, class, rollout::waiting(&plan, &passage, workload.state)),
    };
    let mut parts = parts(observed, &plan, &survey, &made, recorded);
    wait_for_earlier(&mut parts, standing.confined);
    let begins = rotation::begin(observed, &stored, &mut ledger, &mut parts);

    let mut actions = record_action(observed, record, &ledger);
    actions.extend(rotation::looks(observed, &stored));
    // A claim is refused while the quota has no figures yet.
    let claim = storage.claim_may_be_written && is_quota_enforced(observed);
    let template = match (passage.changes(), survey.is_settled(Child::ConfigMap)) {
        (false, _) => TemplateGate::BringsBack,
        (true, false) => TemplateGate::WaitsForConfiguration,
        (true, true) => TemplateGate::Changes,
    };
    let gates = Gates { confined: standing.confined, recorded, template };
    actions.extend(child_actions(observed, &survey, gates, claim));
    actions.extend(retire::end_strays(observed));
    // Nobody takes a place who cannot use it now.
    let at_gate = passage.is_at_gate() && standing.confined;
    actions.extend(rollout::ask(observed, class, &passage).filter(|_| at_gate));
    // A rotation that begins now takes the place of one that is about to end.
    actions.extend(moves.into_iter().filter(|_| !begins));
    actions.extend([identity.actions, secrets.actions, storage.actions, workload.actions].into_iter().flatten());
    Ok(Kept { actions, parts, at_gate })
}

/// What is to be built, by the record as it is stored.
fn stored_blueprint<'a>(
    observed: &'a Observed,
    spec: &'a TenantSpec,
    class: &'a TenantClassSpec,
    record: &'a TenantRecordSpec,
) -> Result<Blueprint<'a>, Refusal> {
    let mut first = blueprint(&observed.name, spec, class, record, &observed.settings)?;
    // What the claim asks for already is never undercut, recorded or not.
    first.size = first.size.max(claimed_size(observed).unwrap_or(first.size));
    first.stopped = first.open && rotation::is_stopped(observed, class, record);
    Ok(scaling::scaled(observed, class, first))
}

fn standing(
    observed: &Observed,
    stored: &Blueprint<'_>,
    survey: &Survey,
    aws: (&Half, &Half),
    is_bound: bool,
) -> Standing {
    let ((identity, secrets), record) = (aws, stored.record);
    // After a leak no pod starts that would take the leaked value.
    let usable = cloud::is_usable(&secrets.state) && !rotation::is_waited_for(record);
    let free = adoption::is_free(observed, record, stored.open);
    let guarded = is_guarded(observed, survey) && identity.state.is_done() && usable && free;
    let claimed = survey.is_settled(Child::Claim) && is_bound;
    Standing { guarded, confined: guarded && claimed }
}

/// Whether a pod of the live template is ready, or none has to be.
fn workload_stands(plan: &Blueprint<'_>, workload: &PartState) -> bool {
    match workload {
        PartState::Done(reason, _) => !plan.open || matches!(reason, Reason::Verified | Reason::Asleep),
        PartState::Working(..) | PartState::Blocked(..) => false,
    }
}

/// A pod template on its way to the pods.
struct Turning<'a> {
    passage: &'a Passage,
    template: Option<RecordedTemplate>,
    stands: bool,
}

impl Turning<'_> {
    /// What the record shall say of the template. A changed one is recorded right before it is written, and it is
    /// written only once everything that comes before the workspace stands.
    fn recorded(
        &self,
        observed: &Observed,
        plan: &Blueprint<'_>,
        survey: &Survey,
        standing: Standing,
    ) -> Option<RecordedTemplate> {
        let former = plan.record.template.clone();
        if self.passage.changes() && !standing.confined {
            return former;
        }
        let template = self.template.clone().map(|template| {
            let is_rendered = survey.children.get(&Child::StatefulSet) == Some(&ChildState::EqualAsRendered);
            RecordedTemplate { rendered: rollout::rendered(observed, is_rendered), ..template }
        });
        template.map(|template| rollout::recorded_template(observed, plan, self.passage, &template, self.stands))
    }
}

fn record_action(observed: &Observed, record: &TenantRecordSpec, ledger: &TenantRecordSpec) -> Vec<Action> {
    let view = observed.record.as_ref().filter(|_| ledger != record);
    view.map(|view| replace_record(view, ledger)).into_iter().collect()
}

fn survey(
    observed: &Observed,
    wanted: BTreeMap<Child, Option<Value>>,
    passage: &Passage,
) -> BTreeMap<Child, ChildState> {
    let state = |(child, wanted): (Child, Option<Value>)| {
        let held = passage.holds().then(|| rollout::held_state(observed, child, wanted.as_ref())).flatten();
        Some((child, held.or_else(|| comparison::state(observed, child, wanted))?))
    };
    wanted.into_iter().filter_map(state).collect()
}

pub(super) fn replace_record(view: &RecordView, next: &TenantRecordSpec) -> Action {
    let precondition = Precondition::of(&view.uid, &view.resource_version);
    Action::ReplaceRecord { precondition, spec: Box::new(next.clone()) }
}

/// Association and secrets: opened while the tenant is open, ended in the order of section 5 while it is suspended.
fn aws_halves(observed: &Observed, plan: &Blueprint<'_>) -> (Half, Half) {
    if plan.open {
        let identity = cloud::identity(observed, plan);
        let secrets = cloud::secrets(observed, plan, identity.state.is_done());
        return (identity, secrets);
    }
    let secrets = cloud::secrets(observed, plan, false);
    let route_is_away = !retire::has_way_in(observed);
    // What is not this tenant's own is no access of its, and holds nothing up.
    let closed = cloud::secrets_ended(observed, plan.tenant, plan.record).state.is_done();
    let identity = if !route_is_away || !closed || !workload::has_ended(observed) {
        let state = PartState::Working(Reason::PodsEnding, workload::pods_ending(observed));
        Half { actions: Vec::new(), state }
    } else {
        cloud::identity_ended(observed, plan.tenant, plan.record)
    };
    (identity, secrets)
}

/// S5: no workload before its policy, quota and defaults stand.
fn is_guarded(observed: &Observed, survey: &Survey) -> bool {
    let comes_before = |child: &&Child| child.stage() < Stage::Workspace && **child != Child::Claim;
    // An optional one that is neither wanted nor there is in nobody's way.
    let is_settled = |child: &Child| match survey.children.get(child) {
        Some(state) => state.is_settled(),
        None => child.kind().is_optional(),
    };
    let settled = Child::ALL.iter().filter(comes_before).all(is_settled);
    settled && is_quota_enforced(observed)
}

/// What opens the stages of rule S5.
#[derive(Clone, Copy)]
struct Gates {
    /// Everything that comes before the workspace stands.
    confined: bool,
    /// The record says what is about to be done.
    recorded: bool,
    /// What writing the pod template does.
    template: TemplateGate,
}

/// What writing the pod template does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TemplateGate {
    /// It is the one that was applied last: writing it brings back, and starts nothing new.
    BringsBack,
    /// It is another one, and the configuration that it names is not written yet.
    WaitsForConfiguration,
    /// It is another one, and its configuration stands.
    Changes,
}

fn child_actions(observed: &Observed, survey: &Survey, gates: Gates, claim: bool) -> Vec<Action> {
    let namespace_stands = survey.children.get(&Child::Namespace).is_some_and(ChildState::is_settled);
    let may_write = |child: Child, state: &ChildState| match child.stage() {
        Stage::Namespace => true,
        Stage::Confinement => namespace_stands && (child != Child::Claim || claim),
        // Not while a scaler may start it again; that one goes first, and is not waited for once it is asked to.
        Stage::Workspace
            if child == Child::StatefulSet && stops_pods(observed, state) && retire::is_scaled(observed) =>
        {
            false
        }
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
    // The configuration before the template that names it: a pod that is made in between is made anew afterwards.
    let is_early = matches!(state, ChildState::Differs(..)) && gates.template == TemplateGate::WaitsForConfiguration;
    if child == Child::StatefulSet && is_early {
        return false;
    }
    let is_known = gates.template == TemplateGate::BringsBack;
    let is_new = match state {
        ChildState::Absent(_) => true,
        ChildState::Differs(wanted, _) => match child {
            Child::StatefulSet => !is_known || starts_pods(observed, wanted),
            Child::ConfigMap => !is_known,
            _ => false,
        },
        ChildState::Equal
        | ChildState::EqualAsRendered
        | ChildState::Unwanted(_)
        | ChildState::Going
        | ChildState::Unserved
        | ChildState::Taken
        | ChildState::Opened(_) => false,
    };
    gates.recorded && (gates.confined || !is_new)
}

fn wanted_replicas(wanted: &Value) -> i64 {
    wanted.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

fn starts_pods(observed: &Observed, wanted: &Value) -> bool {
    wanted_replicas(wanted) > live_replicas(observed)
}

fn stops_pods(observed: &Observed, state: &ChildState) -> bool {
    matches!(state, ChildState::Differs(wanted, _) if wanted_replicas(wanted) < live_replicas(observed))
}

fn live_replicas(observed: &Observed) -> i64 {
    let live = observed.child(Child::StatefulSet).and_then(|live| live.facts.as_stateful_set());
    live.map_or(0, |facts| facts.replicas)
}

fn ends_access(child: Child, state: &ChildState) -> bool {
    match state {
        ChildState::Unwanted(_) => true,
        ChildState::Differs(wanted, _) => child == Child::StatefulSet && wanted_replicas(wanted) == 0,
        ChildState::Equal
        | ChildState::EqualAsRendered
        | ChildState::Absent(_)
        | ChildState::Going
        | ChildState::Unserved
        | ChildState::Taken
        | ChildState::Opened(_) => false,
    }
}

fn look_again(
    observed: &Observed,
    class: &TenantClassSpec,
    record: &TenantRecordSpec,
    parts: &Parts,
) -> Option<Duration> {
    let unfinished = |part: Part| matches!(parts.get(&part), Some(PartState::Working(..)));
    let waits = parts.values().any(|state| matches!(state, PartState::Done(Reason::RolloutPending, _)));
    let watches = adoption::is_watching(observed, record, parts);
    let net = if unfinished(Part::Identity) || unfinished(Part::Secrets) || watches {
        Some(SOON)
    } else if waits || parts.values().any(|state| !state.is_done()) {
        Some(LATER)
    } else {
        None
    };
    let settled = |part: Part| parts.get(&part).is_none_or(PartState::is_done);
    let role = cloud::role_believed_for(observed).map(|rest| rest.max(SOON));
    let deadline = rollout::until_overdue(observed, record.template.as_ref()).map(|rest| rest.max(SOON));
    let rotation = rotation::until_due(observed, class).map(|rest| rest.max(SOON));
    let mended = if settled(Part::Identity) && settled(Part::Secrets) {
        None
    } else {
        // What is overdue is asked for by the plan itself; looking again at once would only spin.
        cloud::believed_for(observed).map(|rest| rest.max(SOON))
    };
    [net, mended, role, deadline, rotation].into_iter().flatten().min()
}
