//! What the API server does with each action: preconditions, generations, finalizers.

use serde_json::{Value, json};

use super::{
    fixtures::alice,
    world::{Objects, Refused, UNWATCHED, World, has_finalizers, path},
};
use crate::{
    api::{
        labels,
        names::{NamespaceName, Uid},
        quantity::Quantity,
    },
    tenant::{
        action::{Action, Precondition},
        adoption::{Belongings, belongings::places, marks::Marks},
        child::{Child, Kind},
        explain::{Awaited, told},
        fit,
        observed::Look,
        replacement::{completed, replacement},
    },
};

impl World {
    pub(super) fn perform(&mut self, action: &Action) -> Result<(), Refused> {
        if action.is_removal() {
            self.cache.look_is_used(&alice());
        }
        match action {
            Action::CreateRecord(spec) => {
                if self.record.is_some() {
                    return Err(Refused::Exists);
                }
                self.record = Some(self.born(json!({ "metadata": { "name": "alice" }, "spec": spec })));
            }
            Action::ReplaceRecord { precondition, spec } => {
                let mut record = self.record.clone().ok_or(Refused::Conflict)?;
                check(&record, precondition)?;
                record["spec"] = json!(spec);
                self.touch(&mut record);
                self.record = Some(record);
            }
            Action::SetFinalizers { precondition, finalizers } => {
                let mut tenant = self.tenant.clone().ok_or(Refused::Conflict)?;
                check(&tenant, precondition)?;
                tenant["metadata"]["finalizers"] = json!(finalizers);
                self.touch(&mut tenant);
                let goes = !has_finalizers(&tenant) && tenant["metadata"]["deletionTimestamp"].is_string();
                self.tenant = Some(tenant).filter(|_| !goes);
            }
            Action::Create { child, object } => self.create(*child, object)?,
            Action::Update { child, object, precondition } => self.update(*child, object, precondition)?,
            Action::Delete { child, precondition } => {
                let live = self.child(*child).ok_or(Refused::Conflict)?;
                check(live, precondition)?;
                self.delete_child(*child);
            }
            // Every round of this world begins with a look at everything.
            Action::LookAtGrant => {}
            Action::DeleteStray { key, precondition } => {
                let all = self.children.get_mut(&key.kind).ok_or(Refused::Conflict)?;
                check(all.get(&path(key)).ok_or(Refused::Conflict)?, precondition)?;
                all.remove(&path(key));
            }
            Action::ScaleToZero { precondition } => {
                let live = self.child(Child::StatefulSet).ok_or(Refused::Conflict)?;
                check(live, precondition)?;
                self.edit_child(Child::StatefulSet, |set| set["spec"]["replicas"] = json!(0));
            }
            Action::RetainVolume { name, precondition, tenant, incarnation } => {
                self.edit_volume(name, precondition, |volume| {
                    volume["spec"]["persistentVolumeReclaimPolicy"] = json!("Retain");
                    volume["metadata"]["labels"] =
                        json!({ labels::MANAGED: "true", labels::TENANT: tenant, labels::INCARNATION: incarnation });
                })?;
            }
            Action::ReofferVolume { name, precondition } => self.edit_volume(name, precondition, |volume| {
                volume["spec"]["claimRef"]["uid"] = Value::Null;
            })?,
            Action::CarryOutOrders { precondition, spec, orders, .. } => {
                let mut record = self.record.clone().ok_or(Refused::Conflict)?;
                check(&record, precondition)?;
                if record["spec"]["owner"] != json!(spec.owner) {
                    self.known_before.extend(self.cloud.secrets.values().flat_map(|one| one.versions.keys().cloned()));
                }
                record["spec"] = json!(spec);
                let annotations = record["metadata"]["annotations"].as_object_mut().ok_or(Refused::Conflict)?;
                annotations.retain(|key, _| !orders.contains(&key.as_str()));
                self.touch(&mut record);
                self.record = Some(record);
            }
            // Every round of this world begins with such a look.
            Action::LookAtCluster { before } => self.cache.looked_at_cluster(&alice(), *before, self.now),
            Action::RemoveNamespace { precondition } => {
                let live = self.child(Child::Namespace).ok_or(Refused::Conflict)?;
                check(live, precondition)?;
                // What the policy of the operator's own writes asks for.
                let approved = &live["metadata"]["annotations"][labels::DELETE_APPROVED];
                assert_eq!(
                    approved, &live["metadata"]["uid"],
                    "a namespace is deleted whose removal was not written on it"
                );
                self.delete_child(Child::Namespace);
            }
            Action::ReleaseVolume { name, precondition, at } => self.edit_volume(name, precondition, |volume| {
                volume["metadata"]["annotations"][labels::RELEASED_AT] = json!(at);
                volume["spec"]["persistentVolumeReclaimPolicy"] = json!("Delete");
            })?,
            Action::DeletePod { name, uid } => {
                let pods = self.pods.values_mut();
                let now = self.now;
                pods.filter(|pod| pod["metadata"]["name"] == **name && json!(uid) == pod["metadata"]["uid"])
                    .for_each(|pod| pod["metadata"]["deletionTimestamp"] = json!(now));
            }
            Action::LookInside(namespace) => self.look_inside(namespace),
            Action::Mark { child, precondition, marks } => {
                let marked = self.mark(*child, precondition, marks);
                if marked.is_err() {
                    self.cache.saw_belongings(&alice(), Look::Never);
                }
                marked?;
            }
            Action::LookAtEvents { awaited, of } => self.look_at_events(*awaited, of),
            Action::AskForTurn(rollout) => self.cache.ask_for_turn(&alice(), rollout, self.now),
            Action::Aws(action) => self.cloud.perform(action, &self.cache, self.now)?,
        }
        Ok(())
    }

