//! The Pod Identity association of a tenant.
//!
//! PURE. Rule S1.

use jiff::SignedDuration;

use super::{Half, identifying_tags, is_ours, looked_at_again, missing, role::wanted_role, unless_late, whose};
use crate::{
    api::{
        class::IdentityMode,
        names::{AssociationId, RoleArn, TenantName},
        record::TenantRecordSpec,
    },
    aws::types::{Association, NewAssociation, Tags},
    tenant::{
        action::{Action, AwsAction},
        blueprint::Blueprint,
        looks::Subject,
        observed::{FoundAssociation, Observed},
        reason::Reason,
        workload::is_started,
    },
};

/// The association of a living tenant.
pub(super) fn association(observed: &Observed, blueprint: &Blueprint<'_>) -> Half {
    let record = blueprint.record;
    if !blueprint.has_identity() {
        return Half::done(Reason::IdentityNone, "the class gives workspaces no AWS identity");
    }
    let look = &observed.aws.association;
    let look_up = look_up_association(observed, record);
    let Some(found) = look.seen() else {
        return Half::working(vec![Action::Aws(look_up)], "the Pod Identity association is being looked for");
    };
    let half = match found {
        FoundAssociation::None => create_association(blueprint),
        FoundAssociation::Several(ids) => several(ids),
        FoundAssociation::One(association) => judge_association(observed, blueprint, association),
    };
    looked_at_again(observed, &Subject::Association, look, half, look_up)
}

fn look_up_association(observed: &Observed, record: &TenantRecordSpec) -> AwsAction {
    let seen = match observed.aws.association.seen() {
        Some(FoundAssociation::One(association)) => Some(association.id.clone()),
        Some(FoundAssociation::None | FoundAssociation::Several(_)) | None => None,
    };
    AwsAction::LookUpAssociation {
        namespace: record.namespace.name.clone(),
        service_account: record.service_account.clone(),
        known: record.identity.association_id.clone().or(seen),
    }
}

fn several(ids: &[AssociationId]) -> Half {
    let ids: Vec<&str> = ids.iter().map(AssociationId::as_str).collect();
    let message = format!(
        "EKS lists more than one association for this ServiceAccount: {}. Delete those that this operator did not make",
        ids.join(", ")
    );
    Half::blocked(Reason::AssociationDoubled, message)
}

fn create_association(blueprint: &Blueprint<'_>) -> Half {
    let record = blueprint.record;
    if let Some(gone) = &record.identity.association_id {
        // To the token that is still recorded EKS would answer with the one that is gone.
        return Half::working(Vec::new(), format!("association {gone} is gone, which is being recorded"));
    }
    let Some(role_arn) = record.identity.role_arn.clone() else {
        return Half::blocked(Reason::RoleNotReady, "the class names no role: set identity.roleArn");
    };
    let new = NewAssociation {
        namespace: record.namespace.name.clone(),
        service_account: record.service_account.clone(),
        role_arn,
        tags: association_tags(blueprint),
        token: record.identity.nonce.to_string(),
    };
    Half::working(vec![Action::Aws(AwsAction::CreateAssociation(new))], "the Pod Identity association is being made")
}

fn association_tags(blueprint: &Blueprint<'_>) -> Tags {
    identifying_tags(blueprint.tenant, blueprint.record, &blueprint.settings.cluster_uid)
}

fn judge_association(observed: &Observed, blueprint: &Blueprint<'_>, association: &Association) -> Half {
    let record = blueprint.record;
    if let Some(half) = refuse_foreign(observed, blueprint.tenant, record, association) {
        return half;
    }
    // A role in the record that is not the class's is on its way out, and not acted upon.
    if let Some(role) = &record.identity.role_arn
        && wanted_role(blueprint.tenant, record, blueprint.class, blueprint.settings).as_ref() == Some(role)
        && association.role_arn.as_ref() != Some(role)
    {
        let token = observed.draw.derive("role").to_string();
        let update = AwsAction::UpdateRole { id: association.id.clone(), role: role.clone(), token };
        return Half::working(vec![Action::Aws(update)], format!("association {} gets role {role}", association.id));
    }
    let tags = missing(&association_tags(blueprint), &association.tags);
    if !tags.is_empty() {
        let tag = AwsAction::TagAssociation { association: association.clone(), tags };
        return Half::working(
            vec![Action::Aws(tag)],
            format!("tags of association {} are brought back", association.id),
        );
    }
    if observed.aws.association_unlisted && !is_started(observed) {
        return listed_first(record, association);
    }
    Half::done(Reason::Verified, format!("association {} stands", association.id))
}

