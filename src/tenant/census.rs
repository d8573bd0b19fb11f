//! All tenants at once, as far as a sweep over AWS needs them.
//!
//! PURE. Whom a resource in AWS belongs to is asked here, with the cautious answer wherever something is not known.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use smol_str::SmolStr;

use super::observed::{AwsView, Definitions, RecordView};
use crate::{
    api::{
        labels::tags,
        names::{Incarnation, TenantName, Uid},
        record::{RecordPhase, TenantRecordSpec},
    },
    aws::types::Tags,
};

/// All tenants at once.
#[derive(Clone, Debug)]
pub struct Census {
    /// Whether our kinds are served.
    pub definitions: Definitions,
    /// UID of `kube-system`, by which AWS resources tell clusters apart.
    pub cluster_uid: Uid,
    /// Names that have a Tenant.
    pub tenants: BTreeSet<TenantName>,
    /// Records.
    pub records: BTreeMap<TenantName, Arc<RecordView>>,
    /// Tenants and incarnations that namespaces bear.
    pub marks: BTreeSet<(TenantName, Incarnation)>,
    /// What is known of each tenant in AWS.
    pub aws: BTreeMap<TenantName, Arc<AwsView>>,
}

/// Who stands behind a resource in AWS that is this cluster's by its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A record of that incarnation, or a Tenant whose record is not made yet or cannot be read.
    Held,
    /// No record, but a namespace that bears the incarnation: the record of this tenant is to be rebuilt.
    Unrecorded(TenantName),
    /// Nobody.
    Nobody,
}

impl Census {
    /// The records that can be read.
    pub fn readable(&self) -> impl Iterator<Item = (&TenantName, &TenantRecordSpec)> {
        self.records.iter().filter_map(|(tenant, view)| Some((tenant, view.spec.as_ref().ok()?)))
    }

    /// Those of them whose tenant is there to look at what is said of it.
    pub fn living(&self) -> impl Iterator<Item = (&TenantName, &TenantRecordSpec)> {
        self.readable().filter(|(tenant, _)| self.tenants.contains(*tenant))
    }

    /// Whether a resource is this cluster's, by its tags.
    pub fn is_ours(&self, actual: &Tags) -> bool {
        actual.get(tags::CLUSTER_UID).is_some_and(|uid| self.cluster_uid == *uid.as_str())
            && actual.get(tags::MANAGED_BY).is_some_and(|by| by == tags::MANAGED_BY_US)
    }

    /// Who stands behind a resource with these tags. Behind an association that no record names, neither as its own nor as a
    /// former one, not the record of its incarnation, which says what it has: `is_unnamed`.
    pub fn claim(&self, actual: &Tags, is_unnamed: bool) -> Claim {
        let tag = |key: &str| actual.get(key).map(SmolStr::as_str);
        // What names no tenant can have no record.
        let Some(tenant) = tag(tags::TENANT).and_then(|name| name.parse::<TenantName>().ok()) else {
            return Claim::Nobody;
        };
        let incarnation = tag(tags::INCARNATION).and_then(|text| text.parse::<Incarnation>().ok());
        let holder = self.records.get(&tenant).map(|view| view.spec.as_ref());
        match holder {
            Some(Err(_)) => return Claim::Held,
            Some(Ok(record)) if Some(&record.incarnation) == incarnation.as_ref() => {
                return if is_unnamed { Claim::Nobody } else { Claim::Held };
            }
            Some(Ok(_)) | None => {}
        }
        if incarnation.is_some_and(|incarnation| self.marks.contains(&(tenant.clone(), incarnation))) {
            // Where another incarnation has a record, the namespace is for a person to judge, and nobody's record is made.
            return if holder.is_none() { Claim::Unrecorded(tenant) } else { Claim::Held };
        }
        if holder.is_none() && self.tenants.contains(&tenant) { Claim::Held } else { Claim::Nobody }
    }
}

/// Whether a record's tenant may have a way to its workspace; where its Tenant only vanished, it still has.
pub fn has_access(record: &TenantRecordSpec) -> bool {
    record.phase == RecordPhase::Active
}
