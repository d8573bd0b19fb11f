//! A listing that agrees causes nothing; any single difference causes exactly that tenant to look at exactly that.

use proptest::prelude::*;

use super::world::{ITEMS, after_minutes, agreeing, census, item, known, listed, name, start};
use crate::{
    sweep::{
        findings::{Finding, Findings, Listing, Suspicion, judge, suspicions},
        orphans::{Memory, Orphans},
    },
    tenant::{
        census::Census,
        looks::Subject,
        observed::{FoundAssociation, Look},
    },
};

/// One thing that a person may have done by hand.
#[derive(Clone, Copy, Debug)]
enum Change {
    AssociationDeleted,
    AssociationReplaced,
    AssociationDoubled,
    SecretDeleted(usize),
    SecretReplaced(usize),
    SecretTagged(usize),
    SecretTagLost(usize),
    SecretVersion(usize),
    SecretScheduled(usize),
}

impl Change {
    fn apply(self, listing: &mut Listing, tenant: &str) {
        let id = format!("a-{tenant}");
        let association_at = || listing.associations.iter().position(|one| one.id.as_str() == id).expect("listed");
        let secret_at = |index: usize| {
            let name = format!("openclaw/{tenant}/{}", ITEMS[index]);
            listing.secrets.iter().position(|one| one.secret.name == name).expect("listed")
        };
        match self {
            Self::AssociationDeleted => drop(listing.associations.remove(association_at())),
            Self::AssociationReplaced => {
                let at = association_at();
                listing.associations[at].id = "a-another".parse().expect("id");
            }
            Self::AssociationDoubled => {
                let one = listing.associations[association_at()].clone();
                listing.associations.push(listed("a-second", &one.namespace, &one.service_account));
            }
            Self::SecretDeleted(index) => drop(listing.secrets.remove(secret_at(index))),
            Self::SecretReplaced(index) => {
                let at = secret_at(index);
                let arn = format!("{}X", listing.secrets[at].secret.arn);
                listing.secrets[at].secret.arn = arn.parse().expect("arn");
            }
            Self::SecretTagged(index) => {
                let at = secret_at(index);
                listing.secrets[at].secret.tags.insert("tenant-namespace".into(), "openclaw-mallory".into());
            }
            Self::SecretTagLost(index) => {
                let at = secret_at(index);
                let tags = &mut listing.secrets[at].secret.tags;
                let first = tags.first().map(|(key, _)| key.clone());
                first.and_then(|key| tags.remove(&key));
            }
            Self::SecretVersion(index) => {
                let at = secret_at(index);
                listing.secrets[at].secret.versions.insert("2".repeat(32).into(), vec!["AWSCURRENT".into()]);
            }
            Self::SecretScheduled(index) => {
                let at = secret_at(index);
                listing.secrets[at].secret.deleted_at = Some(start());
            }
        }
    }

