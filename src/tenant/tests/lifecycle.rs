//! The table of docs/lifecycle.md against what happens: what it says is deleted is gone, and what it says is made, stays or is not
//! touched is there.

use std::{fs, path::Path};

use super::{
    fixtures::spec_json,
    mishaps::settled,
    removal::{deleted, mallory},
    world::World,
};
use crate::{
    api::{
        labels::{self, tags},
        record::RecordPhase,
    },
    tenant::child::Child,
};

/// The rows of the table: the event, and what it says of each column.
fn rows() -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lifecycle.md");
    let text = fs::read_to_string(path).expect("docs/lifecycle.md");
    let table =
        text.split("## What happens to what").nth(1).expect("the table").split("\n## ").next().unwrap_or_default();
    let lines = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| event"));
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The world after the event of a row.
fn after(event: &str) -> World {
    let mut world = settled();
    let purged = |policy| {
        let mut world = deleted(policy);
        world.pass(61);
        world
    };
    match event {
        "Tenant applied" => {}
        "suspended" => world.suspend(true),
        "resumed" => {
            world.suspend(true);
            world.settle();
            world.suspend(false);
        }
        "Tenant deleted, `Retain`" => world = deleted("Retain"),
        "the same owner's Tenant applied again" => {
            world = deleted("Retain");
            world.make_tenant(&spec_json());
        }
        "another owner's Tenant applied" => {
            world.tenant = None;
            world.make_tenant(&mallory());
        }
        "Tenant deleted, `Delete`, and settled; or retention over, or `purge-now`" => world = purged("Delete"),
        "the owner back inside the recovery window" => {
            world = purged("Delete");
            world.make_tenant(&spec_json());
        }
        "anybody after the window" => {
            world = purged("Delete");
            world.pass(31 * super::removal::DAY);
            world.cloud.let_go(world.now);
            world.make_tenant(&mallory());
        }
        "Tenant vanished, CRDs deleted" => world.tenant = None,
        "transferred" => {
            world.order(labels::TRANSFER_TO, "mallory");
            world.settle();
            world.tenant = None;
            world.make_tenant(&mallory());
        }
        other => panic!("docs/lifecycle.md has a row that no test knows: {other}"),
    }
    world.settle();
    world
}

#[test]
fn the_table_of_the_documentation_is_what_happens() {
    let rows = rows();
    assert_eq!(rows.len(), 11, "{rows:#?}");
    for row in rows {
        let [event, confinement, account, association, secrets, claim, workload, route, record] = row.as_slice() else {
            panic!("a row of another shape: {row:?}")
        };
        let world = after(event);
        let exists = |cell: &String| !cell.starts_with("deleted");
        let there = |children: &[Child]| {
            let count = children.iter().filter(|child| world.child(**child).is_some()).count();
            assert!(count == 0 || count == children.len(), "{event}: some of {children:?}");
            count > 0
        };
        let confines = [
            Child::Namespace,
            Child::ResourceQuota,
            Child::LimitRange,
            Child::DefaultDeny,
            Child::Allowlist,
            Child::DisruptionBudget,
        ];
        assert_eq!(there(&confines), exists(confinement), "{event}: {confinement}");
        assert_eq!(there(&[Child::ServiceAccount]), exists(account), "{event}: {account}");
        assert_eq!(!world.cloud.associations.is_empty(), exists(association), "{event}: {association}");
        assert_eq!(there(&[Child::Claim]), exists(claim), "{event}: {claim}");
        assert_eq!(!world.volumes.is_empty(), exists(claim), "{event}: {claim}");
        assert_eq!(there(&[Child::ConfigMap, Child::Service, Child::StatefulSet]), exists(workload), "{event}");
        let runs = !workload.contains("scaled to zero") && exists(workload);
        assert_eq!(!world.pods.is_empty(), runs, "{event}: {workload}");
        assert_eq!(there(&[Child::Route]), exists(route), "{event}: {route}");
        let secret = world.cloud.secrets.values().next().expect("a secret outlives its tenant for a while");
        let reader = secret.tags.get(tags::SERVICE_ACCOUNT).cloned();
        let reads = reader.is_some_and(|reader| reader == world.record_spec().service_account.as_str());
        let is_closed = secrets.starts_with("closed") || secrets.starts_with("stripped");
        assert_eq!(reads, !is_closed, "{event}: {secrets}");
        assert_eq!(secret.deleted_at.is_some(), secrets.contains("scheduled"), "{event}: {secrets}");
        let phase = match world.phase() {
            RecordPhase::Active => ["Active", "the new owner's", "not touched"],
            RecordPhase::Retained => ["Retained"; 3],
            RecordPhase::Purging => ["Purging, then"; 3],
            RecordPhase::Purged => ["Purged"; 3],
        };
        assert!(phase.iter().any(|word| record.contains(word)), "{event}: {record}, not {:?}", world.phase());
    }
}
