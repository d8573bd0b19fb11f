//! What an earlier system made becomes a tenant's: by consent, in two phases, with a way back, and never two pods on one volume.

mod histories;
mod steps;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use litemap::LiteMap;
use serde_json::{Value, json};
use smol_str::SmolStr;

use super::{
    controllers,
    fixtures::{ROLE, alice, draw, spec_json},
    world::{UNWATCHED, World},
};
use crate::{
    api::{
        labels::{self, CURRENT_STAGE, tags},
        names::AssociationId,
        record::AdoptionStage,
    },
    aws::types::{Association, Secret, Tags},
    tenant::{
        action::{Action, AwsAction},
        child::{Child, Kind, WhenAccessEnds},
        observed::Look,
    },
};

const TOKEN: &str = "openclaw/alice/gateway-token";
const POD: &str = "openclaw-alice/alice-7d9f4-x2k";
const FORMER: &str = "a-former";
const BYSTANDER: &str = "a-bystander";

fn put(world: &mut World, kind: Kind, name: &str, mut object: Value) -> Value {
    object["metadata"]["name"] = json!(name);
    let path = if kind == Kind::Namespace { name.to_owned() } else { format!("openclaw-alice/{name}") };
    if kind != Kind::Namespace {
        object["metadata"]["namespace"] = json!("openclaw-alice");
        object[UNWATCHED] = json!(true);
    }
    let object = world.born(object);
    world.children.entry(kind).or_default().insert(path, object.clone());
    object
}

fn claim(world: &mut World, name: &str) {
    let annotations = json!({ labels::ADOPT_BY: "alice" });
    let spec = json!({
        "accessModes": ["ReadWriteMany"], "storageClassName": "efs", "volumeMode": "Filesystem",
        "resources": { "requests": { "storage": "20Gi" } }, "volumeName": "pv-old",
    });
    let object = json!({ "metadata": { "annotations": annotations }, "spec": spec, "status": { "phase": "Bound" } });
    let claim = put(world, Kind::PersistentVolumeClaim, name, object);
    let volume = world.born(json!({
        "metadata": { "name": "pv-old", "annotations": { "pv.kubernetes.io/provisioned-by": "efs.csi.aws.com" } },
        "spec": {
            "persistentVolumeReclaimPolicy": "Delete",
            "csi": { "volumeHandle": "fs-1::fsap-old" },
            "claimRef": { "namespace": "openclaw-alice", "name": name, "uid": claim["metadata"]["uid"] },
        },
        "status": { "phase": "Bound" },
    }));
    world.volumes.insert("pv-old".into(), volume);
}

fn association(id: &str, account: &str, tags: &[(&str, &str)]) -> Association {
    Association {
        id: id.parse().expect("id"),
        arn: format!("arn:aws:eks:eu-west-1:123456789012:podidentityassociation/prod/{id}"),
        namespace: "openclaw-alice".into(),
        service_account: account.into(),
        role_arn: Some(ROLE.parse().expect("arn")),
        owner_arn: None,
        tags: tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        created_at: None,
    }
}

fn secret(name: &str, tags: &[(&str, &str)]) -> Secret {
    Secret {
        arn: format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-AbCdEf").parse().expect("arn"),
        name: name.into(),
        kms_key: None,
        deleted_at: None,
        tags: tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        versions: LiteMap::from_iter([("7".repeat(32).into(), vec![CURRENT_STAGE.into()])]),
    }
}

/// A namespace with everything that the old platform makes for a tenant, all of it consenting, and its workload running.
fn old_platform() -> World {
    let mut world = World::new();
    let labels = json!({ "app.kubernetes.io/managed-by": "argocd", "pod-security.kubernetes.io/enforce": "baseline", "team": "blue" });
    let metadata = json!({ "labels": labels, "annotations": { labels::ADOPT_BY: "alice" } });
    put(&mut world, Kind::Namespace, "openclaw-alice", json!({ "metadata": metadata }));
    claim(&mut world, "alice-data");
    let open = json!({ "spec": { "podSelector": {}, "policyTypes": ["Egress"], "egress": [{}] } });
    put(&mut world, Kind::NetworkPolicy, "alice", open);
    let quota = json!({ "spec": { "hard": { "pods": "100", "configmaps": "3" } } });
    put(&mut world, Kind::ResourceQuota, "alice", quota);
    old_pod(&mut world, true);
    let consent = (tags::ADOPT_BY, "alice");
    world.cloud.associations = vec![association(FORMER, "alice", &[consent]), association(BYSTANDER, "cron", &[])];
    let namespace = (tags::NAMESPACE, "openclaw-alice");
    world.cloud.secrets.insert(TOKEN.into(), secret(TOKEN, &[consent, namespace]));
    world.cloud.secrets.insert("openclaw/alice/other".into(), secret("openclaw/alice/other", &[namespace]));
    world
}

