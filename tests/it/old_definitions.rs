//! A new operator meets the CustomResourceDefinitions of an older one: nothing is forgotten, and a person is told what to do.

use kube::Client;
use serde_json::{Value, json};

use crate::support::{Bed, Instance, condition, eventually, example_class};

const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");

/// The definition of an older version: without this field. The server takes it up a while after it has taken it: until then it
/// knows the field, what is written in between is written whole, and nobody has to be told anything.
async fn take_out(instance: &Instance, definition: &str, field: &str) {
    let at = format!("/spec/versions/0/schema/openAPIV3Schema/properties/{}", field.replace('.', "/properties/"));
    let patch = json!([{ "op": "remove", "path": at }]).to_string();
    instance.kubectl(&["patch", "crd", definition, "--type=json", "--patch", &patch]);
    let kind = instance.kubectl(&["get", "crd", definition, "--output=jsonpath={.spec.names.kind}"]);
    let client = instance.client().await;
    let unknown = || async { refuses(&client, definition, &kind, field).await.then_some(()) };
    assert!(eventually(unknown).await.is_some(), "{definition} still knows {field}");
}

/// Whether the server, asked to make an object with this field and to keep nothing of it, says that there is no such field.
async fn refuses(client: &Client, definition: &str, kind: &str, field: &str) -> bool {
    let plural = definition.trim_end_matches(".openclaw.io");
    let (part, name) = field.split_once('.').expect("a field of the spec or of the status");
    let object = json!({
        "apiVersion": "openclaw.io/v1alpha1",
        "kind": kind,
        "metadata": { "name": "never-made" },
        (part): { (name): {} },
    });
    let path = format!("/apis/openclaw.io/v1alpha1/{plural}?dryRun=All&fieldValidation=Strict");
    let request = http::Request::post(path).header("content-type", "application/json");
    let answer = client.request::<Value>(request.body(object.to_string().into_bytes()).expect("a request")).await;
    answer.is_err_and(|error| error.to_string().contains(&format!("unknown field \"{field}\"")))
}

/// The definition of the operator's own version, put over the older one.
fn upgrade(instance: &Instance) {
    instance.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", CRDS]);
}

/// Waits until the Tenant says which field is not known, of which definition, and what to do.
async fn told(bed: &Bed, field: &str, definition: &str) {
    let is_told = |tenant: &Value| {
        let stalled = condition(tenant, "Stalled");
        let message = stalled["message"].as_str().unwrap_or_default();
        let named = [format!("unknown field \"{field}\""), format!("CustomResourceDefinition {definition} is older")];
        stalled["reason"] == "RequestRefused"
            && condition(tenant, "Ready")["status"] == "False"
            && named.iter().all(|part| message.contains(part))
            && message.contains("kubectl apply --server-side -f crds/")
    };
    bed.until(&format!("told that {definition} does not know {field}"), is_told).await;
}

/// What the record cannot say is not done, and what it says already is not forgotten.
#[tokio::test]
async fn a_record_that_has_no_room_for_a_field_stops_what_hangs_on_it_and_says_what_to_apply() {
    let instance = Instance::own();
    take_out(instance, "tenantrecords.openclaw.io", "spec.template").await;
    let operator = instance.start_operator();
    let bed = Bed::on(instance, "old-record").await;
    bed.apply_class(example_class(instance)).await.expect("class");
    bed.apply_tenant(json!({})).await.expect("taken");
    told(&bed, "spec.template", "tenantrecords.openclaw.io").await;
    assert_eq!(bed.child("StatefulSet", &bed.tenant).await, None, "nothing is started that could not be recorded");
    upgrade(instance);
    bed.ready().await;

    // A field that only the status has: Ready goes all the same, though the status cannot be written as it should be.
    let record = bed.record().await.expect("record")["spec"].clone();
    take_out(instance, "tenants.openclaw.io", "status.gateway").await;
    bed.patch_tenant(json!({ "spec": { "displayName": "Alice" } })).await.expect("a change");
    told(&bed, "status.gateway", "tenants.openclaw.io").await;
    assert_eq!(bed.record().await.expect("record")["spec"], record, "nothing else has changed\n{}", operator.log());
    upgrade(instance);
    let tenant = bed.ready().await;
    assert!(tenant["status"]["gateway"].is_string(), "{tenant:#}");
}

/// What the roll-back of the definitions does to a field that only the newer ones have (docs/upgrade.md).
#[tokio::test]
async fn what_older_definitions_do_not_know_is_hidden_and_lost_with_the_next_write() {
    let instance = Instance::own();
    let mut class = example_class(instance);
    class["budgetMonthlyUSD"] = json!(7);
    let bed = Bed::with_class(instance, "old-class", class).await;
    let shows = |budget: Value| {
        let bed = &bed;
        let looks = move || {
            let budget = budget.clone();
            async move {
                let class = bed.get("TenantClass", None, &bed.class).await?;
                (class["spec"]["budgetMonthlyUSD"] == budget).then_some(())
            }
        };
        async move { bed.until_so("what the server shows of the class", looks).await }
    };
    shows(json!(7)).await;
    take_out(instance, "tenantclasses.openclaw.io", "spec.budgetMonthlyUSD").await;
    shows(Value::Null).await;
    upgrade(instance);
    shows(json!(7)).await;

    take_out(instance, "tenantclasses.openclaw.io", "spec.budgetMonthlyUSD").await;
    shows(Value::Null).await;
    bed.patch("TenantClass", None, &bed.class, json!({ "spec": { "quota": { "pods": 11 } } })).await.expect("a write");
    upgrade(instance);
    shows(json!(100)).await;
}
