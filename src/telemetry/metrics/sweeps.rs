//! Metrics of the sweeps over AWS.

use std::{sync::atomic::AtomicU64, time::Duration};

use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{Metrics, count};
use crate::{
    sweep::{
        findings::Finding,
        orphans::{Kind, Orphan, Orphans},
    },
    telemetry::result::RequestResult,
    tenant::looks::Subject,
};

/// From a handful of tenants to a cluster full of them, at the default rates.
const SWEEP_BUCKETS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// What a tenant's own role is called beside the kinds that may be orphans.
const ROLE: &str = "role";

/// What came of describing one thing again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audited {
    /// It is as it was known.
    Same,
    /// It differs.
    Different,
    /// It is gone.
    Gone,
    /// It could not be described.
    Failed,
}

/// Whether an orphan is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    Confirmed,
    Suspected,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFinding {
    kind: &'static str,
    finding: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAudit {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByBelief {
    kind: &'static str,
    state: &'static str,
}

/// A time as Prometheus writes it.
type Time = Gauge<f64, AtomicU64>;

/// What the sweeps say about themselves.
#[derive(Debug)]
pub(super) struct SweepMetrics {
    sweeps: Family<ByResult, Counter>,
    duration: Histogram,
    last_success: Time,
    findings: Family<ByFinding, Counter>,
    orphans: Family<ByBelief, Gauge>,
    audits: Family<ByAudit, Counter>,
    never_audited: Gauge,
    oldest_audit: Time,
}

impl SweepMetrics {
    pub(super) fn new() -> Self {
        let metrics = Self {
            sweeps: Family::default(),
            duration: Histogram::new(SWEEP_BUCKETS),
            last_success: Time::default(),
            findings: Family::default(),
            orphans: Family::default(),
            audits: Family::default(),
            never_audited: Gauge::default(),
            oldest_audit: Time::default(),
        };
        metrics.set_orphans(&Orphans::default());
        metrics.sweeps.get_or_create(&ByResult { result: RequestResult::Ok.as_str() }).inc_by(0);
        for kind in [Kind::Association.as_str(), ROLE, Kind::Secret.as_str()] {
            for finding in Finding::ALL {
                metrics.findings.get_or_create(&ByFinding { kind, finding: finding.as_str() }).inc_by(0);
            }
        }
        for kind in Kind::ALL.map(Kind::as_str) {
            for result in Audited::ALL.map(Audited::as_str) {
                metrics.audits.get_or_create(&ByAudit { kind, result }).inc_by(0);
            }
        }
        metrics
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("sweeps", "Sweeps over AWS that ended, by how", self.sweeps.clone());
        let help = "How long it took to list everything in AWS";
        registry.register_with_unit("sweep_duration", help, Unit::Seconds, self.duration.clone());
        let help = "When everything in AWS was listed last, in seconds since 1970; 0 before the first time";
        registry.register_with_unit("sweep_last_success_timestamp", help, Unit::Seconds, self.last_success.clone());
        registry.register("sweep_findings", "What sweeps found otherwise than it was known", self.findings.clone());
        registry.register("orphans", "Resources in AWS that nobody stands behind", self.orphans.clone());
        registry.register("audits", "Descriptions of single resources by the audit", self.audits.clone());
        let help = "Known resources that this process has listed but never described";
        registry.register("audit_outstanding", help, self.never_audited.clone());
        let help = "When the resource was described that was described longest ago, in seconds since 1970; 0 for none";
        registry.register_with_unit("audit_oldest_timestamp", help, Unit::Seconds, self.oldest_audit.clone());
    }

    fn set_orphans(&self, orphans: &Orphans) {
        for kind in Kind::ALL {
            let of_kind = |all: &[Orphan]| all.iter().filter(|one| one.kind == kind).count();
            let (confirmed, suspected) = (of_kind(&orphans.confirmed), of_kind(&orphans.suspected));
            let counts = match orphans.refused {
                None => [(Belief::Confirmed, confirmed), (Belief::Suspected, suspected), (Belief::Refused, 0)],
                Some(_) => [(Belief::Confirmed, 0), (Belief::Suspected, 0), (Belief::Refused, confirmed + suspected)],
            };
            for (belief, number) in counts {
                let labels = ByBelief { kind: kind.as_str(), state: belief.as_str() };
                self.orphans.get_or_create(&labels).set(count(number));
            }
        }
    }
}

impl Metrics {
    /// A sweep ended after `took`; `Ok` means at this time with everything listed.
    pub fn sweep(&self, took: Duration, ended: Result<Timestamp, RequestResult>) {
        let sweeps = &self.0.sweeps;
        let result = ended.as_ref().map_or_else(|result| *result, |_| RequestResult::Ok);
        sweeps.sweeps.get_or_create(&ByResult { result: result.as_str() }).inc();
        if let Ok(at) = ended {
            sweeps.duration.observe(took.as_secs_f64());
            sweeps.last_success.set(seconds(at));
        }
    }

    /// A sweep found something otherwise than it was known.
    pub fn sweep_found(&self, subject: &Subject, finding: Finding) {
        let labels = ByFinding { kind: kind_of(subject), finding: finding.as_str() };
        self.0.sweeps.findings.get_or_create(&labels).inc();
    }

    /// How many resources nobody stands behind.
    pub fn set_orphans(&self, orphans: &Orphans) {
        self.0.sweeps.set_orphans(orphans);
    }

    /// One resource was described again.
    pub fn audited(&self, kind: Kind, result: Audited) {
        self.0.sweeps.audits.get_or_create(&ByAudit { kind: kind.as_str(), result: result.as_str() }).inc();
    }

    /// How the audit stands: resources never described, and when the oldest description was made.
    pub fn set_audit(&self, never: usize, oldest: Option<Timestamp>) {
        self.0.sweeps.never_audited.set(count(never));
        self.0.sweeps.oldest_audit.set(oldest.map_or(0.0, seconds));
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

const fn kind_of(subject: &Subject) -> &'static str {
    match subject {
        Subject::Association => Kind::Association.as_str(),
        Subject::Role => ROLE,
        Subject::Secret(_) => Kind::Secret.as_str(),
    }
}

impl Finding {
    const ALL: [Self; 5] = [Self::Vanished, Self::Appeared, Self::Replaced, Self::Doubled, Self::Changed];

    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vanished => "vanished",
            Self::Appeared => "appeared",
            Self::Replaced => "replaced",
            Self::Doubled => "doubled",
            Self::Changed => "changed",
        }
    }
}

impl Audited {
    const ALL: [Self; 4] = [Self::Same, Self::Different, Self::Gone, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Gone => "gone",
            Self::Failed => "failed",
        }
    }
}

