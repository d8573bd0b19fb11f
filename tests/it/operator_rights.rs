//! What the operator itself may write: tenants' and nothing beside, whatever its ClusterRole says. It is played by an administrator
//! who acts in its name, so that nothing but the policies stands in the way.

use serde_json::{Value, json};

use crate::support::{Bed, OPERATOR, refusal, rehearsed};

fn in_namespace(namespace: &str, body: &Value) -> Value {
    let mut body = body.clone();
    body["metadata"]["namespace"] = json!(namespace);
    body
}

#[tokio::test]
async fn the_operator_writes_in_tenants_namespaces_only() {
    let bed = Bed::new("rights").await;
    bed.ready_tenant(json!({})).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let tenants = bed.namespace();
    for (kind, body) in [
        ("ConfigMap", json!({ "data": {} })),
        ("ServiceAccount", json!({})),
        ("NetworkPolicy", json!({ "spec": { "podSelector": {} } })),
        ("ResourceQuota", json!({ "spec": {} })),
        ("Secret", json!({})),
    ] {
        let name = format!("of-{}", bed.tenant);
        for place in ["default", "kube-system", "openclaw-system"] {
            let message = refusal(operator.create(kind, Some(place), &name, in_namespace(place, &body)).await);
            assert!(message.contains(&format!("namespace {place} does not")), "{kind}: {message}");
        }
        operator.create(kind, Some(&tenants), &name, in_namespace(&tenants, &body)).await.expect("a tenant's");
        operator.delete(kind, Some(&tenants), &name).await;
    }
    let message =
        refusal(operator.delete_with("ConfigMap", Some("kube-system"), "kube-root-ca.crt", &rehearsed()).await);
    assert!(message.contains("DELETE of configmaps is refused"), "{message}");
    let lease = json!({ "metadata": { "namespace": "default" }, "spec": {} });
    refusal(operator.create("Lease", Some("default"), "openclaw-tenant-operator", lease).await);
    // Nobody else is meant.
    let own = format!("own-{}", bed.tenant);
    bed.create("ConfigMap", Some("default"), &own, in_namespace("default", &json!({})))
        .await
        .expect("an administrator's");
    bed.delete("ConfigMap", Some("default"), &own).await;
}

#[tokio::test]
async fn outside_of_tenants_namespaces_the_operator_writes_one_grant_for_each_tenant() {
    let bed = Bed::new("grants").await;
    let interceptor = format!("keda-{}", bed.tenant);
    bed.make_interceptor(&interceptor).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let spec = json!({
        "from": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": bed.namespace() }],
        "to": [{ "group": "", "kind": "Service" }],
    });
    let grant = |labels: Value| in_namespace(&interceptor, &json!({ "metadata": { "labels": labels }, "spec": spec }));
    let own = format!("openclaw-{}", bed.tenant);
    let labels = json!({ "openclaw.io/tenant": bed.tenant });
    for (name, labels) in [(own.as_str(), json!({})), ("openclaw-another", labels.clone()), ("any", labels.clone())] {
        refusal(operator.create("ReferenceGrant", Some(&interceptor), name, grant(labels)).await);
    }
    operator.create("ReferenceGrant", Some(&interceptor), &own, grant(labels)).await.expect("the tenant's");
    operator.delete("ReferenceGrant", Some(&interceptor), &own).await;
    bed.delete("Namespace", None, &interceptor).await;
}

#[tokio::test]
async fn the_operator_deletes_a_namespace_only_after_it_said_so_on_it() {
    let bed = Bed::new("approved").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let namespace = bed.namespace();
    let rehearsed = rehearsed();
    let delete = || operator.delete_with("Namespace", None, &namespace, &rehearsed);
    let message = refusal(delete().await);
    assert!(message.contains("openclaw.io/delete-approved"), "{message}");
    let approve = |uid: Value| json!({ "metadata": { "annotations": { "openclaw.io/delete-approved": uid } } });
    // Where the operator is at work it takes away what it did not put there.
    bed.patch_tenant(json!({ "metadata": { "annotations": { "openclaw.io/paused": "true" } } })).await.expect("paused");
    operator.patch("Namespace", None, &namespace, approve(json!("another"))).await.expect("marked");
    refusal(delete().await);
    let uid = bed.get("Namespace", None, &namespace).await.expect("there")["metadata"]["uid"].clone();
    operator.patch("Namespace", None, &namespace, approve(uid)).await.expect("marked");
    delete().await.expect("approved");

    let name = format!("other-{}", bed.tenant);
    refusal(operator.create("Namespace", None, &name, json!({})).await);
    let labels = json!({ "metadata": { "labels": { "openclaw.io/managed": "true", "openclaw.io/tenant": "other" } } });
    operator.create("Namespace", None, &name, labels).await.expect("with our labels");
    bed.breaking_glass().await.delete("Namespace", None, &name).await;
}

