//! PURE: what the last step removes of the former system, what it leaves, and why.
//!
//! Removed is what the former workload alone had: a thing that anybody else names, or of which that is not known, is left. What is
//! unseen is never taken for missing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    doomed::{Dependents, Owners, doomed},
    former::Scale,
    references::{accounts, maybe_secrets, secrets},
    sight::{Sight, controller, is_ours, title, uid},
    verdict::Refused,
};
use crate::tenant::views;

/// What lies in the namespace beside workloads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Belongings {
    /// Metadata of its Secrets.
    pub secrets: Vec<Value>,
    /// Its ServiceAccounts.
    pub accounts: Vec<Value>,
    /// Metadata of its claims.
    pub claims: Vec<Value>,
    /// Everything else that may name a Secret or a ServiceAccount, each with its kind: pods, Jobs, Ingresses, bindings, ….
    pub referrers: Vec<Value>,
    /// What is only told, each with its kind.
    pub others: Vec<Value>,
    /// What of all that could not be read.
    pub unread: Vec<String>,
    /// What could not be read of bindings, which name ServiceAccounts alone.
    pub unread_bindings: Vec<String>,
}

/// One thing that is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// Its kind.
    pub kind: String,
    /// Its version, as `group/version`.
    pub api_version: String,
    /// Its name.
    pub name: String,
    /// The very object that is meant.
    pub uid: String,
    /// What becomes of what it owns.
    pub dependents: Dependents,
    /// What a person should know of it before it goes.
    pub note: Option<String>,
}

/// One thing that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Which.
    pub what: String,
    /// Why.
    pub why: String,
}

/// All of it, in the order in which it goes: the workloads last, because by them it is known what they had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Associations that the operator deletes.
    pub associations: Vec<String>,
    /// What this command deletes.
    pub things: Vec<Thing>,
    /// What stays.
    pub left: Vec<Left>,
}

impl Removal {
    /// What is still there of what was confirmed, and what was left: by the reasons for which it was, because with the former workload
    /// went what they were known by.
    #[must_use]
    pub fn after(mut self, confirmed: &Self) -> Self {
        self.things.retain(|thing| confirmed.things.iter().any(|one| one.is(thing)));
        for left in &mut self.left {
            if let Some(shown) = confirmed.left.iter().find(|one| one.what == left.what) {
                left.why.clone_from(&shown.why);
            }
        }
        self
    }
}

impl Thing {
    fn of(object: &Value, kind: &str, version: &str, held_by: Option<String>) -> Self {
        let dependents = if held_by.is_some() { Dependents::Stay } else { Dependents::Go };
        let runs = Scale::of(object).filter(|scale| !scale.is_rest()).map(|scale| format!("it runs: {scale}"));
        let held = held_by.map(|why| format!("what it owns stays, because of {why}"));
        let notes: Vec<String> = runs.into_iter().chain(held).collect();
        let text = |key: &str, otherwise: &str| object[key].as_str().unwrap_or(otherwise).to_owned();
        Self {
            kind: text("kind", kind),
            api_version: text("apiVersion", version),
            name: views::name(object).to_owned(),
            uid: uid(object).to_owned(),
            dependents,
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        }
    }

    /// Whether this is the same object.
    pub fn is(&self, other: &Self) -> bool {
        self.uid == other.uid
    }

