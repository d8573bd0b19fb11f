//! How far what is seen in AWS is believed: what stands rests, what is in doubt is looked at, and a listing is no proof.

use jiff::SignedDuration;
use serde_json::json;

use super::{
    fixtures::alice,
    mishaps::settled,
    world::{Fault, World},
};
use crate::{
    api::names::{RoleArn, SecretItemName},
    aws::types::{Association, ListedAssociation, ListedSecret, Tags},
    sweep::{
        findings::{Listing, suspicions},
        seed::seeds,
    },
    tenant::{
        action::{Action, AwsAction},
        looks::Subject,
        observed::{AwsView, FoundAssociation, Look},
        plan::plan,
    },
};

fn token() -> SecretItemName {
    "gateway-token".parse().expect("item")
}

fn aws_actions(world: &mut World) -> Vec<AwsAction> {
    let decided = plan(&world.observe());
    decided
        .actions
        .into_iter()
        .filter_map(|action| if let Action::Aws(action) = action { Some(action) } else { None })
        .collect()
}

fn is_look(action: &AwsAction) -> bool {
    matches!(action, AwsAction::LookUpAssociation { .. } | AwsAction::LookUpSecret { .. })
}

fn view(world: &World) -> AwsView {
    world.cache.with_aws(&alice(), |view| view.clone())
}

#[test]
fn what_stands_is_not_looked_at_again_by_its_tenant() {
    let mut world = settled();
    world.now += SignedDuration::from_hours(24 * 7);
    let decided = plan(&world.observe());
    assert_eq!((decided.actions, decided.look_again), (Vec::new(), None));
}

#[test]
fn what_is_in_doubt_is_looked_at_once_and_nothing_else_is() {
    for subject in [Subject::Association, Subject::Secret(token())] {
        let mut world = settled();
        world.cache.with_aws(&alice(), |view| view.doubt(subject.clone()));
        let actions = aws_actions(&mut world);
        assert_eq!((actions.len(), actions.iter().all(is_look)), (1, true), "{subject}: {actions:?}");
        world.settle();
        assert!(!view(&world).is_doubted(&subject), "{subject}");
        assert!(world.done.iter().all(Action::is_look), "{subject}: what was as before is left as it is");
    }
}

#[test]
fn what_is_in_doubt_and_changed_is_put_right() {
    let mut world = settled();
    world.cloud.associations.clear();
    assert_eq!(aws_actions(&mut world), Vec::new(), "nobody knows yet");
    world.cache.with_aws(&alice(), |view| view.doubt(Subject::Association));
    world.settle();
    assert_eq!(world.cloud.associations.len(), 1);
    assert_eq!(world.ready(), (true, "Verified".into()));
}

/// A restart whose first sweep listed everything as it is recorded.
fn restarted() -> World {
    let mut world = settled();
    restart_and_sweep(&mut world);
    world
}

/// A restart whose first sweep takes over what is listed as it is recorded.
fn restart_and_sweep(world: &mut World) {
    world.restart();
    drop(world.observe());
    let seed = seeds(&listing(world), &world.cache.census()).remove(&alice()).expect("a seed");
    let now = world.now;
    world.cache.with_aws(&alice(), |view| {
        if let Some(found) = seed.association {
            view.saw_association_listed(now, found);
        }
        for (item, secret) in seed.secrets {
            view.saw_secret_listed(&item, now, secret);
        }
    });
}

