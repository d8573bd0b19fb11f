//! Kubernetes' own controllers, the storage and the gateway, each as one small step.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::world::{Objects, World};
use crate::{
    api::labels,
    tenant::{
        child::{Child, Kind},
        digest::ContentHash,
        fit::{self, Defaults},
    },
};

/// One controller's step; says whether it moved anything.
type Step = fn(&mut World) -> bool;

/// Everybody takes one step; says whether anything moved.
pub(super) fn run(world: &mut World) -> bool {
    let steps: [(&str, Step); 9] = [
        ("namespaces", end_namespaces),
        ("claims", end_claims),
        ("volumes", bind_claims),
        ("storage", remove_volumes),
        ("quota", count_quota),
        ("pods", move_pods),
        ("routes", answer_routes),
        ("judges", judge),
        ("scaler", scale),
    ];
    let mut moved = false;
    for (name, step) in steps {
        moved |= !world.broken.contains(&name) && step(world);
    }
    moved
}

fn is_deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

fn paths(objects: &Objects) -> Vec<String> {
    objects.keys().cloned().collect()
}

/// What is in a namespace that goes, goes; then the namespace.
fn end_namespaces(world: &mut World) -> bool {
    let going = |objects: &Objects| objects.iter().find(|(_, one)| is_deleting(one)).map(|(path, _)| path.clone());
    let Some(name) = going(&world.children[&Kind::Namespace]) else { return false };
    let inside = format!("{name}/");
    let now = world.now;
    let pods = world.pods.iter_mut().filter(|(path, _)| path.starts_with(&inside));
    pods.for_each(|(_, pod)| pod["metadata"]["deletionTimestamp"] = json!(now));
    for (kind, objects) in &mut world.children {
        if *kind == Kind::PersistentVolumeClaim {
            let claims = objects.iter_mut().filter(|(path, _)| path.starts_with(&inside));
            claims.for_each(|(_, claim)| claim["metadata"]["deletionTimestamp"] = json!(now));
        } else {
            objects.retain(|path, _| !path.starts_with(&inside));
        }
    }
    let has_content = world.pods.keys().chain(world.children[&Kind::PersistentVolumeClaim].keys());
    if !has_content.into_iter().any(|path| path.starts_with(&inside)) {
        world.children.get_mut(&Kind::Namespace).expect("namespaces").remove(&name);
    }
    true
}

/// A claim goes when no pod uses it; its volume goes with it, or is released.
fn end_claims(world: &mut World) -> bool {
    let claims = &world.children[&Kind::PersistentVolumeClaim];
    let going: Vec<String> = paths(claims).into_iter().filter(|path| is_deleting(&claims[path])).collect();
    let mut moved = false;
    for path in going {
        let namespace = path.split('/').next().unwrap_or_default();
        if world.pods.keys().any(|pod| pod.starts_with(&format!("{namespace}/"))) {
            continue;
        }
        let claim =
            world.children.get_mut(&Kind::PersistentVolumeClaim).and_then(|all| all.remove(&path)).expect("a claim");
        let uid = claim["metadata"]["uid"].clone();
        let bound = world.volumes.iter().find(|(_, volume)| volume["spec"]["claimRef"]["uid"] == uid);
        if let Some((name, mut volume)) = bound.map(|(name, volume)| (name.clone(), volume.clone())) {
            if volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain" {
                volume["status"]["phase"] = json!("Released");
                world.touch(&mut volume);
                world.volumes.insert(name, volume);
            } else {
                world.volumes.remove(&name);
            }
        }
        moved = true;
    }
    moved
}

/// A volume that no claim has, and that is not to be kept, goes.
fn remove_volumes(world: &mut World) -> bool {
    let count = world.volumes.len();
    world.volumes.retain(|_, volume| {
        volume["status"]["phase"] != "Released" || volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    });
    world.volumes.len() != count
}

