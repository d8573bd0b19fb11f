//! A living tenant: every part brought to what class and Tenant ask for, in the stages of rule S5.
//!
//! PURE.

use std::{collections::BTreeMap, time::Duration};

use super::{
    action::{Action, PartState, Parts, Plan, Precondition, SOON, Story},
    adoption,
    blueprint::{Blueprint, Refusal, blueprint},
    child::{Child, ObjectKey, Part, Stage},
    cloud::{self, Half},
    collecting,
    comparison::{self, ChildState},
    explain,
    ledger::{claimed_size, wanted_record},
    observed::{Observed, RecordView, TenantView},
    parts::{Made, Survey, is_quota_enforced, parts, wait_for_earlier},
    progress::Reached,
    quota,
    reason::Reason,
    retire,
    rollout::{self, Passage},
    rotation, scaling,
    staging::{Aim, Gates, TemplateGate, child_actions},
    storage,
    wanted::{self, Wanted},
    workload::{self, Standing},
};
use crate::api::{
    class::TenantClassSpec,
    labels,
    record::{RecordedTemplate, TenantRecordSpec},
    tenant::TenantSpec,
};

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
        Ok(Kept { actions, parts, template }) => {
            let look_again = look_again(observed, class, record, &parts);
            Plan { actions, story: Story::Kept { suspended: spec.suspend, parts, template }, look_again }
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
    /// How far its pod template has come.
    pub(super) template: Reached,
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
    let made_from = wanted::built_from(&next);
    let objects = Blueprint { record: &made_from, ..plan.clone() };
    // AWS is judged by the record as it is stored: a token that is not recorded is not used (S6).
    let stored = Blueprint { claim_size, ..first };
    let mut wanted = Wanted::of(&plan, &objects, observed)?;
    scaling::through(observed, &plan, &mut wanted);
    let template = rollout::wanted_template(spec, &next, &wanted);
    let passage = template.as_ref().map_or(Passage::AtOnce, |template| rollout::passage(observed, &plan, template));
    let unplaced = plan.open && next.routing.placement.is_none();
    let quota_held = quota::hold(observed, plan.open && !plan.stopped, &mut wanted);
    let quota_recounted = quota::recount(observed, &mut wanted);
    let children = survey(observed, &mut wanted, &passage, template.as_ref());
    let survey = Survey { children, unplaced, quota_held, quota_recounted };

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
    let collects = !recorded
        && plan.open
        && collecting::may_wait(observed, record, &ledger, &[&made.identity, &made.secrets, &made.storage])
        && !rotation::is_called(observed, &stored);
    let mut parts = parts(observed, &plan, &survey, &made, recorded || collects);
    wait_for_earlier(&mut parts, standing.confined);
    let begins = rotation::begin(observed, &stored, &mut ledger, &mut parts);

    let mut actions = if collects && !begins { Vec::new() } else { record_action(observed, record, &ledger) };
    actions.extend(rotation::looks(observed, &stored).into_iter().chain(explain::looks(observed)));
    // A claim is refused while the quota has no figures yet, and while it has no room for it yet: the quota grows first.
    let has_room = is_quota_enforced(observed) && survey.is_settled(Child::ResourceQuota);
    let claim = storage.claim_may_be_written && has_room;
    let template = match (passage.changes(), survey.is_settled(Child::ConfigMap)) {
        (false, _) => TemplateGate::BringsBack,
        (true, false) => TemplateGate::WaitsForConfiguration,
        (true, true) => TemplateGate::Changes,
    };
    let aim = if !plan.open || plan.stopped {
        Aim::Ends
    } else {
        Aim::Runs { route_stands: survey.is_settled(Child::Route) }
    };
    let gates = Gates { confined: standing.confined, recorded, template, aim, replicas: plan.replicas };
    actions.extend(child_actions(observed, &survey, gates, claim, &wanted));
    // The one that the record is about to name again is none.
    let is_named = |key: &ObjectKey| key.namespace == next.routing.interceptor;
    actions.extend(retire::end_strays(observed, is_named));
    actions.extend(scaling::look_at_grant(&survey));
    actions.extend(rollout::ask(observed, class, &passage).filter(|_| standing.confined));
    // A rotation that begins now takes the place of one that is about to end.
    actions.extend(moves.into_iter().filter(|_| !begins));
    actions.extend([identity.actions, secrets.actions, storage.actions, workload.actions].into_iter().flatten());
    Ok(Kept { actions, parts, template: rollout::reached(&passage, standing.confined) })
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
        // One that sleeps has shown nothing.
        PartState::Done(reason, _) => !plan.open || *reason == Reason::Verified,
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
    let view = observed.record.as_deref().filter(|_| ledger != record);
    view.map(|view| replace_record(view, ledger)).into_iter().collect()
}

fn survey(
    observed: &Observed,
    wanted: &mut Wanted<'_>,
    passage: &Passage,
    template: Option<&RecordedTemplate>,
) -> BTreeMap<Child, ChildState> {
    // The largest object has been hashed for the record already.
    let config_stands = template.is_some_and(|template| rollout::config_stands(observed, template));
    let mut state = |child: Child| {
        if child == Child::ConfigMap && config_stands {
            return Some(ChildState::Equal);
        }
        let held = if passage.holds() { rollout::held_state(observed, child, wanted) } else { None };
        held.or_else(|| comparison::state(observed, child, wanted.wish(child).as_ref()))
    };
    Child::ALL.iter().filter_map(|child| Some((*child, state(*child)?))).collect()
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

fn look_again(
    observed: &Observed,
    class: &TenantClassSpec,
    record: &TenantRecordSpec,
    parts: &Parts,
) -> Option<Duration> {
    let unfinished = |part: Part| matches!(parts.get(&part), Some(PartState::Working(..)));
    let is_awaited = |reason: &Reason| matches!(reason, Reason::RolloutPending | Reason::QuotaBelowUse);
    let waits = parts.values().any(|state| matches!(state, PartState::Done(reason, _) if is_awaited(reason)));
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
    let events = explain::until_due(observed).map(|rest| rest.max(SOON));
    let deadline = rollout::until_overdue(observed, record.template.as_ref()).map(|rest| rest.max(SOON));
    let rotation = rotation::until_due(observed, class).map(|rest| rest.max(SOON));
    let mended = if settled(Part::Identity) && settled(Part::Secrets) {
        None
    } else {
        // What is overdue is asked for by the plan itself; looking again at once would only spin.
        cloud::believed_for(observed).map(|rest| rest.max(SOON))
    };
    [net, mended, role, events, deadline, rotation].into_iter().flatten().min()
}
