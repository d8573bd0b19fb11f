//! What two listings of the whole cluster say against what is known.
//!
//! PURE. A listing lags (associations several seconds, secrets up to five minutes), so nothing here is proof: whatever is
//! contradicted is looked at itself by the tenant that it concerns.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::orphans::{Memory, Orphans, orphans};
use crate::{
    api::{
        class::{IdentityMode, SecretsMode},
        labels::tags,
        names::{AssociationId, SecretItemName, TenantName},
        record::{RecordPhase, RecordedSecret, TenantRecordSpec},
    },
    aws::types::{ListedAssociation, ListedSecret, Secret},
    tenant::{
        census::{Census, has_access},
        cloud::is_ours,
        ledger::secret_name,
        looks::Subject,
        observed::{AwsView, FoundAssociation, Look},
    },
};

/// Both listings.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Before the first of them was asked for: what was seen later is known better.
    pub began: Timestamp,
    /// Every association of the cluster.
    pub associations: Vec<ListedAssociation>,
    /// Every secret under the operator's prefix.
    pub secrets: Vec<ListedSecret>,
}

/// Where an association is: a namespace and a ServiceAccount in it.
pub type Account<'a> = (&'a str, &'a str);

/// Where a record says that its tenant's association is.
pub fn account(record: &TenantRecordSpec) -> Account<'_> {
    (record.namespace.name.as_str(), record.service_account.as_str())
}

fn listed_account(listed: &ListedAssociation) -> Account<'_> {
    (listed.namespace.as_str(), listed.service_account.as_str())
}

impl Listing {
    /// The associations, by where they are.
    pub fn by_account(&self) -> BTreeMap<Account<'_>, Vec<&ListedAssociation>> {
        let mut all: BTreeMap<Account<'_>, Vec<&ListedAssociation>> = BTreeMap::new();
        for one in &self.associations {
            all.entry(listed_account(one)).or_default().push(one);
        }
        all
    }

    /// The secrets, by name.
    pub fn by_name(&self) -> BTreeMap<&str, &Secret> {
        self.secrets.iter().map(|one| (one.secret.name.as_str(), &one.secret)).collect()
    }
}

/// How a listing contradicts what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// It is not listed.
    Vanished,
    /// It is listed, and was not there.
    Appeared,
    /// Another one is listed in its place.
    Replaced,
    /// It is listed more than once.
    Doubled,
    /// Its tags, its versions or its deletion differ.
    Changed,
}

/// Something that a tenant is to look at itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Suspicion {
    /// Whose it is.
    pub tenant: TenantName,
    /// What.
    pub subject: Subject,
    /// Why.
    pub finding: Finding,
}

/// Everything that one sweep found.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// What tenants are to look at.
    pub suspicions: Vec<Suspicion>,
    /// Tenants whose record is to be rebuilt.
    pub unrecorded: BTreeSet<TenantName>,
    /// Associations whose tags are not known, or not known any more.
    pub unknown: Vec<AssociationId>,
    /// What nobody stands behind.
    pub orphans: Orphans,
}

/// Judges one sweep. What is remembered goes in and comes out.
pub fn judge(listing: &Listing, census: &Census, memory: Memory, now: Timestamp) -> (Findings, Memory) {
    let places = Places::of(census);
    let strangers: Vec<&ListedAssociation> =
        listing.associations.iter().filter(|one| !one.is_addons && !places.is_somebodys(one)).collect();
    let memory = memory.following(&strangers);
    let loose = listing.secrets.iter().filter(|one| !places.secrets.contains_key(&one.secret.name));
    let (orphans, unrecorded, memory) = orphans(loose, &strangers, census, memory, now);
    let unknown = memory.unknown(&strangers);
    (Findings { suspicions: suspicions(listing, census), unrecorded, unknown, orphans }, memory)
}

/// Where records say that something of theirs is.
struct Places<'a> {
    accounts: BTreeSet<Account<'a>>,
    /// Associations by which former workloads live that are being adopted, under any ServiceAccount.
    former: BTreeSet<&'a AssociationId>,
    secrets: BTreeMap<String, &'a TenantName>,
}

impl<'a> Places<'a> {
    fn of(census: &'a Census) -> Self {
        let (mut accounts, mut former, mut secrets) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for (tenant, record) in census.readable() {
            // An association of a tenant whose access has ended is at nobody's place, and looked at.
            accounts.extend(has_access(record).then(|| account(record)));
            former.extend(record.adoption.iter().flat_map(|adoption| &adoption.former_associations));
            for item in &record.secrets.items {
                secrets.insert(secret_name(record, item.name.as_str()), tenant);
            }
        }
        Self { accounts, former, secrets }
    }

    fn is_somebodys(&self, listed: &ListedAssociation) -> bool {
        self.accounts.contains(&listed_account(listed)) || self.former.contains(&listed.id)
    }
}

/// What the listings contradict.
pub fn suspicions(listing: &Listing, census: &Census) -> Vec<Suspicion> {
    let (by_account, secrets) = (listing.by_account(), listing.by_name());
    let mut found = Vec::new();
    for (tenant, record) in census.living() {
        let Some(view) = census.aws.get(tenant) else { continue };
        let ids = by_account.get(&account(record)).into_iter().flatten().map(|one| &one.id).collect();
        let association = of_association(listing, record, view, &ids).map(|finding| (Subject::Association, finding));
        let contradicted = association.into_iter().chain(of_secrets(listing, record, view, &secrets));
        found.extend(contradicted.map(|(subject, finding)| Suspicion { tenant: tenant.clone(), subject, finding }));
    }
    found.extend(of_records(listing, census));
    found.sort_unstable();
    found.dedup();
    found
}

