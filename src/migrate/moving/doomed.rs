//! PURE: which workloads the last step removes, and what becomes of what they own.
//!
//! The garbage collector takes along whatever names a deleted object as its owner, claims of other data among it. So what a claim
//! hangs on is deleted with its dependents orphaned, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    former::{Scale, former},
    removal::Belongings,
    rivals::application_of,
    sight::{Sight, controller, is_ours, title, uid},
};
use crate::tenant::views;

/// What becomes of the dependents of what is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependents {
    /// They go as well.
    Go,
    /// They stay: a claim may be one of them, or of theirs.
    Stay,
}

/// What is owned by what, of all that was seen.
pub struct Owners<'a> {
    sight: &'a Sight,
    claims: Vec<&'a Value>,
    seen: BTreeMap<&'a str, &'a Value>,
}

fn owners(object: &Value) -> impl Iterator<Item = &str> {
    object["metadata"]["ownerReferences"].as_array().into_iter().flatten().map(|owner| {
        // The API server takes no owner without one.
        owner["uid"].as_str().unwrap_or_default()
    })
}

impl<'a> Owners<'a> {
    /// Of a namespace.
    pub fn of(sight: &'a Sight, belongings: &'a Belongings) -> Self {
        let all = sight.workloads.iter().chain(&sight.sets).chain(&sight.pods).chain(&belongings.referrers);
        let all = all.chain(&belongings.others).chain(&belongings.secrets).chain(&belongings.accounts);
        let claims: Vec<&Value> = sight.claim.iter().chain(&belongings.claims).collect();
        Self { sight, seen: all.chain(claims.iter().copied()).map(|one| (uid(one), one)).collect(), claims }
    }

    /// Whether an object hangs on another, by whatever many owners between them. What hangs on something that was not seen may hang on
    /// anything: `unseen` says what that counts as.
    fn hangs_on(&self, object: &Value, above: &str, unseen: bool) -> bool {
        let mut open: Vec<&str> = owners(object).collect();
        let mut known = BTreeSet::new();
        while let Some(owner) = open.pop() {
            if owner == above {
                return true;
            }
            match self.seen.get(owner) {
                None if unseen => return true,
                Some(one) if known.insert(owner) => open.extend(owners(one)),
                None | Some(_) => {}
            }
        }
        false
    }

    /// Because of what the dependents of an object have to stay, where they do: a claim that hangs on it, or a workload that does and
    /// is not to go.
    pub fn held_by(&self, object: &Value, goes: &BTreeSet<&str>) -> Option<String> {
        let mut claims = self.claims.iter().filter(|claim| self.hangs_on(claim, uid(object), true));
        let workloads = || self.sight.workloads.iter().filter(|one| !goes.contains(uid(one)));
        claims.next().map(|claim| format!("PersistentVolumeClaim {}", views::name(claim))).or_else(|| {
            workloads().find(|one| uid(one) != uid(object) && self.hangs_on(one, uid(object), false)).map(title)
        })
    }
}

/// What was judged of the former workloads, and of those that came from the same Application.
#[derive(Debug, Default)]
pub struct Doomed<'a> {
    /// What goes: the former workloads last, because by them it is known what comes from the same Application, and a SandboxClaim
    /// before its Sandbox, which it would make again.
    pub goes: Vec<&'a Value>,
    /// What is left, and why.
    pub left: Vec<(&'a Value, String)>,
}

impl<'a> Doomed<'a> {
    /// By their UIDs.
    pub fn uids(&self) -> BTreeSet<&'a str> {
        self.goes.iter().copied().map(uid).collect()
    }

    /// All of it.
    pub fn all(&self) -> impl Iterator<Item = &'a Value> {
        self.goes.iter().copied().chain(self.left.iter().map(|(one, _)| *one))
    }

    /// Why a workload is left, where it is.
    pub fn why_left(&self, workload: &Value) -> Option<&str> {
        self.left.iter().find(|(one, _)| uid(one) == uid(workload)).map(|(_, why)| why.as_str())
    }
}

/// The former workloads, and what came from the same Application and is at rest.
pub fn doomed<'a>(sight: &'a Sight, owners: &Owners<'_>) -> Doomed<'a> {
    let mut found = candidates(sight);
    loop {
        // Each that is left may be why what it hangs on is left too.
        let uids = found.uids();
        let held = found.goes.iter().position(|one| why_not(sight, owners, one, &uids).is_some());
        let Some(held) = held else { return found };
        let workload = found.goes.remove(held);
        let why = why_not(sight, owners, workload, &uids).unwrap_or_default();
        found.left.push((workload, why));
    }
}

fn candidates(sight: &Sight) -> Doomed<'_> {
    let former = former(sight);
    let applications: BTreeSet<String> = former.iter().filter_map(|one| application_of(one)).collect();
    let above: BTreeSet<&str> =
        former.iter().filter_map(|one| controller(one)).filter_map(|owner| owner["uid"].as_str()).collect();
    let mut found = Doomed::default();
    for workload in sight.workloads.iter().filter(|one| !is_ours(one)) {
        let is_former = is_in(&former, workload) || above.contains(uid(workload));
        if !is_former && !application_of(workload).is_some_and(|name| applications.contains(&name)) {
            continue;
        }
        let scale = Scale::of(workload);
        if is_former || scale.as_ref().is_some_and(Scale::is_rest) {
            found.goes.push(workload);
            continue;
        }
        let runs = match scale {
            Some(scale) => format!("it still runs ({scale}): if it is to go too, scale it to zero before this step"),
            None => "whether it runs is not known".to_owned(),
        };
        found
            .left
            .push((workload, format!("it comes from the same Application and does not mount the claim, and {runs}")));
    }
    found.goes.sort_by_key(|one| match one["kind"].as_str() {
        Some("SandboxClaim") => 1,
        _ if is_in(&former, one) => 2,
        _ => 0,
    });
    found
}

fn is_in(these: &[&Value], object: &Value) -> bool {
    these.iter().any(|one| uid(one) == uid(object))
}

/// Why a workload that was to go is left.
fn why_not(sight: &Sight, owners: &Owners<'_>, workload: &Value, goes: &BTreeSet<&str>) -> Option<String> {
    if deletes_claims(workload) {
        return Some(format!(
            "it deletes its claims when it is deleted (whenDeleted: Delete): if it is to go, first kubectl patch statefulset {} -n {} -p \
             '{{\"spec\":{{\"persistentVolumeClaimRetentionPolicy\":{{\"whenDeleted\":\"Retain\"}}}}}}'",
            views::name(workload),
            sight.namespace()
        ));
    }
    let scale = Scale::of(workload).filter(|scale| !scale.is_rest())?;
    let held_by = owners.held_by(workload, goes)?;
    Some(format!(
        "it still runs ({scale}), and what it owns has to stay because of {held_by}: scale it to zero first, and run this command again"
    ))
}

/// A StatefulSet can be told to; its controller makes it the owner of them whenever it likes.
fn deletes_claims(workload: &Value) -> bool {
    let spec = &workload["spec"];
    spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"
        && spec["volumeClaimTemplates"].as_array().is_some_and(|all| !all.is_empty())
}
