//! Who may talk to whom: NetworkPolicies of two tenants, as the operator renders them, judged by a simulator that knows nothing
//! of the operator, and compared with a table that was written by hand. See `README.md` beside this file.

#![allow(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::{fs, path::Path, process::Command};

use openclaw_tenant_operator::{
    api::{class::TenantClassSpec, names::TenantName, record::TenantRecordSpec, tenant::TenantSpec},
    tenant::{
        blueprint::blueprint,
        child::Child,
        desired::build,
        settings::{Settings, Sweeps},
    },
};
use serde_json::{Value, json};

mod cilium;

const CLUSTER_UID: &str = "0c9d7e11-2222-4333-8444-555566667777";
const ROLE: &str = "arn:aws:iam::123456789012:role/openclaw-tenant";

/// What the operator was told of the VPC that `peers.yaml` describes.
fn settings() -> Settings {
    Settings {
        operator_namespace: "openclaw-system".parse().expect("a namespace"),
        secrets_prefix: "openclaw".parse().expect("a prefix"),
        cluster_uid: CLUSTER_UID.parse().expect("a UID"),
        eks: None,
        region: Some("eu-west-1".into()),
        cluster_cidrs: [
            "10.0.0.0/16",
            "172.20.0.0/16",
            "198.51.100.0/24",
            "2600:1f13:abc:de00::/56",
            "fd12:3456::/108",
        ]
        .map(str::to_owned)
        .to_vec(),
        dns_addresses: ["169.254.20.10", "fd00:20::10", "172.20.0.10", "fd12:3456::a/128"].map(str::to_owned).to_vec(),
        emulator_endpoint: None,
        sweeps: Sweeps::default(),
        dry_run: false,
    }
}

/// A class of a table, and what alice's Tenant asks of it. Bob's asks for nothing.
struct Case {
    name: &'static str,
    /// What the class says of the network.
    network: Value,
    /// Whether its workspaces have an identity.
    has_identity: bool,
    /// Whether they sleep while nobody uses them.
    sleeps: bool,
    /// Where alice's Tenant wants to connect to.
    egress: Value,
}

impl Default for Case {
    fn default() -> Self {
        Self { name: "", network: json!({}), has_identity: true, sleeps: false, egress: json!({ "cidrs": partner() }) }
    }
}

/// Ranges of alice's own.
fn partner() -> Value {
    json!([
        { "cidr": "203.0.113.0/24", "ports": [22, 8443] },
        { "cidr": "2001:db8:77::/48", "ports": [22, 8443] },
    ])
}

/// The classes of the table.
fn cases() -> [Case; 5] {
    let endpoints = json!([{ "cidr": "10.0.250.0/24" }, { "cidr": "2600:1f13:abc:de99::/64" }]);
    let sources = json!([
        { "cidr": "10.0.240.0/24" },
        { "cidr": "2600:1f13:abc:de40::/64" },
        { "namespaceLabels": { "team": "edge", "tier": "public" } },
    ]);
    [
        Case { name: "internet", network: json!({ "egressMode": "Internet", "cidrs": endpoints }), ..Case::default() },
        Case {
            name: "allowlist",
            network: json!({ "egressMode": "Allowlist", "cidrs": endpoints, "ingressFrom": sources }),
            ..Case::default()
        },
        Case {
            name: "bare",
            network: json!({ "egressMode": "Allowlist" }),
            has_identity: false,
            egress: json!({}),
            ..Case::default()
        },
        Case {
            name: "metadata",
            network: json!({
                "egressMode": "Internet", "cidrs": endpoints, "ingressFrom": sources, "allowInstanceMetadata": true,
            }),
            ..Case::default()
        },
        Case {
            name: "sleeping",
            network: json!({
                "egressMode": "Internet", "cidrs": endpoints, "ingressFrom": [{ "cidr": "10.0.240.0/24" }],
            }),
            sleeps: true,
            ..Case::default()
        },
    ]
}

