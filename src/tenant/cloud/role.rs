//! The role of one tenant, where the class wants a role for each.
//!
//! PURE. Rules S1 and S6. Only a role that carries our cluster's, this tenant's and this incarnation's tags is touched.

use std::collections::BTreeMap;

use super::{Half, identifying_tags, is_ours, looked_at_again, missing, unless_late, whose};
use crate::{
    api::{
        class::{IdentityMode, TenantClassSpec},
        names::{PolicyArn, RoleArn, RoleName, TenantName},
        record::TenantRecordSpec,
    },
    aws::types::{NewRole, Role},
    iam::{Document, Place, Reach, permissions, tenant_trust},
    tenant::{
        action::{Action, AwsAction, PartState},
        blueprint::Blueprint,
        looks::Subject,
        observed::Observed,
        reason::Reason,
        settings::Settings,
    },
};

/// The one inline policy of a tenant's role.
pub const POLICY: &str = "openclaw-workspace";

/// The role that a workspace shall have: the class's, or its own.
pub fn wanted_role(
    tenant: &TenantName,
    record: &TenantRecordSpec,
    class: &TenantClassSpec,
    settings: &Settings,
) -> Option<RoleArn> {
    match record.identity.mode {
        IdentityMode::SharedRole | IdentityMode::None => class.identity.role_arn.clone(),
        IdentityMode::RolePerTenant => own_role(tenant, record, &Place::of(settings)?),
    }
}

fn own_role(tenant: &TenantName, record: &TenantRecordSpec, place: &Place) -> Option<RoleArn> {
    place.tenant_role(RoleName::of(tenant, &record.incarnation).as_str()).parse().ok()
}

/// What is wanted of a tenant's own role.
struct Wanted<'a> {
    place: Place,
    name: RoleName,
    arn: RoleArn,
    boundary: &'a PolicyArn,
    trust: Document,
    permissions: Document,
}

fn wanted<'a>(blueprint: &Blueprint<'a>) -> Option<Wanted<'a>> {
    let Blueprint { tenant, record, class, .. } = blueprint;
    let place = Place::of(blueprint.settings)?.with_prefix(&record.secrets.prefix);
    let reach = Reach::of(&place, class, Some((*tenant).clone()));
    Some(Wanted {
        name: RoleName::of(tenant, &record.incarnation),
        arn: own_role(tenant, record, &place)?,
        boundary: class.identity.permissions_boundary_arn.as_ref()?,
        trust: tenant_trust(&place, &record.namespace.name, &record.service_account),
        permissions: permissions(&place, &reach),
        place,
    })
}

/// The role of a living tenant; `None` where it has none of its own.
pub(super) fn role(observed: &Observed, blueprint: &Blueprint<'_>) -> Option<Half> {
    if blueprint.record.identity.mode != IdentityMode::RolePerTenant {
        return None;
    }
    let Some(wanted) = wanted(blueprint) else {
        let message = "a role per tenant needs EKS and a permissions boundary: start the operator with --cluster-name, \
                       and set identity.permissionsBoundaryArn in the class";
        return Some(Half::blocked(Reason::RoleNotReady, message));
    };
    let look = &observed.aws.role;
    let half = match look.seen() {
        None => Half::working(Vec::new(), format!("role {} is being looked for", wanted.name)),
        Some(None) => create(blueprint, &wanted),
        Some(Some(role)) => judge(observed, blueprint, &wanted, role),
    };
    Some(looked_at_again(observed, &Subject::Role, look, half, AwsAction::LookUpRole(wanted.name)))
}

fn create(blueprint: &Blueprint<'_>, wanted: &Wanted<'_>) -> Half {
    let new = NewRole {
        name: wanted.name.clone(),
        path: wanted.place.role_path(),
        description: format!("OpenClaw workspace of tenant {}", blueprint.tenant),
        boundary: wanted.boundary.clone(),
        trust: wanted.trust.to_json(),
        tags: identifying_tags(blueprint.tenant, blueprint.record, &blueprint.settings.cluster_uid),
    };
    Half::working(vec![Action::Aws(AwsAction::CreateRole(new))], format!("role {} is being made", wanted.name))
}