/// The labels by which the other policies know tenants' namespaces are no key that the operator makes for itself.
#[tokio::test]
async fn the_operator_makes_no_namespace_of_others_a_tenant_s() {
    let bed = Bed::new("no-key").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let theirs = format!("theirs-{}", bed.tenant);
    bed.create("Namespace", None, &theirs, json!({})).await.expect("somebody's");
    let mark = |tenant: &str| {
        json!({ "metadata": {
            "labels": { "openclaw.io/managed": "true", "openclaw.io/tenant": tenant },
            "annotations": { "openclaw.io/delete-approved": "x" },
        } })
    };
    for place in ["kube-system", "default", "openclaw-system", &theirs] {
        refusal(operator.patch("Namespace", None, place, mark("other")).await);
        refusal(operator.delete_with("Namespace", None, place, &rehearsed()).await);
    }
    // Of another's consent too.
    let consents = |tenant: &str| json!({ "metadata": { "annotations": { "openclaw.io/adopt-by": tenant } } });
    bed.patch("Namespace", None, &theirs, consents("another")).await.expect("given");
    refusal(operator.patch("Namespace", None, &theirs, mark("other")).await);
    bed.patch("Namespace", None, &theirs, consents("other")).await.expect("given");
    operator.patch("Namespace", None, &theirs, mark("other")).await.expect("it consents");
    bed.breaking_glass().await.delete("Namespace", None, &theirs).await;
    // What lost its labels is known by the operator's own annotation.
    bed.patch_tenant(json!({ "metadata": { "annotations": { "openclaw.io/paused": "true" } } })).await.expect("paused");
    let strip = json!({ "metadata": { "labels": { "openclaw.io/managed": null, "openclaw.io/tenant": null } } });
    bed.breaking_glass().await.patch("Namespace", None, &bed.namespace(), strip).await.expect("stripped");
    operator.patch("Namespace", None, &bed.namespace(), mark(&bed.tenant)).await.expect("put right");
}

/// In a namespace whose pods may do more a workload of the operator's could have the node.
#[tokio::test]
async fn the_operator_runs_pods_only_where_pod_security_confines_them() {
    let bed = Bed::new("confined").await;
    bed.ready_tenant(json!({})).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    bed.patch_tenant(json!({ "metadata": { "annotations": { "openclaw.io/paused": "true" } } })).await.expect("paused");
    let level = |level: &str| json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": level } } });
    operator.patch("Namespace", None, &bed.namespace(), level("privileged")).await.expect("its own label");
    let image = json!({ "spec": { "template": { "metadata": { "annotations": { "a": "b" } } } } });
    let seen =
        || async { operator.patch("StatefulSet", Some(&bed.namespace()), &bed.tenant, image.clone()).await.err() };
    // Policies see namespaces a moment later.
    let error = bed.until_so("a refusal", seen).await;
    assert!(error.to_string().contains("whose Pod Security level is restricted"), "{error}");
    let stops = json!({ "spec": { "replicas": 0 } });
    operator.patch("StatefulSet", Some(&bed.namespace()), &bed.tenant, stops).await.expect("it ends");
    operator.patch("Namespace", None, &bed.namespace(), level("restricted")).await.expect("put right");
    bed.patch_tenant(json!({ "metadata": { "annotations": { "openclaw.io/paused": null } } })).await.expect("goes on");
    bed.ready().await;
}

