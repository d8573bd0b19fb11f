//! What is wanted of a tenant's objects, and what the same wish came to before.
//!
//! PURE. A tenant is decided about some thirty times until it is Ready, and what is wanted of it changes three or four times meanwhile. So what an
//! object's hash is, is remembered together with all that the object was made from, and an object is built where somebody sends it. That
//! spares work and changes no decision (`src/tenant/tests/world.rs` decides everything twice).

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;

use super::{
    blueprint::{Backend, Blueprint, Refusal, ResolvedQuota, WantedSecret},
    child::Child,
    comparison::Wish,
    desired::{self, Files},
    digest::ContentHash,
    fit::{self, Amounts, Container, Defaults},
    observed::{ClassView, Observed},
    settings::Settings,
};
use crate::api::{
    class::{ScaleToZero, TenantClassSpec},
    quantity::Quantity,
    record::TenantRecordSpec,
    tenant::{CidrRule, CpuMemory, EnvVar},
};

/// What of a record its tenant's objects are made from. What the operator learns of them meanwhile is left out, so that it changes none of
/// them: builders see only this. The namespace alone mirrors all of the record.
pub(super) fn built_from(record: &TenantRecordSpec) -> TenantRecordSpec {
    let mut built_from = TenantRecordSpec { template: None, history: Vec::new(), purge: None, ..record.clone() };
    built_from.namespace.uid = None;
    built_from.identity.association_id = None;
    built_from.identity.restarted_pod = None;
    built_from
}

/// What is wanted of a tenant's objects.
pub(super) struct Wanted<'a> {
    /// With the whole record.
    plan: &'a Blueprint<'a>,
    /// With what objects are made from.
    blueprint: &'a Blueprint<'a>,
    known: Arc<Known>,
    /// What is wanted otherwise than the blueprint has it.
    instead: BTreeMap<Child, Option<Value>>,
    files: Files<'a>,
}

/// What a blueprint comes to.
#[derive(Debug)]
struct Known {
    #[cfg(test)]
    number: usize,
    /// Of what is not wanted away; without the namespace.
    wishes: BTreeMap<Child, Wish>,
    template: Option<ContentHash>,
    share: Share,
}

/// What a workspace takes of its quota, as its objects say it.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// The containers of its pods.
    pub(super) containers: Option<Vec<Container>>,
    /// What those get that say nothing.
    pub(super) defaults: Defaults,
    /// What its claim takes.
    pub(super) claim: Option<Amounts>,
    /// What the quota gives.
    pub(super) hard: Amounts,
}

impl<'a> Wanted<'a> {
    /// What a blueprint comes to: once with the whole record, and once with what objects are [`built_from`].
    ///
    /// # Errors
    /// Where the workspace would not fit into its quota.
    pub(super) fn of(
        plan: &'a Blueprint<'a>,
        blueprint: &'a Blueprint<'a>,
        observed: &Observed,
    ) -> Result<Self, Refusal> {
        #[cfg(test)]
        assert_eq!(objects(plan), objects(blueprint), "what builders do not see changes nothing");
        let origin = shared(observed, blueprint.class).map(|class| Origin::of(blueprint, class, &observed.settings));
        let former = origin.as_ref().and_then(|origin| observed.remembered.known(origin));
        let known = match (former, origin) {
            (Some(known), _) => known,
            (None, origin) => {
                let known = Arc::new(Known::of(blueprint)?);
                if let Some(origin) = origin {
                    observed.remembered.remember(origin, &known);
                }
                known
            }
        };
        Ok(Self { plan, blueprint, known, instead: BTreeMap::new(), files: Files::of(blueprint) })
    }

    /// The object as it is wanted; `None` where it is wanted away.
    pub(super) fn object(&self, child: Child) -> Option<Value> {
        match self.instead.get(&child) {
            Some(object) => object.clone(),
            None => desired::build_with(
                child,
                if child == Child::Namespace { self.plan } else { self.blueprint },
                &self.files,
            ),
        }
    }

    /// Wants another object in its place.
    pub(super) fn replace(&mut self, child: Child, object: Option<Value>) {
        self.instead.insert(child, object);
    }

    /// What the object is compared by; `None` where it is wanted away.
    pub(super) fn wish(&self, child: Child) -> Option<Wish> {
        if child == Child::Namespace || self.instead.contains_key(&child) {
            return self.object(child).map(|object| Wish::of(child, &object));
        }
        self.known.wishes.get(&child).cloned()
    }

    /// The hash of the pod template.
    pub(super) fn template(&self) -> Option<ContentHash> {
        self.known.template
    }

