//! Every call of the operator to AWS × everything that can go wrong with it: after the fault goes, the end is right, with
//! nothing double and no value lost. A row is an operation and a scene that makes the operator call it.

mod at_rest;
mod class_role;
mod coverage;
mod own_role;
mod rows;
mod scene;
mod schedule;
mod table;
mod verdict;
mod world;

use std::{panic::AssertUnwindSafe, time::Instant};

use futures::{FutureExt as _, StreamExt as _, future::join_all, stream};

use crate::support::{Disturbance, Fault, eventually_every};
use rows::{ROWS, Row};
use scene::{Scene, Staged};
use table::{Cell, Table};
use world::{TENANTS_AT_ONCE, World};

/// A fault, how many calls go wrong in a row, and how the table calls it.
type Trouble = (Fault, u32, &'static str);

/// What goes wrong.
const FAULTS: [Trouble; 7] = [
    (Fault::ServerError, 2, "error before"),
    (Fault::ErrorAfter, 2, "error after"),
    (Fault::AnswerLost, 2, "lost answer"),
    (Fault::Throttled, 2, "throttled"),
    (Fault::AccessDenied, 2, "access denied"),
    (Fault::Slow, 1, "slow (6 s)"),
    (Fault::Stale, 2, "stale list"),
];

/// How a cell ended, and what it leaves behind, which must stay right; none where the cell makes no sense.
type Outcome = Option<(Result<(), String>, Option<Staged>)>;

#[tokio::test]
async fn every_call_times_every_fault_ends_right() {
    let began = Instant::now();
    let world: &'static World = Box::leak(Box::new(World::start().await));
    let cells = ROWS.iter().flat_map(|row| FAULTS.map(|trouble| (*row, trouble)));
    // Each waits for its place by itself.
    let ends = join_all(cells.map(|(row, trouble)| cell(world, row, trouble))).await;
    // Whatever came late has come by now: what was right must be right still.
    let ends = stream::iter(ends).map(still_right).buffered(TENANTS_AT_ONCE).collect().await;
    let table = Table { rows: &ROWS, faults: &FAULTS, cells: ends, took: began.elapsed() };
    table.write();
    assert!(table.is_all_right(), "{table}");
}

async fn cell(world: &'static World, row: Row, trouble: Trouble) -> Outcome {
    let scene = if matches!(trouble.0, Fault::Stale) { row.stale? } else { row.scene };
    let play = AssertUnwindSafe(async {
        if scene.is_of_the_whole_cluster() {
            return (at_rest::disturbed(&world.quiet, scene, row, trouble).await, None);
        }
        let _place = world.place(scene).await;
        let staged = Staged::new(world.crowd, scene).await;
        let result = disturbed(&staged, row, trouble).await;
        if scene == Scene::SharedRoleOpened {
            // It would be checked, call by call, until the last cell ends.
            staged.bed.delete("TenantClass", None, &staged.bed.class).await;
            return (result, None);
        }
        (result, Some(staged))
    });
    Some(play.catch_unwind().await.unwrap_or_else(|panic| (Err(words(panic.as_ref())), None)))
}

async fn disturbed(staged: &Staged, row: Row, (fault, times, _): Trouble) -> Result<(), String> {
    let instance = staged.bed.instance;
    let text = staged.text(row.named);
    // A class whose check failed is looked at again after half a minute: once is enough to wait for.
    let times = if staged.scene == Scene::SharedRoleOpened { 1 } else { times };
    let calls = Disturbance { service: row.service, operation: row.operation, text: &text, fault, times };
    let id = instance.disturb(calls).await;
    staged.provoke().await;
    let touched = || async { (!instance.disturbed(&id).await.is_empty()).then_some(()) };
    eventually_every(scene::PERIOD, touched)
        .await
        .ok_or("the operator never made the call, or its end was never seen")?;
    let end = staged.ends_right().await;
    instance.heal(&id).await;
    end
}

async fn still_right(outcome: Outcome) -> Cell {
    match outcome {
        None => Cell::Senseless,
        Some((Ok(()), Some(staged))) => match staged.verdict().await {
            Ok(()) => Cell::Right,
            Err(why) => Cell::Wrong(format!("was right and did not stay so: {why}")),
        },
        Some((Ok(()), None)) => Cell::Right,
        Some((Err(why), _)) => Cell::Wrong(why),
    }
}

/// What a failed helper said; it has shown all it knows on the test's output.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.and_then(|text| text.lines().next()).unwrap_or("a panic without words").to_owned()
}
