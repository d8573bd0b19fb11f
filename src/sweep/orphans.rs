//! What this cluster made in AWS, by its tags, and nobody stands behind any more.
//!
//! PURE. Being told of an orphan is the first step to deleting it, so everything that could be a fault of our own sight
//! speaks against it: one sighting is none, and too many at once are none either.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    api::names::{AssociationId, TenantName},
    aws::types::{Association, ListedAssociation, ListedSecret, Tags},
    tenant::{
        census::{Census, Claim},
        observed::Definitions,
    },
};

/// Two sightings count only where so much time lies between them: listings lag, records are rebuilt, backups are
/// restored.
pub const SEEN_APART: Duration = Duration::from_hours(1);

/// So many at once are believed whatever the number of records.
const BELIEVED: usize = 5;

/// Of so many records one orphan is believed.
const RECORDS_PER_ORPHAN: usize = 10;

/// A kind of resource in AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Pod Identity association.
    Association,
    /// Secret.
    Secret,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Association, Self::Secret];

    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Association => "association",
            Self::Secret => "secret",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A resource that is ours and that nobody stands behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// What it is.
    pub kind: Kind,
    /// Id of the association, name of the secret: what the AWS command line takes.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Namespace and ServiceAccount of an association.
    pub account: Option<(String, String)>,
    /// Its tags.
    pub tags: Tags,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Since when it is seen as one.
    pub since: Timestamp,
}

/// All orphans of one sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Seen in two sweeps that lie far enough apart.
    pub confirmed: Vec<Orphan>,
    /// Seen for too short a time.
    pub suspected: Vec<Orphan>,
    /// Why none of them is believed.
    pub refused: Option<Refusal>,
}

/// Why orphans are not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Our kinds are not served, so nobody can stand behind anything.
    NoDefinitions,
    /// There is no Tenant at all.
    NoTenants,
    /// More at once than a leak explains.
    TooMany {
        /// How many there are.
        found: usize,
        /// How many would be believed.
        believed: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDefinitions => f.write_str("the CustomResourceDefinitions do not stand"),
            Self::NoTenants => f.write_str("there is no Tenant at all"),
            Self::TooMany { found, believed } => {
                write!(f, "{found} at once are more than the {believed} that a leak explains")
            }
        }
    }
}

/// What one sweep remembers for the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Associations at no record's place, as described; `None` for one that was gone by then.
    strangers: BTreeMap<AssociationId, Option<Association>>,
    /// Since when each orphan is seen, by ARN.
    since: BTreeMap<String, Timestamp>,
}

impl Memory {
    /// An association at no record's place was described.
    pub fn described(&mut self, id: AssociationId, association: Option<Association>) {
        self.strangers.insert(id, association);
    }

    /// Forgets those that are not listed any more. An id is never given twice, and whose an association is does not
    /// change while it is at no record's place, so one description is enough.
    pub(super) fn following(mut self, listed: &[&ListedAssociation]) -> Self {
        let ids: BTreeSet<&AssociationId> = listed.iter().map(|one| &one.id).collect();
        self.strangers.retain(|id, _| ids.contains(id));
        self
    }

    pub(super) fn unknown(&self, listed: &[&ListedAssociation]) -> Vec<AssociationId> {
        listed.iter().map(|one| one.id.clone()).filter(|id| !self.strangers.contains_key(id)).collect()
    }
}

/// Orphans among secrets and associations at no record's place, and tenants whose record is to be rebuilt.
pub(super) fn orphans<'a>(
    secrets: impl Iterator<Item = &'a ListedSecret>,
    strangers: &[&ListedAssociation],
    census: &Census,
    memory: Memory,
    now: Timestamp,
) -> (Orphans, BTreeSet<TenantName>, Memory) {
    let described = strangers.iter().filter_map(|one| memory.strangers.get(&one.id)?.as_ref());
    // One that is scheduled for deletion was decided about by somebody.
    let secrets = secrets.filter(|one| one.secret.deleted_at.is_none()).map(of_secret);
    let ours = described.map(of_association).chain(secrets).filter(|one| census.is_ours(&one.tags));
    let (mut found, mut unrecorded) = (Vec::new(), BTreeSet::new());
    for one in ours {
        match census.claim(&one.tags, one.kind == Kind::Association) {
            Claim::Held => {}
            Claim::Unrecorded(tenant) => {
                unrecorded.insert(tenant);
            }
            Claim::Nobody => {
                let since = memory.since.get(&one.arn).copied().unwrap_or(now);
                found.push(Orphan { since, ..one });
            }
        }
    }
    let since = found.iter().map(|one| (one.arn.clone(), one.since)).collect();
    let refused = refusal(census, found.len());
    let is_confirmed = |one: &Orphan| now.duration_since(one.since).unsigned_abs() > SEEN_APART;
    let (confirmed, suspected) = found.into_iter().partition(is_confirmed);
    (Orphans { confirmed, suspected, refused }, unrecorded, Memory { since, ..memory })
}

fn refusal(census: &Census, found: usize) -> Option<Refusal> {
    let believed = BELIEVED.max(census.records.len() / RECORDS_PER_ORPHAN);
    if found == 0 {
        None
    } else if census.definitions != Definitions::Stand {
        Some(Refusal::NoDefinitions)
    } else if census.tenants.is_empty() {
        Some(Refusal::NoTenants)
    } else if found > believed {
        Some(Refusal::TooMany { found, believed })
    } else {
        None
    }
}

fn of_association(association: &Association) -> Orphan {
    Orphan {
        kind: Kind::Association,
        name: association.id.to_string(),
        arn: association.arn.clone(),
        account: Some((association.namespace.clone(), association.service_account.clone())),
        tags: association.tags.clone(),
        created_at: association.created_at,
        since: Timestamp::UNIX_EPOCH,
    }
}

fn of_secret(listed: &ListedSecret) -> Orphan {
    Orphan {
        kind: Kind::Secret,
        name: listed.secret.name.clone(),
        arn: listed.secret.arn.to_string(),
        account: None,
        tags: listed.secret.tags.clone(),
        created_at: listed.created_at,
        since: Timestamp::UNIX_EPOCH,
    }
}
