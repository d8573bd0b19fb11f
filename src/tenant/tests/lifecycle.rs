//! The table of docs/lifecycle.md against what happens. Every word of a cell is a claim that is looked up, and compared with what
//! was there before; every way to a row's event is gone.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    fixtures::{class_json, spec_json},
    mishaps::settled,
    removal::{DAY, deleted, expired, mallory},
    rotating,
    world::World,
};
use crate::{
    api::{
        labels::{self, tags},
        names::VersionId,
        record::{HistoryEvent, RecordPhase},
    },
    aws::types::Secret,
    tenant::{
        action::{Action, AwsAction},
        child::Child,
    },
};

/// What confines a namespace, with the namespace.
const CONFINES: [Child; 6] = [
    Child::Namespace,
    Child::ResourceQuota,
    Child::LimitRange,
    Child::DefaultDeny,
    Child::Allowlist,
    Child::DisruptionBudget,
];

const WORKLOAD: [Child; 3] = [Child::ConfigMap, Child::Service, Child::StatefulSet];

/// The rows of the table: the event, and what it says of each column.
fn rows() -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lifecycle.md");
    let text = fs::read_to_string(path).expect("docs/lifecycle.md");
    let table =
        text.split("## What happens to what").nth(1).expect("the table").split("\n## ").next().unwrap_or_default();
    let lines = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| event"));
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// One way to an event: what was there before, and what is after. The same steps make the same world, names and UIDs included.
struct Way {
    name: &'static str,
    before: World,
    after: World,
    /// The Tenant's condition Ready, as it is told afterwards.
    ready: Option<(bool, String)>,
}

impl Way {
    fn new(name: &'static str, before: World, mut after: World) -> Self {
        after.settle();
        let ready = after.tenant.is_some().then(|| after.ready());
        Self { name, before, after, ready }
    }
}

fn way(name: &'static str, before: impl Fn() -> World, event: impl FnOnce(&mut World)) -> Way {
    let mut after = before();
    event(&mut after);
    Way::new(name, before(), after)
}

/// A way that leads through a world in which the tenant was removed: what there was is what was before that.
fn way_back(name: &'static str, mut after: World, event: impl FnOnce(&mut World)) -> Way {
    event(&mut after);
    Way::new(name, settled(), after)
}

fn removed(mut world: World) -> World {
    world.pass(61);
    world
}

fn purged_now() -> World {
    let mut world = deleted("Retain");
    let incarnation = world.record_spec().incarnation.to_string();
    world.order(labels::PURGE_NOW, &incarnation);
    world.settle();
    removed(world)
}

/// What there is in cluster and AWS, beside Tenant and record.
fn belongings(world: &World) -> impl PartialEq + use<> {
    let cloud = (world.cloud.associations.clone(), world.cloud.secrets.clone());
    (world.children.clone(), world.pods.clone(), world.volumes.clone(), cloud)
}

/// The definitions go, and with them every Tenant, record and class; then they are installed again, and the Tenant applied.
fn reinstall(world: &mut World) {
    let before = belongings(world);
    for definition in world.definitions.values_mut() {
        definition["metadata"]["deletionTimestamp"] = json!(world.now);
    }
    world.delete_tenant();
    world.settle();
    assert!(world.tenant.is_none(), "it is let go");
    world.definitions.clear();
    (world.record, world.class) = (None, None);
    world.settle();
    assert!(belongings(world) == before, "without definitions too");
    world.install();
    world.set_class(&class_json());
    world.make_tenant(&spec_json());
}

