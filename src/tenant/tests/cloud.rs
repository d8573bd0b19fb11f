//! EKS and Secrets Manager in memory, as far as actions reach them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use smol_str::ToSmolStr as _;

use super::{fixtures::alice, world::Refused};
use crate::{
    api::{
        labels::{CURRENT_STAGE, NEXT_STAGE, tags},
        names::{AssociationId, VersionId},
    },
    aws::types::{Association, NewAssociation, NewRole, NewSecret, Role, Secret},
    tenant::{
        action::{Action, AwsAction},
        cache::Cache,
        observed::{FoundAssociation, Look},
    },
};

/// What AWS holds.
#[derive(Default)]
pub(super) struct Cloud {
    pub(super) associations: Vec<Association>,
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) roles: BTreeMap<String, Role>,
    /// Whether AWS answers at all.
    pub(super) down: bool,
    /// Answers by idempotency token, deleted ones too: EKS repeats itself.
    answered: BTreeMap<String, Association>,
    made: usize,
    /// How many of the associations that were made are listed by now; `None` where listings keep up.
    pub(super) listed: Option<usize>,
}

/// Puts a label on one version and takes it off all others. A version without labels is gone.
pub(super) fn move_label(secret: &mut Secret, label: &str, to: Option<&VersionId>) {
    for (_, labels) in &mut secret.versions {
        labels.retain(|one| one != label);
    }
    if let Some(to) = to {
        secret.versions.entry(to.to_smolstr()).or_default().push(label.into());
    }
    secret.versions.retain(|_, labels| !labels.is_empty());
}

impl AwsAction {
    pub(super) const fn makes_something(&self) -> bool {
        matches!(self, Self::CreateAssociation(_) | Self::CreateRole(_) | Self::CreateSecret { .. })
    }
}

impl Cloud {
    /// After a failed change nothing is known any more, as in the real hands.
    pub(super) fn forget(cache: &Cache, action: &Action) {
        let Action::Aws(action) = action else { return };
        cache.with_aws(&alice(), |view| match action {
            AwsAction::CreateAssociation(_)
            | AwsAction::UpdateRole { .. }
            | AwsAction::TagAssociation { .. }
            | AwsAction::DeleteAssociation(_) => view.association = Look::Never,
            AwsAction::TagFormer { .. } | AwsAction::DeleteFormer(_) => view.former = Look::Never,
            AwsAction::CreateSecret { item, .. }
            | AwsAction::PutGenerated { item, .. }
            | AwsAction::MoveCurrent { item, .. }
            | AwsAction::DropNext { item, .. }
            | AwsAction::RestoreSecret { item, .. }
            | AwsAction::StripSecret { item, .. }
            | AwsAction::DeleteSecret { item, .. }
            | AwsAction::TagSecret { item, .. } => {
                view.secrets.remove(item);
            }
            AwsAction::CreateRole(_)
            | AwsAction::TagRole { .. }
            | AwsAction::PutRoleTrust { .. }
            | AwsAction::PutRolePolicy { .. }
            | AwsAction::DeleteRolePolicy { .. }
            | AwsAction::DeleteRole(_) => view.role = Look::Never,
            AwsAction::LookUpAssociation { .. }
            | AwsAction::ListAssociation { .. }
            | AwsAction::LookUpFormer { .. }
            | AwsAction::LookUpRole(_)
            | AwsAction::LookUpSecret { .. } => {}
        });
    }

    pub(super) fn perform(&mut self, action: &AwsAction, cache: &Cache, now: Timestamp) -> Result<(), Refused> {
        let result = if self.down { Err(Refused::Aws("no answer".into())) } else { self.carry_out(action, cache, now) };
        if result.is_err() {
            Self::forget(cache, &Action::Aws(action.clone()));
        }
        result
    }

