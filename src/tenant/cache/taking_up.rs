//! Live objects enter what is known, from watches and from answers to our own writes.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Concerns, Known, PolicyView, Source, Watched, all, object_key, observing::namespace_for, optional::Engine, some,
};
use crate::{
    api::{
        names::{ClassName, NamespaceName, TenantName, Uid},
        record::{Placement, RecordPhase, Rolling, TenantRecordSpec},
    },
    gateway::Gateway,
    tenant::{
        child::{Kind, ObjectKey},
        digest::Digest,
        observed::{ClassView, RecordView, TenantView, VolumeView},
        place, views,
    },
};

/// Whether what comes in is an older state of the very object that is known, each as UID and resource version.
fn is_stale(source: Source, incoming: (&Uid, &str), known: (&Uid, &str)) -> bool {
    if source == Source::List {
        return false;
    }
    // Resource versions of one object are numbers that grow; what does not read so is taken as it comes.
    let versions = (incoming.1.parse::<u64>(), known.1.parse::<u64>());
    incoming.0 == known.0 && matches!(versions, (Ok(incoming), Ok(known)) if incoming < known)
}

/// Whether a later state is the known one in all but its version. Nothing but the version is copied for that.
fn is_same_in_another_version<T: PartialEq>(
    known: &T,
    known_version: &str,
    later: &mut T,
    version: impl Fn(&mut T) -> &mut String,
) -> bool {
    let own = std::mem::replace(version(later), known_version.to_owned());
    let is_same = known == later;
    *version(later) = own;
    is_same
}

impl Known {
    pub(super) fn upsert(&mut self, watched: Watched, object: &Value) -> Concerns {
        self.upsert_from(watched, object, Source::Stream)
    }

    pub(super) fn upsert_from(&mut self, watched: Watched, object: &Value, source: Source) -> Concerns {
        self.note_version(watched, object);
        if self.gone.get(&watched).is_some_and(|gone| gone.knows(object)) {
            return Concerns::Nobody;
        }
        let concerns = self.take_in(watched, object, source);
        self.note_change(watched, &concerns);
        concerns
    }

    /// Figures are made of what concerns somebody, and of routes, whosever they are.
    pub(super) fn note_change(&mut self, watched: Watched, concerns: &Concerns) {
        self.has_changed |= *concerns != Concerns::Nobody || watched == Watched::Child(Kind::HttpRoute);
    }

    fn take_in(&mut self, watched: Watched, object: &Value, source: Source) -> Concerns {
        match watched {
            Watched::Child(kind) => self.upsert_child(kind, object, source),
            Watched::Tenant => self.upsert_tenant(object, source),
            Watched::Record => self.upsert_record(object, source),
            Watched::Class => {
                let Ok(name) = views::name(object).parse::<ClassName>() else { return Concerns::Nobody };
                let view =
                    views::class(object).map_or_else(ClassView::Invalid, |spec| ClassView::Found(Arc::new(spec)));
                let is_halted = views::is_halted(object);
                let was_halted = if is_halted { !self.halts.insert(name.clone()) } else { self.halts.remove(&name) };
                self.generations.insert(name.clone(), object["metadata"]["generation"].as_i64().unwrap_or_default());
                let same = self.classes.insert(name.clone(), view.clone()) == Some(view);
                if !same {
                    self.forget_reached(&name);
                }
                if same && was_halted == is_halted { Concerns::Nobody } else { self.of_class(&name) }
            }
            Watched::Pod => self.upsert_pod(object),
            Watched::Volume => {
                let Some(mut view) = views::volume(object) else { return Concerns::Nobody };
                let before = self.volumes.get(&view.name);
                if before.is_some_and(|before| {
                    is_stale(source, (&view.uid, &view.resource_version), (&before.uid, &before.resource_version))
                }) {
                    return Concerns::Nobody;
                }
                let concerns = some(self.holder_of(&view));
                let unchanged = before.is_some_and(|before| {
                    is_same_in_another_version(&**before, &before.resource_version, &mut view, |view| {
                        &mut view.resource_version
                    })
                });
                self.forget_volume(&view.name);
                if let Some(tenant) = &view.tenant {
                    self.marked_volumes.entry(tenant.clone()).or_default().insert(view.name.as_str().into(), ());
                }
                let there = self.volumes_at.entry(place::spelled_once(&view.handle)).or_default();
                there.insert(view.name.as_str().into(), ());
                self.volumes.insert(view.name.clone(), Arc::new(view));
                if unchanged { Concerns::Nobody } else { concerns }
            }
            Watched::StorageClass => {
                let view = views::storage_class(object);
                let same = self.storage_classes.insert(views::name(object).to_owned(), view.clone()) == Some(view);
                if same { Concerns::Nobody } else { Concerns::Everybody }
            }
            Watched::Policy => self.upsert_policy(Kind::NetworkPolicy, object),
            Watched::CiliumPolicy => self.upsert_policy(Kind::CiliumNetworkPolicy, object),
            Watched::PolicyEndpoint => self.upsert_witness(Engine::VpcCni, object),
            Watched::CiliumEndpoint => self.upsert_witness(Engine::Cilium, object),
            Watched::Definition => {
                let Some(mut view) = views::definition(object) else { return Concerns::Nobody };
                let before = self.definitions.get(views::name(object));
                if before.is_some_and(|before| {
                    is_stale(source, (&view.uid, &view.resource_version), (&before.uid, &before.resource_version))
                }) {
                    return Concerns::Nobody;
                }
                let same = before.is_some_and(|before| {
                    is_same_in_another_version(before, &before.resource_version, &mut view, |view| {
                        &mut view.resource_version
                    })
                });
                self.definitions.insert(views::name(object).to_owned(), view);
                if same { Concerns::Nobody } else { Concerns::Everybody }
            }
        }
    }

