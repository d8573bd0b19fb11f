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
    let pods: Vec<Value> = pods.iter().map(|name| json!({ "name": name, "namespace": "openclaw-alice" })).collect();
    json!({
        "metadata": { "name": format!("{policy}-x7k2p"), "namespace": "openclaw-alice", "uid": policy },
        "spec": { "policyRef": { "name": policy, "namespace": "openclaw-alice" }, "podSelectorEndpoints": pods },
    })
}

fn cilium_endpoint(ingress: bool, egress: bool) -> Value {
    json!({
        "metadata": { "name": "alice-0", "namespace": "openclaw-alice", "uid": "cep" },
        "status": {
            "state": "ready",
            "policy": { "ingress": { "enforcing": ingress }, "egress": { "enforcing": egress } },
        },
    })
}

#[test]
fn the_vpc_cni_vouches_only_with_endpoints_that_name_the_pod_for_each_policy() {
    let mut world = world("VpcCni", true, &json!({}));
    assert_eq!(reason(&mut world, "NetworkReady").0, "EnforcementPending");
    assert!(!world.ready().0, "the pod runs, and nothing shows that its policies are applied");
    for (policies, expected) in [
        (vec![("default-deny", vec!["alice-0"])], "EnforcementPending"),
        (vec![("default-deny", vec!["alice-0"]), ("alice", vec!["alice-1"])], "EnforcementPending"),
        (vec![("default-deny", vec!["alice-0"]), ("alice", vec!["alice-1", "alice-0"])], "Verified"),
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
fn cilium_vouches_only_with_both_directions() {
    let mut world = world("Cilium", true, &json!({}));
    assert_eq!(reason(&mut world, "NetworkReady").0, "EnforcementPending");
    for (ingress, egress, expected) in
        [(true, false, "EnforcementPending"), (false, true, "EnforcementPending"), (true, true, "Verified")]
    {
        world.cache.upsert(Watched::CiliumEndpoint, &cilium_endpoint(ingress, egress));
        assert_eq!(reason(&mut world, "NetworkReady").0, expected, "{ingress} {egress}");
    }
    assert_eq!(world.ready(), (true, "Verified".into()));
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
    world.cache.upsert(Watched::CiliumEndpoint, &cilium_endpoint(true, true));
    assert_eq!(world.ready(), (true, "Verified".into()));
    assert!(!world.pods.is_empty());
}

#[test]
fn names_that_are_taken_off_take_their_policy_with_them() {
    let network = json!({ "egressMode": "Allowlist" });
    let mut world = world("Cilium", true, &network);
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
    world.cache.upsert(Watched::CiliumEndpoint, &cilium_endpoint(true, true));
    let foreign = json!({
        "metadata": { "name": "open", "namespace": "openclaw-alice", "uid": "open" },
        "spec": { "endpointSelector": {}, "egress": [{ "toEntities": ["world"] }] },
    });
    world.cache.upsert(Watched::CiliumPolicy, &foreign);
    let (reason_of, message) = reason(&mut world, "NetworkReady");
    assert_eq!(reason_of, "ForeignPolicy");
    assert!(message.contains("CiliumNetworkPolicy open"), "{message}");
}