    fn carry_out(&mut self, action: &AwsAction, cache: &Cache, now: Timestamp) -> Result<(), Refused> {
        let associations = |found: FoundAssociation| {
            cache.with_aws(&alice(), |view| view.saw_association(now, found.clone()));
        };
        match action {
            AwsAction::LookUpAssociation { namespace, service_account, known } => {
                let (found, unlisted) = self.find(namespace.as_str(), service_account.as_str(), known.as_ref());
                associations(found);
                cache.with_aws(&alice(), |view| view.association_unlisted = unlisted);
            }
            AwsAction::ListAssociation { id, .. } => {
                let unlisted = !self.lists(id);
                if unlisted {
                    let found = self.associations.iter().find(|one| one.id == *id).cloned();
                    associations(found.map_or(FoundAssociation::None, FoundAssociation::One));
                }
                cache.with_aws(&alice(), |view| view.association_unlisted = unlisted);
            }
            AwsAction::CreateAssociation(new) => {
                associations(FoundAssociation::One(self.create_association(new)?));
                cache.with_aws(&alice(), |view| view.was_answered(&new.token));
            }
            AwsAction::UpdateRole { id, role, .. } => {
                let association = self.association(|one| one.id == *id)?;
                association.role_arn = Some(role.clone());
                associations(FoundAssociation::One(association.clone()));
            }
            AwsAction::TagAssociation { association, tags } => {
                let association = self.association(|one| one.id == association.id)?;
                association.tags.extend(tags.clone());
                associations(FoundAssociation::One(association.clone()));
            }
            AwsAction::DeleteAssociation(id) => {
                self.associations.retain(|one| one.id != *id);
                cache.with_aws(&alice(), |view| view.association = Look::Never);
            }
            AwsAction::LookUpFormer { .. } | AwsAction::TagFormer { .. } | AwsAction::DeleteFormer(_) => {
                self.carry_out_on_former(action, cache, now)?;
            }
            AwsAction::LookUpRole(name) => {
                let found = self.roles.get(name.as_str()).cloned();
                cache.with_aws(&alice(), |view| view.role = Look::At(now, found));
            }
            AwsAction::CreateRole(_)
            | AwsAction::TagRole { .. }
            | AwsAction::PutRoleTrust { .. }
            | AwsAction::PutRolePolicy { .. }
            | AwsAction::DeleteRolePolicy { .. }
            | AwsAction::DeleteRole(_) => {
                self.change_role(action)?;
                cache.with_aws(&alice(), |view| view.role = Look::Never);
            }
            AwsAction::LookUpSecret { item, name } => {
                let found = self.secrets.get(name).cloned();
                cache.with_aws(&alice(), |view| view.saw_secret(item, now, found));
            }
            AwsAction::CreateSecret { item, new } => {
                let secret = self.create_secret(new)?;
                cache.with_aws(&alice(), |view| {
                    view.secrets.insert(item.clone(), Look::At(now, Some(Arc::new(secret))))
                });
            }
            AwsAction::PutGenerated { item, arn, version, stage } => {
                let secret = self.secret(|one| one.arn == *arn)?;
                move_label(secret, stage, Some(version));
                cache.with_aws(&alice(), |view| view.secrets.remove(item));
            }
            AwsAction::MoveCurrent { item, arn, from, to } => {
                let secret = self.secret(|one| one.arn == *arn)?;
                if secret.current_version() != *from || !secret.has_version(to) {
                    return Err(Refused::Aws("not attached to version".into()));
                }
                move_label(secret, CURRENT_STAGE, Some(to));
                if let Some(from) = from {
                    move_label(secret, "AWSPREVIOUS", Some(from));
                }
                cache.with_aws(&alice(), |view| view.secrets.remove(item));
            }
            AwsAction::DropNext { item, arn, version } => {
                let secret = self.secret(|one| one.arn == *arn && one.has_label(version, NEXT_STAGE))?;
                move_label(secret, NEXT_STAGE, None);
                cache.with_aws(&alice(), |view| view.secrets.remove(item));
            }
            AwsAction::RestoreSecret { item, .. }
            | AwsAction::StripSecret { item, .. }
            | AwsAction::DeleteSecret { item, .. } => {
                self.remove_or_restore(action, now)?;
                cache.with_aws(&alice(), |view| view.secrets.remove(item));
            }
            AwsAction::TagSecret { item, arn, tags } => {
                let secret = self.secret(|one| one.arn == *arn)?;
                secret.tags.extend(tags.clone());
                let secret = secret.clone();
                cache.with_aws(&alice(), |view| {
                    view.secrets.insert(item.clone(), Look::At(now, Some(Arc::new(secret))))
                });
            }
        }
        Ok(())
    }

