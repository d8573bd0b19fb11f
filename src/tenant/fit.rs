//! What a workspace takes of its namespace's quota, and whether it fits.
//!
//! PURE. Both sides are read from the objects as they are rendered, so that they cannot drift apart: a container that is
//! added to the pod is counted, and a resource that is added to the quota is asked for.

use std::collections::BTreeMap;

use litemap::LiteMap;
use serde_json::Value;

use super::{blueprint::Refusal, child::Child, reason::Reason};
use crate::api::{quantity::Quantity, tenant::CpuMemory};

/// Amounts by the names that a quota has for them.
pub type Amounts = LiteMap<&'static str, Quantity>;

/// What a quota calls claims.
pub const CLAIMS: &str = "persistentvolumeclaims";

/// What a quota calls the room that claims ask for.
pub const STORAGE: &str = "requests.storage";

/// What of a quota a pod or a claim takes a share of.
const COUNTED: [&str; 7] = ["limits.cpu", "limits.memory", CLAIMS, "pods", "requests.cpu", "requests.memory", STORAGE];

/// One container of a pod, as far as a quota sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    name: String,
    turn: Turn,
    requests: CpuMemory,
    limits: CpuMemory,
}

/// When a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Before the others, alone but for the sidecars before it.
    Before,
    /// From its turn among those before the others to the end: an init container that is restarted.
    Throughout,
    /// With the others.
    Main,
}

/// The containers of a pod template, in the order in which they start.
pub fn containers(template: &Value) -> Vec<Container> {
    let list = |field: &str| template["spec"][field].as_array().into_iter().flatten();
    let init = list("initContainers").map(|one| {
        let turn = if one["restartPolicy"] == "Always" { Turn::Throughout } else { Turn::Before };
        container(one, turn)
    });
    init.chain(list("containers").map(|one| container(one, Turn::Main))).collect()
}

fn container(object: &Value, turn: Turn) -> Container {
    let amounts = |field: &str| {
        let amount = |of: &str| object["resources"][field][of].as_str()?.parse().ok();
        CpuMemory { cpu: amount("cpu"), memory: amount("memory") }
    };
    Container {
        name: object["name"].as_str().unwrap_or_default().to_owned(),
        turn,
        requests: amounts("requests"),
        limits: amounts("limits"),
    }
}

/// What containers get that say nothing, as the rendered LimitRange says it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Defaults {
    requests: CpuMemory,
    limits: CpuMemory,
}

impl Defaults {
    /// From a LimitRange.
    pub fn of(limit_range: &Value) -> Self {
        let limit = &limit_range["spec"]["limits"][0];
        let amounts = |field: &str| {
            let amount = |of: &str| limit[field][of].as_str()?.parse().ok();
            CpuMemory { cpu: amount("cpu"), memory: amount("memory") }
        };
        Self { requests: amounts("defaultRequest"), limits: amounts("default") }
    }
}

/// What a pod takes, and what it lacks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Need {
    /// What it takes.
    pub amounts: Amounts,
    /// What containers ask for nothing of, though a quota refuses those: as container and resource.
    pub unasked: Vec<(String, &'static str)>,
}

/// What a pod of these containers takes of a quota.
pub fn pod(containers: &[Container], defaults: &Defaults) -> Need {
    type Asked = fn(&Container, &Defaults) -> Option<Quantity>;
    let mut need = Need { amounts: Amounts::from_iter([("pods", Quantity::units(1))]), unasked: Vec::new() };
    let sides: [(&'static str, Asked); 4] = [
        ("limits.cpu", |one, defaults| limits(one, defaults).cpu),
        ("limits.memory", |one, defaults| limits(one, defaults).memory),
        ("requests.cpu", |one, defaults| requests(one, defaults).cpu),
        ("requests.memory", |one, defaults| requests(one, defaults).memory),
    ];
    for (resource, asked) in sides {
        let unasked = containers.iter().filter(|one| asked(one, defaults).is_none());
        need.unasked.extend(unasked.map(|one| (one.name.clone(), resource)));
        need.amounts.insert(resource, together(containers, |one| asked(one, defaults).unwrap_or_default()));
    }
    need
}

/// The API server takes a limit as the request of what has none before the LimitRange is looked at.
fn requests(container: &Container, defaults: &Defaults) -> CpuMemory {
    let own = &container.requests;
    CpuMemory {
        cpu: own.cpu.or(container.limits.cpu).or(defaults.requests.cpu),
        memory: own.memory.or(container.limits.memory).or(defaults.requests.memory),
    }
}

fn limits(container: &Container, defaults: &Defaults) -> CpuMemory {
    let own = &container.limits;
    CpuMemory { cpu: own.cpu.or(defaults.limits.cpu), memory: own.memory.or(defaults.limits.memory) }
}

/// The larger of what runs together in the end and the largest moment before it (Kubernetes, "Resource sharing within
/// containers" of sidecar containers): an init container needs its own and that of every sidecar before it.
fn together(containers: &[Container], amount: impl Fn(&Container) -> Quantity) -> Quantity {
    let (mut running, mut largest) = (Quantity::default(), Quantity::default());
    for one in containers {
        match one.turn {
            Turn::Before => largest = largest.max(running.plus(amount(one))),
            Turn::Throughout | Turn::Main => running = running.plus(amount(one)),
        }
    }
    running.max(largest)
}

/// What a claim takes of a quota.
pub fn claim(claim: &Value) -> Amounts {
    let size = claim["spec"]["resources"]["requests"]["storage"].as_str().and_then(|size| size.parse().ok());
    let mut amounts = Amounts::from_iter([(CLAIMS, Quantity::units(1))]);
    amounts.extend(size.map(|size: Quantity| (STORAGE, size)));
    amounts
}

/// What a quota gives of what is counted here, from `spec.hard`, `status.hard` or `status.used`.
pub fn amounts(listed: &Value) -> Amounts {
    let amount = |name: &'static str| Some((name, listed[name].as_str()?.parse().ok()?));
    COUNTED.into_iter().filter_map(amount).collect()
}

/// A workspace that can never be admitted is told before it hangs.
///
/// # Errors
/// Where pod or claim as they shall be are above the quota as it shall be.
pub fn check(wanted: &BTreeMap<Child, Option<Value>>) -> Result<(), Refusal> {
    let object = |child: Child| wanted.get(&child).and_then(Option::as_ref);
    let (Some(set), Some(quota)) = (object(Child::StatefulSet), object(Child::ResourceQuota)) else { return Ok(()) };
    let hard = amounts(&quota["spec"]["hard"]);
    let defaults = object(Child::LimitRange).map(Defaults::of).unwrap_or_default();
    let Need { amounts: pod, unasked } = pod(&containers(&set["spec"]["template"]), &defaults);
    let claim = object(Child::Claim).map(claim).unwrap_or_default();
    let above = |(resource, needed): (&&'static str, &Quantity)| {
        let given = hard.get(resource).filter(|given| needed > given)?;
        Some(format!("its {resource} are {needed}, above the namespace's quota {given}"))
    };
    let missing = unasked.iter().filter(|(_, resource)| hard.contains_key(resource));
    let missing = missing.map(|(container, resource)| format!("container {container} names no {resource}"));
    let troubles: Vec<String> = pod.iter().chain(&claim).filter_map(above).chain(missing).collect();
    if troubles.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the workspace cannot start: with its relay {}; raise the quota or lower the resources",
        troubles.join(", and ")
    );
    Err(Refusal::new(Reason::WorkloadAboveQuota, message))
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
