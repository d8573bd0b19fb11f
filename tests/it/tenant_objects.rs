//! What shuts a tenant in, who may act in its namespace and the marks by which it is known are written by the operator alone, also
//! where RBAC would let others.

use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{Bed, OPERATOR, condition, refusal, rehearsed};

/// One object of each kind that nobody else makes.
fn objects(bed: &Bed) -> Vec<(&'static str, Value)> {
    let account = json!({ "kind": "ServiceAccount", "name": "default", "namespace": "default" });
    let view = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view" });
    let group = "gateway.networking.k8s.io";
    vec![
        ("NetworkPolicy", json!({ "spec": { "podSelector": {}, "egress": [{}], "policyTypes": ["Egress"] } })),
        ("CiliumNetworkPolicy", json!({ "spec": { "endpointSelector": {}, "egress": [{ "toEntities": ["all"] }] } })),
        ("HTTPRoute", json!({ "spec": { "hostnames": [format!("bob-{}.example.com", bed.tenant)] } })),
        (
            "ReferenceGrant",
            json!({ "spec": {
            "from": [{ "group": group, "kind": "HTTPRoute", "namespace": "default" }], "to": [{ "group": "", "kind": "Service" }],
        } }),
        ),
        (
            "Ingress",
            json!({ "spec": { "defaultBackend": { "service": { "name": bed.tenant, "port": { "number": 1 } } } } }),
        ),
        ("ResourceQuota", json!({ "spec": { "hard": { "pods": "1" } } })),
        ("LimitRange", json!({ "spec": { "limits": [{ "type": "Container", "max": { "cpu": "1m" } }] } })),
        ("ServiceAccount", json!({ "automountServiceAccountToken": true })),
        ("Role", json!({ "rules": [{ "apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"] }] })),
        ("RoleBinding", json!({ "roleRef": view, "subjects": [account] })),
    ]
}

#[tokio::test]
async fn what_shuts_a_tenant_in_is_written_by_the_operator_alone() {
    let bed = Bed::new("fenced").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let namespace = bed.namespace();
    let admin = bed.acting_as("admin", &["system:masters"]).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let mut free = vec![bed.breaking_glass().await];
    for controller in ["service-account-controller", "namespace-controller", "generic-garbage-collector"] {
        let user = format!("system:serviceaccount:kube-system:{controller}");
        free.push(bed.acting_as(&user, &["system:masters"]).await);
    }
    for (kind, body) in objects(&bed) {
        let message = refusal(admin.rehearse_create(kind, Some(&namespace), "another", body.clone()).await);
        assert!(message.contains(&format!("CREATE of {kind} {namespace}/another is refused")), "{message}");
        assert!(message.contains(&format!("the namespace of tenant {}", bed.tenant)), "whose: {message}");
        assert!(message.contains("Change the Tenant or its TenantClass"), "what to do: {message}");
        // What rights the operator gives is bounded by a policy of its own.
        let operator = Some(&operator).filter(|_| !kind.starts_with("Role"));
        for person in free.iter().chain(operator) {
            person.rehearse_create(kind, Some(&namespace), "another", body.clone()).await.expect(kind);
        }
        // Elsewhere it is nobody's business. Kubernetes refuses a Role that gives more than its author has to nobody here.
        admin.rehearse_create(kind, Some("default"), "another", body).await.expect(kind);
    }
    for kind in ["NetworkPolicy", "ResourceQuota", "LimitRange"] {
        let message = refusal(admin.delete_with(kind, Some(&namespace), &bed.tenant, &rehearsed()).await);
        assert!(message.contains(&format!("DELETE of {kind} {namespace}/{} is refused", bed.tenant)), "{message}");
        // What is not the operator's goes when somebody deletes it: it is in nobody's way.
        let (_, body) = objects(&bed).into_iter().find(|(one, _)| *one == kind).expect("in the list");
        bed.breaking_glass().await.create(kind, Some(&namespace), "foreign", body).await.expect(kind);
        admin.delete(kind, Some(&namespace), "foreign").await;
    }
}

/// Controllers that serve an object note on it that they do; no more than that.
#[tokio::test]
async fn of_the_operator_s_objects_others_change_the_finalizers_and_the_status_only() {
    let bed = Bed::new("finalizers").await;
    bed.ready_tenant(json!({})).await;
    let (namespace, name) = (bed.namespace(), bed.tenant.clone());
    let controller = bed.acting_as("vpc-cni", &["system:masters"]).await;
    let finalizers = |list: Value| json!({ "metadata": { "finalizers": list } });
    controller
        .patch("NetworkPolicy", Some(&namespace), &name, finalizers(json!(["networking.k8s.aws/resources"])))
        .await
        .expect("a finalizer");
    controller.patch("NetworkPolicy", Some(&namespace), &name, finalizers(json!(null))).await.expect("taken off");
    let account = bed.record().await.expect("a record")["spec"]["serviceAccount"].as_str().expect("a name").to_owned();
    let changes = [
        ("NetworkPolicy", name.as_str(), json!({ "metadata": { "labels": { "openclaw.io/tenant": null } } })),
        ("NetworkPolicy", &name, json!({ "metadata": { "annotations": { "a": "b" } } })),
        ("NetworkPolicy", &name, json!({ "spec": { "policyTypes": ["Ingress"] } })),
        ("ResourceQuota", &name, json!({ "spec": { "hard": { "pods": "99" } } })),
        ("HTTPRoute", &name, json!({ "spec": { "hostnames": ["another.example.com"] } })),
        ("ServiceAccount", &account, json!({ "automountServiceAccountToken": true })),
        ("ServiceAccount", &account, json!({ "imagePullSecrets": [{ "name": "theirs" }] })),
        ("ServiceAccount", "default", json!({ "secrets": [{ "name": "theirs" }] })),
    ];
    for (kind, object, change) in changes {
        let message = refusal(controller.patch(kind, Some(&namespace), object, change.clone()).await);
        assert!(message.contains(&format!("UPDATE of {kind} {namespace}/{object} is refused")), "{change}: {message}");
    }
    // Through its status a quota could lose the label by which the policy knows it.
    let strip = Patch::Merge(json!({ "metadata": { "labels": { "openclaw.io/tenant": null } } }));
    let quotas = controller.api("ResourceQuota", Some(&namespace));
    let answer: Result<DynamicObject, _> = quotas.patch_status(&name, &PatchParams::default(), &strip).await;
    refusal(answer.map(|object| json!(object)));
    let tenant = bed.ready().await;
    assert_eq!(condition(&tenant, "NetworkReady")["reason"], "Verified");
}

