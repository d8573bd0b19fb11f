//! The receipt of a removal: every object and every ARN, and what became of it, in honest words.
//!
//! PURE. It says what was seen, not what was asked for.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    child::Child,
    cloud,
    ledger::secret_name,
    observed::{FoundAssociation, Look, Observed},
    ownership::is_ours,
    place,
    purge::why_volume_stays,
    retire,
};
use crate::api::{
    class::{IdentityMode, SecretsMode},
    names::TenantName,
    record::{Outcome, Purge, ReceiptLine, RecordedSecret, RecordedVolume, TenantRecordSpec},
};

/// What became of everything that a record names.
pub fn receipt(observed: &Observed, record: &TenantRecordSpec) -> Vec<ReceiptLine> {
    let mut lines = objects(observed, record);
    if let Some(volume) = &record.storage.volume {
        lines.extend(of_volume(observed, record, volume));
    }
    lines.extend(of_identity(observed, record));
    if record.secrets.mode != SecretsMode::None {
        lines.extend(record.secrets.items.iter().map(|item| of_secret(observed, record, item)));
    }
    lines
}

fn line(kind: &str, name: impl Into<String>, outcome: Outcome) -> ReceiptLine {
    ReceiptLine { kind: kind.to_owned(), name: name.into(), outcome, until: None, note: None }
}

/// The longest note that the API takes: a receipt that is refused would never be written.
const LONGEST_NOTE: usize = 1024;

fn noted(line: ReceiptLine, note: impl Into<String>) -> ReceiptLine {
    let note: String = note.into();
    ReceiptLine { note: Some(note.chars().take(LONGEST_NOTE).collect()), ..line }
}

/// The namespace, and each object that the operator kept in it: they went with it.
fn objects(observed: &Observed, record: &TenantRecordSpec) -> Vec<ReceiptLine> {
    let stays = retire::is_home(observed, record);
    // What only some clusters have is told where the record says that this tenant had it; the rest went with the namespace.
    let is_told = |child: &&Child| match child {
        Child::ScaledObject | Child::InterceptorRoute | Child::InterceptorGrant => record.routing.interceptor.is_some(),
        child => !child.kind().is_optional(),
    };
    let of_child = |child: &Child| {
        let key = child.key(&observed.name, record);
        let name =
            key.namespace.as_ref().map_or_else(|| key.name.to_string(), |inside| format!("{inside}/{}", key.name));
        // The grant lies elsewhere.
        let stays = if *child == Child::InterceptorGrant { observed.child(*child).is_some() } else { stays };
        line(key.kind.info().kind, name, if stays { Outcome::Left } else { Outcome::Removed })
    };
    let mut lines: Vec<ReceiptLine> = Child::ALL.iter().filter(is_told).map(of_child).collect();
    // A namespace of that name that is somebody else's was never this tenant's to remove.
    if let (Some(first), Some(live)) = (lines.first_mut(), &observed.namespace)
        && !is_ours(live, record)
    {
        first.note = Some("a namespace of this name exists and is somebody else's; it was not touched".to_owned());
    }
    lines
}

fn of_volume(observed: &Observed, record: &TenantRecordSpec, recorded: &RecordedVolume) -> Vec<ReceiptLine> {
    let volume = |outcome| line("PersistentVolume", recorded.name.clone(), outcome);
    let live = observed.volume.as_ref().filter(|volume| volume.name == recorded.name);
    if let Some(live) = live {
        let why = why_volume_stays(observed, record, live).unwrap_or_else(|| "it is still there".to_owned());
        return vec![noted(volume(Outcome::Left), format!("{}: {why}", recorded.handle))];
    }
    let removed = noted(volume(Outcome::Removed), recorded.handle.clone());
    let Some(directory) = directory(&recorded.handle) else { return vec![removed] };
    let note = "the EFS CSI driver leaves the directory and the files in it, unless it runs with \
                --delete-access-point-root-dir";
    vec![removed, noted(line("Directory", directory, Outcome::Left), note)]
}

/// Where a volume's files are, where its driver leaves them behind when the volume goes: an access point of Amazon EFS.
fn directory(handle: &str) -> Option<String> {
    let place = place::on_efs(handle)?;
    Some(format!("root directory of {} on {}", place.access_point?, place.file_system))
}

