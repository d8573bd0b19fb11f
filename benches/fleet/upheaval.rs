//! What concerns the whole fleet: another pod template, and ill neighbours.

use std::{collections::HashMap, time::Instant};

use serde_json::{Value, json};

use crate::{
    converge::{latency, settled},
    figures::{ClassChange, Neighbours, Work, real_count},
    fleet::{Fleet, class},
    logs, platform,
    support::{Bed, Disturbance, Fault, Instance, OperatorProcess, merge},
    usage::work,
};

/// Changes the class's pod template, and waits until the last tenant has it.
pub async fn class_change(fleet: &Fleet, operator: &OperatorProcess) -> ClassChange {
    println!("class change");
    let instance = fleet.bed.instance;
    let before: HashMap<String, Option<String>> =
        fleet.standings().into_iter().map(|(name, standing)| (name, standing.template)).collect();
    let (mark, spent, began) = (logs::mark(instance).await, platform::usage(operator), Instant::now());
    fleet.bed.apply_class(class(instance, "debug")).await.expect("class");
    let has_it = |name: &str, standing: &crate::fleet::Standing| {
        standing.verified && before.get(name) != Some(&standing.template)
    };
    fleet.until("changed", fleet.names.len(), has_it).await;
    let seconds = began.elapsed().as_secs_f64();
    let usage = platform::usage(operator).since(spent);
    let asked = settled(fleet, mark).await;
    fleet.class_is_rolled_out().await;
    println!("  after {seconds:.1} s");
    ClassChange { seconds, writes: real_count(asked.changes()) / fleet.size(), asked, usage }
}

/// A tenth of the tenants ill: half of those name a role that is not there, the other half find their namespace taken; and AWS
/// refuses every call for them as being too many. How soon are the others Ready?
pub async fn neighbours(instance: &'static Instance, tenants: u32) -> Neighbours {
    println!("neighbours: {tenants} tenants, a tenth of them ill");
    let mut fleet = Fleet::new(instance, tenants).await;
    for name in fleet.names.iter_mut().step_by(10) {
        *name = name.replace("fleet-", "sick-");
    }
    let is_ill = |name: &str| name.starts_with("sick-");
    let ill: Vec<String> = fleet.names.iter().filter(|name| is_ill(name)).cloned().collect();
    let mut without_role = class(instance, "info");
    merge(&mut without_role, json!({ "identity": { "roleArn": "arn:aws:iam::123456789012:role/nobody" } }));
    let poison = Bed::with_class(instance, "poison", without_role).await;
    for name in ill.iter().step_by(2) {
        let taken = format!("{}{name}", fleet.bed.prefix);
        fleet.bed.create("Namespace", None, &taken, json!({})).await.expect("a foreign namespace");
    }
    let mut faults = Vec::new();
    for service in ["eks", "secretsmanager"] {
        let refused = Disturbance { service, operation: "*", text: "sick-", fault: Fault::Throttled, times: 0 };
        faults.push(instance.disturb(Disturbance { operation: operation(service), ..refused }).await);
    }
    let operator = platform::operator(instance);
    fleet.class_is_told().await;
    fleet.is_operated_by(&operator);
    let (mark, spent) = (logs::mark(instance).await, platform::usage(&operator));
    let (began, worked) = (Instant::now(), work());
    let more = |name: &str| if is_ill(name) { json!({ "className": poison.class }) } else { Value::Null };
    let mut applied = fleet.apply(|name| some(more(name))).await;
    let healthy = fleet.names.len() - ill.len();
    fleet.until("Ready", healthy, |name, standing| standing.ready && !is_ill(name)).await;
    let seconds = (fleet.last_ready() - began).as_secs_f64();
    let (usage, worked) = (platform::usage(&operator).since(spent), work() - worked);
    let requests = logs::since(instance, mark).await.count();
    let work = Some(Work { usage, seconds: worked, requests });
    applied.retain(|name, _| !is_ill(name));
    let mut throttled = 0;
    for fault in &faults {
        throttled += instance.hits(fault).await;
    }
    println!("  the healthy are Ready after {seconds:.1} s; {throttled} calls were refused");
    drop(operator);
    let latency = latency(&fleet, &applied);
    Neighbours { ill: ill.len(), throttled, seconds, latency, work }
}

/// What is asked for a new tenant.
fn operation(service: &str) -> &'static str {
    if service == "eks" { "CreatePodIdentityAssociation" } else { "CreateSecret" }
}

fn some(more: Value) -> Value {
    if more.is_null() { json!({}) } else { more }
}
