//! From all that is known to what one decision needs.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use litemap::LiteMap;

use super::Known;
use crate::{
    api::{
        class::TenantClassSpec,
        labels,
        names::{NamespaceName, Nonce, TenantName},
        record::{RecordPhase, TenantRecordSpec},
    },
    tenant::{
        adoption,
        breaker::pending,
        child::{Child, Kind, ObjectKey},
        digest::Digest,
        explain::{Waits, waits},
        gate::Turn,
        ledger::place_of_route,
        observed::{ClassView, Evidence, Observed, TenantView, VolumeView},
        orders, place,
        settings::Settings,
    },
};

impl Known {
    pub(super) fn observe(
        &mut self,
        name: &TenantName,
        now: Timestamp,
        draw: Nonce,
        settings: &Arc<Settings>,
    ) -> Observed {
        self.has_changed = true;
        let tenant = self.tenants.get(name).map(|(view, _)| Arc::clone(view));
        let record = self.records.get(name).cloned();
        let spec = record.as_deref().and_then(|view| view.spec.as_ref().ok());
        let class = self.class_of(name, tenant.as_deref(), spec);
        let namespace = self.namespace_of(name, spec, &class);
        let mut observed = Observed {
            name: name.clone(),
            now,
            draw,
            settings: Arc::clone(settings),
            definitions: self.definitions(),
            tenant,
            record: record.clone(),
            class,
            namespace,
            children: BTreeMap::new(),
            renderings: BTreeMap::new(),
            storage_class: None,
            volume: None,
            pods: Vec::new(),
            waits: Waits::new(),
            belongings: self.belongings.get(name).cloned().unwrap_or_default(),
            aws: self.aws.get(name).cloned().unwrap_or_default(),
            place: None,
            turn: Turn::NotAsked,
            fleet: Arc::default(),
            halted: false,
            looked: self.looked.get(name).copied(),
            claim_is_nowhere: false,
            volume_shared_with: None,
            found_volumes: Vec::new(),
            foreign_policies: Vec::new(),
            served: self.served_kinds(),
            stray_grants: self.grants_of(name, spec),
            evidence: Evidence::default(),
            remembered: self.remembered.entry(name.clone()).or_default().clone(),
        };
        match spec {
            Some(spec) => self.observe_recorded(&mut observed, spec),
            None => self.observe_unrecorded(&mut observed),
        }
        observed.waits = self.note_waits(&observed);
        if let ClassView::Found(class) = &observed.class {
            observed.turn = self.gate.look(name, &class.rollout, now);
        }
        observed
    }

    /// What the tenant waits for, and since when.
    fn note_waits(&mut self, observed: &Observed) -> Waits {
        let waits = waits(observed, self.waits.get(&observed.name));
        if waits.is_empty() {
            self.waits.remove(&observed.name);
        } else {
            self.waits.insert(observed.name.clone(), waits.clone());
        }
        waits
    }

    /// A record that is made again has the place on which its route stands.
    fn observe_unrecorded(&self, observed: &mut Observed) {
        let Some(facts) = observed.namespace.as_deref().and_then(|live| live.facts.as_namespace()) else { return };
        let Ok(namespace) = facts.name.parse() else { return };
        let key = ObjectKey { kind: Kind::HttpRoute, namespace: Some(namespace), name: observed.name.as_str().into() };
        if let Some(route) = self.objects.get(&key) {
            observed.children.insert(Child::Route, route.clone());
        }
    }

    fn observe_recorded(&mut self, observed: &mut Observed, record: &TenantRecordSpec) {
        for child in Child::ALL {
            let key = child.key(&observed.name, record);
            if let Some(rendering) = self.renderings.get(&key) {
                observed.renderings.insert(*child, rendering.clone());
            }
            if *child != Child::Namespace
                && let Some(digest) = self.objects.get(&key)
            {
                observed.children.insert(*child, digest.clone());
            }
        }
        if observed.children.contains_key(&Child::Claim) {
            self.unclaimed.remove(&observed.name);
        }
        observed.claim_is_nowhere = self.unclaimed.contains(&observed.name);
        let claim = observed.children.get(&Child::Claim).and_then(|claim| claim.facts.as_claim());
        let bound = claim.and_then(|facts| facts.volume.clone());
        let volume = bound.or_else(|| record.storage.volume.as_ref().map(|volume| volume.name.clone()));
        observed.volume = volume.and_then(|name| self.volumes.get(&name)).cloned();
        let may_have_one = matches!(record.phase, RecordPhase::Active | RecordPhase::Retained);
        if may_have_one && observed.volume.is_none() && record.storage.volume.is_none() {
            observed.found_volumes = self.volumes_of(&observed.name, record);
        }
        // Anybody may put our label on a pod of their own; only those in the tenant's namespace are its.
        let pods = self.pods.get(&observed.name).into_iter().flat_map(LiteMap::values);
        observed.pods = pods.filter(|pod| pod.namespace == record.namespace.name).cloned().collect();
        observed.foreign_policies = self.foreign_policies(&observed.name, record);
        observed.evidence = self.evidence(&record.namespace.name);
        observed.halted = self.halts.contains(&record.class_name);
        if pending(observed.tenant.as_deref(), record, observed.now).is_some() {
            observed.fleet = self.all_removals(observed.now);
            observed.volume_shared_with = observed.volume.as_ref().and_then(|volume| self.shares_with(volume));
        }
        observed.storage_class = self.storage_classes.get(&record.storage.class_name).cloned();
        self.hold_place(observed, record);
    }

