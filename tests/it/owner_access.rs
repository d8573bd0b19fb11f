//! An owner whom the class lets look sees what runs in the own namespace, and the own Tenant, and nothing else.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{Api, api::PostParams};
use serde_json::{Value, json};

use crate::support::{Bed, Instance, condition, example_class, merge};

/// Whether the bed's user may.
async fn may(bed: &Bed, verb: &str, what: &str, namespace: Option<&str>, name: &str) -> bool {
    let (group, resource) = what.split_once('/').unwrap_or(("", what));
    let (resource, subresource) = resource.split_once(':').unwrap_or((resource, ""));
    let attributes = ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: Some(subresource.to_owned()),
        namespace: namespace.map(str::to_owned),
        name: Some(name.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec =
        SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..SelfSubjectAccessReviewSpec::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(bed.client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await.expect("an answer");
    answer.status.is_some_and(|status| status.allowed)
}

/// Whether everything may be seen that is the owner's.
async fn sees_all(owner: &Bed) -> Vec<bool> {
    let (namespace, tenant) = (owner.namespace(), owner.tenant.clone());
    let pod = format!("{tenant}-0");
    vec![
        may(owner, "get", "openclaw.io/tenants", None, &tenant).await,
        may(owner, "watch", "openclaw.io/tenants", None, &tenant).await,
        may(owner, "list", "pods", Some(&namespace), "").await,
        may(owner, "get", "pods:log", Some(&namespace), &pod).await,
        may(owner, "list", "events", Some(&namespace), "").await,
    ]
}

#[tokio::test]
async fn an_owner_sees_what_is_theirs_for_as_long_as_they_have_access_and_changes_nothing() {
    let instance = Instance::shared();
    let mut class = example_class(instance);
    merge(&mut class, json!({ "ownerAccess": { "userNamePrefix": "oidc:" } }));
    let bed = Bed::with_class(instance, "looks", class).await;
    bed.ready_tenant(json!({})).await;
    let owner = bed.acting_as(&format!("oidc:{}", bed.email()), &[]).await;
    assert_eq!(sees_all(&owner).await, [true; 5]);
    let seen = owner.get("Tenant", None, &bed.tenant).await.expect("the own Tenant");
    assert_eq!(condition(&seen, "Ready")["status"], "True");
    assert_eq!(owner.children("Pod").await.len(), 1);
    let namespace = bed.namespace();
    for (verb, what, place) in [
        ("list", "openclaw.io/tenants", None),
        ("patch", "openclaw.io/tenants", None),
        ("get", "openclaw.io/tenantrecords", None),
        ("delete", "pods", Some(namespace.as_str())),
        ("create", "pods:exec", Some(&namespace)),
        ("get", "secrets", Some(&namespace)),
        ("get", "configmaps", Some(&namespace)),
        ("list", "pods", Some("default")),
    ] {
        let name = if verb == "list" { "" } else { bed.tenant.as_str() };
        assert!(!may(&owner, verb, what, place, name).await, "{verb} {what}");
    }
    let stranger = bed.acting_as(&bed.email(), &[]).await;
    assert_eq!(sees_all(&stranger).await, [false; 5], "without the prefix it is somebody else");

    bed.patch_tenant(json!({ "spec": { "suspend": true } })).await.expect("suspended");
    bed.until("Suspended", |tenant| condition(tenant, "Ready")["reason"] == "Suspended").await;
    assert_eq!(sees_all(&owner).await, [false; 5], "access has ended");
    bed.patch_tenant(json!({ "spec": { "suspend": false } })).await.expect("resumed");
    bed.ready().await;
    assert_eq!(sees_all(&owner).await, [true; 5]);

    // The rights follow the owner, and a hand that gives them to others is undone.
    let name = format!("openclaw:tenant:{}", bed.tenant);
    let others =
        json!({ "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory" }] });
    bed.patch("ClusterRoleBinding", None, &name, others).await.expect("patched");
    let is_the_owner_s = || async {
        let live = bed.get("ClusterRoleBinding", None, &name).await?;
        (live["subjects"][0]["name"] == format!("oidc:{}", bed.email())).then_some(())
    };
    bed.until_so("the owner's name again", is_the_owner_s).await;

    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    assert_eq!(sees_all(&owner).await, [false; 5]);
    for kind in ["ClusterRole", "ClusterRoleBinding"] {
        assert_eq!(bed.get(kind, None, &name).await, None, "{kind}");
    }
}

/// The rights of the operator for it are apart: without them the rest goes on, and what is missing is told.
#[tokio::test]
async fn without_the_right_to_give_rights_the_operator_says_so() {
    let instance = Instance::own();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/operator/owner-access.yaml");
    instance.kubectl(&["delete", "-f", file]);
    let operator = instance.start_operator();
    let mut class = example_class(instance);
    merge(&mut class, json!({ "ownerAccess": {} }));
    let bed = Bed::with_class(instance, "may-not", class.clone()).await;
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("KindNotServed").await;
    assert!(message.contains("ownerAccess.enabled"), "{message}");
    let is_up = |pod: &Value| pod["status"]["phase"] == "Running";
    bed.until_child("Pod", &format!("{}-0", bed.tenant), "running", is_up).await;

    instance.kubectl(&["apply", "-f", file]);
    bed.ready().await;
    let owner = bed.acting_as(&bed.email(), &[]).await;
    assert_eq!(sees_all(&owner).await, [true; 5]);
    drop(operator);
}
