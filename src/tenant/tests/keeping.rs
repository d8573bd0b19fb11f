//! What is kept for an owner who may come back is kept, whatever happens to it meanwhile.

use jiff::SignedDuration;
use serde_json::json;

use super::{
    mishaps::settled,
    removal::{DAY, deleted, expired, is_everything_gone, mallory},
    rotating::TOKEN,
    sights::wait_for_sweep,
    world::World,
};
use crate::{
    api::{
        labels::{self, tags},
        record::RecordPhase,
    },
    aws::types::Secret,
    tenant::action::Action,
};

/// Whether nobody reads a secret by its tags.
pub(super) fn is_closed(secret: &Secret) -> bool {
    secret.tags.get(tags::SERVICE_ACCOUNT).is_none_or(|reader| reader == tags::REVOKED)
}

fn token(world: &mut World) -> &mut Secret {
    world.cloud.secrets.get_mut(TOKEN).expect("the token")
}

/// An administrator keeps a tenant whose secrets are scheduled for deletion already, while its namespace hangs.
#[test]
fn what_is_kept_after_its_removal_began_is_kept_with_its_secrets() {
    let mut world = expired();
    world.broken = vec!["namespaces"];
    world.pass(120);
    assert!(token(&mut world).deleted_at.is_some(), "{:#?}", world.done);
    let versions = token(&mut world).versions.clone();
    world.order(labels::KEEP_UNTIL, "2035-01-31T00:00:00Z");
    world.settle();
    assert_eq!(world.phase(), RecordPhase::Retained);
    let kept = token(&mut world).clone();
    assert_eq!((kept.deleted_at, &kept.versions, is_closed(&kept)), (None, &versions, true));
}

#[test]
fn a_secret_that_was_scheduled_before_its_tenant_goes_is_taken_back_before_it_is_said_to_be_kept() {
    for suspended in [false, true] {
        let mut world = settled();
        world.suspend(suspended);
        world.settle();
        let now = world.now;
        token(&mut world).deleted_at = Some(now);
        wait_for_sweep(&mut world);
        world.delete_tenant();
        world.settle_late();
        assert!(world.tenant.is_none());
        let kept = token(&mut world).clone();
        assert_eq!((kept.deleted_at, is_closed(&kept)), (None, true), "suspended: {suspended}");
    }
}

#[test]
fn a_secret_of_a_kept_tenant_that_somebody_schedules_is_taken_back_by_the_next_sweep_whoever_has_the_name() {
    for (another, restarted) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = deleted("Retain");
        if another {
            world.make_tenant(&mallory());
            world.settle();
            assert_eq!(world.ready(), (false, "NameReserved".into()));
        }
        if restarted {
            world.restart();
        }
        let now = world.now;
        token(&mut world).deleted_at = Some(now);
        wait_for_sweep(&mut world);
        world.settle();
        let kept = token(&mut world).clone();
        assert_eq!(
            (kept.deleted_at, is_closed(&kept)),
            (None, true),
            "another's Tenant: {another}, restarted: {restarted}"
        );
        world.done.clear();
        wait_for_sweep(&mut world);
        world.settle();
        assert_eq!(world.done, Vec::<Action>::new(), "at rest");
    }
}

/// A record that was rebuilt without its Tenant knows the class's secrets alone.
#[test]
fn a_persons_secret_that_a_rebuilt_record_does_not_name_is_found_by_the_next_sweep_and_ends_with_the_rest() {
    let mut world = World::with_alice();
    world.edit_tenant(|spec| spec["secrets"] = json!([{ "name": "slack" }]));
    world.settle();
    world.delete_tenant();
    world.settle_late();
    world.record = None;
    world.settle();
    let names = |world: &World| -> Vec<String> {
        world.record_spec().secrets.items.iter().map(|item| item.name.to_string()).collect()
    };
    assert_eq!((world.phase(), names(&world)), (RecordPhase::Retained, vec!["gateway-token".to_owned()]));
    wait_for_sweep(&mut world);
    world.settle();
    assert_eq!(names(&world), ["gateway-token", "slack"]);
    world.now += SignedDuration::from_secs(31 * DAY);
    world.settle();
    world.pass(120);
    assert!(is_everything_gone(&world), "{:#?}", world.cloud.secrets);
    let receipt = world.record_spec().purge.expect("a receipt").receipt;
    assert!(receipt.iter().any(|line| line.name.contains("openclaw/alice/slack")), "{receipt:#?}");
}
