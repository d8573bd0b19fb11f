//! A tenant for which nothing is written on request: what would be done is told.
//!
//! PURE.

use std::time::Duration;

use super::{
    action::{Action, AwsAction, Parts, Plan, Story},
    keep::{Kept, kept},
    observed::Observed,
};
use crate::api::{class::TenantClassSpec, record::TenantRecordSpec, tenant::TenantSpec};

/// How soon to look again: a net below the watches.
const LATER: Duration = Duration::from_mins(1);

/// Plans for a living tenant that is paused.
pub fn paused(observed: &Observed, spec: &TenantSpec, class: &TenantClassSpec, record: &TenantRecordSpec) -> Plan {
    match kept(observed, spec, class, record) {
        Ok(Kept { actions, parts, .. }) => with_orders(observed, held(actions, parts)),
        Err(refusal) => Plan { actions: Vec::new(), story: Story::Refused(refusal), look_again: Some(LATER) },
    }
}

/// What would be done, told instead of done. Looks are no writes.
pub fn held(actions: Vec<Action>, parts: Parts) -> Plan {
    let mut drift: Vec<String> = actions.iter().filter_map(described).collect();
    // Where no part was verified nothing vouches for the tenant, though no write is due at this moment.
    if parts.is_empty() && drift.is_empty() {
        drift.push("what has begun is not at its end".to_owned());
    }
    // A tenant that is paused takes nobody's turn.
    let is_taken = |action: &Action| action.is_look() && !matches!(action, Action::AskForTurn(_));
    let looks = actions.into_iter().filter(is_taken).collect();
    Plan { actions: looks, story: Story::Paused { parts, drift }, look_again: Some(LATER) }
}

/// Administrators' orders wait as all writes do: whoever gave one is told why nothing comes of it.
pub fn with_orders(observed: &Observed, plan: Plan) -> Plan {
    let Plan { story: Story::Paused { parts, mut drift }, actions, look_again } = plan else { return plan };
    let orders = observed.record.iter().flat_map(|record| record.orders.keys());
    drift.extend(orders.map(|order| format!("order {order} waits")));
    Plan { actions, story: Story::Paused { parts, drift }, look_again }
}

/// A write, in words; `None` for a look.
fn described(action: &Action) -> Option<String> {
    match action {
        Action::Create { child, .. } => Some(format!("{} is missing", child.title())),
        Action::Update { child, .. } => Some(format!("{} differs", child.title())),
        Action::Delete { child, .. } => Some(format!("{} is not wanted", child.title())),
        Action::DeleteStray { key, .. } => Some(format!("{key} is not wanted")),
        Action::CreateRecord(_) => Some("the record is missing".into()),
        Action::ReplaceRecord { .. } => Some("the record is not up to date".into()),
        Action::CarryOutOrders { .. } => Some("an order waits".into()),
        Action::LookAtCluster { .. } | Action::LookInside(_) => None,
        Action::RemoveNamespace { .. } => Some("the namespace is to be deleted".into()),
        Action::ReleaseVolume { name, .. } => Some(format!("volume {name} is to be deleted")),
        Action::SetFinalizers { .. } => Some("the finalizers differ".into()),
        Action::ScaleToZero { .. } => Some("the workspace runs".into()),
        Action::RetainVolume { name, .. } | Action::ReofferVolume { name, .. } => {
            Some(format!("volume {name} differs"))
        }
        Action::DeletePod { name, .. } => Some(format!("pod {name} is of an older template")),
        Action::Mark { child, .. } => Some(format!("{} lacks marks", child.title())),
        Action::AskForTurn(_) => Some("the pod template differs".into()),
        Action::Aws(action) => match action {
            AwsAction::LookUpAssociation { .. }
            | AwsAction::LookUpFormer { .. }
            | AwsAction::ListAssociation { .. }
            | AwsAction::LookUpRole(_)
            | AwsAction::LookUpSecret { .. } => None,
            AwsAction::CreateAssociation(_) => Some("the association is missing".into()),
            AwsAction::UpdateRole { .. } | AwsAction::TagAssociation { .. } | AwsAction::DeleteAssociation(_) => {
                Some("the association differs".into())
            }
            AwsAction::TagFormer { association, .. } => Some(format!("association {} lacks marks", association.id)),
            AwsAction::DeleteFormer(id) => Some(format!("association {id} is not wanted")),
            AwsAction::CreateRole(new) => Some(format!("role {} is missing", new.name)),
            AwsAction::TagRole { name, .. }
            | AwsAction::PutRoleTrust { name, .. }
            | AwsAction::PutRolePolicy { name, .. }
            | AwsAction::DeleteRolePolicy { name, .. }
            | AwsAction::DeleteRole(name) => Some(format!("role {name} differs")),
            AwsAction::CreateSecret { item, .. } => Some(format!("secret {item} is missing")),
            AwsAction::PutGenerated { item, .. }
            | AwsAction::TagSecret { item, .. }
            | AwsAction::StripSecret { item, .. }
            | AwsAction::DeleteSecret { item, .. }
            | AwsAction::MoveCurrent { item, .. }
            | AwsAction::DropNext { item, .. } => Some(format!("secret {item} differs")),
            AwsAction::RestoreSecret { item, .. } => Some(format!("secret {item} is scheduled for deletion")),
        },
    }
}
