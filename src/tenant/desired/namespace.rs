//! The namespace. Its annotations mirror the record, so that a lost record can be rebuilt.

use serde_json::{Map, Value, json};

use super::object;
use crate::{
    api::{labels, names::TenantName, record::TenantRecordSpec},
    tenant::{child::Child, rotation},
};

/// The namespace of a record. It needs no class, so that a retired tenant's can be kept too.
pub fn namespace(tenant: &TenantName, record: &TenantRecordSpec) -> Value {
    let mut namespace = object(Child::Namespace, tenant, record, []);
    let metadata = &mut namespace["metadata"];
    for mode in ["enforce", "audit", "warn"] {
        metadata["labels"][format!("pod-security.kubernetes.io/{mode}")] = json!("restricted");
    }
    metadata["annotations"] = Value::Object(mirror(tenant, record));
    namespace
}

/// The annotations by which a lost record is rebuilt.
pub fn mirror(tenant: &TenantName, record: &TenantRecordSpec) -> Map<String, Value> {
    let mut annotations = Map::new();
    let mut set = |key: &str, value: Value| annotations.insert(key.to_owned(), value);
    set(labels::TENANT, json!(tenant));
    set(labels::INCARNATION, json!(record.incarnation));
    set(labels::OWNER_HASH, json!(record.owner.hash));
    set(labels::SERVICE_ACCOUNT, json!(record.service_account));
    set(labels::CLASS, json!(record.class_name));
    set(labels::PHASE, json!(record.phase));
    // Only what was carried out: a record that is lost meanwhile is not to forget the order.
    if let Some(order) = record.secrets.order.as_ref().filter(|_| !rotation::is_under_way(record)) {
        set(labels::ROTATION_ORDER, json!(order));
    }
    // Until there are others: a record that is lost meanwhile is not to forget that the present values are known.
    if record.secrets.items.iter().any(|item| item.handed_over) || rotation::is_urgent(record) {
        set(labels::HANDED_OVER, json!("true"));
    }
    if let Some(claim) = &record.storage.claim {
        set(labels::CLAIM, json!(claim));
    }
    if let Some(adoption) = &record.adoption {
        set(labels::ADOPTION, json!(adoption.stage.as_str()));
        if !adoption.namespace_labels.is_empty() {
            set(labels::FORMER_LABELS, json!(json!(adoption.namespace_labels).to_string()));
        }
    }
    if let Some(time) = &record.purge_after {
        set(labels::PURGE_AFTER, json!(time));
    }
    annotations
}
