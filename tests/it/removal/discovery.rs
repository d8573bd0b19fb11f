//! A broken API service: it keeps every namespace of its cluster from going.

use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::{Value, json};

use super::phase;
use crate::support::{Bed, Instance, LOOKS_OFTEN, condition};

/// The API group that nobody serves.
const GROUP: &str = "broken.example.com";

/// Kubernetes empties a namespace only when it knows every kind that could be in it.
#[tokio::test]
async fn a_removal_that_a_broken_api_service_holds_says_so_and_goes_on_by_itself() {
    // Whatever it holds up: the platform ends with the test, however that ends, and the service with it.
    let instance = Instance::own();
    let _operator = instance.start_operator_with(&LOOKS_OFTEN);
    let bed = Bed::on(instance, "discovery").await;
    bed.ready_tenant(json!({ "deletionPolicy": "Delete" })).await;
    let kind = GroupVersionKind::gvk("apiregistration.k8s.io", "v1", "APIService");
    let services: Api<DynamicObject> =
        Api::all_with(bed.client.clone(), &ApiResource::from_gvk_with_plural(&kind, "apiservices"));
    let name = format!("v1.{GROUP}");
    let service = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": name },
        "spec": {
            "group": GROUP, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15,
            "insecureSkipTLSVerify": true, "service": { "namespace": "default", "name": "nobody" },
        },
    });
    let service = serde_json::from_value(service).expect("an object");
    services.create(&PostParams::default(), &service).await.expect("registered");
    let is_broken = || async {
        let service = json!(services.get(&name).await.ok()?);
        let conditions = service["status"]["conditions"].as_array()?.clone();
        conditions.iter().any(|one| one["type"] == "Available" && one["status"] == "False").then_some(())
    };
    bed.until_so("the API server's word that nobody serves it", is_broken).await;

    bed.delete("Tenant", None, &bed.tenant).await;
    let held = || async {
        let namespace = bed.get("Namespace", None, &bed.namespace()).await?;
        let held = condition(&namespace, "NamespaceDeletionDiscoveryFailure");
        held["message"].as_str().filter(|_| held["status"] == "True").map(str::to_owned)
    };
    let held = bed.until_so("the namespace controller's word that it cannot go on", held).await;
    assert!(held.contains(GROUP), "{held}");
    let names_it = |tenant: &Value| {
        condition(tenant, "Reconciling")["message"].as_str().is_some_and(|message| message.contains(&held))
    };
    bed.until("told with its blocker", names_it).await;
    let record = bed.record().await.expect("record");
    assert_eq!(phase(&record), "Purging");
    let volume = record["spec"]["storage"]["volume"]["name"].as_str().expect("a volume").to_owned();
    assert!(bed.get("PersistentVolume", None, &volume).await.is_some(), "the data goes last");

    services.delete(&name, &DeleteParams::default()).await.expect("removed");
    bed.gone().await;
    assert_eq!(phase(&bed.record().await.expect("record")), "Purged");
    assert_eq!(bed.get("Namespace", None, &bed.namespace()).await, None);
    assert_eq!(bed.get("PersistentVolume", None, &volume).await, None);
}