/// A claim gets a new volume, or the one that it names and that is free for it.
fn bind_claims(world: &mut World) -> bool {
    let claims = &world.children[&Kind::PersistentVolumeClaim];
    let unbound = |path: &&String| claims[*path]["status"]["phase"] != "Bound" && !is_deleting(&claims[*path]);
    let Some(path) = paths(claims).iter().find(unbound).cloned() else { return false };
    let mut claim = claims[&path].clone();
    let (namespace, name) = path.split_once('/').expect("a namespaced path");
    let reference = json!({ "namespace": namespace, "name": name, "uid": claim["metadata"]["uid"] });
    let class = world.storage_class.as_ref().map(|class| class["reclaimPolicy"].clone()).unwrap_or_default();
    let reclaim_policy = class.as_str().unwrap_or("Delete");
    let mut volume = match claim["spec"]["volumeName"].as_str() {
        None => world.born(json!({
            "metadata": {
                "name": format!("pv-{}", world.volumes.len() + 1),
                "annotations": { "pv.kubernetes.io/provisioned-by": "efs.csi.aws.com" },
            },
            "spec": {
                "persistentVolumeReclaimPolicy": reclaim_policy,
                "csi": { "volumeHandle": format!("fs-1::fsap-{}", world.volumes.len() + 1) },
            },
        })),
        Some(named) => {
            let free = |volume: &&Value| volume["spec"]["claimRef"]["uid"].is_null();
            let Some(volume) = world.volumes.get(named).filter(free) else { return false };
            volume.clone()
        }
    };
    volume["spec"]["claimRef"] = reference;
    volume["status"] = json!({ "phase": "Bound" });
    claim["spec"]["volumeName"] = volume["metadata"]["name"].clone();
    claim["status"] = json!({ "phase": "Bound" });
    world.touch(&mut volume);
    world.touch(&mut claim);
    world.volumes.insert(volume["metadata"]["name"].as_str().expect("a name").to_owned(), volume);
    world.children.get_mut(&Kind::PersistentVolumeClaim).expect("claims").insert(path, claim);
    true
}

fn count_quota(world: &mut World) -> bool {
    // Another limit has everything counted anew.
    if world.children[&Kind::ResourceQuota].values().any(|quota| quota["status"]["hard"] != quota["spec"]["hard"]) {
        world.miscounted.clear();
    }
    let quotas = &world.children[&Kind::ResourceQuota];
    let used = used(world);
    let status = |quota: &Value| json!({ "hard": quota["spec"]["hard"], "used": used });
    let uncounted = |path: &&String| quotas[*path]["status"] != status(&quotas[*path]);
    let Some(path) = paths(quotas).iter().find(uncounted).cloned() else { return false };
    let mut quota = quotas[&path].clone();
    quota["status"] = status(&quota);
    world.touch(&mut quota);
    world.children.get_mut(&Kind::ResourceQuota).expect("quotas").insert(path, quota);
    true
}

/// What pods and claims of the tenant use, and others in its namespace, and what is counted by mistake.
fn used(world: &World) -> Value {
    let pods = world.pods.values().map(|pod| fit::amounts(&pod["takes"]));
    let claims = world.children[&Kind::PersistentVolumeClaim].values().map(fit::claim);
    let mut used = world.used_by_others.clone();
    for (resource, amount) in pods.chain(claims).chain([world.miscounted.clone()]).flatten() {
        let sum = used.entry(resource).or_default();
        *sum = sum.plus(amount);
    }
    json!(used.iter().collect::<BTreeMap<_, _>>())
}

/// The StatefulSet controller, the Pod Identity webhook and the kubelet.
fn move_pods(world: &mut World) -> bool {
    let count = world.pods.len();
    world.pods.retain(|_, pod| !is_deleting(pod));
    if world.pods.len() != count {
        return true;
    }
    let mut moved = false;
    let never_ready = world.never_ready;
    let unready = |pod: &&mut Value| pod["status"]["conditions"].is_null() && !never_ready(pod);
    for pod in world.pods.values_mut().filter(unready) {
        pod["status"] = json!({ "conditions": [{ "type": "Ready", "status": "True" }], "podIP": "10.0.0.7" });
        moved = true;
    }
    let set = world.children[&Kind::StatefulSet].iter().next().map(|(path, set)| (path.clone(), set.clone()));
    let Some((path_of_set, set)) = set else { return take_orphans(world) || moved };
    let replicas = set["spec"]["replicas"].as_i64().unwrap_or(1);
    let revision = ContentHash::of_value(&set["spec"]["template"]).to_hex();
    let status = json!({
        "observedGeneration": set["metadata"]["generation"],
        "replicas": replicas,
        "updateRevision": revision,
    });
    if set["status"] != status {
        let mut set = set.clone();
        set["status"] = status;
        world.touch(&mut set);
        world.children.entry(Kind::StatefulSet).or_default().insert(path_of_set, set);
        moved = true;
    }
    let namespace = set["metadata"]["namespace"].as_str().expect("a namespace").to_owned();
    let path = format!("{namespace}/alice-0");
    match (replicas, world.pods.contains_key(&path)) {
        (0, true) => take_orphans(world),
        (1, false) => make_pod(world, &set, &revision, path) || moved,
        _ => moved,
    }
}

