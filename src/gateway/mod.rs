//! Placement of tenants on gateways: one allocator, least loaded first, never above capacity.

use std::collections::HashMap;

use crate::api::{class::GatewaySlot, names::TenantName, record::Placement};

/// Knows every taken place, and hands out free ones.
///
/// A place that was handed out is held for its tenant until the tenant's record says where it is, so that two tenants
/// that are placed at the same time do not get the same last place.
#[derive(Debug, Default)]
pub struct Allocator {
    recorded: HashMap<TenantName, Placement>,
    held: HashMap<TenantName, Placement>,
    load: HashMap<Placement, usize>,
    /// Who found no place.
    waiting: Vec<TenantName>,
    woken: Vec<TenantName>,
}

impl Allocator {
    /// Takes note of what a tenant's record says: its place, or that it has none.
    pub fn recorded(&mut self, tenant: &TenantName, placement: Option<Placement>) {
        if self.recorded.get(tenant) == placement.as_ref() {
            return;
        }
        if let Some(before) = self.recorded.remove(tenant) {
            self.give_back(&before);
        }
        let Some(placement) = placement else { return };
        *self.load.entry(placement.clone()).or_default() += 1;
        match self.held.remove(tenant) {
            Some(held) if held == placement => self.leave(&held),
            Some(held) => self.give_back(&held),
            None => {}
        }
        self.recorded.insert(tenant.clone(), placement);
    }

    /// A place for a tenant that has none: the one that is held for it, or the least loaded; `None` where all are full.
    pub fn hold(&mut self, tenant: &TenantName, slots: &[GatewaySlot]) -> Option<Placement> {
        if let Some(held) = self.held.get(tenant) {
            if slots.iter().any(|slot| placement(slot) == *held && !slot.cordoned) {
                return Some(held.clone());
            }
            let held = held.clone();
            self.held.remove(tenant);
            self.give_back(&held);
        }
        let load = |slot: &GatewaySlot| self.load.get(&placement(slot)).copied().unwrap_or(0);
        let open = slots.iter().filter(|slot| !slot.cordoned && load(slot) < usize::from(slot.capacity));
        let Some(best) = open.min_by_key(|slot| load(slot)).map(placement) else {
            if !self.waiting.contains(tenant) {
                self.waiting.push(tenant.clone());
            }
            return None;
        };
        self.waiting.retain(|waiting| waiting != tenant);
        *self.load.entry(best.clone()).or_default() += 1;
        self.held.insert(tenant.clone(), best.clone());
        Some(best)
    }

    /// Lets go of the place that is held for a tenant which will not take it.
    pub fn release(&mut self, tenant: &TenantName) {
        self.waiting.retain(|waiting| waiting != tenant);
        if let Some(held) = self.held.remove(tenant) {
            self.give_back(&held);
        }
    }

    /// Those who found no place and should look again, because one was given back: first come first.
    pub fn take_woken(&mut self) -> Vec<TenantName> {
        std::mem::take(&mut self.woken)
    }

    fn give_back(&mut self, placement: &Placement) {
        self.leave(placement);
        // Whoever still finds none waits again.
        self.woken.append(&mut self.waiting);
    }

    fn leave(&mut self, placement: &Placement) {
        if let Some(count) = self.load.get_mut(placement) {
            *count = count.saturating_sub(1);
        }
    }
}

/// The place that a slot of a class offers.
pub fn placement(slot: &GatewaySlot) -> Placement {
    Placement { namespace: slot.namespace.clone(), name: slot.name.clone(), domain: slot.domain.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str, capacity: u16) -> GatewaySlot {
        let json = serde_json::json!({
            "namespace": "gateways", "name": name, "domain": format!("{name}.example.com"), "capacity": capacity,
        });
        serde_json::from_value(json).expect("slot")
    }

    fn tenant(number: usize) -> TenantName {
        format!("t{number}").parse().expect("name")
    }

    #[test]
    fn tenants_go_where_there_is_most_room_and_never_above_capacity() {
        let slots = [slot("a", 3), slot("b", 2)];
        let mut allocator = Allocator::default();
        let places: Vec<Option<String>> =
            (0..6).map(|n| allocator.hold(&tenant(n), &slots).map(|place| place.name)).collect();
        let names: Vec<&str> = places.iter().map(|place| place.as_deref().unwrap_or("full")).collect();
        assert_eq!(names, ["a", "b", "a", "b", "a", "full"]);
    }

    #[test]
    fn a_held_place_stays_the_same_and_becomes_the_recorded_one() {
        let slots = [slot("a", 1)];
        let mut allocator = Allocator::default();
        let place = allocator.hold(&tenant(1), &slots);
        assert_eq!(allocator.hold(&tenant(1), &slots), place);
        allocator.recorded(&tenant(1), place);
        assert_eq!(allocator.hold(&tenant(2), &slots), None);
        allocator.recorded(&tenant(1), None);
        assert!(allocator.hold(&tenant(2), &slots).is_some());
    }

    #[test]
    fn a_place_that_is_not_taken_after_all_is_free_again() {
        let slots = [slot("a", 1)];
        let mut allocator = Allocator::default();
        assert!(allocator.hold(&tenant(1), &slots).is_some());
        allocator.release(&tenant(1));
        assert!(allocator.hold(&tenant(2), &slots).is_some());
    }

    #[test]
    fn who_found_no_place_is_woken_once_when_one_is_given_back() {
        let slots = [slot("a", 2)];
        let mut allocator = Allocator::default();
        let none = Vec::<TenantName>::new();
        let place = allocator.hold(&tenant(1), &slots);
        assert!(allocator.hold(&tenant(2), &slots).is_some());
        for late in [4, 3, 4] {
            assert_eq!(allocator.hold(&tenant(late), &slots), None);
        }
        allocator.recorded(&tenant(1), place.clone());
        allocator.recorded(&tenant(1), place);
        assert_eq!(allocator.take_woken(), none, "a held place that is recorded is the same place");
        allocator.recorded(&tenant(1), None);
        assert_eq!(allocator.take_woken(), [tenant(4), tenant(3)], "first come first");
        assert!(allocator.hold(&tenant(4), &slots).is_some());
        assert_eq!(allocator.hold(&tenant(3), &slots), None);
        assert_eq!(allocator.take_woken(), none);
        allocator.release(&tenant(2));
        assert_eq!(allocator.take_woken(), [tenant(3)]);
        allocator.release(&tenant(4));
        assert_eq!(allocator.take_woken(), none, "nobody waits");
    }

    #[test]
    fn a_cordoned_gateway_takes_nobody_new() {
        let mut cordoned = slot("a", 9);
        cordoned.cordoned = true;
        assert_eq!(Allocator::default().hold(&tenant(1), &[cordoned]), None);
    }
}
