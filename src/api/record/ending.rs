//! The end of a tenant as its record keeps it: what is being removed, what became of it, and what was before.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{
    names::{Incarnation, OwnerHash},
    tenant::DeletionPolicy,
};

/// What the end of a tenant needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retirement {
    /// The Tenant's deletion policy, as last seen.
    pub deletion_policy: DeletionPolicy,

    /// Days of retention; absent: never purged by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 365))]
    pub retention_days: Option<u16>,

    /// Days for which a deleted secret can be restored.
    #[schemars(range(min = 7, max = 30))]
    pub recovery_window_days: u8,

    /// Seconds that lie between the beginning of a removal and its first step that cannot be undone.
    #[serde(default = "default_settling")]
    #[schemars(range(min = 1, max = 86400))]
    pub settling_seconds: u32,
}

/// What a record says that was written before there was a settling time in it: the default of a class.
fn default_settling() -> u32 {
    super::super::class::SETTLING_SECONDS
}

/// A removal that is under way, or has come to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Purge {
    /// On what ground.
    pub cause: PurgeCause,

    /// When it was asked for, or its time came: what the breaker counts.
    pub begun: Time,

    /// When everything was seen to be removed, scheduled or left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Time>,

    /// Until when its secrets can be restored, at the latest, and the name is kept for its owner; absent where no secret
    /// was scheduled for deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recoverable_until: Option<Time>,

    /// What became of everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 96))]
    pub receipt: Vec<ReceiptLine>,
}

/// On what ground something is removed (rule S3 of the design).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PurgeCause {
    /// Its Tenant was deleted with `deletionPolicy: Delete`.
    Deleted,
    /// Its retention is over, or an administrator ended it.
    Expired,
}

/// What became of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptLine {
    /// What it is, such as `Namespace` or `Secret`.
    #[schemars(length(max = 63))]
    pub kind: String,

    /// Its name, or its ARN.
    #[schemars(length(max = 2048))]
    pub name: String,

    /// What became of it.
    pub outcome: Outcome,

    /// Until when it can be had back, at the latest, where it is scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,

    /// What else is to be known about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub note: Option<String>,
}

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// It is gone.
    Removed,
    /// It goes at a date, and can be had back until then.
    Scheduled,
    /// It is still there, and nothing will remove it.
    Left,
}

/// Something that happened to a name and is not to be forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// When it happened.
    pub at: Time,

    /// What it was.
    pub event: HistoryEvent,

    /// What it came to, for people.
    #[schemars(length(max = 1024))]
    pub message: String,

    /// The owner before a transfer, or of what was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_owner: Option<OwnerHash>,

    /// The incarnation that was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<Incarnation>,

    /// How it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Purge>,
}

/// What happened to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HistoryEvent {
    /// What it held was removed, and somebody came afterwards.
    Purged,
    /// An administrator handed it to another owner.
    Transferred,
    /// An administrator gave another order.
    Ordered,
    /// An administrator gave an order that was not carried out.
    Refused,
}

impl HistoryEvent {
    /// So many of a kind are kept; older ones are forgotten.
    const fn kept(self) -> usize {
        match self {
            Self::Purged => 5,
            Self::Transferred => 10,
            Self::Ordered | Self::Refused => 8,
        }
    }
}

/// Adds to a history, and forgets the oldest of its kind where there are too many.
pub fn remember(history: &mut Vec<HistoryEntry>, entry: HistoryEntry) {
    let event = entry.event;
    history.push(entry);
    let of_kind = history.iter().filter(|one| one.event == event).count();
    if of_kind > event.kept()
        && let Some(oldest) = history.iter().position(|one| one.event == event)
    {
        history.remove(oldest);
    }
}

/// Owners who had the present incarnation before it was handed on.
pub fn former_owners(history: &[HistoryEntry]) -> impl Iterator<Item = &OwnerHash> {
    let began = history.iter().rposition(|entry| entry.event == HistoryEvent::Purged).map_or(0, |last| last + 1);
    let transfers = history[began..].iter().filter(|entry| entry.event == HistoryEvent::Transferred);
    transfers.filter_map(|entry| entry.former_owner.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(event: HistoryEvent, number: i64) -> HistoryEntry {
        HistoryEntry {
            at: Time(jiff::Timestamp::from_second(number).expect("time")),
            event,
            message: number.to_string(),
            former_owner: None,
            incarnation: None,
            purge: None,
        }
    }

    #[test]
    fn orders_push_no_receipt_out_of_a_history() {
        let mut history = Vec::new();
        for number in 0..7 {
            remember(&mut history, entry(HistoryEvent::Purged, number));
        }
        for number in 0..40 {
            remember(&mut history, entry(HistoryEvent::Ordered, 100 + number));
        }
        let of = |event: HistoryEvent| -> Vec<&str> {
            history.iter().filter(|one| one.event == event).map(|one| one.message.as_str()).collect()
        };
        assert_eq!(of(HistoryEvent::Purged), ["2", "3", "4", "5", "6"]);
        assert_eq!(of(HistoryEvent::Ordered).first(), Some(&"132"));
        assert_eq!(of(HistoryEvent::Ordered).last(), Some(&"139"));
    }

    #[test]
    fn who_had_a_former_incarnation_is_no_former_owner_of_this_one() {
        let hash = |digit: &str| digit.repeat(64).parse::<OwnerHash>().expect("a hash");
        let of = |event, owner| HistoryEntry { former_owner: Some(hash(owner)), ..entry(event, 0) };
        let history =
            [of(HistoryEvent::Transferred, "a"), of(HistoryEvent::Purged, "b"), of(HistoryEvent::Transferred, "c")];
        assert_eq!(former_owners(&history).collect::<Vec<_>>(), [&hash("c")]);
    }

    #[test]
    fn a_record_from_before_the_settling_time_has_a_class_s_default() {
        let before = serde_json::json!({ "deletionPolicy": "Retain", "retentionDays": 30, "recoveryWindowDays": 30 });
        let read: Retirement = serde_json::from_value(before).expect("read");
        assert_eq!(read.settling_seconds, 60);
    }
}
