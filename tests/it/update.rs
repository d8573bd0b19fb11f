//! Changes of a Tenant or its class reach every object, and what is dropped goes.

use serde_json::{Value, json};

use crate::support::{Bed, Instance, condition, example_class};

/// A changed quota, variable, address range and budget arrive; taken away again, they go.
#[tokio::test]
async fn changes_reach_the_objects_and_dropped_fields_disappear() {
    let bed = Bed::new("update").await;
    bed.ready_tenant(json!({})).await;
    let name = bed.tenant.as_str();
    let policy = bed.child("NetworkPolicy", name).await.expect("policy")["spec"].clone();
    let set = bed.child("StatefulSet", name).await.expect("set")["spec"].clone();
    bed.ready_tenant(json!({
        "quota": { "cpu": "6" },
        "env": [{ "name": "LOG_LEVEL", "value": "debug" }],
        "egress": { "cidrs": [{ "cidr": "203.0.113.0/24", "ports": [8443] }] },
        "budget": { "monthlyUSD": 7 },
    }))
    .await;
    let quota = bed.child("ResourceQuota", name).await.expect("quota");
    assert_eq!(quota["spec"]["hard"]["limits.cpu"], "6");
    let rules = bed.child("NetworkPolicy", name).await.expect("policy")["spec"]["egress"].to_string();
    assert!(rules.contains("203.0.113.0/24") && rules.contains("8443"), "{rules}");
    let pod = bed.child("Pod", &format!("{name}-0")).await.expect("pod");
    let variables = pod["spec"]["containers"][0]["env"].to_string();
    assert!(variables.contains("LOG_LEVEL"), "the running pod is of the new template: {variables}");

    bed.ready_tenant(json!({})).await;
    assert_eq!(bed.child("NetworkPolicy", name).await.expect("policy")["spec"], policy);
    assert_eq!(bed.child("StatefulSet", name).await.expect("set")["spec"], set);
    assert_eq!(bed.child("ResourceQuota", name).await.expect("quota")["spec"]["hard"]["limits.cpu"], "4");
}

/// A change that is no change of the pod template rolls nothing.
#[tokio::test]
async fn only_a_changed_template_rolls_the_pod() {
    let bed = Bed::new("roll").await;
    bed.ready_tenant(json!({})).await;
    let pod =
        || async { bed.child("Pod", &format!("{}-0", bed.tenant)).await.expect("pod")["metadata"]["uid"].clone() };
    let first = pod().await;
    bed.ready_tenant(json!({ "quota": { "cpu": "5" }, "displayName": "Somebody" })).await;
    assert_eq!(pod().await, first);
    bed.ready_tenant(json!({ "env": [{ "name": "LOG_LEVEL", "value": "info" }] })).await;
    assert_ne!(pod().await, first);
}

/// Another role in the class: the association gets it in place, and the workspace restarts, because a running session keeps
/// the old one.
#[tokio::test]
async fn a_changed_role_reaches_the_association_and_restarts_the_workspace() {
    let bed = Bed::new("role").await;
    let before = bed.ready_tenant(json!({})).await;
    let pod =
        || async { bed.child("Pod", &format!("{}-0", bed.tenant)).await.map(|pod| pod["metadata"]["uid"].clone()) };
    let first = pod().await;
    let mut class = example_class(bed.instance);
    class["identity"]["roleArn"] = json!(bed.instance.make_role(&format!("{}-other", bed.tenant)).await);
    bed.apply_class(class.clone()).await.expect("class");
    let id = before["status"]["identity"]["associationId"].as_str().expect("an id").to_owned();
    let has_role = || async {
        let role = bed.instance.association(&id).await.role_arn;
        (role.as_deref() == class["identity"]["roleArn"].as_str()).then_some(())
    };
    bed.until_so("the other role", has_role).await;
    let is_new = || async { pod().await.filter(|uid| Some(uid) != first.as_ref()) };
    bed.until_so("another pod", is_new).await;
    let after = bed.ready().await;
    assert_eq!(after["status"]["identity"], before["status"]["identity"], "the same association");
}

/// A role that does not exist yet is waited for.
#[tokio::test]
async fn a_role_that_comes_later_is_waited_for() {
    let mut class = example_class(Instance::shared());
    let name = format!("late-{}", std::process::id());
    class["identity"]["roleArn"] = json!(format!("arn:aws:iam::123456789012:role/{name}"));
    let bed = Bed::with_class(Instance::shared(), "late-role", class).await;
    bed.apply_tenant(json!({})).await.expect("applied");
    let is_told = |tenant: &Value| condition(tenant, "IdentityReady")["reason"] == "RoleNotReady";
    let tenant = bed.until("waiting for the role", is_told).await;
    assert_eq!(condition(&tenant, "Stalled"), Value::Null, "a role that was just made is refused for a while");
    bed.instance.make_role(&name).await;
    bed.ready().await;
}

