//! Carries out one action in AWS, and takes up what is known after it.

use std::sync::Arc;

use jiff::Timestamp;
use smol_str::{SmolStr, ToSmolStr as _};

use super::{
    AwsClients, AwsError, AwsErrorKind,
    types::{Association, Secret, Tags},
};
use crate::{
    api::{
        labels::{CURRENT_STAGE, NEXT_STAGE, tags},
        names::{AssociationId, SecretItemName},
    },
    tenant::{
        action::AwsAction,
        observed::{AwsView, FoundAssociation, Look},
    },
};

/// Carries out one action. `learn` changes what is known; after a failed change nothing is known any more, and the next
/// decision looks first.
///
/// # Errors
/// Where AWS refuses or does not answer; what was asked may have happened all the same.
pub async fn perform(
    aws: &AwsClients,
    action: &AwsAction,
    learn: impl Fn(&mut dyn FnMut(&mut AwsView)) + Send + Sync,
) -> Result<(), AwsError> {
    match action {
        AwsAction::LookUpAssociation { namespace, service_account, known } => {
            let listed = aws.pod_identity.find(namespace, service_account).await?;
            let unlisted = listed.is_empty();
            // A listing lags: the one that is recorded is asked for by its id.
            let ids = if unlisted { known.iter().cloned().collect() } else { listed };
            let found = describe_all(aws, ids).await?;
            learn(&mut |view| view.saw_looked_up(Timestamp::now(), found.clone(), unlisted));
            Ok(())
        }
        AwsAction::ListAssociation { namespace, service_account, id } => {
            let is_listed = aws.pod_identity.find(namespace, service_account).await?.contains(id);
            // To a token that was used before EKS repeats its answer, even about one that is gone.
            let found = if is_listed { None } else { Some(describe_all(aws, vec![id.clone()]).await?) };
            learn(&mut |view| view.saw_listed(Timestamp::now(), found.clone()));
            Ok(())
        }
        AwsAction::CreateAssociation(new) => {
            let made = took_association(aws.pod_identity.create(new).await, &learn);
            made.map(|()| learn(&mut |view| view.was_answered(&new.token)))
        }
        AwsAction::UpdateRole { id, role, token } => {
            took_association(aws.pod_identity.update_role(id, role, token).await, &learn)
        }
        AwsAction::TagAssociation { association, tags } => {
            let tagged = aws.pod_identity.tag(association, tags).await;
            took_association(tagged.map(|()| with_tags(association, tags)), &learn)
        }
        AwsAction::DeleteAssociation(id) => {
            let deleted = aws.pod_identity.delete(id).await;
            // Deleting takes a second or more to settle: that it is gone is believed when it is seen.
            learn(&mut |view| view.association = Look::Never);
            deleted
        }
        AwsAction::LookUpFormer { .. } | AwsAction::TagFormer { .. } | AwsAction::DeleteFormer(_) => {
            perform_on_former(aws, action, &learn).await
        }
        AwsAction::LookUpRole(_)
        | AwsAction::CreateRole(_)
        | AwsAction::TagRole { .. }
        | AwsAction::PutRoleTrust { .. }
        | AwsAction::PutRolePolicy { .. }
        | AwsAction::DeleteRolePolicy { .. }
        | AwsAction::DeleteRole(_) => perform_on_role(aws, action, &learn).await,
        AwsAction::LookUpSecret { item, name } => {
            let found = aws.secrets.describe(name).await?;
            learn(&mut |view| view.saw_secret(item, Timestamp::now(), found.clone()));
            Ok(())
        }
        AwsAction::CreateSecret { item, new } => match aws.secrets.create(new).await {
            Ok(arn) => {
                let version = new.generate.iter().map(|id| (id.to_smolstr(), vec![SmolStr::new_static(CURRENT_STAGE)]));
                let secret = Secret {
                    arn,
                    name: new.name.clone(),
                    kms_key: new.kms_key.as_ref().map(ToString::to_string),
                    deleted_at: None,
                    tags: new.tags.clone(),
                    versions: version.collect(),
                };
                learn(&mut |view| view.saw_secret(item, Timestamp::now(), Some(secret.clone())));
                Ok(())
            }
            Err(error) => Err(forget_secret(item, error, &learn)),
        },
        AwsAction::PutGenerated { item, arn, version, stage } => {
            let put = aws.secrets.put_generated(arn, version, &[stage]).await;
            let is_spent = matches!(&put, Err(error) if error.kind == AwsErrorKind::Conflict);
            learn(&mut |view| {
                view.secrets.remove(item);
                if is_spent {
                    view.spent.insert(version.clone());
                }
            });
            put
        }
        AwsAction::MoveCurrent { item, arn, from, to } => {
            let moved = aws.secrets.move_label(arn, CURRENT_STAGE, from.as_ref(), Some(to)).await;
            look_anew(item, moved, &learn)
        }
        AwsAction::DropNext { item, arn, version } => {
            let dropped = aws.secrets.move_label(arn, NEXT_STAGE, Some(version), None).await;
            look_anew(item, dropped, &learn)
        }
        AwsAction::RestoreSecret { item, arn } => look_anew(item, aws.secrets.restore(arn).await, &learn),
        AwsAction::StripSecret { item, arn } => look_anew(item, aws.secrets.untag(arn, &tags::ACCESS).await, &learn),
        AwsAction::DeleteSecret { item, arn, window_days } => {
            look_anew(item, aws.secrets.delete(arn, *window_days).await, &learn)
        }
        AwsAction::TagSecret { item, arn, tags } => match aws.secrets.tag(arn, tags).await {
            Ok(()) => {
                learn(&mut |view| {
                    if let Some(Look::At(_, Some(secret))) = view.secrets.get_mut(item) {
                        Arc::make_mut(secret).tags.extend(tags.clone());
                    }
                });
                Ok(())
            }
            Err(error) => Err(forget_secret(item, error, &learn)),
        },
    }
}