#[tokio::test]
async fn the_marks_of_a_namespace_are_the_operator_s() {
    let bed = Bed::new("marks").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let namespace = bed.namespace();
    let admin = bed.acting_as("admin", &["system:masters"]).await;
    let labels = |labels: Value| json!({ "metadata": { "labels": labels } });
    let annotations = |annotations: Value| json!({ "metadata": { "annotations": annotations } });
    let changes = [
        (labels(json!({ "openclaw.io/tenant": "bob" })), "openclaw.io/tenant"),
        (labels(json!({ "openclaw.io/tenant": null })), "openclaw.io/tenant"),
        (labels(json!({ "openclaw.io/managed": "false" })), "openclaw.io/managed"),
        (labels(json!({ "openclaw.io/other": "x" })), "openclaw.io/other"),
        (labels(json!({ "pod-security.kubernetes.io/enforce": "privileged" })), "pod-security.kubernetes.io/enforce"),
        (annotations(json!({ "openclaw.io/owner-hash": "0" })), "openclaw.io/owner-hash"),
        (annotations(json!({ "openclaw.io/incarnation": null })), "openclaw.io/incarnation"),
        (annotations(json!({ "openclaw.io/adoption": "Attached" })), "openclaw.io/adoption"),
        (annotations(json!({ "openclaw.io/delete-approved": "x" })), "openclaw.io/delete-approved"),
    ];
    for (change, key) in changes {
        let message = refusal(admin.patch("Namespace", None, &namespace, change.clone()).await);
        assert!(message.contains(&format!("Namespace {namespace}: {key} says whose")), "{change}: {message}");
        let api = admin.api("Namespace", None);
        let answer: Result<DynamicObject, _> =
            api.patch_status(&namespace, &PatchParams::default(), &Patch::Merge(change)).await;
        refusal(answer.map(|object| json!(object)));
    }
    for change in [
        labels(json!({ "team": "blue" })),
        annotations(json!({ "example.com/note": "x" })),
        annotations(json!({ "openclaw.io/adopt-by": "bob" })),
    ] {
        admin.patch("Namespace", None, &namespace, change).await.expect("nobody's business");
    }

    // Nor does anybody make a namespace look like a tenant's, or one that is there already.
    let name = format!("like-{}", bed.tenant);
    for body in [labels(json!({ "openclaw.io/managed": "true" })), annotations(json!({ "openclaw.io/tenant": "bob" }))]
    {
        let message = refusal(admin.create("Namespace", None, &name, body).await);
        assert!(message.contains("set the annotation openclaw.io/adopt-by"), "{message}");
    }
    let level = json!({ "pod-security.kubernetes.io/enforce": "baseline" });
    admin.create("Namespace", None, &name, labels(level)).await.expect("somebody's");
    refusal(admin.patch("Namespace", None, &name, labels(json!({ "openclaw.io/tenant": "bob" }))).await);
    let level = json!({ "pod-security.kubernetes.io/enforce": "privileged" });
    admin.patch("Namespace", None, &name, labels(level)).await.expect("its owner's to say");
    admin.delete("Namespace", None, &name).await;
    bed.until("Suspended, as before", |tenant| condition(tenant, "Ready")["reason"] == "Suspended").await;
}

/// Until the cut-over the former system keeps what it made.
#[tokio::test]
async fn while_a_namespace_is_adopted_its_former_system_keeps_its_objects() {
    let bed = Bed::new("fenced-later").await;
    let namespace = bed.namespace();
    let consent = json!({ "metadata": { "annotations": { "openclaw.io/adopt-by": bed.tenant } } });
    bed.create("Namespace", None, &namespace, consent).await.expect("somebody's namespace");
    bed.apply_tenant(json!({})).await.expect("taken");
    bed.stalled("AwaitingCutOver").await;
    for (kind, body) in objects(&bed) {
        bed.rehearse_create(kind, Some(&namespace), "another", body).await.expect(kind);
    }
    let level = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "privileged" } } });
    bed.patch("Namespace", None, &namespace, level).await.expect("its owner's to say");
    let cut_over = json!({ "metadata": { "annotations": { "openclaw.io/cut-over": "start" } } });
    bed.patch_tenant(cut_over).await.expect("ordered");
    bed.ready().await;
    for (kind, body) in objects(&bed) {
        refusal(bed.rehearse_create(kind, Some(&namespace), "another", body).await);
    }
}
