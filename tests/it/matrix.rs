//! Every call of the operator to AWS × everything that can go wrong with it: after the fault goes, the end is right, with
//! nothing double and no value lost. A row is an operation and a scene that makes the operator call it.

mod coverage;
mod scene;
mod table;
mod verdict;

use std::{panic::AssertUnwindSafe, time::Instant};

use futures::{FutureExt as _, StreamExt as _, stream};

use crate::support::{Disturbance, Fault, Instance, LOOKS_OFTEN, eventually};
use scene::{Scene, Staged};
use table::{Cell, Table};

/// One operation of AWS that the operator calls.
#[derive(Clone, Copy, Debug)]
struct Row {
    service: &'static str,
    operation: &'static str,
    /// What makes the operator call it.
    scene: Scene,
    /// What the calls of this tenant name, of what the scene knows.
    named: Named,
    /// For listings: what makes a stale one matter.
    stale: Option<Scene>,
}

/// By what a call of one tenant is told from those of others.
#[derive(Clone, Copy, Debug)]
enum Named {
    Namespace,
    Association,
    Secret,
    Cluster,
}

impl Row {
    const fn eks(operation: &'static str, scene: Scene, named: Named) -> Self {
        Self { service: "eks", operation, scene, named, stale: None }
    }

    const fn secrets(operation: &'static str, scene: Scene) -> Self {
        Self { service: "secretsmanager", operation, scene, named: Named::Secret, stale: None }
    }

    /// A listing, which may lag behind in this scene.
    const fn lagging(self, scene: Scene) -> Self {
        Self { stale: Some(scene), ..self }
    }
}

/// Everything that the operator asks of AWS; `coverage.rs` compares it with the source.
const ROWS: [Row; 15] = [
    Row::eks("DescribeCluster", Scene::OperatorStarts, Named::Cluster),
    Row::eks("ListPodIdentityAssociations", Scene::Made, Named::Namespace).lagging(Scene::MadeUnseen),
    Row::eks("DescribePodIdentityAssociation", Scene::Suspended, Named::Association),
    Row::eks("CreatePodIdentityAssociation", Scene::Made, Named::Namespace),
    Row::eks("UpdatePodIdentityAssociation", Scene::RoleChanged, Named::Association),
    Row::eks("TagResource", Scene::AssociationTagLost, Named::Association),
    Row::eks("DeletePodIdentityAssociation", Scene::Suspended, Named::Association),
    Row::secrets("DescribeSecret", Scene::Made),
    Row::secrets("CreateSecret", Scene::Made),
    Row::secrets("PutSecretValue", Scene::ValueMissing),
    Row::secrets("TagResource", Scene::Suspended),
    Row::secrets("UpdateSecretVersionStage", Scene::Rotated),
    Row::secrets("RestoreSecret", Scene::ScheduledForDeletion),
    Row::secrets("UntagResource", Scene::Removed),
    Row::secrets("DeleteSecret", Scene::Removed),
];

/// What goes wrong, how often in a row, and how the table calls it.
const FAULTS: [(Fault, u32, &str); 7] = [
    (Fault::ServerError, 2, "error before"),
    (Fault::ErrorAfter, 2, "error after"),
    (Fault::AnswerLost, 2, "lost answer"),
    (Fault::Throttled, 2, "throttled"),
    (Fault::AccessDenied, 2, "access denied"),
    (Fault::Slow, 1, "slow (6 s)"),
    (Fault::Stale, 2, "stale list"),
];

/// Cells at the same time: as many as keep a small machine busy, most of a cell being waiting.
const AT_ONCE: usize = 12;

#[tokio::test]
async fn every_call_times_every_fault_ends_right() {
    let began = Instant::now();
    let instance: &'static Instance = Box::leak(Box::new(Instance::start()));
    let _operator = instance.start_operator_with(&LOOKS_OFTEN);
    scene::prepare(instance).await;
    let cells = ROWS.iter().flat_map(|row| FAULTS.map(|(fault, times, _)| (*row, fault, times)));
    let ends: Vec<_> = stream::iter(cells)
        .map(|(row, fault, times)| cell(instance, row, fault, times))
        .buffered(AT_ONCE)
        .collect()
        .await;
    // Whatever came late has come by now: what was right must be right still.
    let ends = stream::iter(ends).map(still_right).buffered(AT_ONCE).collect().await;
    let table = Table { rows: &ROWS, faults: &FAULTS, cells: ends, took: began.elapsed() };
    table.write();
    assert!(table.is_all_right(), "{table}");
}

/// One cell, and the tenant that it leaves behind; none where the cell makes no sense.
async fn cell(
    instance: &'static Instance,
    row: Row,
    fault: Fault,
    times: u32,
) -> Option<(Result<(), String>, Option<Staged>)> {
    let scene = if matches!(fault, Fault::Stale) { row.stale? } else { row.scene };
    let _turn = scene.turn().await;
    let play = AssertUnwindSafe(async {
        let staged = Staged::new(instance, scene).await;
        let result = disturbed(&staged, row, fault, times).await;
        (result, staged)
    });
    Some(match play.catch_unwind().await {
        Ok((result, staged)) => (result, Some(staged)),
        Err(panic) => (Err(words(panic.as_ref())), None),
    })
}

async fn disturbed(staged: &Staged, row: Row, fault: Fault, times: u32) -> Result<(), String> {
    let instance = staged.bed.instance;
    let text = staged.text(row.named);
    let calls = Disturbance { service: row.service, operation: row.operation, text: &text, fault, times };
    let id = instance.disturb(calls).await;
    staged.provoke().await;
    let touched = || async { (!instance.disturbed(&id).await.is_empty()).then_some(()) };
    eventually(touched).await.ok_or("the operator never made the call, or its end was never seen")?;
    let end = staged.ends_right().await;
    instance.heal(&id).await;
    end
}

async fn still_right(cell: Option<(Result<(), String>, Option<Staged>)>) -> Cell {
    match cell {
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
