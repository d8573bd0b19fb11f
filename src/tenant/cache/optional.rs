//! Kinds that a cluster may do without, and what shows that something enforces policies.

#[cfg(test)]
use std::collections::HashSet;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::{Cache, Concerns, Known, Watched, forgetting::Identify, some};
use crate::{
    api::{
        names::{NamespaceName, TenantName, Uid},
        record::TenantRecordSpec,
    },
    tenant::{
        child::{Child, Kind, ObjectKey, grant_name},
        digest::Digest,
        observed::{Evidence, PodAddress},
        views,
    },
};

/// One object that shows that something enforces policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    uid: Option<Uid>,
    /// The policy that it is about; of Cilium's none, which judges a pod by all of them.
    policy: Option<String>,
    /// The pods that it vouches for: by name and address, or of Cilium the one whose endpoint it is, by UID.
    pods: BTreeSet<PodAddress>,
    owner: Option<Uid>,
}

/// What vouches for a namespace: by kind and name.
pub(super) type Witnesses = BTreeMap<(Engine, String), Witness>;

/// Whose a witness is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Engine {
    VpcCni,
    Cilium,
}

impl Watched {
    /// Whether a cluster may do without it.
    pub const fn is_optional(self) -> bool {
        match self {
            Self::Child(kind) => kind.is_optional(),
            Self::CiliumPolicy | Self::PolicyEndpoint | Self::CiliumEndpoint => true,
            Self::Tenant
            | Self::Record
            | Self::Class
            | Self::Pod
            | Self::Volume
            | Self::StorageClass
            | Self::Policy
            | Self::Definition => false,
        }
    }

    /// Whether a definition says whether the cluster serves it: of optional kinds those that are not built in.
    pub const fn goes_by_definition(self) -> bool {
        let is_built_in = matches!(self, Self::Child(kind) if kind.is_built_in());
        self.is_optional() && !is_built_in
    }
}

impl Cache {
    /// Whether everything there is of an optional kind has been seen.
    pub fn is_served(&self, watched: Watched) -> bool {
        self.lock().served.contains(&watched)
    }

    /// Forgets all objects of an optional kind that the cluster does not serve (any more).
    pub fn unserve(&self, watched: Watched) -> Concerns {
        let mut known = self.lock();
        known.listing.retain(|(listing, _)| *listing != watched);
        if !known.served.remove(&watched) {
            return Concerns::Nobody;
        }
        match watched {
            Watched::Child(kind) => {
                known.objects.retain(|key, _| key.kind != kind);
                if kind == Kind::ReferenceGrant {
                    known.grants.clear();
                }
            }
            Watched::CiliumPolicy => {
                known
                    .policies
                    .values_mut()
                    .for_each(|all| all.retain(|(kind, _), _| *kind != Kind::CiliumNetworkPolicy));
            }
            Watched::PolicyEndpoint => known.forget_witnesses(Engine::VpcCni),
            Watched::CiliumEndpoint => known.forget_witnesses(Engine::Cilium),
            Watched::Tenant
            | Watched::Record
            | Watched::Class
            | Watched::Pod
            | Watched::Volume
            | Watched::StorageClass
            | Watched::Policy
            | Watched::Definition => {}
        }
        Concerns::Everybody
    }
}

impl Known {
    /// A list of an optional kind is complete: the cluster serves it.
    pub(super) fn serve(&mut self, watched: Watched) {
        if watched.is_optional() && self.served.insert(watched) {
            self.wakes_everybody = true;
        }
    }

    pub(super) fn served_kinds(&self) -> BTreeSet<Kind> {
        let kind = |watched: &Watched| if let Watched::Child(kind) = watched { Some(*kind) } else { None };
        self.served.iter().filter_map(kind).collect()
    }

    /// ReferenceGrants that carry a tenant's label, but for the one that its record names: a class that names another interceptor, or
    /// a record that was lost, leaves one behind.
    pub(super) fn grants_of(
        &self,
        name: &TenantName,
        record: Option<&TenantRecordSpec>,
    ) -> Vec<(ObjectKey, Arc<Digest>)> {
        let recorded = record.map(|record| Child::InterceptorGrant.key(name, record));
        let is_stray = |key: &&ObjectKey| key.name == grant_name(name) && Some(*key) != recorded.as_ref();
        let strays = self.grants.get(name).into_iter().flatten().filter(is_stray);
        strays.filter_map(|key| Some((key.clone(), self.objects.get(key)?.clone()))).collect()
    }

    /// Keeps track of which grants are whose: looked for by tenant, they lie in one namespace with those of all others.
    pub(super) fn note_grant(&mut self, key: &ObjectKey, before: Option<&TenantName>, after: Option<&TenantName>) {
        if key.kind != Kind::ReferenceGrant || before == after {
            return;
        }
        if let Some(before) = before
            && let Some(keys) = self.grants.get_mut(before)
        {
            keys.remove(key);
            if keys.is_empty() {
                self.grants.remove(before);
            }
        }
        if let Some(after) = after {
            self.grants.entry(after.clone()).or_default().insert(key.clone());
        }
    }

