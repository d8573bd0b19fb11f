//! The rules in CEL that the definitions carry beside their schemas, mirrored: CEL itself is not worth what an interpreter brings
//! along ([decision 17](../../docs/decisions/0017-rules-in-cel-are-mirrored.md)).
//!
//! PURE. Place and message come from the definition; a test fails where a rule has no counterpart here. Rules that compare with the
//! former object (`oldSelf`) need that object: a rehearsal against the cluster judges them.

use std::net::IpAddr;

use serde_json::Value;

use super::schema::Problem;
use crate::{
    api::{
        labels::GATEWAY_TOKEN,
        names::{RESERVED_TENANT_NAMES, TenantName},
    },
    tenant::egress::parse_cidr,
};

/// Whether a value, with its defaults in place, keeps a rule.
type Keeps = fn(&Value) -> bool;

fn has(value: &Value, field: &str) -> bool {
    !value[field].is_null()
}

/// As Kubernetes reads ranges in CEL: no padded length, and no IPv4 address in the clothes of IPv6.
fn is_cidr(value: &Value) -> bool {
    let bits = value.as_str().and_then(|text| text.rsplit_once('/')).map_or("", |(_, bits)| bits);
    let is_plain = bits == "0" || bits.starts_with(|one: char| ('1'..='9').contains(&one));
    let address = value.as_str().and_then(parse_cidr).map(|(address, _)| address);
    is_plain && address.is_some_and(|it| !matches!(it, IpAddr::V6(it) if it.to_ipv4_mapped().is_some()))
}

/// Whether a range has no host bits set.
fn is_masked(value: &Value) -> bool {
    match value.as_str().and_then(parse_cidr) {
        Some((IpAddr::V4(address), bits)) => u32::from(address).checked_shl(u32::from(bits)).unwrap_or(0) == 0,
        Some((IpAddr::V6(address), bits)) => u128::from(address).checked_shl(u32::from(bits)).unwrap_or(0) == 0,
        None => false,
    }
}

fn name_of(value: &Value) -> &str {
    value["metadata"]["name"].as_str().unwrap_or_default()
}

fn has_no_schedule_for_a_copied_token(class: &Value) -> bool {
    let generated = class["spec"]["secrets"]["generated"].as_array().into_iter().flatten();
    class["spec"]["login"]["tokenSource"] == "SecretsManager"
        || generated.into_iter().all(|item| item["name"] != GATEWAY_TOKEN || !has(item, "rotateEveryDays"))
}

fn has_its_time_to_start(class: &Value) -> bool {
    let scaler = &class["spec"]["workload"]["scaleToZero"];
    let (idle, wake) = (scaler["idleSeconds"].as_i64(), scaler["wakeSeconds"].as_i64());
    let rollout = &class["spec"]["rollout"];
    scaler.is_null() || rollout.is_null() || (idle >= rollout["deadlineSeconds"].as_i64() && idle >= wake)
}