/// What gave access went when access ended, and was seen to be gone before anything else was touched. What stands in its place is
/// somebody else's.
fn of_identity(observed: &Observed, record: &TenantRecordSpec) -> Vec<ReceiptLine> {
    match record.identity.mode {
        IdentityMode::None => Vec::new(),
        IdentityMode::SharedRole => vec![of_association(observed, record)],
        IdentityMode::RolePerTenant => {
            let role = record.identity.role_arn.iter().map(|arn| match observed.aws.role.seen() {
                Some(Some(role)) => noted(line("Role", role.arn.to_string(), Outcome::Left), NOT_ITS_OWN),
                Some(None) | None => line("Role", arn.to_string(), Outcome::Removed),
            });
            std::iter::once(of_association(observed, record)).chain(role).collect()
        }
    }
}

const NOT_ITS_OWN: &str = "it does not carry this tenant's tags and was not touched";

fn of_association(observed: &Observed, record: &TenantRecordSpec) -> ReceiptLine {
    let account = format!("{}/{}", record.namespace.name, record.service_account);
    let left = |ids: String| {
        noted(line("PodIdentityAssociation", account.clone(), Outcome::Left), format!("{ids}: {NOT_ITS_OWN}"))
    };
    match observed.aws.association.seen() {
        Some(FoundAssociation::One(one)) => left(one.id.to_string()),
        Some(FoundAssociation::Several(ids)) => {
            left(ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        Some(FoundAssociation::None) | None => line("PodIdentityAssociation", account.clone(), Outcome::Removed),
    }
}

fn of_secret(observed: &Observed, record: &TenantRecordSpec, item: &RecordedSecret) -> ReceiptLine {
    let name = secret_name(record, item.name.as_str());
    let seen = observed.aws.secrets.get(&item.name).and_then(Look::seen);
    if let Some(secret) = cloud::own(observed, &observed.name, record, item) {
        let secret_line = |outcome| line("Secret", secret.arn.to_string(), outcome);
        return match secret.deleted_at {
            Some(named) => {
                ReceiptLine { until: Some(window_ends(observed, record, named)), ..secret_line(Outcome::Scheduled) }
            }
            None => noted(secret_line(Outcome::Left), "it was taken back by somebody"),
        };
    }
    if let Some(Some(_)) = seen {
        return noted(line("Secret", name, Outcome::Left), "it is not this tenant's and was not touched");
    }
    let arn = item.arn.as_ref().map_or(name, ToString::to_string);
    noted(line("Secret", arn, Outcome::Removed), "it was not there any more")
}

/// When a secret that was scheduled a moment ago is gone, at the latest. AWS may name an earlier day, where somebody had scheduled
/// it before; what it names may also be the day on which that was asked for, which says nothing.
fn window_ends(observed: &Observed, record: &TenantRecordSpec, named: Timestamp) -> Time {
    let now = observed.time();
    let window = SignedDuration::from_hours(24 * i64::from(record.retirement.recovery_window_days));
    let ends = now.0.checked_add(window).map_or(now.clone(), Time);
    if named > now.0 && named < ends.0 { Time(named) } else { ends }
}

/// A receipt in one line, for events and logs.
pub fn told(name: &TenantName, purge: &Purge) -> String {
    let of = |outcome: Outcome| purge.receipt.iter().filter(move |line| line.outcome == outcome);
    let mut parts = vec![format!("{} objects are removed", of(Outcome::Removed).count())];
    if let Some(until) = &purge.recoverable_until {
        let count = of(Outcome::Scheduled).count();
        parts.push(format!("{count} secrets are scheduled for deletion and can be restored until {}", until.0));
    }
    let left: Vec<String> = of(Outcome::Left).map(left_behind).collect();
    if !left.is_empty() {
        parts.push(format!("left behind: {}", left.join(", ")));
    }
    format!("what tenant {name} had is removed: {} (kubectl get tenantrecord {name} -o yaml)", parts.join("; "))
}

fn left_behind(line: &ReceiptLine) -> String {
    let ReceiptLine { kind, name, note, .. } = line;
    note.as_ref().map_or_else(|| format!("{kind} {name}"), |note| format!("{kind} {name} ({note})"))
}
