//! What a removal leaves behind, hangs on, or finds again.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    fixtures::spec_json,
    mishaps::settled,
    removal::{deleted, is_everything_gone, mallory},
    world::World,
};
use crate::{
    api::{
        labels::{self, tags},
        record::{Outcome, ReceiptLine, RecordPhase},
    },
    tenant::child::{Child, Kind},
};

fn edit_volume(world: &mut World, edit: impl FnOnce(&mut Value)) {
    let mut volume = world.volumes.remove("pv-1").expect("the volume");
    edit(&mut volume);
    world.touch(&mut volume);
    world.volumes.insert("pv-1".into(), volume);
}

fn receipt(world: &World, kind: &str) -> ReceiptLine {
    let receipt = world.record_spec().purge.expect("a receipt").receipt;
    receipt.into_iter().find(|line| line.kind == kind).unwrap_or_else(|| panic!("a line about a {kind}"))
}

fn told(world: &mut World) -> (bool, String, String) {
    let status = world.status().expect("told");
    let ready = status.condition("Ready").expect("Ready");
    (ready.status == "True", ready.reason.clone(), ready.message.clone())
}

/// Deletes the Tenant with `Delete`, and waits for the end.
fn remove(world: &mut World) {
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Delete"));
    world.settle();
    world.delete_tenant();
    for _ in 0..4 {
        world.pass(61);
    }
    assert_eq!(world.phase(), RecordPhase::Purged);
}

/// Its driver is gone, or refuses: without a person the removal would never end, and the name stay taken.
#[test]
fn a_volume_that_its_storage_does_not_delete_is_told_with_what_to_do() {
    let mut world = deleted("Delete");
    world.broken = vec!["storage"];
    world.pass(61);
    assert_eq!(told(&mut world).1, "Deleting", "a storage needs some time");
    edit_volume(&mut world, |volume| {
        volume["status"] = json!({ "phase": "Failed", "message": "mount target not found" });
    });
    world.settle();
    let (_, reason, message) = told(&mut world);
    assert_eq!(reason, "DeletionHeld");
    assert!(message.contains("mount target not found") && message.contains("kubectl delete pv pv-1"), "{message}");
    // Nothing is said to have failed; it is only still there.
    edit_volume(&mut world, |volume| volume["status"] = json!({ "phase": "Released" }));
    world.pass(301);
    assert_eq!(told(&mut world).1, "DeletionHeld");
    world.volumes.clear();
    world.settle();
    assert!(world.tenant.is_none());
    assert_eq!(world.phase(), RecordPhase::Purged);
}

#[test]
fn an_owner_who_waits_for_the_end_of_what_hangs_is_told_so() {
    let mut world = deleted("Delete");
    world.broken = vec!["storage"];
    world.pass(61);
    world.tenant = None;
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (false, "NamespaceTerminating".into()));
    world.pass(400);
    let (_, reason, message) = told(&mut world);
    assert!(reason == "DeletionHeld" && message.contains("kubectl delete pv pv-1"), "{reason}: {message}");
}