/// All ways to the event of a row.
fn ways(event: &str) -> Vec<Way> {
    match event {
        "Tenant applied" => vec![Way::new("applied", World::with_alice(), settled())],
        "suspended" => vec![way("suspended", settled, |world| world.suspend(true))],
        "resumed" => vec![way("resumed", settled, |world| {
            world.suspend(true);
            world.settle();
            world.suspend(false);
        })],
        "Tenant deleted, `Retain`" => vec![way("deleted", settled, World::delete_tenant)],
        "the same owner's Tenant applied again" => {
            vec![way_back("again", deleted("Retain"), |world| world.make_tenant(&spec_json()))]
        }
        "another owner's Tenant applied" => {
            let vanished = || {
                let mut world = settled();
                world.tenant = None;
                world
            };
            let retained = || deleted("Retain");
            let applied = |world: &mut World| world.make_tenant(&mallory());
            vec![way("to a vanished one's", vanished, applied), way("to a retained one's", retained, applied)]
        }
        "Tenant deleted, `Delete`, and settled; or retention over, or `purge-now`" => vec![
            way_back("deleted", removed(deleted("Delete")), |_| ()),
            way_back("retention over", removed(expired()), |_| ()),
            way_back("purge-now", purged_now(), |_| ()),
        ],
        "the owner back inside the recovery window" => vec![
            way_back("deleted", removed(deleted("Delete")), |world| world.make_tenant(&spec_json())),
            way_back("purge-now", purged_now(), |world| world.make_tenant(&spec_json())),
        ],
        "anybody after the window" => vec![way_back("mallory", removed(deleted("Delete")), |world| {
            world.pass(31 * DAY);
            world.cloud.let_go(world.now);
            world.make_tenant(&mallory());
        })],
        "Tenant vanished, CRDs deleted" => {
            vec![way("vanished", settled, |world| world.tenant = None), way("CRDs deleted", settled, reinstall)]
        }
        "transferred" => vec![way("transferred", rotating::settled, |world| {
            world.order(labels::TRANSFER_TO, "mallory");
            world.settle();
            world.tenant = None;
            world.make_tenant(&mallory());
        })],
        other => panic!("docs/lifecycle.md has a row that no test knows: {other}"),
    }
}

fn uid(world: &World, child: Child) -> Option<&Value> {
    world.child(child).map(|object| &object["metadata"]["uid"])
}

fn current(secret: &Secret) -> Option<VersionId> {
    secret.current_version()
}

/// The volume that the claim is bound to.
fn volume(world: &World) -> Option<&Value> {
    let name = world.child(Child::Claim)?["spec"]["volumeName"].as_str()?;
    world.volumes.get(name)
}

impl Way {
    fn both<T>(&self, look: impl Fn(&World) -> T) -> (T, T) {
        (look(&self.before), look(&self.after))
    }

    fn is_same<T: PartialEq>(&self, look: impl Fn(&World) -> T) -> bool {
        let (before, after) = self.both(look);
        before == after
    }

    /// What every kind of object can be said to be.
    fn children(&self, claim: &str, children: &[Child]) -> Option<bool> {
        let all = |holds: &dyn Fn(Child) -> bool| children.iter().all(|child| holds(*child));
        let is_there = |child| self.after.child(child).is_some();
        let is_same_one = |child| self.is_same(|world| uid(world, child).cloned());
        Some(match claim {
            "made" => all(&is_there),
            "stays" => all(&|child| is_there(child) && is_same_one(child)),
            "made anew" => all(&|child| is_there(child) && !is_same_one(child)),
            "deleted" | "deleted before" => all(&|child| !is_there(child)),
            "not touched" => all(&|child| self.is_same(|world| world.child(child).cloned())),
            _ => return None,
        })
    }

    fn confinement(&self, claim: &str) -> Option<bool> {
        let owner = |world: &World| {
            world.child(Child::Namespace).expect("namespace")["metadata"]["annotations"][labels::OWNER_HASH].clone()
        };
        match claim {
            "marked anew" => {
                let hash = self.after.record_spec().owner.hash;
                Some(owner(&self.after) == *hash.as_str() && !self.is_same(owner))
            }
            _ => self.children(claim, &CONFINES),
        }
    }

    fn account(&self, claim: &str) -> Option<bool> {
        let name = |world: &World| world.key(Child::ServiceAccount).name;
        match claim {
            "same name" => Some(self.is_same(name)),
            "another name" => Some(!self.is_same(name)),
            _ => self.children(claim, &[Child::ServiceAccount]),
        }
    }

