//! Figures over all tenants are taken where something has changed, and are what is known.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    fixtures::{alice, draws, settings, start},
    mishaps::settled,
};
use crate::{
    api::tenant::Phase,
    telemetry::metrics::Figures,
    tenant::cache::{Cache, Watched},
};

fn tenant(at: usize) -> serde_json::Value {
    let name = format!("tenant-{at}");
    json!({ "metadata": { "name": name, "uid": name, "resourceVersion": "1" }, "spec": {}, "status": { "phase": "Ready" } })
}

#[test]
fn changes_are_told_once_for_any_number_of_them_and_not_at_rest() {
    let cache = Cache::new(settings());
    assert!(!cache.take_changes(), "at rest nothing is counted anew");
    (0..1_000).for_each(|at| drop(cache.upsert(Watched::Tenant, &tenant(at))));
    assert_eq!([cache.take_changes(), cache.take_changes()], [true, false]);
    cache.remove(Watched::Tenant, &tenant(1));
    assert_eq!([cache.take_changes(), cache.take_changes()], [true, false]);
    cache.forget(Watched::Tenant, &tenant(2));
    assert_eq!([cache.take_changes(), cache.take_changes()], [true, false], "a fresh list lacks it");
    cache.observe(&alice(), start(), draws(1));
    assert!(cache.take_changes(), "a look may take a place or give it back");
    let figures = cache.figures(start());
    assert_eq!((figures.phases, figures.reasons), ([(Phase::Ready, 998)].into(), [("NotSeen".to_owned(), 998)].into()));
}

#[test]
fn a_tenant_is_in_the_figures_for_as_long_as_anything_of_it_is_kept() {
    let mut world = settled();
    let status = world.status().expect("a status");
    world.tenant.as_mut().expect("a Tenant")["status"] = json!(status);
    world.observe();
    let figures = world.cache.figures(world.now);
    let ready = Figures {
        phases: [(Phase::Ready, 1)].into(),
        reasons: [("Verified".to_owned(), 1)].into(),
        places: figures.places.clone(),
        ..Figures::default()
    };
    assert_eq!(figures, ready);
    assert_eq!(figures.places.values().map(|(taken, _)| taken).sum::<usize>(), 1);
    world.delete_tenant();
    world.settle();
    let figures = world.cache.figures(world.now);
    assert_eq!((figures.phases, figures.retained, figures.unattended), (BTreeMap::new(), 1, 0));
}
