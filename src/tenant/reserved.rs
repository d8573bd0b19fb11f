//! What a Tenant is told whose name is kept for somebody else: until when, who may free it, and how.
//!
//! PURE. Nothing is said of who that is.

use super::{observed::Observed, purge};
use crate::api::{
    names::OwnerSubject,
    record::{RecordPhase, TenantRecordSpec, former_owners},
};

/// Why a name is not this owner's.
pub fn reserved(observed: &Observed, asking: &OwnerSubject, record: &TenantRecordSpec) -> String {
    let name = &observed.name;
    let was_handed_over = former_owners(&record.history).any(|former| *former == asking.hash());
    if was_handed_over {
        return format!(
            "an administrator handed what the name {name} holds to another owner. Nothing of it is touched by this Tenant any \
             more: delete it"
        );
    }
    let (until, free) = match record.phase {
        RecordPhase::Active => ("it is theirs with no end by time".to_owned(), String::new()),
        RecordPhase::Retained => {
            let until = record.purge_after.as_ref();
            let until = until.map_or_else(
                || "it is kept with no end by time".to_owned(),
                |time| format!("it is kept until {}", time.0),
            );
            let free = format!(
                ", or end its retention: kubectl annotate tenantrecord {name} openclaw.io/purge-now=\"$(kubectl get tenantrecord \
                 {name} -o jsonpath={{.spec.incarnation}})\". Nothing is removed while a Tenant of this name exists, so delete \
                 this one meanwhile"
            );
            (until, free)
        }
        RecordPhase::Purging => {
            let until = "what it held is being removed, which waits until no Tenant of this name exists: delete this one and \
                         apply it again";
            (until.to_owned(), String::new())
        }
        RecordPhase::Purged => {
            let window = record.purge.as_ref().and_then(|purge| purge.recoverable_until.as_ref());
            let until = window.filter(|_| purge::is_recoverable(observed, record));
            let until = until.map_or_else(String::new, |time| format!("its secrets can be restored until {}", time.0));
            (until, String::new())
        }
    };
    format!(
        "the name {name} is kept for another owner: {until}. Choose another name. Who has the verb administer on tenantrecords \
         (ClusterRole openclaw-record-administrator) can hand it to you: kubectl annotate tenantrecord {name} \
         openclaw.io/transfer-to='{asking}'{free}"
    )
}
