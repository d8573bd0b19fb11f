//! What holds a removal back: its settling time, a halt of its class, and the breaker.
//!
//! PURE. Section 5 of the design. Everything that is counted stands in Tenants and records, so that a restart forgets
//! nothing: deletionTimestamps, dates, and the beginnings that records of removed tenants keep.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{adoption::is_only_attached, observed::TenantView};
use crate::api::{
    names::{Incarnation, TenantName},
    record::{HistoryEvent, PurgeCause, RecordPhase, TenantRecordSpec},
    tenant::DeletionPolicy,
};

/// Beginnings that lie this close to each other are counted together.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// So many in a window are believed whatever the number of records.
const BELIEVED: usize = 5;

/// Of so many records one in a window is believed.
const RECORDS_PER_DELETION: usize = 10;

/// All removals of the cluster, as far as the breaker counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Records that are Active, Retained or Purging.
    base: usize,
    /// When removals began, ended ones too, in order.
    begun: Vec<Timestamp>,
    /// How many began within the window that each of these opens.
    in_window: Vec<usize>,
}

/// More removals at once than are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// How many began within one window.
    pub count: usize,
    /// How many are believed.
    pub limit: usize,
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, limit } = self;
        write!(f, "{count} removals began within {} minutes, and {limit} are believed", WINDOW.as_mins())
    }
}

impl Fleet {
    /// Counts all names: each record with the Tenant of its name, and Tenants that have no record that can be read.
    pub fn of<'a>(
        records: impl Iterator<Item = (Option<&'a TenantView>, &'a TenantRecordSpec)>,
        unrecorded: impl Iterator<Item = &'a TenantView>,
        now: Timestamp,
    ) -> Self {
        let (mut base, mut leaving) = (0, Vec::new());
        for (tenant, record) in records {
            base += usize::from(is_counted(record));
            leaving.extend(Leaving::of(tenant, Some(record)));
        }
        leaving.extend(unrecorded.filter_map(|tenant| Leaving::of(Some(tenant), None)));
        Self::of_leaving(base, leaving.iter(), now)
    }

    /// The same, from what is known to leave, and of how many records.
    pub fn of_leaving<'a>(base: usize, leaving: impl Iterator<Item = &'a Leaving>, now: Timestamp) -> Self {
        Self::new(base, leaving.flat_map(|one| one.beginnings(now)).collect())
    }

    /// Windows are counted here and not by whoever asks: where thousands begin at once, each of them asks.
    fn new(base: usize, mut begun: Vec<Timestamp>) -> Self {
        begun.sort_unstable();
        let mut end = 0;
        let count_from = |(first, start): (usize, &Timestamp)| {
            end += begun[end..].iter().take_while(|at| at.duration_since(*start) <= WINDOW).count();
            end - first
        };
        let in_window = begun.iter().enumerate().map(count_from).collect();
        Self { base, begun, in_window }
    }

    /// How many in one window are believed.
    pub fn limit(&self) -> usize {
        BELIEVED.max(self.base / RECORDS_PER_DELETION)
    }

    /// The worst burst that a removal which began then belongs to; `None` where there is none.
    pub fn burst(&self, begun: Timestamp) -> Option<Burst> {
        let limit = self.limit();
        let from = self.begun.partition_point(|at| begun.duration_since(*at) > WINDOW);
        let to = self.begun.partition_point(|at| *at <= begun);
        let count = self.in_window[from..to].iter().copied().max().unwrap_or(0);
        (count > limit).then_some(Burst { count, limit })
    }
}

/// Whether a record is of a name that still holds something.
pub fn is_counted(record: &TenantRecordSpec) -> bool {
    record.phase != RecordPhase::Purged
}

/// All that beginnings of a name's removals depend on, but for the time: former ones, and the one that is under way or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    former: Vec<Timestamp>,
    present: Option<Present>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Present {
    /// It began then.
    Begun(Timestamp),
    /// It begins when retention is over.
    Retained { until: Timestamp, due_since: Option<Timestamp>, has_tenant: bool },
}

impl Leaving {
    /// Of a name with its Tenant and its record, as far as that can be read; `None` where nothing leaves whatever the time.
    pub fn of(tenant: Option<&TenantView>, record: Option<&TenantRecordSpec>) -> Option<Self> {
        let Some(record) = record else {
            let present = Present::Begun(asks_for_removal(tenant?)?);
            return Some(Self { former: Vec::new(), present: Some(present) });
        };
        let former = record.history.iter().filter(|entry| entry.event == HistoryEvent::Purged);
        let former: Vec<_> = former.filter_map(|entry| Some(entry.purge.as_ref()?.begun.0)).collect();
        let present = match (&record.purge, record.phase) {
            (Some(purge), RecordPhase::Purging | RecordPhase::Purged) => Some(Present::Begun(purge.begun.0)),
            (_, RecordPhase::Purged) => None,
            (_, RecordPhase::Active | RecordPhase::Retained | RecordPhase::Purging) => {
                asked_for(tenant, record).map(Present::Begun).or_else(|| Present::by_date(tenant, record))
            }
        };
        (!former.is_empty() || present.is_some()).then_some(Self { former, present })
    }

