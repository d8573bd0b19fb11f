//! What somebody changes by hand is brought back at once, and only that. For most of it one has to break glass first: see
//! tenant_objects.rs.

use std::time::Instant;

use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{Bed, condition};

/// An added `egress: [{}]` holds everything that is wanted, and opens everything.
#[tokio::test]
async fn an_added_egress_rule_is_taken_away() {
    let bed = Bed::new("egress").await;
    bed.ready_tenant(json!({})).await;
    let wanted = bed.child("NetworkPolicy", &bed.tenant).await.expect("policy")["spec"].clone();
    let mut opened = wanted["egress"].as_array().expect("rules").clone();
    opened.push(json!({}));
    let patch = json!({ "spec": { "egress": opened } });
    let glass = bed.breaking_glass().await;
    glass.patch("NetworkPolicy", Some(&bed.namespace()), &bed.tenant, patch).await.expect("patched");
    bed.until_child("NetworkPolicy", &bed.tenant, "as it was", |policy| policy["spec"] == wanted).await;
}

/// Every kind: changed by hand and brought back; the time is printed.
#[tokio::test]
async fn a_change_of_any_kind_is_brought_back() {
    let bed = Bed::new("changed").await;
    bed.ready_tenant(json!({})).await;
    let name = bed.tenant.as_str();
    let namespace = bed.namespace();
    let glass = bed.breaking_glass().await;
    let changes = [
        ("ResourceQuota", name, json!({ "spec": { "hard": { "pods": "99" } } })),
        ("LimitRange", name, json!({ "spec": { "limits": [{ "type": "Container", "default": { "cpu": "3" } }] } })),
        ("NetworkPolicy", "default-deny", json!({ "spec": { "policyTypes": ["Ingress"] } })),
        ("PodDisruptionBudget", name, json!({ "spec": { "maxUnavailable": 0 } })),
        ("ConfigMap", name, json!({ "data": { "openclaw.json": "{}" } })),
        ("Service", name, json!({ "spec": { "sessionAffinity": "ClientIP" } })),
        ("HTTPRoute", name, json!({ "spec": { "hostnames": ["elsewhere.openclaw.local"] } })),
        ("StatefulSet", name, json!({ "spec": { "replicas": 3 } })),
    ];
    for (kind, object, patch) in changes {
        let wanted = comparable(bed.child(kind, object).await.expect(kind));
        let began = Instant::now();
        glass.patch(kind, Some(&namespace), object, patch).await.expect(kind);
        bed.until_child(kind, object, "as it was", |live| comparable(live.clone()) == wanted).await;
        println!("{kind}: brought back after {:?}", began.elapsed());
    }
    let account = format!("workspace-{}", incarnation(&bed).await);
    let patch = json!({ "automountServiceAccountToken": true });
    glass.patch("ServiceAccount", Some(&namespace), &account, patch).await.expect("patched");
    let is_off = |live: &Value| live["automountServiceAccountToken"] == false;
    bed.until_child("ServiceAccount", &account, "without a token", is_off).await;
    bed.ready().await;
}

fn comparable(mut object: Value) -> Value {
    object.as_object_mut().map(|object| object.remove("status"));
    json!([object["spec"], object["data"]])
}

async fn incarnation(bed: &Bed) -> String {
    let record = bed.record().await.expect("record");
    record["spec"]["incarnation"].as_str().expect("incarnation").to_owned()
}

/// A container that somebody adds to the pod template never comes to run.
#[tokio::test]
async fn a_sidecar_in_the_template_is_taken_away() {
    let bed = Bed::new("sidecar").await;
    bed.ready_tenant(json!({})).await;
    let set = bed.child("StatefulSet", &bed.tenant).await.expect("StatefulSet");
    let mut containers = set["spec"]["template"]["spec"]["containers"].as_array().expect("containers").clone();
    containers
        .push(json!({ "name": "spy", "image": "spy:1", "resources": { "limits": { "cpu": "1m", "memory": "1Mi" } } }));
    let patch = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
    bed.patch("StatefulSet", Some(&bed.namespace()), &bed.tenant, patch).await.expect("patched");
    let is_clean = |live: &Value| live["spec"]["template"]["spec"] == set["spec"]["template"]["spec"];
    bed.until_child("StatefulSet", &bed.tenant, "without the spy", is_clean).await;
    bed.ready().await;
    let pod = bed.child("Pod", &format!("{}-0", bed.tenant)).await.expect("pod");
    let names =
        pod["spec"]["containers"].as_array().expect("containers").iter().map(|container| container["name"].clone());
    assert!(names.into_iter().all(|name| name != "spy"), "the running pod has no spy");
}

