//! All tenants, as a table that begins with those who need a person.
//!
//! PURE.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    age,
    paint::{Paint, Tone, cut},
};
use crate::{
    administer::table,
    api::tenant::{Phase, TenantStatus},
    tenant::{reason::Reason, views},
};

/// Who comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// A person has to do something.
    NeedsPerson,
    /// Being made or changed, or not looked at yet.
    Busy,
    /// Going.
    Leaving,
    /// At rest.
    Rests,
}

/// How one tenant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Who comes first.
    pub rank: Rank,
    /// Its name.
    pub name: String,
    /// One word.
    pub phase: String,
    /// Whether it is Ready, for the generation that is there now.
    pub ready: bool,
    /// The reason of the Ready condition.
    pub reason: String,
    /// Its class.
    pub class: String,
    /// The gateway that serves it.
    pub gateway: String,
    /// How old it is.
    pub age: String,
    /// What is said of it.
    pub message: String,
}

/// The row of a Tenant.
pub fn row(tenant: &Value, now: Timestamp) -> Row {
    let status = views::tenant_status(tenant);
    let text = |pointer: &str| tenant.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
    let ready = status.condition("Ready");
    let is_current = status.observed_generation == tenant["metadata"]["generation"].as_i64().unwrap_or(0);
    let created = text("/metadata/creationTimestamp").parse::<Timestamp>().ok();
    let (reason, message) = match ready {
        Some(ready) if is_current => (ready.reason.clone(), one_line(&ready.message)),
        Some(_) => ("-".into(), "the operator has not looked at the last change yet".into()),
        None => ("-".into(), "the operator has not looked at it yet".into()),
    };
    Row {
        rank: rank(&status, &reason, is_current),
        name: views::name(tenant).to_owned(),
        phase: format!("{:?}", status.phase),
        ready: is_current && ready.is_some_and(|ready| ready.status == "True"),
        reason,
        class: text("/spec/className"),
        gateway: status.gateway.unwrap_or_else(|| "-".into()),
        age: created.map_or_else(|| "-".into(), |at| age(at, now)),
        message,
    }
}

fn rank(status: &TenantStatus, reason: &str, is_current: bool) -> Rank {
    let is_stalled = status.is_true("Stalled");
    let needs_person = is_stalled || reason == Reason::DeletionHeld.as_str();
    match status.phase {
        _ if needs_person && is_current => Rank::NeedsPerson,
        Phase::Deleting => Rank::Leaving,
        Phase::Ready | Phase::Suspended if is_current => Rank::Rests,
        Phase::Pending | Phase::Provisioning | Phase::Ready | Phase::Suspended | Phase::Error => Rank::Busy,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How everybody stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// Those who need a person first, then by name.
    pub rows: Vec<Row>,
    /// Names that are kept though no Tenant holds them; `None` where that could not be seen.
    pub kept: Option<usize>,
}

impl Fleet {
    /// Of all Tenants and, where they can be seen, records.
    pub fn of(tenants: &[Value], records: Option<&[Value]>, now: Timestamp) -> Self {
        let mut rows: Vec<Row> = tenants.iter().map(|tenant| row(tenant, now)).collect();
        rows.sort_by(|one, other| (one.rank, &one.name).cmp(&(other.rank, &other.name)));
        let names: BTreeSet<&str> = tenants.iter().map(views::name).collect();
        let is_kept = |record: &&Value| record["spec"]["phase"] != "Purged" && !names.contains(views::name(record));
        Self { rows, kept: records.map(|records| records.iter().filter(is_kept).count()) }
    }

    /// Whether there is somebody, and everybody is Ready.
    pub fn is_ready(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.ready)
    }

    /// How many there are of each phase, and of those that no Tenant holds.
    pub fn summary(&self) -> String {
        let order = ["Error", "Deleting", "Provisioning", "Pending", "Suspended", "Ready"];
        let count = |phase: &str| self.rows.iter().filter(|row| row.phase == phase).count();
        let counts = order.iter().map(|phase| (phase, count(phase))).filter(|(_, count)| *count > 0);
        let counts: Vec<String> = counts.map(|(phase, count)| format!("{count} {phase}")).collect();
        let kept = match self.kept {
            None | Some(0) => String::new(),
            Some(kept) => format!("; {kept} kept without a Tenant (retained lists them)"),
        };
        let noun = if self.rows.len() == 1 { "tenant" } else { "tenants" };
        let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
        format!("{} {noun}{counts}{kept}", self.rows.len())
    }

    /// As a table, for people. `rows` is how many have room.
    pub fn table(&self, paint: Paint, width: Option<usize>, room: Option<usize>) -> String {
        if self.rows.is_empty() {
            return format!("{}\n", self.summary());
        }
        let head = ["NAME", "PHASE", "REASON", "CLASS", "GATEWAY", "AGE", "MESSAGE"].map(str::to_owned);
        let shown = room.unwrap_or(self.rows.len()).min(self.rows.len());
        let cells: Vec<[String; 7]> = self.rows[..shown].iter().map(Row::cells).collect();
        let text = table(&head, &cells);
        let tones = std::iter::once(Tone::Quiet).chain(self.rows.iter().map(Row::tone));
        let mut lines: Vec<String> =
            text.lines().zip(tones).map(|(line, tone)| paint.paint(tone, &cut(line, width))).collect();
        if shown < self.rows.len() {
            lines.push(format!("… and {} more", self.rows.len() - shown));
        }
        lines.push(String::new());
        lines.push(self.summary());
        lines.push(String::new());
        lines.join("\n")
    }

    /// One line for each, to see what has changed.
    pub fn lines(&self) -> Vec<String> {
        self.rows.iter().map(|row| format!("{}: {}, {}: {}", row.name, row.phase, row.reason, row.message)).collect()
    }

    /// As JSON, for programs.
    pub fn json(&self) -> Value {
        let one = |row: &Row| {
            json!({
                "name": row.name, "phase": row.phase, "ready": row.ready, "reason": row.reason, "class": row.class,
                "gateway": row.gateway, "age": row.age, "message": row.message,
                "needsPerson": row.rank == Rank::NeedsPerson,
            })
        };
        json!({
            "tenants": self.rows.iter().map(one).collect::<Vec<_>>(),
            "keptWithoutTenant": self.kept,
            "ready": self.is_ready(),
        })
    }
}