    fn beginnings(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        self.former.iter().copied().chain(self.present.and_then(|present| present.at(now)))
    }
}

impl Present {
    fn by_date(tenant: Option<&TenantView>, record: &TenantRecordSpec) -> Option<Self> {
        let until = record.purge_after.as_ref().filter(|_| is_kept(record))?.0;
        let due_since = record.due_since.as_ref().map(|time| time.0);
        Some(Self::Retained { until, due_since, has_tenant: tenant.is_some() })
    }

    fn at(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Begun(at) => Some(at),
            Self::Retained { until, .. } if until > now => None,
            // One that is about to be due counts from now.
            Self::Retained { due_since, has_tenant, .. } => {
                due_since.filter(|since| *since <= now).or_else(|| (!has_tenant).then(|| whole(now)))
            }
        }
    }
}

/// When the Tenant that holds a record was deleted with `Delete`.
pub fn asked_for(tenant: Option<&TenantView>, record: &TenantRecordSpec) -> Option<Timestamp> {
    let tenant = tenant.filter(|tenant| record.tenant_uid.as_ref() == Some(&tenant.uid))?;
    // What was only attached is not the operator's to remove, whoever asks.
    asks_for_removal(tenant).filter(|_| !is_only_attached(record))
}

fn asks_for_removal(tenant: &TenantView) -> Option<Timestamp> {
    let asks = tenant.spec.as_ref().is_ok_and(|spec| spec.deletion_policy == DeletionPolicy::Delete);
    tenant.deleted_at.filter(|_| asks).map(whole)
}

/// As times stand in objects: in whole seconds.
pub fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Whether a record is kept for an owner who may come back, and will not be by its date.
fn is_kept(record: &TenantRecordSpec) -> bool {
    matches!(record.phase, RecordPhase::Retained | RecordPhase::Purging) && !is_only_attached(record)
}

/// Whether a record's retention is over by its date.
pub fn is_over(record: &TenantRecordSpec, now: Timestamp) -> bool {
    is_kept(record) && record.purge_after.as_ref().is_some_and(|at| at.0 <= now)
}

/// Since when a record's retention was seen to be over with no Tenant of its name, where it is.
pub fn expired(record: &TenantRecordSpec, now: Timestamp) -> Option<Timestamp> {
    // A removal that is under way keeps its beginning. A time to come was written by a clock that had leapt.
    let under_way = record.purge.as_ref().filter(|_| record.phase == RecordPhase::Purging).map(|purge| &purge.begun);
    let since = under_way.or(record.due_since.as_ref()).map(|time| time.0);
    since.filter(|since| is_over(record, now) && *since <= now)
}

/// How a removal stands that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It began a moment ago and can be taken back.
    Settling,
    /// The breaker holds it until somebody confirms.
    Held(Burst),
    /// Its class is halted.
    Halted,
    /// Nothing holds it.
    Free,
}

impl Stage {
    /// All of them, in one word each.
    pub const NAMES: [&'static str; 4] = ["settling", "held", "halted", "removing"];

    /// In one word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Settling => "settling",
            Self::Held(_) => "held",
            Self::Halted => "halted",
            Self::Free => "removing",
        }
    }
}

/// When a removal that began then may take its first step that cannot be undone.
pub fn settles(record: &TenantRecordSpec, begun: Timestamp) -> Timestamp {
    let settling = SignedDuration::from_secs(i64::from(record.retirement.settling_seconds));
    begun.checked_add(settling).unwrap_or(begun)
}

/// Whether an administrator has let this very removal through the breaker.
fn is_confirmed(record: &TenantRecordSpec, begun: Timestamp) -> bool {
    record.confirmed == Some(Time(begun))
}

/// How a removal that began then stands.
pub fn stage(fleet: &Fleet, record: &TenantRecordSpec, begun: Timestamp, is_halted: bool, now: Timestamp) -> Stage {
    match fleet.burst(begun) {
        Some(burst) if !is_confirmed(record, begun) => Stage::Held(burst),
        _ if is_halted => Stage::Halted,
        _ if now < settles(record, begun) => Stage::Settling,
        _ => Stage::Free,
    }
}

/// A removal that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Whose.
    pub tenant: TenantName,
    /// What is removed.
    pub incarnation: Incarnation,
    /// On what ground.
    pub cause: PurgeCause,
    /// When it began.
    pub begun: Timestamp,
    /// When its settling time is over.
    pub settles: Timestamp,
    /// Whether it is under way already.
    pub purging: bool,
    /// What holds it.
    pub stage: Stage,
}