fn old_pod(world: &mut World, up: bool) {
    if !up {
        world.pods.remove(POD);
    } else if !world.pods.contains_key(POD) {
        let owner =
            json!([{ "kind": "ReplicaSet", "name": "alice-7d9f4", "uid": "of-the-replica-set", "controller": true }]);
        let pod = world.born(json!({
            "metadata": { "name": "alice-7d9f4-x2k", "namespace": "openclaw-alice", "ownerReferences": owner },
            "spec": { "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": "alice-data" } }] },
        }));
        world.pods.insert(POD.into(), pod);
    }
}

/// The same with its Tenant, attached.
fn attached() -> World {
    let mut world = old_platform();
    world.make_tenant(&spec_json());
    world.settle();
    assert_eq!(world.ready(), (false, "AwaitingCutOver".into()));
    world
}

fn order(world: &mut World, value: Option<&str>) {
    let mut tenant = world.tenant.take().expect("a Tenant");
    tenant["metadata"]["annotations"][labels::CUT_OVER] = value.map_or(Value::Null, |value| json!(value));
    world.touch(&mut tenant);
    world.tenant = Some(tenant);
}

/// The same after its cut-over.
fn moved_over() -> World {
    let mut world = attached();
    order(&mut world, Some("start"));
    old_pod(&mut world, false);
    world.settle();
    assert_eq!(world.ready(), (true, "Verified".into()));
    world
}

/// An adoption that is over.
pub(super) fn finished() -> World {
    let mut world = moved_over();
    order(&mut world, Some("finish"));
    world.settle();
    assert_eq!((world.ready(), world.record_spec().adoption), ((true, "Verified".into()), None));
    world
}

fn for_rounds(world: &mut World, count: usize) {
    for _ in 0..count {
        world.round();
        controllers::run(world);
        world.now += SignedDuration::from_secs(2);
    }
}

fn told(world: &mut World, condition: &str) -> (String, String, String) {
    let status = world.status().expect("a status");
    let found = status.condition(condition).cloned().expect("a condition");
    (found.status, found.reason, found.message)
}

fn ids(world: &World) -> Vec<&str> {
    world.cloud.associations.iter().map(|one| one.id.as_str()).collect()
}

fn association_of<'a>(world: &'a World, id: &str) -> &'a Association {
    world.cloud.associations.iter().find(|one| one.id.as_str() == id).expect("an association")
}

/// What nobody may change while an adoption goes its way: values, volume, and what never consented.
fn kept(world: &World) -> Value {
    let versions: BTreeMap<&String, &LiteMap<SmolStr, Vec<SmolStr>>> =
        world.cloud.secrets.iter().map(|(name, one)| (name, &one.versions)).collect();
    let bystander = world.cloud.associations.iter().find(|one| one.id.as_str() == BYSTANDER).map(|one| &one.tags);
    let other = &world.cloud.secrets["openclaw/alice/other"].tags;
    let volumes: Vec<(&String, &Value)> =
        world.volumes.iter().map(|(name, one)| (name, &one["metadata"]["uid"])).collect();
    json!([versions, bystander, other, volumes])
}

// What is promised of every action, whatever the history (see `promises`).

