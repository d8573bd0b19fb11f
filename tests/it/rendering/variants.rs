//! The shapes that a class and a Tenant can give to the objects of a tenant.

use serde_json::{Value, json};

use crate::{
    role_per_tenant,
    support::{Instance, example_class, merge},
};

/// The RuntimeClass that a variant names.
pub const RUNTIME: &str = "openclaw-rendering";

/// The namespace of the interceptor that variants name.
pub const INTERCEPTOR: &str = "keda-of-the-variants";

/// What is changed of the example class and of the smallest Tenant (`null` takes a field away), and what shows it.
pub struct Variant {
    pub class: Value,
    pub tenant: Value,
    /// Kind of a child that has the tenant's name, a place in it, and what is there.
    pub shows: Vec<(&'static str, &'static str, Value)>,
    /// Whether the workspace runs; there is no route where it does not.
    pub is_suspended: bool,
    /// Kinds of which it has one beside what every tenant has, as in URLs.
    pub beside: Vec<&'static str>,
}

fn variant<const N: usize>(class: Value, tenant: Value, shows: [(&'static str, &'static str, Value); N]) -> Variant {
    Variant { class, tenant, shows: shows.into(), is_suspended: false, beside: Vec::new() }
}

pub fn plain(_: &Instance) -> Variant {
    let path = ("HTTPRoute", "/spec/rules/0/matches/0/path/value", json!("/"));
    variant(json!({}), json!({}), [path])
}

fn gateway(instance: &Instance) -> Value {
    example_class(instance)["routing"]["gateways"][0].clone()
}

pub fn path_mode(instance: &Instance) -> Variant {
    let mut gateway = gateway(instance);
    gateway["sectionName"] = json!("shared");
    let routing = json!({ "mode": "Path", "acceptSharedOrigin": true, "gateways": [gateway] });
    let section = ("HTTPRoute", "/spec/parentRefs/0/sectionName", json!("shared"));
    variant(json!({ "routing": routing }), json!({}), [section])
}

pub fn one_of_several_gateways(instance: &Instance) -> Variant {
    let (mut first, mut second) = (gateway(instance), gateway(instance));
    merge(&mut first, json!({ "name": "elsewhere", "domain": "elsewhere.example.com", "cordoned": true }));
    merge(&mut second, json!({ "scheme": "https", "sectionName": "http", "capacity": 9000, "cordoned": false }));
    let section = ("HTTPRoute", "/spec/parentRefs/0/sectionName", json!("http"));
    variant(json!({ "routing": { "gateways": [first, second] } }), json!({}), [section])
}

pub fn allowlist(_: &Instance) -> Variant {
    let network = json!({
        "egressMode": "Allowlist", "allowInstanceMetadata": true, "enforcement": "VpcCni",
        "cidrs": [{ "cidr": "10.20.0.0/16" }, { "cidr": "fd12::/64", "ports": [1, 65535] }],
        "ingressFrom": [{ "cidr": "10.0.0.0/16" }, { "namespaceLabels": { "team": "edge", "tier": "public" } }],
    });
    let own = json!([{ "cidr": "203.0.113.0/24", "ports": [22, 443] }, { "cidr": "2600::/16" }]);
    let shows = [
        ("/spec/egress/3/to/0/ipBlock/cidr", "169.254.169.254/32"),
        ("/spec/egress/4/to/0/ipBlock/cidr", "10.20.0.0/16"),
        ("/spec/egress/5/to/0/ipBlock/cidr", "fd12::/64"),
        ("/spec/egress/6/to/0/ipBlock/cidr", "203.0.113.0/24"),
        ("/spec/egress/7/to/0/ipBlock/cidr", "2600::/16"),
    ];
    let shows = shows.map(|(place, range)| ("NetworkPolicy", place, json!(range)));
    variant(json!({ "network": network }), json!({ "egress": { "cidrs": own } }), shows)
}