/// Every kind that holds no data: deleted by hand and made again.
#[tokio::test]
async fn a_deleted_object_is_made_again() {
    let bed = Bed::new("deleted").await;
    bed.ready_tenant(json!({})).await;
    let name = bed.tenant.clone();
    let account = format!("workspace-{}", incarnation(&bed).await);
    let objects = [
        ("NetworkPolicy", "default-deny"),
        ("NetworkPolicy", &name),
        ("ResourceQuota", &name),
        ("LimitRange", &name),
        ("PodDisruptionBudget", &name),
        ("ServiceAccount", &account),
        ("ConfigMap", &name),
        ("Service", &name),
        ("HTTPRoute", &name),
        ("StatefulSet", &name),
    ];
    let glass = bed.breaking_glass().await;
    for (kind, object) in objects {
        let before = bed.child(kind, object).await.expect(kind)["metadata"]["uid"].clone();
        let began = Instant::now();
        glass.delete(kind, Some(&bed.namespace()), object).await;
        let is_new =
            |live: &Value| live["metadata"]["uid"] != before && live["metadata"]["deletionTimestamp"].is_null();
        bed.until_child(kind, object, "made again", is_new).await;
        println!("{kind}: made again after {:?}", began.elapsed());
    }
    bed.ready().await;
}

/// With its labels stripped an object looks deleted to a watch; it is found and marked again, not made twice.
#[tokio::test]
async fn stripped_labels_come_back() {
    let bed = Bed::new("stripped").await;
    bed.ready_tenant(json!({})).await;
    let strip = json!({ "metadata": { "labels": {
        "openclaw.io/managed": null, "openclaw.io/tenant": null, "app.kubernetes.io/managed-by": null,
    } } });
    let is_marked = |live: &Value| live["metadata"]["labels"]["openclaw.io/managed"] == "true";
    let glass = bed.breaking_glass().await;
    for kind in ["NetworkPolicy", "PersistentVolumeClaim", "StatefulSet"] {
        let before = bed.child(kind, &bed.tenant).await.expect(kind)["metadata"]["uid"].clone();
        glass.patch(kind, Some(&bed.namespace()), &bed.tenant, strip.clone()).await.expect("stripped");
        let live = bed.until_child(kind, &bed.tenant, "marked again", is_marked).await;
        assert_eq!(live["metadata"]["uid"], before, "the same {kind}");
    }
    glass.patch("Namespace", None, &bed.namespace(), strip).await.expect("stripped");
    let look = || async { bed.get("Namespace", None, &bed.namespace()).await.filter(is_marked) };
    bed.until_so("the namespace's marks", look).await;
    bed.ready().await;
}

/// Labels and annotations of others are nobody's business.
#[tokio::test]
async fn foreign_metadata_is_left_alone() {
    let bed = Bed::new("foreign").await;
    bed.ready_tenant(json!({})).await;
    let patch = json!({ "metadata": { "labels": { "team": "blue" }, "annotations": { "example.com/note": "hello" } } });
    let glass = bed.breaking_glass().await;
    let before = glass.patch("NetworkPolicy", Some(&bed.namespace()), &bed.tenant, patch).await.expect("patched");
    // Something else that must be repaired shows that the operator has been there since.
    let pods = json!({ "spec": { "hard": { "pods": "99" } } });
    glass.patch("ResourceQuota", Some(&bed.namespace()), &bed.tenant, pods).await.expect("patched");
    bed.until_child("ResourceQuota", &bed.tenant, "as it was", |quota| quota["spec"]["hard"]["pods"] == "10").await;
    let after = bed.child("NetworkPolicy", &bed.tenant).await.expect("policy");
    assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
}