fn judge(observed: &Observed, blueprint: &Blueprint<'_>, wanted: &Wanted<'_>, role: &Role) -> Half {
    let name = &wanted.name;
    if !is_own(observed, blueprint.tenant, blueprint.record, role) || role.arn != wanted.arn {
        let message = format!(
            "role {} exists and is not this tenant's: {}. It is not touched; rename or remove it",
            role.arn,
            whose(&role.tags)
        );
        return Half::blocked(Reason::RoleTaken, message);
    }
    if role.boundary.as_deref() != Some(wanted.boundary.as_str()) {
        let message = format!(
            "role {name} is bounded by {} and not by {}; the operator may not move boundaries: set it with `aws iam \
             put-role-permissions-boundary --role-name {name} --permissions-boundary {}`",
            role.boundary.as_deref().unwrap_or("nothing"),
            wanted.boundary,
            wanted.boundary
        );
        return Half::blocked(Reason::RoleUnbounded, message);
    }
    if let Some(half) = refuse_attached(role) {
        return half;
    }
    let repairs = repairs(blueprint, wanted, role);
    if repairs.is_empty() {
        return Half::done(Reason::Verified, format!("role {name} stands"));
    }
    let actions = repairs.into_iter().map(Action::Aws).collect();
    Half::working(actions, format!("tags and policies of role {name} are brought to what they shall be"))
}

/// What is attached widens the role, and holds up its end. Whoever attached it is to take it off: the operator may attach
/// and detach nothing.
fn refuse_attached(role: &Role) -> Option<Half> {
    let first = role.attached.first()?;
    let name = role.arn.name();
    let message = format!(
        "somebody attached {} to role {name}, which is this tenant's alone: detach it with `aws iam detach-role-policy \
         --role-name {name} --policy-arn {first}`",
        role.attached.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    );
    Some(Half::blocked(Reason::RoleOpen, message))
}

/// Everything that differs. A policy beside ours would widen the role, so it goes.
fn repairs(blueprint: &Blueprint<'_>, wanted: &Wanted<'_>, role: &Role) -> Vec<AwsAction> {
    let name = || wanted.name.clone();
    let tags = identifying_tags(blueprint.tenant, blueprint.record, &blueprint.settings.cluster_uid);
    let tags = missing(&tags, &role.tags);
    let mut all = Vec::new();
    if !tags.is_empty() {
        all.push(AwsAction::TagRole { name: name(), tags });
    }
    if !wanted.trust.is_said_by(&role.trust) {
        all.push(AwsAction::PutRoleTrust { name: name(), document: wanted.trust.to_json() });
    }
    if !role.inline.get(POLICY).is_some_and(|live| wanted.permissions.is_said_by(live)) {
        let (policy, document) = (POLICY.to_owned(), wanted.permissions.to_json());
        all.push(AwsAction::PutRolePolicy { name: name(), policy, document });
    }
    all.extend(delete_policies(&wanted.name, &role.inline, |policy| policy != POLICY));
    all
}

/// One at a time: what an action is about does not tell two policies apart.
fn delete_policies(
    name: &RoleName,
    inline: &BTreeMap<String, String>,
    goes: impl Fn(&str) -> bool,
) -> Option<AwsAction> {
    let policy = inline.keys().find(|policy| goes(policy))?;
    Some(AwsAction::DeleteRolePolicy { name: name.clone(), policy: policy.clone() })
}

fn is_own(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec, role: &Role) -> bool {
    is_ours(&role.tags, tenant, record, &observed.settings.cluster_uid)
}

/// The role of a tenant whose association is gone: its policies first, then the role itself, and seen to be gone.
pub(super) fn role_ended(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec) -> Option<Half> {
    if record.identity.mode != IdentityMode::RolePerTenant {
        return None;
    }
    let name = RoleName::of(tenant, &record.incarnation);
    let arn = Place::of(&observed.settings).and_then(|place| own_role(tenant, record, &place));
    let look = &observed.aws.role;
    let look_up = AwsAction::LookUpRole(name.clone());
    let half = match look.seen() {
        None => Half::working(Vec::new(), format!("role {name} is being looked for")),
        Some(None) => {
            let done = Half::done(Reason::Suspended, "the Pod Identity association and the role are deleted");
            // It is made before the association: what has had one has had its role.
            let was_seen = record.identity.association_id.is_some() || record.identity.ended_at.is_some();
            if was_seen { done } else { unless_late(observed, look, &look_up, &format!("role {name}"), done) }
        }
        // One that is not ours was never this tenant's access: it stays, and holds nothing up.
        Some(Some(role)) if !is_own(observed, tenant, record, role) || Some(&role.arn) != arn.as_ref() => {
            Half::done(Reason::Suspended, format!("role {} is not this tenant's and stays", role.arn))
        }
        Some(Some(role)) if !role.attached.is_empty() => refuse_attached(role)?,
        Some(Some(role)) => {
            let next = delete_policies(&name, &role.inline, |_| true);
            let next = next.unwrap_or_else(|| AwsAction::DeleteRole(name.clone()));
            Half {
                actions: vec![Action::Aws(next)],
                state: PartState::Working(Reason::Progressing, format!("role {name} is being deleted")),
            }
        }
    };
    Some(looked_at_again(observed, &Subject::Role, look, half, look_up))
}
