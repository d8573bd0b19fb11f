//! How far what was seen of a tenant in AWS is believed.
//!
//! PURE. A listing of the whole cluster is never proof: what it contradicts is looked at itself, and what only it showed
//! is enough to rest on, but not to act on.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use super::observed::{AwsView, FoundAssociation, Look};
use crate::{api::names::SecretItemName, aws::types::Secret};

/// One thing of a tenant in AWS that is looked at by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The association.
    Association,
    /// Its own role.
    Role,
    /// A secret.
    Secret(SecretItemName),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Association => f.write_str("association"),
            Self::Role => f.write_str("role"),
            Self::Secret(item) => write!(f, "secret {item}"),
        }
    }
}

impl AwsView {
    /// The association was looked at itself.
    pub fn saw_association(&mut self, at: Timestamp, found: FoundAssociation) {
        self.first_seen.get_or_insert(at);
        self.association = Look::At(at, found);
        self.settled(&Subject::Association);
    }

    /// EKS has answered to this token with an association, and may not list it yet.
    pub fn was_answered(&mut self, token: &str) {
        self.answered_to = Some(token.into());
        self.association_unlisted = true;
    }

    /// The association was looked for in a listing; where that did not show it, by its recorded id alone.
    pub fn saw_looked_up(&mut self, at: Timestamp, found: FoundAssociation, unlisted: bool) {
        self.association_unlisted = unlisted && found != FoundAssociation::None;
        self.saw_association(at, found);
    }

    /// A listing was asked for an association that stands. One that it does not show was looked at itself.
    pub fn saw_listed(&mut self, at: Timestamp, unlisted: Option<FoundAssociation>) {
        match unlisted {
            None => self.association_unlisted = false,
            Some(found) => self.saw_looked_up(at, found, true),
        }
    }

    /// A secret was looked at itself.
    pub fn saw_secret(&mut self, item: &SecretItemName, at: Timestamp, found: Option<Secret>) {
        self.first_seen.get_or_insert(at);
        self.secrets.insert(item.clone(), Look::At(at, found.map(Arc::new)));
        self.settled(&Subject::Secret(item.clone()));
    }

    /// A listing shows the association as it is recorded. What is known already is known better.
    pub fn saw_association_listed(&mut self, at: Timestamp, found: FoundAssociation) {
        if self.association == Look::Never {
            self.association = Look::At(at, found);
            self.listed.insert(Subject::Association);
        }
    }

    /// A listing shows a secret as it is recorded. What is known already is known better.
    pub fn saw_secret_listed(&mut self, item: &SecretItemName, at: Timestamp, secret: Secret) {
        if self.secrets.get(item).is_none_or(|look| *look == Look::Never) {
            self.secrets.insert(item.clone(), Look::At(at, Some(Arc::new(secret))));
            self.listed.insert(Subject::Secret(item.clone()));
        }
    }

    /// Something contradicts what was seen: it is looked at again before anything else.
    pub fn doubt(&mut self, subject: Subject) {
        self.doubted.insert(subject);
    }

    /// Whether what was seen is in doubt.
    pub fn is_doubted(&self, subject: &Subject) -> bool {
        self.doubted.contains(subject)
    }

    /// Secrets of which a sweep says something else than what was seen.
    pub fn doubted_secrets(&self) -> impl Iterator<Item = &SecretItemName> {
        self.doubted.iter().filter_map(|subject| match subject {
            Subject::Secret(item) => Some(item),
            Subject::Association | Subject::Role => None,
        })
    }

    /// Whether what is known is known from a listing alone.
    pub fn is_only_listed(&self, subject: &Subject) -> bool {
        self.listed.contains(subject) && self.seen_at(subject).is_some()
    }

    /// When something was seen last, whichever way.
    pub fn seen_at(&self, subject: &Subject) -> Option<Timestamp> {
        match subject {
            Subject::Association => self.association.at(),
            Subject::Role => self.role.at(),
            Subject::Secret(item) => self.secrets.get(item)?.at(),
        }
    }

    /// When something was described last; `None` for what only a listing showed.
    pub fn described_at(&self, subject: &Subject) -> Option<Timestamp> {
        if self.listed.contains(subject) { None } else { self.seen_at(subject) }
    }

    fn settled(&mut self, subject: &Subject) {
        self.doubted.remove(subject);
        self.listed.remove(subject);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time")
    }

    #[test]
    fn what_is_known_by_looking_is_not_overwritten_by_a_listing_and_ends_every_doubt() {
        let mut view = AwsView::default();
        view.saw_association_listed(at(1), FoundAssociation::None);
        assert!(view.is_only_listed(&Subject::Association));
        assert_eq!(view.described_at(&Subject::Association), None);

        view.doubt(Subject::Association);
        view.saw_association(at(2), FoundAssociation::None);
        assert!(!view.is_only_listed(&Subject::Association) && !view.is_doubted(&Subject::Association));

        view.saw_association_listed(at(3), FoundAssociation::Several(Vec::new()));
        assert_eq!(view.association, Look::At(at(2), FoundAssociation::None));
        assert_eq!(view.described_at(&Subject::Association), Some(at(2)));
    }

    #[test]
    fn what_was_forgotten_is_not_known_from_a_listing_either() {
        let mut view = AwsView::default();
        view.saw_association_listed(at(1), FoundAssociation::None);
        view.association = Look::Never;
        assert!(!view.is_only_listed(&Subject::Association));
    }
}