    fn upsert_child(&mut self, kind: Kind, object: &Value, source: Source) -> Concerns {
        let Some(key) = object_key(kind, object) else { return Concerns::Nobody };
        let before = self.objects.get(&key);
        // A watch tells again of each of our own writes, whose answer was taken up already. The same version of what comes with a definition
        // may read differently, right after that has changed; and what is listed or asked for may be read by a newer API server.
        let is_echo = kind.is_built_in() && source == Source::Stream;
        if is_echo && before.is_some_and(|before| before.is_of_version(object)) {
            return Concerns::Nobody;
        }
        let Ok(digest) = Digest::of(kind, object) else { return Concerns::Nobody };
        if before.is_some_and(|before| {
            is_stale(source, (&digest.uid, &digest.resource_version), (&before.uid, &before.resource_version))
        }) {
            return Concerns::Nobody;
        }
        let unchanged = before.is_some_and(|before| before.tells_nothing_new(&digest));
        let mut concerned: Vec<TenantName> =
            before.and_then(|before| before.tenant.clone()).into_iter().chain(digest.tenant.clone()).collect();
        let holder = before.and_then(|before| before.tenant.clone());
        self.note_grant(&key, holder.as_ref(), digest.tenant.as_ref());
        if kind == Kind::Namespace {
            self.note_namespace(&key.name, &digest);
        }
        // A namespace that stands where a tenant wants one concerns that tenant, whatever marks it carries.
        concerned.extend(self.claimants_of(&key));
        if let Some(known) = self.objects.get_mut(&key) {
            *known = Arc::new(digest);
        } else {
            self.objects.insert(self.shared(&key), Arc::new(digest));
        }
        self.note_route(&key);
        if unchanged { Concerns::Nobody } else { all(concerned) }
    }

    /// The key of an object as it is kept already, of what is there or of what was met.
    pub(super) fn shared(&self, key: &ObjectKey) -> Arc<ObjectKey> {
        let there = self.objects.get_key_value(key).map(|(key, _)| key);
        there.or_else(|| self.met.get(key)).map_or_else(|| Arc::new(key.clone()), Arc::clone)
    }

    fn upsert_policy(&mut self, kind: Kind, object: &Value) -> Concerns {
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
        let Ok(namespace) = text("namespace").parse::<NamespaceName>() else { return Concerns::Nobody };
        let is_some = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
        // Cilium takes several policies in one as well.
        let allows =
            is_some(&object["spec"]["ingress"]) || is_some(&object["spec"]["egress"]) || is_some(&object["specs"]);
        let view = PolicyView { uid: views::uid(object), allows };
        let before =
            self.policies.entry(namespace.clone()).or_default().insert((kind, text("name").into()), view.clone());
        let is_news = before.is_none_or(|before| before.allows != view.allows);
        if is_news { some(self.tenant_of(&namespace)) } else { Concerns::Nobody }
    }

    /// The tenant whose label a namespace carries.
    pub(super) fn tenant_of(&self, namespace: &NamespaceName) -> Option<TenantName> {
        let key = ObjectKey { kind: Kind::Namespace, namespace: None, name: namespace.as_str().into() };
        self.objects.get(&key)?.tenant.clone()
    }

    fn note_namespace(&mut self, name: &str, digest: &Digest) {
        if let (Some(tenant), Ok(name)) = (&digest.tenant, name.parse::<NamespaceName>()) {
            self.namespaces.insert(tenant.clone(), name);
        }
    }

    /// A tenant's route takes a place on the Gateway that it stands on, whatever the tenant's record says. One that does not lie
    /// where a tenant's lies is nobody's.
    pub(super) fn note_route(&mut self, key: &ObjectKey) {
        let (Kind::HttpRoute, Some(namespace)) = (key.kind, &key.namespace) else { return };
        let Ok(tenant) = key.name.parse::<TenantName>() else { return };
        if !namespace.as_str().strip_suffix(tenant.as_str()).is_some_and(|prefix| prefix.ends_with('-')) {
            return;
        }
        let named = self.objects.get(key).and_then(|live| live.facts.as_route()?.gateway.clone());
        let gateway = named.and_then(|(namespace, name)| Some(Gateway { namespace: namespace.parse().ok()?, name }));
        self.gateways.route_stands(namespace, &tenant, gateway);
    }

