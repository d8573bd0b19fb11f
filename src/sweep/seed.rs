//! What a listing shows exactly as it is recorded, so that a restart need not look at each of thousands of tenants.
//!
//! PURE. What differs in anything is left out: the tenant looks itself. What is taken over is enough to rest on, and is
//! looked at itself before anything is done on the ground of it (`tenant::looks`).

use std::collections::BTreeMap;

use super::findings::{Listing, account};
use crate::{
    api::{
        class::{IdentityMode, SecretsMode},
        names::{SecretItemName, TenantName, Uid},
        record::{RecordedSecret, SecretOrigin, TenantRecordSpec},
    },
    aws::types::{Association, ListedAssociation, Secret},
    tenant::{
        census::Census,
        cloud::{identifying_tags, is_ours},
        ledger::secret_name,
        observed::FoundAssociation,
    },
};

/// What a listing shows of one tenant as it is recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seed {
    /// The association.
    pub association: Option<FoundAssociation>,
    /// Secrets.
    pub secrets: Vec<(SecretItemName, Secret)>,
}

/// What the listings show as it is recorded, by tenant.
pub fn seeds(listing: &Listing, census: &Census) -> BTreeMap<TenantName, Seed> {
    let (by_account, secrets) = (listing.by_account(), listing.by_name());
    let seed = |(tenant, record): (&TenantName, &TenantRecordSpec)| {
        let listed = by_account.get(&account(record)).map(Vec::as_slice).unwrap_or_default();
        let association = association(tenant, record, listed, &census.cluster_uid);
        let items = record.secrets.items.iter().filter(|_| record.secrets.mode != SecretsMode::None);
        let as_recorded = items.filter_map(|item| {
            let listed = secrets.get(secret_name(record, item.name.as_str()).as_str())?;
            let is_it = is_ours(&listed.tags, tenant, record, &census.cluster_uid) && is_as_recorded(item, listed);
            is_it.then(|| (item.name.clone(), (*listed).clone()))
        });
        (tenant.clone(), Seed { association, secrets: as_recorded.collect() })
    };
    census.living().map(seed).collect()
}

/// The recorded association and no other, or none where none is recorded. Role and tags are not in a listing: the role is
/// taken for the one that was seen last, and tags for what they should be, until the association is described.
fn association(
    tenant: &TenantName,
    record: &TenantRecordSpec,
    listed: &[&ListedAssociation],
    cluster_uid: &Uid,
) -> Option<FoundAssociation> {
    if record.identity.mode == IdentityMode::None {
        return None;
    }
    match (listed, &record.identity.association_id) {
        ([], None) => Some(FoundAssociation::None),
        ([one], Some(id)) if one.id == *id && !one.is_addons => Some(FoundAssociation::One(Association {
            id: one.id.clone(),
            arn: one.arn.clone(),
            namespace: one.namespace.clone(),
            service_account: one.service_account.clone(),
            role_arn: record.identity.given_role_arn.clone(),
            owner_arn: None,
            tags: identifying_tags(tenant, record, cluster_uid),
            created_at: None,
        })),
        _ => None,
    }
}

/// A listing lags up to five minutes: one that shows another version than the recorded one is not taken for the truth.
fn is_as_recorded(item: &RecordedSecret, listed: &Secret) -> bool {
    let version = match item.origin {
        SecretOrigin::Generated => item.version_id.as_ref().is_some_and(|version| listed.has_version(version)),
        SecretOrigin::Person => listed.current_version() == item.version_id,
    };
    item.arn.as_ref() == Some(&listed.arn) && listed.deleted_at.is_none() && version
}
