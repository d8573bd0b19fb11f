//! What `NetworkReady` claims, and from what; policies of names where the cluster knows names.

use serde_json::{Value, json};

use super::{
    fixtures::{class_json, spec_json},
    rotating::reason,
    world::World,
};
use crate::tenant::{
    cache::Watched,
    child::{Child, Kind},
};

fn world(enforcement: &str, served: bool, network: &Value) -> World {
    let mut class = class_json();
    class["network"] = network.clone();
    class["network"]["enforcement"] = json!(enforcement);
    class["allow"]["egressDomains"] = json!(true);
    world_of(served, &class)
}

fn world_of(served: bool, class: &Value) -> World {
    let mut world = World::new();
    world.serve_optional(served);
    world.usual_class = class.clone();
    world.set_class(class);
    world.make_tenant(&spec_json());
    world.settle();
    world
}

fn policy_endpoint(policy: &str, pods: &[&str]) -> Value {
    let pod = |pod: &&str| {
        let (name, ip) = pod.split_once('@').expect("a name and an address");
        json!({ "name": name, "namespace": "openclaw-alice", "podIP": ip })
    };
    let pods: Vec<Value> = pods.iter().map(pod).collect();
    json!({
        "metadata": { "name": format!("{policy}-x7k2p"), "namespace": "openclaw-alice", "uid": policy },
        "spec": { "policyRef": { "name": policy, "namespace": "openclaw-alice" }, "podSelectorEndpoints": pods },
    })
}

/// As Cilium 1.20's agent writes it.
fn cilium_endpoint(world: &World, state: &str) -> Value {
    let pod = world.pods.values().next().expect("a pod");
    let owner = json!({ "kind": "Pod", "name": "alice-0", "uid": pod["metadata"]["uid"] });
    json!({
        "metadata": { "name": "alice-0", "namespace": "openclaw-alice", "uid": "cep", "ownerReferences": [owner] },
        "status": { "state": state, "networking": { "addressing": [{ "ipv4": "10.0.0.7" }] } },
    })
}

#[test]
fn the_vpc_cni_vouches_only_with_endpoints_that_name_the_pod_for_each_policy() {
    let mut world = world("VpcCni", true, &json!({}));
    assert_eq!(reason(&mut world, "NetworkReady").0, "EnforcementPending");
    assert!(!world.ready().0, "the pod runs, and nothing shows that its policies are applied");
    for (policies, expected) in [
        (vec![("default-deny", vec!["alice-0@10.0.0.7"])], "EnforcementPending"),
        (vec![("default-deny", vec!["alice-0@10.0.0.7"]), ("alice", vec!["alice-1@10.0.0.8"])], "EnforcementPending"),
        // A former pod of the same name.
        (vec![("default-deny", vec!["alice-0@10.0.0.7"]), ("alice", vec!["alice-0@10.0.0.6"])], "EnforcementPending"),
        (vec![("alice", vec!["alice-1@10.0.0.8", "alice-0@10.0.0.7"])], "Verified"),
    ] {
        for (policy, pods) in policies {
            world.cache.upsert(Watched::PolicyEndpoint, &policy_endpoint(policy, &pods));
        }
        assert_eq!(reason(&mut world, "NetworkReady").0, expected);
    }
    assert_eq!(world.ready(), (true, "Verified".into()));
    world.cache.remove(Watched::PolicyEndpoint, &policy_endpoint("alice", &[]));
    assert_eq!(reason(&mut world, "NetworkReady").0, "EnforcementPending", "taken away again");
}

#[test]
fn cilium_vouches_for_the_very_pod_that_it_manages() {
    let mut world = world("Cilium", true, &json!({}));
    assert_eq!(reason(&mut world, "NetworkReady").0, "EnforcementPending");
    for (state, expected) in [("regenerating", "EnforcementPending"), ("ready", "Verified")] {
        let endpoint = cilium_endpoint(&world, state);
        world.cache.upsert(Watched::CiliumEndpoint, &endpoint);
        assert_eq!(reason(&mut world, "NetworkReady").0, expected, "{state}");
    }
    assert_eq!(world.ready(), (true, "Verified".into()));
    // The next pod has the same name, and is another.
    world.pods.clear();
    world.settle();
    assert_eq!(reason(&mut world, "NetworkReady").0, "EnforcementPending");
}

#[test]
fn a_policy_that_cilium_does_not_take_needs_a_person() {
    let mut world = world("Cilium", true, &json!({}));
    let endpoint = cilium_endpoint(&world, "ready");
    world.cache.upsert(Watched::CiliumEndpoint, &endpoint);
    world.edit_child(Child::DomainPolicy, |policy| {
        policy["status"]["conditions"] =
            json!([{ "type": "Valid", "status": "False", "reason": "", "message": "no such port" }]);
    });
    let (reason_of, message) = reason(&mut world, "NetworkReady");
    assert_eq!(reason_of, "RequestRefused");
    assert!(message.contains("no such port"), "{message}");
}

