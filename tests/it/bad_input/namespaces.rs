//! A namespace of the tenant's name that is somebody else's.

use serde_json::{Value, json};

use crate::support::{Bed, Instance, example_class};

/// All that a stranger would notice: the namespace itself and what lies in it, but for what Kubernetes puts into each.
async fn everything_in(bed: &Bed) -> Value {
    let namespace = bed.get("Namespace", None, &bed.namespace()).await.expect("namespace");
    let mut names = Vec::new();
    for kind in ["ResourceQuota", "LimitRange", "NetworkPolicy", "PersistentVolumeClaim", "StatefulSet", "HTTPRoute"] {
        names.extend(bed.children(kind).await.into_iter().map(|object| object["metadata"]["name"].clone()));
    }
    json!([namespace["metadata"], names])
}

/// S4: nothing in it is touched; and when its owner has removed it, the tenant comes by itself.
#[tokio::test]
async fn a_foreign_namespace_of_that_name_is_left_alone_until_it_is_gone() {
    let bed = Bed::new("foreign").await;
    bed.create("Namespace", None, &bed.namespace(), json!({ "metadata": { "labels": { "team": "blue" } } }))
        .await
        .expect("somebody's namespace");
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("NamespaceTaken").await;
    assert!(message.contains(&bed.namespace()) && message.contains("Nothing in it is touched"), "{message}");
    let before = everything_in(&bed).await;
    // Another look, for another generation.
    bed.apply_tenant(json!({ "displayName": "Alice" })).await.expect("taken");
    bed.stalled("NamespaceTaken").await;
    assert_eq!(everything_in(&bed).await, before);
    assert_eq!(bed.instance.writes_about(&bed.namespace()), Vec::<Value>::new(), "not even an attempt");
    assert_eq!(bed.instance.calls(&bed.tenant).await, Vec::<Value>::new(), "nor a question to AWS");

    bed.delete("Namespace", None, &bed.namespace()).await;
    bed.ready().await;
}

/// Consent is given by the namespace's owner, on the namespace; a label of ours on it is none.
#[tokio::test]
async fn a_namespace_that_only_looks_like_ours_is_left_alone() {
    let bed = Bed::new("lookalike").await;
    let labels = json!({ "openclaw.io/managed": "true", "openclaw.io/tenant": bed.tenant });
    let glass = bed.breaking_glass().await;
    glass.create("Namespace", None, &bed.namespace(), json!({ "metadata": { "labels": labels } })).await.expect("made");
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("RecordDisputed").await;
    assert!(message.contains("openclaw.io/tenant, incarnation, owner-hash and service-account"), "{message}");
    assert_eq!(bed.instance.writes_about(&bed.namespace()), Vec::<Value>::new());
    assert_eq!(bed.record().await, None);
}

/// `openclaw-` with `x-a` and `openclaw-x-` with `a` name one namespace: the first one has it.
#[tokio::test]
async fn of_two_classes_whose_prefixes_collide_the_second_tenant_stalls_and_names_the_first() {
    let mut first = Bed::new("collide").await;
    let mut class = example_class(Instance::shared());
    class["namespacePrefix"] = json!("openclaw-x-");
    let second = Bed::with_class(Instance::shared(), "collider", class).await;
    first.tenant = format!("x-{}", second.tenant);
    assert_eq!(first.namespace(), second.namespace());

    first.ready_tenant(json!({})).await;
    second.apply_tenant(json!({})).await.expect("taken");
    let message = second.stalled("NamespaceTaken").await;
    assert!(message.contains(&format!("it is tenant {}'s", first.tenant)), "{message}");
    assert_eq!(second.record().await, None);
    let name = format!("openclaw/{}/gateway-token", second.tenant);
    let described = second.instance.secrets().describe_secret().secret_id(name).send().await;
    assert!(described.is_err(), "nothing in AWS for a tenant that has no namespace");
    assert!(first.child("StatefulSet", &second.tenant).await.is_none());
    first.ready().await;
}

/// A tenant in the gateway's namespace could take the gateway's place.
#[tokio::test]
async fn a_namespace_that_a_gateway_uses_is_given_to_no_tenant() {
    let instance = Instance::shared();
    let mut bed = Bed::new("gateway").await;
    bed.delete("TenantClass", None, &bed.class).await;
    bed.prefix = "edge-".into();
    let mut class = example_class(instance);
    class["namespacePrefix"] = json!(bed.prefix);
    class["routing"]["gateways"][0]["namespace"] = json!(bed.namespace());
    bed.apply_class(class).await.expect("class");
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("NamespaceReserved").await;
    assert!(message.contains(&bed.namespace()) && message.contains("choose another name"), "{message}");
    assert_eq!(bed.get("Namespace", None, &bed.namespace()).await, None);
    assert_eq!(bed.record().await, None);
}

/// Nobody gets a namespace of Kubernetes' own.
#[tokio::test]
async fn a_class_whose_prefix_is_kubernetes_own_makes_nothing() {
    let instance = Instance::shared();
    let mut class = example_class(instance);
    class["namespacePrefix"] = json!("kube-");
    let bed = Bed::with_class(instance, "kubes", class).await;
    bed.apply_tenant(json!({})).await.expect("taken");
    let message = bed.stalled("ClassInvalid").await;
    assert!(message.contains("not kube-"), "{message}");
    assert_eq!(bed.get("Namespace", None, &bed.namespace()).await, None);
}