    /// As JSON, for programs.
    pub fn json(&self) -> Value {
        json!({ "kind": self.kind, "name": self.name, "uid": self.uid, "note": self.note })
    }
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// What is removed and what is left.
pub fn removal(sight: &Sight, belongings: &Belongings) -> Removal {
    let owners = Owners::of(sight, belongings);
    let doomed = doomed(sight, &owners);
    let goes = doomed.uids();
    let takes_along =
        doomed.goes.iter().filter(|one| owners.held_by(one, &goes).is_none()).map(|one| uid(one)).collect();
    let world = World { sight, belongings, doomed: goes, takes_along };
    let mut left = Vec::new();
    let had: Vec<&Value> = doomed.all().collect();
    let accounts = world.accounts(&had, &mut left);
    let secrets = world.secrets(&had, &accounts, &mut left);
    let thing = |one: &Value, kind, version| Thing::of(one, kind, version, owners.held_by(one, &world.doomed));
    let mut things: Vec<Thing> = secrets.iter().map(|one| thing(one, "Secret", "v1")).collect();
    things.extend(accounts.iter().map(|one| thing(one, "ServiceAccount", "v1")));
    things.extend(doomed.goes.iter().map(|one| thing(one, "", "")));
    let others = belongings.others.iter().filter(|one| !is_ours(one) && !world.is_taken_along(one));
    let claims = belongings.claims.iter().filter(|one| views::name(one) != sight.claim_name());
    left.extend(others.chain(claims).map(|one| Left {
        what: title(one),
        why: "not this command's to judge: remove it yourself where nobody needs it".to_owned(),
    }));
    let staying = sight.workloads.iter().filter(|one| !is_ours(one) && !world.doomed.contains(uid(one)));
    let otherwise = "it neither mounts the claim nor comes from the same Application";
    left.extend(
        staying.map(|one| Left { what: title(one), why: doomed.why_left(one).unwrap_or(otherwise).to_owned() }),
    );
    Removal { associations: associations(sight), things, left }
}

fn associations(sight: &Sight) -> Vec<String> {
    let adoption = sight.record.adoption.iter();
    adoption.flat_map(|adoption| adoption.former_associations.iter().map(ToString::to_string)).collect()
}

struct World<'a> {
    sight: &'a Sight,
    belongings: &'a Belongings,
    doomed: BTreeSet<&'a str>,
    /// Those of them whose dependents go with them.
    takes_along: BTreeSet<&'a str>,
}

impl<'a> World<'a> {
    /// Whether an object is one of those that go, or is kept there by one of them.
    fn goes_with(&self, object: &Value) -> bool {
        self.doomed.contains(uid(object)) || self.is_kept_by(object, &self.doomed)
    }

    /// Whether an object goes because what keeps it there does.
    fn is_taken_along(&self, object: &Value) -> bool {
        self.is_kept_by(object, &self.takes_along)
    }

    fn is_kept_by(&self, object: &Value, these: &BTreeSet<&str>) -> bool {
        let Some(owner) = controller(object).and_then(|owner| owner["uid"].as_str()) else { return false };
        let set = self.sight.sets.iter().find(|set| uid(set) == owner);
        let above = set.and_then(controller).and_then(|owner| owner["uid"].as_str());
        these.contains(owner) || above.is_some_and(|uid| these.contains(uid))
    }

