//! What is gone leaves what is known.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, sync::Arc};

use litemap::LiteMap;
use serde_json::Value;

use super::{Concerns, Known, Watched, all, object_key, optional::Engine, some};
use crate::{
    api::{
        labels,
        names::{ClassName, NamespaceName, TenantName, Uid},
    },
    tenant::{child::Kind, gate::Gate, observed::VolumeView, place, views},
};

/// Tells the identity of an object, by namespace, name and UID, where it is wanted.
pub(super) type Identify<'a> = dyn Fn(Option<&NamespaceName>, &str, Option<&Uid>) -> Option<Value> + 'a;

impl Known {
    pub(super) fn remove(&mut self, watched: Watched, object: &Value) -> Concerns {
        self.note_version(watched, object);
        self.gone.entry(watched).or_default().note(object);
        self.forget(watched, object)
    }

    pub(super) fn forget(&mut self, watched: Watched, object: &Value) -> Concerns {
        let concerns = self.forget_known(watched, object);
        self.note_change(watched, &concerns);
        concerns
    }

    fn forget_known(&mut self, watched: Watched, object: &Value) -> Concerns {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        match watched {
            Watched::Child(kind) => {
                let Some(key) = object_key(kind, object) else { return Concerns::Nobody };
                if self.objects.get(&key).is_none_or(|known| known.uid != *uid) {
                    return Concerns::Nobody;
                }
                let mut concerned = self.claimants_of(&key);
                let holder = self.objects.remove(&key).and_then(|known| known.tenant.clone());
                self.let_object_go(&key, holder.as_ref());
                self.note_grant(&key, holder.as_ref(), None);
                self.note_route(&key);
                concerned.extend(holder);
                if kind == Kind::Namespace {
                    self.namespaces.retain(|_, namespace| namespace.as_str() != key.name);
                }
                all(concerned)
            }
            Watched::Tenant => self.remove_named(object, |known, name| {
                known.tenants.get(name).is_some_and(|(view, _)| view.uid == *uid) && {
                    known.gate.leave(name);
                    known.reached.remove(name);
                    known.told.remove(name);
                    let removed = known.tenants.remove(name).is_some();
                    known.note_removal(name);
                    known.note_rolling(name);
                    removed
                }
            }),
            Watched::Record => self.remove_named(object, |known, name| {
                known.records.get(name).is_some_and(|view| view.uid == *uid) && {
                    known.gateways.recorded(name, None);
                    known.unclaimed.remove(name);
                    let removed = known.records.remove(name).is_some();
                    known.note_removal(name);
                    known.note_rolling(name);
                    removed
                }
            }),
            Watched::Class => {
                let Ok(name) = views::name(object).parse::<ClassName>() else { return Concerns::Nobody };
                self.classes.remove(&name);
                self.generations.remove(&name);
                self.forget_reached(&name);
                self.halts.remove(&name);
                self.of_class(&name)
            }
            Watched::Pod => {
                let Some((tenant, view)) = views::pod(object) else { return Concerns::Nobody };
                let key = (view.namespace, view.name);
                let known = self.pods.get(&tenant).and_then(|pods| pods.get(&key));
                if known.is_some_and(|known| known.uid == view.uid) {
                    take_out(&mut self.pods, &tenant, &key);
                }
                some(Some(tenant))
            }
            Watched::Volume => {
                let name = views::name(object);
                if self.volumes.get(name).is_none_or(|known| known.uid != *uid) {
                    return Concerns::Nobody;
                }
                some(self.forget_volume(name).and_then(|volume| self.holder_of(&volume)))
            }
            Watched::Policy => self.forget_policy(Kind::NetworkPolicy, object),
            Watched::CiliumPolicy => self.forget_policy(Kind::CiliumNetworkPolicy, object),
            Watched::PolicyEndpoint => self.forget_witness(Engine::VpcCni, object),
            Watched::CiliumEndpoint => self.forget_witness(Engine::Cilium, object),
            Watched::StorageClass => {
                self.storage_classes.remove(views::name(object));
                Concerns::Everybody
            }
            Watched::Definition => self.forget_definition(object, uid),
        }
    }

    fn forget_definition(&mut self, object: &Value, uid: &str) -> Concerns {
        let known = self.definitions.get(views::name(object));
        if known.is_some_and(|known| !uid.is_empty() && known.uid != *uid) {
            return Concerns::Nobody;
        }
        self.definitions.remove(views::name(object));
        // With a definition go its objects, whether or not a watch has told of each.
        match views::name(object) {
            "tenants.openclaw.io" => {
                self.tenants.clear();
                self.note_removals();
                self.told.clear();
                self.gate = Gate::default();
            }
            "tenantrecords.openclaw.io" => {
                self.records.clear();
                self.note_removals();
                self.gateways.forget_records();
                self.gate = Gate::default();
            }
            "tenantclasses.openclaw.io" => {
                self.classes.clear();
                self.halts.clear();
            }
            _ => {}
        }
        Concerns::Everybody
    }

