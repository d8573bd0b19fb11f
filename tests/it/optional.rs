//! Kinds that a cluster may do without: workspaces that sleep, policies of names, load balancers, and what shows that policies are
//! enforced.

use serde_json::{Value, json};

use crate::support::{Bed, Instance, OPTIONAL, condition, example_class, merge};

fn class(instance: &Instance, more: Value) -> Value {
    let mut class = example_class(instance);
    merge(&mut class, more);
    class
}

/// A bed whose workspaces sleep, with an interceptor of its own.
async fn sleepy(instance: &'static Instance, test: &str) -> Bed {
    let bed = Bed::on(instance, test).await;
    let interceptor = format!("keda-{}", bed.tenant);
    bed.make_interceptor(&interceptor).await;
    let scaler = json!({ "interceptor": { "namespace": interceptor } });
    let class = class(instance, json!({ "workload": { "scaleToZero": scaler } }));
    bed.apply_class(class).await.expect("class");
    bed
}

fn reason(tenant: &Value, part: &str) -> String {
    condition(tenant, part)["reason"].as_str().unwrap_or_default().to_owned()
}

fn stands(part: &'static str, why: &'static str) -> impl Fn(&Value) -> bool {
    move |tenant| reason(tenant, part) == why && condition(tenant, "Ready")["status"] == "True"
}

/// The grant lies with those of all tenants, and is looked for there.
async fn grant(bed: &Bed) -> Option<Value> {
    bed.get("ReferenceGrant", Some(&format!("keda-{}", bed.tenant)), &format!("openclaw-{}", bed.tenant)).await
}

#[tokio::test]
async fn a_workspace_sleeps_and_wakes_and_the_operator_never_fights_the_scaler() {
    let bed = sleepy(Instance::shared(), "sleeps").await;
    let _others = bed.let_others_work().await;
    bed.ready_tenant(json!({})).await;
    let route = bed.child("HTTPRoute", &bed.tenant).await.expect("a route");
    let backend = &route["spec"]["rules"][0]["backendRefs"][0];
    assert_eq!(backend["namespace"], format!("keda-{}", bed.tenant));
    assert!(grant(&bed).await.is_some());

    let settled = bed.instance.writes_about(&bed.namespace()).len();
    bed.keda_scales_to(0).await;
    bed.until("asleep", stands("WorkloadReady", "Asleep")).await;
    let no_pod = || async { bed.child("Pod", &format!("{}-0", bed.tenant)).await.is_none().then_some(()) };
    bed.until_so("the pod's end", no_pod).await;
    bed.keda_scales_to(1).await;
    bed.until("awake", stands("WorkloadReady", "Verified")).await;
    let writes = bed.instance.writes_about(&bed.namespace());
    assert_eq!(writes.len(), settled, "the scaler decides: {:#?}", &writes[settled..]);
}

#[tokio::test]
async fn a_sleeping_workspace_takes_a_changed_template_without_a_pod() {
    let bed = sleepy(Instance::shared(), "rolls-asleep").await;
    let _others = bed.let_others_work().await;
    bed.ready_tenant(json!({})).await;
    bed.keda_scales_to(0).await;
    bed.until("asleep", stands("WorkloadReady", "Asleep")).await;
    bed.patch_tenant(json!({ "spec": { "env": [{ "name": "LOG_LEVEL", "value": "debug" }] } })).await.expect("taken");
    let is_changed = |set: &Value| set["spec"]["template"].to_string().contains("LOG_LEVEL");
    let set = bed.until_child("StatefulSet", &bed.tenant, "changed", is_changed).await;
    assert_eq!(set["spec"]["replicas"], 0);
    bed.until("asleep", stands("WorkloadReady", "Asleep")).await;
}

#[tokio::test]
async fn suspending_takes_the_scaler_and_every_way_in_away_and_resuming_brings_them_back() {
    let bed = sleepy(Instance::shared(), "sleep-ends").await;
    let _others = bed.let_others_work().await;
    bed.ready_tenant(json!({})).await;
    bed.patch_tenant(json!({ "spec": { "suspend": true } })).await.expect("taken");
    bed.until("Suspended", |tenant| reason(tenant, "Ready") == "Suspended").await;
    for kind in ["ScaledObject", "InterceptorRoute", "HTTPRoute"] {
        assert_eq!(bed.child(kind, &bed.tenant).await, None, "{kind}");
    }
    assert_eq!(grant(&bed).await, None);
    bed.patch_tenant(json!({ "spec": { "suspend": false } })).await.expect("taken");
    bed.ready().await;
    assert!(grant(&bed).await.is_some() && bed.child("ScaledObject", &bed.tenant).await.is_some());
    // The scaler has not said yet that somebody comes.
    bed.until("asleep", stands("WorkloadReady", "Asleep")).await;

    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    assert_eq!(grant(&bed).await, None, "nothing of it is left in the interceptor's namespace");
}