    /// What the quota gives as it is wanted now.
    pub(super) fn hard(&self) -> Cow<'_, Amounts> {
        match self.instead.get(&Child::ResourceQuota) {
            Some(Some(quota)) => Cow::Owned(fit::amounts(&quota["spec"]["hard"])),
            Some(None) => Cow::Owned(Amounts::new()),
            None => Cow::Borrowed(&self.known.share.hard),
        }
    }

    /// What it takes of its quota, by the blueprint.
    pub(super) fn share(&self) -> &Share {
        &self.known.share
    }
}

impl Known {
    fn of(blueprint: &Blueprint<'_>) -> Result<Self, Refusal> {
        let mut all = desired::all(blueprint);
        fit::check(&all)?;
        all.remove(&Child::Namespace);
        let object = |child: Child| all.get(&child).and_then(Option::as_ref);
        let template = object(Child::StatefulSet).and_then(|set| set.pointer("/spec/template"));
        let share = Share {
            containers: template.map(fit::containers),
            defaults: object(Child::LimitRange).map(Defaults::of).unwrap_or_default(),
            claim: object(Child::Claim).map(fit::claim),
            hard: object(Child::ResourceQuota).map(|quota| fit::amounts(&quota["spec"]["hard"])).unwrap_or_default(),
        };
        let template = template.map(ContentHash::of_value);
        let wishes = all.iter().filter_map(|(child, object)| Some((*child, Wish::of(*child, object.as_ref()?))));
        Ok(Self {
            #[cfg(test)]
            number: number(),
            wishes: wishes.collect(),
            template,
            share,
        })
    }
}

/// The class, where it is the one that all its tenants share; what is built from another is not remembered.
fn shared<'a>(observed: &'a Observed, class: &TenantClassSpec) -> Option<&'a Arc<TenantClassSpec>> {
    match &observed.class {
        ClassView::Found(found) if std::ptr::eq(&raw const **found, class) => Some(found),
        ClassView::Found(_) | ClassView::Missing | ClassView::Invalid(_) => None,
    }
}

/// What a tenant's last wish came to, for as long as it is on its way. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Remembered(Arc<Mutex<Option<Former>>>);

/// What a wish was made from, and what it came to.
#[derive(Debug)]
struct Former {
    origin: Origin,
    known: Arc<Known>,
}

impl Remembered {
    fn known(&self, origin: &Origin) -> Option<Arc<Known>> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.as_ref().filter(|former| former.origin == *origin).map(|former| Arc::clone(&former.known))
    }

    fn remember(&self, origin: Origin, known: &Arc<Known>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Former { origin, known: Arc::clone(known) });
    }
}

/// All but the namespace.
#[cfg(test)]
fn objects(blueprint: &Blueprint<'_>) -> BTreeMap<Child, Option<Value>> {
    let mut all = desired::all(blueprint);
    all.remove(&Child::Namespace);
    all
}

/// Counts what was built.
#[cfg(test)]
fn number() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[cfg(test)]
impl Remembered {
    /// Which of all wishes is remembered.
    pub(super) fn number(&self) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|former| former.known.number)
    }
}

/// All that objects are made from: a blueprint that borrows nothing. Its name is left out: what is remembered is one tenant's. What is equal here
/// has to come to the same objects: no type in here may call equal what is written otherwise.
#[derive(Debug, PartialEq)]
struct Origin {
    class: Arc<TenantClassSpec>,
    settings: Arc<Settings>,
    record: TenantRecordSpec,
    scaler: Option<ScaleToZero>,
    open: bool,
    stopped: bool,
    keeps_target_group: bool,
    backend: Backend,
    replicas: i64,
    quota: ResolvedQuota,
    requests: CpuMemory,
    limits: CpuMemory,
    size: Quantity,
    claim_size: Quantity,
    budget: u32,
    image: String,
    cidrs: Vec<CidrRule>,
    domains: Vec<String>,
    env: Vec<EnvVar>,
    skills: Vec<String>,
    secrets: Vec<WantedSecret>,
}

impl Origin {
    fn of(blueprint: &Blueprint<'_>, class: &Arc<TenantClassSpec>, settings: &Arc<Settings>) -> Self {
        // Taken apart whole: a field that is added does not compile before it is looked at here.
        let Blueprint {
            tenant: _,
            class: _,
            settings: _,
            record,
            open,
            stopped,
            quota,
            requests,
            limits,
            size,
            claim_size,
            cidrs,
            domains,
            scaler,
            keeps_target_group,
            backend,
            replicas,
            image,
            env,
            skills,
            secrets,
            budget,
        } = blueprint.clone();
        Self {
            class: Arc::clone(class),
            settings: Arc::clone(settings),
            record: record.clone(),
            scaler: scaler.cloned(),
            open,
            stopped,
            keeps_target_group,
            backend,
            replicas,
            quota,
            requests,
            limits,
            size,
            claim_size,
            budget,
            image,
            cidrs,
            domains,
            env,
            skills: skills.to_vec(),
            secrets,
        }
    }
}
