//! What is known of the cluster and of AWS, kept up to date by watches and by the answers to our own writes.
//!
//! Values only: nothing here talks to anybody. Children are kept as digests, the rest as views.

mod census;
mod observing;

pub use census::marks;
use observing::namespace_for;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    child::{Kind, ObjectKey},
    digest::Digest,
    observed::{
        AwsView, ClassView, Definitions, Observed, PodView, RecordView, Rendering, StorageClassView, TenantView,
        VolumeView,
    },
    settings::Settings,
    views,
};
use crate::{
    api::{
        labels,
        names::{ClassName, NamespaceName, Nonce, TenantName, Uid},
        record::{RecordPhase, TenantRecordSpec},
        tenant::TenantStatus,
    },
    gateway::Allocator,
};

/// A kind of object that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Watched {
    /// A child of a tenant.
    Child(Kind),
    /// Tenant.
    Tenant,
    /// TenantRecord.
    Record,
    /// TenantClass.
    Class,
    /// Pod of a workspace.
    Pod,
    /// PersistentVolume.
    Volume,
    /// StorageClass.
    StorageClass,
    /// CustomResourceDefinition of ours.
    Definition,
}

/// Whom a change concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concerns {
    /// Nobody: nothing that decisions see has changed.
    Nobody,
    /// These tenants.
    Tenants(Vec<TenantName>),
    /// All tenants.
    Everybody,
}

/// What is known.
pub struct Cache {
    settings: Arc<Settings>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    tenants: HashMap<TenantName, (Arc<TenantView>, TenantStatus)>,
    records: HashMap<TenantName, Arc<RecordView>>,
    classes: HashMap<ClassName, ClassView>,
    objects: HashMap<ObjectKey, Digest>,
    /// Owned namespaces by the tenant whose label they carry.
    namespaces: HashMap<TenantName, NamespaceName>,
    volumes: HashMap<String, VolumeView>,
    pods: HashMap<TenantName, BTreeMap<(NamespaceName, String), PodView>>,
    storage_classes: HashMap<String, StorageClassView>,
    /// Definitions of ours that are there, and whether they are being deleted.
    definitions: HashMap<String, bool>,
    renderings: HashMap<ObjectKey, Rendering>,
    /// Objects that this process has written or rehearsed since it started.
    met: HashSet<ObjectKey>,
    aws: HashMap<TenantName, AwsView>,
    gateways: Allocator,
}

/// Names of the definitions without which nothing is done.
pub const DEFINITIONS: [&str; 3] = ["tenants.openclaw.io", "tenantclasses.openclaw.io", "tenantrecords.openclaw.io"];

impl Cache {
    /// Nothing known yet.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings, known: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Every change below is complete before anything can panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up a live object, from a watch or from the answer to a write. Older states are ignored.
    pub fn upsert(&self, watched: Watched, object: &Value) -> Concerns {
        self.lock().upsert(watched, object)
    }

    /// Forgets an object that is gone.
    pub fn remove(&self, watched: Watched, object: &Value) -> Concerns {
        self.lock().remove(watched, object)
    }

    /// Identities of all known objects of a kind, to find those that a fresh list lacks.
    pub fn identities(&self, watched: Watched) -> Vec<Value> {
        self.lock().identities(watched)
    }

