//! What the operator renders is what the API server stores: for every kind, in every shape that a class can give it.
//!
//! The operator compares each child with what it wants in every pass, and writes what differs. So a tenant that became
//! Ready with nothing sent to any of its children but the one request that made it, was stored exactly as rendered.

use serde_json::{Value, json};

use crate::support::{Bed, Instance, example_class, merge};

/// A child's kind, as in URLs, and how many of it a tenant has.
const CHILDREN: [(&str, usize); 11] = [
    ("namespaces", 1),
    ("resourcequotas", 1),
    ("limitranges", 1),
    ("networkpolicies", 2),
    ("poddisruptionbudgets", 1),
    ("serviceaccounts", 1),
    ("persistentvolumeclaims", 1),
    ("configmaps", 1),
    ("services", 1),
    ("statefulsets", 1),
    ("httproutes", 1),
];

/// Makes a tenant of the example class with these changes, and asserts that each child was written once. Gives back the
/// bed, for looking at what the variant is about.
async fn stored_as_rendered(test: &str, class: Value, tenant: Value) -> Bed {
    let instance = Instance::shared();
    let mut spec = example_class(instance);
    merge(&mut spec, class);
    let bed = Bed::with_class(instance, test, spec).await;
    bed.ready_tenant(tenant).await;
    // Another pass, in which everything is compared as the watches show it, not as the answers to the writes did.
    bed.patch_tenant(json!({ "spec": { "displayName": "Alice" } })).await.expect("taken");
    bed.ready().await;
    assert_written_once(&bed);
    assert_eq!(bed.events("ForeignMutation").await, Vec::<String>::new(), "no rendering had to be learned");
    bed
}

fn assert_written_once(bed: &Bed) {
    let writes = bed.instance.writes_about(&bed.namespace());
    for (resource, count) in CHILDREN {
        let of_kind: Vec<&Value> = writes.iter().filter(|event| event["objectRef"]["resource"] == resource).collect();
        let made = |event: &&&Value| event["verb"] == "create" && event["responseStatus"]["code"] == 201;
        assert_eq!(of_kind.iter().filter(made).count(), count, "{resource}: {of_kind:#?}");
        // A refused create may be tried again: a claim has to wait for the quota's figures.
        let others: Vec<_> = of_kind.iter().filter(|event| event["verb"] != "create").collect();
        assert!(others.is_empty(), "{resource} did not come back as it was sent: {others:#?}");
    }
    let known = |event: &Value| CHILDREN.iter().any(|(resource, _)| event["objectRef"]["resource"] == *resource);
    assert!(writes.iter().all(known), "a kind of child that this test does not know of: {writes:#?}");
}

/// The class that everybody begins with.
#[tokio::test]
async fn the_plain_class_is_stored_as_rendered() {
    let bed = stored_as_rendered("plain", json!({}), json!({})).await;
    let route = bed.child("HTTPRoute", &bed.tenant).await.expect("route");
    assert_eq!(route["spec"]["rules"][0]["matches"][0]["path"]["value"], "/");
}

/// One host for all, a path for each, and a listener by name.
#[tokio::test]
async fn path_mode_is_stored_as_rendered() {
    let mut gateway = example_class(Instance::shared())["routing"]["gateways"][0].clone();
    gateway["sectionName"] = json!("shared");
    let routing = json!({ "mode": "Path", "acceptSharedOrigin": true, "gateways": [gateway] });
    let bed = stored_as_rendered("path", json!({ "routing": routing }), json!({})).await;
    let route = bed.child("HTTPRoute", &bed.tenant).await.expect("route");
    assert_eq!(route["spec"]["rules"][0]["matches"][0]["path"]["value"], format!("/t/{}", bed.tenant));
    assert_eq!(route["spec"]["parentRefs"][0]["sectionName"], "shared");
}

/// Both directions and both families, with ports and without.
#[tokio::test]
async fn an_allowlist_is_stored_as_rendered() {
    let network = json!({
        "egressMode": "Allowlist", "allowInstanceMetadata": true, "enforcement": "VpcCni",
        "cidrs": [{ "cidr": "10.20.0.0/16" }, { "cidr": "fd12::/64", "ports": [443, 8443] }],
        "ingressFrom": [{ "cidr": "10.0.0.0/16" }, { "namespaceLabels": { "team": "edge", "tier": "public" } }],
    });
    let own =
        json!({ "egress": { "cidrs": [{ "cidr": "203.0.113.0/24", "ports": [22, 443] }, { "cidr": "2600::/16" }] } });
    let bed = stored_as_rendered("allowlist", json!({ "network": network }), own).await;
    let policy = bed.child("NetworkPolicy", &bed.tenant).await.expect("policy").to_string();
    for range in ["10.20.0.0/16", "fd12::/64", "203.0.113.0/24", "2600::/16", "169.254.169.254/32"] {
        assert!(policy.contains(range), "{range}");
    }
    assert!(!policy.contains("0.0.0.0/0"));
}

/// The same ranges beside "every public host".
#[tokio::test]
async fn internet_mode_with_ranges_and_sources_is_stored_as_rendered() {
    let network = json!({
        "cidrs": [{ "cidr": "10.20.0.0/16", "ports": [5432] }],
        "ingressFrom": [{ "namespaceLabels": { "kubernetes.io/metadata.name": "ingress" } }],
    });
    stored_as_rendered("internet", json!({ "network": network }), json!({})).await;
}

