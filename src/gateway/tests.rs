//! Who gets which place, and that no newcomer ever gets one that is taken.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::select};

use super::*;

fn slot_at(name: &str, domain: &str, capacity: u32) -> GatewaySlot {
    let json = serde_json::json!({
        "namespace": "gateways", "name": name, "domain": domain, "capacity": capacity,
    });
    serde_json::from_value(json).expect("slot")
}

fn slot(name: &str, capacity: u32) -> GatewaySlot {
    slot_at(name, &format!("{name}.example.com"), capacity)
}

fn tenant(number: usize) -> TenantName {
    format!("t{number}").parse().expect("name")
}

fn namespace(number: usize) -> NamespaceName {
    format!("openclaw-t{number}").parse().expect("name")
}

fn gateway(name: &str) -> Gateway {
    Gateway { namespace: "gateways".parse().expect("name"), name: name.to_owned() }
}

/// Who found no place, and should look again.
fn woken(allocator: &mut Allocator) -> Vec<TenantName> {
    allocator.take_woken()
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
    assert_eq!(woken(&mut allocator), none, "a held place that is recorded is the same place");
    allocator.recorded(&tenant(1), None);
    assert_eq!(woken(&mut allocator), [tenant(4), tenant(3)], "first come first");
    assert!(allocator.hold(&tenant(4), &slots).is_some());
    assert_eq!(allocator.hold(&tenant(3), &slots), None);
    assert_eq!(woken(&mut allocator), none);
    allocator.release(&tenant(2));
    assert_eq!(woken(&mut allocator), [tenant(3)]);
    allocator.release(&tenant(4));
    assert_eq!(woken(&mut allocator), none, "nobody waits");
}

#[test]
fn a_cordoned_gateway_takes_nobody_new() {
    let mut cordoned = slot("a", 9);
    cordoned.cordoned = true;
    assert_eq!(Allocator::default().hold(&tenant(1), &[cordoned]), None);
}

/// A record that was lost, or is rewritten without its place, has a target group all the same while its route stands.
#[test]
fn a_standing_route_takes_a_place_whatever_the_record_says_and_the_two_take_one() {
    let slots = [slot("a", 1)];
    let mut allocator = Allocator::default();
    let place = allocator.hold(&tenant(1), &slots);
    allocator.recorded(&tenant(1), place);
    allocator.route_stands(&namespace(1), &tenant(1), Some(gateway("a")));
    allocator.recorded(&tenant(1), None);
    assert_eq!(allocator.hold(&tenant(2), &slots), None, "the route stands");
    assert_eq!(woken(&mut allocator), Vec::new(), "nothing was given back");
    allocator.route_stands(&namespace(1), &tenant(1), None);
    assert_eq!(woken(&mut allocator), [tenant(2)]);
    assert!(allocator.hold(&tenant(2), &slots).is_some(), "the two were one place");
}

/// All records go with their definition: nobody is told of each.
#[test]
fn records_that_go_with_their_definition_give_their_places_back_unless_a_route_stands() {
    let slots = [slot("a", 2)];
    let mut allocator = Allocator::default();
    for number in [1, 2] {
        let place = allocator.hold(&tenant(number), &slots);
        allocator.recorded(&tenant(number), place);
    }
    allocator.route_stands(&namespace(1), &tenant(1), Some(gateway("a")));
    allocator.forget_records();
    assert!(allocator.hold(&tenant(3), &slots).is_some());
    assert_eq!(allocator.hold(&tenant(4), &slots), None);
}

/// A Gateway has one load balancer, whatever domains it serves and whichever classes name it.
#[test]
fn the_places_of_a_gateway_are_counted_over_all_its_domains() {
    let one = [slot_at("a", "one.example.com", 3), slot_at("a", "two.example.com", 3)];
    let mut allocator = Allocator::default();
    let placed = (0..5).filter(|number| allocator.hold(&tenant(*number), &one).is_some()).count();
    assert_eq!(placed, 3);
    // Another class grants the same Gateway more.
    assert!(allocator.hold(&tenant(5), &[slot_at("a", "three.example.com", 4)]).is_some());
    assert_eq!(allocator.hold(&tenant(6), &one), None);
}

