//! What the chart's alerts and its dashboard ask for is what the operator says: metrics, labels and their values.

#![allow(clippy::panic, clippy::expect_used, reason = "tests fail so")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use jiff::Timestamp;
use openclaw_tenant_operator::{
    sweep::{
        findings::Finding,
        orphans::{Kind, Orphans},
    },
    telemetry::{
        metrics::{Audited, Figures, Metrics},
        result::{Outcome, RequestResult},
    },
    tenant::looks::Subject,
};
use serde_json::Value;

/// Name -> label -> values; a histogram's parts are metrics of their own.
type Said = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Labels that Prometheus itself puts on what it reads.
const OF_PROMETHEUS: [&str; 1] = ["pod"];
/// Everything that the operator can say, said once.
fn said() -> Said {
    let metrics = Metrics::new("1", "abc");
    let outcomes =
        [Outcome::Unchanged, Outcome::Changed, Outcome::Waiting, Outcome::Stalled, Outcome::Failed, Outcome::Cancelled];
    for outcome in outcomes {
        metrics.start_reconcile("tenant").finish(outcome);
    }
    metrics.set_fleet(&Figures {
        reasons: [("Verified".to_owned(), 1)].into(),
        retained: 1,
        places: [("edge/public".to_owned(), (1, 2))].into(),
        ..Figures::default()
    });
    let results = [
        RequestResult::Ok,
        RequestResult::NotFound,
        RequestResult::Conflict,
        RequestResult::Forbidden,
        RequestResult::Invalid,
        RequestResult::Throttled,
        RequestResult::Unavailable,
        RequestResult::Timeout,
        RequestResult::Fenced,
    ];
    for result in results {
        metrics.kubernetes_request("update", "Namespace", result);
        metrics.aws_request("eks", "ListPodIdentityAssociations", result);
        metrics.event(result);
        metrics.sweep(Duration::ZERO, Err(result));
    }
    metrics.sweep(Duration::ZERO, Ok(Timestamp::UNIX_EPOCH));
    metrics.set_queue_depth("tenant", 0);
    metrics.drift_repaired("Namespace");
    metrics.foreign_mutation("Namespace");
    metrics.sweep_found(&Subject::Association, Finding::Vanished);
    metrics.set_orphans(&Orphans::default());
    metrics.audited(Kind::Secret, Audited::Same);
    metrics.set_audit(0, None);
    metrics.set_leader(true);
    read(&metrics.encode().expect("text"))
}

fn read(exposition: &str) -> Said {
    let mut said = Said::new();
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let known = said.entry(name.to_owned()).or_default();
        for (label, value) in pairs(labels.trim_end_matches('}')) {
            known.entry(label).or_default().insert(value);
        }
    }
    said
}

/// `a="b",c=~"d|e"` as (a, b), (c, d), (c, e).
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((label, after)) = rest.split_once('"') {
        let (values, after) = after.split_once('"').expect("a closing quote");
        let label = label.trim_matches(|c: char| !c.is_ascii_lowercase() && c != '_').to_owned();
        found.extend(values.split('|').map(|value| (label.clone(), value.to_owned())));
        rest = after;
    }
    found
}

fn chart(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/openclaw-tenant-operator/files").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All strings under this key, with what they belong to.
fn under<'value>(value: &'value Value, key: &str, found: &mut Vec<&'value str>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str() {
                    Some(text) if name == key => found.push(text),
                    _ => under(field, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| under(item, key, found)),
        _ => {}
    }
}

