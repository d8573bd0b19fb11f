//! Placement of tenants on gateways: one allocator, least loaded first, never above capacity.

mod target;

use std::collections::HashMap;

pub use target::{NoTarget, Target};

use crate::api::{
    class::GatewaySlot,
    names::{NamespaceName, TenantName},
    record::Placement,
};

/// One Gateway: one load balancer, whatever domains it serves and whichever classes name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gateway {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: String,
}

/// Knows every taken place, and hands out free ones.
///
/// A place is taken where a record says so, where a live route stands, and where it was handed out and the tenant's record
/// does not say so yet: two tenants that are placed at the same time do not get the same last place. Whatever says that a
/// tenant is on a Gateway, it is there once.
#[derive(Debug, Default)]
pub struct Allocator {
    recorded: HashMap<TenantName, Placement>,
    held: HashMap<TenantName, Placement>,
    /// Where live routes stand. A record may be lost, or say nothing of its place for a while; its route has a target group of
    /// the load balancer all the same.
    standing: HashMap<(NamespaceName, TenantName), Gateway>,
    /// Who is on each Gateway, and how many of the above say so.
    load: HashMap<Gateway, HashMap<TenantName, usize>>,
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
        let before = match placement {
            Some(placement) => {
                self.take(tenant, Gateway::of(&placement));
                if let Some(held) = self.held.remove(tenant) {
                    self.leave(tenant, &Gateway::of(&held));
                }
                self.recorded.insert(tenant.clone(), placement)
            }
            None => self.recorded.remove(tenant),
        };
        if let Some(before) = before {
            self.leave(tenant, &Gateway::of(&before));
        }
    }

    /// All records are gone, with their definition.
    pub fn forget_records(&mut self) {
        for (tenant, placement) in std::mem::take(&mut self.recorded) {
            self.leave(&tenant, &Gateway::of(&placement));
        }
    }

    /// Takes note of where a tenant's route stands that lies in this namespace, or that it is gone.
    pub fn route_stands(&mut self, namespace: &NamespaceName, tenant: &TenantName, on: Option<Gateway>) {
        let key = (namespace.clone(), tenant.clone());
        if self.standing.get(&key) == on.as_ref() {
            return;
        }
        let before = match on {
            Some(gateway) => {
                self.take(tenant, gateway.clone());
                self.standing.insert(key, gateway)
            }
            None => self.standing.remove(&key),
        };
        if let Some(before) = before {
            self.leave(tenant, &before);
        }
    }

    /// A place for a tenant that has none: the one that is held for it, or the least loaded; `None` where all are full.
    pub fn hold(&mut self, tenant: &TenantName, slots: &[GatewaySlot]) -> Option<Placement> {
        if let Some(held) = self.held.get(tenant) {
            if slots.iter().any(|slot| placement(slot) == *held && !slot.cordoned) {
                return Some(held.clone());
            }
            let held = held.clone();
            self.held.remove(tenant);
            self.leave(tenant, &Gateway::of(&held));
        }
        let open = slots.iter().filter(|slot| self.has_room(tenant, slot));
        let Some(best) = open.min_by_key(|slot| self.load(&Gateway::of(&placement(slot)))).map(placement) else {
            if !self.waiting.contains(tenant) {
                self.waiting.push(tenant.clone());
            }
            return None;
        };
        self.waiting.retain(|waiting| waiting != tenant);
        self.take(tenant, Gateway::of(&best));
        self.held.insert(tenant.clone(), best.clone());
        Some(best)
    }

    /// Lets go of the place that is held for a tenant which will not take it.
    pub fn release(&mut self, tenant: &TenantName) {
        self.waiting.retain(|waiting| waiting != tenant);
        if let Some(held) = self.held.remove(tenant) {
            self.leave(tenant, &Gateway::of(&held));
        }
    }

    /// Those who found no place and should look again, because one was given back: first come first.
    pub fn take_woken(&mut self) -> Vec<TenantName> {
        std::mem::take(&mut self.woken)
    }

    /// How many tenants are on the Gateway of a slot.
    pub fn taken(&self, slot: &GatewaySlot) -> usize {
        self.load(&Gateway::of(&placement(slot)))
    }

    /// How many tenants are on a Gateway.
    fn load(&self, gateway: &Gateway) -> usize {
        self.load.get(gateway).map_or(0, HashMap::len)
    }

    /// Whether a slot takes this tenant. One that is on its Gateway already takes no second place there.
    fn has_room(&self, tenant: &TenantName, slot: &GatewaySlot) -> bool {
        let gateway = Gateway::of(&placement(slot));
        let others =
            self.load(&gateway) - usize::from(self.load.get(&gateway).is_some_and(|on| on.contains_key(tenant)));
        !slot.cordoned && u32::try_from(others).is_ok_and(|others| others < slot.capacity)
    }

    fn take(&mut self, tenant: &TenantName, gateway: Gateway) {
        *self.load.entry(gateway).or_default().entry(tenant.clone()).or_default() += 1;
    }

    fn leave(&mut self, tenant: &TenantName, gateway: &Gateway) {
        let Some(on) = self.load.get_mut(gateway) else { return };
        let Some(count) = on.get_mut(tenant) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        on.remove(tenant);
        if on.is_empty() {
            self.load.remove(gateway);
        }
        // Whoever still finds none waits again.
        self.woken.append(&mut self.waiting);
    }
}

impl Gateway {
    /// The Gateway of a place.
    pub fn of(placement: &Placement) -> Self {
        Self { namespace: placement.namespace.clone(), name: placement.name.clone() }
    }
}

/// The place that a slot of a class offers.
pub fn placement(slot: &GatewaySlot) -> Placement {
    Placement { namespace: slot.namespace.clone(), name: slot.name.clone(), domain: slot.domain.clone() }
}

#[cfg(test)]
mod tests;