/// A pod that starts before EKS knows the association gets no credentials, and would have to be made anew.
fn listed_first(record: &TenantRecordSpec, association: &Association) -> Half {
    let list = AwsAction::ListAssociation {
        namespace: record.namespace.name.clone(),
        service_account: record.service_account.clone(),
        id: association.id.clone(),
    };
    let message = format!("association {} is made, and no pod starts before EKS lists it", association.id);
    Half::working(vec![Action::Aws(list)], message)
}

/// Whether an association is this tenant's: not an add-on's, and with our tags.
pub fn is_own_association(
    observed: &Observed,
    tenant: &TenantName,
    record: &TenantRecordSpec,
    association: &Association,
) -> bool {
    association.owner_arn.is_none() && is_ours(&association.tags, tenant, record, &observed.settings.cluster_uid)
}

/// S1: what is an add-on's, or does not carry our tags, is never touched.
fn refuse_foreign(
    observed: &Observed,
    tenant: &TenantName,
    record: &TenantRecordSpec,
    association: &Association,
) -> Option<Half> {
    let id = &association.id;
    if is_own_association(observed, tenant, record, association) {
        return None;
    }
    if let Some(owner) = &association.owner_arn {
        let message = format!("association {id} of this ServiceAccount belongs to {owner}; it is not touched");
        return Some(Half::blocked(Reason::AssociationTaken, message));
    }
    let message = format!(
        "association {id} of this ServiceAccount is not this tenant's: {}. It is not touched; remove it if nobody needs it",
        whose(&association.tags)
    );
    Some(Half::blocked(Reason::AssociationTaken, message))
}

/// The longest that a session lives after its association is gone: the most that IAM lets a role's sessions last ("Update
/// the maximum session duration for a role", IAM User Guide).
const LONGEST_SESSION: SignedDuration = SignedDuration::from_hours(12);

/// What is left of access after the association, and what ends it. Tags on the secrets are looked at with each request,
/// so they have ended that part at once; models of Bedrock carry no such tags.
pub fn what_is_left(record: &TenantRecordSpec) -> Option<String> {
    let at = record.identity.ended_at.as_ref()?.0;
    let until = at.checked_add(LONGEST_SESSION).unwrap_or(at);
    let role = record.identity.role_arn.as_ref().map_or("the role", RoleArn::as_str);
    Some(format!(
        "a session that it gave before {at} may go on calling what no tag stops (Bedrock), at the longest until {until}. To \
         end that now, deny all actions in {role} where aws:PrincipalTag/kubernetes-service-account is {}",
        record.service_account
    ))
}

fn ended(record: &TenantRecordSpec) -> String {
    let said = "the Pod Identity association is deleted";
    what_is_left(record).map_or_else(|| said.to_owned(), |left| format!("{said}; {left}"))
}

/// The association of a tenant whose access has ended and whose pods are gone: deleted, and seen to be gone.
pub(super) fn association_ended(observed: &Observed, tenant: &TenantName, record: &TenantRecordSpec) -> Half {
    if record.identity.mode == IdentityMode::None {
        return Half::done(Reason::IdentityNone, "the class gives workspaces no AWS identity");
    }
    let look = &observed.aws.association;
    let look_up = look_up_association(observed, record);
    let half = match look.seen() {
        None => Half::working(Vec::new(), "the Pod Identity association is being looked for"),
        Some(FoundAssociation::None) => {
            let done = Half::done(Reason::Suspended, ended(record));
            let was_seen = record.identity.association_id.is_some() || record.identity.ended_at.is_some();
            let what = "the Pod Identity association";
            if was_seen { done } else { unless_late(observed, look, &look_up, what, done) }
        }
        Some(FoundAssociation::Several(ids)) => several(ids),
        // One that is not ours was never this tenant's access: it stays, and holds nothing up.
        Some(FoundAssociation::One(association)) if !is_own_association(observed, tenant, record, association) => {
            Half::done(Reason::Suspended, format!("association {} is not this tenant's and stays", association.id))
        }
        Some(FoundAssociation::One(association)) => {
            let delete = AwsAction::DeleteAssociation(association.id.clone());
            Half::working(vec![Action::Aws(delete)], format!("association {} is being deleted", association.id))
        }
    };
    looked_at_again(observed, &Subject::Association, look, half, look_up)
}
