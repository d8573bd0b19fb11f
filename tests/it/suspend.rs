//! Suspend ends access and keeps everything; resume gives it all back.

use serde_json::{Value, json};

use crate::support::Bed;

async fn tag(bed: &Bed, key: &str) -> Option<String> {
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    let described = bed.instance.secrets().describe_secret().secret_id(name).send().await.expect("described");
    described.tags().iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value()).map(str::to_owned)
}

async fn associations(bed: &Bed) -> usize {
    let cluster = bed.instance.fact("/aws/clusterName");
    let eks = bed.instance.eks();
    let list = eks.list_pod_identity_associations().cluster_name(cluster).namespace(bed.namespace()).send().await;
    list.expect("list").associations().len()
}

/// Route, secrets, pods, association: all closed, nothing lost; and back.
#[tokio::test]
async fn suspend_ends_access_and_resume_gives_everything_back() {
    let bed = Bed::new("suspend").await;
    let before = bed.ready_tenant(json!({})).await;
    let volume = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim")["spec"]["volumeName"].clone();

    let tenant = bed.ready_tenant(json!({ "suspend": true })).await;
    assert_eq!(tenant["status"]["phase"], "Suspended");
    assert_eq!(crate::support::condition(&tenant, "Ready")["reason"], "Suspended");
    assert!(bed.child("HTTPRoute", &bed.tenant).await.is_none());
    assert!(bed.children("Pod").await.is_empty());
    assert_eq!(tag(&bed, "tenant-service-account").await.as_deref(), Some("revoked"));
    assert_eq!(associations(&bed).await, 0);
    let identity = crate::support::condition(&tenant, "IdentityReady");
    let message = identity["message"].as_str().unwrap_or_default();
    for part in ["Bedrock", "until 20", "kubernetes-service-account"] {
        assert!(message.contains(part), "what no tag stops is said: {message}");
    }

    let after = bed.ready_tenant(json!({ "suspend": false })).await;
    assert_eq!(after["status"]["phase"], "Ready");
    assert_eq!(after["status"]["secrets"], before["status"]["secrets"], "the same version of the token");
    assert_eq!(after["status"]["identity"]["serviceAccount"], before["status"]["identity"]["serviceAccount"]);
    assert_eq!(after["status"]["url"], before["status"]["url"]);
    let claim = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    assert_eq!(claim["spec"]["volumeName"], volume);
    assert_eq!(
        tag(&bed, "tenant-service-account").await.as_deref(),
        after["status"]["identity"]["serviceAccount"].as_str()
    );
    assert_eq!(associations(&bed).await, 1);
}

/// Secrets are closed before the association goes: sessions that live on are denied by the tag.
#[tokio::test]
async fn secrets_are_closed_before_the_association_goes() {
    let bed = Bed::new("closing").await;
    bed.ready_tenant(json!({})).await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let calls = bed.instance.calls(&bed.tenant).await;
    let last = |operation: &str| {
        let call = calls.iter().rev().find(|call| call["operation"] == operation);
        call.unwrap_or_else(|| panic!("no {operation} in {calls:?}"))["seq"].as_u64().expect("seq")
    };
    assert!(last("TagResource") < last("DeletePodIdentityAssociation"));
}

/// A Tenant that is made suspended gets everything but access.
#[tokio::test]
async fn a_tenant_made_suspended_is_whole_and_closed() {
    let bed = Bed::new("asleep").await;
    let tenant = bed.ready_tenant(json!({ "suspend": true })).await;
    assert_eq!(tenant["status"]["phase"], "Suspended");
    assert_eq!(bed.child("StatefulSet", &bed.tenant).await.expect("set")["spec"]["replicas"], 0);
    assert!(bed.child("HTTPRoute", &bed.tenant).await.is_none());
    assert_eq!(associations(&bed).await, 0);
    let is_bound = |claim: &Value| claim["status"]["phase"] == "Bound";
    bed.until_child("PersistentVolumeClaim", &bed.tenant, "bound", is_bound).await;
}
