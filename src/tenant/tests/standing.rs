//! How far a tenant has come, by what is known: who was not begun yet waits for others.

use super::{fixtures::alice, world::World};
use crate::tenant::newcomers::Standing;

fn standing(world: &mut World) -> Standing {
    world.observe();
    world.cache.standing(&alice())
}

#[test]
fn a_tenant_is_begun_by_its_record_and_made_by_its_workspace() {
    let mut world = World::new();
    assert_eq!(standing(&mut world), Standing::Made, "nobody wants anything");
    let mut world = World::with_alice();
    assert_eq!(standing(&mut world), Standing::Unbegun);
    world.broken.push("volumes");
    world.settle();
    assert_eq!(standing(&mut world), Standing::Begun, "its claim is not bound, and without it there is no workspace");
    world.broken.clear();
    world.settle();
    assert_eq!(standing(&mut world), Standing::Made);
    world.restart();
    assert_eq!(standing(&mut world), Standing::Made, "whoever leads next begins nobody anew");
}

/// Nothing waits for a removal, and a removal waits for nothing.
#[test]
fn a_tenant_that_goes_is_not_to_be_begun() {
    let mut world = World::with_alice();
    world.broken.push("volumes");
    world.settle();
    world.delete_tenant();
    assert_eq!(standing(&mut world), Standing::Made);
}

/// Its workspace is there, with nothing in it.
#[test]
fn a_tenant_that_is_suspended_from_the_beginning_is_made_too() {
    let mut world = World::with_alice();
    world.suspend(true);
    world.settle();
    assert_eq!(standing(&mut world), Standing::Made);
}