/// A budget that blocks drains, and everything that says where and how the pod runs.
#[tokio::test]
async fn placement_and_runtime_are_stored_as_rendered() {
    let runtime = format!("sandbox-{}", std::process::id());
    let bed = Bed::new("runtime").await;
    bed.create("RuntimeClass", None, &runtime, json!({ "handler": "runsc" })).await.expect("RuntimeClass");
    let class = json!({
        "disruption": "Strict",
        "workload": {
            "image": { "pullPolicy": "Always" },
            "terminationGracePeriodSeconds": 45,
            "model": "amazon-bedrock/anthropic.claude-sonnet-4",
            "nodeSelector": { "kubernetes.io/os": "linux" },
            "runtimeClassName": runtime,
            "tolerations": [
                { "key": "dedicated", "operator": "Equal", "value": "tenants", "effect": "NoSchedule" },
                { "key": "without-operator", "value": "yes", "effect": "NoSchedule" },
                { "key": "spot", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30 },
            ],
        },
    });
    let bed = stored_as_rendered("placement", class, json!({})).await;
    let set = bed.child("StatefulSet", &bed.tenant).await.expect("set");
    assert_eq!(set["spec"]["template"]["spec"]["runtimeClassName"], runtime);
    let budget = bed.child("PodDisruptionBudget", &bed.tenant).await.expect("budget");
    assert_eq!(budget["spec"]["minAvailable"], 1);
}

/// A digest, variables (an empty value is dropped by the server), and skills.
#[tokio::test]
async fn images_by_digest_variables_and_skills_are_stored_as_rendered() {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let repository = "ghcr.io/openclaw/openclaw";
    let class = json!({
        "workload": { "env": [{ "name": "TZ", "value": "UTC" }, { "name": "EMPTY", "value": "" }] },
        "allow": { "imageRepositories": [repository], "env": ["LOG_*"], "skills": ["web-*"] },
    });
    let tenant = json!({
        "image": { "repository": repository, "digest": digest },
        "env": [{ "name": "LOG_LEVEL", "value": "debug" }, { "name": "LOG_FORMAT", "value": "" }, { "name": "LOG_B", "value": "$(TZ)" }],
        "skills": ["web-search"],
    });
    let bed = stored_as_rendered("digest", class, tenant).await;
    let set = bed.child("StatefulSet", &bed.tenant).await.expect("set");
    assert_eq!(set["spec"]["template"]["spec"]["containers"][0]["image"], format!("{repository}@{digest}"));
}

/// Quantities in every spelling: the server keeps one of them.
#[tokio::test]
async fn quantities_in_other_spellings_are_stored_as_rendered() {
    let class = json!({
        "quota": { "cpu": "4000m", "memory": "8192Mi", "persistentVolumeClaims": 2 },
        "limitRange": {
            "limits": { "cpu": "0.75", "memory": "1000M" }, "requests": { "cpu": "0.1", "memory": "134217728" },
        },
        "workload": { "requests": { "cpu": "0.25", "memory": "1G" }, "limits": { "cpu": "2.0", "memory": "2048Mi" } },
        "storage": { "size": "10240Mi" },
    });
    let tenant = json!({
        "resources": { "requests": { "cpu": "300m" }, "limits": { "cpu": "1.5", "memory": "1536Mi" } },
        "quota": { "cpu": "5.5", "memory": "9000000000", "pods": 12 },
        "storage": { "size": "12288Mi" },
    });
    let bed = stored_as_rendered("quantities", class, tenant).await;
    let quota = bed.child("ResourceQuota", &bed.tenant).await.expect("quota");
    assert_eq!(quota["spec"]["hard"]["limits.cpu"], "5500m");
    let claim = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "12Gi");
}

/// Where a default has no counterpart, the server makes one of the other.
#[tokio::test]
async fn defaults_that_name_only_some_resources_are_stored_as_rendered() {
    let memory = json!({ "limits": { "memory": "512Mi" }, "requests": { "memory": "128Mi" } });
    let bed = stored_as_rendered("memory-only", json!({ "limitRange": memory }), json!({})).await;
    let range = bed.child("LimitRange", &bed.tenant).await.expect("LimitRange");
    assert_eq!(range["spec"]["limits"][0]["default"], json!({ "memory": "512Mi" }));

    let uneven = json!({ "limits": { "cpu": "500m", "memory": "512Mi" }, "requests": { "memory": "128Mi" } });
    stored_as_rendered("uneven", json!({ "limitRange": uneven }), json!({})).await;
    stored_as_rendered("empty", json!({ "limitRange": { "limits": {}, "requests": {} } }), json!({})).await;
}

/// Outside of AWS: no identity, no secrets.
#[tokio::test]
async fn a_class_without_aws_is_stored_as_rendered() {
    let class = json!({ "identity": { "mode": "None" }, "secrets": { "mode": "None" } });
    let bed = stored_as_rendered("no-aws", class, json!({})).await;
    assert_eq!(bed.instance.calls(&bed.tenant).await, Vec::<Value>::new());
}