#[tokio::test]
async fn of_a_volume_the_operator_changes_what_becomes_of_it_and_its_own_marks() {
    let bed = Bed::new("volumes").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let record = bed.record().await.expect("a record");
    let volume = record["spec"]["storage"]["volume"]["name"].as_str().expect("a volume").to_owned();
    for refused in [
        json!({ "metadata": { "labels": { "team": "blue" } } }),
        json!({ "metadata": { "annotations": { "pv.kubernetes.io/provisioned-by": "somebody" } } }),
        json!({ "spec": { "storageClassName": "another" } }),
        json!({ "spec": { "mountOptions": ["ro"] } }),
        json!({ "spec": { "capacity": { "storage": "1Ti" } } }),
    ] {
        let message = refusal(operator.patch("PersistentVolume", None, &volume, refused.clone()).await);
        assert!(message.contains("the operator changes"), "{refused}: {message}");
    }
    let message = refusal(operator.delete_with("PersistentVolume", None, &volume, &rehearsed()).await);
    assert!(message.contains("neither makes nor deletes"), "{message}");
    let mark = json!({ "metadata": { "annotations": { "openclaw.io/test": "x" } }, "spec": { "persistentVolumeReclaimPolicy": "Retain" } });
    operator.patch("PersistentVolume", None, &volume, mark).await.expect("its own");
}

/// Where classes let owners look, that is all that the operator can give, whatever RBAC would let it.
#[tokio::test]
async fn the_operator_gives_an_owner_the_right_to_look_and_nobody_any_other() {
    let bed = Bed::new("gives").await;
    bed.ready_tenant(json!({})).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    let (namespace, name) = (bed.namespace(), format!("openclaw:tenant:{}", bed.tenant));
    let role = |name: &str| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name });
    let user = |name: &str| json!([{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name }]);
    let account = json!([{ "kind": "ServiceAccount", "name": "default", "namespace": "default" }]);
    let labelled = |body: Value| {
        let mut body = body;
        body["metadata"] = json!({ "labels": { "openclaw.io/managed": "true", "openclaw.io/tenant": bed.tenant } });
        body
    };
    let rules = |resource: &str, names: Value, verbs: Value| json!({ "rules": [{ "apiGroups": ["openclaw.io"], "resources": [resource], "resourceNames": names, "verbs": verbs }] });
    let own = json!([bed.tenant]);
    let refused = [
        ("ClusterRole", name.as_str(), rules("tenants", json!(["bob"]), json!(["get"]))),
        ("ClusterRole", &name, rules("tenants", json!([]), json!(["get"]))),
        ("ClusterRole", &name, rules("tenants", own.clone(), json!(["get", "patch"]))),
        ("ClusterRole", &name, rules("tenantrecords", own.clone(), json!(["get"]))),
        ("ClusterRole", "openclaw:tenant:bob", rules("tenants", json!(["bob"]), json!(["get"]))),
        ("ClusterRole", &name, json!({ "rules": [], "aggregationRule": { "clusterRoleSelectors": [{}] } })),
        ("ClusterRoleBinding", &name, json!({ "roleRef": role("cluster-admin"), "subjects": user("alice") })),
        ("ClusterRoleBinding", &name, json!({ "roleRef": role(&name), "subjects": user("system:anonymous") })),
        ("ClusterRoleBinding", &name, json!({ "roleRef": role(&name), "subjects": account })),
        ("ClusterRoleBinding", "any", json!({ "roleRef": role(&name), "subjects": user("alice") })),
        ("RoleBinding", &bed.tenant, json!({ "roleRef": role("edit"), "subjects": user("alice") })),
        ("RoleBinding", &bed.tenant, json!({ "roleRef": role("openclaw:tenant-reader"), "subjects": account })),
        ("Role", &bed.tenant, rules("tenants", own.clone(), json!(["get"]))),
    ];
    for (kind, object, body) in refused {
        let place = if kind.starts_with("Cluster") { None } else { Some(namespace.as_str()) };
        let message = refusal(operator.rehearse_create(kind, place, object, labelled(body.clone())).await);
        assert!(message.contains("no other right to anybody"), "{body}: {message}");
    }
    for role in ["cluster-admin", "openclaw-tenant-operator"] {
        refusal(operator.delete_with("ClusterRole", None, role, &rehearsed()).await);
    }
    let reader = json!({ "roleRef": role("openclaw:tenant-reader"), "subjects": user("oidc:alice") });
    operator.rehearse_create("RoleBinding", Some(&namespace), &bed.tenant, labelled(reader)).await.expect("its own");
    let looks = labelled(rules("tenants", own, json!(["get", "list", "watch"])));
    operator.rehearse_create("ClusterRole", None, &name, looks).await.expect("its own");
}
