//! Looks at the API server itself, where what the watches have told so far is not enough.

use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{
    super::{
        action::Step,
        adoption::{Belongings, belongings::places},
        cache::{DEFINITIONS, Watched},
        child::{Child, Kind, ObjectKey},
        explain::{Awaited, told},
        observed::{Look, Observed},
    },
    ActionError, Hands, key,
};
use crate::{
    api::names::{NamespaceName, Uid},
    kubernetes::{RequestError, Resource, definitions},
};

/// So many events of one object are looked at: those who write them write one of a kind, and count.
const MOST_EVENTS: u16 = 100;

/// The API server holds an older state than was seen of it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the API server is at version {live} of its store, and {known} was seen of it before: an older backup of etcd was put back. \
     Nothing that is known can be relied on, so the process ends, and its successor looks at everything anew"
)]
pub struct Restored {
    /// The version that the server has.
    pub live: u64,
    /// The version that was seen.
    pub known: u64,
}

impl Hands {
    /// Whether the server's store has gone on from what was seen of it. A standby lives through the restoration of a backup, and
    /// its watches do not tell: they wait for versions that come later.
    ///
    /// # Errors
    /// Where it has gone back, where the server refuses, and where it does not answer.
    pub async fn check_not_restored(&self) -> Result<(), ActionError> {
        let kinds = [
            (Watched::Tenant, definitions::TENANT),
            (Watched::Record, definitions::RECORD),
            (Watched::Child(Kind::Namespace), definitions::NAMESPACE),
        ];
        for (watched, info) in kinds {
            // Before it is asked: what is seen meanwhile is newer.
            let Some(known) = self.cache.latest(watched) else { continue };
            let live = match self.kubernetes.revision(&Resource::cluster(info, "any")).await {
                Ok(live) => live,
                // Its definition is gone.
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error.into()),
            };
            if let Some(live) = live.filter(|live| *live < known) {
                self.restored.cancel();
                return Err(Restored { live, known }.into());
            }
        }
        Ok(())
    }

    /// Looks at everything that a removal could be contradicted by, at the API server itself (S3).
    pub(super) async fn look_at_cluster(&self, observed: &Observed, before: Step) -> Result<(), ActionError> {
        let name = &observed.name;
        self.check_not_restored().await?;
        self.look_at_definitions().await?;
        let tenant = Resource::cluster(definitions::TENANT, name.as_str());
        let uid = observed.tenant.as_deref().map(|tenant| tenant.uid.clone());
        self.look_at(Watched::Tenant, &tenant, json!({ "name": name, "uid": uid })).await?;
        let record = Resource::cluster(definitions::RECORD, name.as_str());
        let uid = observed.record.as_deref().map(|record| record.uid.clone());
        self.look_at(Watched::Record, &record, json!({ "name": name, "uid": uid })).await?;
        if let Some(record) = observed.record_spec() {
            let key = Child::Namespace.key(name, record);
            let uid = observed.namespace.as_deref().map(|live| live.uid.clone());
            let namespace = Resource::child(&key);
            self.look_at(Watched::Child(key.kind), &namespace, json!({ "name": key.name, "uid": uid })).await?;
            if let Some(volume) = &record.storage.volume {
                let resource = Resource::cluster(definitions::VOLUME, &volume.name);
                let uid = observed.volume.as_ref().filter(|live| live.name == volume.name).map(|live| live.uid.clone());
                self.look_at(Watched::Volume, &resource, json!({ "name": volume.name, "uid": uid })).await?;
            }
        }
        self.cache.looked_at_cluster(name, before, jiff::Timestamp::now());
        Ok(())
    }

    async fn look_at(&self, watched: Watched, resource: &Resource, identity: Value) -> Result<(), ActionError> {
        let sent = self.cache.sends(watched);
        match self.kubernetes.get(resource).await? {
            Some(object) => self.cache.take_up(sent, &object)?,
            None => self.cache.take_up_absence(sent, &identity)?,
        }
        Ok(())
    }

    /// Looks at an object that carries no label of ours, of whose end no watch tells.
    pub(super) async fn look_at_grant(&self, key: &ObjectKey, observed: &Observed) -> Result<(), ActionError> {
        let uid = observed.child(Child::InterceptorGrant).map(|live| live.uid.clone());
        let identity = json!({ "namespace": key.namespace, "name": key.name, "uid": uid });
        self.look_at(Watched::Child(key.kind), &Resource::child(key), identity).await
    }

    /// Looks at the definitions of our kinds themselves, not at what the watches have told of them so far.
    ///
    /// # Errors
    /// Where the server refuses or does not answer.
    pub async fn look_at_definitions(&self) -> Result<(), ActionError> {
        for name in DEFINITIONS {
            let definition = Resource::cluster(definitions::DEFINITION, name);
            self.look_at(Watched::Definition, &definition, json!({ "name": name })).await?;
        }
        Ok(())
    }

    /// Looks at the events of one object. Where they cannot be had, nothing is said: what is waited for is told all the
    /// same, and stalls for no want of an explanation.
    pub(super) async fn look_at_events(&self, observed: &Observed, awaited: Awaited, of: &Uid) {
        let Some(record) = observed.record_spec() else { return };
        let events = Resource::all_in(definitions::EVENT, record.namespace.name.clone());
        let of_one = ("involvedObject.uid", &*of.to_string());
        let said = match self.kubernetes.list_some(&events, of_one, MOST_EVENTS).await {
            Ok(events) => told(awaited, &events),
            Err(error) => {
                tracing::info!(%error, "events are not looked at, and asked for again later");
                None
            }
        };
        self.cache.saw_events(&observed.name, awaited, of, jiff::Timestamp::now(), said);
    }

    /// Looks at the API server itself: the watches do not see what carries no label of ours.
    pub(super) async fn look_inside(&self, observed: &Observed, namespace: &NamespaceName) -> Result<(), RequestError> {
        let list = |info| async move { self.kubernetes.list(&Resource::all_in(info, namespace.clone())).await };
        let claims = list(Kind::PersistentVolumeClaim.info()).await?;
        let at = jiff::Timestamp::now();
        let pods = list(definitions::POD).await?;
        let keys = places().filter(|child| observed.serves(child.kind()));
        let keys = keys.filter_map(|child| Some((child, key(observed, child).ok()?)));
        let standing = keys.map(|(child, key)| async move {
            self.kubernetes.get(&Resource::child(&key)).await.map(|found| found.map(|object| (child, object)))
        });
        let standing: Vec<(Child, Value)> = try_join_all(standing).await?.into_iter().flatten().collect();
        let at_place = observed.record_spec().map(|_| standing.as_slice());
        let belongings = Belongings::of(namespace, &claims, &pods, at_place);
        self.cache.saw_belongings(&observed.name, Look::At(at, belongings));
        Ok(())
    }
}
