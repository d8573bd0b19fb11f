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
        record::{HistoryEvent, Placement, RecordPhase},
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
    let newcomer = newcomer(world);
    world.others = vec![newcomer];
    asked_again(world)
}

/// Somebody who has a Tenant and a record, and no place yet.
fn newcomer(world: &mut World) -> (Option<Value>, Value) {
    let name: TenantName = "bob".parse().expect("a name");
    let tenant = world.born(json!({ "metadata": { "name": name }, "spec": spec_json() }));
    let mut spec = json!(world.record_spec());
    spec["tenantUid"] = tenant["metadata"]["uid"].clone();
    spec["namespace"]["name"] = json!("openclaw-bob");
    spec["phase"] = json!("Active");
    spec["routing"]["placement"] = Value::Null;
    let record = world.born(json!({ "metadata": { "name": name }, "spec": spec }));
    (Some(tenant), record)
}

/// The same, a moment later.
fn asked_again(world: &mut World) -> Option<Placement> {
    world.observe();
    asked(world)
}

/// The same, with nothing new seen.
fn asked(world: &World) -> Option<Placement> {
    world.cache.observe(&"bob".parse().expect("a name"), world.now, draw(1)).place
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
    let newcomer = newcomer(&mut world);
    world.definitions.clear();
    (world.tenant, world.record) = (None, None);
    world.observe();
    world.install();
    world.others = vec![newcomer];
    assert!(asked_again(&mut world).is_some());
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

/// An order to move alice, what the history says of it, and that it is off.
fn moved(world: &mut World, to: &str) -> (HistoryEvent, String) {
    world.order(labels::MOVE_TO, to);
    world.settle();
    assert_eq!(world.record.as_ref().expect("a record")["metadata"]["annotations"], json!({}), "the order is off");
    let entry = world.record_spec().history.last().cloned().expect("a history");
    (entry.event, entry.message)
}

#[track_caller]
fn assert_stays(world: &mut World, to: &str, why: &str) {
    let before = world.record_spec().routing;
    let (event, message) = moved(world, to);
    assert_eq!(event, HistoryEvent::Refused, "{message}");
    assert!(message.contains(why) && message.chars().count() <= 1024, "{message}");
    assert_eq!(world.record_spec().routing, before);
}

/// The hosts that the route and the workspace's configuration name, and the gateway.
fn hosts(world: &World) -> (Value, Value, String) {
    let route = &world.child(Child::Route).expect("a route")["spec"];
    let config = world.child(Child::ConfigMap).expect("configuration")["data"].to_string();
    (route["hostnames"].clone(), route["parentRefs"][0]["name"].clone(), config)
}

#[test]
fn cordoning_a_gateway_moves_nobody() {
    let mut world = placed(&[("first", 1), ("second", 9)]);
    let mut class = class_of_gateways(&[("first", 1), ("second", 9)]);
    class["routing"]["gateways"][0]["cordoned"] = json!(true);
    world.set_class(&class);
    world.settle();
    assert_eq!((world.ready(), place(&world)), ((true, "Verified".into()), "first".into()));
}

/// The workspace answers pages of its own host alone, so its pod is made anew with the route, and at no gate's leave.
#[test]
fn an_order_moves_route_configuration_and_pod_at_once() {
    let mut world = placed(&[("first", 1), ("second", 1)]);
    let mut class = class_of_gateways(&[("first", 1), ("second", 1)]);
    class["rollout"]["maxInFlight"] = json!(1);
    world.set_class(&class);
    world.cache.with_gate(|gate| {
        // The gate is full, and stays so.
        let other: TenantName = "other".parse().expect("a name");
        let rolling = json!({ "counts": "Place", "deadline": "2030-01-01T00:00:00Z" });
        gate.recorded(&other, Some(&serde_json::from_value(rolling).expect("rolling")));
    });
    let pods: Vec<Value> = world.pods.values().map(|pod| pod["metadata"]["uid"].clone()).collect();
    let (event, message) = moved(&mut world, "gateways/second");
    assert_eq!(event, HistoryEvent::Ordered, "{message}");
    assert!(message.contains("its host is alice.second.example.com from now on"), "{message}");
    assert_eq!((world.ready(), place(&world)), ((true, "Verified".into()), "second".into()));
    let (hostnames, gateway, config) = hosts(&world);
    assert_eq!((hostnames, gateway), (json!(["alice.second.example.com"]), json!("second")));
    assert!(config.contains("https://alice.second.example.com") && !config.contains("alice.first."), "{config}");
    let now: Vec<Value> = world.pods.values().map(|pod| pod["metadata"]["uid"].clone()).collect();
    assert!(now.len() == 1 && now != pods, "its pod is made anew: {now:?}");
    assert_eq!(
        place_of_a_newcomer(&mut world).map(|place| place.name),
        Some("first".into()),
        "the former place is free"
    );
}

/// A place that is ordered is held from when it is decided until the record says it.
#[test]
fn nobody_is_given_the_place_to_which_another_is_being_moved() {
    let mut world = placed(&[("first", 1), ("second", 1)]);
    let newcomer = newcomer(&mut world);
    world.others = vec![newcomer];
    world.order(labels::MOVE_TO, "gateways/second");
    let observed = world.observe();
    let decided = crate::tenant::plan::plan(&observed);
    world.cache.stand_at_gate(&observed.name, &decided);
    assert_eq!(asked(&world), None);
    world.settle();
    assert_eq!(place(&world), "second");
}

#[test]
fn a_kept_or_suspended_tenant_is_moved_as_well_and_comes_back_there() {
    let mut world = placed(&[("first", 1), ("second", 1)]);
    world.suspend(true);
    world.settle();
    assert_eq!(moved(&mut world, "gateways/second").0, HistoryEvent::Ordered);
    world.suspend(false);
    world.settle();
    assert_eq!((world.ready(), place(&world)), ((true, "Verified".into()), "second".into()));
    world.delete_tenant();
    world.settle();
    assert_eq!(moved(&mut world, "gateways/first/first.example.com").0, HistoryEvent::Ordered);
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!((world.ready(), place(&world)), ((true, "Verified".into()), "first".into()));
}

#[test]
fn what_cannot_be_moved_says_why_and_stays() {
    let mut world = placed(&[("first", 1), ("second", 1)]);
    assert_stays(&mut world, "second", "use NAMESPACE/NAME");
    assert_stays(
        &mut world,
        "gateways/third",
        "it has gateways/first/first.example.com, gateways/second/second.example.com",
    );
    assert_stays(&mut world, "gateways/first", "it is there already");
    world.others = Vec::new();
    let mut class = class_of_gateways(&[("first", 1), ("second", 1)]);
    class["routing"]["gateways"][1]["cordoned"] = json!(true);
    world.set_class(&class);
    assert_stays(&mut world, "gateways/second", "cordoned");
    world.set_class(&class_of_gateways(&[("first", 1), ("second", 1)]));
    assert_eq!(place_of_a_newcomer(&mut world).map(|place| place.name), Some("second".into()));
    assert_stays(&mut world, "gateways/second", "takes 1 tenants and is full");
    world.class = None;
    assert_stays(&mut world, "gateways/second", "its class is not there");
}

/// Under two domains one Gateway is two places, and the move from one to the other needs no room.
#[test]
fn a_gateway_under_two_domains_is_named_with_its_domain() {
    let mut world = placed(&[("first", 1)]);
    let mut class = class_of_gateways(&[("first", 1), ("first", 1)]);
    class["routing"]["gateways"][1]["domain"] = json!("other.example.com");
    world.set_class(&class);
    assert_stays(
        &mut world,
        "gateways/first",
        "name one of gateways/first/first.example.com, gateways/first/other.example.com",
    );
    assert_eq!(moved(&mut world, "gateways/first/other.example.com").0, HistoryEvent::Ordered);
    assert_eq!(hosts(&world).0, json!(["alice.other.example.com"]));
    let mut longest = class_of_gateways(&[("first", 1)]);
    let slots = longest["routing"]["gateways"].as_array_mut().expect("a list");
    slots.extend(
        (0..15).map(
            |n| json!({ "namespace": "gateways", "name": "g".repeat(253), "domain": format!("d{n}.example.com") }),
        ),
    );
    world.set_class(&longest);
    assert_stays(&mut world, "gateways/none", "it has");
}

/// A lost record has no history, and is where its route was moved to.
#[test]
fn a_record_that_is_lost_after_a_move_stays_where_it_was_moved() {
    let mut world = placed(&[("first", 1), ("second", 1)]);
    moved(&mut world, "gateways/second");
    world.record = None;
    world.settle();
    assert_eq!((world.ready(), place(&world)), ((true, "Verified".into()), "second".into()));
}