    /// Everything that stays and may name something, with its title.
    fn staying(&self) -> impl Iterator<Item = &'a Value> {
        let all = self.sight.workloads.iter().chain(&self.sight.sets).chain(&self.sight.pods);
        all.chain(&self.belongings.referrers).filter(|one| !self.goes_with(one))
    }

    fn named_by(&self, name: &str, names: impl Fn(&Value) -> BTreeSet<String>) -> Option<String> {
        self.staying().find(|one| names(one).contains(name)).map(title)
    }

    /// Why nothing may be said of who else names a thing.
    fn unread(&self, of_account: bool) -> Option<String> {
        let bindings = self.belongings.unread_bindings.iter().filter(|_| of_account);
        let unread: Vec<&str> = self.belongings.unread.iter().chain(bindings).map(String::as_str).collect();
        (!unread.is_empty()).then(|| format!("who else names it is not known: {}", unread.join("; ")))
    }

    /// ServiceAccounts that only the former workloads ran as.
    fn accounts(&self, workloads: &[&Value], left: &mut Vec<Left>) -> Vec<&'a Value> {
        let namespace = self.sight.namespace();
        let had: BTreeSet<String> = workloads.iter().flat_map(|one| accounts(&one["spec"], namespace)).collect();
        let mut gone = Vec::new();
        for account in self.belongings.accounts.iter().filter(|one| views::name(one) != "default" && !is_ours(one)) {
            let name = views::name(account);
            let token = |secret: &&Value| token_of(secret) == Some(name);
            let why = if had.contains(name) {
                self.unread(true)
                    .or_else(|| {
                        self.named_by(name, |one| accounts(one, namespace)).map(|who| format!("{who} names it"))
                    })
                    .or_else(|| {
                        self.belongings
                            .secrets
                            .iter()
                            .find(token)
                            .map(|one| format!("Secret {} is a token of it", views::name(one)))
                    })
            } else {
                Some("the former workload does not run as it".to_owned())
            };
            match why {
                Some(why) => left.push(Left { what: format!("ServiceAccount {name}"), why }),
                None => gone.push(account),
            }
        }
        gone
    }

    /// Secrets that only what goes names.
    fn secrets(&self, workloads: &[&Value], gone: &[&Value], left: &mut Vec<Left>) -> Vec<&'a Value> {
        let had: BTreeSet<String> = workloads.iter().chain(gone).flat_map(|one| secrets(one)).collect();
        let stay = self.belongings.accounts.iter().filter(|one| gone.iter().all(|other| uid(other) != uid(one)));
        let stay: Vec<(String, BTreeSet<String>)> =
            stay.map(|one| (format!("ServiceAccount {}", views::name(one)), maybe_secrets(one))).collect();
        let mut removed = Vec::new();
        for secret in self.belongings.secrets.iter().filter(|one| !is_ours(one)) {
            let name = views::name(secret);
            let owner = secret["metadata"]["ownerReferences"].get(0);
            let why = if !had.contains(name) {
                Some("the former workload does not name it".to_owned())
            } else if let Some(owner) = owner {
                let text = |key: &str| owner[key].as_str().unwrap_or_default();
                Some(format!("{} {} keeps it", text("kind"), text("name")))
            } else if let Some(account) = token_of(secret) {
                Some(format!("it is a token of ServiceAccount {account}"))
            } else {
                let account = || stay.iter().find(|(_, names)| names.contains(name)).map(|(who, _)| who.clone());
                let named = || self.named_by(name, maybe_secrets).or_else(account);
                self.unread(false).or_else(|| named().map(|who| format!("{who} names it too")))
            };
            match why {
                Some(why) => left.push(Left { what: format!("Secret {name}"), why }),
                None => removed.push(secret),
            }
        }
        removed
    }
}

/// The ServiceAccount that a Secret is a token of.
fn token_of(secret: &Value) -> Option<&str> {
    secret["metadata"]["annotations"].get("kubernetes.io/service-account.name")?.as_str()
}

/// Whether the data is safe whatever is deleted beside it, by a look just before: the claim is bound to the recorded volume, and that
/// is kept (Retain).
///
/// # Errors
/// What is not as it must be.
pub fn guard(sight: &Sight) -> Result<(), Refused> {
    let refused = |why: String| Err(Refused::Unsafe(why));
    let name = sight.claim_name();
    let (Some(claim), Some(recorded)) = (&sight.claim, &sight.record.storage.volume) else {
        return refused(format!("claim {name} or the record of its volume is not there"));
    };
    let Some(volume) = &sight.volume else {
        return refused(format!("PersistentVolume {} of claim {name} is not there", recorded.name));
    };
    if claim["metadata"]["deletionTimestamp"].is_string() || volume["metadata"]["deletionTimestamp"].is_string() {
        return refused(format!("claim {name} or its volume {} is being deleted", recorded.name));
    }
    let is_bound = claim["status"]["phase"] == "Bound"
        && claim["spec"]["volumeName"] == recorded.name.as_str()
        && volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"];
    if !is_bound {
        return refused(format!("claim {name} is not bound to its recorded volume {}", recorded.name));
    }
    if volume["spec"]["persistentVolumeReclaimPolicy"] != "Retain" {
        return refused(format!("PersistentVolume {} is not kept (its reclaim policy is not Retain)", recorded.name));
    }
    Ok(())
}
