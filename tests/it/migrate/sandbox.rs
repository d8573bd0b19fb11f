//! A former workload that is an agent-sandbox Sandbox, which owns its claim.

use serde_json::{Value, json};

use super::{
    cut_over::{Running, argo, done},
    serve_argo,
};
use crate::support::Bed;

/// What must be the same throughout.
async fn volume(bed: &Bed) -> (Value, Value) {
    let claim = bed.child("PersistentVolumeClaim", &claim_of(bed)).await.expect("the claim");
    let name = claim["spec"]["volumeName"].as_str().expect("bound").to_owned();
    let volume = bed.get("PersistentVolume", None, &name).await.expect("its volume");
    (claim["metadata"]["uid"].clone(), volume["metadata"]["uid"].clone())
}

fn claim_of(bed: &Bed) -> String {
    format!("data-{}", bed.tenant)
}

/// A Sandbox with the claim that it has made and the pod that it keeps, as its controller would.
async fn sandbox(bed: &Bed) -> Value {
    let (namespace, tenant) = (bed.namespace(), &bed.tenant);
    let consent = json!({ "openclaw.io/adopt-by": tenant });
    bed.create("Namespace", None, &namespace, json!({ "metadata": { "annotations": consent } }))
        .await
        .expect("namespace");
    let spec = json!({
        "replicas": 1,
        "podTemplate": { "spec": { "containers": [{ "name": "openclaw", "image": "x:1" }] } },
        "volumeClaimTemplates": [{ "metadata": { "name": "data" } }],
    });
    let made = bed.create("Sandbox", Some(&namespace), tenant, json!({ "spec": spec })).await.expect("Sandbox");
    let owner = json!([{
        "apiVersion": "agents.x-k8s.io/v1alpha1", "kind": "Sandbox", "name": tenant, "uid": made["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true,
    }]);
    let labels = json!({ "agents.x-k8s.io/sandbox-name-hash": "0a1b2c3d" });
    let claim = json!({
        "metadata": { "annotations": consent, "labels": labels, "ownerReferences": owner },
        "spec": {
            "accessModes": ["ReadWriteMany"], "storageClassName": bed.instance.fact("/storageClass"),
            "resources": { "requests": { "storage": "12Gi" } },
        },
    });
    bed.create("PersistentVolumeClaim", Some(&namespace), &claim_of(bed), claim).await.expect("claim");
    bed.until_child("PersistentVolumeClaim", &claim_of(bed), "bound", |one| one["status"]["phase"] == "Bound").await;
    let pod = json!({
        "metadata": { "ownerReferences": owner },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{ "name": "openclaw", "image": "x:1", "volumeMounts": [{ "name": "data", "mountPath": "/data" }] }],
            "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": claim_of(bed) } }],
        },
    });
    bed.create("Pod", Some(&namespace), tenant, pod).await.expect("pod");
    made
}

/// It is brought to zero by its own field, the way back makes it know its claim again, and its end leaves the claim.
#[tokio::test]
async fn a_sandbox_is_moved_over_and_its_end_leaves_the_claim() {
    let bed = &Bed::new("box").await;
    serve_argo(bed).await;
    bed.create("Namespace", None, &argo(bed), json!({})).await.expect("Argo CD's namespace");
    sandbox(bed).await;
    let before = volume(bed).await;
    bed.apply_tenant(json!({})).await.expect("taken");
    bed.stalled("AwaitingCutOver").await;

    let mut run = Running::start(bed, "cut-over", &[]);
    run.until_said("brought to zero, from 1 replicas");
    let live = bed.child("Sandbox", &bed.tenant).await.expect("Sandbox");
    assert_eq!(live["spec"]["replicas"], 0);
    // What its controller does then.
    bed.delete("Pod", Some(&bed.namespace()), &bed.tenant).await;
    let report = run.report();
    assert_eq!(report["done"], true, "{report:#}");
    let claim = bed.child("PersistentVolumeClaim", &claim_of(bed)).await.expect("claim");
    assert_eq!(claim["metadata"]["ownerReferences"], Value::Null);

    done(bed, "back-out", &[]);
    let claim = bed.child("PersistentVolumeClaim", &claim_of(bed)).await.expect("claim");
    assert_eq!(claim["metadata"]["labels"]["agents.x-k8s.io/sandbox-name-hash"], "0a1b2c3d", "{claim:#}");
    let live = bed.child("Sandbox", &bed.tenant).await.expect("Sandbox");
    assert_eq!(live["spec"]["replicas"], 1);

    // Without a pod, nothing has to end.
    done(bed, "cut-over", &[]);
    // Should its controller have taken the claim back, the claim stays all the same.
    let report = done(bed, "finish", &["--yes"]);
    assert!(report["changed"].to_string().contains(&format!("Sandbox {}: deleted", bed.tenant)), "{report:#}");
    let gone = || async { bed.child("Sandbox", &bed.tenant).await.is_none().then_some(()) };
    bed.until_so("the end of the Sandbox", gone).await;
    bed.ready().await;
    assert_eq!(volume(bed).await, before);
}
