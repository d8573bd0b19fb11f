//! From all that is known to what a sweep needs.

use std::collections::BTreeSet;

use super::{Cache, Known};
use crate::{
    api::{
        labels,
        names::{Incarnation, NamespaceName, SecretsPrefix, TenantName, Uid},
    },
    sweep::prefixes,
    tenant::{
        census::Census,
        child::{Child, Kind, ObjectKey},
        digest::{Digest, Facts},
        newcomers::Standing,
    },
};

impl Cache {
    /// How far a tenant has come.
    pub fn standing(&self, name: &TenantName) -> Standing {
        let known = self.lock();
        let is_wanted = known.tenants.get(name).is_some_and(|(tenant, _)| tenant.deleted_at.is_none());
        match known.records.get(name).map(|view| view.spec.as_ref()) {
            None if is_wanted => Standing::Unbegun,
            Some(Ok(record)) if is_wanted && !known.objects.contains_key(&Child::StatefulSet.key(name, record)) => {
                Standing::Begun
            }
            None | Some(_) => Standing::Made,
        }
    }

    /// All tenants at once.
    pub fn census(&self) -> Census {
        let known = self.lock();
        Census {
            definitions: known.definitions(),
            cluster_uid: self.settings.cluster_uid.clone(),
            tenants: known.tenants.keys().cloned().collect(),
            records: known.records.iter().map(|(name, view)| (name.clone(), view.clone())).collect(),
            marks: known.marks(),
            aws: known.aws.iter().map(|(name, view)| (name.clone(), view.clone())).collect(),
        }
    }

    /// What names of tenants' secrets begin with.
    pub fn secrets_prefixes(&self) -> BTreeSet<SecretsPrefix> {
        prefixes(&self.settings.secrets_prefix, self.lock().records.values().map(AsRef::as_ref))
    }

    /// The UID of a namespace, whosever it is.
    pub fn namespace_uid(&self, name: &NamespaceName) -> Option<Uid> {
        let key = ObjectKey { kind: Kind::Namespace, namespace: None, name: name.as_str().into() };
        self.lock().objects.get(&key).map(|digest| digest.uid.clone())
    }
}

impl Known {
    fn marks(&self) -> BTreeSet<(TenantName, Incarnation)> {
        let namespaces = self.objects.iter().filter(|(key, _)| key.kind == Kind::Namespace);
        namespaces.flat_map(|(_, digest)| marks(digest)).collect()
    }
}

/// The incarnation that a namespace bears, for the tenant of its label and the tenant of its annotation: one of the two
/// may have been taken off.
pub fn marks(namespace: &Digest) -> Vec<(TenantName, Incarnation)> {
    let Facts::Namespace(facts) = &namespace.facts else { return Vec::new() };
    let Some(incarnation) = &facts.incarnation else { return Vec::new() };
    let annotated = facts.annotations.get(labels::TENANT).and_then(|name| name.parse::<TenantName>().ok());
    let tenants: BTreeSet<TenantName> = namespace.tenant.iter().cloned().chain(annotated).collect();
    tenants.into_iter().map(|tenant| (tenant, incarnation.clone())).collect()
}
