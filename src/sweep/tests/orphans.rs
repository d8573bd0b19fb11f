//! Who stands behind what, and when an orphan is believed.

use super::world::{
    after_minutes, agreeing, census, identity_tags, incarnation, listed, name, record, record_view, stray,
};
use crate::{
    api::{
        labels::tags,
        record::{AdoptionStage, RecordedAdoption},
    },
    aws::types::Association,
    sweep::{
        findings::{Findings, Listing, judge},
        orphans::{Kind, Memory, Orphan, Orphans, Refusal},
    },
    tenant::{census::Census, observed::Definitions},
};

const GHOST: &str = "0123456789";

/// Sweeps at these minutes, each with the same listing.
fn sweeps(census: &Census, listing: &Listing, minutes: &[i64]) -> Vec<Findings> {
    let mut memory = Memory::default();
    let mut all = Vec::new();
    for minute in minutes {
        let (findings, next) = judge(listing, census, memory, after_minutes(*minute));
        memory = next;
        all.push(findings);
    }
    all
}

fn ghosts(number: usize) -> impl Iterator<Item = crate::aws::types::ListedSecret> {
    (0..number).map(|number| stray(number, "ghost", GHOST))
}

fn ghost_secret(since: i64) -> Orphan {
    let secret = stray(0, "ghost", GHOST).secret;
    Orphan {
        kind: Kind::Secret,
        name: secret.name,
        arn: secret.arn.to_string(),
        account: None,
        tags: secret.tags,
        created_at: None,
        since: after_minutes(since),
    }
}

#[test]
fn an_orphan_is_believed_when_it_is_seen_in_two_sweeps_more_than_an_hour_apart() {
    let census = census(&["alice"]);
    let mut listing = agreeing(&census);
    listing.secrets.extend(ghosts(1));
    let all = sweeps(&census, &listing, &[10, 20, 70, 71]);
    let suspected = Orphans { suspected: vec![ghost_secret(10)], ..Orphans::default() };
    let confirmed = Orphans { confirmed: vec![ghost_secret(10)], ..Orphans::default() };
    let told: Vec<&Orphans> = all.iter().map(|findings| &findings.orphans).collect();
    assert_eq!(told, [&suspected, &suspected, &suspected, &confirmed], "an hour exactly is not more than an hour");
}

#[test]
fn one_that_was_not_seen_in_between_begins_anew() {
    let census = census(&["alice"]);
    let agreed = agreeing(&census);
    let mut listing = agreed.clone();
    listing.secrets.extend(ghosts(1));
    let (_, memory) = judge(&listing, &census, Memory::default(), after_minutes(10));
    let (_, memory) = judge(&agreed, &census, memory, after_minutes(20));
    let (findings, _) = judge(&listing, &census, memory, after_minutes(90));
    assert_eq!(findings.orphans, Orphans { suspected: vec![ghost_secret(90)], ..Orphans::default() });
}

/// Tags of an association are not in a listing: it is described once, and judged by the next sweep.
#[test]
fn an_association_at_no_record_s_place_is_described_before_it_is_judged() {
    let census = census(&["alice"]);
    let mut listing = agreeing(&census);
    listing.associations.push(listed("a-ghost", "openclaw-ghost", "workspace-0123456789"));
    let mut addons = listed("a-addon", "kube-system", "ebs-csi");
    addons.is_addons = true;
    listing.associations.push(addons);
    let id: crate::api::names::AssociationId = "a-ghost".parse().expect("id");

    let (findings, mut memory) = judge(&listing, &census, Memory::default(), after_minutes(10));
    assert_eq!(
        (findings.unknown, findings.orphans),
        (vec![id.clone()], Orphans::default()),
        "the add-on's is not asked"
    );
    let described = Association {
        id: id.clone(),
        arn: "arn:ghost".into(),
        namespace: "openclaw-ghost".into(),
        service_account: "workspace-0123456789".into(),
        role_arn: None,
        owner_arn: None,
        tags: identity_tags("ghost", GHOST),
        created_at: Some(after_minutes(-60)),
    };
    memory.described(id, Some(described.clone()));
    let (findings, memory) = judge(&listing, &census, memory, after_minutes(20));
    let orphan = Orphan {
        kind: Kind::Association,
        name: "a-ghost".into(),
        arn: "arn:ghost".into(),
        account: Some(("openclaw-ghost".into(), "workspace-0123456789".into())),
        tags: described.tags,
        created_at: described.created_at,
        since: after_minutes(20),
    };
    assert_eq!((findings.unknown, findings.orphans.suspected), (Vec::new(), vec![orphan]), "and not asked again");
    // Gone from the listing it is forgotten, so that memory follows what exists.
    let (_, memory) = judge(&agreeing(&census), &census, memory, after_minutes(30));
    assert_eq!(memory, Memory::default());
}

