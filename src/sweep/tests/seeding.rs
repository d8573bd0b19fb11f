//! What a restart takes over from a listing: what is exactly as it is recorded, and nothing else.

use std::sync::Arc;

use super::world::{ITEMS, agreeing, census, item, listed, name};
use crate::{
    sweep::{
        findings::Listing,
        seed::{Seed, seeds},
    },
    tenant::observed::{AwsView, FoundAssociation},
};

fn alice(edit: impl FnOnce(&mut Listing)) -> Seed {
    let mut census = census(&["alice"]);
    let mut listing = agreeing(&census);
    edit(&mut listing);
    census.aws.clear();
    seeds(&listing, &census).remove(&name("alice")).expect("a seed")
}

fn known() -> AwsView {
    Arc::unwrap_or_clone(census(&["alice"]).aws.remove(&name("alice")).expect("known"))
}

#[test]
fn what_is_listed_as_recorded_is_taken_over_whole() {
    let view = known();
    let secrets = ITEMS.map(|text| (item(text), view.secrets[&item(text)].seen().cloned().flatten().expect("known")));
    let secrets = secrets.map(|(item, secret)| (item, Arc::unwrap_or_clone(secret)));
    let expected = Seed { association: view.association.seen().cloned(), secrets: secrets.to_vec() };
    assert_eq!(alice(|_| {}), expected);
}

#[test]
fn an_association_that_is_another_or_missing_or_double_is_left_to_the_tenant() {
    assert_eq!(alice(|listing| listing.associations.clear()).association, None);
    assert_eq!(alice(|listing| listing.associations[0].id = "a-2".parse().expect("id")).association, None);
    assert_eq!(alice(|listing| listing.associations[0].is_addons = true).association, None);
    let double = |listing: &mut Listing| {
        let one = listing.associations[0].clone();
        listing.associations.push(listed("a-2", &one.namespace, &one.service_account));
    };
    assert_eq!(alice(double).association, None);
}

#[test]
fn where_none_is_recorded_none_listed_is_as_recorded() {
    let mut census = census(&["alice"]);
    let mut listing = agreeing(&census);
    listing.associations.clear();
    let mut record = super::world::record("alice");
    record.identity.association_id = None;
    census.records.insert(name("alice"), super::world::record_view(record));
    assert_eq!(seeds(&listing, &census)[&name("alice")].association, Some(FoundAssociation::None));
}

/// A listing lags: one that shows another version would roll the pod back.
#[test]
fn a_secret_that_differs_in_owner_version_or_deletion_is_left_to_the_tenant() {
    let edits: [fn(&mut crate::aws::types::Secret); 4] = [
        |secret| drop(secret.tags.insert("openclaw-incarnation".into(), "0000000000".into())),
        |secret| secret.versions.clear(),
        |secret| secret.deleted_at = Some(super::world::start()),
        |secret| secret.arn = format!("{}X", secret.arn).parse().expect("arn"),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        for index in 0..ITEMS.len() {
            let seed = alice(|listing| edit(&mut listing.secrets[index].secret));
            let names: Vec<&str> = seed.secrets.iter().map(|(item, _)| item.as_str()).collect();
            assert_eq!(names, [ITEMS[1 - index]], "edit {number}");
        }
    }
}

#[test]
fn a_name_without_a_tenant_is_not_seeded() {
    let mut census = census(&["alice"]);
    let listing = agreeing(&census);
    census.tenants.clear();
    assert_eq!(seeds(&listing, &census).len(), 0);
}