/// What an expression asks for that nobody says.
fn complaints(expression: &str, said: &Said) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut labels: BTreeSet<&str> = BTreeSet::from(["le"]);
    let mut rest = expression;
    while let Some(at) = rest.find("openclaw_") {
        rest = &rest[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        let Some(known) = said.get(name) else {
            complaints.push(format!("no metric {name}"));
            continue;
        };
        labels.extend(known.keys().map(String::as_str));
        let Some(matchers) = after.strip_prefix('{').and_then(|after| after.split_once('}')) else { continue };
        for (label, value) in pairs(matchers.0) {
            let is_said = known.get(&label).is_some_and(|values| values.contains(&value));
            if !is_said && !OF_PROMETHEUS.contains(&label.as_str()) {
                complaints.push(format!("no {name} with {label}={value}"));
            }
        }
    }
    for by in expression.split("by (").skip(1) {
        let list = by.split_once(')').expect("a closing parenthesis").0;
        let unknown = list.split(',').map(str::trim).filter(|label| !labels.contains(label));
        complaints.extend(unknown.map(|label| format!("nothing in it has the label {label}")));
    }
    complaints
}

#[test]
fn alerts_and_dashboard_ask_for_what_the_operator_says() {
    let said = said();
    let alerts: Value = serde_saphyr::from_str(&chart("alerts.yaml")).expect("YAML");
    let dashboard: Value = serde_json::from_str(&chart("dashboard.json")).expect("JSON");
    let mut expressions = Vec::new();
    under(&alerts, "expr", &mut expressions);
    assert!(expressions.len() >= 20, "the alerts are found: {expressions:?}");
    under(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() >= 50, "and the dashboard: {expressions:?}");
    let wrong: Vec<String> = expressions
        .iter()
        .flat_map(|expression| {
            complaints(expression, &said).into_iter().map(move |complaint| format!("{complaint}: {expression}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Who is woken finds what to do: a row with the severity, and a section.
#[test]
fn every_alert_has_its_section_in_the_runbook() {
    let alerts: Value = serde_saphyr::from_str(&chart("alerts.yaml")).expect("YAML");
    let (mut names, mut severities) = (Vec::new(), Vec::new());
    under(&alerts, "alert", &mut names);
    under(&alerts, "severity", &mut severities);
    assert_eq!(names.len(), severities.len(), "one severity for each");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let page = fs::read_to_string(page).expect("the runbook");
    let told: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### OpenClaw")).collect();
    assert_eq!(told.len(), names.len(), "sections of alerts: {told:?}");
    for (name, severity) in names.iter().zip(severities) {
        assert!(page.contains(&format!("\n### {name}\n")), "docs/operations.md has no section {name}");
        let row = format!("| [{name}](#{}) | {severity} |", name.to_lowercase());
        assert!(page.contains(&row), "docs/operations.md has no row {row}");
    }
}

/// What is said and shown nowhere is not watched.
#[test]
fn every_metric_is_on_the_dashboard_but_the_parts_of_another() {
    let dashboard = chart("dashboard.json");
    let unshown: Vec<String> = said()
        .into_keys()
        .filter(|name| !name.ends_with("_sum") && !name.ends_with("_count") && !dashboard.contains(name.as_str()))
        .collect();
    assert_eq!(unshown, Vec::<String>::new());
}

/// Ten thousand tenants are ten thousand values of such a label.
#[test]
fn no_label_names_a_tenant() {
    let labels: BTreeSet<String> = said().into_values().flat_map(BTreeMap::into_keys).collect();
    for forbidden in ["tenant", "namespace", "name", "owner", "email", "incarnation"] {
        assert!(!labels.contains(forbidden), "{forbidden}");
    }
    assert!(labels.contains("phase"), "they are read: {labels:?}");
}

#[test]
fn the_complaints_are_those_that_are_to_be_made() {
    let said = said();
    for (expression, complaint) in [
        ("sum(openclaw_tenant)", "no metric openclaw_tenant"),
        (r#"openclaw_tenants{phase=~"error|broken"}"#, "no openclaw_tenants with phase=broken"),
        (r#"openclaw_tenants{state="error"}"#, "no openclaw_tenants with state=error"),
        ("sum by (state) (openclaw_tenants)", "nothing in it has the label state"),
    ] {
        assert_eq!(complaints(expression, &said), [complaint], "{expression}");
    }
    let good = r#"sum by (le, controller) (rate(openclaw_reconcile_duration_seconds_bucket{controller="tenant"}[5m]))"#;
    assert_eq!(complaints(good, &said), Vec::<String>::new());
}
