//! One `kubectl apply` makes a whole tenant.

use serde_json::{Value, json};

use crate::support::{Bed, condition};

/// Every object of the design's table, once, from one Tenant.
#[tokio::test]
async fn one_apply_makes_all_eleven_objects() {
    let bed = Bed::new("create").await;
    let tenant = bed.ready_tenant(json!({})).await;
    let (name, namespace) = (bed.tenant.as_str(), bed.namespace());

    let live = bed.get("Namespace", None, &namespace).await.expect("namespace");
    assert_eq!(live["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    let incarnation =
        live["metadata"]["annotations"]["openclaw.io/incarnation"].as_str().expect("incarnation").to_owned();
    let uid = tenant["metadata"]["uid"].as_str().expect("uid").replace('-', "");
    assert_eq!(incarnation, uid[..10], "the first ten hex digits of the Tenant's UID");

    let quota = bed.child("ResourceQuota", name).await.expect("quota");
    assert_eq!(quota["spec"]["hard"]["limits.cpu"], "4");
    assert_eq!(quota["spec"]["hard"]["services.loadbalancers"], "0");
    assert!(bed.child("LimitRange", name).await.is_some());
    assert!(bed.child("NetworkPolicy", "default-deny").await.is_some());
    assert!(bed.child("NetworkPolicy", name).await.is_some());
    assert!(bed.child("PodDisruptionBudget", name).await.is_some());
    let account = bed.child("ServiceAccount", &format!("workspace-{incarnation}")).await.expect("ServiceAccount");
    assert_eq!(account["automountServiceAccountToken"], false);
    let claim = bed.child("PersistentVolumeClaim", name).await.expect("claim");
    let volume = bed.get("PersistentVolume", None, claim["spec"]["volumeName"].as_str().expect("bound")).await;
    assert_eq!(volume.expect("volume")["spec"]["persistentVolumeReclaimPolicy"], "Retain");
    assert!(bed.child("ConfigMap", name).await.is_some());
    assert!(bed.child("Service", name).await.is_some());
    let pod = bed.child("Pod", &format!("{name}-0")).await.expect("pod");
    let variables = pod["spec"]["containers"][0]["env"].as_array().expect("variables");
    assert!(variables.iter().any(|variable| variable["name"] == "AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    let route = bed.child("HTTPRoute", name).await.expect("route");
    assert_eq!(route["spec"]["hostnames"], json!([format!("{name}.openclaw.local")]));

    assert_eq!(tenant["status"]["phase"], "Ready");
    assert_eq!(tenant["status"]["url"], format!("http://{name}.openclaw.local/"));
    for part in ["Namespace", "Network", "Identity", "Secrets", "Storage", "Workload", "Route"] {
        assert_eq!(condition(&tenant, &format!("{part}Ready"))["status"], "True", "{part}");
    }
}

/// The association is the workspace's, tagged, and one.
#[tokio::test]
async fn the_association_is_made_once_and_tagged() {
    let bed = Bed::new("association").await;
    let tenant = bed.ready_tenant(json!({})).await;
    let account = tenant["status"]["identity"]["serviceAccount"].as_str().expect("ServiceAccount");
    let eks = bed.instance.eks();
    let cluster = bed.instance.fact("/aws/clusterName");
    let list = eks.list_pod_identity_associations().cluster_name(cluster).namespace(bed.namespace()).send().await;
    let list = list.expect("list");
    assert_eq!(list.associations().len(), 1);
    assert_eq!(list.associations()[0].service_account(), Some(account));
    let id = list.associations()[0].association_id().expect("id");
    let found = eks.describe_pod_identity_association().cluster_name(cluster).association_id(id).send().await;
    let found = found.expect("described").association.expect("association");
    let tags = found.tags().expect("tags");
    assert_eq!(tags["openclaw-tenant"], bed.tenant);
    assert_eq!(tags["openclaw-incarnation"], tenant["status"]["identity"]["incarnation"]);
    assert_eq!(tenant["status"]["identity"]["associationId"], id);
}

/// The gateway token is generated once, tagged for this workspace alone, and the pod is told its version.
#[tokio::test]
async fn the_gateway_token_is_generated_tagged_and_pinned() {
    let bed = Bed::new("secret").await;
    let tenant = bed.ready_tenant(json!({ "budget": { "monthlyUSD": 42 } })).await;
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    let secrets = bed.instance.secrets();
    let value = secrets.get_secret_value().secret_id(&name).send().await.expect("a value");
    assert_eq!(value.secret_string().map(str::len), Some(43), "32 bytes in URL-safe base64");
    let version = value.version_id().expect("version").to_owned();
    assert_eq!(tenant["status"]["secrets"][0]["versionId"], version);

    let described = secrets.describe_secret().secret_id(&name).send().await.expect("described");
    let tag = |key: &str| described.tags().iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value());
    let identity = &tenant["status"]["identity"];
    assert_eq!(tag("tenant-namespace"), Some(bed.namespace().as_str()));
    assert_eq!(tag("tenant-service-account"), identity["serviceAccount"].as_str());
    assert_eq!(tag("eks-cluster-arn"), Some(bed.instance.fact("/aws/clusterArn")));
    assert_eq!(tag("budget-usd"), Some("42"));

    let map = bed.child("ConfigMap", &bed.tenant).await.expect("ConfigMap");
    let pinned: Value =
        serde_json::from_str(map["data"]["secrets.json"].as_str().expect("secrets.json")).expect("JSON");
    assert_eq!(pinned["gateway-token"]["versionId"], version);
    let text = map.to_string();
    assert!(!text.contains(value.secret_string().expect("value")), "S9: no value in a Kubernetes object");
}

/// A person's own secret is made empty and tagged, and holds nobody up unless it is required.
#[tokio::test]
async fn a_tenant_s_own_secret_is_made_empty_and_a_required_one_is_waited_for() {
    let bed = Bed::new("own-secret").await;
    bed.ready_tenant(json!({ "secrets": [{ "name": "slack-bot-token" }] })).await;
    let name = format!("openclaw/{}/slack-bot-token", bed.tenant);
    let described = bed.instance.secrets().describe_secret().secret_id(&name).send().await.expect("described");
    assert!(described.version_ids_to_stages().is_none_or(std::collections::HashMap::is_empty), "no value");

    bed.apply_tenant(json!({ "secrets": [{ "name": "slack-bot-token", "required": true }] })).await.expect("applied");
    let message = bed.stalled("AwaitingValue").await;
    assert!(message.contains("put-secret-value"), "{message}");
}

/// S5: nothing of the workspace before what confines it, and S6: record and finalizer before anything external.
#[tokio::test]
async fn objects_are_made_in_the_order_that_the_rules_ask_for() {
    let bed = Bed::new("order").await;
    bed.ready_tenant(json!({})).await;
    let namespace = bed.namespace();
    let created = |resource: &str| {
        let is_it = |event: &Value| {
            let object = &event["objectRef"];
            event["verb"] == "create"
                && object["resource"] == resource
                && (object["namespace"] == namespace || object["name"] == bed.tenant || object["name"] == namespace)
                && event["responseStatus"]["code"] == 201
        };
        let events = bed.instance.audited(is_it);
        let time = events.last().map(|event| event["stageTimestamp"].as_str().unwrap_or_default().to_owned());
        time.unwrap_or_else(|| panic!("{resource} was not created"))
    };
    let workload = created("statefulsets");
    for earlier in [
        "tenantrecords",
        "namespaces",
        "resourcequotas",
        "limitranges",
        "networkpolicies",
        "serviceaccounts",
        "persistentvolumeclaims",
    ] {
        assert!(created(earlier) < workload, "{earlier} before the workload");
    }
    let calls = bed.instance.calls(&bed.tenant).await;
    let first = calls.iter().find(|call| call["mutating"] == true).expect("AWS was changed");
    assert!(created("tenantrecords").as_str() < first["time"].as_str().expect("time"), "the record before AWS");
    let before_workload = |operation: &str| {
        let call = calls.iter().find(|call| call["operation"] == operation).unwrap_or_else(|| panic!("{operation}"));
        call["time"].as_str().expect("time") < workload.as_str()
    };
    assert!(before_workload("CreatePodIdentityAssociation") && before_workload("CreateSecret"));
    let changes: Vec<&Value> = calls.iter().filter(|call| call["mutating"] == true).collect();
    assert_eq!(changes.len(), 2, "two changes in AWS make a tenant: {changes:?}");
}
