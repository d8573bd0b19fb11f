//! What does not come is told in the words of those who should make it, and a quota that is lowered takes nobody's place.

use serde_json::{Value, json};

use crate::support::{Bed, Instance, condition, example_class, merge};

fn says(part: &'static str, reason: &'static str, text: &'static str) -> impl Fn(&Value) -> bool {
    move |tenant| {
        let told = condition(tenant, part);
        told["reason"] == reason && told["message"].as_str().is_some_and(|message| message.contains(text))
    }
}

/// A pod of somebody else that takes a place of the quota, and a share of its CPU.
async fn make_other_pod(bed: &Bed, name: &str, cpu: &str) -> Result<Value, kube::Error> {
    let amount = json!({ "cpu": cpu, "memory": "64Mi" });
    let pod = json!({ "spec": {
        "automountServiceAccountToken": false,
        "securityContext": { "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{
            "name": "other", "image": "registry.k8s.io/pause:3.10",
            "resources": { "requests": amount, "limits": amount },
            "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
        }],
    } });
    bed.create("Pod", Some(&bed.namespace()), name, pod).await
}

/// A storage class whose provisioner nobody runs: Kubernetes' own volume controller says so in an event.
#[tokio::test]
async fn a_claim_that_stays_pending_is_explained_by_its_own_events() {
    let instance = Instance::shared();
    let mut class = example_class(instance);
    let bed = Bed::with_class(instance, "pending", class.clone()).await;
    bed.delete("TenantClass", None, &bed.class).await;
    let storage = json!({
        "provisioner": "nobody.example.com", "reclaimPolicy": "Retain", "volumeBindingMode": "Immediate",
    });
    bed.create("StorageClass", None, &bed.class, storage).await.expect("StorageClass");
    class["storage"]["className"] = json!(bed.class);
    bed.apply_class(class).await.expect("class");
    bed.apply_tenant(json!({})).await.expect("taken");
    bed.until("told that a provisioner is waited for", says("StorageReady", "ClaimPending", "nobody.example.com"))
        .await;
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("the Tenant");
    assert_eq!(condition(&tenant, "Ready")["status"], "False");
}

/// Admission refuses the pod, and only the StatefulSet's events say so.
#[tokio::test]
async fn a_pod_that_the_quota_refuses_is_told_with_the_refusal() {
    let instance = Instance::shared();
    let mut class = example_class(instance);
    merge(&mut class, json!({ "quota": { "pods": 1 } }));
    let bed = Bed::with_class(instance, "no-place", class).await;
    bed.ready_tenant(json!({})).await;
    bed.patch_tenant(json!({ "spec": { "suspend": true } })).await.expect("suspended");
    bed.until("Suspended", |tenant| condition(tenant, "Ready")["reason"] == "Suspended").await;
    let taken = || async { make_other_pod(&bed, "other", "10m").await.ok() };
    bed.until_so("the only place to be free for another pod", taken).await;
    bed.patch_tenant(json!({ "spec": { "suspend": false } })).await.expect("resumed");
    bed.until("told why its pod is not made", says("WorkloadReady", "PodNotReady", "exceeded quota")).await;
    bed.delete("Pod", Some(&bed.namespace()), "other").await;
    bed.ready().await;
}

/// What is used stays given, with the figures; what is not used goes, and the rest as soon as it is not used.
#[tokio::test]
async fn a_quota_below_what_is_used_waits_until_it_is_not() {
    let instance = Instance::shared();
    let mut class = example_class(instance);
    merge(&mut class, json!({ "quota": { "cpu": "6" } }));
    let bed = Bed::with_class(instance, "lowered", class).await;
    bed.ready_tenant(json!({})).await;
    make_other_pod(&bed, "other", "2").await.expect("a pod");
    bed.apply_tenant(json!({ "quota": { "cpu": "3", "pods": 1 } })).await.expect("lowered");
    bed.until("told what is held", says("NamespaceReady", "QuotaBelowUse", "pods stays at 2 where 1 is asked for"))
        .await;
    let tenant = bed.ready().await;
    assert_eq!(condition(&tenant, "NamespaceReady")["status"], "True");
    let quota = bed.child("ResourceQuota", &bed.tenant).await.expect("a quota");
    let (hard, used) = (&quota["spec"]["hard"], &quota["status"]["used"]);
    assert_eq!((&hard["pods"], &hard["limits.cpu"]), (&json!("2"), &used["limits.cpu"]));
    bed.delete("Pod", Some(&bed.namespace()), "other").await;
    let is_lowered = |quota: &Value| quota["spec"]["hard"]["pods"] == "1" && quota["spec"]["hard"]["limits.cpu"] == "3";
    bed.until_child("ResourceQuota", &bed.tenant, "lowered", is_lowered).await;
    bed.until("told of nothing", |tenant| condition(tenant, "NamespaceReady")["reason"] == "Verified").await;
}