/// All removals that have not come to their end, the oldest first.
pub fn deletions<'a>(
    records: impl Iterator<Item = (&'a TenantName, Option<&'a TenantView>, &'a TenantRecordSpec)>,
    fleet: &Fleet,
    is_halted: impl Fn(&TenantRecordSpec) -> bool,
    now: Timestamp,
) -> Vec<Deletion> {
    let mut found: Vec<Deletion> = records
        .filter_map(|(name, tenant, record)| {
            let (cause, begun) = pending(tenant, record, now)?;
            Some(Deletion {
                tenant: name.clone(),
                incarnation: record.incarnation.clone(),
                cause,
                begun,
                settles: settles(record, begun),
                purging: record.phase == RecordPhase::Purging,
                stage: stage(fleet, record, begun, is_halted(record), now),
            })
        })
        .collect();
    found.sort_by(|one, other| (one.begun, &one.tenant).cmp(&(other.begun, &other.tenant)));
    found
}

/// The removal of a name that has not come to its end: why, and when it began.
pub fn pending(
    tenant: Option<&TenantView>,
    record: &TenantRecordSpec,
    now: Timestamp,
) -> Option<(PurgeCause, Timestamp)> {
    match (record.phase, &record.purge) {
        (RecordPhase::Purging, Some(purge)) => Some((purge.cause, purge.begun.0)),
        (RecordPhase::Purged, _) => None,
        (RecordPhase::Active | RecordPhase::Retained | RecordPhase::Purging, _) => {
            let deleted = asked_for(tenant, record).map(|at| (PurgeCause::Deleted, at));
            deleted.or_else(|| Some((PurgeCause::Expired, expired(record, now)?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).expect("time")
    }

    fn fleet(base: usize, begun: &[i64]) -> Fleet {
        Fleet::new(base, begun.iter().map(|seconds| at(*seconds)).collect())
    }

    #[test]
    fn up_to_five_or_a_tenth_are_believed_and_one_more_holds_all_of_them() {
        let five = [0, 10, 20, 30, 40];
        assert!(five.iter().all(|begun| fleet(50, &five).burst(at(*begun)).is_none()));
        let six = [0, 10, 20, 30, 40, 599];
        let burst = Some(Burst { count: 6, limit: 5 });
        assert!(six.iter().all(|begun| fleet(50, &six).burst(at(*begun)) == burst), "the first ones too");
        assert_eq!(fleet(60, &six).burst(at(0)), None, "a tenth of sixty");
        assert_eq!(fleet(59, &six).burst(at(0)), burst);
    }

    #[test]
    fn what_began_further_apart_is_not_counted_together() {
        let spread: Vec<i64> = (0..30).map(|number| number * 121).collect();
        assert!(spread.iter().all(|begun| fleet(30, &spread).burst(at(*begun)).is_none()), "a day of off-boarding");
        let mut with_burst = vec![-2_000];
        with_burst.extend(0..6);
        assert_eq!(fleet(9, &with_burst).burst(at(-2_000)), None);
        assert_eq!(fleet(9, &with_burst).burst(at(3)), Some(Burst { count: 6, limit: 5 }));
    }

    #[test]
    fn a_burst_does_not_pass_because_time_does() {
        let six = [0, 1, 2, 3, 4, 5];
        assert!(fleet(6, &six).burst(at(0)).is_some(), "whatever time it is by now");
        let mut later = six.to_vec();
        later.push(5_000);
        assert_eq!(fleet(7, &later).burst(at(5_000)), None, "and holds nobody who comes later");
    }

    #[test]
    fn a_creeping_series_is_a_burst_although_each_one_has_ended() {
        let creeping: Vec<i64> = (0..10).map(|number| number * 60).collect();
        assert_eq!(fleet(20, &creeping).burst(at(540)), Some(Burst { count: 10, limit: 5 }));
    }

    /// The same, counted for each that is asked for from the beginning.
    fn burst_counted_afresh(base: usize, begun: &[i64], asked: i64) -> Option<Burst> {
        let window = WINDOW.as_secs();
        let starts = begun.iter().filter(|start| (asked - window..=asked).contains(*start));
        let in_window = |start: &i64| begun.iter().filter(|at| (*start..=*start + window).contains(*at)).count();
        let (count, limit) = (starts.map(in_window).max().unwrap_or(0), BELIEVED.max(base / RECORDS_PER_DELETION));
        (count > limit).then_some(Burst { count, limit })
    }

    proptest::proptest! {
        #[test]
        fn windows_that_are_counted_once_say_what_each_would(
            base in 0_usize..200,
            begun in proptest::collection::vec(0_i64..2_500, 0..60),
            asked in 0_i64..2_500,
        ) {
            let fleet = fleet(base, &begun);
            for asked in begun.iter().copied().chain([asked]) {
                proptest::prop_assert_eq!(fleet.burst(at(asked)), burst_counted_afresh(base, &begun, asked));
            }
        }
    }
}