    /// Takes a volume out of everything that names it.
    pub(super) fn forget_volume(&mut self, name: &str) -> Option<Arc<VolumeView>> {
        let volume = self.volumes.remove(name)?;
        take_out(&mut self.volumes_at, &place::spelled_once(&volume.handle), name);
        if let Some(tenant) = &volume.tenant {
            take_out(&mut self.marked_volumes, tenant, name);
        }
        Some(volume)
    }

    fn forget_policy(&mut self, kind: Kind, object: &Value) -> Concerns {
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
        let Ok(namespace) = text("namespace").parse::<NamespaceName>() else { return Concerns::Nobody };
        let key = (kind, text("name").into());
        let known = self.policies.get(&namespace).and_then(|of_namespace| of_namespace.get(&key));
        if known.is_none_or(|known| known.uid != views::uid(object)) {
            return Concerns::Nobody;
        }
        take_out(&mut self.policies, &namespace, &key);
        some(self.tenant_of(&namespace))
    }

    fn remove_named(&mut self, object: &Value, remove: impl FnOnce(&mut Self, &TenantName) -> bool) -> Concerns {
        let Ok(name) = views::name(object).parse::<TenantName>() else { return Concerns::Nobody };
        if remove(self, &name) { some(Some(name)) } else { Concerns::Nobody }
    }

    /// Each is looked at before anything is made of it: there may be thousands, and nearly all are to stay.
    pub(super) fn identities(&self, watched: Watched, wanted: &dyn Fn(Option<&Uid>, &str) -> bool) -> Vec<Value> {
        let one = |namespace: Option<&NamespaceName>, name: &str, uid: Option<&Uid>| {
            wanted(uid, name).then(|| identity(namespace, name, uid))
        };
        match watched {
            Watched::Child(kind) => {
                let of_kind = self.objects.iter().filter(|(key, _)| key.kind == kind);
                of_kind.filter_map(|(key, known)| one(key.namespace.as_ref(), &key.name, Some(&known.uid))).collect()
            }
            Watched::Tenant => {
                let all = self.tenants.iter();
                all.filter_map(|(name, (view, _))| one(None, name.as_str(), Some(&view.uid))).collect()
            }
            Watched::Record => {
                self.records.iter().filter_map(|(name, view)| one(None, name.as_str(), Some(&view.uid))).collect()
            }
            Watched::Class => self.classes.keys().filter_map(|name| one(None, name.as_str(), None)).collect(),
            Watched::Pod => {
                let pods = self.pods.iter().flat_map(|(tenant, pods)| pods.values().map(move |pod| (tenant, pod)));
                let marked = pods.filter_map(|(tenant, pod)| {
                    let mut object = one(Some(&pod.namespace), &pod.name, Some(&pod.uid))?;
                    object["metadata"]["labels"] = serde_json::json!({ labels::TENANT: tenant });
                    Some(object)
                });
                marked.collect()
            }
            Watched::Volume => {
                self.volumes.values().filter_map(|volume| one(None, &volume.name, Some(&volume.uid))).collect()
            }
            Watched::Policy => self.policy_identities(Kind::NetworkPolicy, &one),
            Watched::CiliumPolicy => self.policy_identities(Kind::CiliumNetworkPolicy, &one),
            Watched::PolicyEndpoint => self.witness_identities(Engine::VpcCni, &one),
            Watched::CiliumEndpoint => self.witness_identities(Engine::Cilium, &one),
            Watched::StorageClass => self.storage_classes.keys().filter_map(|name| one(None, name, None)).collect(),
            Watched::Definition => {
                self.definitions.iter().filter_map(|(name, view)| one(None, name, Some(&view.uid))).collect()
            }
        }
    }

    fn policy_identities(&self, kind: Kind, one: &Identify<'_>) -> Vec<Value> {
        let all = self.policies.iter().flat_map(|(namespace, all)| all.iter().map(move |one| (namespace, one)));
        let of_kind = all.filter(|(_, ((of, _), _))| *of == kind);
        of_kind.filter_map(|(namespace, ((_, name), view))| one(Some(namespace), name, view.uid.as_ref())).collect()
    }
}

/// Takes one out of those that are kept together, and these with the last of them.
fn take_out<K, N, V, Q>(all: &mut HashMap<K, LiteMap<N, V>>, together: &K, one: &Q)
where
    K: Eq + Hash,
    N: Ord + Borrow<Q>,
    Q: Ord + ?Sized,
{
    if let Some(these) = all.get_mut(together) {
        these.remove(one);
        if these.is_empty() {
            all.remove(together);
        }
    }
}

fn identity(namespace: Option<&NamespaceName>, name: &str, uid: Option<&Uid>) -> Value {
    serde_json::json!({ "metadata": { "namespace": namespace, "name": name, "uid": uid } })
}