    /// All tenants that have a Tenant, a record or an owned namespace.
    pub fn names(&self) -> Vec<TenantName> {
        let known = self.lock();
        let mut names: Vec<TenantName> =
            known.tenants.keys().chain(known.records.keys()).chain(known.namespaces.keys()).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Everything that a decision about one tenant needs.
    pub fn observe(&self, name: &TenantName, now: Timestamp, draw: Nonce) -> Observed {
        self.lock().observe(name, now, draw, &self.settings)
    }

    /// The status of a Tenant as it is, for comparing with what is to be written. No decision sees it.
    pub fn status(&self, name: &TenantName) -> Option<TenantStatus> {
        self.lock().tenants.get(name).map(|(_, status)| status.clone())
    }

    /// Statuses' phases, counted.
    pub fn phases(&self) -> Vec<crate::api::tenant::Phase> {
        self.lock().tenants.values().map(|(_, status)| status.phase).collect()
    }

    /// Whether our definitions stand.
    pub fn definitions(&self) -> Definitions {
        self.lock().definitions()
    }

    /// What was learned of how the server renders an object.
    pub fn rendering(&self, key: &ObjectKey) -> Option<Rendering> {
        self.lock().renderings.get(key).cloned()
    }

    /// Remembers how the server renders an object.
    pub fn learn(&self, key: &ObjectKey, rendering: Rendering) {
        self.lock().renderings.insert(key.clone(), rendering);
    }

    /// Notes that this process has to do with an object; `true` the first time.
    pub fn meet(&self, key: &ObjectKey) -> bool {
        self.lock().met.insert(key.clone())
    }

    /// Changes what is known of a tenant in AWS.
    pub fn with_aws<R>(&self, name: &TenantName, change: impl FnOnce(&mut AwsView) -> R) -> R {
        change(self.lock().aws.entry(name.clone()).or_default())
    }
}

/// Whether what comes in is an older state of the very object that is known, each as UID and resource version.
fn is_stale(incoming: (&Uid, &str), known: (&Uid, &str)) -> bool {
    // Resource versions of one object are numbers that grow; what does not read so is taken as it comes.
    let versions = (incoming.1.parse::<u64>(), known.1.parse::<u64>());
    incoming.0 == known.0 && matches!(versions, (Ok(incoming), Ok(known)) if incoming < known)
}

fn some(name: Option<TenantName>) -> Concerns {
    name.map_or(Concerns::Nobody, |name| Concerns::Tenants(vec![name]))
}

fn all(mut names: Vec<TenantName>) -> Concerns {
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { Concerns::Nobody } else { Concerns::Tenants(names) }
}

impl Known {
    fn upsert(&mut self, watched: Watched, object: &Value) -> Concerns {
        match watched {
            Watched::Child(kind) => self.upsert_child(kind, object),
            Watched::Tenant => self.upsert_tenant(object),
            Watched::Record => self.upsert_record(object),
            Watched::Class => {
                let Ok(name) = views::name(object).parse::<ClassName>() else { return Concerns::Nobody };
                let view =
                    views::class(object).map_or_else(ClassView::Invalid, |spec| ClassView::Found(Arc::new(spec)));
                if self.classes.insert(name.clone(), view.clone()) == Some(view) {
                    return Concerns::Nobody;
                }
                self.of_class(&name)
            }
            Watched::Pod => self.upsert_pod(object),
            Watched::Volume => {
                let Some(view) = views::volume(object) else { return Concerns::Nobody };
                let before = self.volumes.get(&view.name);
                if before.is_some_and(|before| {
                    is_stale((&view.uid, &view.resource_version), (&before.uid, &before.resource_version))
                }) {
                    return Concerns::Nobody;
                }
                let concerns = some(self.holder_of(&view));
                let unchanged = before.is_some_and(|before| {
                    VolumeView { resource_version: view.resource_version.clone(), ..before.clone() } == view
                });
                self.volumes.insert(view.name.clone(), view);
                if unchanged { Concerns::Nobody } else { concerns }
            }
            Watched::StorageClass => {
                let view = views::storage_class(object);
                let same = self.storage_classes.insert(views::name(object).to_owned(), view.clone()) == Some(view);
                if same { Concerns::Nobody } else { Concerns::Everybody }
            }
            Watched::Definition => {
                let deleting = object["metadata"]["deletionTimestamp"].is_string();
                let same = self.definitions.insert(views::name(object).to_owned(), deleting) == Some(deleting);
                if same { Concerns::Nobody } else { Concerns::Everybody }
            }
        }
    }

    fn upsert_child(&mut self, kind: Kind, object: &Value) -> Concerns {
        let Some(key) = object_key(kind, object) else { return Concerns::Nobody };
        let Ok(digest) = Digest::of(kind, object) else { return Concerns::Nobody };
        let before = self.objects.get(&key);
        if before.is_some_and(|before| {
            is_stale((&digest.uid, &digest.resource_version), (&before.uid, &before.resource_version))
        }) {
            return Concerns::Nobody;
        }
        let unchanged = before.is_some_and(|before| {
            Digest { resource_version: digest.resource_version.clone(), ..before.clone() } == digest
        });
        let mut concerned: Vec<TenantName> =
            before.and_then(|before| before.tenant.clone()).into_iter().chain(digest.tenant.clone()).collect();
        if kind == Kind::Namespace {
            self.note_namespace(&key.name, &digest);
        }
        // A namespace that stands where a tenant wants one concerns that tenant, whatever marks it carries.
        concerned.extend(self.claimants_of(&key));
        self.objects.insert(key, digest);
        if unchanged { Concerns::Nobody } else { all(concerned) }
    }

    fn note_namespace(&mut self, name: &str, digest: &Digest) {
        if let (Some(tenant), Ok(name)) = (&digest.tenant, name.parse::<NamespaceName>()) {
            self.namespaces.insert(tenant.clone(), name);
        }
    }