/// One by which a former workload lives carries our tags under another ServiceAccount: it is its record's while that names it,
/// and nobody's once the adoption is at its end.
#[test]
fn a_former_association_is_no_orphan_while_its_record_names_it() {
    let id: crate::api::names::AssociationId = "a-former".parse().expect("id");
    let mut census = census(&["alice"]);
    let mut listing = agreeing(&census);
    listing.associations.push(listed("a-former", "openclaw-alice", "alice"));
    let mut adopting = record("alice");
    adopting.adoption = Some(RecordedAdoption {
        stage: AdoptionStage::CutOver,
        former_associations: vec![id.clone()],
        namespace_labels: std::collections::BTreeMap::new(),
    });
    census.records.insert(name("alice"), record_view(adopting));
    let (findings, memory) = judge(&listing, &census, Memory::default(), after_minutes(10));
    assert_eq!((findings.unknown, findings.suspicions, findings.orphans), (vec![], vec![], Orphans::default()));

    census.records.insert(name("alice"), record_view(record("alice")));
    let (findings, mut memory) = judge(&listing, &census, memory, after_minutes(20));
    assert_eq!(findings.unknown, std::slice::from_ref(&id), "left behind, it is looked at");
    let left = Association {
        id: id.clone(),
        arn: "arn:former".into(),
        namespace: "openclaw-alice".into(),
        service_account: "alice".into(),
        role_arn: None,
        owner_arn: None,
        tags: identity_tags("alice", &incarnation("alice")),
        created_at: None,
    };
    memory.described(id, Some(left));
    let (findings, _) = judge(&listing, &census, memory, after_minutes(30));
    let told: Vec<&str> = findings.orphans.suspected.iter().map(|orphan| orphan.name.as_str()).collect();
    assert_eq!(told, ["a-former"]);
}

/// What stands behind a stray secret of tenant alice with this incarnation: found as an orphan, and whose record is to
/// be rebuilt.
fn behind(incarnation: &str, change: impl FnOnce(&mut Census)) -> (usize, usize) {
    let mut census = census(&["alice", "bob"]);
    let mut listing = agreeing(&census);
    listing.secrets.push(stray(0, "alice", incarnation));
    change(&mut census);
    let findings = sweeps(&census, &listing, &[10]).remove(0);
    (findings.orphans.suspected.len(), findings.unrecorded.len())
}

#[test]
fn whose_record_or_namespace_bears_the_incarnation_is_no_orphan() {
    let own = incarnation("alice");
    let (orphan, rebuilt, held) = ((1, 0), (0, 1), (0, 0));
    assert_eq!(behind(&own, |_| {}), held);
    assert_eq!(behind(GHOST, |_| {}), orphan, "an earlier incarnation");
    let without_record = |census: &mut Census| {
        census.records.remove(&name("alice"));
    };
    // Everything of alice is at no record's place then, and all of it asks for the same tenant.
    assert_eq!(behind(&own, without_record), rebuilt, "the namespace bears it");
    let marked_otherwise = |census: &mut Census| {
        census.marks.insert((name("alice"), GHOST.parse().expect("hex")));
    };
    assert_eq!(
        behind(GHOST, marked_otherwise),
        held,
        "record and namespace contradict each other: a person's to judge"
    );
    let tenant_alone = |census: &mut Census| {
        census.records.remove(&name("alice"));
        census.marks.clear();
    };
    assert_eq!(behind(&own, tenant_alone), held, "its record is about to be made");
    let unreadable = |census: &mut Census| {
        let mut view = (*record_view(record("alice"))).clone();
        view.spec = Err("cannot be read".into());
        census.records.insert(name("alice"), view.into());
    };
    assert_eq!(behind(GHOST, unreadable), held, "what cannot be read is not judged");
}

#[test]
fn what_is_another_cluster_s_or_scheduled_for_deletion_is_no_orphan() {
    let census = census(&["alice"]);
    let mut listing = agreeing(&census);
    let mut strays: Vec<_> = ghosts(3).collect();
    strays[0].secret.tags.insert(tags::CLUSTER_UID.into(), "another".into());
    strays[1].secret.tags.remove(tags::MANAGED_BY);
    strays[2].secret.deleted_at = Some(after_minutes(0));
    listing.secrets.extend(strays);
    assert_eq!(sweeps(&census, &listing, &[10])[0].orphans, Orphans::default());
}

fn refusal(number: usize, change: impl FnOnce(&mut Census)) -> Option<Refusal> {
    let mut census = census(&["alice"]);
    let mut listing = agreeing(&census);
    listing.secrets.extend(ghosts(number));
    change(&mut census);
    sweeps(&census, &listing, &[10, 90]).remove(1).orphans.refused
}

#[test]
fn too_many_at_once_or_a_cluster_without_tenants_is_not_believed() {
    let many_records = |census: &mut Census| {
        let more = (0..100).map(|number| (name(&format!("t{number}")), record_view(record("alice"))));
        census.records.extend(more);
    };
    assert_eq!(refusal(5, |_| {}), None);
    assert_eq!(refusal(6, |_| {}), Some(Refusal::TooMany { found: 6, believed: 5 }));
    assert_eq!(refusal(10, many_records), None);
    assert_eq!(refusal(11, many_records), Some(Refusal::TooMany { found: 11, believed: 10 }));
    assert_eq!(refusal(1, |census| census.tenants.clear()), Some(Refusal::NoTenants));
    assert_eq!(refusal(0, |census| census.tenants.clear()), None, "nothing is found: nothing is refused");
    assert_eq!(refusal(1, |census| census.definitions = Definitions::Leaving), Some(Refusal::NoDefinitions));
}