    /// What shows that something enforces the policies of a namespace.
    pub(super) fn evidence(&self, namespace: &NamespaceName) -> Evidence {
        let witnesses = self.witnesses.get(namespace);
        let of = |engine: Engine| {
            let all = witnesses.into_iter().flatten();
            all.filter(move |((of, _), _)| *of == engine).map(|(_, witness)| witness)
        };
        let policy_endpoints = self.served.contains(&Watched::PolicyEndpoint).then(|| {
            let mut pods: BTreeMap<String, BTreeSet<PodAddress>> = BTreeMap::new();
            for witness in of(Engine::VpcCni) {
                // Large policies are spread over several of them.
                let policy = witness.policy.clone().unwrap_or_default();
                pods.entry(policy).or_default().extend(witness.pods.iter().cloned());
            }
            pods
        });
        let cilium_endpoints = self
            .served
            .contains(&Watched::CiliumEndpoint)
            .then(|| of(Engine::Cilium).filter_map(|witness| witness.owner.clone()).collect());
        Evidence { policy_endpoints, cilium_endpoints }
    }

    pub(super) fn upsert_witness(&mut self, engine: Engine, object: &Value) -> Concerns {
        let Some(namespace) = namespace(object) else { return Concerns::Nobody };
        let witness = match engine {
            Engine::VpcCni => policy_endpoint(object),
            Engine::Cilium => cilium_endpoint(object),
        };
        let key = (engine, views::name(object).to_owned());
        let before = self.witnesses.entry(namespace.clone()).or_default().insert(key, witness.clone());
        if before == Some(witness) { Concerns::Nobody } else { some(self.tenant_of(&namespace)) }
    }

    pub(super) fn forget_witness(&mut self, engine: Engine, object: &Value) -> Concerns {
        let Some(namespace) = namespace(object) else { return Concerns::Nobody };
        let Some(of_namespace) = self.witnesses.get_mut(&namespace) else { return Concerns::Nobody };
        let key = (engine, views::name(object).to_owned());
        if of_namespace.get(&key).is_none_or(|known| known.uid != views::uid(object)) {
            return Concerns::Nobody;
        }
        of_namespace.remove(&key);
        if of_namespace.is_empty() {
            self.witnesses.remove(&namespace);
        }
        some(self.tenant_of(&namespace))
    }

    fn forget_witnesses(&mut self, engine: Engine) {
        self.witnesses.values_mut().for_each(|all| all.retain(|(of, _), _| *of != engine));
        self.witnesses.retain(|_, all| !all.is_empty());
    }

    pub(super) fn witness_identities(&self, engine: Engine, one: &Identify<'_>) -> Vec<Value> {
        let all = self.witnesses.iter().flat_map(|(namespace, all)| all.iter().map(move |one| (namespace, one)));
        let of_engine = all.filter(|(_, ((of, _), _))| *of == engine);
        of_engine
            .filter_map(|(namespace, ((_, name), witness))| one(Some(namespace), name, witness.uid.as_ref()))
            .collect()
    }
}

/// All watched optional kinds.
#[cfg(test)]
pub(in crate::tenant) fn optional_kinds() -> HashSet<Watched> {
    let children = Kind::ALL.iter().filter(|kind| kind.is_optional()).map(|kind| Watched::Child(*kind));
    children.chain([Watched::CiliumPolicy, Watched::PolicyEndpoint, Watched::CiliumEndpoint]).collect()
}

fn namespace(object: &Value) -> Option<NamespaceName> {
    object["metadata"]["namespace"].as_str()?.parse().ok()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// What the VPC CNI's policy controller has made of one policy: its rules, and the pods that they are for
/// (aws/amazon-network-policy-controller-k8s, PolicyEndpointSpec).
fn policy_endpoint(object: &Value) -> Witness {
    let pods = object["spec"]["podSelectorEndpoints"].as_array().into_iter().flatten();
    let address =
        |pod: &Value| Some(PodAddress { name: pod["name"].as_str()?.into(), ip: pod["podIP"].as_str()?.into() });
    Witness {
        uid: views::uid(object),
        policy: text(&object["spec"]["policyRef"]["name"]),
        pods: pods.filter_map(address).collect(),
        owner: None,
    }
}

/// What Cilium says of one pod: that it manages it. Whether each policy is enforced it has not said since its endpoints carry no policy
/// status any more (`GetCiliumEndpointStatus`; it was off by default since 1.8).
fn cilium_endpoint(object: &Value) -> Witness {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    let pod =
        owners.into_iter().find(|owner| owner["kind"] == "Pod").and_then(|owner| owner["uid"].as_str()?.parse().ok());
    Witness {
        uid: views::uid(object),
        policy: None,
        pods: BTreeSet::new(),
        owner: pod.filter(|_| object["status"]["state"] == "ready"),
    }
}
