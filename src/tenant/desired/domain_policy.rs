//! What may be reached by its name, where Cilium knows names, and what only a policy of Cilium's own can name: the pod's node.
//!
//! Cilium learns which addresses a name stands for from the answers of DNS that pass its proxy, and opens those. Names of a Tenant may
//! stand for anything their owner likes, so whatever they say, private and cluster addresses stay closed on the port that names open: a
//! denial outranks every allowance (Cilium documentation, Deny Policies), those of the NetworkPolicy beside it included. Excepted is what
//! that one opens on the same port. The judge of all this is Cilium's own policy engine: `tests/network`.

use serde_json::{Value, json};

use super::{network_policy::ports_of, object};
use crate::{
    api::class::Enforcement,
    tenant::{
        blueprint::Blueprint,
        child::Child,
        egress::{holds, parse_cidr},
        internet::{NOT_INTERNET_V4, NOT_INTERNET_V6},
    },
};

/// The port that names are opened on.
const NAMES_PORT: u16 = 443;

pub(super) fn domain_policy(blueprint: &Blueprint<'_>) -> Option<Value> {
    let knows_names = !blueprint.domains.is_empty();
    let is_enforced_by_cilium = blueprint.class.network.enforcement == Enforcement::Cilium;
    let mut egress = Vec::new();
    if knows_names {
        egress.extend([dns(), by_name(&blueprint.domains)]);
    }
    if is_enforced_by_cilium && blueprint.has_identity() {
        egress.push(pod_identity_agent());
    }
    if egress.is_empty() {
        return None;
    }
    let mut spec = json!({ "endpointSelector": {}, "egress": egress });
    if knows_names {
        spec["egressDeny"] = json!([{ "toCIDRSet": closed(blueprint), "toPorts": on(&[("TCP", NAMES_PORT)]) }]);
    }
    Some(object(Child::DomainPolicy, blueprint.tenant, blueprint.record, [("spec", spec)]))
}

fn by_name(domains: &[String]) -> Value {
    let names: Vec<Value> = domains.iter().map(|domain| name(domain)).collect();
    json!({ "toFQDNs": names, "toPorts": on(&[("TCP", NAMES_PORT)]) })
}

fn name(domain: &str) -> Value {
    if domain.starts_with("*.") { json!({ "matchPattern": domain }) } else { json!({ "matchName": domain }) }
}

/// The agent listens on an address of the pod's own node, and no range holds a node's addresses for Cilium: the NetworkPolicy's rule
/// does not reach it (cilium/cilium#34387).
fn pod_identity_agent() -> Value {
    json!({ "toEntities": ["host"], "toPorts": on(&[("TCP", 80)]) })
}

/// The cluster's DNS once more, through the proxy that learns from its answers; what the NetworkPolicy says of the same pods leads
/// nothing past it. A node-local cache has to be redirected to by Cilium (CiliumLocalRedirectPolicy): what runs on the node's own
/// network passes no proxy.
fn dns() -> Value {
    let mut ports = on(&[("UDP", 53), ("TCP", 53)]);
    ports[0]["rules"] = json!({ "dns": [{ "matchPattern": "*" }] });
    json!({
        "toEndpoints": [{
            "matchLabels": { "k8s:io.kubernetes.pod.namespace": "kube-system" },
            "matchExpressions": [
                { "key": "k8s:k8s-app", "operator": "In", "values": ["kube-dns", "node-local-dns"] },
            ],
        }],
        "toPorts": ports,
    })
}

fn on(ports: &[(&str, u16)]) -> Value {
    let port = |(protocol, port): &(&str, u16)| json!({ "port": port.to_string(), "protocol": protocol });
    json!([{ "ports": ports.iter().map(port).collect::<Vec<Value>>() }])
}

/// Ranges that no name opens, each without what the NetworkPolicy opens by address on the same port.
fn closed(blueprint: &Blueprint<'_>) -> Vec<Value> {
    let opened = opened(blueprint);
    let own = blueprint.settings.cluster_cidrs.iter().map(String::as_str);
    let mut closed: Vec<&str> = NOT_INTERNET_V4.iter().chain(&NOT_INTERNET_V6).copied().chain(own).collect();
    closed.sort_unstable();
    closed.dedup();
    let is_within = |inner: &str, outer: &str| match (parse_cidr(inner), parse_cidr(outer)) {
        (Some(inner), Some(outer)) => holds(outer, inner),
        _ => false,
    };
    let rule = |range: &&str| {
        if opened.iter().any(|open| is_within(range, open)) {
            return None;
        }
        let except: Vec<&&str> = opened.iter().filter(|open| is_within(open, range)).collect();
        Some(if except.is_empty() { json!({ "cidr": range }) } else { json!({ "cidr": range, "except": except }) })
    };
    closed.iter().filter_map(rule).collect()
}

/// What the NetworkPolicy opens by address on the port of names.
fn opened<'a>(blueprint: &'a Blueprint<'_>) -> Vec<&'a str> {
    let on_port = blueprint.cidrs.iter().filter(|rule| ports_of(rule).contains(&NAMES_PORT));
    let mut opened: Vec<&str> = on_port.map(|rule| rule.cidr.as_str()).collect();
    opened.sort_unstable();
    opened.dedup();
    opened
}
