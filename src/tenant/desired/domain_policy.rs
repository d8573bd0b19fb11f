//! What may be reached by its name, where Cilium knows names.
//!
//! Cilium learns which addresses a name stands for from the answers of DNS that pass its proxy, and opens those. Names of a Tenant may
//! stand for anything their owner likes, so whatever they say, private and cluster addresses stay closed: a denial outranks every
//! allowance (Cilium documentation, Deny Policies), those of the NetworkPolicy beside it included. Excepted is what that one opens.

use serde_json::{Value, json};

use super::{
    network_policy::{INSTANCE_METADATA, POD_IDENTITY_AGENT, as_cidr},
    object,
};
use crate::tenant::{
    blueprint::Blueprint,
    child::Child,
    egress::{holds, parse_cidr},
    internet::{NOT_INTERNET_V4, NOT_INTERNET_V6},
};

pub(super) fn domain_policy(blueprint: &Blueprint<'_>) -> Option<Value> {
    if blueprint.domains.is_empty() {
        return None;
    }
    let names: Vec<Value> = blueprint.domains.iter().map(|domain| name(domain)).collect();
    let spec = json!({
        "endpointSelector": {},
        "egress": [
            dns(),
            { "toFQDNs": names, "toPorts": [{ "ports": [{ "port": "443", "protocol": "TCP" }] }] },
        ],
        "egressDeny": [{ "toCIDRSet": closed(blueprint) }],
    });
    Some(object(Child::DomainPolicy, blueprint.tenant, blueprint.record, json!({ "spec": spec })))
}

fn name(domain: &str) -> Value {
    if domain.starts_with("*.") { json!({ "matchPattern": domain }) } else { json!({ "matchName": domain }) }
}

/// The cluster's DNS once more, through the proxy that learns from its answers. A node-local cache has to be redirected to by Cilium
/// (CiliumLocalRedirectPolicy): what runs on the node's own network passes no proxy.
fn dns() -> Value {
    let ports: Vec<Value> =
        ["UDP", "TCP"].iter().map(|protocol| json!({ "port": "53", "protocol": protocol })).collect();
    json!({
        "toEndpoints": [{
            "matchLabels": { "k8s:io.kubernetes.pod.namespace": "kube-system" },
            "matchExpressions": [
                { "key": "k8s:k8s-app", "operator": "In", "values": ["kube-dns", "node-local-dns"] },
            ],
        }],
        "toPorts": [{ "ports": ports, "rules": { "dns": [{ "matchPattern": "*" }] } }],
    })
}

/// Ranges that no name opens, each without what the NetworkPolicy opens by address.
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
        let except: Vec<&String> = opened.iter().filter(|open| is_within(open, range)).collect();
        Some(if except.is_empty() { json!({ "cidr": range }) } else { json!({ "cidr": range, "except": except }) })
    };
    closed.iter().filter_map(rule).collect()
}

/// What the NetworkPolicy opens by address.
fn opened(blueprint: &Blueprint<'_>) -> Vec<String> {
    let agent = POD_IDENTITY_AGENT.iter().filter(|_| blueprint.has_identity());
    let metadata = INSTANCE_METADATA.iter().filter(|_| blueprint.class.network.allow_instance_metadata);
    let fixed = agent.chain(metadata).map(|cidr| (*cidr).to_owned());
    let dns = blueprint.settings.dns_addresses.iter().map(|address| as_cidr(address));
    let listed = blueprint.cidrs.iter().map(|rule| rule.cidr.clone());
    let mut opened: Vec<String> = fixed.chain(dns).chain(listed).collect();
    opened.sort_unstable();
    opened.dedup();
    opened
}
