//! What others read of a Tenant, state by state: each as it is told, whole, for the programs of `tests/gitops` to judge.
//!
//! The files are written with `OPENCLAW_WRITE=1 cargo test --lib states`; without it, a difference fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{fixtures::spec_of, rolling::somebody_rolls, world::World};
use crate::{
    api::{labels, tenant::TenantStatus},
    tenant::{
        plan::plan,
        status::{Telling, status},
    },
    testdata::{assert_as_told, at, manifest, read},
};

/// Where the files are: laid out as Argo CD's own are.
const FOLDER: &str = "deploy/gitops/argocd/resource_customizations/openclaw.io/Tenant/testdata";

/// Alice's Tenant as it stands in Git, made a moment ago.
fn applied() -> World {
    let mut world = World::new();
    world.make_tenant(&manifest("deploy/gitops/tenants/alice.yaml")["spec"]);
    world
}

fn at_rest() -> World {
    let mut world = applied();
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    world
}

fn leaving(policy: &str) -> World {
    let mut world = at_rest();
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!(policy));
    world.settle();
    world.delete_tenant();
    world.settle();
    world
}

fn pause(mut world: World) -> World {
    world.annotate_tenant(labels::PAUSED, "true");
    world.settle();
    world
}

fn open(world: &mut World) {
    world.edit_child(crate::tenant::child::Child::Allowlist, |policy| policy["spec"]["egress"] = json!([{}]));
}

/// The live object: what the API server defaults, and what the operator tells.
fn live(world: &mut World, told: Option<TenantStatus>) -> Value {
    let mut tenant = json!({ "apiVersion": "openclaw.io/v1alpha1", "kind": "Tenant" });
    let stored = world.tenant.clone().expect("a Tenant");
    tenant["metadata"] = stored["metadata"].clone();
    tenant["spec"] = json!(spec_of(stored["spec"].clone()));
    // What the definition has as the default of a status that nobody has written.
    let unseen = || serde_json::from_value(json!({})).expect("a status");
    tenant["status"] = json!(told.unwrap_or_else(unseen));
    tenant
}

/// What the operator tells of it now.
fn told(world: &mut World) -> Option<TenantStatus> {
    let observed = world.observe();
    let decided = plan(&observed);
    let class = world.class.as_ref().map(|class| super::fixtures::class_of(class["spec"].clone()));
    status(&Telling {
        name: &observed.name,
        generation: observed.tenant.as_deref().expect("a Tenant").generation,
        now: world.now,
        story: &decided.story,
        failures: &[],
        record: observed.record_spec(),
        class: class.as_ref(),
        previous: &TenantStatus::default(),
    })
}

fn as_told(mut world: World) -> Value {
    let status = told(&mut world);
    assert!(status.is_some(), "it is told");
    live(&mut world, status)
}

/// A state: the row of docs/status.md that it belongs to, the file, the object.
type State = (&'static str, &'static str, Value);

fn working() -> [State; 2] {
    let mut waits = applied();
    waits.broken.push("volumes");
    waits.settle();
    let mut returns = at_rest();
    returns.broken.push("pods");
    returns.pods.clear();
    returns.settle();
    [("working", "working", as_told(waits)), ("working", "working_again", as_told(returns))]
}

fn standing() -> [State; 3] {
    let mut suspended = at_rest();
    suspended.suspend(true);
    suspended.settle();
    let mut pending = at_rest();
    somebody_rolls(&pending, true, false);
    let mut class = super::fixtures::class_json();
    class["workload"]["env"] = json!([{ "name": "LOG_LEVEL", "value": "debug" }]);
    class["rollout"] = json!({ "maxInFlight": 1, "maxFailures": 1, "deadlineSeconds": 600 });
    pending.set_class(&class);
    pending.settle();
    [
        ("at rest", "at_rest", as_told(at_rest())),
        ("suspended", "suspended", as_told(suspended)),
        ("a changed pod template waits at the roll-out gate", "rollout_pending", as_told(pending)),
    ]
}

fn stalled() -> [State; 3] {
    let mut refused = at_rest();
    refused.edit_tenant(|spec| spec["quota"] = json!({ "pods": 500 }));
    refused.settle();
    let mut classless = at_rest();
    classless.class = None;
    classless.settle();
    let mut valueless = applied();
    valueless.edit_tenant(|spec| spec["secrets"] = json!([{ "name": "slack-bot-token", "required": true }]));
    valueless.settle();
    [
        ("needs a person", "needs_a_person", as_told(refused)),
        ("needs a person", "without_its_class", as_told(classless)),
        ("required secret without a value", "awaiting_value", as_told(valueless)),
    ]
}

