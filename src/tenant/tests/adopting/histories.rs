//! Anything may happen to an adoption in any order, and anything may fail.

use jiff::SignedDuration;
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::{FORMER, TOKEN, kept, old_platform, old_pod, order};
use crate::{
    api::labels::{self, tags},
    tenant::{
        child::{Child, Kind},
        tests::{
            controllers,
            fixtures::spec_json,
            world::{Fault, World},
        },
    },
};

#[derive(Clone, Debug)]
enum Event {
    ConsentOfNamespace(bool),
    ConsentOfClaim(bool),
    ConsentInAws(bool),
    Order(Option<&'static str>),
    OldPod(bool),
    Delete,
    Make,
    Suspend(bool),
    LoseRecord,
    Restart,
    CloudDown(bool),
    Wait(u8),
    Rounds(u8, Vec<Fault>),
    Controllers,
}

fn event() -> impl Strategy<Value = Event> {
    let fault = || select(vec![Fault::None, Fault::None, Fault::Lost, Fault::Unanswered]);
    let order = select(vec![None, Some("start"), Some("start"), Some("finish"), Some("stop")]);
    prop_oneof![
        1 => any::<bool>().prop_map(Event::ConsentOfNamespace),
        1 => any::<bool>().prop_map(Event::ConsentOfClaim),
        1 => any::<bool>().prop_map(Event::ConsentInAws),
        3 => order.prop_map(Event::Order),
        3 => any::<bool>().prop_map(Event::OldPod),
        1 => Just(Event::Delete),
        2 => Just(Event::Make),
        1 => any::<bool>().prop_map(Event::Suspend),
        1 => Just(Event::LoseRecord),
        1 => Just(Event::Restart),
        1 => any::<bool>().prop_map(Event::CloudDown),
        1 => (1..100u8).prop_map(Event::Wait),
        8 => (1..8u8, proptest::collection::vec(fault(), 1..6)).prop_map(|(n, faults)| Event::Rounds(n, faults)),
        6 => Just(Event::Controllers),
    ]
}

fn set_consent_in_aws(world: &mut World, given: bool) {
    let associations = world.cloud.associations.iter_mut().filter(|one| one.id.as_str() == FORMER);
    let secrets = world.cloud.secrets.iter_mut().filter(|(name, _)| *name == TOKEN);
    for tags in associations.map(|one| &mut one.tags).chain(secrets.map(|(_, one)| &mut one.tags)) {
        if given {
            tags.insert(tags::ADOPT_BY.into(), "alice".into());
        } else {
            tags.remove(tags::ADOPT_BY);
        }
    }
    // A decision made from an older look would only be late.
    world.restart();
}

fn set_consent(world: &mut World, kind: Kind, path: &str, given: bool) {
    let Some(mut object) = world.children.get_mut(&kind).and_then(|all| all.remove(path)) else { return };
    object["metadata"]["annotations"][labels::ADOPT_BY] = if given { json!("alice") } else { Value::Null };
    world.touch(&mut object);
    world.children.entry(kind).or_default().insert(path.into(), object);
    world.restart();
}

fn may_lose_the_record(world: &World) -> bool {
    let Some(namespace) = world.record.as_ref().and_then(|_| world.child(Child::Namespace)) else { return false };
    let record = world.record_spec();
    let mirrored = namespace["metadata"]["annotations"][labels::ADOPTION].as_str();
    mirrored == record.adoption.as_ref().map(|adoption| adoption.stage.as_str())
        && namespace["metadata"]["labels"][labels::MANAGED] == "true"
        && namespace["metadata"]["annotations"][labels::CLAIM].as_str() == record.storage.claim.as_deref()
}

fn happen(world: &mut World, event: &Event) {
    match event {
        Event::ConsentOfNamespace(given) => set_consent(world, Kind::Namespace, "openclaw-alice", *given),
        Event::ConsentOfClaim(given) => {
            set_consent(world, Kind::PersistentVolumeClaim, "openclaw-alice/alice-data", *given);
        }
        Event::ConsentInAws(given) => set_consent_in_aws(world, *given),
        Event::Order(value) if world.tenant.is_some() => order(world, *value),
        Event::OldPod(up) => old_pod(world, *up),
        Event::Delete => world.delete_tenant(),
        Event::Make if world.tenant.is_none() => world.make_tenant(&spec_json()),
        Event::Suspend(suspend) if world.tenant.is_some() => world.suspend(*suspend),
        Event::LoseRecord if may_lose_the_record(world) => world.record = None,
        Event::Restart => world.restart(),
        Event::CloudDown(down) => world.cloud.down = *down,
        Event::Wait(seconds) => world.now += SignedDuration::from_secs(i64::from(*seconds)),
        Event::Rounds(count, faults) => {
            let mut next = faults.iter().copied().cycle();
            for _ in 0..*count {
                world.round_with(&mut |_| next.next().unwrap_or(Fault::None));
                world.now += SignedDuration::from_secs(1);
            }
        }
        Event::Controllers => drop(controllers::run(world)),
        Event::Order(_) | Event::Make | Event::Suspend(_) | Event::LoseRecord => {}
    }
}

/// Whatever people did is put right, and the adoption goes its way to the end.
fn quiet(world: &mut World) {
    world.cloud.down = false;
    old_pod(world, false);
    set_consent(world, Kind::Namespace, "openclaw-alice", true);
    set_consent(world, Kind::PersistentVolumeClaim, "openclaw-alice/alice-data", true);
    set_consent_in_aws(world, true);
    if world.tenant.as_ref().is_some_and(|tenant| tenant["metadata"]["deletionTimestamp"].is_string()) {
        // What it asked for may still be on its way.
        world.settle_late();
    }
    if world.tenant.is_none() {
        world.make_tenant(&spec_json());
    }
    world.suspend(false);
    order(world, None);
    world.settle();
    order(world, Some("start"));
    world.settle();
    order(world, Some("finish"));
    world.settle();
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_to_an_adoption_its_data_is_kept_and_nobody_else_is_touched(
        events in proptest::collection::vec(event(), 1..60),
    ) {
        let mut world = old_platform();
        world.make_tenant(&spec_json());
        let before = kept(&world);
        for event in &events {
            happen(&mut world, event);
            prop_assert_eq!(&kept(&world), &before);
        }
        quiet(&mut world);
        prop_assert_eq!(world.ready(), (true, "Verified".to_owned()));
        prop_assert_eq!(&kept(&world), &before);
        let record = world.record_spec();
        prop_assert_eq!((record.adoption, record.storage.claim.as_deref()), (None, Some("alice-data")));
        prop_assert_eq!(world.cloud.associations.len(), 2, "its own and the bystander");
    }
}