#[tokio::test]
async fn a_sleeping_workspace_that_nobody_would_wake_is_not_ready() {
    let bed = sleepy(Instance::shared(), "sleepless").await;
    let others = bed.let_others_work().await;
    bed.ready_tenant(json!({})).await;
    let is_judged = |scaler: &Value| scaler["status"]["conditions"][0]["status"] == "True";
    bed.until_child("ScaledObject", &bed.tenant, "found in order", is_judged).await;
    drop(others);
    bed.keda_scales_to(0).await;
    bed.until("asleep", stands("WorkloadReady", "Asleep")).await;
    bed.set_ready("ScaledObject", false, "the scaler does not answer").await;
    let told = bed.until("not ready", |tenant| reason(tenant, "WorkloadReady") == "ScalerNotReady").await;
    assert_eq!(condition(&told, "Ready")["status"], "False");
    let message = condition(&told, "WorkloadReady")["message"].to_string();
    assert!(message.contains("the scaler does not answer"), "{message}");
}

#[tokio::test]
async fn a_policy_of_names_is_written_and_brought_back() {
    let instance = Instance::shared();
    let network = json!({ "egressMode": "Allowlist", "enforcement": "Cilium", "domains": ["*.example.org"] });
    let class = class(instance, json!({ "network": network, "allow": { "egressDomains": true } }));
    let bed = Bed::with_class(instance, "names", class).await;
    let _others = bed.let_others_work().await;
    bed.ready_tenant(json!({ "egress": { "domains": ["api.example.com"] } })).await;
    let policy = bed.child("CiliumNetworkPolicy", &bed.tenant).await.expect("a policy");
    let names = json!([{ "matchPattern": "*.example.org" }, { "matchName": "api.example.com" }]);
    assert_eq!(policy["spec"]["egress"][1]["toFQDNs"], names);
    let widened = json!({ "spec": { "egress": [{ "toEntities": ["world"] }] } });
    let glass = bed.breaking_glass().await;
    glass.patch("CiliumNetworkPolicy", Some(&bed.namespace()), &bed.tenant, widened).await.expect("widened");
    let is_back = |live: &Value| live["spec"] == policy["spec"];
    bed.until_child("CiliumNetworkPolicy", &bed.tenant, "as it was", is_back).await;
    glass.delete("CiliumNetworkPolicy", Some(&bed.namespace()), &bed.tenant).await;
    bed.until_child("CiliumNetworkPolicy", &bed.tenant, "there again", is_back).await;
}

#[tokio::test]
async fn what_the_class_says_enforces_policies_has_to_be_seen_doing_it() {
    for enforcement in ["VpcCni", "Cilium"] {
        let instance = Instance::shared();
        let class = class(instance, json!({ "network": { "enforcement": enforcement } }));
        let bed = Bed::with_class(instance, "vouched", class).await;
        bed.apply_tenant(json!({})).await.expect("taken");
        let is_unproven = |tenant: &Value| {
            reason(tenant, "WorkloadReady") == "Verified" && reason(tenant, "NetworkReady") == "EnforcementPending"
        };
        let told = bed.until("running, and not shown to be shut in", is_unproven).await;
        assert_eq!(condition(&told, "Ready")["status"], "False");
        let _others = bed.let_others_work().await;
        bed.ready().await;
    }
}

/// One platform for all of it: kinds come and go under a running operator.
#[tokio::test]
async fn kinds_that_come_and_go_are_used_while_they_are_there() {
    let instance = Instance::own();
    let _operator = instance.start_operator();
    let bed = sleepy(instance, "comes").await;
    let told = bed.ready_tenant(json!({})).await;
    assert_eq!(reason(&told, "WorkloadReady"), "ScalerNotServed");
    let names = class(
        instance,
        json!({ "network": { "egressMode": "Allowlist", "enforcement": "Cilium", "domains": ["a.example.com"] } }),
    );
    let other = Bed::with_class(instance, "named", names).await;
    other.apply_tenant(json!({})).await.expect("taken");
    assert!(other.stalled("KindNotServed").await.contains("CiliumNetworkPolicy"));

    instance.install_optional();
    let (_first, _second) = (bed.let_others_work().await, other.let_others_work().await);
    other.ready().await;
    bed.until_child("ScaledObject", &bed.tenant, "there", |_| true).await;
    bed.until("scaled", stands("WorkloadReady", "Verified")).await;
    bed.keda_scales_to(0).await;
    bed.until("asleep", stands("WorkloadReady", "Asleep")).await;

    // With the kind goes the scaler, and with that whoever would wake the workspace.
    bed.delete("CustomResourceDefinition", None, OPTIONAL[2]).await;
    bed.until("running all the time", stands("WorkloadReady", "ScalerNotServed")).await;
    let set = bed.child("StatefulSet", &bed.tenant).await.expect("a set");
    assert_eq!(set["spec"]["replicas"], 1);
    assert_eq!(grant(&bed).await, None);
}
