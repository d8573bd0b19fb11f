//! Deny everything, then the allowlist of design section 7.

use serde_json::{Value, json};

use super::{fields, object};
use crate::{
    api::{
        class::{EgressMode, IngressSource, Interceptor},
        labels,
        tenant::CidrRule,
    },
    tenant::{
        blueprint::Blueprint,
        child::Child,
        internet::{NOT_INTERNET_V4, NOT_INTERNET_V6},
    },
};

/// Where the EKS Pod Identity agent listens on every node, port 80.
const POD_IDENTITY_AGENT: [&str; 2] = ["169.254.170.23/32", "fd00:ec2::23/128"];

/// Where the instance metadata service listens, port 80.
const INSTANCE_METADATA: [&str; 2] = ["169.254.169.254/32", "fd00:ec2::254/128"];

pub(super) fn default_deny(blueprint: &Blueprint<'_>) -> Value {
    let spec = json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] });
    object(Child::DefaultDeny, blueprint.tenant, blueprint.record, [("spec", spec)])
}

pub(super) fn allowlist(blueprint: &Blueprint<'_>) -> Value {
    let spec = fields([
        ("podSelector", json!({})),
        ("policyTypes", json!(["Ingress", "Egress"])),
        ("ingress", Value::Array(ingress(blueprint))),
        ("egress", Value::Array(egress(blueprint))),
    ]);
    object(Child::Allowlist, blueprint.tenant, blueprint.record, [("spec", spec)])
}

fn ingress(blueprint: &Blueprint<'_>) -> Vec<Value> {
    let mut gateway = json!({ "ports": [port("TCP", labels::GATEWAY_PORT)] });
    let mut sources: Vec<Value> = blueprint.class.network.ingress_from.iter().map(source).collect();
    // Where nobody is named, everybody may.
    if !sources.is_empty() {
        sources.extend(blueprint.scaler.map(|scaler| interceptor(&scaler.interceptor)));
    }
    if !sources.is_empty() {
        gateway["from"] = json!(sources);
    }
    vec![gateway, json!({ "from": [{ "podSelector": {} }] })]
}

fn source(source: &IngressSource) -> Value {
    match (&source.cidr, &source.namespace_labels) {
        (Some(cidr), _) => block(cidr),
        (None, labels) => json!({ "namespaceSelector": { "matchLabels": labels } }),
    }
}

fn interceptor(interceptor: &Interceptor) -> Value {
    let namespace = json!({ "matchLabels": { "kubernetes.io/metadata.name": interceptor.namespace } });
    if interceptor.pod_labels.is_empty() {
        return json!({ "namespaceSelector": namespace });
    }
    json!({ "namespaceSelector": namespace, "podSelector": { "matchLabels": interceptor.pod_labels } })
}

fn egress(blueprint: &Blueprint<'_>) -> Vec<Value> {
    let mut rules = vec![dns(blueprint), same_namespace()];
    if blueprint.has_identity() {
        rules.push(to_addresses(&POD_IDENTITY_AGENT, &[80]));
    }
    if blueprint.class.network.allow_instance_metadata {
        rules.push(to_addresses(&INSTANCE_METADATA, &[80]));
    }
    match blueprint.class.network.egress_mode {
        EgressMode::Internet => rules.push(internet(blueprint)),
        EgressMode::Allowlist => {}
    }
    rules.extend(blueprint.cidrs.iter().map(listed));
    rules
}

/// DNS by selector and by address: a node-local cache answers on an address that no pod has.
fn dns(blueprint: &Blueprint<'_>) -> Value {
    let mut to = vec![json!({
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } },
        "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
    })];
    to.extend(blueprint.settings.dns_addresses.iter().map(|address| block(&as_cidr(address))));
    fields([("to", Value::Array(to)), ("ports", Value::Array(vec![port("UDP", 53), port("TCP", 53)]))])
}

fn same_namespace() -> Value {
    json!({ "to": [{ "podSelector": {} }] })
}

fn internet(blueprint: &Blueprint<'_>) -> Value {
    let except = |fixed: &[&str], v6: bool| {
        let own = blueprint.settings.cluster_cidrs.iter().map(String::as_str).filter(|cidr| cidr.contains(':') == v6);
        let mut all: Vec<&str> = fixed.iter().copied().chain(own).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    json!({
        "to": [
            { "ipBlock": { "cidr": "0.0.0.0/0", "except": except(&NOT_INTERNET_V4, false) } },
            { "ipBlock": { "cidr": "::/0", "except": except(&NOT_INTERNET_V6, true) } },
        ],
        "ports": [port("TCP", 443)],
    })
}

fn listed(rule: &CidrRule) -> Value {
    to_addresses(&[rule.cidr.as_str()], ports_of(rule))
}

/// The ports that a listed range is opened on.
pub(super) fn ports_of(rule: &CidrRule) -> &[u16] {
    if rule.ports.is_empty() { &[443] } else { &rule.ports }
}

fn to_addresses(cidrs: &[&str], ports: &[u16]) -> Value {
    let to: Vec<Value> = cidrs.iter().map(|cidr| block(cidr)).collect();
    let ports: Vec<Value> = ports.iter().map(|number| port("TCP", *number)).collect();
    fields([("to", Value::Array(to)), ("ports", Value::Array(ports))])
}

fn block(cidr: &str) -> Value {
    json!({ "ipBlock": { "cidr": cidr } })
}

fn port(protocol: &str, port: u16) -> Value {
    json!({ "protocol": protocol, "port": port })
}

/// A single address as a range; a range stays as it is.
fn as_cidr(address: &str) -> String {
    match (address.contains('/'), address.contains(':')) {
        (true, _) => address.to_owned(),
        (false, true) => format!("{address}/128"),
        (false, false) => format!("{address}/32"),
    }
}