/// `10Gi` and `10737418240` are as much: whoever writes the other one, in the Tenant or in the claim, restarts nobody and leaves nothing to do.
#[tokio::test]
async fn another_notation_of_an_amount_is_nobody_s_business() {
    let bed = Bed::new("notation").await;
    let as_much = |memory: &str, size: &str| json!({ "resources": { "requests": { "memory": memory } }, "storage": { "size": size } });
    bed.ready_tenant(as_much("1536Mi", "10Gi")).await;
    let set = bed.child("StatefulSet", &bed.tenant).await.expect("a StatefulSet");
    bed.patch_tenant(json!({ "spec": as_much("1610612736", "10737418240") })).await.expect("as much");
    let claim = json!({ "spec": { "resources": { "requests": { "storage": "10737418240" } } } });
    bed.patch("PersistentVolumeClaim", Some(&bed.namespace()), &bed.tenant, claim).await.expect("as much");
    let is_ours = |claim: &Value| claim["spec"]["resources"]["requests"]["storage"] == "10Gi";
    bed.until_child("PersistentVolumeClaim", &bed.tenant, "written as it was", is_ours).await;
    bed.ready().await;
    let now = bed.child("StatefulSet", &bed.tenant).await.expect("a StatefulSet");
    assert_eq!(now["metadata"]["generation"], set["metadata"]["generation"], "nobody is restarted");
}

/// The claim's data is kept: a claim deleted with its pod gone is made again over the same volume.
#[tokio::test]
async fn a_deleted_claim_gets_its_own_volume_back() {
    let bed = Bed::new("claim").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let before = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    bed.breaking_glass().await.delete("PersistentVolumeClaim", Some(&bed.namespace()), &bed.tenant).await;
    let is_bound = |live: &Value| {
        live["metadata"]["uid"] != before["metadata"]["uid"]
            && live["spec"]["volumeName"] == before["spec"]["volumeName"]
            && live["status"]["phase"] == "Bound"
    };
    bed.until_child("PersistentVolumeClaim", &bed.tenant, "bound to the same volume", is_bound).await;
    bed.ready().await;
}

/// The API server counts a claim before it stores it: an operator that is killed in between leaves one that is counted and not there.
/// The quota controller would count anew after five minutes.
#[tokio::test]
async fn a_claim_that_the_quota_counts_and_is_not_there_is_made_all_the_same() {
    let bed = Bed::new("counted").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    bed.patch_tenant(json!({ "metadata": { "annotations": { "openclaw.io/paused": "true" } } })).await.expect("paused");
    bed.until("paused", |tenant| condition(tenant, "Ready")["reason"] == "Paused").await;
    let glass = bed.breaking_glass().await;
    glass.delete("PersistentVolumeClaim", Some(&bed.namespace()), &bed.tenant).await;
    let is_free = |quota: &Value| quota["status"]["used"]["persistentvolumeclaims"] == "0";
    bed.until_child("ResourceQuota", &bed.tenant, "counted", is_free).await;
    let counted = json!({ "status": { "used": { "persistentvolumeclaims": "1", "requests.storage": "10Gi" } } });
    let quotas = glass.api("ResourceQuota", Some(&bed.namespace()));
    let answer = quotas.patch_status(&bed.tenant, &PatchParams::default(), &Patch::Merge(counted)).await;
    let _: DynamicObject = answer.expect("miscounted");
    bed.patch_tenant(json!({ "metadata": { "annotations": { "openclaw.io/paused": null } } })).await.expect("goes on");
    let is_bound = |live: &Value| live["status"]["phase"] == "Bound";
    bed.until_child("PersistentVolumeClaim", &bed.tenant, "made again", is_bound).await;
    bed.ready().await;
    let quota = bed.child("ResourceQuota", &bed.tenant).await.expect("quota");
    assert_eq!(quota["spec"]["hard"]["persistentvolumeclaims"], "1", "as before");
}