fn going() -> [State; 3] {
    let mut held = leaving("Delete");
    held.delete_others(20);
    held.pass(61);
    let mut kept = at_rest();
    kept.delete_tenant();
    kept.round();
    [
        ("being deleted", "deleting_and_kept", as_told(kept)),
        ("being deleted", "deleting", as_told(leaving("Delete"))),
        ("held deletion", "deletion_held", as_told(held)),
    ]
}

fn paused() -> [State; 4] {
    let mut drifted = at_rest();
    open(&mut drifted);
    let mut suspended = at_rest();
    suspended.suspend(true);
    suspended.settle();
    [
        ("paused", "paused", as_told(pause(at_rest()))),
        ("paused", "paused_and_suspended", as_told(pause(suspended))),
        ("paused", "paused_and_drifted", as_told(pause(drifted))),
        ("paused", "paused_and_deleted", as_told(pause(leaving("Delete")))),
    ]
}

/// Nobody tells anything: the status is what it was.
fn untold() -> [State; 3] {
    let mut edited = at_rest();
    let before = told(&mut edited);
    edited.edit_tenant(|spec| spec["displayName"] = json!("Alice A."));
    let mut gone = at_rest();
    let last = told(&mut gone);
    for definition in gone.definitions.values_mut() {
        definition["metadata"]["deletionTimestamp"] = json!(gone.now);
    }
    gone.delete_tenant();
    assert_eq!(told(&mut gone), None, "a Tenant that goes with its definition");
    [
        ("detached", "not_seen_yet", live(&mut applied(), None)),
        ("detached", "not_seen_since_an_edit", live(&mut edited, before)),
        ("detached", "going_with_its_definition", live(&mut gone, last)),
    ]
}

fn states() -> Vec<State> {
    let all: [&[State]; 6] = [&working(), &standing(), &stalled(), &going(), &paused(), &untold()];
    all.concat()
}

/// The rows of the table that says how the whole is told: name, Ready, Reconciling, Stalled, phase.
fn rows() -> Vec<[String; 5]> {
    let text = read(&at("docs/status.md"));
    let table = text.split("## The whole").nth(1).and_then(|rest| rest.split("\nReady is").next()).expect("the table");
    let lines = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| state"));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    lines.map(|line| cells(line).try_into().expect("five cells")).collect()
}

fn condition<'a>(tenant: &'a Value, kind: &str) -> Option<&'a Value> {
    tenant["status"]["conditions"].as_array()?.iter().find(|one| one["type"] == kind)
}

/// What a state says, in the words of the table.
fn said(tenant: &Value) -> [String; 4] {
    let word = |kind: &str, field: &str| condition(tenant, kind).and_then(|one| one[field].as_str());
    let ready = word("Ready", "status").unwrap_or_default();
    let ready = match word("Ready", "reason") {
        Some(reason @ ("Suspended" | "DeletionHeld" | "AwaitingValue" | "RolloutPending" | "Deleting" | "Paused")) => {
            format!("{ready}, {reason}")
        }
        _ => ready.to_owned(),
    };
    let beside = |kind: &str| word(kind, "status").unwrap_or("absent").to_owned();
    let phase = tenant["status"]["phase"].as_str().unwrap_or_default().to_owned();
    [ready, beside("Reconciling"), beside("Stalled"), phase]
}

#[test]
fn every_state_of_the_table_is_told_as_the_table_says() {
    let (rows, states) = (rows(), states());
    assert_eq!(rows.len(), 10, "every row is read");
    let shown: BTreeSet<&str> = states.iter().map(|(row, ..)| *row).collect();
    let known: BTreeSet<&str> = rows.iter().map(|[name, ..]| name.as_str()).collect();
    assert_eq!(shown, known, "each row has a state, and each state a row");
    for (row, file, tenant) in &states {
        let told = said(tenant);
        let [_, cells @ ..] = rows.iter().find(|[name, ..]| name == row).expect("a row");
        match *row {
            // A cell of prose: what it says of each.
            "paused" => {
                let is_true = matches!(*file, "paused" | "paused_and_suspended");
                let expected = if is_true { ["True, Paused", "Ready"] } else { ["False, Paused", "Provisioning"] };
                assert_eq!([told[0].as_str(), told[3].as_str()], expected, "{file}");
                assert_eq!((&told[1..3], cells[1].as_str()), (&["absent".into(), "absent".into()][..], "absent"));
            }
            "detached" => {
                let [generation, observed] =
                    [&tenant["metadata"]["generation"], &tenant["status"]["observedGeneration"]];
                let is_leaving = tenant["metadata"]["deletionTimestamp"].is_string();
                assert!(observed.as_i64() < generation.as_i64() || is_leaving, "{file}");
            }
            _ => assert_eq!(&told, cells, "{file}"),
        }
    }
}

#[test]
fn the_states_that_gitops_programs_judge_are_as_they_are_told() {
    assert_as_told(FOLDER, states().into_iter().map(|(_, name, tenant)| (name, tenant)));
}
