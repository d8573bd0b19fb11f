//! From what is observed to what is to be done and told.
//!
//! PURE. The one entrance to all decisions about a tenant.

use std::time::Duration;

use crate::api::record::{RecordPhase, TenantRecordSpec};

use super::{
    action::{Action, Parts, Plan, SOON, Story},
    adoption::is_only_attached,
    blueprint::Refusal,
    hold, keep,
    observed::{Definitions, Observed, RecordView, TenantView},
    orders,
    ownership::{Situation, situation},
    purge,
    reason::Reason,
    retire,
};

/// How soon to look again at what only a person can mend: not all of it makes an event when it is mended.
const LATER: Duration = Duration::from_mins(1);

/// Decides. For a paused tenant nothing is written: what would be is told.
pub fn plan(observed: &Observed) -> Plan {
    let plan = decided(observed);
    let is_paused = observed.tenant.as_deref().is_some_and(|tenant| tenant.paused);
    // A Tenant that goes with its CRD is let go all the same: nothing it has is touched.
    let is_held = is_paused && observed.definitions == Definitions::Stand;
    match plan.story {
        Story::Beginning(..) | Story::Leaving { .. } | Story::Held { .. } | Story::Gone(..) if is_held => {
            hold::with_orders(observed, hold::held(plan.actions, Parts::new()))
        }
        Story::Silent if is_held && !plan.actions.is_empty() => hold::held(plan.actions, Parts::new()),
        Story::Silent
        | Story::Beginning(..)
        | Story::Refused(_)
        | Story::Kept { .. }
        | Story::Paused { .. }
        | Story::Leaving { .. }
        | Story::Held { .. }
        | Story::Gone(..) => plan,
    }
}

fn decided(observed: &Observed) -> Plan {
    if let Some(plan) = ordered(observed) {
        return plan;
    }
    match situation(observed) {
        Situation::Nothing => Plan::silent(),
        Situation::Detach(tenant) => {
            let message = "the CRD goes, and with it this Tenant; nothing it has was touched. A Tenant of the same owner gets it back";
            Plan { story: Story::Gone(Reason::Detached, message.into()), ..retire::release(tenant) }
        }
        Situation::Release(tenant) => retire::release(tenant),
        Situation::Refused(tenant, refusal) => Plan {
            actions: kept_for_another(observed, tenant),
            story: Story::Refused(refusal),
            look_again: Some(LATER),
        },
        Situation::Helpless(refusal) => {
            Plan { actions: Vec::new(), story: Story::Refused(refusal), look_again: Some(LATER) }
        }
        Situation::Rebuild(record) => beginning(
            Action::CreateRecord(record),
            Reason::RecordRebuilt,
            "the lost record is made again from its mirrors",
        ),
        Situation::LookInside(namespace) => beginning(
            Action::LookInside(namespace),
            Reason::Progressing,
            "a namespace consents to being adopted, and what lies in it is being looked at",
        ),
        Situation::Begin(record) => {
            beginning(Action::CreateRecord(record), Reason::Progressing, "the tenant is being recorded")
        }
        Situation::Attach(view, record) => {
            let action = keep::replace_record(view, &record);
            beginning(action, Reason::Attached, "the Tenant gets what was kept for it")
        }
        Situation::BeginAgain(view, record) => {
            let action = keep::replace_record(view, &record);
            beginning(action, Reason::Progressing, "what the name held is gone; another incarnation begins")
        }
        Situation::Ending(view, record) => ending(observed, view, record),
        Situation::Unattended(view, record) => purge::unattended(observed, view, record),
        Situation::Paused(_, spec, class, record) => hold::paused(observed, spec, class, record),
        Situation::Retire(tenant, view, record) => retire::retire(observed, tenant, view, record),
        Situation::Keep(tenant, spec, class, record) => keep::keep(observed, tenant, spec, class, record),
    }
}

/// What is kept for an owner stays kept, whoever's Tenant has the name meanwhile, paused or not: the record is not its. Were it due, it would not be any more: when that
/// Tenant goes, the end of retention settles anew.
fn kept_for_another(observed: &Observed, tenant: &TenantView) -> Vec<Action> {
    if observed.settings.dry_run {
        return Vec::new();
    }
    let Some(view) = &observed.record else { return Vec::new() };
    let Some(record) = view.spec.as_ref().ok().filter(|record| is_kept_for_another(record, tenant)) else {
        return Vec::new();
    };
    if record.due_since.is_some() {
        return vec![keep::replace_record(view, &TenantRecordSpec { due_since: None, ..record.clone() })];
    }
    purge::kept(observed, record).actions
}

fn is_kept_for_another(record: &TenantRecordSpec, tenant: &TenantView) -> bool {
    let is_kept = record.phase == RecordPhase::Retained && !is_only_attached(record);
    is_kept && record.tenant_uid.as_ref() != Some(&tenant.uid)
}

/// What administrators order comes before everything else; for a paused tenant it waits as all writes do.
fn ordered(observed: &Observed) -> Option<Plan> {
    let view = observed.record.as_deref().filter(|_| observed.definitions == Definitions::Stand)?;
    let is_paused = observed.tenant.as_deref().is_some_and(|tenant| tenant.paused);
    let record = view.spec.as_ref().ok().filter(|_| !is_paused)?;
    orders::carried_out(observed, view, record)
}

/// A removal that is past giving back while a living Tenant waits for its end. Nothing is removed on the ground of that.
fn ending(observed: &Observed, view: &RecordView, record: &TenantRecordSpec) -> Plan {
    let plan = purge::end(observed, view, record);
    let story = match plan.story {
        Story::Leaving { message } => {
            let message = format!("what the name held before is being removed first: {message}");
            Story::Beginning(Reason::NamespaceTerminating, message)
        }
        Story::Held { message } => {
            let message = format!("what the name held before is being removed first, and that hangs: {message}");
            Story::Refused(Refusal::new(Reason::DeletionHeld, message))
        }
        other => other,
    };
    Plan { story, ..plan }
}

fn beginning(action: Action, reason: Reason, message: &str) -> Plan {
    Plan { actions: vec![action], story: Story::Beginning(reason, message.into()), look_again: Some(SOON) }
}
