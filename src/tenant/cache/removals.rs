//! Whose removal has begun or will by its date, kept as Tenants and records change: the breaker counts the removals of the whole fleet for
//! each that may be due, and must not go through all tenants for that.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
#[cfg(test)]
use {
    litemap::LiteMap,
    smol_str::SmolStr,
    std::collections::{BTreeMap, BTreeSet},
};

use super::Known;
#[cfg(test)]
use crate::tenant::place::spelled_once;
use crate::{
    api::{names::TenantName, record::TenantRecordSpec},
    tenant::{
        breaker::{Deletion, Fleet, Leaving, deletions, is_counted, whole},
        observed::TenantView,
    },
};

#[derive(Default)]
pub(super) struct Removals {
    leaving: HashMap<TenantName, Leaving>,
    /// Records that hold nothing any more, or cannot be read.
    uncounted: HashSet<TenantName>,
    /// What came of it, within this second. All times that it depends on stand in objects, in whole seconds.
    fleet: Option<Counted>,
}

struct Counted {
    second: Timestamp,
    base: usize,
    fleet: Arc<Fleet>,
}

impl Removals {
    /// How many names are kept here, in each place.
    #[cfg(test)]
    pub(super) fn kept(&self) -> [usize; 2] {
        [self.leaving.len(), self.uncounted.len()]
    }

    fn note(&mut self, name: &TenantName, leaving: Option<Leaving>, is_uncounted: bool) {
        if self.leaving.get(name) == leaving.as_ref() && self.uncounted.contains(name) == is_uncounted {
            return;
        }
        self.fleet = None;
        match leaving {
            Some(leaving) => drop(self.leaving.insert(name.clone(), leaving)),
            None => drop(self.leaving.remove(name)),
        }
        if is_uncounted {
            self.uncounted.insert(name.clone());
        } else {
            self.uncounted.remove(name);
        }
    }
}

impl Known {
    /// The Tenant or the record of a name has changed, or is gone.
    pub(super) fn note_removal(&mut self, name: &TenantName) {
        let tenant = self.tenants.get(name).map(|(view, _)| view.as_ref());
        let view = self.records.get(name);
        let record = view.and_then(|view| view.spec.as_ref().ok());
        let is_uncounted = view.is_some() && !record.is_some_and(is_counted);
        self.removals.note(name, Leaving::of(tenant, record), is_uncounted);
    }

    /// The Tenants or the records of all names are gone.
    pub(super) fn note_removals(&mut self) {
        self.removals = Removals::default();
        let names: Vec<TenantName> = self.tenants.keys().chain(self.records.keys()).cloned().collect();
        for name in &names {
            self.note_removal(name);
        }
    }

    /// All removals, as the breaker counts them.
    pub(super) fn all_removals(&mut self, now: Timestamp) -> Arc<Fleet> {
        let (second, base) = (whole(now), self.records.len() - self.removals.uncounted.len());
        let counted = self.removals.fleet.as_ref().filter(|counted| counted.second == second && counted.base == base);
        if let Some(counted) = counted {
            return Arc::clone(&counted.fleet);
        }
        let fleet = Arc::new(Fleet::of_leaving(base, self.removals.leaving.values(), now));
        self.removals.fleet = Some(Counted { second, base, fleet: Arc::clone(&fleet) });
        fleet
    }

    /// All removals that have not come to their end, the oldest first.
    pub(super) fn deletions(&mut self, now: Timestamp) -> Vec<Deletion> {
        let fleet = self.all_removals(now);
        deletions(self.leaving(), &fleet, |record| self.halts.contains(&record.class_name), now)
    }

    fn leaving(&self) -> impl Iterator<Item = (&TenantName, Option<&TenantView>, &TenantRecordSpec)> {
        self.removals.leaving.keys().filter_map(|name| {
            let record = self.records.get(name)?.spec.as_ref().ok()?;
            Some((name, self.tenants.get(name).map(|(tenant, _)| tenant.as_ref()), record))
        })
    }
}

/// What is kept as objects change is what would be collected of all of them.
#[cfg(test)]
impl super::Cache {
    /// All removals, as they are counted; and counted afresh, from all names.
    pub(in crate::tenant) fn removals_twice(&self, now: Timestamp) -> [Fleet; 2] {
        let mut known = self.lock();
        let has_record = |name: &TenantName| known.records.get(name).is_some_and(|view| view.spec.is_ok());
        let unrecorded =
            known.tenants.iter().filter(|(name, _)| !has_record(name)).map(|(_, (tenant, _))| tenant.as_ref());
        let afresh = Fleet::of(known.held().map(|(_, tenant, record)| (tenant, record)), unrecorded, now);
        [(*known.all_removals(now)).clone(), afresh]
    }

    /// The names of the volumes of each place, as they are kept; and collected afresh, from all volumes.
    pub(in crate::tenant) fn places_twice(&self) -> [BTreeMap<String, BTreeSet<String>>; 2] {
        let known = self.lock();
        let names = |names: &LiteMap<SmolStr, ()>| names.keys().map(ToString::to_string).collect();
        let kept = known.volumes_at.iter().map(|(place, there)| (place.to_string(), names(there))).collect();
        let mut afresh: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for volume in known.volumes.values() {
            afresh.entry(spelled_once(&volume.handle).into()).or_default().insert(volume.name.clone());
        }
        [kept, afresh]
    }
}
