//! `situation()` as a table: Tenant, record, namespace, class and definitions, and what is to be done.

use serde_json::{Value, json};

use super::{
    fixtures::{class_json, spec_json},
    mishaps::settled,
    world::World,
};
use crate::{
    api::labels,
    tenant::{
        child::{Child, Kind},
        ownership::{Situation, situation},
    },
};

fn named(situation: &Situation<'_>) -> String {
    match situation {
        Situation::Nothing => "Nothing".into(),
        Situation::Detach(_) => "Detach".into(),
        Situation::Release(_) => "Release".into(),
        Situation::Refused(_, refusal) => format!("Refused {}", refusal.reason),
        Situation::Rebuild(record) => format!("Rebuild {:?}", record.phase),
        Situation::LookInside(_) => "LookInside".into(),
        Situation::Begin(_) => "Begin".into(),
        Situation::BeginAgain(..) => "BeginAgain".into(),
        Situation::Ending(..) => "Ending".into(),
        Situation::Unattended(..) => "Unattended".into(),
        Situation::Attach(..) => "Attach".into(),
        Situation::Paused(..) => "Paused".into(),
        Situation::Retire(..) => "Retire".into(),
        Situation::Keep(..) => "Keep".into(),
        Situation::Helpless(refusal) => format!("Helpless {}", refusal.reason),
    }
}

/// What is to be done in a settled world after this.
fn after(change: impl FnOnce(&mut World)) -> String {
    let mut world = settled();
    change(&mut world);
    named(&situation(&world.observe()))
}

/// What is to be done for a fresh Tenant in a world after this.
fn fresh(change: impl FnOnce(&mut World)) -> String {
    let mut world = World::with_alice();
    change(&mut world);
    named(&situation(&world.observe()))
}

fn edit_record(world: &mut World, edit: impl FnOnce(&mut Value)) {
    let mut record = world.record.take().expect("a record");
    edit(&mut record["spec"]);
    world.touch(&mut record);
    world.record = Some(record);
}

fn mark_definitions(world: &mut World) {
    let definition = world.definitions.get_mut("tenants.openclaw.io").expect("a definition");
    definition["metadata"]["deletionTimestamp"] = json!(world.now);
}

fn lose_record_and_annotation(world: &mut World, key: &str) {
    world.edit_child(Child::Namespace, |namespace| {
        namespace["metadata"]["annotations"].as_object_mut().expect("annotations").remove(key);
    });
    world.record = None;
}

fn change_class(world: &mut World, edit: impl FnOnce(&mut Value)) {
    let mut class = class_json();
    edit(&mut class);
    world.set_class(&class);
}

#[test]
fn without_definitions_or_a_tenant_nothing_is_done() {
    assert_eq!(after(|world| drop(world.definitions.pop_first())), "Nothing");
    assert_eq!(after(|world| world.tenant = None), "Unattended");
    assert_eq!(after(mark_definitions), "Nothing", "a living Tenant waits for what becomes of its CRD");
}

#[test]
fn a_tenant_that_goes_with_its_crd_is_detached_and_one_that_is_deleted_is_retired() {
    let both = |world: &mut World| {
        mark_definitions(world);
        world.delete_tenant();
    };
    assert_eq!(after(both), "Detach");
    assert_eq!(after(World::delete_tenant), "Retire");
}

#[test]
fn a_leaving_tenant_that_holds_nothing_is_released() {
    let with_finalizer = |world: &mut World| {
        world.tenant.as_mut().expect("Tenant")["metadata"]["finalizers"] = json!([labels::FINALIZER]);
        world.delete_tenant();
    };
    assert_eq!(fresh(with_finalizer), "Release");
    let another = |world: &mut World| {
        world.make_tenant(&json!({ "owner": { "subject": "mallory", "email": "m@example.com" } }));
        world.tenant.as_mut().expect("Tenant")["metadata"]["finalizers"] = json!([labels::FINALIZER]);
        world.delete_tenant();
    };
    assert_eq!(after(another), "Release");
    let foreign_finalizer = |world: &mut World| {
        world.tenant.as_mut().expect("Tenant")["metadata"]["finalizers"] = json!(["example.com/other"]);
        world.delete_tenant();
    };
    assert_eq!(after(foreign_finalizer), "Nothing");
}

#[test]
fn a_lost_record_is_rebuilt_for_its_owner_as_active_and_for_nobody_as_retained() {
    assert_eq!(after(|world| world.record = None), "Rebuild Active");
    assert_eq!(after(|world| (world.tenant, world.record) = (None, None)), "Rebuild Retained");
    let another = |world: &mut World| {
        world.record = None;
        world.make_tenant(&json!({ "owner": { "subject": "mallory", "email": "m@example.com" } }));
    };
    assert_eq!(after(another), "Rebuild Retained");
    let leaving = |world: &mut World| {
        world.record = None;
        world.delete_tenant();
    };
    assert_eq!(after(leaving), "Rebuild Active", "so that its access is ended");
}

