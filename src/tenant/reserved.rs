//! What a Tenant is told whose name is kept for somebody else: until when, who may free it, and how.
//!
//! PURE. Nothing is said of who that is.

use super::{observed::Observed, purge};
use crate::api::{
    names::{OwnerSubject, TenantName},
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
         (ClusterRole openclaw-record-administrator) can hand it to you: {}{free}",
        handing_over(name, asking)
    )
}

/// How an administrator hands a name over. Who asks has chosen the text, and an administrator pastes the command.
fn handing_over(name: &TenantName, asking: &OwnerSubject) -> String {
    if is_plain(asking.as_str()) {
        return format!("kubectl annotate tenantrecord {name} openclaw.io/transfer-to='{asking}'");
    }
    format!(
        "kubectl edit tenantrecord {name}, where the annotation openclaw.io/transfer-to gets the subject of this Tenant's owner (or \
         the email in lower case where it names none); no command with it is shown, because a shell would not take it as it is"
    )
}

/// Whether a text means itself to every shell, and to every reader.
fn is_plain(text: &str) -> bool {
    text.chars().all(|one| one.is_ascii_alphanumeric() || "@._:|+-".contains(one))
}