#[derive(Clone, Debug)]
enum Event {
    /// A record says this place, or none.
    Recorded(usize, Option<(&'static str, &'static str)>),
    /// A route is seen on a Gateway, or is gone.
    Route(usize, Option<&'static str>),
    /// One without a place asks for one, of so many slots.
    Hold(usize, usize),
    Release(usize),
    ForgetRecords,
}

const GATEWAYS: [&str; 3] = ["a", "b", "c"];

fn event() -> impl Strategy<Value = Event> {
    let place = (select(&GATEWAYS), select(vec!["one.example.com", "two.example.com"]));
    let who = || 0..12usize;
    prop_oneof![
        4 => (who(), proptest::option::of(place)).prop_map(|(who, place)| Event::Recorded(who, place)),
        3 => (who(), proptest::option::of(select(&GATEWAYS))).prop_map(|(who, gateway)| Event::Route(who, gateway)),
        8 => (who(), 1..5usize).prop_map(|(who, slots)| Event::Hold(who, slots)),
        2 => who().prop_map(Event::Release),
        1 => Just(Event::ForgetRecords),
    ]
}

/// What there is, kept as plainly as can be.
#[derive(Default)]
struct Model {
    recorded: HashMap<usize, (String, String)>,
    held: HashMap<usize, Placement>,
    routes: HashMap<usize, String>,
}

impl Model {
    /// Who is on a Gateway, counted from scratch.
    fn on(&self, gateway: &str) -> BTreeSet<usize> {
        let recorded = self.recorded.iter().filter(|(_, (name, _))| name == gateway).map(|(who, _)| *who);
        let held = self.held.iter().filter(|(_, place)| place.name == gateway).map(|(who, _)| *who);
        let routes = self.routes.iter().filter(|(_, name)| *name == gateway).map(|(who, _)| *who);
        recorded.chain(held).chain(routes).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_newcomer_ever_gets_a_place_that_is_taken(
        events in proptest::collection::vec(event(), 1..80),
        capacities in proptest::array::uniform4(1..5u32),
    ) {
        // Two of the slots are one Gateway.
        let slots = [
            slot_at("a", "one.example.com", capacities[0]),
            slot_at("a", "two.example.com", capacities[1]),
            slot_at("b", "one.example.com", capacities[2]),
            slot_at("c", "one.example.com", capacities[3]),
        ];
        let (mut allocator, mut model) = (Allocator::default(), Model::default());
        for event in events {
            match event {
                Event::Recorded(who, place) => {
                    let placement = place.map(|(name, domain)| placement(&slot_at(name, domain, 1)));
                    allocator.recorded(&tenant(who), placement);
                    match place {
                        Some((name, domain)) => {
                            // What is held is let go of where the record says something new.
                            if model.recorded.insert(who, (name.into(), domain.into())) != Some((name.into(), domain.into())) {
                                model.held.remove(&who);
                            }
                        }
                        None => drop(model.recorded.remove(&who)),
                    }
                }
                Event::Route(who, on) => {
                    allocator.route_stands(&namespace(who), &tenant(who), on.map(gateway));
                    match on {
                        Some(on) => drop(model.routes.insert(who, on.to_owned())),
                        None => drop(model.routes.remove(&who)),
                    }
                }
                Event::Hold(who, many) => {
                    let before = model.held.remove(&who);
                    let offered = &slots[..many.min(slots.len())];
                    let place = allocator.hold(&tenant(who), offered);
                    if let Some(place) = &place {
                        model.held.insert(who, place.clone());
                        if before.as_ref() != Some(place) {
                            let slot = offered.iter().find(|slot| placement(slot) == *place).expect("one that was offered");
                            let load = model.on(&place.name).len();
                            prop_assert!(load <= slot.capacity as usize, "{load} on {}, which takes {}", slot.name, slot.capacity);
                        }
                    } else {
                        for slot in offered {
                            let others = model.on(&slot.name).into_iter().filter(|on| *on != who).count();
                            prop_assert!(others >= slot.capacity as usize, "{} had room", slot.name);
                        }
                    }
                }
                Event::Release(who) => {
                    allocator.release(&tenant(who));
                    model.held.remove(&who);
                }
                Event::ForgetRecords => {
                    allocator.forget_records();
                    model.recorded.clear();
                }
            }
            for name in GATEWAYS {
                prop_assert_eq!(allocator.load(&gateway(name)), model.on(name).len(), "{}", name);
            }
        }
    }
}