    fn association(&self, claim: &str) -> Option<bool> {
        let all = &self.after.cloud.associations;
        let ids = |world: &World| world.cloud.associations.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        let record = self.after.record_spec();
        let is_tagged =
            |tag: &str, value: &str| all.iter().all(|one| one.tags.get(tag).is_some_and(|found| found == value));
        let was_before = self.after.done.iter().all(|one| !matches!(one, Action::Aws(AwsAction::DeleteAssociation(_))));
        Some(match claim {
            "made" => all.len() == 1 && is_tagged(tags::INCARNATION, record.incarnation.as_str()),
            "stays" => all.len() == 1 && self.is_same(ids),
            "tagged anew" => is_tagged(tags::OWNER_HASH, record.owner.hash.as_str()),
            "deleted" => all.is_empty(),
            // What was done until access had ended is forgotten by then.
            "deleted before" => all.is_empty() && was_before,
            "not touched" => self.is_same(|world| world.cloud.associations.clone()),
            _ => return None,
        })
    }

    fn secrets(&self, claim: &str) -> Option<bool> {
        let (before, after) = (&self.before.cloud.secrets, &self.after.cloud.secrets);
        let all = |holds: &dyn Fn(&str, &Secret) -> bool| {
            !after.is_empty() && after.iter().all(|(name, secret)| holds(name, secret))
        };
        let record = self.after.record_spec();
        let reader = |secret: &Secret| secret.tags.get(tags::SERVICE_ACCOUNT).cloned();
        Some(match claim {
            "made" => {
                all(&|_, secret| secret.tags.get(tags::INCARNATION).expect("a tag") == record.incarnation.as_str())
            }
            "generated" => all(&|_, secret| current(secret).is_some()),
            "made anew" | "generated ones get new values" => {
                all(&|name, secret| current(secret).is_some() && before.get(name).and_then(current) != current(secret))
            }
            "opened" => all(&|_, secret| reader(secret).as_deref() == Some(record.service_account.as_str())),
            "closed" | "closed (tag `revoked`)" => {
                all(&|_, secret| reader(secret).as_deref() == Some(tags::REVOKED) && secret.deleted_at.is_none())
            }
            "stripped" => all(&|_, secret| tags::ACCESS.iter().all(|tag| !secret.tags.contains_key(*tag))),
            "scheduled for deletion" => all(&|_, secret| secret.deleted_at.is_some()),
            "stay" => all(&|name, secret| before[name].arn == secret.arn && secret.deleted_at.is_none()),
            "restored" => all(&|name, secret| {
                let is_opened = reader(secret).as_deref() == Some(record.service_account.as_str());
                before[name].arn == secret.arn && secret.deleted_at.is_none() && is_opened
            }),
            "same versions" => all(&|name, secret| before[name].versions == secret.versions),
            "tagged anew" => {
                all(&|_, secret| secret.tags.get(tags::OWNER_HASH).expect("a tag") == record.owner.hash.as_str())
            }
            "not touched" => before == after,
            _ => return None,
        })
    }

    fn claim(&self, claim: &str) -> Option<bool> {
        let is_retained = |volume: &Value| volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain";
        let volume_uid = |world: &World| volume(world).map(|volume| volume["metadata"]["uid"].clone());
        let is_kept = volume(&self.after).is_some_and(is_retained);
        let last = self.after.done.iter().rev().find(|action| action.is_removal());
        let is_as_said = self.children(claim, &[Child::Claim]);
        Some(match claim {
            "made" | "made anew" => is_as_said? && is_kept,
            "stays" => is_as_said? && is_kept && self.is_same(volume_uid),
            "set to Retain" => is_kept,
            "same volume" => is_kept && self.is_same(|world| volume(world).map(|one| one["spec"].clone())),
            "empty" => volume(&self.after).is_some() && !self.is_same(volume_uid),
            "deleted" => is_as_said? && self.after.volumes.is_empty(),
            "the volume last" => matches!(last, Some(Action::ReleaseVolume { .. })),
            "not touched" => is_as_said? && self.is_same(|world| world.volumes.clone()),
            _ => return None,
        })
    }

