//! Objects that somebody changes or deletes, and how soon they are as they were.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    figures::{Repair, Spread},
    fleet::Fleet,
    support::{Bed, eventually_every},
};

const PERIOD: Duration = Duration::from_millis(5);

/// Kinds with what somebody makes of them; the name is the tenant's where none is said.
fn changes() -> [(&'static str, Option<&'static str>, Value); 9] {
    [
        ("ResourceQuota", None, json!({ "spec": { "hard": { "pods": "99" } } })),
        ("LimitRange", None, json!({ "spec": { "limits": [{ "type": "Container", "default": { "cpu": "3" } }] } })),
        ("NetworkPolicy", Some("default-deny"), json!({ "spec": { "policyTypes": ["Ingress"] } })),
        ("NetworkPolicy", None, json!({ "spec": { "policyTypes": ["Ingress"] } })),
        ("PodDisruptionBudget", None, json!({ "spec": { "maxUnavailable": 0 } })),
        ("ConfigMap", None, json!({ "data": { "openclaw.json": "{}" } })),
        ("Service", None, json!({ "spec": { "sessionAffinity": "ClientIP" } })),
        ("HTTPRoute", None, json!({ "spec": { "hostnames": ["elsewhere.openclaw.local"] } })),
        ("StatefulSet", None, json!({ "spec": { "replicas": 3 } })),
    ]
}

/// Kinds that hold no data.
const DELETED: [(&str, Option<&str>); 9] = [
    ("ResourceQuota", None),
    ("LimitRange", None),
    ("NetworkPolicy", Some("default-deny")),
    ("NetworkPolicy", None),
    ("PodDisruptionBudget", None),
    ("ConfigMap", None),
    ("Service", None),
    ("HTTPRoute", None),
    ("StatefulSet", None),
];

/// Changes and deletes one object of each kind of so many tenants, one after the other.
pub async fn measure(fleet: &Fleet, count: u32) -> Vec<Repair> {
    println!("drift: {count} of each kind changed, and {count} deleted");
    let glass = fleet.bed.breaking_glass().await;
    let mut repairs = Vec::new();
    let names = || fleet.names.iter().cycle().take(usize::try_from(count).expect("a count"));
    for (kind, object, patch) in changes() {
        let mut times = Vec::new();
        for name in names() {
            times.push(changed(&of(&glass, name), kind, object.unwrap_or(name), &patch).await);
        }
        repairs.push(repair(format!("{kind}{} changed", shown(object)), times));
    }
    for (kind, object) in DELETED {
        let mut times = Vec::new();
        for name in names() {
            times.push(deleted(&of(&glass, name), kind, object.unwrap_or(name)).await);
        }
        repairs.push(repair(format!("{kind}{} deleted", shown(object)), times));
    }
    fleet.until("Ready again", fleet.names.len(), |_, standing| standing.ready).await;
    repairs
}

fn shown(object: Option<&str>) -> String {
    object.map(|name| format!(" {name}")).unwrap_or_default()
}

fn repair(what: String, times: Vec<Duration>) -> Repair {
    let repair = Repair { what, time: Spread::of(times) };
    println!("  {}: p50 {:.3} s, p99 {:.3} s", repair.what, repair.time.p50, repair.time.p99);
    repair
}

/// The same hands at another tenant.
fn of(glass: &Bed, name: &str) -> Bed {
    let Bed { instance, client, class, prefix, .. } = glass;
    Bed { instance, client: client.clone(), tenant: name.to_owned(), class: class.clone(), prefix: prefix.clone() }
}

async fn changed(bed: &Bed, kind: &str, name: &str, patch: &Value) -> Duration {
    let content = |object: &Value| json!([object["spec"], object["data"]]);
    let wanted = content(&bed.child(kind, name).await.expect(kind));
    let began = Instant::now();
    bed.patch(kind, Some(&bed.namespace()), name, patch.clone()).await.expect(kind);
    let is_repaired = || async { bed.child(kind, name).await.filter(|live| content(live) == wanted) };
    eventually_every(PERIOD, is_repaired).await.unwrap_or_else(|| panic!("{kind} {name} was not brought back"));
    began.elapsed()
}

async fn deleted(bed: &Bed, kind: &str, name: &str) -> Duration {
    let before = bed.child(kind, name).await.expect(kind)["metadata"]["uid"].clone();
    let began = Instant::now();
    bed.delete(kind, Some(&bed.namespace()), name).await;
    let is_new = |live: &Value| live["metadata"]["uid"] != before && live["metadata"]["deletionTimestamp"].is_null();
    let is_repaired = || async { bed.child(kind, name).await.filter(is_new) };
    eventually_every(PERIOD, is_repaired).await.unwrap_or_else(|| panic!("{kind} {name} was not made again"));
    began.elapsed()
}
