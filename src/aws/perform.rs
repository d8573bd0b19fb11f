//! Carries out one action in AWS, and takes up what is known after it.

use jiff::Timestamp;

use super::{
    AwsClients, AwsError, AwsErrorKind,
    types::{Association, Secret, Tags},
};
use crate::{
    api::names::{AssociationId, SecretItemName},
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
            let mut ids = aws.pod_identity.find(namespace, service_account).await?;
            // A listing lags: the one that is recorded is asked for by its id.
            ids.extend(known.clone().filter(|_| ids.is_empty()));
            let found = describe_all(aws, ids).await?;
            learn(&mut |view| view.saw_association(Timestamp::now(), found.clone()));
            Ok(())
        }
        AwsAction::CreateAssociation(new) => took_association(aws.pod_identity.create(new).await, &learn),
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
        AwsAction::LookUpSecret { item, name } => {
            let found = aws.secrets.describe(name).await?;
            learn(&mut |view| view.saw_secret(item, Timestamp::now(), found.clone()));
            Ok(())
        }
        AwsAction::CreateSecret { item, new } => match aws.secrets.create(new).await {
            Ok(arn) => {
                let version = new.generate.iter().map(|id| (id.to_string(), vec!["AWSCURRENT".to_owned()]));
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
        AwsAction::PutGenerated { item, arn, version } => {
            let put = aws.secrets.put_generated(arn, version, &["AWSCURRENT"]).await;
            learn(&mut |view| {
                view.secrets.remove(item);
            });
            put
        }
        AwsAction::TagSecret { item, arn, tags } => match aws.secrets.tag(arn, tags).await {
            Ok(()) => {
                learn(&mut |view| {
                    if let Some(Look::At(_, Some(secret))) = view.secrets.get_mut(item) {
                        secret.tags.extend(tags.clone());
                    }
                });
                Ok(())
            }
            Err(error) => Err(forget_secret(item, error, &learn)),
        },
    }
}

async fn describe_all(aws: &AwsClients, ids: Vec<AssociationId>) -> Result<FoundAssociation, AwsError> {
    let mut found: Vec<Association> = Vec::new();
    for id in ids {
        found.extend(aws.pod_identity.describe(&id).await?);
    }
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
