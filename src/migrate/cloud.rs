//! PURE: what the old side has in AWS for a tenant: what consents to being taken over, what would stop the Tenant, and the commands by
//! which the rest consents.
//!
//! The operator judges the same things by the same rules once there is a Tenant (tenant/cloud/adoption.rs); here they are told before.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::{
    api::{
        class::{SecretsMode, TenantClassSpec},
        labels::{self, tags},
        names::{AssociationId, OwnerHash, SecretArn, SecretsPrefix, TenantName, Uid},
        record::TenantRecordSpec,
        tenant::TenantSpec,
    },
    aws::types::{Association, Secret, Tags},
    tenant::cloud::is_ours,
};

/// What was seen in AWS.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudSight {
    /// The EKS cluster's name.
    pub cluster_name: String,
    /// UID of this cluster's `kube-system`.
    pub cluster_uid: Uid,
    /// The region.
    pub region: String,
    /// What secrets' names begin with.
    pub prefix: SecretsPrefix,
    /// The secrets of each tenant, by its name; of one that could not be read nothing is said.
    pub secrets: BTreeMap<String, Vec<Secret>>,
    /// The associations of each tenant's namespace, by the tenant's name.
    pub associations: BTreeMap<String, Vec<Association>>,
}

/// What can consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A secret, by its name.
    Secret {
        /// Its name.
        name: String,
        /// Its ARN.
        arn: SecretArn,
    },
    /// An association.
    Association {
        /// Its id.
        id: AssociationId,
        /// Its ARN.
        arn: String,
        /// The ServiceAccount that it is for.
        account: String,
    },
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret { name, .. } => write!(f, "secret {name}"),
            Self::Association { id, account, .. } => write!(f, "association {id} of ServiceAccount {account}"),
        }
    }
}

impl Target {
    /// The command by which it consents.
    pub fn command(&self, tenant: &str, region: &str) -> String {
        let key = tags::ADOPT_BY;
        match self {
            Self::Secret { name, .. } => format!(
                "aws secretsmanager tag-resource --region {region} --secret-id {name} --tags Key={key},Value={tenant}"
            ),
            Self::Association { arn, .. } => {
                format!("aws eks tag-resource --region {region} --resource-arn {arn} --tags {key}={tenant}")
            }
        }
    }
}

/// How a thing in AWS stands to being taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It is the tenant's already.
    Ours,
    /// It consents.
    Consents,
    /// It does not consent, and would be taken over if it did.
    Silent,
    /// It does not consent, and nobody asks it to.
    Unasked,
    /// It cannot be taken over; why, and what to do.
    Refuses(String),
}

/// One thing in AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudItem {
    /// Which.
    pub target: Target,
    /// How it stands.
    pub stand: Stand,
}

/// What there is to say of a tenant's AWS half.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudReport {
    /// Each thing.
    pub items: Vec<CloudItem>,
    /// The region, for commands.
    pub region: String,
}

/// Whose it is to be.
pub struct Claimant<'a> {
    /// The tenant.
    pub name: &'a TenantName,
    /// The owner.
    pub owner: &'a OwnerHash,
    /// The class, where it was read.
    pub class: Option<&'a TenantClassSpec>,
    /// The Tenant, where it is there.
    pub tenant: Option<&'a TenantSpec>,
    /// Its record, where it is there.
    pub record: Option<&'a TenantRecordSpec>,
}

/// What there is to say of one tenant; `None` where its half was not seen.
pub fn judge(sight: &CloudSight, claimant: &Claimant<'_>) -> Option<CloudReport> {
    let name = claimant.name.as_str();
    let (secrets, associations) = (sight.secrets.get(name)?, sight.associations.get(name)?);
    let wanted = wanted(sight, claimant);
    let mut items: Vec<CloudItem> = secrets.iter().map(|one| secret(sight, claimant, &wanted, one)).collect();
    items.extend(
        associations.iter().filter(|one| !is_own_account(claimant, one)).map(|one| association(sight, claimant, one)),
    );
    Some(CloudReport { items, region: sight.region.clone() })
}

/// Names of the secrets that the Tenant will have. Where the class is not known, the one that every class has.
fn wanted(sight: &CloudSight, claimant: &Claimant<'_>) -> BTreeSet<String> {
    let of_class: Vec<&str> = match claimant.class {
        Some(class) if class.secrets.mode == SecretsMode::None => return BTreeSet::new(),
        Some(class) => class.secrets.generated.iter().map(|item| item.name.as_str()).collect(),
        None => vec![labels::GATEWAY_TOKEN],
    };
    let own = claimant.tenant.iter().flat_map(|spec| spec.secrets.iter().map(|item| item.name.as_str()));
    of_class.into_iter().chain(own).map(|item| format!("{}/{}/{item}", sight.prefix, claimant.name)).collect()
}

/// The workspace's own is nothing of the old side.
fn is_own_account(claimant: &Claimant<'_>, association: &Association) -> bool {
    claimant.record.is_some_and(|record| record.service_account.as_str() == association.service_account)
}

