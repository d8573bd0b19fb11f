//! What only Cilium can say: what may be reached by its name, and the node that a pod runs on.
//!
//! Cilium learns which addresses a name stands for from the answers of DNS that pass its proxy, and opens those. Names of a Tenant may
//! stand for anything their owner likes, so whatever they say, private and cluster addresses stay closed: a denial outranks every
//! allowance (Cilium documentation, Deny Policies), those of the NetworkPolicy beside it included. Excepted is what that one opens.

use serde_json::{Value, json};

use super::{
    network_policy::{INSTANCE_METADATA, POD_IDENTITY_AGENT, as_cidr},
    object,
};
use crate::{
    api::class::Enforcement,
    tenant::{
        blueprint::Blueprint,
        child::Child,
        egress::{holds, is_public, parse_cidr},
        internet::{NOT_INTERNET_V4, NOT_INTERNET_V6},
    },
};

pub(super) fn domain_policy(blueprint: &Blueprint<'_>) -> Option<Value> {
    let is_cilium = blueprint.class.network.enforcement == Enforcement::Cilium;
    let mut egress = Vec::new();
    if is_cilium && blueprint.has_identity() {
        egress.push(agent());
    }
    let mut spec = json!({ "endpointSelector": {} });
    if !blueprint.domains.is_empty() {
        let names: Vec<Value> = blueprint.domains.iter().map(|domain| name(domain)).collect();
        egress.push(dns());
        egress.push(json!({ "toFQDNs": names, "toPorts": [ports(&["443"], "TCP")] }));
        spec["egressDeny"] = json!(denied(blueprint));
    }
    if egress.is_empty() {
        return None;
    }
    spec["egress"] = json!(egress);
    Some(object(Child::DomainPolicy, blueprint.tenant, blueprint.record, json!({ "spec": spec })))
}

fn ports(ports: &[&str], protocol: &str) -> Value {
    let ports: Vec<Value> = ports.iter().map(|port| json!({ "port": port, "protocol": protocol })).collect();
    json!({ "ports": ports })
}

/// The Pod Identity agent listens on the node itself, and to Cilium a node is no address: it has to be named as what it is.
fn agent() -> Value {
    json!({ "toEntities": ["host"], "toPorts": [ports(&["80"], "TCP")] })
}

/// Ranges that no name opens: on any port where nothing opens them by address, and on the port of names where that opens others.
fn denied(blueprint: &Blueprint<'_>) -> Vec<Value> {
    let opened = opened(blueprint);
    let on_names_port: Vec<String> = opened.iter().filter(|open| open.on_443).map(|open| open.cidr.clone()).collect();
    let elsewhere: Vec<&str> = opened.iter().filter(|open| !open.on_443).map(|open| open.cidr.as_str()).collect();
    let all: Vec<String> = opened.iter().map(|open| open.cidr.clone()).collect();
    let mut denied = vec![json!({ "toCIDRSet": without(&closed(blueprint), &all) })];
    let private: Vec<&str> = elsewhere.into_iter().filter(|cidr| !is_public(cidr)).collect();
    let on_443 = without(&private, &on_names_port);
    if !on_443.is_empty() {
        denied.push(json!({ "toCIDRSet": on_443, "toPorts": [ports(&["443"], "TCP")] }));
    }
    denied
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

/// Ranges that are nobody's to reach by a name.
fn closed<'a>(blueprint: &'a Blueprint<'_>) -> Vec<&'a str> {
    let own = blueprint.settings.cluster_cidrs.iter().map(String::as_str);
    let mut closed: Vec<&str> = NOT_INTERNET_V4.iter().chain(&NOT_INTERNET_V6).copied().chain(own).collect();
    closed.sort_unstable();
    closed.dedup();
    closed
}

/// Ranges without what lies in others.
fn without(ranges: &[&str], exceptions: &[String]) -> Vec<Value> {
    let is_within = |inner: &str, outer: &str| match (parse_cidr(inner), parse_cidr(outer)) {
        (Some(inner), Some(outer)) => holds(outer, inner),
        _ => false,
    };
    let rule = |range: &&str| {
        if exceptions.iter().any(|open| is_within(range, open)) {
            return None;
        }
        let except: Vec<&String> = exceptions.iter().filter(|open| is_within(open, range)).collect();
        Some(if except.is_empty() { json!({ "cidr": range }) } else { json!({ "cidr": range, "except": except }) })
    };
    ranges.iter().filter_map(rule).collect()
}

/// What the NetworkPolicy opens by address.
struct Opened {
    cidr: String,
    /// Whether on the port of names too.
    on_443: bool,
}

fn opened(blueprint: &Blueprint<'_>) -> Vec<Opened> {
    let agent = POD_IDENTITY_AGENT.iter().filter(|_| blueprint.has_identity());
    let metadata = INSTANCE_METADATA.iter().filter(|_| blueprint.class.network.allow_instance_metadata);
    let fixed = agent.chain(metadata).map(|cidr| Opened { cidr: (*cidr).to_owned(), on_443: false });
    let dns = blueprint.settings.dns_addresses.iter();
    let dns = dns.map(|address| Opened { cidr: as_cidr(address), on_443: false });
    let on_443 = |ports: &[u16]| ports.is_empty() || ports.contains(&443);
    let listed = blueprint.cidrs.iter().map(|rule| Opened { cidr: rule.cidr.clone(), on_443: on_443(&rule.ports) });
    let mut opened: Vec<Opened> = fixed.chain(dns).chain(listed).collect();
    opened.sort_by(|one, other| one.cidr.cmp(&other.cidr));
    opened.dedup_by(|one, other| {
        one.cidr == other.cidr && {
            other.on_443 |= one.on_443;
            true
        }
    });
    opened
}