    fn carry_out_on_former(&mut self, action: &AwsAction, cache: &Cache, now: Timestamp) -> Result<(), Refused> {
        let mut look = Look::Never;
        match action {
            AwsAction::LookUpFormer { namespace, known } => {
                let is_it = |one: &&Association| {
                    let listed = one.namespace == namespace.as_str() && self.lists(&one.id);
                    (listed && one.owner_arn.is_none()) || known.contains(&one.id)
                };
                look = Look::At(now, self.associations.iter().filter(is_it).cloned().collect());
            }
            AwsAction::TagFormer { association, tags } => {
                self.association(|one| one.id == association.id)?.tags.extend(tags.clone());
            }
            AwsAction::DeleteFormer(id) => self.associations.retain(|one| one.id != *id),
            _ => {}
        }
        cache.with_aws(&alice(), |view| view.former = look);
        Ok(())
    }

    /// What a look for an association finds, and whether only its id led to it.
    fn find(&self, namespace: &str, account: &str, known: Option<&AssociationId>) -> (FoundAssociation, bool) {
        let is_it = |one: &&Association| one.namespace == namespace && one.service_account == account;
        let listed: Vec<&Association> =
            self.associations.iter().filter(is_it).filter(|one| self.lists(&one.id)).collect();
        let recorded = || self.associations.iter().find(|one| known == Some(&one.id));
        match listed.as_slice() {
            [] => match recorded() {
                Some(one) => (FoundAssociation::One(one.clone()), true),
                None => (FoundAssociation::None, false),
            },
            [one] => (FoundAssociation::One((*one).clone()), false),
            several => (FoundAssociation::Several(several.iter().map(|one| one.id.clone()).collect()), false),
        }
    }

    /// Whether a listing shows it by now: those that were made last come last.
    pub(super) fn lists(&self, id: &AssociationId) -> bool {
        let number = self.associations.iter().position(|one| one.id == *id);
        number.is_some_and(|number| self.listed.is_none_or(|listed| number < listed))
    }

    fn remove_or_restore(&mut self, action: &AwsAction, now: Timestamp) -> Result<(), Refused> {
        match action {
            AwsAction::StripSecret { arn, .. } => {
                let secret = self.secret(|one| one.arn == *arn && one.deleted_at.is_none())?;
                secret.tags.retain(|key, _| !tags::ACCESS.contains(&key.as_str()));
            }
            AwsAction::DeleteSecret { arn, .. } => self.secret(|one| one.arn == *arn)?.deleted_at = Some(now),
            AwsAction::RestoreSecret { arn, .. } => self.secret(|one| one.arn == *arn)?.deleted_at = None,
            _ => {}
        }
        Ok(())
    }

