//! From the first apply to the last tenant.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use serde_json::{Value, json};

use crate::{
    asked::Asked,
    figures::{Converge, Spread},
    fleet::Fleet,
    logs, platform,
    support::{OperatorProcess, eventually},
    usage::work,
};

/// What each tenant has, and how many of it.
const MADE: [(&str, usize); 10] = [
    ("Namespace", 1),
    ("ResourceQuota", 1),
    ("LimitRange", 1),
    ("NetworkPolicy", 2),
    ("PodDisruptionBudget", 1),
    ("ServiceAccount", 1),
    ("PersistentVolumeClaim", 1),
    ("ConfigMap", 1),
    ("StatefulSet", 1),
    ("Service", 1),
];

/// Applies all Tenants, and waits for the last.
pub async fn measure(fleet: &Fleet, operator: &OperatorProcess) -> Converge {
    let instance = fleet.bed.instance;
    println!("converge: {} tenants", fleet.names.len());
    let (before, stored) = (platform::usage(operator), stored(fleet));
    let mark = logs::mark(instance).await;
    let (began, worked) = (Instant::now(), work());
    let applied = fleet.apply(|_| json!({})).await;
    fleet.until("Ready", fleet.names.len(), |_, standing| standing.ready).await;
    let seconds = (fleet.last_ready() - began).as_secs_f64();
    let (usage, work_seconds) = (platform::usage(operator).since(before), work() - worked);
    let passes = passes(operator).await;
    let etcd_bytes = self::stored(fleet).saturating_sub(stored);
    let made = made(fleet).await;
    let asked = settled(fleet, mark).await;
    fleet.class_is_rolled_out().await;
    println!("  all Ready after {seconds:.1} s, {:.1} ms CPU each", usage.cpu_seconds * 1000.0 / fleet.size());
    Converge {
        seconds,
        latency: latency(fleet, &applied),
        before,
        usage,
        work_seconds,
        passes,
        etcd_bytes,
        made,
        asked,
    }
}

/// How often the operator has decided about a tenant.
async fn passes(operator: &OperatorProcess) -> u64 {
    let (_, metrics) = operator.get("/metrics").await.expect("the operator's metrics");
    let counted = metrics.lines().filter(|line| line.starts_with("openclaw_reconciles_total"));
    counted.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// How large etcd's file is.
fn stored(fleet: &Fleet) -> u64 {
    let file = format!("{}/etcd/member/snap/db", fleet.bed.instance.fact("/dir"));
    std::fs::metadata(file).expect("etcd's file").len()
}

/// For so long something may still be asked for the fleet, in seconds: more than twice what a new tenant's record waits at the most.
const QUIET_WITHIN: u64 = 300;

/// What was asked, once nothing more is asked for the fleet. The audit goes on: it describes one thing a second in AWS.
pub async fn settled(fleet: &Fleet, mark: logs::Mark) -> Asked {
    let instance = fleet.bed.instance;
    let work = |asked: &Asked| {
        let mut counts = asked.per_tenant();
        counts.retain(|what, _| !asked.aws_reads.contains_key(what));
        counts
    };
    let (mut before, mut went_on) = (work(&logs::since(instance, mark).await), String::new());
    for _ in 0..QUIET_WITHIN {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let now = logs::since(instance, mark).await;
        let counts = work(&now);
        if counts == before {
            return now;
        }
        let more = counts.iter().filter(|(what, count)| before.get(*what) != Some(count));
        went_on = more.map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ");
        before = counts;
    }
    panic!("the operator does not come to rest; in the last second rose: {went_on}");
}

/// From each apply to Ready.
pub fn latency(fleet: &Fleet, applied: &HashMap<String, (Instant, Value)>) -> Spread {
    let standings = fleet.standings();
    let one = |(name, (began, _)): (&String, &(Instant, Value))| Some(standings.get(name)?.first_ready? - *began);
    Spread::of(applied.iter().filter_map(one))
}

/// Counts what Ready promises; a fleet that lacks anything was not measured.
async fn made(fleet: &Fleet) -> BTreeMap<String, usize> {
    let tenants = fleet.names.len();
    let mut made = BTreeMap::new();
    for (kind, each) in MADE.into_iter().chain([("HTTPRoute", 1)]) {
        let list = kube::api::ListParams::default().labels("openclaw.io/managed=true");
        let found = fleet.bed.api(kind, None).list(&list).await.expect("a list").items.len();
        assert_eq!(found, tenants * each, "{kind} of {tenants} tenants");
        made.insert(kind.to_owned(), found);
    }
    made.insert("association".to_owned(), associations(fleet).await);
    // Emulated listings are as slow as they are; what they lack comes with the next look.
    let all = || async {
        let found = secrets(fleet).await;
        (found == tenants).then_some(found)
    };
    made.insert("secret".to_owned(), eventually(all).await.expect("a secret for each tenant"));
    assert_eq!(made["association"], tenants, "associations of {tenants} tenants");
    made
}

async fn associations(fleet: &Fleet) -> usize {
    let instance = fleet.bed.instance;
    let (mut found, mut next) = (0, None);
    loop {
        let request = instance.eks().list_pod_identity_associations().cluster_name(instance.fact("/aws/clusterName"));
        let page = request.set_next_token(next).send().await.expect("associations");
        found += page.associations().iter().filter(|one| is_ours(one.namespace())).count();
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            return found;
        }
    }
}

async fn secrets(fleet: &Fleet) -> usize {
    let (mut found, mut next) = (0, None);
    loop {
        let page = fleet.bed.instance.secrets().list_secrets().set_next_token(next).send().await.expect("secrets");
        let names = page.secret_list().iter().filter_map(|secret| secret.name());
        found += names.filter(|name| name.starts_with("openclaw/fleet-")).count();
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            return found;
        }
    }
}

fn is_ours(namespace: Option<&str>) -> bool {
    namespace.is_some_and(|namespace| namespace.starts_with("openclaw-fleet-"))
}
