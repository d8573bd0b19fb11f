//! The order to move a tenant to another gateway of its class.
//!
//! PURE. Nothing else moves a tenant: its address hangs on it.

use crate::{
    api::{
        class::{GatewaySlot, TenantClassSpec},
        labels,
        record::{Placement, RecordPhase, TenantRecordSpec},
    },
    gateway::{Target, placement},
    tenant::{
        desired,
        observed::{ClassView, Observed, RecordView},
    },
};

/// The place that a record's order asks for, to be held until the record says it; `None` where none is ordered, or where the order is
/// refused whether there is room or not.
pub fn offered<'a>(
    view: &RecordView,
    record: &TenantRecordSpec,
    class: &'a TenantClassSpec,
) -> Option<&'a GatewaySlot> {
    wanted(record, class, view.orders.get(labels::MOVE_TO)?.trim()).ok()
}

pub(super) fn move_to(observed: &Observed, record: &mut TenantRecordSpec, value: &str) -> Result<String, String> {
    let ClassView::Found(class) = &observed.class else {
        return Err("refused: its class is not there, or cannot be read, and that says which gateways there are".into());
    };
    let slot = wanted(record, class, value).map_err(|why| format!("refused: {why}"))?;
    let place = placement(slot);
    if observed.place.as_ref() != Some(&place) {
        return Err(format!(
            "refused: gateway {}/{} takes {} tenants and is full; raise its capacity in the class, or move others away",
            place.namespace, place.name, slot.capacity
        ));
    }
    let (tenant, mode) = (&observed.name, record.routing.mode);
    let host = desired::hostname(tenant, mode, &place);
    let former = record.routing.placement.replace(place);
    let stays = former.is_some_and(|former| desired::hostname(tenant, mode, &former) == host);
    if stays {
        return Ok(format!("done: it is moved, and its host stays {host}"));
    }
    if let Some(template) = &mut record.template {
        // The workspace answers pages of its own host alone. What is ordered for one tenant waits at no gate, as its own edit.
        template.own.clear();
    }
    Ok(format!("done: it is moved, and its host is {host} from now on"))
}

/// The slot to which a tenant with this record may be moved, if there is room.
fn wanted<'a>(record: &TenantRecordSpec, class: &'a TenantClassSpec, value: &str) -> Result<&'a GatewaySlot, String> {
    let target: Target = value.parse().map_err(|error: crate::gateway::NoTarget| error.to_string())?;
    match record.phase {
        RecordPhase::Active | RecordPhase::Retained => {}
        RecordPhase::Purging | RecordPhase::Purged => return Err("it is removed, or being removed".into()),
    }
    let Some(now) = &record.routing.placement else {
        return Err("it has no place yet; it gets the one with most room as soon as it can use it".into());
    };
    let slots = &class.routing.gateways;
    let meant: Vec<&GatewaySlot> = slots.iter().filter(|slot| target.means(slot)).collect();
    let slot = match meant.as_slice() {
        [slot] => *slot,
        [] => return Err(format!("class {} has no gateway {target}; it has {}", record.class_name, listed(slots))),
        several => {
            let several = several.iter().copied();
            return Err(format!("{target} is listed under several domains; name one of {}", listed(several)));
        }
    };
    if placement(slot) == *now {
        return Err("it is there already".into());
    }
    if slot.cordoned {
        return Err(format!("{target} takes no new tenants: it is cordoned in class {}", record.class_name));
    }
    Ok(slot)
}

fn listed<'a>(slots: impl IntoIterator<Item = &'a GatewaySlot>) -> String {
    let name = |Placement { namespace, name, domain }: Placement| format!("{namespace}/{name}/{domain}");
    slots.into_iter().map(|slot| name(placement(slot))).collect::<Vec<_>>().join(", ")
}
