//! What holds a tenant's data is deleted by the operator alone; our definitions by nobody who has not said so first.

use serde_json::{Value, json};

use openclaw_tenant_operator::api::custom_resource_definitions;

use crate::support::{Bed, OPERATOR, merge, refusal, rehearsed};

/// A claim that no volume will ever be bound to.
fn claim() -> Value {
    json!({ "spec": {
        "accessModes": ["ReadWriteMany"], "storageClassName": "none", "resources": { "requests": { "storage": "1Mi" } },
    } })
}

/// Whatever one may do by RBAC: only who is named, and Kubernetes' own controllers, delete a namespace or a claim in it.
#[tokio::test]
async fn a_tenant_s_namespace_and_claims_are_deleted_by_the_operator_alone() {
    let bed = Bed::new("guarded").await;
    // Without a pod on it the claim would go at once.
    bed.ready_tenant(json!({ "suspend": true })).await;
    // Every claim in such a namespace, also one that is not called like the tenant; its quota leaves room for one only, so
    // this one lies in another.
    let old = format!("old-{}", bed.tenant);
    let labels = json!({ "metadata": { "labels": { "openclaw.io/tenant": bed.tenant } } });
    bed.breaking_glass().await.create("Namespace", None, &old, labels).await.expect("another namespace");
    bed.create("PersistentVolumeClaim", Some(&old), "another", claim()).await.expect("another claim");
    let namespace = bed.namespace();
    let claims = [(namespace.as_str(), bed.tenant.as_str()), (old.as_str(), "another")];

    let stranger = "system:serviceaccount:kube-system:replicaset-controller";
    for user in ["root", stranger, "system:serviceaccount:other:openclaw-tenant-operator"] {
        let person = bed.acting_as(user, &["system:masters"]).await;
        let message = refusal(person.try_delete("Namespace", None, &namespace).await);
        assert!(
            message.contains(&format!("Namespace {namespace} holds the data of tenant {}", bed.tenant)),
            "{message}"
        );
        assert!(message.contains(&format!("kubectl delete tenant {}", bed.tenant)), "says what to do: {message}");
        assert!(message.contains("openclaw:break-glass"), "and what else: {message}");
        for (place, name) in claims {
            let wanted = format!("PersistentVolumeClaim {place}/{name} holds the data of tenant {}", bed.tenant);
            let message = refusal(person.try_delete("PersistentVolumeClaim", Some(place), name).await);
            assert!(message.contains(&wanted), "{message}");
            let message = refusal(person.try_delete_all("PersistentVolumeClaim", Some(place), "").await);
            assert!(message.contains(&wanted), "a deletecollection is a delete too: {message}");
        }
    }

    let controllers = ["namespace-controller", "generic-garbage-collector"];
    let mut free: Vec<String> =
        controllers.iter().map(|name| format!("system:serviceaccount:kube-system:{name}")).collect();
    free.push("system:kube-controller-manager".to_owned());
    let mut allowed = vec![bed.breaking_glass().await];
    for user in free {
        allowed.push(bed.acting_as(&user, &["system:masters"]).await);
    }
    for person in &allowed {
        person.delete_with("Namespace", None, &namespace, &rehearsed()).await.expect("let through");
        for (place, name) in claims {
            person.delete_with("PersistentVolumeClaim", Some(place), name, &rehearsed()).await.expect("let through");
        }
    }
    // The operator, which has to have said so on a namespace before: see operator_rights.rs.
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    operator
        .delete_with("PersistentVolumeClaim", Some(&namespace), &bed.tenant, &rehearsed())
        .await
        .expect("let through");
    bed.ready().await;

    // For good: the namespace controller ends what was let through, the claim in it too.
    bed.breaking_glass().await.delete("Namespace", None, &old).await;
    let gone = || async { bed.get("Namespace", None, &old).await.is_none().then_some(()) };
    bed.until_so("the end of the other namespace", gone).await;
}

/// Namespaces and claims that are no tenant's are nobody's business.
#[tokio::test]
async fn what_is_no_tenant_s_is_not_guarded() {
    let bed = Bed::new("unguarded").await;
    bed.ready_tenant(json!({})).await;
    let name = format!("zoo-{}", bed.tenant);
    bed.create("Namespace", None, &name, json!({})).await.expect("a namespace");
    bed.create("PersistentVolumeClaim", Some(&name), "cage", claim()).await.expect("a claim");
    bed.try_delete_all("PersistentVolumeClaim", Some(&name), "").await.expect("its owner's to delete");
    bed.delete("Namespace", None, &name).await;
}

/// With a definition all its objects would go, and no admission is asked for those. Only rehearsed here: others stand on
/// them. A definition that was allowed to go goes in `deleted_and_reinstalled_definitions_touch_nothing_of_any_tenant`.
#[tokio::test]
async fn our_definitions_are_deleted_by_nobody_who_has_not_allowed_it_on_them() {
    let bed = Bed::new("definitions").await;
    bed.ready_tenant(json!({})).await;
    let operator = bed.acting_as(OPERATOR, &["system:masters"]).await;
    for (name, lost) in [
        ("tenants.openclaw.io", "every Tenant:"),
        ("tenantclasses.openclaw.io", "every TenantClass:"),
        ("tenantrecords.openclaw.io", "every TenantRecord:"),
    ] {
        for person in [&bed, &operator, &bed.breaking_glass().await] {
            let message = refusal(person.delete_with("CustomResourceDefinition", None, name, &rehearsed()).await);
            assert!(message.contains(lost), "says what would be lost: {message}");
            let command = format!("kubectl annotate crd {name} openclaw.io/deletion-allowed=true");
            assert!(message.contains(&command), "says what to do: {message}");
        }
    }
    let others = "httproutes.gateway.networking.k8s.io";
    bed.delete_with("CustomResourceDefinition", None, others, &rehearsed()).await.expect("somebody else's");
}