/// The record says first what the association is about to get: a process that ends in between leaves the other one.
#[test]
fn a_restart_between_recording_another_role_and_giving_it_gives_it() {
    let other = "arn:aws:iam::123456789012:role/another-role";
    let mut world = settled();
    let mut class = world.usual_class.clone();
    class["identity"]["roleArn"] = json!(other);
    world.set_class(&class);
    let is_update = |action: &Action| matches!(action, Action::Aws(AwsAction::UpdateRole { .. }));
    for _ in 0..3 {
        world.round_with(&mut |action| if is_update(action) { Fault::Lost } else { Fault::None });
    }
    let is_other = |role: Option<&RoleArn>| role.is_some_and(|role| role.as_str() == other);
    assert!(is_other(world.record_spec().identity.role_arn.as_ref()), "recorded");
    assert!(!is_other(world.cloud.associations[0].role_arn.as_ref()), "and not given");
    restart_and_sweep(&mut world);
    world.settle();
    assert!(is_other(world.cloud.associations[0].role_arn.as_ref()));
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn what_is_listed_as_recorded_is_enough_to_rest_on() {
    let mut world = restarted();
    assert_eq!(aws_actions(&mut world), Vec::new());
    assert_eq!(world.ready(), (true, "Verified".into()));
}

/// S1: nothing is changed or deleted on the ground of tags that were not seen.
#[test]
fn before_anything_is_done_it_is_looked_at_itself() {
    let mut world = restarted();
    // Somebody took the tags off, which no listing shows.
    world.cloud.associations[0].tags = Tags::new();
    world.suspend(true);
    world.settle();
    assert_eq!(world.cloud.associations.len(), 1, "it is not this tenant's any more, and stays");
    assert_eq!(world.ready(), (true, "Suspended".into()));
    let first = world.done.iter().position(|action| matches!(action, Action::Aws(AwsAction::TagSecret { .. })));
    let looked = world.done.iter().position(|action| matches!(action, Action::Aws(AwsAction::LookUpSecret { .. })));
    assert!(looked.is_some() && looked < first, "the secret was looked at before it was closed");
}

#[test]
fn a_listing_is_no_ground_for_a_complaint_either() {
    let mut world = restarted();
    let wrong = FoundAssociation::Several(Vec::new());
    world.cache.with_aws(&alice(), |view| view.association = Look::At(world.now, wrong));
    let actions = aws_actions(&mut world);
    assert_eq!((actions.len(), actions.iter().all(is_look)), (1, true), "{actions:?}");
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

/// Time passes until the next sweep, and what it contradicts is in doubt.
pub(super) fn wait_for_sweep(world: &mut World) {
    world.now += SignedDuration::from_secs(601);
    // The cache follows the API server meanwhile.
    drop(world.observe());
    for suspicion in suspicions(&listing(world), &world.cache.census()) {
        world.cache.with_aws(&suspicion.tenant, |view| view.doubt(suspicion.subject));
    }
}

/// What a sweep lists now.
fn listing(world: &World) -> Listing {
    let listed = |one: &Association| ListedAssociation {
        id: one.id.clone(),
        arn: one.arn.clone(),
        namespace: one.namespace.clone(),
        service_account: one.service_account.clone(),
        is_addons: one.owner_arn.is_some(),
    };
    let secrets = world.cloud.secrets.values().map(|one| ListedSecret { secret: one.clone(), created_at: None });
    Listing {
        began: world.now,
        associations: world.cloud.associations.iter().map(listed).collect(),
        secrets: secrets.collect(),
    }
}

/// Time passes until the audit has described everything.
pub(super) fn wait_for_audit(world: &mut World) {
    world.now += SignedDuration::from_hours(24);
    let (now, cloud) = (world.now, &world.cloud);
    world.cache.with_aws(&alice(), |view| {
        if let Look::At(_, FoundAssociation::One(known)) = view.association.clone() {
            match cloud.associations.iter().find(|one| one.id == known.id) {
                Some(found) => view.saw_association(now, FoundAssociation::One(found.clone())),
                None => view.doubt(Subject::Association),
            }
        }
        for (item, look) in view.secrets.clone() {
            let Look::At(_, Some(known)) = look else { continue };
            match cloud.secrets.get(&known.name) {
                Some(found) => view.saw_secret(&item, now, Some(found.clone())),
                None => view.doubt(Subject::Secret(item)),
            }
        }
    });
}

/// S1: what stood for long may have become somebody else's since.
#[test]
fn what_was_seen_long_ago_is_looked_at_before_it_is_changed() {
    let mut world = settled();
    world.now += SignedDuration::from_hours(12);
    world.cloud.associations[0].tags = Tags::new();
    world.suspend(true);
    world.settle();
    assert_eq!(world.cloud.associations.len(), 1, "not this tenant's any more");
}
