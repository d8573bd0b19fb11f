//! Answers to our own requests that come later than the watch's news of what happened after them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    fixtures::{alice, draw, settings, start},
    world::World,
};
use crate::{
    api::{
        labels::{INCARNATION, MANAGED, TENANT},
        names::Incarnation,
    },
    tenant::{
        cache::{Cache, Concerns, DEFINITIONS, Overtaken, Watched},
        child::{Kind, ObjectKey},
        observed::Definitions,
    },
};

/// One kind of each sort: the operator's own, cluster-scoped, watched by label.
const KINDS: [Watched; 6] = [
    Watched::Tenant,
    Watched::Record,
    Watched::Volume,
    Watched::Definition,
    Watched::Child(Kind::Namespace),
    Watched::Child(Kind::NetworkPolicy),
];

fn object(watched: Watched, uid: &str, version: &str) -> Value {
    let name = if watched == Watched::Definition { "tenants.openclaw.io" } else { "alice" };
    let mut metadata = json!({ "name": name, "uid": uid, "resourceVersion": version });
    if watched == Watched::Child(Kind::NetworkPolicy) {
        metadata["namespace"] = json!("openclaw-alice");
    }
    json!({ "metadata": metadata, "spec": {} })
}

/// UIDs of what is known of a kind.
fn known(cache: &Cache, watched: Watched) -> Vec<String> {
    let identities = cache.identities(watched).into_iter();
    identities.map(|identity| identity["metadata"]["uid"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What a request is about that finds nothing.
fn identity(watched: Watched, uid: &str) -> Value {
    let mut identity = object(watched, uid, "")["metadata"].clone();
    identity.as_object_mut().expect("metadata").remove("resourceVersion");
    identity
}

/// Right after a definition has got a field, its watch may tell of a state without it; the answer has it, at the same version.
#[test]
fn an_answer_is_taken_up_though_a_watch_has_told_of_its_version() {
    let cache = Cache::new(settings());
    let sent = cache.sends(Watched::Tenant);
    let pruned = object(Watched::Tenant, "one", "5");
    let mut whole = pruned.clone();
    whole["metadata"]["finalizers"] = json!(["openclaw.io/tenant-operator"]);
    cache.upsert(Watched::Tenant, &pruned);
    assert_eq!(cache.take_up(sent, &whole), Ok(()));
    let finalizers =
        |cache: &Cache| cache.observe(&alice(), start(), draw(1)).tenant.expect("a Tenant").finalizers.len();
    assert_eq!(finalizers(&cache), 1);
    assert_eq!(cache.upsert(Watched::Tenant, &pruned), Concerns::Tenants(vec![alice()]), "it looks again");
}

/// Deleted, and made anew, while a request of ours was under way: the watch had told of both before its answer came. Taken up, that
/// answer would hide what is there for good, because the watch tells everything once.
#[test]
fn an_answer_that_comes_late_brings_nothing_back() {
    for watched in KINDS {
        let cache = Cache::new(settings());
        let sent = cache.sends(watched);
        cache.upsert(watched, &object(watched, "old", "5"));
        assert_eq!(cache.take_up(sent, &object(watched, "old", "6")), Ok(()));
        assert_eq!(known(&cache, watched), ["old"], "{watched:?}: in time");
        cache.remove(watched, &object(watched, "old", "8"));
        assert_eq!(cache.take_up(sent, &object(watched, "old", "7")), Ok(()));
        assert_eq!(known(&cache, watched), [""; 0], "{watched:?}");
        cache.upsert(watched, &object(watched, "new", "9"));
        assert_eq!(cache.take_up(sent, &object(watched, "old", "7")), Ok(()));
        assert_eq!(known(&cache, watched), ["new"], "{watched:?}");
        cache.remove(watched, &object(watched, "old", "8"));
        assert_eq!(known(&cache, watched), ["new"], "{watched:?}: the end of another one");
    }
}

/// While a watch is interrupted it misses what happens, and its fresh list shows neither what has gone nor that it has.
#[test]
fn an_answer_from_before_a_fresh_list_is_not_taken_up() {
    for watched in KINDS {
        let cache = Cache::new(settings());
        cache.upsert(watched, &object(watched, "old", "5"));
        let sent = cache.sends(watched);
        cache.begin_list(watched, "");
        cache.list(watched, &object(watched, "new", "9"));
        assert_eq!(
            cache.take_up(cache.sends(watched), &object(watched, "new", "8")),
            Err(Overtaken(watched)),
            "{watched:?}"
        );
        cache.end_list(watched, "");
        let late = cache.take_up(sent, &object(watched, "old", "7"));
        assert_eq!(late, Err(Overtaken(watched)));
        assert_eq!(known(&cache, watched), ["new"], "{watched:?}");
        let absence = cache.take_up_absence(sent, &identity(watched, "new"));
        assert_eq!(absence, Err(Overtaken(watched)));
        assert_eq!(known(&cache, watched), ["new"], "{watched:?}");
        assert_eq!(
            cache.take_up(cache.sends(watched), &object(watched, "new", "10")),
            Ok(()),
            "{watched:?}: sent since"
        );
    }
}

/// For a watch by label, what loses the label is gone. A look finds it, at the version at which it left or a later one.
#[test]
fn what_only_lost_its_label_is_found_by_a_look() {
    let watched = Watched::Child(Kind::NetworkPolicy);
    let cache = Cache::new(settings());
    cache.upsert(watched, &object(watched, "one", "5"));
    cache.remove(watched, &object(watched, "one", "7"));
    let sent = cache.sends(watched);
    assert_eq!(cache.take_up(sent, &object(watched, "one", "6")), Ok(()));
    assert_eq!(known(&cache, watched), [""; 0], "an older state is no proof");
    assert_eq!(cache.take_up(sent, &object(watched, "one", "7")), Ok(()));
    assert_eq!(known(&cache, watched), ["one"]);
}

/// Somebody puts an older backup back: what had gone is there again, with its old UID.
#[test]
fn what_a_fresh_list_shows_is_there_although_it_had_gone() {
    for watched in KINDS {
        let cache = Cache::new(settings());
        cache.upsert(watched, &object(watched, "one", "5"));
        let sent = cache.sends(watched);
        assert_eq!(cache.take_up_absence(sent, &identity(watched, "one")), Ok(()));
        cache.upsert(watched, &object(watched, "one", "6"));
        assert_eq!(known(&cache, watched), [""; 0], "{watched:?}: the server has said that it is not there");
        cache.begin_list(watched, "");
        cache.list(watched, &object(watched, "one", "4"));
        cache.end_list(watched, "");
        assert_eq!(known(&cache, watched), ["one"], "{watched:?}");
    }
}

/// A definition that is being deleted is not believed to stand because an older look says so.
#[test]
fn an_older_look_at_a_definition_does_not_hide_that_it_is_being_deleted() {
    let cache = Cache::new(settings());
    let mut leaving = object(Watched::Definition, "one", "7");
    leaving["metadata"]["deletionTimestamp"] = json!(start().to_string());
    let sent = cache.sends(Watched::Definition);
    cache.upsert(Watched::Definition, &leaving);
    assert_eq!(cache.take_up(sent, &object(Watched::Definition, "one", "6")), Ok(()));
    assert_eq!(cache.definitions(), Definitions::Leaving);
}

/// A standby lives through the restoration of a backup: what a fresh list shows is so, though a later state of it is known.
#[test]
fn what_a_fresh_list_shows_replaces_a_later_state() {
    let cache = Cache::new(settings());
    let mut going = object(Watched::Definition, "one", "9");
    going["metadata"]["deletionTimestamp"] = json!(start().to_string());
    for name in DEFINITIONS {
        going["metadata"]["name"] = json!(name);
        cache.upsert(Watched::Definition, &going);
    }
    assert_eq!(cache.definitions(), Definitions::Leaving);
    for name in DEFINITIONS {
        let mut stands = object(Watched::Definition, "one", "7");
        stands["metadata"]["name"] = json!(name);
        cache.begin_list(Watched::Definition, name);
        cache.list(Watched::Definition, &stands);
        cache.end_list(Watched::Definition, name);
    }
    assert_eq!((cache.definitions(), cache.latest(Watched::Definition)), (Definitions::Stand, Some(9)));
}

/// Volumes are found by the labels that they carry now, whatever they carried before.
#[test]
fn a_volume_is_found_by_its_present_marks_as_long_as_it_is_there() {
    let mut world = World::with_alice();
    world.settle();
    let mut spec = world.record_spec();
    spec.storage.volume = None;
    let cache = Cache::new(settings());
    let metadata = json!({ "name": "alice", "uid": "record", "resourceVersion": "1" });
    cache.upsert(Watched::Record, &json!({ "metadata": metadata, "spec": spec }));
    let volume = |name: &str, version: &str, tenant: Value, incarnation: &Incarnation| {
        let labels = json!({ MANAGED: "true", TENANT: tenant, INCARNATION: incarnation });
        json!({ "metadata": { "name": name, "uid": name, "resourceVersion": version, "labels": labels } })
    };
    let found = || -> Vec<String> {
        let observed = cache.observe(&alice(), start(), draw(1));
        observed.found_volumes.iter().map(|volume| volume.name.clone()).collect()
    };
    let (its, another) = (&spec.incarnation, &"0123456789".parse().expect("an incarnation"));
    cache.upsert(Watched::Volume, &volume("b", "2", json!("alice"), its));
    cache.upsert(Watched::Volume, &volume("a", "3", json!("alice"), its));
    cache.upsert(Watched::Volume, &volume("c", "4", json!("alice"), another));
    cache.upsert(Watched::Volume, &volume("d", "5", json!("bob"), its));
    assert_eq!(found(), ["a", "b"], "in one order, of this incarnation alone");
    cache.upsert(Watched::Volume, &volume("a", "6", Value::Null, its));
    cache.upsert(Watched::Volume, &volume("d", "7", json!("alice"), its));
    assert_eq!(found(), ["b", "d"], "marks have gone from one to another");
    cache.remove(Watched::Volume, &volume("b", "8", json!("alice"), its));
    cache.forget(Watched::Volume, &volume("d", "7", json!("alice"), its));
    assert_eq!(found(), [""; 0], "both are gone");
}

/// Of what every API server reads by one schema the same version is the same object, and is not read again; what comes with a definition,
/// in a list or as an answer, is.
#[test]
fn an_echo_of_what_every_cluster_has_is_passed_over() {
    let changed = |watched: Watched, how: fn(&Cache, Watched, &Value)| {
        let cache = Cache::new(settings());
        let labels = json!({ MANAGED: "true", TENANT: "alice" });
        let mut one = object(watched, "one", "5");
        one["metadata"]["namespace"] = json!("openclaw-alice");
        one["metadata"]["labels"] = labels;
        cache.upsert(watched, &one);
        one["spec"] = json!({ "hostnames": ["another.example.com"], "podSelector": {}, "ingress": [{}] });
        let before = cache.digests();
        how(&cache, watched, &one);
        cache.digests() != before
    };
    let told = |cache: &Cache, watched: Watched, object: &Value| drop(cache.upsert(watched, object));
    let listed = |cache: &Cache, watched: Watched, object: &Value| drop(cache.list(watched, object));
    let answered = |cache: &Cache, watched: Watched, object: &Value| {
        cache.take_up(cache.sends(watched), object).expect("in time");
    };
    let (policy, route) = (Watched::Child(Kind::NetworkPolicy), Watched::Child(Kind::HttpRoute));
    assert_eq!([changed(policy, told), changed(policy, listed), changed(policy, answered)], [false, true, true]);
    assert_eq!([changed(route, told), changed(route, listed), changed(route, answered)], [true, true, true]);
}

/// A process meets what it is about to make, and thousands of tenants have a dozen objects each.
#[test]
fn an_object_that_was_met_before_it_was_there_has_one_key() {
    let cache = Cache::new(settings());
    let namespace = object(Watched::Child(Kind::Namespace), "one", "1");
    let key = ObjectKey { kind: Kind::Namespace, namespace: None, name: "alice".into() };
    assert!(cache.meet(&key));
    cache.upsert(Watched::Child(Kind::Namespace), &namespace);
    assert!(!cache.meet(&key));
    let known = cache.digests();
    let (key, _) = known.get_key_value(&key).expect("it is there");
    assert_eq!(Arc::strong_count(key), 3, "of what is there, of what was met, and here");
}