    /// Places are few: one is held only for a tenant that is about to take it.
    fn hold_place(&mut self, observed: &mut Observed, record: &TenantRecordSpec) {
        let name = &observed.name;
        let ClassView::Found(class) = &observed.class else { return self.gateways.release(name) };
        let tenant = observed.tenant.as_deref();
        let is_open = tenant
            .is_some_and(|tenant| tenant.deleted_at.is_none() && tenant.spec.as_ref().is_ok_and(|spec| !spec.suspend));
        let is_open = is_open && record.phase == RecordPhase::Active && !adoption::is_only_attached(record);
        let is_placed = record.routing.placement.is_some() || place_of_route(observed, record.routing.mode).is_some();
        let is_paused = tenant.is_some_and(|tenant| tenant.paused);
        let ordered = observed.record.as_deref().filter(|_| !is_paused);
        let ordered = ordered.and_then(|view| orders::offered(view, record, class));
        observed.place = match ordered {
            Some(slot) => self.gateways.hold(name, std::slice::from_ref(slot)),
            None if is_open && !is_placed => self.gateways.hold(name, &class.routing.gateways),
            None => {
                self.gateways.release(name);
                None
            }
        };
    }

    /// Every record that can be read, with the Tenant of its name.
    pub(super) fn held(&self) -> impl Iterator<Item = (&TenantName, Option<&TenantView>, &TenantRecordSpec)> {
        self.records.iter().filter_map(|(name, view)| {
            Some((name, self.tenants.get(name).map(|(tenant, _)| tenant.as_ref()), view.spec.as_ref().ok()?))
        })
    }

    /// Network policies of others in a tenant's namespace that let anything pass, by kind and name.
    fn foreign_policies(&self, name: &TenantName, record: &TenantRecordSpec) -> Vec<String> {
        let ours = [Child::DefaultDeny, Child::Allowlist, Child::DomainPolicy];
        let ours = ours.map(|child| child.key(name, record)).map(|key| (key.kind, key.name));
        let all = self.policies.get(&record.namespace.name).into_iter().flatten();
        let foreign = all.filter(|(key, view)| view.allows && !ours.contains(key));
        foreign.map(|((kind, name), _)| format!("{} {name}", kind.info().kind)).collect()
    }

    /// Volumes that say that they are this incarnation's: a record that was rebuilt after its claim had gone knows of none.
    fn volumes_of(&self, name: &TenantName, record: &TenantRecordSpec) -> Vec<Arc<VolumeView>> {
        let marked = self.marked_volumes.get(name).into_iter().flat_map(LiteMap::keys);
        let marked = marked.filter_map(|volume| self.volumes.get(volume.as_str()));
        marked.filter(|volume| volume.incarnation.as_ref() == Some(&record.incarnation)).cloned().collect()
    }

    /// Another volume with the same place in the storage.
    fn shares_with(&self, volume: &VolumeView) -> Option<String> {
        let there = self.volumes_at.get(&place::spelled_once(&volume.handle))?;
        there.keys().find(|other| **other != *volume.name).map(ToString::to_string)
    }

    /// The class that the Tenant names; without a Tenant the recorded one; without a record the one that the namespace
    /// mirrors.
    pub(super) fn class_of(
        &self,
        name: &TenantName,
        tenant: Option<&TenantView>,
        record: Option<&TenantRecordSpec>,
    ) -> ClassView {
        let named = tenant.and_then(|tenant| tenant.spec.as_ref().ok()).map(|spec| spec.class_name.clone());
        let mirrored = || {
            let key =
                ObjectKey { kind: Kind::Namespace, namespace: None, name: self.namespaces.get(name)?.as_str().into() };
            self.objects.get(&key)?.facts.as_namespace()?.annotations.get(labels::CLASS)?.parse().ok()
        };
        let class = named.or_else(|| record.map(|record| record.class_name.clone())).or_else(mirrored);
        class.and_then(|class| self.classes.get(&class).cloned()).unwrap_or(ClassView::Missing)
    }

    /// The recorded namespace; without a record the one that the class would name, or else the one that carries the
    /// tenant's label: a name that has a namespace has an incarnation, whatever class is named now.
    fn namespace_of(
        &self,
        name: &TenantName,
        record: Option<&TenantRecordSpec>,
        class: &ClassView,
    ) -> Option<Arc<Digest>> {
        let live = |namespace: &NamespaceName| {
            let key = ObjectKey { kind: Kind::Namespace, namespace: None, name: namespace.as_str().into() };
            self.objects.get(&key).cloned()
        };
        if let Some(record) = record {
            return live(&record.namespace.name);
        }
        let by_class = match class {
            ClassView::Found(class) => live(&namespace_for(name, class)),
            ClassView::Missing | ClassView::Invalid(_) => None,
        };
        by_class.or_else(|| live(self.namespaces.get(name)?))
    }
}

pub(super) fn namespace_for(name: &TenantName, class: &TenantClassSpec) -> NamespaceName {
    class.namespace_prefix.namespace(name)
}
