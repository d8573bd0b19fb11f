//! A tenant at rest, whole, for `benches/core` to measure decisions with: what watches and looks tell of it.
//!
//! The file is written anew in the way of `states.rs`: `OPENCLAW_WRITE=1 cargo test --lib measured`.

use serde_json::{Value, json};

use super::{
    fixtures::{alice, settings},
    world::World,
};
use crate::{
    tenant::{
        action::Action,
        plan::plan,
        status::{Telling, status},
    },
    testdata::assert_as_told,
};

const FOLDER: &str = "benches/core/tenant";

fn at_rest() -> Value {
    let mut world = World::with_alice();
    world.settle();
    let observed = world.observe();
    let decided = plan(&observed);
    assert_eq!(decided.actions, Vec::<Action>::new(), "at rest nothing is done");
    let telling = Telling {
        name: &alice(),
        generation: 1,
        now: world.now,
        story: &decided.story,
        failures: &[],
        record: observed.record_spec(),
        class: None,
        previous: &serde_json::from_value(json!({})).expect("a status that nobody has written"),
    };
    world.tenant.as_mut().expect("a Tenant")["status"] = json!(status(&telling));
    let lists = world.lists().into_iter().filter(|(_, objects)| !objects.is_empty());
    let lists: Vec<Value> =
        lists.map(|(watched, objects)| json!({ "watched": format!("{watched:?}"), "objects": objects })).collect();
    json!({
        "now": world.now,
        "settings": *settings(),
        "lists": lists,
        "associations": world.cloud.associations,
        "secrets": world.cloud.secrets.values().collect::<Vec<_>>(),
    })
}

#[test]
fn what_is_measured_is_a_tenant_at_rest() {
    assert_as_told(FOLDER, [("at_rest", at_rest())]);
}
