//! A quota that is lowered below what is used, and one that counts what is not there.
//!
//! PURE. Kubernetes takes a quota below what is used and evicts nobody, but the next pod is refused: a workspace that runs would not
//! come back from a drained node. So a quota is lowered only as far as what is used allows, and what is held back is told
//! with its figures (docs/decisions/0014).
//!
//! The API server counts an object before it stores it. Where whoever asked is gone by then, it may be counted and not be there,
//! until the quota controller counts anew: every five minutes, and at once when `spec.hard` changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    child::Child,
    digest::QuotaFacts,
    fit::{self, Amounts, CLAIMS, Defaults, STORAGE},
    observed::Observed,
};
use crate::api::quantity::Quantity;

/// Holds the wanted quota at what is used, where it would be lowered below that. Says what is held, if anything is. A workspace
/// that `runs` may have no pod at this moment: its pod is away, or it sleeps.
pub fn hold(observed: &Observed, runs: bool, wanted: &mut BTreeMap<Child, Option<Value>>) -> Option<String> {
    let live = live(observed)?;
    let needed = needed(observed, live, runs, wanted);
    let hard = wanted.get_mut(&Child::ResourceQuota)?.as_mut()?.pointer_mut("/spec/hard")?;
    let mut held = Vec::new();
    for (resource, asked) in fit::amounts(hard) {
        let (Some(stands), needed) = (live.hard.get(resource), needed.get(resource)) else { continue };
        // Never more than there is already: what somebody else has raised comes down to what is used.
        let kept = needed.map_or(*stands, |needed| *stands.min(needed));
        if kept > asked {
            hard[resource] = json!(kept);
            held.push(format!("{resource} stays at {kept} where {asked} is asked for"));
        }
    }
    (!held.is_empty()).then(|| held.join(", "))
}

/// Has the quota counted anew where it has refused the workspace's own claim and that is not there: until it is counted, no claim is
/// allowed. Nothing that stands is touched by that, and nobody gets more than before. Where claims of others take the room, the
/// quota stays as it is until they are gone. Says what is waited for.
pub fn recount(observed: &Observed, wanted: &mut BTreeMap<Child, Option<Value>>) -> Option<String> {
    // One that has lost its label is there, out of the watches' sight.
    if !observed.claim_is_nowhere {
        return None;
    }
    let used = live(observed)?.used.as_ref()?;
    let counted = |resource: &str| used.get(resource).copied().unwrap_or_default();
    let claim = fit::claim(wanted.get(&Child::Claim)?.as_ref()?);
    let hard = wanted.get_mut(&Child::ResourceQuota)?.as_mut()?.pointer_mut("/spec/hard")?;
    let given = fit::amounts(hard);
    let has_room = |(resource, needed): (&&'static str, &Quantity)| {
        given.get(resource).is_none_or(|given| counted(resource).plus(*needed) <= *given)
    };
    if claim.iter().all(has_room) {
        return None;
    }
    let told = format!(
        "the quota counts {} claims with {} and has no room for the workspace's own, which is not there. It allows none until it is \
         counted anew; where that does not help, delete the claims of others in this namespace",
        counted(CLAIMS),
        counted(STORAGE)
    );
    hard[CLAIMS] = json!(Quantity::units(0));
    Some(told)
}

fn live(observed: &Observed) -> Option<&QuotaFacts> {
    observed.child(Child::ResourceQuota).filter(|live| !live.deleting)?.facts.as_quota()
}

/// What is used, and what the workspace itself needs and does not use at this moment: the pod that is being replaced must
/// not find its place taken away. `None` for what nobody knows the use of yet.
fn needed(observed: &Observed, live: &QuotaFacts, runs: bool, wanted: &BTreeMap<Child, Option<Value>>) -> Amounts {
    let Some(used) = &live.used else { return Amounts::new() };
    let mut needed = used.clone();
    for (resource, amount) in absent(observed, runs, wanted) {
        let sum = needed.entry(resource).or_default();
        *sum = sum.plus(amount);
    }
    for resource in live.hard.keys() {
        // What is given and not listed as used is not used.
        needed.entry(resource).or_default();
    }
    needed
}

/// What the workspace needs beside what it has: its pod, by the live template or the wanted one, and its claim.
fn absent(observed: &Observed, runs: bool, wanted: &BTreeMap<Child, Option<Value>>) -> Amounts {
    let object = |child: Child| wanted.get(&child).and_then(Option::as_ref);
    let mut all = Amounts::new();
    if runs && observed.pods.is_empty() {
        let defaults = object(Child::LimitRange).map(Defaults::of).unwrap_or_default();
        let next = object(Child::StatefulSet).map(|set| fit::containers(&set["spec"]["template"]));
        let former = observed.child(Child::StatefulSet).and_then(|live| live.facts.as_stateful_set());
        let former = former.map(|facts| facts.containers.clone());
        for containers in next.iter().chain(&former) {
            for (resource, amount) in fit::pod(containers, &defaults).amounts {
                let largest: &mut Quantity = all.entry(resource).or_default();
                *largest = amount.max(*largest);
            }
        }
    }
    if observed.child(Child::Claim).is_none() {
        all.extend(object(Child::Claim).map(fit::claim).unwrap_or_default());
    }
    all
}