    /// The tenants whose records name this namespace, or that would get it if it were free.
    pub(super) fn claimants_of(&self, key: &ObjectKey) -> Vec<TenantName> {
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

    fn upsert_tenant(&mut self, object: &Value, source: Source) -> Concerns {
        let (Ok(name), Some(mut view)) = (views::name(object).parse::<TenantName>(), views::tenant(object)) else {
            return Concerns::Nobody;
        };
        let status = self.phrases.keep(views::tenant_status(object));
        if let Some((before, before_status)) = self.tenants.get(&name) {
            if is_stale(source, (&view.uid, &view.resource_version), (&before.uid, &before.resource_version)) {
                return Concerns::Nobody;
            }
            let is_same = is_same_in_another_version(&**before, &before.resource_version, &mut view, |view| {
                &mut view.resource_version
            });
            if is_same && **before_status == status {
                let status = Arc::clone(before_status);
                self.tenants.insert(name, (Arc::new(view), status));
                return Concerns::Nobody;
            }
        }
        let is_new = self.tenants.insert(name.clone(), (Arc::new(view), Arc::new(status))).is_none();
        self.note_removal(&name);
        if is_new {
            self.note_rolling(&name);
        }
        some(Some(name))
    }

    /// Keeps the roll-out gate up to date. A record without a Tenant holds no place: nobody works on it.
    pub(super) fn note_rolling(&mut self, name: &TenantName) {
        let record = self.records.get(name).filter(|_| self.tenants.contains_key(name));
        self.gate.recorded(name, rolling_of(record.and_then(|view| view.spec.as_ref().ok())));
    }

    fn upsert_record(&mut self, object: &Value, source: Source) -> Concerns {
        let (Ok(name), Some(view)) = (views::name(object).parse::<TenantName>(), views::record(object)) else {
            return Concerns::Nobody;
        };
        if let Some(before) = self.records.get(&name) {
            if is_stale(source, (&view.uid, &view.resource_version), (&before.uid, &before.resource_version)) {
                return Concerns::Nobody;
            }
            let same = before.uid == view.uid && before.spec == view.spec && before.orders == view.orders;
            if same {
                self.records.insert(name, Arc::new(view));
                return Concerns::Nobody;
            }
        }
        self.gateways.recorded(&name, placement_of(view.spec.as_ref().ok()));
        if view.spec.as_ref().is_ok_and(|spec| spec.adoption.is_none()) {
            self.belongings.remove(&name);
        }
        self.records.insert(name.clone(), Arc::new(view));
        self.note_removal(&name);
        self.note_rolling(&name);
        some(Some(name))
    }

    fn upsert_pod(&mut self, object: &Value) -> Concerns {
        let Some((tenant, view)) = views::pod(object) else { return Concerns::Nobody };
        let key = (view.namespace.clone(), view.name.clone());
        let view = Arc::new(view);
        let before = self.pods.entry(tenant.clone()).or_default().insert(key, Arc::clone(&view));
        if before == Some(view) { Concerns::Nobody } else { some(Some(tenant)) }
    }

    pub(super) fn holder_of(&self, volume: &VolumeView) -> Option<TenantName> {
        volume.tenant.clone().or_else(|| {
            let namespace: NamespaceName = volume.claim.as_ref()?.namespace.parse().ok()?;
            self.tenant_of(&namespace)
        })
    }

    pub(super) fn of_class(&self, class: &ClassName) -> Concerns {
        let names_it = |view: &TenantView| match &view.spec {
            Ok(spec) => spec.class_name == *class,
            Err(_) => true,
        };
        let of_tenants = self.tenants.iter().filter(|(_, (view, _))| names_it(view)).map(|(name, _)| name);
        // Records that no Tenant holds are only concerned where something of them is due.
        let is_due = |(name, view): &(&TenantName, &Arc<RecordView>)| {
            !self.tenants.contains_key(*name)
                && view.spec.as_ref().is_ok_and(|spec| spec.class_name == *class && spec.phase != RecordPhase::Active)
        };
        let of_records = self.records.iter().filter(is_due).map(|(name, _)| name);
        all(of_tenants.chain(of_records).cloned().collect())
    }
}

/// Records that still hold their place.
fn placement_of(record: Option<&TenantRecordSpec>) -> Option<Placement> {
    let record = record.filter(|record| record.phase != RecordPhase::Purged)?;
    record.routing.placement.clone()
}

/// Records of tenants that are on their way to another pod template.
fn rolling_of(record: Option<&TenantRecordSpec>) -> Option<&Rolling> {
    let record = record.filter(|record| record.phase == RecordPhase::Active)?;
    record.template.as_ref()?.rolling.as_ref()
}