    fn look_at_events(&self, awaited: Awaited, of: &Uid) {
        let is_its = |event: &&Value| event["involvedObject"]["uid"] == json!(of);
        let events: Vec<Value> = self.events.iter().filter(is_its).cloned().collect();
        self.cache.saw_events(&alice(), awaited, of, self.now, told(awaited, &events));
    }

    fn look_inside(&mut self, namespace: &NamespaceName) {
        let inside = format!("{namespace}/");
        let all = |objects: &Objects| -> Vec<Value> {
            let those = objects.iter().filter(|(path, _)| path.starts_with(&inside));
            those.map(|(_, object)| object.clone()).collect()
        };
        let claims = all(&self.children[&Kind::PersistentVolumeClaim]);
        let standing: Option<Vec<(Child, Value)>> =
            self.record.as_ref().map(|_| places().filter_map(|one| Some((one, self.child(one)?.clone()))).collect());
        let belongings = Belongings::of(namespace, &claims, &all(&self.pods), standing.as_deref());
        self.cache.saw_belongings(&alice(), Look::At(self.now, belongings));
    }

    fn mark(&mut self, child: Child, precondition: &Precondition, marks: &Marks) -> Result<(), Refused> {
        check(self.child(child).ok_or(Refused::Conflict)?, precondition)?;
        self.edit_child(child, |object| {
            drop(object.as_object_mut().and_then(|object| object.remove(UNWATCHED)));
            for (field, of) in [("labels", &marks.labels), ("annotations", &marks.annotations)] {
                if of.is_empty() {
                    continue;
                }
                let kept = object["metadata"][field].as_object().cloned().unwrap_or_default();
                object["metadata"][field] = Value::Object(kept);
                let map = object["metadata"][field].as_object_mut().expect("a map");
                for (key, value) in of {
                    match value {
                        Some(value) => drop(map.insert(key.clone(), json!(value))),
                        None => drop(map.remove(key)),
                    }
                }
            }
        });
        Ok(())
    }

    fn create(&mut self, child: Child, object: &Value) -> Result<(), Refused> {
        let key = self.key(child);
        if let Some(live) = self.children.get_mut(&key.kind).and_then(|all| all.get_mut(&path(&key))) {
            // What no watch shows is looked for, and known from then on.
            let is_unseen = live.as_object_mut().is_some_and(|live| live.remove(UNWATCHED).is_some());
            return if is_unseen { Ok(()) } else { Err(Refused::Exists) };
        }
        // The interceptor's namespace is not of this world.
        if let Some(namespace) = key.namespace.as_ref().filter(|_| child != Child::InterceptorGrant) {
            let namespace = self.children[&Kind::Namespace].get(namespace.as_str()).ok_or(Refused::Conflict)?;
            if namespace["metadata"]["deletionTimestamp"].is_string() {
                return Err(Refused::Conflict);
            }
        }
        if child == Child::Claim && !self.has_room(object) {
            self.cache.claim_is_nowhere(&alice());
            return Err(Refused::Quota);
        }
        let mut object = self.born(object.clone());
        object["metadata"]["generation"] = json!(1);
        self.put(&key, object);
        Ok(())
    }

    /// Whether the quota allows a claim, by what was counted last.
    fn has_room(&self, claim: &Value) -> bool {
        let Some(quota) = self.child(Child::ResourceQuota) else { return true };
        let [hard, used] = ["hard", "used"].map(|one| fit::amounts(&quota["status"][one]));
        let after = |resource, needed: Quantity| used.get(resource).copied().unwrap_or_default().plus(needed);
        fit::claim(claim)
            .into_iter()
            .all(|(resource, needed)| hard.get(resource).is_none_or(|hard| after(resource, needed) <= *hard))
    }

    fn update(&mut self, child: Child, object: &Value, precondition: &Precondition) -> Result<(), Refused> {
        let live = self.child(child).ok_or(Refused::Conflict)?.clone();
        check(&live, precondition)?;
        let object = replacement(child.kind(), &live, &completed(child.kind(), &live, object));
        self.edit_child(child, |stored| *stored = object);
        Ok(())
    }

    fn edit_volume(
        &mut self,
        name: &str,
        precondition: &Precondition,
        edit: impl FnOnce(&mut Value),
    ) -> Result<(), Refused> {
        let mut volume = self.volumes.get(name).cloned().ok_or(Refused::Conflict)?;
        check(&volume, precondition)?;
        edit(&mut volume);
        self.touch(&mut volume);
        self.volumes.insert(name.to_owned(), volume);
        Ok(())
    }
}

fn check(object: &Value, precondition: &Precondition) -> Result<(), Refused> {
    let metadata = &object["metadata"];
    let same = json!(precondition.uid) == metadata["uid"]
        && metadata["resourceVersion"] == *precondition.resource_version.as_str();
    if same { Ok(()) } else { Err(Refused::Conflict) }
}