/// Secrets that records do not have as they should: of a tenant that is kept for its owner one that is scheduled for deletion
/// or gone, and of anybody one that the record does not name, as after it was rebuilt.
fn of_records(listing: &Listing, census: &Census) -> Vec<Suspicion> {
    let secrets = listing.by_name();
    let kept =
        census.readable().filter(|(_, record)| record.phase == RecordPhase::Retained).flat_map(|(tenant, record)| {
            let view = census.aws.get(tenant);
            let items = record.secrets.items.iter().filter(|_| record.secrets.mode != SecretsMode::None);
            let found = items.filter_map(|item| {
                let listed = secrets.get(secret_name(record, item.name.as_str()).as_str()).copied();
                let look = view.and_then(|view| view.secrets.get(&item.name)).unwrap_or(&Look::Never);
                let finding = of_kept_secret(listing, item, look, listed.filter(|one| census.is_ours(&one.tags)))?;
                Some(Suspicion { tenant: tenant.clone(), subject: Subject::Secret(item.name.clone()), finding })
            });
            found.collect::<Vec<_>>()
        });
    kept.chain(listing.secrets.iter().filter_map(|one| unnamed(census, &one.secret))).collect()
}

/// What a listing says of a secret that is kept. What was looked at since is known better.
fn of_kept_secret(
    listing: &Listing,
    item: &RecordedSecret,
    look: &Look<Option<Arc<Secret>>>,
    listed: Option<&Secret>,
) -> Option<Finding> {
    let is_news = matches!(look, Look::Never) || is_older(look, listing);
    match listed {
        Some(secret) if secret.deleted_at.is_some() => is_news.then_some(Finding::Changed),
        Some(_) => None,
        // Somebody has looked, and it was not there.
        None if item.arn.is_none() || matches!(look, Look::At(_, None)) => None,
        None => is_news.then_some(Finding::Vanished),
    }
}

/// A secret of a record's incarnation that the record does not name.
fn unnamed(census: &Census, secret: &Secret) -> Option<Suspicion> {
    let tenant: TenantName = secret.tags.get(tags::TENANT)?.parse().ok()?;
    let record = census.records.get(&tenant)?.spec.as_ref().ok()?;
    let is_its = is_ours(&secret.tags, &tenant, record, &census.cluster_uid)
        && matches!(record.phase, RecordPhase::Active | RecordPhase::Retained);
    let item: SecretItemName = secret.name.strip_prefix(&secret_name(record, ""))?.parse().ok()?;
    let is_named = record.secrets.items.iter().any(|one| one.name == item);
    let is_news = is_its && !is_named && record.secrets.mode != SecretsMode::None;
    is_news.then_some(Suspicion { tenant, subject: Subject::Secret(item), finding: Finding::Appeared })
}

/// What is seen before a listing begins may be contradicted by it; what is seen later is known better.
fn is_older<T>(look: &Look<T>, listing: &Listing) -> bool {
    matches!(look, Look::At(at, _) if *at < listing.began)
}

fn of_association(
    listing: &Listing,
    record: &TenantRecordSpec,
    view: &AwsView,
    listed: &BTreeSet<&AssociationId>,
) -> Option<Finding> {
    if record.identity.mode == IdentityMode::None || !is_older(&view.association, listing) {
        return None;
    }
    let known: BTreeSet<&AssociationId> = match view.association.seen()? {
        FoundAssociation::None => BTreeSet::new(),
        FoundAssociation::One(association) => BTreeSet::from([&association.id]),
        FoundAssociation::Several(ids) => ids.iter().collect(),
    };
    if known == *listed {
        None
    } else if listed.is_empty() {
        Some(Finding::Vanished)
    } else if known.is_empty() {
        Some(Finding::Appeared)
    } else if listed.len() > 1 {
        Some(Finding::Doubled)
    } else {
        Some(Finding::Replaced)
    }
}

fn of_secrets<'a>(
    listing: &'a Listing,
    record: &'a TenantRecordSpec,
    view: &'a AwsView,
    listed: &'a BTreeMap<&str, &Secret>,
) -> impl Iterator<Item = (Subject, Finding)> + 'a {
    let items = record.secrets.items.iter().filter(|_| record.secrets.mode != SecretsMode::None);
    items.filter_map(move |item| {
        let look = view.secrets.get(&item.name).filter(|look| is_older(look, listing))?;
        let listed = listed.get(secret_name(record, item.name.as_str()).as_str());
        let finding = match (look.seen()?, listed) {
            (None, None) => return None,
            (None, Some(_)) => Finding::Appeared,
            (Some(_), None) => Finding::Vanished,
            (Some(known), Some(listed)) if known.arn != listed.arn => Finding::Replaced,
            (Some(known), Some(listed)) if is_same(known, listed) => return None,
            (Some(_), Some(_)) => Finding::Changed,
        };
        Some((Subject::Secret(item.name.clone()), finding))
    })
}

/// Whether two looks at one secret say the same. A listing and a description date its deletion differently (service
/// model: when it was asked for, and when it is due), so only that it is asked for is compared.
pub fn is_same(one: &Secret, other: &Secret) -> bool {
    one.tags == other.tags && one.versions == other.versions && one.deleted_at.is_some() == other.deleted_at.is_some()
}