/// Rule of the first phase: nothing that the former workload lives by is changed.
pub(super) fn what_is_attached_is_left_alone(world: &World, action: &Action) {
    let stage = world.record.as_ref().and_then(|_| world.record_spec().adoption).map(|adoption| adoption.stage);
    if stage != Some(AdoptionStage::Attached) {
        return;
    }
    let may = match action {
        Action::ReplaceRecord { .. }
        | Action::CarryOutOrders { .. }
        | Action::SetFinalizers { .. }
        | Action::Mark { .. }
        | Action::RetainVolume { .. }
        | Action::ReofferVolume { .. }
        | Action::Aws(AwsAction::TagFormer { .. } | AwsAction::TagSecret { .. }) => true,
        other => other.is_look(),
    };
    assert!(may, "attached, and not left alone: {action:?}");
}

/// Only the way in and what may start a workspace is ever deleted, and what a class may do without, but for a cut-over that is taken
/// back: then what holds no data.
pub(super) fn delete(world: &World, child: Child) {
    if child.when_access_ends() == WhenAccessEnds::Removed || child.kind().is_optional() {
        return;
    }
    let record = world.record_spec();
    let stage = record.adoption.map(|adoption| adoption.stage);
    assert_eq!(stage, Some(AdoptionStage::CutOver), "S3: {child:?} is deleted");
    let annotations = &world.tenant.as_ref().expect("a Tenant")["metadata"]["annotations"];
    assert!(annotations[labels::CUT_OVER].is_null(), "nobody takes the cut-over back, and {child:?} is deleted");
    assert!(child != Child::Namespace && child != Child::Claim, "S3: {child:?} holds data");
}

pub(super) fn mark(child: Child) {
    assert!(child == Child::Namespace || child == Child::Claim, "{child:?} is marked");
}

pub(super) fn consents(actual: &Tags) -> bool {
    actual.get(tags::ADOPT_BY).is_some_and(|tenant| tenant == "alice")
}

/// S1 and S6: recorded, consenting and nobody's add-on; identifying tags alone, so that whoever uses it goes on.
pub(super) fn tag_former(world: &World, association: &Association, added: &Tags) {
    let former = world.record_spec().adoption.expect("an adoption").former_associations;
    assert!(former.contains(&association.id), "S6: marked before it is recorded");
    let live = association_of(world, association.id.as_str());
    assert!(consents(&live.tags) && live.owner_arn.is_none(), "S1: without consent");
    is_identifying(added);
}

fn is_identifying(added: &Tags) {
    for key in [tags::NAMESPACE, tags::SERVICE_ACCOUNT, tags::CLUSTER_ARN, tags::BUDGET] {
        assert!(!added.contains_key(key), "attached, and {key} decides who may read");
    }
}

pub(super) fn tag_secret(world: &World, added: &Tags) {
    if world.record_spec().adoption.is_some_and(|adoption| adoption.stage == AdoptionStage::Attached) {
        is_identifying(added);
    }
}

pub(super) fn delete_former(world: &World, id: &AssociationId) {
    let adoption = world.record_spec().adoption.expect("an adoption");
    assert!(adoption.former_associations.contains(id), "S1: {id} is not a former one");
    assert_eq!(adoption.stage, AdoptionStage::CutOver, "the former workload still lives by {id}");
    let tenant = world.tenant.as_ref().expect("a Tenant");
    let finishes = tenant["metadata"]["annotations"][labels::CUT_OVER] == "finish";
    assert!(finishes || tenant["metadata"]["deletionTimestamp"].is_string(), "nobody asked for the end of {id}");
}

/// Never two workloads on one volume by our doing: a pod of others may only have come after the last look.
pub(super) fn nobody_else_mounts(world: &World, why: &Action) {
    if world.record_spec().adoption.is_none() || matches!(why, Action::DeletePod { .. }) {
        return;
    }
    let Look::At(at, _) = world.cache.observe(&alice(), world.now, draw(0)).belongings else {
        panic!("a workload starts, and nobody has looked who mounts the claim")
    };
    assert!(world.now.duration_since(at) < SignedDuration::from_secs(5), "a workload starts on an old look");
    if let Some(pod) = world.pods.get(POD) {
        let came: Timestamp = pod["metadata"]["creationTimestamp"].as_str().expect("a time").parse().expect("a time");
        assert!(came >= at, "a workload starts beside a pod that was seen");
    }
}