    /// The tenants whose records name this namespace, or that would get it if it were free.
    fn claimants_of(&self, key: &ObjectKey) -> Vec<TenantName> {
        if key.kind != Kind::Namespace {
            return Vec::new();
        }
        let tail = |at: usize| key.name.get(at..).and_then(|name| name.parse::<TenantName>().ok());
        // The tenant's name is what follows the class's prefix, so only a few names come into question.
        let names = key.name.match_indices('-').filter_map(|(at, _)| tail(at + 1));
        names.filter(|name| self.claims(name, &key.name)).collect()
    }

    fn claims(&self, tenant: &TenantName, namespace: &str) -> bool {
        if let Some(view) = self.records.get(tenant) {
            return view.spec.as_ref().is_ok_and(|spec| spec.namespace.name.as_str() == namespace);
        }
        let Some((view, _)) = self.tenants.get(tenant) else { return false };
        match self.class_of(tenant, Some(view), None) {
            ClassView::Found(class) => namespace_for(tenant, &class).as_str() == namespace,
            ClassView::Missing | ClassView::Invalid(_) => false,
        }
    }

    fn upsert_tenant(&mut self, object: &Value) -> Concerns {
        let (Ok(name), Some(view)) = (views::name(object).parse::<TenantName>(), views::tenant(object)) else {
            return Concerns::Nobody;
        };
        let status = views::tenant_status(object);
        if let Some((before, before_status)) = self.tenants.get(&name) {
            if is_stale((&view.uid, &view.resource_version), (&before.uid, &before.resource_version)) {
                return Concerns::Nobody;
            }
            let same =
                TenantView { resource_version: view.resource_version.clone(), ..before.as_ref().clone() } == view;
            if same && *before_status == status {
                self.tenants.insert(name, (Arc::new(view), status));
                return Concerns::Nobody;
            }
        }
        self.tenants.insert(name.clone(), (Arc::new(view), status));
        some(Some(name))
    }

    fn upsert_record(&mut self, object: &Value) -> Concerns {
        let (Ok(name), Some(view)) = (views::name(object).parse::<TenantName>(), views::record(object)) else {
            return Concerns::Nobody;
        };
        if let Some(before) = self.records.get(&name) {
            if is_stale((&view.uid, &view.resource_version), (&before.uid, &before.resource_version)) {
                return Concerns::Nobody;
            }
            let same = before.uid == view.uid && before.spec == view.spec;
            if same {
                self.records.insert(name, Arc::new(view));
                return Concerns::Nobody;
            }
        }
        self.gateways.recorded(&name, placement_of(view.spec.as_ref().ok()));
        self.records.insert(name.clone(), Arc::new(view));
        some(Some(name))
    }

    fn upsert_pod(&mut self, object: &Value) -> Concerns {
        let Some((tenant, view)) = views::pod(object) else { return Concerns::Nobody };
        let key = (view.namespace.clone(), view.name.clone());
        let before = self.pods.entry(tenant.clone()).or_default().insert(key, view.clone());
        if before == Some(view) { Concerns::Nobody } else { some(Some(tenant)) }
    }

    fn holder_of(&self, volume: &VolumeView) -> Option<TenantName> {
        volume.tenant.clone().or_else(|| {
            let namespace: NamespaceName = volume.claim.as_ref()?.namespace.parse().ok()?;
            let key = ObjectKey { kind: Kind::Namespace, namespace: None, name: namespace.to_string() };
            self.objects.get(&key)?.tenant.clone()
        })
    }

    fn of_class(&self, class: &ClassName) -> Concerns {
        let names_it = |view: &TenantView| match &view.spec {
            Ok(spec) => spec.class_name == *class,
            Err(_) => true,
        };
        Concerns::Tenants(
            self.tenants.iter().filter(|(_, (view, _))| names_it(view)).map(|(name, _)| name.clone()).collect(),
        )
    }