#[test]
fn what_is_not_in_the_cluster_cannot_vouch_and_a_person_has_to_say_what_does() {
    for enforcement in ["VpcCni", "Cilium"] {
        let mut class = class_json();
        class["network"] = json!({ "enforcement": enforcement });
        class["identity"] = json!({ "mode": "None" });
        class["secrets"] = json!({ "mode": "None" });
        let mut world = world_of(false, &class);
        let (reason_of, message) = reason(&mut world, "NetworkReady");
        assert_eq!(reason_of, "EnforcementUnseen", "{enforcement}");
        assert!(message.contains("network.enforcement"), "{message}");
        assert_eq!(world.ready().1, "EnforcementUnseen");
    }
}

#[test]
fn with_an_identity_a_policy_of_cilium_s_own_is_missed_first() {
    let mut world = world("Cilium", false, &json!({}));
    assert_eq!(reason(&mut world, "NetworkReady").0, "KindNotServed");
    assert!(world.child(Child::StatefulSet).is_none() && world.pods.is_empty());
}

#[test]
fn a_suspended_tenant_has_no_pod_to_vouch_for() {
    let mut world = world("VpcCni", true, &json!({}));
    world.suspend(true);
    world.settle();
    assert_eq!(world.ready(), (true, "Suspended".into()));
}

#[test]
fn names_need_a_cluster_that_knows_them_and_no_workspace_starts_without() {
    let network = json!({ "egressMode": "Allowlist", "domains": ["api.example.com"] });
    let mut world = world("Cilium", false, &network);
    let (reason_of, message) = reason(&mut world, "NetworkReady");
    assert_eq!(reason_of, "KindNotServed");
    assert!(message.contains("CiliumNetworkPolicy") && message.contains("Install"), "{message}");
    assert!(world.child(Child::StatefulSet).is_none() && world.pods.is_empty());

    world.serve_optional(true);
    world.settle();
    assert_eq!(world.children[&Kind::CiliumNetworkPolicy].len(), 1);
    let endpoint = cilium_endpoint(&world, "ready");
    world.cache.upsert(Watched::CiliumEndpoint, &endpoint);
    assert_eq!(world.ready(), (true, "Verified".into()));
}

#[test]
fn names_that_are_taken_off_leave_no_more_than_the_node_s_agent() {
    let network = json!({ "egressMode": "Allowlist" });
    let mut world = world("Cilium", true, &network);
    let rules = |world: &World| {
        let policy = world.child(Child::DomainPolicy).expect("a policy");
        (policy["spec"]["egress"].as_array().expect("rules").len(), policy["spec"]["egressDeny"].is_null())
    };
    assert_eq!(rules(&world), (1, true), "to Cilium the Pod Identity agent is no address, but the node");
    world.edit_tenant(|spec| spec["egress"] = json!({ "domains": ["api.example.com"] }));
    world.settle();
    assert_eq!(names_in(&world), [false, true, false]);
    world.edit_tenant(|spec| spec["egress"] = json!({}));
    world.settle();
    assert_eq!(names_in(&world), [false]);
}

/// Of each egress rule of the CiliumNetworkPolicy whether it is one of names.
fn names_in(world: &World) -> Vec<bool> {
    let policy = world.child(Child::DomainPolicy).expect("it stands");
    let rules = policy["spec"]["egress"].as_array().expect("rules");
    rules.iter().map(|rule| rule.get("toFQDNs").is_some()).collect()
}

#[test]
fn a_policy_of_cilium_goes_with_what_it_was_for() {
    let mut world = world("Cilium", true, &json!({}));
    assert_eq!(world.children[&Kind::CiliumNetworkPolicy].len(), 1);
    let mut class = world.usual_class.clone();
    class["network"]["enforcement"] = json!("Declared");
    world.set_class(&class);
    world.settle();
    assert!(world.children[&Kind::CiliumNetworkPolicy].is_empty());
}

#[test]
fn a_name_that_is_everybody_s_is_refused() {
    let mut world = world("Cilium", true, &json!({ "egressMode": "Allowlist" }));
    for (domain, expected) in [("*.com", "EgressNotAllowed"), ("*.com.", "EgressNotAllowed")] {
        world.edit_tenant(|spec| spec["egress"] = json!({ "domains": [domain] }));
        assert_eq!(world.ready().1, expected, "{domain}");
    }
}

#[test]
fn a_foreign_policy_of_cilium_is_named() {
    let mut world = world("Cilium", true, &json!({}));
    let endpoint = cilium_endpoint(&world, "ready");
    world.cache.upsert(Watched::CiliumEndpoint, &endpoint);
    let foreign = json!({
        "metadata": { "name": "open", "namespace": "openclaw-alice", "uid": "open" },
        "spec": { "endpointSelector": {}, "egress": [{ "toEntities": ["world"] }] },
    });
    world.cache.upsert(Watched::CiliumPolicy, &foreign);
    let (reason_of, message) = reason(&mut world, "NetworkReady");
    assert_eq!(reason_of, "ForeignPolicy");
    assert!(message.contains("CiliumNetworkPolicy open"), "{message}");
}