pub fn internet_with_ranges(_: &Instance) -> Variant {
    let network = json!({
        "egressMode": "Internet", "enforcement": "Cilium",
        "cidrs": [{ "cidr": "10.20.0.0/16", "ports": [5432] }],
        // Host bits are the server's to judge: it takes them.
        "ingressFrom": [
            { "cidr": "10.0.0.5/16" }, { "cidr": "fd12:3456::/48" },
            { "namespaceLabels": { "kubernetes.io/metadata.name": "ingress" } },
        ],
    });
    let source = ("NetworkPolicy", "/spec/ingress/0/from/0/ipBlock/cidr", json!("10.0.0.5/16"));
    let everywhere = ("NetworkPolicy", "/spec/egress/3/to/0/ipBlock/cidr", json!("0.0.0.0/0"));
    let agent = ("CiliumNetworkPolicy", "/spec/egress/0/toEntities/0", json!("host"));
    let variant = variant(json!({ "network": network }), json!({}), [source, everywhere, agent]);
    Variant { beside: vec!["ciliumnetworkpolicies"], ..variant }
}

pub fn runtime_and_place(_: &Instance) -> Variant {
    let class = json!({
        "disruption": "Strict",
        "workload": {
            "image": { "pullPolicy": "Always" },
            "terminationGracePeriodSeconds": 45,
            "model": "amazon-bedrock/anthropic.claude-sonnet-4",
            "nodeSelector": { "kubernetes.io/os": "linux" },
            "runtimeClassName": RUNTIME,
            "tolerations": [
                { "key": "dedicated", "operator": "Equal", "value": "tenants", "effect": "NoSchedule" },
                { "key": "without-operator", "value": "yes", "effect": "NoSchedule" },
                { "key": "spot", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30 },
            ],
        },
    });
    let runtime = ("StatefulSet", "/spec/template/spec/runtimeClassName", json!(RUNTIME));
    variant(class, json!({}), [runtime, ("PodDisruptionBudget", "/spec/minAvailable", json!(1))])
}

pub fn other_places(_: &Instance) -> Variant {
    let class = json!({
        "disruption": "Drainable",
        "workload": {
            "image": { "pullPolicy": "Never" },
            "terminationGracePeriodSeconds": 1,
            "tolerations": [
                { "operator": "Exists" }, { "key": "soft", "operator": "Exists", "effect": "PreferNoSchedule" },
                { "key": "without-value", "operator": "Equal", "effect": "NoExecute", "tolerationSeconds": 0 },
            ],
        },
    });
    let policy = ("StatefulSet", "/spec/template/spec/containers/0/imagePullPolicy", json!("Never"));
    variant(class, json!({}), [policy, ("PodDisruptionBudget", "/spec/maxUnavailable", json!(1))])
}

const REPOSITORY: &str = "ghcr.io/openclaw/openclaw";
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub fn digest_of_the_tenant_with_variables_and_skills(_: &Instance) -> Variant {
    let class = json!({
        "workload": {
            "image": { "pullPolicy": "IfNotPresent" },
            "env": [{ "name": "TZ", "value": "UTC" }, { "name": "EMPTY", "value": "" }],
        },
        "allow": { "imageRepositories": [REPOSITORY], "env": ["LOG_*"], "skills": ["web-*"] },
    });
    let tenant = json!({
        "image": { "repository": REPOSITORY, "digest": DIGEST },
        "env": [
            { "name": "LOG_LEVEL", "value": "debug" }, { "name": "LOG_FORMAT", "value": "" },
            { "name": "LOG_B", "value": "$(TZ)" },
        ],
        "skills": ["web-search"],
    });
    let image = format!("{REPOSITORY}@{DIGEST}");
    variant(class, tenant, [("StatefulSet", "/spec/template/spec/containers/0/image", json!(image))])
}

