//! Kubernetes' own sums, and that nothing rendered escapes them.

use serde_json::json;

use super::*;
use crate::tenant::{
    desired::all,
    tests::objects::{Given, given},
};

fn sized(name: &str, cpu: &str, turn: Turn) -> Container {
    let amount = CpuMemory { cpu: Some(cpu.parse().expect("cpu")), memory: Some(Quantity::mebibytes(1)) };
    Container { name: name.to_owned(), turn, requests: amount, limits: amount }
}

fn cpu(containers: &[Container]) -> String {
    pod(containers, &Defaults::default()).amounts[&"limits.cpu"].to_string()
}

fn rendered(given: &Given) -> BTreeMap<Child, Option<Value>> {
    given.try_blueprint(|blueprint| all(&blueprint.expect("nothing is refused")))
}

fn refusal(given: &Given) -> Option<String> {
    check(&rendered(given)).err().map(|refusal| refusal.message)
}

fn template(given: &Given) -> Value {
    rendered(given)[&Child::StatefulSet].as_ref().expect("wanted")["spec"]["template"].clone()
}

#[test]
fn sidecars_run_with_the_containers_and_init_containers_before_them() {
    use Turn::{Before, Main, Throughout};
    let (gateway, relay) = (sized("gateway", "2", Main), sized("relay", "200m", Throughout));
    assert_eq!(cpu(&[sized("install", "100m", Before), relay.clone(), gateway.clone()]), "2200m");
    // An init container of its own size before the sidecar, and one that runs beside it.
    assert_eq!(cpu(&[sized("large", "3", Before), relay.clone(), gateway.clone()]), "3");
    assert_eq!(cpu(&[relay.clone(), sized("large", "3", Before), gateway.clone()]), "3200m");
    assert_eq!(cpu(&[relay.clone(), sized("small", "2", Before), sized("other", "1", Throughout), gateway]), "3200m");
}

#[test]
fn what_a_container_does_not_say_comes_from_its_limits_and_then_from_the_limit_range() {
    let template = json!({ "spec": { "containers": [{ "name": "a", "resources": { "limits": { "cpu": "2" } } }] } });
    let limit_range = json!({ "spec": { "limits": [{
        "type": "Container", "default": { "cpu": "9", "memory": "512Mi" }, "defaultRequest": { "memory": "128Mi" },
    }] } });
    let need = pod(&containers(&template), &Defaults::of(&limit_range));
    let amounts = need.amounts.iter().map(|(name, amount)| (*name, amount.to_string())).collect::<Vec<_>>();
    let expected = [
        ("limits.cpu", "2"),
        ("limits.memory", "512Mi"),
        ("pods", "1"),
        ("requests.cpu", "2"),
        ("requests.memory", "128Mi"),
    ];
    assert_eq!(amounts, expected.map(|(name, amount)| (name, amount.to_owned())));
    assert_eq!(need.unasked, Vec::new());
    let need = pod(&containers(&template), &Defaults::default());
    assert_eq!(need.unasked, [("a".to_owned(), "limits.memory"), ("a".to_owned(), "requests.memory")]);
}

/// Whatever has an image is a container, wherever the pod has it.
#[test]
fn every_container_of_the_rendered_pod_is_counted() {
    let template = template(&given(|_| {}, |_| {}));
    let images = template.to_string().matches("\"image\":").count();
    assert_eq!(containers(&template).len(), images);
    let names: Vec<String> = containers(&template).into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["install", "relay", "gateway"]);
}

/// Whatever the rendered quota names is either counted, or is nothing that the tenant may have at all.
#[test]
fn every_resource_of_the_rendered_quota_is_asked_for() {
    let wanted = rendered(&given(|_| {}, |_| {}));
    let quota = wanted[&Child::ResourceQuota].as_ref().expect("wanted");
    let Value::Object(hard) = quota["spec"]["hard"].clone() else { panic!("no map") };
    let none = ["services.loadbalancers", "services.nodeports"];
    let mut asked: Vec<&str> = COUNTED.into_iter().chain(none).collect();
    asked.sort_unstable();
    assert_eq!(hard.keys().map(String::as_str).collect::<Vec<_>>(), asked);
    assert!(none.iter().all(|name| hard[*name] == "0"));
    let pod = pod(&containers(&template(&given(|_| {}, |_| {}))), &Defaults::default());
    let claim = claim(wanted[&Child::Claim].as_ref().expect("wanted"));
    let mut needed: Vec<&str> = pod.amounts.keys().chain(claim.keys()).copied().collect();
    needed.sort_unstable();
    assert_eq!(needed, COUNTED);
}

#[test]
fn a_workspace_fits_its_quota_to_the_last_millicore() {
    let cpu = |cpu: &str| given(|class| class["quota"]["cpu"] = json!(cpu), |_| {});
    let limits = given(|_| {}, |_| {}).class.workload.limits.cpu.expect("a limit");
    let exactly = limits.plus(Quantity::milli(200));
    assert_eq!(refusal(&cpu(&exactly.to_string())), None);
    let less = format!("{}m", exactly.in_milli() - 1);
    let told = refusal(&cpu(&less)).expect("refused");
    let says = format!("its limits.cpu are {exactly}, above the namespace's quota {less}; raise");
    assert!(told.contains(&says), "{told}");
}

/// A class without limits is one whose LimitRange says them.
#[test]
fn limits_that_the_limit_range_gives_count() {
    let given = |memory: &str| {
        let memory = memory.to_owned();
        given(
            move |class| {
                class["workload"]["limits"] = json!({});
                class["workload"]["requests"] = json!({});
                class["limitRange"] = json!({ "limits": { "cpu": "1", "memory": memory } });
            },
            |_| {},
        )
    };
    assert_eq!(refusal(&given("2Gi")), None);
    let told = refusal(&given("9Gi")).expect("refused");
    assert!(told.contains("its limits.memory are 9344Mi, above the namespace's quota 8Gi"), "{told}");
}
