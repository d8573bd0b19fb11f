//! Faults of AWS: whatever goes wrong in between, the end is right, with nothing double and nothing lost.

use serde_json::{Value, json};

use crate::support::{Bed, Fault, condition};

async fn association_count(bed: &Bed) -> usize {
    let cluster = bed.instance.fact("/aws/clusterName");
    let eks = bed.instance.eks();
    let list = eks.list_pod_identity_associations().cluster_name(cluster).namespace(bed.namespace()).send().await;
    list.expect("list").associations().len()
}

async fn versions(bed: &Bed) -> usize {
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    let described = bed.instance.secrets().describe_secret().secret_id(name).send().await.expect("described");
    described.version_ids_to_stages().map_or(0, std::collections::HashMap::len)
}

/// A create whose answer is lost is found again, not repeated with another result.
#[tokio::test]
async fn a_lost_answer_to_a_create_leaves_one_of_everything() {
    let bed = Bed::new("lost").await;
    bed.instance.fault("CreatePodIdentityAssociation", &bed.namespace(), Fault::AnswerLost, 1).await;
    bed.instance.fault("CreateSecret", &bed.tenant, Fault::AnswerLost, 1).await;
    let tenant = bed.ready_tenant(json!({})).await;
    assert_eq!(association_count(&bed).await, 1);
    assert_eq!(versions(&bed).await, 1);
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    let value = bed.instance.secrets().get_secret_value().secret_id(name).send().await.expect("value");
    assert_eq!(tenant["status"]["secrets"][0]["versionId"].as_str(), value.version_id());
    let made = bed.instance.calls(&bed.tenant).await.into_iter().filter(|call| call["operation"] == "CreateSecret");
    assert_eq!(made.count(), 1, "what was made is found by looking, not by making again");
}

/// Each kind of failure of each create is told in a condition, and gone when the fault is.
#[tokio::test]
async fn a_failing_create_is_told_and_comes_right_when_the_fault_goes() {
    let rows = [
        (Fault::AccessDenied, "AccessDenied", true),
        (Fault::Throttled, "AwsUnavailable", false),
        (Fault::ServerError, "AwsUnavailable", false),
        (Fault::DroppedBefore, "AwsUnavailable", false),
    ];
    for (operation, part) in [("CreatePodIdentityAssociation", "IdentityReady"), ("CreateSecret", "SecretsReady")] {
        for (fault, reason, stalls) in rows {
            let bed = Bed::new("failing").await;
            let id = bed.instance.fault(operation, &bed.tenant, fault, 0).await;
            bed.apply_tenant(json!({})).await.expect("taken");
            let is_told = |tenant: &Value| condition(tenant, part)["reason"] == reason;
            let tenant = bed.until(&format!("{part} {reason} ({fault:?})"), is_told).await;
            assert_eq!(condition(&tenant, "Stalled")["status"] == "True", stalls, "{operation} {fault:?}");
            let waits = condition(&tenant, "WorkloadReady")["reason"].clone();
            assert_eq!(waits, "WaitingForEarlierPart", "S5: no workload without identity and secrets");
            // The Kubernetes half goes its way meanwhile.
            assert_eq!(condition(&tenant, "NetworkReady")["status"], "True");
            bed.instance.heal(&id).await;
            bed.ready().await;
            assert_eq!((association_count(&bed).await, versions(&bed).await), (1, 1), "{operation} {fault:?}");
        }
    }
}

/// A Tenant that is edited while AWS is down gets what it asks for in Kubernetes at once, and in AWS when that is back.
#[tokio::test]
async fn an_edit_while_aws_is_down_is_carried_out_when_it_is_back() {
    let bed = Bed::new("outage").await;
    bed.ready_tenant(json!({})).await;
    let mut faults = Vec::new();
    for operation in ["DescribeSecret", "CreateSecret", "TagResource", "DescribePodIdentityAssociation"] {
        faults.push(bed.instance.fault(operation, &bed.tenant, Fault::ServerError, 0).await);
    }
    let wish = json!({ "quota": { "pods": 12 }, "secrets": [{ "name": "extra" }], "budget": { "monthlyUSD": 9 } });
    bed.apply_tenant(wish).await.expect("edited");
    let is_twelve = |quota: &Value| quota["spec"]["hard"]["pods"] == "12";
    bed.until_child("ResourceQuota", &bed.tenant, "of twelve pods", is_twelve).await;
    let is_told = |tenant: &Value| condition(tenant, "SecretsReady")["reason"] == "AwsUnavailable";
    bed.until("told of the outage", is_told).await;
    for fault in faults {
        bed.instance.heal(&fault).await;
    }
    bed.ready().await;
    let name = format!("openclaw/{}/extra", bed.tenant);
    let described = bed.instance.secrets().describe_secret().secret_id(name).send().await.expect("described");
    assert!(described.tags().iter().any(|tag| tag.key() == Some("budget-usd") && tag.value() == Some("9")));
}

/// A deletion whose answer is lost is seen to have happened.
#[tokio::test]
async fn a_lost_answer_to_a_delete_ends_the_same() {
    let bed = Bed::new("lost-end").await;
    bed.ready_tenant(json!({})).await;
    bed.instance.fault("DeletePodIdentityAssociation", &bed.tenant, Fault::AnswerLost, 1).await;
    bed.instance.fault("TagResource", &bed.tenant, Fault::AnswerLost, 1).await;
    let tenant = bed.ready_tenant(json!({ "suspend": true })).await;
    assert_eq!(tenant["status"]["phase"], "Suspended");
    assert_eq!(association_count(&bed).await, 0);
}

/// S3, S6: while AWS does not confirm the end of access, the Tenant does not go.
#[tokio::test]
async fn a_tenant_does_not_go_before_aws_has_confirmed_the_end_of_access() {
    let bed = Bed::new("confirm").await;
    bed.ready_tenant(json!({})).await;
    let id = bed.instance.fault("DeletePodIdentityAssociation", &bed.tenant, Fault::AccessDenied, 0).await;
    bed.delete("Tenant", None, &bed.tenant).await;
    let is_told = |tenant: &Value| {
        tenant["status"]["phase"] == "Deleting"
            && condition(tenant, "Stalled")["message"]
                .as_str()
                .is_some_and(|message| message.contains("DeletePodIdentityAssociation"))
    };
    bed.until("told of the missing right", is_told).await;
    assert_eq!(association_count(&bed).await, 1);
    bed.instance.heal(&id).await;
    bed.gone().await;
    assert_eq!(association_count(&bed).await, 0);
}

/// EKS gives a pod no credentials before it knows the association, which can be seconds after it said that it is made.
#[tokio::test]
async fn a_workspace_starts_only_when_its_association_is_listed() {
    let bed = Bed::new("unlisted").await;
    let id = bed.instance.fault("ListPodIdentityAssociations", &bed.namespace(), Fault::Stale, 0).await;
    bed.apply_tenant(json!({})).await.expect("taken");
    let waits = |tenant: &Value| {
        let said = condition(tenant, "IdentityReady")["message"].as_str().unwrap_or_default().to_owned();
        said.contains("before EKS lists it") && condition(tenant, "SecretsReady")["status"] == "True"
    };
    bed.until("waiting for the listing and for nothing else", waits).await;
    assert!(bed.children("StatefulSet").await.is_empty(), "nothing starts");
    bed.instance.heal(&id).await;
    bed.ready().await;
    assert_eq!(association_count(&bed).await, 1);
}