pub fn digest_of_the_class_and_tag_of_the_tenant(_: &Instance) -> Variant {
    let image = json!({ "repository": REPOSITORY, "tag": null, "digest": DIGEST });
    let class = json!({ "workload": { "image": image }, "allow": { "imageRepositories": [REPOSITORY] } });
    let image = ("StatefulSet", "/spec/template/spec/containers/0/image", json!(format!("{REPOSITORY}:2026.9.7")));
    variant(class, json!({ "image": { "tag": "2026.9.7" } }), [image])
}

pub fn quantities_in_other_spellings(_: &Instance) -> Variant {
    let class = json!({
        "quota": { "cpu": "4000m", "memory": "8192Mi", "persistentVolumeClaims": 2 },
        "limitRange": {
            "limits": { "cpu": "0.75", "memory": "1000M" }, "requests": { "cpu": "0.1", "memory": "134217728" },
        },
        "workload": { "requests": { "cpu": "0.25", "memory": "1G" }, "limits": { "cpu": "2.0", "memory": "2048Mi" } },
        "storage": { "size": "10240Mi" },
    });
    let tenant = json!({
        "resources": {
            "requests": { "cpu": "300m", "memory": "0.5Gi" }, "limits": { "cpu": "1.5", "memory": "1536Mi" },
        },
        "quota": { "cpu": "5.5", "memory": "9000000000", "pods": 12 },
        "storage": { "size": "12288Mi" },
    });
    let quota = ("ResourceQuota", "/spec/hard/limits.cpu", json!("5500m"));
    variant(class, tenant, [quota, ("PersistentVolumeClaim", "/spec/resources/requests/storage", json!("12Gi"))])
}

fn defaults(limits: &Value, requests: &Value, shown: Value) -> Variant {
    let class = json!({ "limitRange": { "limits": limits, "requests": requests } });
    variant(class, json!({}), [("LimitRange", "/spec/limits/0", shown)])
}

pub fn defaults_of_memory_alone(_: &Instance) -> Variant {
    let shown =
        json!({ "type": "Container", "default": { "memory": "512Mi" }, "defaultRequest": { "memory": "128Mi" } });
    defaults(&json!({ "memory": "512Mi" }), &json!({ "memory": "128Mi" }), shown)
}

pub fn defaults_without_a_counterpart(_: &Instance) -> Variant {
    let shown = json!({
        "type": "Container",
        "default": { "cpu": "500m", "memory": "512Mi" }, "defaultRequest": { "cpu": "500m", "memory": "128Mi" },
    });
    defaults(&json!({ "cpu": "500m", "memory": "512Mi" }), &json!({ "memory": "128Mi" }), shown)
}

pub fn no_defaults(_: &Instance) -> Variant {
    defaults(&json!({}), &json!({}), json!({ "type": "Container" }))
}

/// The namespace's defaults are what the gateway then gets.
pub fn a_gateway_that_asks_for_nothing(_: &Instance) -> Variant {
    let name = ("StatefulSet", "/spec/template/spec/containers/0/name", json!("gateway"));
    variant(json!({ "workload": { "requests": {}, "limits": {} } }), json!({}), [name])
}

pub fn a_gateway_that_names_some_of_its_resources(_: &Instance) -> Variant {
    let class = json!({ "workload": { "requests": { "memory": "256Mi" }, "limits": { "cpu": "1" } } });
    let tenant = json!({ "resources": { "requests": { "cpu": "50m" } } });
    let requests = json!({ "cpu": "50m", "memory": "256Mi" });
    variant(class, tenant, [("StatefulSet", "/spec/template/spec/containers/0/resources/requests", requests)])
}

fn no_secrets() -> Value {
    json!({ "mode": "None" })
}

fn no_identity() -> Value {
    json!({ "mode": "None", "roleArn": null })
}

pub fn outside_of_aws(_: &Instance) -> Variant {
    variant(json!({ "identity": no_identity(), "secrets": no_secrets() }), json!({}), [])
}

