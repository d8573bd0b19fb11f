//! Commands of administrators: who is kept, what is being removed, and orders. They see with the caller's own rights and
//! change nothing but annotations on TenantRecords, by which the leading operator is told what to do; `release` alone takes
//! finalizers off.

mod changes;
mod leader;
mod lists;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

use crate::{
    api::{
        names::{ClassName, TenantName},
        record::{RecordPhase, TenantRecordSpec},
    },
    kubernetes::{
        definitions,
        listing::{ListError, all},
    },
    lease,
    tenant::{
        breaker::{Deletion, Fleet, asked_for, deletions},
        observed::{RecordView, TenantView},
        views,
    },
};

pub use changes::{Tally, confirm, order, order_rotation, release};
pub use leader::{Vigil, nobody_leads};
pub use lists::{deletions_json, deletions_table, retained_json, retained_table, table};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum AdministerError {
    /// The cluster cannot be seen.
    #[error(transparent)]
    List(#[from] ListError),
    /// Nobody has ever used this name.
    #[error("there is no TenantRecord {0}: openclaw-tenant-operator retained lists who is kept")]
    NoRecord(TenantName),
    /// There is no Tenant of this name.
    #[error(
        "there is no Tenant {0}: openclaw-tenant-operator status lists all, and retained those who are kept without one"
    )]
    NoTenant(TenantName),
    /// The record cannot be read.
    #[error("TenantRecord {0} cannot be read by this version: {1}")]
    Unreadable(TenantName, String),
    /// It is another incarnation.
    #[error(
        "TenantRecord {name} holds incarnation {found}, not {given}: look again, it is another tenant than you mean"
    )]
    OtherIncarnation {
        /// Whose.
        name: TenantName,
        /// What it holds.
        found: String,
        /// What was meant.
        given: String,
    },
    /// The order cannot be given.
    #[error(
        "{what} cannot be changed: {why}. Orders need the verbs patch and administer on tenantrecords.openclaw.io \
         (ClusterRole openclaw-record-administrator), release and rotate need patch on tenants.openclaw.io"
    )]
    Refused {
        /// Which object.
        what: String,
        /// Why not.
        why: String,
    },
    /// It is not any more what the caller has looked at.
    #[error("{what} has changed since it was looked at: look again, whether what you order is still what you mean")]
    Changed {
        /// Which object.
        what: String,
    },
    /// Not everything was done.
    #[error("left as they were: {}. {why}", names(left))]
    Left {
        /// Whose.
        left: Vec<TenantName>,
        /// Why.
        why: String,
    },
    /// Whether an operator leads cannot be known.
    #[error(
        "whether an operator leads cannot be seen on Lease {}/{}: {why}. It needs the right to get it",
        lease::NAMESPACE,
        lease::NAME
    )]
    LeaseUnknown {
        /// Why not.
        why: String,
    },
    /// A running operator would put the finalizers back.
    #[error(
        "an operator leads ({}) and would put the finalizers back: stop it first, such as with kubectl --namespace \
         openclaw-system scale deployment openclaw-tenant-operator --replicas 0, and try again",
        holder.as_deref().unwrap_or("its lease has moved, and names nobody at this moment")
    )]
    OperatorLeads {
        /// Who holds the lease, where it names somebody.
        holder: Option<String>,
    },
}

fn names(tenants: &[TenantName]) -> String {
    tenants.iter().map(TenantName::as_str).collect::<Vec<_>>().join(", ")
}

/// What administrators see of the cluster.
pub struct Sight {
    tenants: BTreeMap<TenantName, TenantView>,
    records: BTreeMap<TenantName, RecordView>,
    halted: BTreeSet<ClassName>,
    now: Timestamp,
}

/// Looks at all Tenants, records and classes.
///
/// # Errors
/// Where Kubernetes refuses or does not answer.
pub async fn look(client: &Client) -> Result<Sight, ListError> {
    let (tenants, records, classes) = tokio::try_join!(
        all(client, definitions::TENANT),
        all(client, definitions::RECORD),
        all(client, definitions::CLASS),
    )?;
    let name = |object: &Value| views::name(object).parse::<TenantName>().ok();
    let halted = classes.iter().filter(|class| views::is_halted(class));
    Ok(Sight {
        tenants: tenants.iter().filter_map(|one| Some((name(one)?, views::tenant(one)?))).collect(),
        records: records.iter().filter_map(|one| Some((name(one)?, views::record(one)?))).collect(),
        halted: halted.filter_map(|class| views::name(class).parse().ok()).collect(),
        now: Timestamp::now(),
    })
}

impl Sight {
    fn readable(&self) -> impl Iterator<Item = (&TenantName, Option<&TenantView>, &TenantRecordSpec)> {
        let records = self.records.iter().filter_map(|(name, view)| Some((name, view.spec.as_ref().ok()?)));
        records.map(|(name, record)| (name, self.tenants.get(name), record))
    }

    /// Removals that have not come to their end, the oldest first.
    pub fn deletions(&self) -> Vec<Deletion> {
        let has_record = |name: &TenantName| self.records.get(name).is_some_and(|view| view.spec.is_ok());
        let unrecorded = self.tenants.iter().filter(|(name, _)| !has_record(name)).map(|(_, tenant)| tenant);
        let fleet = Fleet::of(self.readable().map(|(_, tenant, record)| (tenant, record)), unrecorded, self.now);
        deletions(self.readable(), &fleet, |record| self.halted.contains(&record.class_name), self.now)
    }

    /// Who is kept for their owner: retained, and not being removed with a Tenant; and who runs on though no Tenant holds them.
    pub fn retained(&self) -> Vec<(&TenantName, &TenantRecordSpec)> {
        let is_kept = |tenant: Option<&TenantView>, record: &TenantRecordSpec| match record.phase {
            RecordPhase::Retained => asked_for(tenant, record).is_none(),
            RecordPhase::Active => tenant.is_none(),
            RecordPhase::Purging | RecordPhase::Purged => false,
        };
        self.readable().filter(|(_, tenant, record)| is_kept(*tenant, record)).map(|(name, _, r)| (name, r)).collect()
    }

    /// A record that can be read.
    ///
    /// # Errors
    /// Where there is none of that name, or it cannot be read.
    pub fn record(&self, name: &TenantName) -> Result<(&RecordView, &TenantRecordSpec), AdministerError> {
        let view = self.records.get(name).ok_or_else(|| AdministerError::NoRecord(name.clone()))?;
        match &view.spec {
            Ok(record) => Ok((view, record)),
            Err(why) => Err(AdministerError::Unreadable(name.clone(), why.clone())),
        }
    }

    /// Whether a tenant's orders wait, because its Tenant is paused.
    pub fn is_paused(&self, name: &TenantName) -> bool {
        self.tenants.get(name).is_some_and(|tenant| tenant.paused)
    }

    /// Tenants that carry our finalizer.
    pub fn held_by_finalizer(&self) -> Vec<(&TenantName, &TenantView)> {
        self.tenants.iter().filter(|(_, tenant)| tenant.has_our_finalizer()).collect()
    }
}