    fn suspicion(self, tenant: &str) -> Suspicion {
        let secret = |index: usize| Subject::Secret(item(ITEMS[index]));
        let (subject, finding) = match self {
            Self::AssociationDeleted => (Subject::Association, Finding::Vanished),
            Self::AssociationReplaced => (Subject::Association, Finding::Replaced),
            Self::AssociationDoubled => (Subject::Association, Finding::Doubled),
            Self::SecretDeleted(index) => (secret(index), Finding::Vanished),
            Self::SecretReplaced(index) => (secret(index), Finding::Replaced),
            Self::SecretTagged(index)
            | Self::SecretTagLost(index)
            | Self::SecretVersion(index)
            | Self::SecretScheduled(index) => (secret(index), Finding::Changed),
        };
        Suspicion { tenant: name(tenant), subject, finding }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let index = 0..ITEMS.len();
    prop_oneof![
        Just(Change::AssociationDeleted),
        Just(Change::AssociationReplaced),
        Just(Change::AssociationDoubled),
        index.clone().prop_map(Change::SecretDeleted),
        index.clone().prop_map(Change::SecretReplaced),
        index.clone().prop_map(Change::SecretTagged),
        index.clone().prop_map(Change::SecretTagLost),
        index.clone().prop_map(Change::SecretVersion),
        index.prop_map(Change::SecretScheduled),
    ]
}

fn found(census: &Census, listing: &Listing) -> Findings {
    judge(listing, census, Memory::default(), listing.began).0
}

#[test]
fn a_listing_that_agrees_finds_nothing() {
    let census = census(&["alice", "bob"]);
    let nothing = Findings {
        suspicions: Vec::new(),
        unrecorded: super::world::nobody(),
        unknown: Vec::new(),
        orphans: Orphans::default(),
    };
    assert_eq!(found(&census, &agreeing(&census)), nothing);
}

proptest! {
    #[test]
    fn any_single_difference_makes_exactly_that_tenant_look_at_exactly_that(
        tenants in 1_usize..5, whose in 0_usize..5, change in change(),
    ) {
        let all = ["alice", "bob", "carol", "dave"];
        let tenants = &all[..tenants.min(all.len())];
        let whose = tenants[whose % tenants.len()];
        let census = census(tenants);
        let mut listing = agreeing(&census);
        prop_assert_eq!(suspicions(&listing, &census), Vec::new());
        change.apply(&mut listing, whose);
        prop_assert_eq!(suspicions(&listing, &census), vec![change.suspicion(whose)]);
    }
}

#[test]
fn what_was_seen_after_the_listing_began_is_known_better() {
    let mut census = census(&["alice"]);
    let mut listing = agreeing(&census);
    Change::AssociationDeleted.apply(&mut listing, "alice");
    Change::SecretTagged(0).apply(&mut listing, "alice");
    assert_eq!(suspicions(&listing, &census).len(), 2);
    let view = known(&mut census, "alice");
    if let Look::At(at, _) = &mut view.association {
        *at = listing.began;
    }
    view.secrets.iter_mut().for_each(|(_, look)| {
        if let Look::At(at, _) = look {
            *at = after_minutes(11);
        }
    });
    assert_eq!(suspicions(&listing, &census), Vec::new());
}

#[test]
fn what_was_not_there_and_is_listed_is_looked_at() {
    let mut census = census(&["alice"]);
    let listing = agreeing(&census);
    let view = known(&mut census, "alice");
    view.association = Look::At(start(), FoundAssociation::None);
    view.secrets.insert(item(ITEMS[0]), Look::At(start(), None));
    let appeared = |subject| Suspicion { tenant: name("alice"), subject, finding: Finding::Appeared };
    let expected = vec![appeared(Subject::Association), appeared(Subject::Secret(item(ITEMS[0])))];
    assert_eq!(suspicions(&listing, &census), expected);
}

#[test]
fn doubles_that_are_known_are_not_found_again_until_they_change() {
    let mut census = census(&["alice"]);
    let mut listing = agreeing(&census);
    Change::AssociationDoubled.apply(&mut listing, "alice");
    let ids = ["a-alice", "a-second"].map(|id| id.parse().expect("id")).to_vec();
    let view = known(&mut census, "alice");
    view.association = Look::At(start(), FoundAssociation::Several(ids));
    assert_eq!(suspicions(&listing, &census), Vec::new());
    listing.associations.pop();
    let one = Suspicion { tenant: name("alice"), subject: Subject::Association, finding: Finding::Replaced };
    assert_eq!(suspicions(&listing, &census), vec![one]);
}

/// What was never seen by a tenant itself is in its own queue already; a name without a Tenant has nobody to look.
#[test]
fn a_tenant_that_has_not_looked_yet_or_is_not_there_is_suspected_of_nothing() {
    let mut census = census(&["alice", "bob"]);
    let mut listing = agreeing(&census);
    listing.associations.clear();
    listing.secrets.clear();
    census.aws.remove(&name("alice"));
    census.tenants.remove(&name("bob"));
    assert_eq!(suspicions(&listing, &census), Vec::new());
}