pub fn an_identity_without_secrets(_: &Instance) -> Variant {
    variant(json!({ "secrets": no_secrets() }), json!({}), [])
}

pub fn secrets_without_an_identity(_: &Instance) -> Variant {
    variant(json!({ "identity": no_identity(), "secrets": { "mode": "SecretsManager" } }), json!({}), [])
}

pub fn a_role_for_each_tenant(instance: &Instance) -> Variant {
    let models = json!([{ "id": "anthropic.claude-haiku-4-5-20251001-v1:0", "inferenceProfile": "eu" }]);
    let identity = json!({
        "mode": "RolePerTenant", "roleArn": null, "permissionsBoundaryArn": role_per_tenant::boundary(instance),
        "models": models, "modelDiscovery": true,
    });
    variant(json!({ "identity": identity }), json!({}), [])
}

pub fn more_secrets(_: &Instance) -> Variant {
    let generated = json!([{ "name": "gateway-token", "rotateEveryDays": 30 }, { "name": "signing-key" }]);
    let key = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    let class = json!({
        "login": { "tokenSource": "SecretsManager" },
        "secrets": { "kmsKeyArn": key, "recoveryWindowDays": 7, "generated": generated },
        "allow": { "secrets": 2 },
    });
    let own = json!([{ "name": "slack-bot-token", "required": false }, { "name": "later" }]);
    variant(class, json!({ "secrets": own }), [])
}

/// A secret that the workspace is not ready without: a person fills it.
pub fn a_secret_of_a_person(_: &Instance) -> Variant {
    variant(json!({}), json!({ "secrets": [{ "name": "slack-bot-token", "required": true }] }), [])
}

pub fn suspended(_: &Instance) -> Variant {
    let replicas = ("StatefulSet", "/spec/replicas", json!(0));
    Variant { is_suspended: true, ..variant(json!({}), json!({ "suspend": true }), [replicas]) }
}

pub fn the_longest_prefix(_: &Instance) -> Variant {
    variant(json!({ "namespacePrefix": "of-this-long-prefix-so-" }), json!({}), [])
}

pub fn the_longest_lists(_: &Instance) -> Variant {
    let list = |length: usize, each: fn(usize) -> Value| (0..length).map(each).collect::<Vec<Value>>();
    let class = json!({
        "network": {
            "egressMode": "Allowlist",
            "cidrs": list(64, |n| json!({ "cidr": format!("10.{n}.0.0/16"), "ports": (1..=16).collect::<Vec<u16>>() })),
            "ingressFrom": list(16, |n| json!({ "cidr": format!("10.{n}.0.0/24") })),
        },
        "workload": {
            "env": list(64, |n| json!({ "name": format!("CLASS_{n}"), "value": "v".repeat(64) })),
            "tolerations": list(16, |n| json!({ "key": format!("taint-{n}"), "operator": "Exists" })),
        },
        "allow": { "env": ["LOG_*"], "skills": ["*"] },
    });
    let tenant = json!({
        "env": list(64, |n| json!({ "name": format!("LOG_{n}"), "value": "v".repeat(64) })),
        "skills": list(64, |n| json!(format!("skill-{n}"))),
        "egress": { "cidrs": list(32, |n| json!({ "cidr": format!("203.0.{}.0/24", 113 + n), "ports": [443] })) },
    });
    let range = ("NetworkPolicy", "/spec/egress/98/to/0/ipBlock/cidr", json!("203.0.144.0/24"));
    variant(class, tenant, [range])
}

