//! Places on gateways: a standing route is a place, and nobody is moved unasked.

use serde_json::{Value, json};

use super::{
    fixtures::{class_json, draw, spec_json},
    mishaps::settled,
    world::World,
};
use crate::{
    api::{
        labels,
        names::TenantName,
        record::{Placement, RecordPhase},
    },
    tenant::{action::Action, child::Child},
};

/// A class of these gateways, each with room for so many.
pub(super) fn class_of_gateways(gateways: &[(&str, u32)]) -> Value {
    let slot = |(name, capacity): &(&str, u32)| {
        json!({
            "namespace": "gateways", "name": name, "domain": format!("{name}.example.com"), "capacity": capacity,
        })
    };
    let mut class = class_json();
    class["routing"]["gateways"] = gateways.iter().map(slot).collect();
    class
}

/// A cluster with alice on the first of these gateways.
pub(super) fn placed(gateways: &[(&str, u32)]) -> World {
    let mut world = World::new();
    let class = class_of_gateways(gateways);
    world.usual_class = class.clone();
    world.set_class(&class);
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert_eq!(place(&world), gateways[0].0);
    world
}

/// The gateway that alice's record names.
pub(super) fn place(world: &World) -> String {
    world.record_spec().routing.placement.map_or_else(|| "none".into(), |place| place.name)
}

/// The place that a newcomer would get now.
pub(super) fn place_of_a_newcomer(world: &mut World) -> Option<Placement> {
    let name: TenantName = "bob".parse().expect("a name");
    let tenant = world.born(json!({ "metadata": { "name": name }, "spec": spec_json() }));
    let mut spec = json!(world.record_spec());
    spec["tenantUid"] = tenant["metadata"]["uid"].clone();
    spec["namespace"]["name"] = json!("openclaw-bob");
    spec["phase"] = json!("Active");
    spec["routing"]["placement"] = Value::Null;
    let record = world.born(json!({ "metadata": { "name": name }, "spec": spec }));
    world.others = vec![(Some(tenant), record)];
    asked_again(world)
}

/// The same, a moment later.
fn asked_again(world: &mut World) -> Option<Placement> {
    let name: TenantName = "bob".parse().expect("a name");
    world.observe();
    world.cache.observe(&name, world.now, draw(1)).place
}

/// The record that is made again for a lost one.
fn rebuilt(world: &mut World) -> Option<Placement> {
    let plan = world.round();
    let [Action::CreateRecord(record)] = plan.actions.as_slice() else { panic!("{plan:#?}") };
    record.routing.placement.clone()
}

/// The rebuilt record says at once where it is: there is no time at which a newcomer is given its place.
#[test]
fn a_record_that_is_made_again_has_the_place_of_its_standing_route() {
    let mut world = placed(&[("first", 1), ("second", 9)]);
    let before = world.record_spec().routing.placement;
    world.record = None;
    assert_eq!(rebuilt(&mut world), before);
    world.settle();
    assert_eq!(world.record_spec().routing.placement, before);
}

/// Also where no Tenant is there yet: it is kept, and its place with it.
#[test]
fn one_that_is_made_again_without_its_tenant_keeps_its_place_too() {
    let mut world = placed(&[("first", 1), ("second", 9)]);
    let before = world.record_spec().routing.placement;
    (world.tenant, world.record) = (None, None);
    assert_eq!(rebuilt(&mut world), before);
    assert_eq!(world.phase(), RecordPhase::Retained);
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!((world.ready(), world.record_spec().routing.placement), ((true, "Verified".into()), before));
}

/// A gateway that left the class, or was cordoned, keeps those that it has, recorded or not.
#[test]
fn a_standing_route_keeps_its_place_though_the_class_offers_it_no_more() {
    let mut world = placed(&[("first", 1), ("second", 9)]);
    let before = world.record_spec().routing.placement;
    world.set_class(&class_of_gateways(&[("second", 9)]));
    world.record = None;
    world.settle();
    assert_eq!((world.ready(), world.record_spec().routing.placement), ((true, "Verified".into()), before));
}

/// The record is rewritten without its place.
fn forget_place(world: &mut World) {
    let mut record = world.record.take().expect("a record");
    record["spec"]["routing"]["placement"] = Value::Null;
    world.touch(&mut record);
    world.record = Some(record);
}

#[test]
fn a_place_whose_record_is_lost_is_not_given_to_a_newcomer_while_the_route_stands() {
    let mut world = placed(&[("first", 1)]);
    assert_eq!(place_of_a_newcomer(&mut world), None, "it is full");
    forget_place(&mut world);
    assert_eq!(asked_again(&mut world), None, "the record says nothing, and the route stands");
    world.record = None;
    assert_eq!(asked_again(&mut world), None, "there is no record, and the route stands");
    world.settle();
    assert_eq!(place(&world), "first", "and it is alice's again");

    world.suspend(true);
    world.settle();
    assert_eq!(place_of_a_newcomer(&mut world), None, "a suspended tenant keeps its place");
    forget_place(&mut world);
    assert!(place_of_a_newcomer(&mut world).is_some(), "neither record nor route takes it");
}

/// With a definition all of its objects go, and no watch need tell of each.
#[test]
fn records_that_go_with_their_definition_leave_no_place_taken_for_ever() {
    let mut world = placed(&[("first", 1)]);
    world.suspend(true);
    world.settle();
    let record = world.record.clone();
    world.definitions.clear();
    (world.tenant, world.record) = (None, None);
    world.observe();
    world.install();
    world.record = record;
    let named = world.record.as_mut().expect("a record");
    named["metadata"]["uid"] = json!("0000000a-aaaa-4bbb-8ccc-ddddeeeeffff");
    named["spec"]["routing"]["placement"] = Value::Null;
    assert!(place_of_a_newcomer(&mut world).is_some());
}

/// A route of somebody's own that bears our label takes no place of a tenant's: it does not lie where a tenant's lies.
#[test]
fn a_route_elsewhere_takes_no_place() {
    let mut world = settled();
    let class = class_of_gateways(&[("first", 1)]);
    world.set_class(&class);
    let route = json!({
        "metadata": {
            "name": "alice", "namespace": "shop",
            "labels": { labels::MANAGED: "true", labels::TENANT: "alice" },
        },
        "spec": { "parentRefs": [{ "namespace": "gateways", "name": "first" }], "hostnames": ["alice.first.example.com"] },
    });
    let route = world.born(route);
    let key = crate::tenant::child::ObjectKey {
        kind: Child::Route.kind(),
        namespace: Some("shop".parse().expect("a name")),
        name: "alice".into(),
    };
    world.put(&key, route);
    assert!(place_of_a_newcomer(&mut world).is_some());
}
