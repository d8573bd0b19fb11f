//! A Tenant that goes while an adoption is under way.
//!
//! PURE. What was only attached never was the operator's to end: it is let go as it is. What was cut over ends as any other,
//! with the former associations.

use super::{
    super::{
        action::{Action, Plan, SOON, Story},
        cloud,
        keep::replace_record,
        observed::{Observed, RecordView, TenantView},
        ownership::{check_mirror, is_ours},
        reason::Reason,
        retire,
    },
    marks,
};
use crate::api::record::{RecordPhase, TenantRecordSpec};

fn leaving(actions: Vec<Action>, message: &str) -> Plan {
    Plan { actions, story: Story::Leaving { message: message.to_owned() }, look_again: Some(SOON) }
}

/// Plans for a Tenant that goes and whose things were only attached. No access ends, nothing is closed, nothing is removed; the
/// record is kept, with no date at which anything would be.
pub fn let_go(observed: &Observed, tenant: &TenantView, view: &RecordView, record: &TenantRecordSpec) -> Plan {
    if record.phase == RecordPhase::Active {
        let mut next = record.clone();
        next.phase = RecordPhase::Retained;
        next.retained_since = Some(observed.time());
        next.purge_after = None;
        next.due_since = None;
        return leaving(vec![replace_record(view, &next)], "that it was only attached is being recorded");
    }
    if let Some(mark) = mark(observed, record) {
        return leaving(vec![mark], "what is attached is being marked");
    }
    let message = format!(
        "nothing was cut over, so nothing ends: the workload in namespace {}, its volume, secrets and associations are as they \
         were. The record is kept with no end by time; a Tenant {} of the same owner takes the adoption up again",
        record.namespace.name, observed.name
    );
    Plan { story: Story::Gone(Reason::Retained, message), ..retire::release(tenant) }
}

/// Plans for a record that no Tenant holds and whose things were only attached: its namespace says so, and nothing else is done.
pub fn unattended(observed: &Observed, record: &TenantRecordSpec) -> Plan {
    let actions: Vec<Action> =
        mark(observed, record).into_iter().filter(|_| record.phase == RecordPhase::Retained).collect();
    let look_again = (!actions.is_empty()).then_some(SOON);
    Plan { actions, story: Story::Silent, look_again }
}

/// The namespace's annotations follow the record, so that a lost one is rebuilt in its stage.
fn mark(observed: &Observed, record: &TenantRecordSpec) -> Option<Action> {
    observed.namespace.as_deref().filter(|live| is_ours(live, record) && !live.deleting)?;
    // What contradicts the record stays as it is: either side may be the wrong one.
    check_mirror(observed, record).ok()?;
    marks::on_namespace(observed, record)
}

/// What is left to do about the former associations of a tenant that ends after its cut-over; `None` once they are gone.
pub fn end_former(observed: &Observed, record: &TenantRecordSpec) -> Option<Plan> {
    if record.adoption.as_ref().is_none_or(|adoption| adoption.former_associations.is_empty()) {
        return None;
    }
    let half = cloud::former_ended(observed, record);
    if half.state.is_done() {
        return None;
    }
    Some(leaving(half.actions, "the former Pod Identity associations are being deleted"))
}