    fn remove(&mut self, watched: Watched, object: &Value) -> Concerns {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        match watched {
            Watched::Child(kind) => {
                let Some(key) = object_key(kind, object) else { return Concerns::Nobody };
                if self.objects.get(&key).is_none_or(|known| known.uid.as_str() != uid) {
                    return Concerns::Nobody;
                }
                let mut concerned = self.claimants_of(&key);
                concerned.extend(self.objects.remove(&key).and_then(|known| known.tenant));
                if kind == Kind::Namespace {
                    self.namespaces.retain(|_, namespace| namespace.as_str() != key.name);
                }
                all(concerned)
            }
            Watched::Tenant => self.remove_named(object, uid, |known, name| {
                known.tenants.get(name).is_some_and(|(view, _)| view.uid.as_str() == uid)
                    && known.tenants.remove(name).is_some()
            }),
            Watched::Record => self.remove_named(object, uid, |known, name| {
                known.records.get(name).is_some_and(|view| view.uid.as_str() == uid) && {
                    known.gateways.recorded(name, None);
                    known.records.remove(name).is_some()
                }
            }),
            Watched::Class => {
                let Ok(name) = views::name(object).parse::<ClassName>() else { return Concerns::Nobody };
                self.classes.remove(&name);
                self.of_class(&name)
            }
            Watched::Pod => {
                let Some((tenant, view)) = views::pod(object) else { return Concerns::Nobody };
                let pods = self.pods.entry(tenant.clone()).or_default();
                let key = (view.namespace, view.name);
                if pods.get(&key).is_some_and(|known| known.uid == view.uid) {
                    pods.remove(&key);
                }
                some(Some(tenant))
            }
            Watched::Volume => {
                let known = self.volumes.remove(views::name(object));
                some(known.and_then(|volume| self.holder_of(&volume)))
            }
            Watched::StorageClass => {
                self.storage_classes.remove(views::name(object));
                Concerns::Everybody
            }
            Watched::Definition => {
                self.definitions.remove(views::name(object));
                // With a definition go its objects, whether or not a watch has told of each.
                match views::name(object) {
                    "tenants.openclaw.io" => self.tenants.clear(),
                    "tenantrecords.openclaw.io" => self.records.clear(),
                    "tenantclasses.openclaw.io" => self.classes.clear(),
                    _ => {}
                }
                Concerns::Everybody
            }
        }
    }

    fn remove_named(
        &mut self,
        object: &Value,
        _uid: &str,
        remove: impl FnOnce(&mut Self, &TenantName) -> bool,
    ) -> Concerns {
        let Ok(name) = views::name(object).parse::<TenantName>() else { return Concerns::Nobody };
        if remove(self, &name) { some(Some(name)) } else { Concerns::Nobody }
    }

    fn identities(&self, watched: Watched) -> Vec<Value> {
        let identity = |namespace: Option<&str>, name: &str, uid: &str| serde_json::json!({ "metadata": { "namespace": namespace, "name": name, "uid": uid } });
        match watched {
            Watched::Child(kind) => {
                let of_kind = self.objects.iter().filter(|(key, _)| key.kind == kind);
                of_kind
                    .map(|(key, known)| {
                        identity(key.namespace.as_ref().map(NamespaceName::as_str), &key.name, known.uid.as_str())
                    })
                    .collect()
            }
            Watched::Tenant => {
                self.tenants.iter().map(|(name, (view, _))| identity(None, name.as_str(), view.uid.as_str())).collect()
            }
            Watched::Record => {
                self.records.iter().map(|(name, view)| identity(None, name.as_str(), view.uid.as_str())).collect()
            }
            Watched::Class => self.classes.keys().map(|name| identity(None, name.as_str(), "")).collect(),
            Watched::Pod => {
                let pods = self.pods.iter().flat_map(|(tenant, pods)| pods.values().map(move |pod| (tenant, pod)));
                pods.map(|(tenant, pod)| {
                    let mut object = identity(Some(pod.namespace.as_str()), &pod.name, pod.uid.as_str());
                    object["metadata"]["labels"] = serde_json::json!({ labels::TENANT: tenant });
                    object
                })
                .collect()
            }
            Watched::Volume => {
                self.volumes.values().map(|volume| identity(None, &volume.name, volume.uid.as_str())).collect()
            }
            Watched::StorageClass => self.storage_classes.keys().map(|name| identity(None, name, "")).collect(),
            Watched::Definition => self.definitions.keys().map(|name| identity(None, name, "")).collect(),
        }
    }

    fn definitions(&self) -> Definitions {
        let states: Vec<Option<&bool>> = DEFINITIONS.iter().map(|name| self.definitions.get(*name)).collect();
        if states.contains(&Some(&true)) {
            Definitions::Leaving
        } else if states.iter().any(Option::is_none) {
            Definitions::Missing
        } else {
            Definitions::Stand
        }
    }
}

/// Records that still hold their place.
fn placement_of(record: Option<&TenantRecordSpec>) -> Option<crate::api::record::Placement> {
    let record = record.filter(|record| record.phase != RecordPhase::Purged)?;
    record.routing.placement.clone()
}

fn object_key(kind: Kind, object: &Value) -> Option<ObjectKey> {
    let namespace = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Some(namespace.parse().ok()?),
        None => None,
    };
    Some(ObjectKey { kind, namespace, name: views::name(object).to_owned() })
}