/// Each rule with its counterpart.
const COUNTERPARTS: [(&str, Keeps); 16] = [
    ("isCIDR(self) && cidr(self) == cidr(self).masked()", |it| is_cidr(it) && is_masked(it)),
    ("isCIDR(self)", is_cidr),
    ("self != 'latest'", |it| it != "latest"),
    ("!self.startsWith('system:')", |it| !it.as_str().is_some_and(|name| name.starts_with("system:"))),
    ("has(self.tag) != has(self.digest)", |it| has(it, "tag") != has(it, "digest")),
    ("self.metadata.name.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$') && size(self.metadata.name) <= 40", |it| {
        // A reserved name is the next rule's.
        let name = name_of(it);
        is_reserved(name) || name.parse::<TenantName>().is_ok()
    }),
    (
        "!(self.metadata.name in ['system', 'default', 'operator', 'gateway', 'admin', 'shared', 'public', 'openclaw']) && !self.metadata.name.startsWith('kube-')",
        |it| !is_reserved(name_of(it)),
    ),
    ("size(self.metadata.name) <= 63", |it| name_of(it).len() <= 63),
    (
        "!has(self.spec.secrets) || !has(self.spec.secrets.generated) || (has(self.spec.login) && has(self.spec.login.tokenSource) && self.spec.login.tokenSource == 'SecretsManager') || self.spec.secrets.generated.all(item, item.name != 'gateway-token' || !has(item.rotateEveryDays))",
        has_no_schedule_for_a_copied_token,
    ),
    (
        "!has(self.spec.workload.scaleToZero) || !has(self.spec.rollout) || (self.spec.workload.scaleToZero.idleSeconds >= self.spec.rollout.deadlineSeconds && self.spec.workload.scaleToZero.idleSeconds >= self.spec.workload.scaleToZero.wakeSeconds)",
        has_its_time_to_start,
    ),
    ("self.mode != 'SharedRole' || has(self.roleArn)", |it| it["mode"] != "SharedRole" || has(it, "roleArn")),
    ("self.mode != 'RolePerTenant' || has(self.permissionsBoundaryArn)", |it| {
        it["mode"] != "RolePerTenant" || has(it, "permissionsBoundaryArn")
    }),
    ("self.mode != 'RolePerTenant' || !has(self.roleArn)", |it| it["mode"] != "RolePerTenant" || !has(it, "roleArn")),
    ("has(self.cidr) != has(self.namespaceLabels)", |it| has(it, "cidr") != has(it, "namespaceLabels")),
    ("self.mode != 'Path' || self.acceptSharedOrigin", |it| it["mode"] != "Path" || it["acceptSharedOrigin"] == true),
    (
        "self.mode == 'None' || !has(self.generated) || self.generated.exists(item, item.name == 'gateway-token')",
        |it| {
            let mut generated = it["generated"].as_array().into_iter().flatten();
            it["mode"] == "None" || !has(it, "generated") || generated.any(|item| item["name"] == GATEWAY_TOKEN)
        },
    ),
];

fn is_reserved(name: &str) -> bool {
    RESERVED_TENANT_NAMES.contains(&name) || name.starts_with("kube-")
}

/// The rules of a schema at one place, without those that compare with the former object: text and message.
fn rules_at(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let rules = rules.filter_map(|rule| Some((rule["rule"].as_str()?, rule["message"].as_str().unwrap_or_default())));
    rules.filter(|(rule, _)| !rule.contains("oldSelf"))
}