impl Row {
    fn cells(&self) -> [String; 7] {
        [&self.name, &self.phase, &self.reason, &self.class, &self.gateway, &self.age, &self.message].map(Clone::clone)
    }

    const fn tone(&self) -> Tone {
        match self.rank {
            Rank::NeedsPerson => Tone::Bad,
            Rank::Busy => Tone::Busy,
            Rank::Leaving => Tone::Quiet,
            Rank::Rests => Tone::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str, phase: &str, (ready, reason, message): (&str, &str, &str), stalled: bool) -> Value {
        let condition = |kind: &str, status: &str| {
            json!({
                "type": kind, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        };
        let mut conditions = vec![condition("Ready", ready)];
        conditions.extend(stalled.then(|| condition("Stalled", "True")));
        json!({
            "metadata": { "name": name, "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z" },
            "spec": { "className": "default" },
            "status": {
                "observedGeneration": 2, "phase": phase, "conditions": conditions, "gateway": "g/public", "secrets": [],
            },
        })
    }

    fn fleet() -> Fleet {
        let now = "2026-01-01T01:00:00Z".parse().expect("time");
        let mut stale = tenant("dora", "Ready", ("True", "Verified", "all"), false);
        stale["metadata"]["generation"] = json!(3);
        let tenants = [
            tenant("bob", "Ready", ("True", "Verified", "every part stands and was verified"), false),
            tenant("carol", "Error", ("False", "AwaitingValue", "SecretsReady: put\none"), true),
            tenant("alice", "Ready", ("True", "Verified", "every part stands and was verified"), false),
            stale,
            tenant("eve", "Deleting", ("False", "Deleting", "going"), false),
            tenant("held", "Deleting", ("False", "DeletionHeld", "held"), false),
        ];
        let record = |name: &str, phase: &str| json!({ "metadata": { "name": name }, "spec": { "phase": phase } });
        let records = [record("alice", "Active"), record("gone", "Retained"), record("over", "Purged")];
        Fleet::of(&tenants, Some(&records), now)
    }

    #[test]
    fn who_needs_a_person_comes_first_and_lines_fit_the_terminal() {
        let expected = "\
NAME   PHASE     REASON         CLASS    GATEWAY   AGE  MESSAGE
carol  Error     AwaitingValue  default  g/public  60m  SecretsReady: put one
held   Deleting  DeletionHeld   default  g/public  60m  held
dora   Ready     -              default  g/public  60m  the operator has not looke…
eve    Deleting  Deleting       default  g/public  60m  going
alice  Ready     Verified       default  g/public  60m  every part stands and was …
bob    Ready     Verified       default  g/public  60m  every part stands and was …

6 tenants: 1 Error, 2 Deleting, 3 Ready; 1 kept without a Tenant (retained lists them)
";
        assert_eq!(fleet().table(Paint::default(), Some(83), None), expected);
    }

    #[test]
    fn every_phase_is_counted() {
        let phases =
            [Phase::Pending, Phase::Provisioning, Phase::Ready, Phase::Suspended, Phase::Deleting, Phase::Error];
        for phase in phases {
            let one = tenant("a", &format!("{phase:?}"), ("True", "Verified", ""), false);
            let now = "2026-01-01T01:00:00Z".parse().expect("time");
            assert_eq!(Fleet::of(&[one], None, now).summary(), format!("1 tenant: 1 {phase:?}"));
        }
    }

    #[test]
    fn a_small_terminal_shows_the_first_and_says_how_many_there_are_more() {
        let text = fleet().table(Paint { colours: true }, None, Some(1));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("\x1b[31mcarol"), "{text:?}");
        assert_eq!(lines[2], "… and 5 more");
    }

    #[test]
    fn ready_is_said_only_of_the_generation_that_is_there() {
        assert!(!fleet().is_ready());
        let dora = fleet().rows.into_iter().find(|row| row.name == "dora").expect("dora");
        assert_eq!((dora.ready, dora.rank), (false, Rank::Busy));
        let now = "2026-01-01T01:00:00Z".parse().expect("time");
        let alone = Fleet::of(&[tenant("alice", "Suspended", ("True", "Suspended", "x"), false)], None, now);
        assert!(alone.is_ready());
        assert_eq!(alone.summary(), "1 tenant: 1 Suspended");
        assert!(!Fleet::of(&[], None, now).is_ready(), "nobody is not everybody");
        assert_eq!(Fleet::of(&[], None, now).table(Paint::default(), None, None), "0 tenants\n");
    }

    #[test]
    fn json_says_the_same() {
        let json = fleet().json();
        assert_eq!(
            json["tenants"][0],
            json!({
                "name": "carol", "phase": "Error", "ready": false, "reason": "AwaitingValue", "class": "default",
                "gateway": "g/public", "age": "60m", "message": "SecretsReady: put one", "needsPerson": true,
            })
        );
        assert_eq!((&json["keptWithoutTenant"], &json["ready"]), (&json!(1), &json!(false)));
    }
}