fn class(case: &Case) -> TenantClassSpec {
    let identity =
        if case.has_identity { json!({ "mode": "SharedRole", "roleArn": ROLE }) } else { json!({ "mode": "None" }) };
    let mut class = json!({
        "network": case.network,
        "identity": identity,
        "storage": { "className": "efs" },
        "workload": { "image": { "repository": "ghcr.io/openclaw/openclaw", "tag": "2026.9.6" } },
        "routing": {
            "mode": "Host",
            "gateways": [{ "namespace": "gateways", "name": "public", "domain": "claw.example.com" }],
        },
        "allow": { "egressDomains": true },
    });
    if case.sleeps {
        class["workload"]["scaleToZero"] = json!({ "interceptor": { "namespace": "keda" } });
    }
    serde_json::from_value(class).expect("a class")
}

fn spec(tenant: &str, case: &Case) -> TenantSpec {
    let mut spec = json!({ "owner": { "subject": tenant, "email": format!("{tenant}@example.com") } });
    if tenant == "alice" {
        spec["egress"] = case.egress.clone();
    }
    serde_json::from_value(spec).expect("a Tenant")
}

fn record(tenant: &TenantName, spec: &TenantSpec, class: &TenantClassSpec) -> TenantRecordSpec {
    let record = json!({
        "phase": "Active",
        "incarnation": "6f1c2a3b4c",
        "tenantUid": "6f1c2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b",
        "owner": { "hash": spec.owner.effective_subject().hash() },
        "className": spec.class_name,
        "namespace": { "name": class.namespace_prefix.namespace(tenant), "prefix": class.namespace_prefix },
        "serviceAccount": "workspace-6f1c2a3b4c",
        "identity": { "mode": class.identity.mode, "nonce": "01010101010101010101010101010101" },
        "secrets": { "mode": class.secrets.mode, "prefix": "openclaw" },
        "storage": { "className": class.storage.class_name, "size": class.storage.size },
        "routing": { "mode": class.routing.mode },
        "retirement": { "deletionPolicy": "Retain", "retentionDays": 30, "recoveryWindowDays": 30 },
    });
    serde_json::from_value(record).expect("a record")
}

/// What says who a tenant's pod is, and what it may reach: as the operator's own builders make it.
fn objects(tenant: &str, case: &Case) -> Vec<Value> {
    let name: TenantName = tenant.parse().expect("a name");
    let class = class(case);
    let spec = spec(tenant, case);
    let record = record(&name, &spec, &class);
    let settings = settings();
    let mut blueprint = blueprint(&name, &spec, &class, &record, &settings).expect("nothing is refused");
    // As in a cluster that serves KEDA's kinds.
    blueprint.scaler = class.workload.scale_to_zero.as_ref();
    let children = [Child::Namespace, Child::DefaultDeny, Child::Allowlist, Child::StatefulSet];
    let always = children.into_iter().map(|child| build(child, &blueprint).expect("it is wanted"));
    always.chain(build(Child::DomainPolicy, &blueprint)).collect()
}

/// Has a simulator, a Go program in this folder, judge what is rendered for classes, and prints the table that it finds.
fn judge(simulator: &str, cases: &[Case], arguments: &[&str]) {
    let rendered: Vec<Value> = cases
        .iter()
        .map(|case| {
            let tenants = json!({ "alice": objects("alice", case), "bob": objects("bob", case) });
            json!({ "name": case.name, "tenants": tenants })
        })
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network").join(simulator);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("network-policies-{simulator}.json"));
    fs::write(&file, json!(rendered).to_string()).expect("a file");

    // The flags of the local platform's builds: what both need is compiled once.
    let output = Command::new("go")
        .args(["run", "-mod=readonly", "-trimpath", "."])
        .arg(&file)
        .args(arguments)
        .current_dir(folder)
        .envs([("GOWORK", "off"), ("CGO_ENABLED", "0")])
        .output()
        .expect("Go is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(", 0 failed"), "{failed}");
}

#[test]
fn a_simulator_finds_who_may_talk_to_whom_as_it_is_written() {
    judge("", &cases(), &[]);
}