/// What no object shows; it is to change none.
pub fn what_no_object_shows(_: &Instance) -> Variant {
    let class = json!({
        "deletion": {
            "allowedPolicies": ["Retain", "Delete"], "retention": "Forever", "retentionDays": 7, "settlingSeconds": 2,
        },
        "identity": { "modelDiscovery": false },
        "quota": { "maximum": { "cpu": "8", "memory": "16Gi", "pods": 20 } },
        "storage": { "maximum": "200Gi" },
        "rollout": { "maxInFlight": 2, "maxFailures": 1, "deadlineSeconds": 60 },
        "login": { "tokenSource": "UserDirectory" },
        "budgetMonthlyUSD": 50,
        "allow": { "egressCidrs": false, "egressDomains": true, "resources": false, "secrets": 0 },
    });
    let tenant = json!({
        "owner": { "subject": "6f1c" }, "displayName": "Somebody", "deletionPolicy": "Delete",
        "budget": { "monthlyUSD": 5 }, "suspend": false,
    });
    variant(class, tenant, [("ResourceQuota", "/spec/hard/pods", json!("10"))])
}

/// DNS names of class and Tenant, where Cilium knows names.
pub fn names(_: &Instance) -> Variant {
    let network = json!({
        "egressMode": "Allowlist", "enforcement": "Cilium", "domains": ["*.amazonaws.com", "models.example.org"],
        "cidrs": [{ "cidr": "10.20.0.0/16" }],
    });
    let class = json!({ "network": network, "allow": { "egressDomains": true } });
    let shows = [
        ("CiliumNetworkPolicy", "/spec/egress/1/toFQDNs/1/matchName", json!("api.example.com")),
        ("CiliumNetworkPolicy", "/spec/egressDeny/0/toCIDRSet/2/except/0", json!("10.20.0.0/16")),
    ];
    let variant = variant(class, json!({ "egress": { "domains": ["api.example.com"] } }), shows);
    Variant { beside: vec!["ciliumnetworkpolicies"], ..variant }
}

pub fn a_load_balancer(_: &Instance) -> Variant {
    let group = json!({ "healthCheckIntervalSeconds": 10, "deregistrationDelaySeconds": 0 });
    let path = "/spec/defaultConfiguration/targetGroupAttributes/0/value";
    let shows = [("TargetGroupConfiguration", path, json!("0"))];
    let variant = variant(json!({ "routing": { "targetGroup": group } }), json!({}), shows);
    Variant { beside: vec!["targetgroupconfigurations"], ..variant }
}

pub fn a_workspace_that_sleeps(_: &Instance) -> Variant {
    let interceptor = json!({
        "namespace": INTERCEPTOR, "service": "keda-add-ons-http-interceptor-proxy", "port": 8080,
        "podLabels": { "app.kubernetes.io/component": "interceptor" },
    });
    let scaler = json!({
        "idleSeconds": 600, "wakeSeconds": 30, "interceptor": interceptor, "scalerAddress": "scaler.keda:9090",
    });
    let shows = [
        ("ScaledObject", "/spec/cooldownPeriod", json!(600)),
        ("InterceptorRoute", "/spec/timeouts/readiness", json!("30s")),
        ("HTTPRoute", "/spec/rules/0/backendRefs/0/namespace", json!(INTERCEPTOR)),
    ];
    let variant = variant(json!({ "workload": { "scaleToZero": scaler } }), json!({}), shows);
    Variant { beside: vec!["scaledobjects", "interceptorroutes", "referencegrants"], ..variant }
}

fn looks(access: Value, owner: &Value, name: &str) -> Variant {
    let shows = [("RoleBinding", "/subjects/0/name", json!(name))];
    let mut class = json!({});
    class["ownerAccess"] = access;
    let variant = variant(class, json!({ "owner": owner }), shows);
    Variant { beside: vec!["rolebindings", "clusterroles", "clusterrolebindings"], ..variant }
}

pub fn an_owner_who_looks(_: &Instance) -> Variant {
    looks(json!({}), &json!({ "email": "Looks@example.com" }), "looks@example.com")
}

pub fn an_owner_who_is_known_by_the_subject(_: &Instance) -> Variant {
    looks(json!({ "userNamePrefix": "oidc:" }), &json!({ "subject": "6f1c" }), "oidc:6f1c")
}
