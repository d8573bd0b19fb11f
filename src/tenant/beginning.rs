//! How a record begins: anew, or rebuilt from its mirrors where it was lost.
//!
//! PURE.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use smol_str::SmolStr;

use super::{
    adoption,
    blueprint::Refusal,
    cloud::wanted_role,
    digest::Digest,
    ledger::{new_secret, place_of_route},
    observed::{ClassView, Observed, TenantView},
    ownership::namespace_facts,
    reason::Reason,
};
use crate::api::{
    class::{Retention, SecretsMode, TenantClassSpec},
    labels,
    names::{ClassName, Incarnation, OwnerHash, ServiceAccountName, TenantName, Uid},
    quantity::Quantity,
    record::{
        RecordPhase, RecordedIdentity, RecordedNamespace, RecordedOwner, RecordedRouting, RecordedSecret,
        RecordedSecrets, RecordedStorage, Retirement, SecretOrigin, TenantRecordSpec,
    },
    tenant::{DeletionPolicy, TenantSpec},
};

/// What a new record is made from beside its class.
pub(super) struct Origin {
    pub(super) incarnation: Incarnation,
    pub(super) service_account: ServiceAccountName,
    pub(super) owner: RecordedOwner,
    pub(super) tenant_uid: Option<Uid>,
    pub(super) class_name: ClassName,
    pub(super) namespace: RecordedNamespace,
    pub(super) deletion_policy: DeletionPolicy,
    /// The order to rotate that need not be carried out any more.
    pub(super) order: Option<String>,
}

pub(super) fn new_record(observed: &Observed, class: &TenantClassSpec, origin: Origin) -> TenantRecordSpec {
    let mut record = TenantRecordSpec {
        phase: RecordPhase::Active,
        incarnation: origin.incarnation,
        tenant_uid: origin.tenant_uid,
        owner: origin.owner,
        class_name: origin.class_name,
        namespace: origin.namespace,
        service_account: origin.service_account,
        identity: RecordedIdentity {
            mode: class.identity.mode,
            role_arn: None,
            given_role_arn: None,
            association_id: None,
            nonce: observed.draw.derive("association"),
            ended_at: None,
            restarted_pod: None,
        },
        secrets: RecordedSecrets {
            mode: class.secrets.mode,
            prefix: observed.settings.secrets_prefix.clone(),
            kms_key_arn: class.secrets.kms_key_arn.clone(),
            order: origin.order,
            items: Vec::new(),
        },
        // Nothing until there is a claim to learn it from: nobody shrinks what does not exist.
        storage: RecordedStorage {
            class_name: class.storage.class_name.clone(),
            claim: None,
            size: Quantity::units(0),
            volume: None,
        },
        routing: RecordedRouting { mode: class.routing.mode, placement: None, interceptor: None },
        template: None,
        retirement: retirement(origin.deletion_policy, class),
        retained_since: None,
        purge_after: None,
        due_since: None,
        adoption: None,
        confirmed: None,
        purge: None,
        history: Vec::new(),
    };
    record.identity.role_arn = wanted_role(&observed.name, &record, class, &observed.settings);
    record
}

/// What the end of a tenant needs, kept while class and Tenant are there to be asked.
pub fn retirement(deletion_policy: DeletionPolicy, class: &TenantClassSpec) -> Retirement {
    Retirement {
        deletion_policy,
        retention_days: match class.deletion.retention {
            Retention::Days => Some(class.deletion.retention_days),
            Retention::Forever => None,
        },
        recovery_window_days: class.secrets.recovery_window_days,
        settling_seconds: class.deletion.settling_seconds,
    }
}

/// A record made from the mirrors on an owned namespace; `None` where there is no such namespace.
pub(super) fn rebuilt(observed: &Observed, tenant: Option<&TenantView>) -> Option<Result<TenantRecordSpec, Refusal>> {
    let live = observed.namespace.as_deref()?;
    if live.tenant.as_ref() != Some(&observed.name) {
        return None;
    }
    let facts = namespace_facts(live);
    let made_with = facts.annotations.get(labels::CLASS).map_or("?", SmolStr::as_str);
    let class = match &observed.class {
        ClassView::Found(class) if facts.name == class.namespace_prefix.namespace(&observed.name).as_str() => class,
        ClassView::Found(_) | ClassView::Missing | ClassView::Invalid(_) => {
            return Some(Err(lost_with_another_class(&observed.name, &facts.name, made_with)));
        }
    };
    let named = tenant.and_then(|tenant| tenant.spec.as_ref().ok()).map(|spec| spec.class_name.as_str());
    if named.is_some_and(|named| facts.annotations.contains_key(labels::CLASS) && named != made_with) {
        return Some(Err(lost_with_another_class(&observed.name, &facts.name, made_with)));
    }
    Some(rebuilt_from(observed, tenant, live, class).ok_or_else(|| {
        let message = format!(
            "TenantRecord {} is lost and the marks on its namespace contradict each other or are not complete: restore \
             the annotations openclaw.io/tenant, incarnation, owner-hash and service-account, or the record from a backup",
            observed.name
        );
        Refusal::new(Reason::RecordDisputed, message)
    }))
}