/// Rules that a value, with its defaults in place, breaks.
pub fn broken(schema: &Value, value: &Value, path: &str) -> Vec<Problem> {
    if value.is_null() {
        return Vec::new();
    }
    let keeps =
        |rule: &str| COUNTERPARTS.iter().find(|(known, _)| *known == rule).is_none_or(|(_, keeps)| keeps(value));
    let mut found: Vec<Problem> =
        rules_at(schema).filter(|(rule, _)| !keeps(rule)).map(|(_, message)| Problem::new(&path, message)).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let place = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        found.extend(broken(property, &value[name], &place));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(broken(&schema["items"], item, &format!("{path}[{index}]")));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::check::schema;

    fn collect(schema: &Value, found: &mut BTreeSet<String>) {
        found.extend(rules_at(schema).map(|(rule, _)| rule.to_owned()));
        schema["properties"].as_object().into_iter().flatten().for_each(|(_, property)| collect(property, found));
        for keyword in ["items", "additionalProperties"] {
            if schema[keyword].is_object() {
                collect(&schema[keyword], found);
            }
        }
    }

    #[test]
    fn every_rule_of_the_definitions_has_a_counterpart_and_the_other_way_round() {
        let mut found = BTreeSet::new();
        for kind in ["Tenant", "TenantClass"] {
            collect(&schema::of(kind).expect("a kind of ours"), &mut found);
        }
        let mirrored: BTreeSet<String> = COUNTERPARTS.iter().map(|(rule, _)| (*rule).to_owned()).collect();
        assert_eq!(found, mirrored);
    }

    fn told(kind: &str, object: &Value) -> Vec<String> {
        let schema = schema::of(kind).expect("a kind of ours");
        let mut object = object.clone();
        schema::fill(&schema, &mut object);
        broken(&schema, &object, "").into_iter().map(|one| format!("{}: {}", one.path, one.message)).collect()
    }

    #[test]
    fn a_tenant_that_breaks_rules_is_told_in_the_words_of_the_definition() {
        let spec = json!({
            "owner": { "email": "a@b.c" },
            "image": { "tag": "latest", "digest": "sha256:0" },
            "egress": { "cidrs": [
                { "cidr": "203.0.113.1/24" }, { "cidr": "x" }, { "cidr": "203.0.113.0/+8" }, { "cidr": "203.0.113.0/24" },
                { "cidr": "2600::/16" }, { "cidr": "2600::1/16" }, { "cidr": "::ffff:203.0.113.0/120" },
            ] },
        });
        let range = "use an address range in CIDR form with no host bits set, such as 203.0.113.0/24";
        assert_eq!(
            told("Tenant", &json!({ "metadata": { "name": "Alice" }, "spec": spec })),
            [
                ": the name must be 1 to 40 lower-case letters, digits and hyphens, beginning with a letter and ending with a letter or digit".to_owned(),
                format!("spec.egress.cidrs[0].cidr: {range}"),
                format!("spec.egress.cidrs[1].cidr: {range}"),
                format!("spec.egress.cidrs[2].cidr: {range}"),
                format!("spec.egress.cidrs[5].cidr: {range}"),
                format!("spec.egress.cidrs[6].cidr: {range}"),
                "spec.image: name the image by exactly one of tag and digest".to_owned(),
                "spec.image.tag: pin the image: latest is not taken".to_owned(),
            ]
        );
        let reserved =
            told("Tenant", &json!({ "metadata": { "name": "kube-x" }, "spec": { "owner": { "email": "a@b.c" } } }));
        assert_eq!(reserved.len(), 1, "{reserved:?}");
        assert!(reserved[0].contains("reserved for the platform"), "{reserved:?}");
    }

    fn class(more: &Value) -> Vec<String> {
        let mut spec = json!({
            "storage": { "className": "efs" },
            "identity": { "mode": "None" },
            "workload": { "image": { "repository": "r", "tag": "1" } },
            "routing": { "mode": "Host", "gateways": [{ "namespace": "g", "name": "g", "domain": "e.com" }] },
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        let told = told("TenantClass", &json!({ "metadata": { "name": "c" }, "spec": spec }));
        told.into_iter().map(|one| one.split(": ").next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn each_rule_of_a_class_is_kept_and_broken() {
        assert_eq!(class(&json!({})), Vec::<String>::new());
        let broken = [
            (json!({ "identity": { "mode": "SharedRole" } }), "spec.identity"),
            (json!({ "identity": { "mode": "RolePerTenant" } }), "spec.identity"),
            (
                json!({ "identity": { "mode": "RolePerTenant", "permissionsBoundaryArn": "b", "roleArn": "r" } }),
                "spec.identity",
            ),
            (json!({ "network": { "cidrs": [{ "cidr": "10.0.0.1/8" }] } }), "spec.network.cidrs[0].cidr"),
            (json!({ "network": { "ingressFrom": [{ "cidr": "10" }] } }), "spec.network.ingressFrom[0].cidr"),
            (json!({ "network": { "ingressFrom": [{}] } }), "spec.network.ingressFrom[0]"),
            (json!({ "routing": { "mode": "Path", "gateways": [] } }), "spec.routing"),
            (json!({ "secrets": { "mode": "SecretsManager", "generated": [{ "name": "other" }] } }), "spec.secrets"),
            (json!({ "secrets": { "generated": [{ "name": "gateway-token", "rotateEveryDays": 9 }] } }), ""),
            (json!({ "workload": { "image": { "repository": "r" } } }), "spec.workload.image"),
            (json!({ "workload": { "image": { "repository": "r", "tag": "latest" } } }), "spec.workload.image.tag"),
        ];
        for (more, place) in broken {
            assert_eq!(class(&more), [place], "{more}");
        }
        let reads = json!({
            "secrets": { "generated": [{ "name": "gateway-token", "rotateEveryDays": 9 }] },
            "login": { "tokenSource": "SecretsManager" },
        });
        assert_eq!(class(&reads), Vec::<String>::new());
    }
}