/// Who may make Tenants at all, and the classes that they may give them.
async fn given(bed: &Bed, user: &str, classes: &[&str]) -> Bed {
    let name = format!("{}-{user}", bed.tenant);
    let mut rules = vec![json!({
        "apiGroups": ["openclaw.io"], "resources": ["tenants"], "verbs": ["get", "create", "update", "patch", "delete"],
    })];
    if !classes.is_empty() {
        rules.push(json!({
            "apiGroups": ["openclaw.io"], "resources": ["tenantclasses"], "resourceNames": classes, "verbs": ["use"],
        }));
    }
    bed.create("ClusterRole", None, &name, json!({ "rules": rules })).await.expect("a role");
    let reference = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name });
    let subject = json!([{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name }]);
    let binding = json!({ "roleRef": reference, "subjects": subject });
    bed.create("ClusterRoleBinding", None, &name, binding).await.expect("a binding");
    bed.acting_as(&name, &[]).await
}

#[tokio::test]
async fn a_class_is_named_only_by_who_was_given_it_and_nothing_else_asks_for_that() {
    let bed = Bed::new("classes").await;
    let other = Bed::new("other-class").await;
    let (nothing, one) = (given(&bed, "none", &[]).await, given(&bed, "one", &[&bed.class]).await);
    let taken = async |person: &Bed| {
        // The authorizer learns of a binding by a watch of its own.
        let look = || async { person.apply_tenant(json!({})).await.ok() };
        person.until_so("the right to make Tenants", look).await;
    };
    taken(&one).await;
    let mut another = nothing.acting_as(&format!("{}-none", bed.tenant), &[]).await;
    another.tenant = format!("{}-x", bed.tenant);
    let message = refusal(another.apply_tenant(json!({})).await);
    assert!(message.contains(&format!("may not give TenantClass {}", bed.class)), "{message}");
    assert!(message.contains("verbs: [use]"), "says what it takes: {message}");

    let to = |class: &str| json!({ "spec": { "className": class } });
    let message = refusal(one.patch_tenant(to(&other.class)).await);
    assert!(message.contains(&other.class), "{message}");
    // Whoever may change it at all.
    nothing.patch_tenant(json!({ "spec": { "displayName": "Alice" } })).await.expect("the class stays");
    bed.patch_tenant(to(&other.class)).await.expect("an administrator has every verb");
    bed.delete("Tenant", None, &bed.tenant).await;
}

/// The sign-up says who somebody is, and nothing that costs or opens anything.
#[tokio::test]
async fn the_sign_up_makes_plain_tenants_of_the_default_class_and_nothing_else() {
    let bed = Bed::new("sign-up").await;
    let sign_up = bed.acting_as("the-function", &["openclaw:sign-up", "system:masters"]).await;
    let make = async |spec: Value, annotations: Value| {
        let mut manifest = json!({ "spec": { "owner": { "email": bed.email() }, "className": "default" } });
        merge(&mut manifest["spec"], spec);
        manifest["metadata"]["annotations"] = annotations;
        // Nobody serves the class default here, so what is let through is only rehearsed.
        sign_up.rehearse_create("Tenant", None, &bed.tenant, manifest).await
    };
    make(json!({ "displayName": "Alice" }), json!({ "example.com/ticket": "1" })).await.expect("a plain one");
    let extras = json!({
        "suspend": true, "deletionPolicy": "Delete", "image": { "tag": "1" }, "env": [{ "name": "A", "value": "b" }],
        "skills": ["a"], "resources": {}, "quota": { "pods": 1 }, "storage": { "size": "1Gi" }, "egress": { "domains": ["a.b"] },
        "secrets": [{ "name": "a" }], "budget": { "monthlyUSD": 1 },
    });
    let definitions = custom_resource_definitions();
    let tenant = definitions.iter().find(|one| one.spec.names.kind == "Tenant").expect("a definition");
    let schema =
        json!(tenant)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].clone();
    for field in schema.as_object().expect("fields").keys() {
        if ["owner", "displayName", "className"].contains(&field.as_str()) {
            continue;
        }
        let value = extras
            .get(field)
            .unwrap_or_else(|| panic!("{field} is new: name it in deploy/policies/tenants.yaml, and here"));
        let message = refusal(make(json!({ field: value }), json!({})).await);
        assert!(message.contains("sets a Tenant's name, owner and displayName"), "{field}: {message}");
    }
    refusal(make(json!({ "className": bed.class }), json!({})).await);
    let message = refusal(make(json!({}), json!({ "openclaw.io/rotate-secrets": "1" })).await);
    assert!(message.contains("gives no orders"), "{message}");
    bed.apply_tenant(json!({})).await.expect("somebody's");
    refusal(sign_up.patch_tenant(json!({ "spec": { "displayName": "x" } })).await);
    refusal(sign_up.try_delete("Tenant", None, &bed.tenant).await);
}