    fn change_role(&mut self, action: &AwsAction) -> Result<(), Refused> {
        let missing = || Refused::Aws("NoSuchEntity".into());
        match action {
            AwsAction::CreateRole(new) => self.create_role(new)?,
            AwsAction::TagRole { name, tags } => {
                self.roles.get_mut(name.as_str()).ok_or_else(missing)?.tags.extend(tags.clone());
            }
            AwsAction::PutRoleTrust { name, document } => {
                self.roles.get_mut(name.as_str()).ok_or_else(missing)?.trust.clone_from(document);
            }
            AwsAction::PutRolePolicy { name, policy, document } => {
                let role = self.roles.get_mut(name.as_str()).ok_or_else(missing)?;
                role.inline.insert(policy.clone(), document.clone());
            }
            AwsAction::DeleteRolePolicy { name, policy } => {
                self.roles.get_mut(name.as_str()).ok_or_else(missing)?.inline.remove(policy);
            }
            AwsAction::DeleteRole(name) => {
                if self
                    .roles
                    .get(name.as_str())
                    .is_some_and(|role| !role.inline.is_empty() || !role.attached.is_empty())
                {
                    return Err(Refused::Aws("DeleteConflict".into()));
                }
                self.roles.remove(name.as_str());
            }
            _ => {}
        }
        Ok(())
    }

    fn create_role(&mut self, new: &NewRole) -> Result<(), Refused> {
        if self.roles.contains_key(new.name.as_str()) {
            return Err(Refused::Aws("EntityAlreadyExists".into()));
        }
        let role = Role {
            arn: format!("arn:aws:iam::123456789012:role{}{}", new.path, new.name).parse().expect("arn"),
            boundary: Some(new.boundary.to_string()),
            tags: new.tags.clone(),
            trust: new.trust.clone(),
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
        };
        self.roles.insert(new.name.to_string(), role);
        Ok(())
    }

    pub(super) fn create_association(&mut self, new: &NewAssociation) -> Result<Association, Refused> {
        // The same token gets the same answer, even where what it made is gone.
        if let Some(answer) = self.answered.get(&new.token) {
            return Ok(answer.clone());
        }
        let taken = self
            .associations
            .iter()
            .any(|one| one.namespace == new.namespace.as_str() && one.service_account == new.service_account.as_str());
        if taken {
            return Err(Refused::Aws("ResourceInUseException".into()));
        }
        self.made += 1;
        let association = Association {
            id: format!("a-{:017}", self.made).parse().expect("id"),
            arn: format!("arn:aws:eks:eu-west-1:123456789012:podidentityassociation/prod/a-{:017}", self.made),
            namespace: new.namespace.to_string(),
            service_account: new.service_account.to_string(),
            role_arn: Some(new.role_arn.clone()),
            owner_arn: None,
            tags: new.tags.clone(),
            created_at: None,
        };
        self.associations.push(association.clone());
        self.answered.insert(new.token.clone(), association.clone());
        Ok(association)
    }

    pub(super) fn create_secret(&mut self, new: &NewSecret) -> Result<Secret, Refused> {
        if self.secrets.contains_key(&new.name) {
            return Err(Refused::Aws("ResourceExistsException".into()));
        }
        let versions = new.generate.iter().map(|id| (id.to_smolstr(), vec!["AWSCURRENT".into()])).collect();
        let secret = Secret {
            arn: format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{}-AbCdEf", new.name)
                .parse()
                .expect("arn"),
            name: new.name.clone(),
            kms_key: new.kms_key.as_ref().map(ToString::to_string),
            deleted_at: None,
            tags: new.tags.clone(),
            versions,
        };
        self.secrets.insert(new.name.clone(), secret.clone());
        Ok(secret)
    }

    /// What was scheduled for deletion long enough ago is gone.
    pub(super) fn let_go(&mut self, now: Timestamp) {
        let window = jiff::SignedDuration::from_hours(24 * 30);
        self.secrets.retain(|_, one| one.deleted_at.is_none_or(|at| now.duration_since(at) < window));
    }

    fn association(&mut self, is_it: impl Fn(&Association) -> bool) -> Result<&mut Association, Refused> {
        self.associations.iter_mut().find(|one| is_it(one)).ok_or_else(|| Refused::Aws("not found".into()))
    }

    fn secret(&mut self, is_it: impl Fn(&Secret) -> bool) -> Result<&mut Secret, Refused> {
        self.secrets.values_mut().find(|one| is_it(one)).ok_or_else(|| Refused::Aws("not found".into()))
    }
}