/// A changed class reaches its tenants.
#[tokio::test]
async fn a_changed_class_reaches_its_tenants() {
    let bed = Bed::new("class").await;
    bed.ready_tenant(json!({})).await;
    let mut class = example_class(bed.instance);
    class["disruption"] = json!("Strict");
    class["quota"]["pods"] = json!(7);
    bed.apply("TenantClass", None, &bed.class, json!({ "spec": class })).await.expect("class");
    let is_seven = |quota: &Value| quota["spec"]["hard"]["pods"] == "7";
    bed.until_child("ResourceQuota", &bed.tenant, "of seven pods", is_seven).await;
    let is_strict = |budget: &Value| budget["spec"]["minAvailable"] == 1 && budget["spec"]["maxUnavailable"].is_null();
    bed.until_child("PodDisruptionBudget", &bed.tenant, "strict", is_strict).await;
    bed.ready().await;
}

/// A volume that cannot grow says so, and nothing hangs; where its storage class learns to, it grows.
#[tokio::test]
async fn a_volume_that_cannot_grow_keeps_its_size_and_says_so() {
    let instance = Instance::shared();
    let mut class = example_class(instance);
    let bed = Bed::with_class(instance, "grow", class.clone()).await;
    bed.delete("TenantClass", None, &bed.class).await;
    let model = bed.get("StorageClass", None, instance.fact("/storageClass")).await.expect("the local one");
    let storage = json!({
        "provisioner": model["provisioner"], "reclaimPolicy": "Retain", "volumeBindingMode": "Immediate",
    });
    bed.create("StorageClass", None, &bed.class, storage).await.expect("StorageClass");
    class["storage"]["className"] = json!(bed.class);
    bed.apply_class(class).await.expect("class");
    let size =
        |claim: &Value| claim["spec"]["resources"]["requests"]["storage"].as_str().unwrap_or_default().to_owned();

    bed.ready_tenant(json!({ "storage": { "size": "5Gi" } })).await;
    bed.apply_tenant(json!({ "storage": { "size": "8Gi" } })).await.expect("asked for more");
    let is_told = |tenant: &Value| crate::support::condition(tenant, "StorageReady")["reason"] == "SizeNotEnforced";
    let tenant = bed.until("told that the volume keeps its size", is_told).await;
    assert_eq!(crate::support::condition(&tenant, "StorageReady")["status"], "True");
    bed.ready().await;
    assert_eq!(size(&bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim")), "5Gi");

    let expands = json!({ "allowVolumeExpansion": true });
    bed.patch("StorageClass", None, &bed.class, expands).await.expect("a class that expands");
    bed.until_child("PersistentVolumeClaim", &bed.tenant, "grown", |claim| size(claim) == "8Gi").await;
    let quota = bed.child("ResourceQuota", &bed.tenant).await.expect("quota");
    assert_eq!(quota["spec"]["hard"]["requests.storage"], "8Gi");
    bed.ready().await;
}

/// A paused tenant is left alone, and says what would be changed.
#[tokio::test]
async fn a_paused_tenant_is_left_alone_and_says_what_would_change() {
    let bed = Bed::new("pause").await;
    bed.ready_tenant(json!({})).await;
    let pause = |value: Value| json!({ "metadata": { "annotations": { "openclaw.io/paused": value } } });
    bed.patch_tenant(pause(json!("true"))).await.expect("paused");
    let is_paused = |tenant: &Value| crate::support::condition(tenant, "Ready")["reason"] == "Paused";
    let tenant = bed.until("paused", is_paused).await;
    assert_eq!(crate::support::condition(&tenant, "Ready")["status"], "True", "nothing has drifted");

    let pods = json!({ "spec": { "hard": { "pods": "99" } } });
    bed.breaking_glass()
        .await
        .patch("ResourceQuota", Some(&bed.namespace()), &bed.tenant, pods)
        .await
        .expect("patched");
    let is_told = |tenant: &Value| crate::support::condition(tenant, "Ready")["status"] == "False";
    let tenant = bed.until("told of the drift", is_told).await;
    let message = crate::support::condition(&tenant, "Ready")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("ResourceQuota"), "{message}");
    assert_eq!(bed.child("ResourceQuota", &bed.tenant).await.expect("quota")["spec"]["hard"]["pods"], "99");

    bed.patch_tenant(pause(Value::Null)).await.expect("resumed");
    bed.until_child("ResourceQuota", &bed.tenant, "as it was", |quota| quota["spec"]["hard"]["pods"] == "10").await;
    bed.ready().await;
}