/// A record is rebuilt by the class that the namespace was made with, and by no other.
fn lost_with_another_class(name: &TenantName, namespace: &str, made_with: &str) -> Refusal {
    let message = format!(
        "TenantRecord {name} is lost, and it can be rebuilt only by the class that namespace {namespace} was made with: \
         see that TenantClass {made_with} exists, and name it in className until the record is there again"
    );
    Refusal::new(Reason::ClassMismatch, message)
}

fn rebuilt_from(
    observed: &Observed,
    tenant: Option<&TenantView>,
    live: &Digest,
    class: &TenantClassSpec,
) -> Option<TenantRecordSpec> {
    let facts = namespace_facts(live);
    let mirror = |key: &str| facts.annotations.get(key).map(SmolStr::as_str);
    if mirror(labels::TENANT) != Some(observed.name.as_str()) {
        return None;
    }
    let incarnation = facts.incarnation.clone()?;
    let hash: OwnerHash = mirror(labels::OWNER_HASH)?.parse().ok()?;
    let service_account: ServiceAccountName = mirror(labels::SERVICE_ACCOUNT)?.parse().ok()?;
    let class_name: ClassName = mirror(labels::CLASS)?.parse().ok()?;
    let owner_tenant =
        tenant.filter(|tenant| tenant.spec.as_ref().is_ok_and(|spec| spec.owner.effective_subject().hash() == hash));
    let owner_spec = owner_tenant.and_then(|tenant| tenant.spec.as_ref().ok());
    let origin = Origin {
        incarnation,
        service_account,
        owner: RecordedOwner { subject: owner_spec.map(|spec| spec.owner.effective_subject()), hash },
        tenant_uid: owner_tenant.map(|tenant| tenant.uid.clone()),
        class_name,
        namespace: RecordedNamespace {
            name: class.namespace_prefix.namespace(&observed.name),
            prefix: class.namespace_prefix.clone(),
            uid: Some(live.uid.clone()),
        },
        deletion_policy: owner_spec.map_or(DeletionPolicy::Retain, |spec| spec.deletion_policy),
        order: mirror(labels::ROTATION_ORDER).map(str::to_owned),
    };
    let mut record = new_record(observed, class, origin);
    record.secrets.items = secrets_by_spec(observed, class, owner_spec);
    for item in record.secrets.items.iter_mut().filter(|item| item.origin == SecretOrigin::Generated) {
        item.handed_over = mirror(labels::HANDED_OVER).is_some();
    }
    record.storage.claim = mirror(labels::CLAIM).map(str::to_owned);
    record.routing.placement = place_of_route(observed, record.routing.mode);
    // No mark names it: a grant there would be nobody's if it lost its label as well.
    let scaler = class.workload.scale_to_zero.as_ref();
    record.routing.interceptor = scaler.map(|scaler| scaler.interceptor.namespace.clone());
    record.adoption = adoption::rebuilt(&facts)?;
    if owner_tenant.is_none() {
        record.phase = RecordPhase::Retained;
        record.retained_since = Some(observed.time());
        // What is only attached is nobody's to purge.
        record.purge_after = purge_after(observed, &record).filter(|_| !adoption::is_only_attached(&record));
    }
    Some(record)
}

/// The secrets that class and Tenant name: what the end of access has to close, where nobody remembers more.
fn secrets_by_spec(observed: &Observed, class: &TenantClassSpec, spec: Option<&TenantSpec>) -> Vec<RecordedSecret> {
    if class.secrets.mode == SecretsMode::None {
        return Vec::new();
    }
    let generated = class.secrets.generated.iter().map(|item| (&item.name, SecretOrigin::Generated));
    let own = spec.into_iter().flat_map(|spec| &spec.secrets).map(|item| (&item.name, SecretOrigin::Person));
    let mut items: Vec<RecordedSecret> = Vec::new();
    for (name, origin) in generated.chain(own) {
        if items.iter().all(|item| item.name != *name) {
            items.push(new_secret(observed, name, origin));
        }
    }
    items
}

/// When a record that is retained now may be purged.
pub fn purge_after(observed: &Observed, record: &TenantRecordSpec) -> Option<Time> {
    let days = i64::from(record.retirement.retention_days?);
    // Whole days are 24 hours here: retention is counted, not read off a calendar.
    observed.time().0.checked_add(jiff::SignedDuration::from_hours(24 * days)).ok().map(Time)
}