fn take_orphans(world: &mut World) -> bool {
    let now = world.now;
    let is_own = |pod: &Value| pod["metadata"]["labels"][labels::TENANT] == "alice";
    let own = world.pods.iter_mut().filter(|(path, pod)| path.starts_with("openclaw-alice/") && is_own(pod));
    own.map(|(_, pod)| pod["metadata"]["deletionTimestamp"] = json!(now)).count() > 0
}

fn make_pod(world: &mut World, set: &Value, revision: &str, path: String) -> bool {
    let is_bound = |claim: &Value| claim["status"]["phase"] == "Bound" && !is_deleting(claim);
    if !world.children[&Kind::PersistentVolumeClaim].values().any(is_bound) {
        return false;
    }
    let namespace = set["metadata"]["namespace"].clone();
    let account = &set["spec"]["template"]["spec"]["serviceAccountName"];
    let has_identity =
        world.cloud.associations.iter().any(|one| namespace == *one.namespace && *account == *one.service_account);
    let env = if has_identity && world.injects {
        json!([{ "name": "AWS_CONTAINER_CREDENTIALS_FULL_URI" }])
    } else {
        json!([])
    };
    let config = world.children[&Kind::ConfigMap].get(path.trim_end_matches("-0")).cloned().unwrap_or_default();
    let pod = world.born(json!({
        // What the init container copies at the start, and the pod never looks at again.
        "copied": config["data"],
        // What it takes of the quota, as the quota controller counts it.
        "takes": fit::pod(&fit::containers(&set["spec"]["template"]), &Defaults::default()).amounts,
        "metadata": {
            "name": "alice-0",
            "namespace": namespace,
            "labels": {
                labels::TENANT: "alice",
                "controller-revision-hash": revision,
                // Not of Kubernetes: by it tests say which pods never become ready.
                "template": set["spec"]["template"].to_string(),
            },
            "ownerReferences": [{
                "kind": "StatefulSet", "name": "alice", "uid": set["metadata"]["uid"], "controller": true,
            }],
        },
        "spec": {
            "containers": [{ "name": "gateway", "env": env }],
            "volumes": set["spec"]["template"]["spec"]["volumes"],
        },
    }));
    world.pods.insert(path, pod);
    true
}

/// KEDA and its HTTP add-on find nothing wrong.
fn judge(world: &mut World) -> bool {
    let mut moved = false;
    for kind in [Kind::ScaledObject, Kind::InterceptorRoute] {
        let unjudged = |object: &&Value| object["status"]["conditions"].is_null();
        let Some(mut object) = world.children[&kind].values().find(unjudged).cloned() else { continue };
        object["status"]["conditions"] = json!([{ "type": "Ready", "status": "True" }]);
        world.touch(&mut object);
        let path = format!("{}/alice", object["metadata"]["namespace"].as_str().expect("a namespace"));
        world.children.entry(kind).or_default().insert(path, object);
        moved = true;
    }
    moved
}

/// KEDA wants one pod while somebody uses the workspace, and none otherwise.
fn scale(world: &mut World) -> bool {
    let mut scalers = world.children[&Kind::ScaledObject].values();
    if !scalers.any(|scaler| !is_deleting(scaler)) || world.record.is_none() {
        return false;
    }
    let wanted = i64::from(world.is_used);
    let Some(set) = world.child(Child::StatefulSet) else { return false };
    // The time until it sleeps is longer than that which a pod has to start.
    let age = |pod: &Value| {
        let created = pod["metadata"]["creationTimestamp"].as_str().and_then(|time| time.parse().ok());
        world.now.duration_since(created.unwrap_or(world.now)).as_secs()
    };
    let starts = |pod: &Value| pod["status"]["conditions"].is_null() && age(pod) < 600;
    if set["spec"]["replicas"] == wanted || (wanted == 0 && world.pods.values().any(starts)) {
        return false;
    }
    world.edit_child(Child::StatefulSet, |set| set["spec"]["replicas"] = json!(wanted));
    true
}

fn answer_routes(world: &mut World) -> bool {
    let routes = &world.children[&Kind::HttpRoute];
    let generation = |route: &Value| route["metadata"]["generation"].clone();
    let answered =
        |route: &Value| route["status"]["parents"][0]["conditions"][0]["observedGeneration"] == generation(route);
    let Some(path) = paths(routes).iter().find(|path| !answered(&routes[*path])).cloned() else { return false };
    let mut route = routes[&path].clone();
    let condition =
        |kind: &str| json!({ "type": kind, "status": "True", "observedGeneration": generation(&routes[&path]) });
    route["status"] = json!({ "parents": [{ "conditions": [condition("Accepted"), condition("ResolvedRefs")] }] });
    world.touch(&mut route);
    world.children.get_mut(&Kind::HttpRoute).expect("routes").insert(path, route);
    true
}