/// A namespace deleted by hand is made again, and the volume with the data in it is bound again.
#[tokio::test]
async fn a_deleted_namespace_comes_back_with_its_volume_and_secrets() {
    let bed = Bed::new("ns-gone").await;
    let tenant = bed.ready_tenant(json!({ "suspend": true })).await;
    let before = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    let old = bed.get("Namespace", None, &bed.namespace()).await.expect("namespace");
    // What the namespace controller does then in that person's stead, it does in its own name.
    bed.breaking_glass().await.delete("Namespace", None, &bed.namespace()).await;
    let look = || async {
        let live = bed.get("Namespace", None, &bed.namespace()).await?;
        (live["metadata"]["uid"] != old["metadata"]["uid"]).then_some(live)
    };
    let live = bed.until_so("another namespace", look).await;
    let mark = |namespace: &Value| namespace["metadata"]["annotations"]["openclaw.io/incarnation"].clone();
    assert_eq!(mark(&live), mark(&old));
    let is_bound =
        |live: &Value| live["spec"]["volumeName"] == before["spec"]["volumeName"] && live["status"]["phase"] == "Bound";
    bed.until_child("PersistentVolumeClaim", &bed.tenant, "bound to the same volume", is_bound).await;
    let after = bed.ready().await;
    assert_eq!(after["status"]["secrets"], tenant["status"]["secrets"]);
}

/// L7: a vanished association is made again by the next look.
#[tokio::test]
async fn an_association_deleted_by_hand_is_made_again() {
    let bed = Bed::new("assoc-gone").await;
    let tenant = bed.ready_tenant(json!({})).await;
    let cluster = bed.instance.fact("/aws/clusterName");
    let id = tenant["status"]["identity"]["associationId"].as_str().expect("id").to_owned();
    let eks = bed.instance.eks();
    eks.delete_pod_identity_association().cluster_name(cluster).association_id(&id).send().await.expect("deleted");
    let look = || async {
        let tenant = bed.get("Tenant", None, &bed.tenant).await?;
        let now = tenant["status"]["identity"]["associationId"].as_str()?.to_owned();
        (now != id).then_some(now)
    };
    let now = bed.until_so("another association", look).await;
    let found = eks.describe_pod_identity_association().cluster_name(cluster).association_id(now).send().await;
    assert!(found.is_ok());
}

/// A wrong tag on a secret is put right; the value is not touched.
#[tokio::test]
async fn a_secret_s_tags_are_brought_back_and_its_value_is_not_touched() {
    let bed = Bed::new("tags").await;
    bed.ready_tenant(json!({})).await;
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    let secrets = bed.instance.secrets();
    let before = secrets.get_secret_value().secret_id(&name).send().await.expect("value");
    let wrong = aws_sdk_secretsmanager::types::Tag::builder().key("tenant-namespace").value("openclaw-mallory").build();
    secrets.tag_resource().secret_id(&name).tags(wrong).send().await.expect("tagged");
    let look = || async {
        let described = secrets.describe_secret().secret_id(&name).send().await.ok()?;
        let tag = described.tags().iter().find(|tag| tag.key() == Some("tenant-namespace"))?.value()?.to_owned();
        (tag == bed.namespace()).then_some(())
    };
    bed.until_so("the right tag", look).await;
    let after = secrets.get_secret_value().secret_id(&name).send().await.expect("value");
    assert_eq!((before.version_id(), before.secret_string()), (after.version_id(), after.secret_string()));
}

/// Policies add up: one of somebody else's in a tenant's namespace is named, and an event says so.
#[tokio::test]
async fn a_policy_of_others_that_lets_more_pass_is_named() {
    let bed = Bed::new("foreign-policy").await;
    bed.ready_tenant(json!({})).await;
    let opens = json!({ "spec": { "podSelector": {}, "egress": [{}], "policyTypes": ["Egress"] } });
    let glass = bed.breaking_glass().await;
    glass.create("NetworkPolicy", Some(&bed.namespace()), "opens", opens).await.expect("made");
    let says = |reason: &'static str| move |tenant: &Value| condition(tenant, "NetworkReady")["reason"] == reason;
    let told = bed.until("told", says("ForeignPolicy")).await;
    let message = condition(&told, "NetworkReady")["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("NetworkPolicy opens"), "{message}");
    let event = || async { bed.events("ForeignPolicy").await.into_iter().next() };
    bed.until_so("an event", event).await;
    // Whoever may delete it does; it shuts nobody in.
    bed.delete("NetworkPolicy", Some(&bed.namespace()), "opens").await;
    bed.until("as it was", says("Verified")).await;
}