    fn workload(&self, claim: &str) -> Option<bool> {
        let runs = !self.after.pods.is_empty();
        let wanted = self.after.child(Child::StatefulSet).map(|set| set["spec"]["replicas"].clone());
        let is_as_said = self.children(claim, &WORKLOAD);
        Some(match claim {
            "started" => runs && wanted == Some(json!(1)),
            "scaled to zero" => !runs && wanted == Some(json!(0)),
            "made anew" => is_as_said? && runs,
            "deleted" => is_as_said? && !runs,
            "not touched" => is_as_said? && self.is_same(|world| world.pods.clone()),
            _ => return is_as_said,
        })
    }

    fn route(&self, claim: &str) -> Option<bool> {
        let is_deleted = |action: &Action| matches!(action, Action::Delete { child: Child::Route, .. });
        let was_before = !self.after.done.iter().any(is_deleted);
        let is_as_said = self.children(claim, &[Child::Route])?;
        Some(is_as_said && (claim != "deleted before" || was_before))
    }

    fn record(&self, claim: &str) -> Option<bool> {
        let record = self.after.record_spec();
        let was_told = |event| record.history.iter().find(|entry| entry.event == event);
        let is_same_incarnation = || self.is_same(|world| world.record_spec().incarnation);
        Some(match claim {
            "made" => self.before.record.is_none(),
            "Active" => record.phase == RecordPhase::Active,
            "Retained" => record.phase == RecordPhase::Retained,
            "with a date" => record.purge_after.is_some_and(|at| at.0 > self.after.now),
            "same incarnation" => is_same_incarnation(),
            "another incarnation" => !is_same_incarnation(),
            "not touched" => self.is_same(|world| world.record.clone()),
            "the Tenant is `Stalled: NameReserved`" => self.ready == Some((false, "NameReserved".into())),
            "Purging" => self.after.done.iter().any(
                |action| matches!(action, Action::ReplaceRecord { spec, .. } if spec.phase == RecordPhase::Purging),
            ),
            "then Purged with a receipt" => {
                record.phase == RecordPhase::Purged && record.purge.is_some_and(|purge| !purge.receipt.is_empty())
            }
            "the receipt moves to its history" => {
                let purge = was_told(HistoryEvent::Purged).and_then(|entry| entry.purge.clone());
                record.purge.is_none() && purge.is_some_and(|purge| !purge.receipt.is_empty())
            }
            "or rebuilt from the namespace" => {
                let made = |world: &World| world.record.as_ref().map(|record| record["metadata"]["uid"].clone());
                is_same_incarnation() && (self.name == "vanished") == self.is_same(made)
            }
            "the new owner's" => !self.is_same(|world| world.record_spec().owner.hash),
            "kept in its history" => {
                let former = was_told(HistoryEvent::Transferred).and_then(|entry| entry.former_owner.clone());
                former == Some(self.before.record_spec().owner.hash)
            }
            _ => return None,
        })
    }
}

#[test]
fn the_table_of_the_documentation_is_what_happens() {
    let rows = rows();
    assert_eq!(rows.len(), 11, "{rows:#?}");
    let columns: [fn(&Way, &str) -> Option<bool>; 8] = [
        Way::confinement,
        Way::account,
        Way::association,
        Way::secrets,
        Way::claim,
        Way::workload,
        Way::route,
        Way::record,
    ];
    for row in rows {
        assert_eq!(row.len(), 1 + columns.len(), "a row of another shape: {row:?}");
        for way in ways(&row[0]) {
            for (cell, column) in row[1..].iter().zip(columns) {
                for claim in cell.split([',', ';']).map(str::trim) {
                    let said = format!("{} ({}): {claim:?} of {cell:?}", row[0], way.name);
                    match column(&way, claim) {
                        None => panic!("no test knows what that means: {said}"),
                        Some(holds) => assert!(holds, "{said}"),
                    }
                }
            }
        }
    }
}
