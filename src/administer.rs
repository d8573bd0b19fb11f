//! Commands of administrators: who is kept, what is being removed, and orders. They see with the caller's own rights and
//! change nothing but annotations on TenantRecords, by which the leading operator is told what to do; `release` alone takes
//! finalizers off.

mod lists;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    api::{
        labels::{CONFIRM_DELETION, FIELD_MANAGER, FINALIZER},
        names::{ClassName, TenantName},
        record::TenantRecordSpec,
    },
    fence::REQUEST_TIMEOUT,
    kubernetes::{
        definitions,
        listing::{ListError, all},
    },
    lease,
    telemetry::result::describe,
    tenant::{
        breaker::{Deletion, Stage, asked_for, deletions},
        child::KindInfo,
        observed::{RecordView, TenantView},
        views,
    },
};

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
         (ClusterRole openclaw-record-administrator), release needs patch on tenants.openclaw.io"
    )]
    Refused {
        /// Which object.
        what: String,
        /// Why not.
        why: String,
    },
    /// A running operator would put the finalizers back.
    #[error(
        "an operator leads ({holder}) and would put the finalizers back: stop it first, such as with kubectl --namespace \
         openclaw-system scale deployment openclaw-tenant-operator --replicas 0, and try again in half a minute"
    )]
    OperatorLeads {
        /// Who holds the lease.
        holder: String,
    },
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
        deletions(self.readable(), unrecorded, |record| self.halted.contains(&record.class_name), self.now)
    }

    /// Who is kept for their owner: retained, and not being removed with a Tenant.
    pub fn retained(&self) -> Vec<(&TenantName, &TenantRecordSpec)> {
        let is_kept = |tenant: Option<&TenantView>, record: &TenantRecordSpec| {
            record.phase == crate::api::record::RecordPhase::Retained && asked_for(tenant, record).is_none()
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

    /// Tenants that carry our finalizer.
    pub fn held_by_finalizer(&self) -> Vec<(&TenantName, &TenantView)> {
        self.tenants.iter().filter(|(_, tenant)| tenant.has_our_finalizer()).collect()
    }
}

/// Writes an order on a record: an annotation, which the leading operator takes off when it has dealt with it.
///
/// # Errors
/// Where Kubernetes refuses or does not answer.
pub async fn order(
    client: &Client,
    name: &TenantName,
    view: &RecordView,
    key: &str,
    value: &str,
) -> Result<(), AdministerError> {
    let patch = json!({ "metadata": { "uid": view.uid, "annotations": { key: value } } });
    patch_object(client, definitions::RECORD, name.as_str(), &patch).await
}

async fn patch_object(client: &Client, info: KindInfo, name: &str, patch: &Value) -> Result<(), AdministerError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from(info));
    let params = PatchParams { field_manager: Some(format!("{FIELD_MANAGER}-command")), ..PatchParams::default() };
    let refused = |why: String| AdministerError::Refused { what: format!("{} {name}", info.kind), why };
    match tokio::time::timeout(REQUEST_TIMEOUT, api.patch_metadata(name, &params, &Patch::Merge(patch))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(refused(describe(&error))),
        Err(_) => Err(refused(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()))),
    }
}

/// Confirms the oldest removals that the breaker holds, at most so many; says which.
///
/// # Errors
/// Where an order cannot be given; those before it stand.
pub async fn confirm(client: &Client, sight: &Sight, most: usize) -> Result<Vec<Deletion>, AdministerError> {
    let held = sight.deletions().into_iter().filter(|one| matches!(one.stage, Stage::Held(_)));
    let chosen: Vec<Deletion> = held.take(most).collect();
    for deletion in &chosen {
        let (view, _) = sight.record(&deletion.tenant)?;
        order(client, &deletion.tenant, view, CONFIRM_DELETION, deletion.incarnation.as_str()).await?;
    }
    Ok(chosen)
}

/// Fails while an operator leads: it would put back what is taken off.
///
/// # Errors
/// Where one does, or that cannot be known.
pub async fn nobody_leads(client: &Client, now: Timestamp) -> Result<(), AdministerError> {
    let api: Api<k8s_openapi::api::coordination::v1::Lease> = Api::namespaced(client.clone(), lease::NAMESPACE);
    let refused =
        |why: String| AdministerError::Refused { what: format!("Lease {}/{}", lease::NAMESPACE, lease::NAME), why };
    let lease = match tokio::time::timeout(REQUEST_TIMEOUT, api.get_opt(lease::NAME)).await {
        Ok(answer) => answer.map_err(|error| refused(describe(&error)))?,
        Err(_) => return Err(refused(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()))),
    };
    let Some(spec) = lease.and_then(|lease| lease.spec) else { return Ok(()) };
    let lasts = SignedDuration::from_secs(i64::from(spec.lease_duration_seconds.unwrap_or(15)));
    let is_current = spec.renew_time.is_some_and(|at| now.duration_since(at.0) < lasts);
    match spec.holder_identity.filter(|holder| is_current && !holder.is_empty()) {
        Some(holder) => Err(AdministerError::OperatorLeads { holder }),
        None => Ok(()),
    }
}

/// Takes our finalizer off a Tenant and touches nothing else: what it has stays, and a Tenant of the same owner gets it back.
///
/// # Errors
/// Where Kubernetes refuses or does not answer.
pub async fn release(client: &Client, name: &TenantName, tenant: &TenantView) -> Result<(), AdministerError> {
    let finalizers: Vec<&String> = tenant.finalizers.iter().filter(|one| *one != FINALIZER).collect();
    let metadata = json!({ "uid": tenant.uid, "resourceVersion": tenant.resource_version, "finalizers": finalizers });
    patch_object(client, definitions::TENANT, name.as_str(), &json!({ "metadata": metadata })).await
}
