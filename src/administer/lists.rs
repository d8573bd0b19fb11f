//! What administrators read: tables for people, JSON for programs.
//!
//! PURE.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    api::{
        names::TenantName,
        record::{PurgeCause, RecordPhase, TenantRecordSpec},
    },
    tenant::breaker::{Deletion, Stage},
};

/// An aligned table with a head.
pub fn table<const COLUMNS: usize>(head: &[String; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let all = || std::iter::once(head).chain(rows);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = String::new();
    for row in all() {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn until(record: &TenantRecordSpec) -> String {
    match (record.phase, &record.purge_after) {
        (RecordPhase::Active, _) => "no Tenant: it runs on".to_owned(),
        (_, Some(time)) => time.0.to_string(),
        (_, None) => "no end by time".to_owned(),
    }
}

/// Who is kept, as a table.
pub fn retained_table(kept: &[(&TenantName, &TenantRecordSpec)]) -> String {
    if kept.is_empty() {
        return "Nobody is kept: no TenantRecord is Retained, and none is Active without its Tenant.\n".to_owned();
    }
    let head = ["TENANT", "OWNER", "UNTIL", "NAMESPACE", "VOLUME", "SECRETS", "INCARNATION"].map(str::to_owned);
    let none = || "-".to_owned();
    let row = |(name, record): &(&TenantName, &TenantRecordSpec)| {
        [
            name.to_string(),
            record.owner.subject.as_ref().map_or_else(none, ToString::to_string),
            until(record),
            record.namespace.name.to_string(),
            record.storage.volume.as_ref().map_or_else(none, |volume| volume.handle.clone()),
            record.secrets.items.len().to_string(),
            record.incarnation.to_string(),
        ]
    };
    let rows: Vec<[String; 7]> = kept.iter().map(row).collect();
    format!(
        "{}\nA Tenant of the same name and owner gets everything back. To keep longer: openclaw-tenant-operator keep NAME --until \
         DATE; to end it: purge-now; to hand it over: transfer. ARNs: --output json\n",
        table(&head, &rows)
    )
}

/// Who is kept, as JSON.
pub fn retained_json(kept: &[(&TenantName, &TenantRecordSpec)]) -> Value {
    let one = |(name, record): &(&TenantName, &TenantRecordSpec)| {
        json!({
            "tenant": name,
            "owner": record.owner.subject,
            "incarnation": record.incarnation,
            "phase": record.phase,
            "since": record.retained_since,
            "until": record.purge_after,
            "namespace": record.namespace.name,
            "volume": record.storage.volume,
            "secrets": record.secrets.items.iter().map(|item| &item.arn).collect::<Vec<_>>(),
        })
    };
    Value::Array(kept.iter().map(one).collect())
}

const fn cause(deletion: &Deletion) -> &'static str {
    match deletion.cause {
        PurgeCause::Deleted => "Tenant deleted",
        PurgeCause::Expired => "retention over",
    }
}

fn stands(deletion: &Deletion) -> String {
    match &deletion.stage {
        Stage::Settling => format!("settles until {}", deletion.settles),
        Stage::Held(burst) => format!("held: {burst}"),
        Stage::Halted => "halted with its class".to_owned(),
        Stage::Free if deletion.purging => "being removed".to_owned(),
        Stage::Free => "about to be removed".to_owned(),
    }
}

/// What is being removed, as a table.
pub fn deletions_table(deletions: &[Deletion]) -> String {
    if deletions.is_empty() {
        return "Nothing is being removed.\n".to_owned();
    }
    let head = ["TENANT", "INCARNATION", "WHY", "SINCE", "STANDS"].map(str::to_owned);
    let row = |one: &Deletion| {
        [one.tenant.to_string(), one.incarnation.to_string(), cause(one).into(), one.begun.to_string(), stands(one)]
    };
    let rows: Vec<[String; 5]> = deletions.iter().map(row).collect();
    let mut text = table(&head, &rows);
    let waiting = deletions.iter().filter(|one| matches!(one.stage, Stage::Held(_))).count();
    if waiting > 0 {
        let _ = writeln!(
            text,
            "\n{waiting} are held until somebody confirms them: openclaw-tenant-operator deletions --confirm {waiting} lets the oldest \
             {waiting} go. Are they meant? To take one back: set deletionPolicy Retain on its Tenant, or openclaw-tenant-operator \
             keep NAME --until DATE where there is none."
        );
    }
    text
}

/// What is being removed, as JSON.
pub fn deletions_json(deletions: &[Deletion]) -> Value {
    let one = |one: &Deletion| {
        json!({
            "tenant": one.tenant,
            "incarnation": one.incarnation,
            "cause": format!("{:?}", one.cause),
            "begun": one.begun.to_string(),
            "settles": one.settles.to_string(),
            "underWay": one.purging,
            "state": one.stage.as_str(),
        })
    };
    Value::Array(deletions.iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::breaker::Burst;

    fn deletion(tenant: &str, stage: Stage) -> Deletion {
        let at = |second| jiff::Timestamp::from_second(second).expect("time");
        Deletion {
            tenant: tenant.parse().expect("name"),
            incarnation: "0123456789".parse().expect("incarnation"),
            cause: PurgeCause::Deleted,
            begun: at(0),
            settles: at(60),
            purging: false,
            stage,
        }
    }

    #[test]
    fn the_table_says_how_each_stands_and_how_to_confirm() {
        let burst = Burst { count: 6, limit: 5 };
        let all = [deletion("alice", Stage::Settling), deletion("bob", Stage::Held(burst))];
        let text = deletions_table(&all);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "TENANT  INCARNATION  WHY             SINCE                 STANDS");
        assert_eq!(
            lines[1],
            "alice   0123456789   Tenant deleted  1970-01-01T00:00:00Z  settles until 1970-01-01T00:01:00Z"
        );
        assert!(lines[2].contains("held: 6 removals began within 10 minutes, and 5 are believed"), "{text}");
        assert!(text.contains("deletions --confirm 1 "), "{text}");
        assert!(!deletions_table(&all[..1]).contains("--confirm"), "nothing to confirm");
        assert_eq!(deletions_json(&all)[1]["state"], "held");
    }
}