#[test]
fn a_record_is_not_rebuilt_from_marks_that_are_not_whole() {
    for key in [labels::TENANT, labels::INCARNATION, labels::OWNER_HASH, labels::SERVICE_ACCOUNT, labels::CLASS] {
        let said = after(|world| lose_record_and_annotation(world, key));
        assert_eq!(said, "Refused RecordDisputed", "without {key}");
    }
    assert_eq!(after(|world| (world.record, world.class) = (None, None)), "Refused ClassNotFound");
    let nobody = |world: &mut World| {
        lose_record_and_annotation(world, labels::OWNER_HASH);
        world.tenant = None;
    };
    assert_eq!(after(nobody), "Helpless RecordDisputed", "and somebody is told");
}

#[test]
fn a_name_begins_once_and_not_in_a_namespace_of_others() {
    assert_eq!(fresh(|_| {}), "Begin");
    let foreign = |labels: Value, world: &mut World| {
        let object = world.born(json!({ "metadata": { "name": "openclaw-alice", "labels": labels } }));
        world.children.entry(Kind::Namespace).or_default().insert("openclaw-alice".into(), object);
    };
    assert_eq!(fresh(|world| foreign(json!({}), world)), "Refused NamespaceTaken");
    let bobs = json!({ labels::MANAGED: "true", labels::TENANT: "bob" });
    assert_eq!(fresh(|world| foreign(bobs, world)), "Refused NamespaceTaken");
    let taken = after(|world| {
        world.edit_child(Child::Namespace, |namespace| {
            namespace["metadata"]["labels"] = json!({});
            namespace["metadata"]["uid"] = json!("another-namespace");
        });
    });
    assert_eq!(taken, "Refused NamespaceTaken");
    let stripped = after(|world| world.edit_child(Child::Namespace, |one| one["metadata"]["labels"] = json!({})));
    assert_eq!(stripped, "Keep", "a stripped namespace is known by its UID");
}

#[test]
fn namespaces_of_the_platform_are_given_to_nobody() {
    for (prefix, reserved) in [("openclaw-", "openclaw-alice"), ("gate-", "gate-alice")] {
        let said = fresh(|world| {
            change_class(world, |class| {
                class["namespacePrefix"] = json!(prefix);
                class["routing"]["gateways"][0]["namespace"] = json!(reserved);
            });
        });
        assert_eq!(said, "Refused NamespaceReserved");
    }
}

#[test]
fn a_tenant_needs_a_class_that_can_be_read_and_fits_its_record() {
    assert_eq!(fresh(|world| world.class = None), "Refused ClassNotFound");
    assert_eq!(fresh(|world| world.set_class(&json!({}))), "Refused ClassInvalid");
    assert_eq!(fresh(|world| world.edit_tenant(|spec| spec["owner"] = json!({}))), "Refused InvalidSpec");
    let changes: [fn(&mut Value); 5] = [
        |class| class["namespacePrefix"] = json!("other-"),
        |class| class["storage"]["className"] = json!("ebs"),
        |class| class["identity"]["mode"] = json!("None"),
        |class| class["secrets"]["mode"] = json!("None"),
        |class| class["routing"]["mode"] = json!("Path"),
    ];
    for change in changes {
        assert_eq!(after(|world| change_class(world, change)), "Refused ClassMismatch");
    }
}

#[test]
fn an_owner_gets_the_record_and_another_does_not() {
    assert_eq!(after(|world| world.make_tenant(&spec_json())), "Attach", "another UID");
    assert_eq!(after(|world| edit_record(world, |record| record["phase"] = json!("Retained"))), "Attach");
    let unclaimed = |record: &mut Value| {
        record["owner"].as_object_mut().expect("owner").remove("subject");
    };
    assert_eq!(after(|world| edit_record(world, unclaimed)), "Attach", "rebuilt, and claimed by its owner");
    let another = |world: &mut World| {
        world.make_tenant(&json!({ "owner": { "subject": "mallory", "email": "alice@example.com" } }));
    };
    assert_eq!(after(another), "Refused NameReserved", "the email proves nothing where a subject is set");
    let purging = |record: &mut Value| record["phase"] = json!("Purging");
    assert_eq!(after(|world| edit_record(world, purging)), "Attach", "nothing that cannot be given back has gone");
    assert_eq!(after(|world| edit_record(world, |record| *record = json!({}))), "Refused RecordInvalid");
}

#[test]
fn otherwise_a_tenant_is_kept_or_paused() {
    assert_eq!(after(|_| {}), "Keep");
    assert_eq!(after(|world| world.annotate_tenant(labels::PAUSED, "true")), "Paused");
    assert_eq!(after(|world| world.annotate_tenant(labels::PAUSED, "yes")), "Keep");
}