/// What was changed of a role is looked at again before anything is decided from it.
async fn perform_on_role(
    aws: &AwsClients,
    action: &AwsAction,
    learn: &(impl Fn(&mut dyn FnMut(&mut AwsView)) + Send + Sync),
) -> Result<(), AwsError> {
    let roles = &aws.roles;
    let done = match action {
        AwsAction::CreateRole(new) => roles.create(new).await.map(drop),
        AwsAction::TagRole { name, tags } => roles.tag(name.as_str(), tags).await,
        AwsAction::PutRoleTrust { name, document } => roles.put_trust(name.as_str(), document).await,
        AwsAction::PutRolePolicy { name, policy, document } => roles.put_policy(name.as_str(), policy, document).await,
        AwsAction::DeleteRolePolicy { name, policy } => roles.delete_policy(name.as_str(), policy).await,
        AwsAction::DeleteRole(name) => roles.delete(name.as_str()).await,
        AwsAction::LookUpRole(name) => {
            let found = roles.look(name.as_str()).await?;
            learn(&mut |view| view.role = Look::At(Timestamp::now(), found.clone()));
            return Ok(());
        }
        AwsAction::LookUpAssociation { .. }
        | AwsAction::ListAssociation { .. }
        | AwsAction::CreateAssociation(_)
        | AwsAction::UpdateRole { .. }
        | AwsAction::TagAssociation { .. }
        | AwsAction::DeleteAssociation(_)
        | AwsAction::LookUpFormer { .. }
        | AwsAction::TagFormer { .. }
        | AwsAction::DeleteFormer(_)
        | AwsAction::LookUpSecret { .. }
        | AwsAction::CreateSecret { .. }
        | AwsAction::PutGenerated { .. }
        | AwsAction::MoveCurrent { .. }
        | AwsAction::DropNext { .. }
        | AwsAction::RestoreSecret { .. }
        | AwsAction::StripSecret { .. }
        | AwsAction::DeleteSecret { .. }
        | AwsAction::TagSecret { .. } => return Ok(()),
    };
    learn(&mut |view| view.role = Look::Never);
    done
}

/// Associations of a namespace that is being adopted. What was changed is looked at again.
async fn perform_on_former(
    aws: &AwsClients,
    action: &AwsAction,
    learn: &(impl Fn(&mut dyn FnMut(&mut AwsView)) + Send + Sync),
) -> Result<(), AwsError> {
    let done = match action {
        AwsAction::LookUpFormer { namespace, known } => {
            let mut ids = aws.pod_identity.find_in(namespace).await?;
            // A listing lags: those that are recorded are asked for by their ids.
            ids.extend(known.iter().cloned());
            ids.sort();
            ids.dedup();
            let found = describe_each(aws, ids).await?;
            learn(&mut |view| view.former = Look::At(Timestamp::now(), found.clone()));
            return Ok(());
        }
        AwsAction::TagFormer { association, tags } => aws.pod_identity.tag(association, tags).await,
        AwsAction::DeleteFormer(id) => aws.pod_identity.delete(id).await,
        _ => return Ok(()),
    };
    learn(&mut |view| view.former = Look::Never);
    done
}

/// Those that are there.
async fn describe_each(aws: &AwsClients, ids: Vec<AssociationId>) -> Result<Vec<Association>, AwsError> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(aws.pod_identity.describe(&id).await?);
    }
    Ok(found)
}

async fn describe_all(aws: &AwsClients, ids: Vec<AssociationId>) -> Result<FoundAssociation, AwsError> {
    let mut found = describe_each(aws, ids).await?;
    Ok(match found.len() {
        0 => FoundAssociation::None,
        1 => FoundAssociation::One(found.swap_remove(0)),
        _ => FoundAssociation::Several(found.into_iter().map(|association| association.id).collect()),
    })
}

fn took_association(
    answer: Result<Association, AwsError>,
    learn: &(impl Fn(&mut dyn FnMut(&mut AwsView)) + Send + Sync),
) -> Result<(), AwsError> {
    let look = answer
        .as_ref()
        .map_or(Look::Never, |association| Look::At(Timestamp::now(), FoundAssociation::One(association.clone())));
    let refused = matches!(&answer, Err(error) if error.kind == AwsErrorKind::RoleRefused);
    learn(&mut |view| {
        view.association = look.clone();
        if !refused {
            view.role_refused_since = None;
        } else if view.role_refused_since.is_none() {
            view.role_refused_since = Some(Timestamp::now());
        }
    });
    answer.map(drop)
}

fn with_tags(association: &Association, tags: &Tags) -> Association {
    let mut association = association.clone();
    association.tags.extend(tags.clone());
    association
}

/// What came of a change is seen by looking.
fn look_anew(
    item: &SecretItemName,
    answer: Result<(), AwsError>,
    learn: &(impl Fn(&mut dyn FnMut(&mut AwsView)) + Send + Sync),
) -> Result<(), AwsError> {
    learn(&mut |view| {
        view.secrets.remove(item);
    });
    answer
}

fn forget_secret(
    item: &SecretItemName,
    error: AwsError,
    learn: &(impl Fn(&mut dyn FnMut(&mut AwsView)) + Send + Sync),
) -> AwsError {
    learn(&mut |view| {
        view.secrets.remove(item);
    });
    error
}