#[test]
fn a_volume_that_no_provisioner_made_is_left_and_said_to_be() {
    let mut world = settled();
    edit_volume(&mut world, |volume| volume["metadata"]["annotations"] = json!({}));
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Delete"));
    world.settle();
    world.delete_tenant();
    world.pass(61);
    world.pass(61);
    assert_eq!(world.phase(), RecordPhase::Purged);
    let line = receipt(&world, "PersistentVolume");
    assert_eq!(line.outcome, Outcome::Left);
    assert!(line.note.as_ref().is_some_and(|note| note.contains("made by hand")), "{line:?}");
    assert_eq!(world.volumes["pv-1"]["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    // It is nobody else's: the next incarnation gets an empty one.
    world.pass(31 * super::removal::DAY);
    world.cloud.let_go(world.now);
    world.restart();
    world.make_tenant(&mallory());
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    let volume = world.record_spec().storage.volume.expect("a volume");
    assert_eq!(volume.name, "pv-2");
}

/// A claim that was adopted keeps its name for good; its volume is the tenant's all the same.
#[test]
fn the_volume_of_an_adopted_claim_goes_with_the_rest() {
    let mut world = super::adopting::finished();
    assert_eq!(world.record_spec().storage.claim.as_deref(), Some("alice-data"));
    remove(&mut world);
    assert_eq!(receipt(&world, "PersistentVolume").outcome, Outcome::Removed);
}

/// An association that somebody took over stays, and the receipt does not say otherwise.
#[test]
fn what_is_not_its_own_any_more_is_said_to_be_left() {
    let mut world = settled();
    world.cloud.associations[0].tags.remove(tags::INCARNATION);
    world.restart();
    remove(&mut world);
    let line = receipt(&world, "PodIdentityAssociation");
    assert_eq!((line.outcome, world.cloud.associations.len()), (Outcome::Left, 1));
}

/// A secret that somebody had scheduled before, with a shorter window, is gone earlier than the class's window says.
#[test]
fn a_receipt_promises_no_longer_than_aws_does() {
    let mut world = settled();
    let named = world.now + SignedDuration::from_hours(24 * 7);
    world.edit_tenant(|spec| spec["deletionPolicy"] = json!("Delete"));
    world.settle();
    world.delete_tenant();
    world.settle();
    world.cloud.secrets.get_mut(super::rotating::TOKEN).expect("the token").deleted_at = Some(named);
    world.restart();
    world.pass(61);
    world.pass(61);
    assert_eq!(receipt(&world, "Secret").until.map(|until| until.0), Some(named));
}

/// Claim and record are lost while the tenant is kept: its volume says whose it is.
#[test]
fn a_volume_is_found_by_its_marks_where_neither_claim_nor_record_names_it() {
    for retained in [false, true] {
        let mut world = if retained { deleted("Retain") } else { settled() };
        world.children.get_mut(&Kind::PersistentVolumeClaim).expect("claims").clear();
        edit_volume(&mut world, |volume| {
            volume["status"]["phase"] = json!("Released");
            // Whoever did it may have meant it: it is kept all the same.
            volume["spec"]["persistentVolumeReclaimPolicy"] = json!(if retained { "Retain" } else { "Delete" });
        });
        world.broken = vec!["storage"];
        world.pods.clear();
        world.record = None;
        world.restart();
        world.settle();
        if retained {
            assert_eq!(world.record_spec().storage.volume.map(|volume| volume.name).as_deref(), Some("pv-1"));
            world.make_tenant(&spec_json());
            world.settle();
        }
        assert_eq!(world.ready(), (true, "Verified".into()));
        assert_eq!(world.volumes.len(), 1, "no empty one beside it");
        assert_eq!(world.child(Child::Claim).expect("a claim")["spec"]["volumeName"], "pv-1");
    }
}

#[test]
fn several_volumes_with_the_marks_of_one_tenant_need_a_person() {
    let mut world = settled();
    let mut other = world.volumes["pv-1"].clone();
    other["metadata"]["name"] = json!("pv-9");
    other["metadata"]["uid"] = json!("99999999-aaaa-4bbb-8ccc-ddddeeeeffff");
    other["spec"]["csi"]["volumeHandle"] = json!("fs-1::fsap-9");
    world.volumes.insert("pv-9".into(), other);
    world.children.get_mut(&Kind::PersistentVolumeClaim).expect("claims").clear();
    world.record = None;
    world.restart();
    world.settle();
    let (_, reason, message) = told(&mut world);
    assert!(reason == "VolumeMismatch" && message.contains("pv-1, pv-9"), "{reason}: {message}");
    let mut other = world.volumes.remove("pv-9").expect("the other");
    other["metadata"]["labels"].as_object_mut().expect("labels").remove(labels::INCARNATION);
    world.touch(&mut other);
    world.volumes.insert("pv-9".into(), other);
    edit_volume(&mut world, |volume| volume["status"]["phase"] = json!("Released"));
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
}

/// One access point is one place, however its handle is written.
#[test]
fn a_volume_whose_place_somebody_else_uses_under_another_spelling_is_left() {
    let mut world = deleted("Delete");
    let mut other = world.volumes["pv-1"].clone();
    other["metadata"] = json!({ "name": "theirs" });
    other["spec"]["csi"]["volumeHandle"] = json!("fs-1:/:fsap-1");
    other["spec"]["claimRef"] = json!({ "namespace": "theirs", "name": "theirs", "uid": "u" });
    let other = world.born(other);
    world.volumes.insert("theirs".into(), other);
    world.pass(61);
    world.pass(61);
    assert_eq!(world.phase(), RecordPhase::Purged);
    assert_eq!(receipt(&world, "PersistentVolume").outcome, Outcome::Left);
    assert!(!is_everything_gone(&world) && world.volumes.len() == 2);
}