fn secret(sight: &CloudSight, claimant: &Claimant<'_>, wanted: &BTreeSet<String>, secret: &Secret) -> CloudItem {
    let target = Target::Secret { name: secret.name.clone(), arn: secret.arn.clone() };
    let is_wanted = wanted.contains(&secret.name);
    let stand = match stand(sight, claimant, &secret.tags) {
        Stand::Ours => Stand::Ours,
        _ if secret.deleted_at.is_some() && is_wanted => Stand::Refuses(format!(
            "it is scheduled for deletion: take it back (aws secretsmanager restore-secret --region {} --secret-id {}), or wait until \
             it is gone",
            sight.region, secret.name
        )),
        // Nobody needs its name.
        _ if !is_wanted => Stand::Unasked,
        stand => stand,
    };
    CloudItem { target, stand }
}

fn association(sight: &CloudSight, claimant: &Claimant<'_>, one: &Association) -> CloudItem {
    let target = Target::Association { id: one.id.clone(), arn: one.arn.clone(), account: one.service_account.clone() };
    CloudItem { target, stand: stand(sight, claimant, &one.tags) }
}

fn stand(sight: &CloudSight, claimant: &Claimant<'_>, actual: &Tags) -> Stand {
    let is_recorded = |record: &TenantRecordSpec| is_ours(actual, claimant.name, record, &sight.cluster_uid);
    if claimant.record.is_some_and(is_recorded) {
        return Stand::Ours;
    }
    contradiction(actual, claimant.name.as_str(), claimant.owner, &sight.cluster_uid).map_or_else(
        || if actual.contains_key(tags::ADOPT_BY) { Stand::Consents } else { Stand::Silent },
        Stand::Refuses,
    )
}

/// Why a thing with these tags is not this tenant's to take, whatever it says of consent; `None` where nothing speaks against it.
pub fn contradiction(actual: &Tags, tenant: &str, owner: &OwnerHash, cluster: &Uid) -> Option<String> {
    let tag = |key: &str| actual.get(key).map(SmolStr::as_str);
    if let Some(other) = tag(tags::ADOPT_BY).filter(|other| *other != tenant) {
        return Some(format!(
            "it has consented to be adopted by {other} ({}), which is not overwritten",
            tags::ADOPT_BY
        ));
    }
    if let Some(other) = tag(tags::CLUSTER_UID).filter(|uid| *cluster != **uid) {
        return Some(format!(
            "it belongs to cluster {other}: where that is no more, remove its tags {} and {} first",
            tags::CLUSTER_UID,
            tags::MANAGED_BY
        ));
    }
    let is_others = tag(tags::OWNER_HASH).is_some_and(|hash| hash != owner.as_str());
    is_others
        .then(|| format!("it belongs to another owner: remove its tag {} first, if it is this one's", tags::OWNER_HASH))
}

impl CloudItem {
    /// In words.
    pub fn said(&self) -> String {
        let what = &self.target;
        let is_secret = matches!(what, Target::Secret { .. });
        match &self.stand {
            Stand::Ours => format!("{what}: the tenant's already"),
            Stand::Consents => format!("{what}: consents"),
            Stand::Silent if is_secret => {
                format!("{what}: without its consent the Tenant becomes Stalled: SecretTaken")
            }
            Stand::Silent => format!("{what}: without its consent it is left when the adoption is finished"),
            Stand::Unasked => format!("{what}: neither class nor Tenant has an item of that name, so it is left"),
            Stand::Refuses(why) => format!("{what}: {why}"),
        }
    }
}

impl CloudReport {
    /// What could consent and does not.
    pub fn silent(&self) -> impl Iterator<Item = &Target> {
        self.items.iter().filter(|item| item.stand == Stand::Silent).map(|item| &item.target)
    }

    /// What stops the Tenant, until a person has decided.
    pub fn blocks(&self) -> Vec<String> {
        let refused = self.items.iter().filter(|item| matches!(item.stand, Stand::Refuses(_)));
        let secrets = refused.filter(|item| matches!(item.target, Target::Secret { .. }));
        secrets.map(CloudItem::said).collect()
    }

    /// As JSON, for programs.
    pub fn json(&self, tenant: &str) -> Value {
        let word = |stand: &Stand| match stand {
            Stand::Ours => "ours",
            Stand::Consents => "consents",
            Stand::Silent => "no consent",
            Stand::Unasked => "not asked for",
            Stand::Refuses(_) => "refused",
        };
        let item = |item: &CloudItem| {
            let kind = if matches!(item.target, Target::Secret { .. }) { "secret" } else { "association" };
            let why = if let Stand::Refuses(why) = &item.stand { Some(why) } else { None };
            let consent = (item.stand == Stand::Silent).then(|| item.target.command(tenant, &self.region));
            json!({
                "kind": kind, "what": item.target.to_string(), "stand": word(&item.stand), "why": why, "consent": consent,
            })
        };
        Value::Array(self.items.iter().map(item).collect())
    }
}
