//! A quota that is lowered below what is used, and one that counts what is not there.
//!
//! PURE. Kubernetes takes a quota below what is used and evicts nobody, but the next pod is refused: a workspace that runs would not
//! come back from a drained node. So a quota is lowered only as far as what is used allows, and what is held back is told
//! with its figures (docs/decisions/0014).
//!
//! The API server counts an object before it stores it. Where whoever asked is gone by then, it may be counted and not be there,
//! until the quota controller counts anew: every five minutes, and at once when `spec.hard` changes.

use serde_json::json;

use super::{
    child::Child,
    digest::QuotaFacts,
    fit::{self, Amounts, CLAIMS, STORAGE},
    observed::Observed,
    wanted::{Share, Wanted},
};
use crate::api::quantity::Quantity;

/// Holds the wanted quota at what is used, where it would be lowered below that. Says what is held, if anything is. A workspace
/// that `runs` may have no pod at this moment: its pod is away, or it sleeps.
pub(super) fn hold(observed: &Observed, runs: bool, wanted: &mut Wanted<'_>) -> Option<String> {
    let live = live(observed)?;
    let needed = needed(observed, live, runs, wanted);
    let held = |(resource, asked): (&&'static str, &Quantity)| {
        let (stands, needed) = (live.hard.get(resource)?, needed.get(resource));
        // Never more than there is already: what somebody else has raised comes down to what is used.
        let kept = needed.map_or(*stands, |needed| *stands.min(needed));
        (kept > *asked).then_some((*resource, kept, *asked))
    };
    let held: Vec<_> = wanted.share().hard.iter().filter_map(held).collect();
    if held.is_empty() {
        return None;
    }
    give(wanted, held.iter().map(|(resource, kept, _)| (*resource, *kept)))?;
    let told =
        held.iter().map(|(resource, kept, asked)| format!("{resource} stays at {kept} where {asked} is asked for"));
    Some(told.collect::<Vec<_>>().join(", "))
}

/// Has the quota counted anew where it has refused the workspace's own claim and that is not there: until it is counted, no claim is
/// allowed. Nothing that stands is touched by that, and nobody gets more than before. Where claims of others take the room, the
/// quota stays as it is until they are gone. Says what is waited for.
pub(super) fn recount(observed: &Observed, wanted: &mut Wanted<'_>) -> Option<String> {
    // One that has lost its label is there, out of the watches' sight.
    if !observed.claim_is_nowhere {
        return None;
    }
    let used = live(observed)?.used.as_ref()?;
    let counted = |resource: &str| used.get(resource).copied().unwrap_or_default();
    let (claim, given) = (wanted.share().claim.as_ref()?, wanted.hard());
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
    give(wanted, [(CLAIMS, Quantity::units(0))])?;
    Some(told)
}

/// Wants the quota to give so much of these.
fn give(wanted: &mut Wanted<'_>, amounts: impl IntoIterator<Item = (&'static str, Quantity)>) -> Option<()> {
    let mut quota = wanted.object(Child::ResourceQuota)?;
    let hard = quota.pointer_mut("/spec/hard")?;
    for (resource, amount) in amounts {
        hard[resource] = json!(amount);
    }
    wanted.replace(Child::ResourceQuota, Some(quota));
    Some(())
}

fn live(observed: &Observed) -> Option<&QuotaFacts> {
    observed.child(Child::ResourceQuota).filter(|live| !live.deleting)?.facts.as_quota()
}

/// What is used, and what the workspace itself needs and does not use at this moment: the pod that is being replaced must
/// not find its place taken away. `None` for what nobody knows the use of yet.
fn needed(observed: &Observed, live: &QuotaFacts, runs: bool, wanted: &Wanted<'_>) -> Amounts {
    let Some(used) = &live.used else { return Amounts::new() };
    let mut needed = used.clone();
    for (resource, amount) in absent(observed, runs, wanted.share()) {
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
fn absent(observed: &Observed, runs: bool, share: &Share) -> Amounts {
    let mut all = Amounts::new();
    if runs && observed.pods.is_empty() {
        let former = observed.child(Child::StatefulSet).and_then(|live| live.facts.as_stateful_set());
        let former = former.map(|facts| facts.containers.as_slice());
        for containers in share.containers.as_deref().into_iter().chain(former) {
            for (resource, amount) in fit::pod(containers, &share.defaults).amounts {
                let largest: &mut Quantity = all.entry(resource).or_default();
                *largest = amount.max(*largest);
            }
        }
    }
    if observed.child(Child::Claim).is_none() {
        all.extend(share.claim.clone().unwrap_or_default());
    }
    all
}