impl Belief {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Suspected => "suspected",
            Self::Refused => "refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aws::types::Tags, sweep::orphans::Refusal};

    fn lines(metrics: &Metrics) -> String {
        metrics.encode().unwrap()
    }

    fn orphan(kind: Kind) -> Orphan {
        Orphan {
            kind,
            name: String::new(),
            arn: String::new(),
            account: None,
            tags: Tags::new(),
            created_at: None,
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn orphans_are_told_by_kind_and_belief_and_stand_at_zero_from_the_start() {
        let metrics = Metrics::new("", "");
        assert!(lines(&metrics).contains(r#"openclaw_orphans{kind="secret",state="confirmed"} 0"#));
        let found = Orphans {
            confirmed: vec![orphan(Kind::Secret)],
            suspected: vec![orphan(Kind::Association)],
            refused: None,
        };
        metrics.set_orphans(&found);
        assert!(lines(&metrics).contains(r#"openclaw_orphans{kind="secret",state="confirmed"} 1"#));
        assert!(lines(&metrics).contains(r#"openclaw_orphans{kind="association",state="suspected"} 1"#));
        metrics.set_orphans(&Orphans { refused: Some(Refusal::NoTenants), ..found });
        assert!(lines(&metrics).contains(r#"openclaw_orphans{kind="secret",state="confirmed"} 0"#));
        assert!(lines(&metrics).contains(r#"openclaw_orphans{kind="secret",state="refused"} 1"#));
    }

    #[test]
    fn a_failed_sweep_leaves_the_time_of_the_last_good_one() {
        let metrics = Metrics::new("", "");
        metrics.sweep(Duration::from_secs(2), Ok(Timestamp::from_second(1000).unwrap()));
        metrics.sweep(Duration::from_secs(2), Err(RequestResult::Throttled));
        metrics.sweep_found(&Subject::Association, Finding::Vanished);
        metrics.audited(Kind::Secret, Audited::Same);
        metrics.set_audit(3, Some(Timestamp::from_second(7).unwrap()));
        let text = lines(&metrics);
        for line in [
            r#"openclaw_sweeps_total{result="ok"} 1"#,
            r#"openclaw_sweeps_total{result="throttled"} 1"#,
            "openclaw_sweep_last_success_timestamp_seconds 1000.0",
            "openclaw_sweep_duration_seconds_count 1",
            r#"openclaw_sweep_findings_total{kind="association",finding="vanished"} 1"#,
            r#"openclaw_audits_total{kind="secret",result="same"} 1"#,
            "openclaw_audit_outstanding 3",
            "openclaw_audit_oldest_timestamp_seconds 7.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
