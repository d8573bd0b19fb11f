//! Who may talk to whom: NetworkPolicies of two tenants, as the operator renders them, judged by a simulator that knows nothing
//! of the operator, and compared with a table that was written by hand. See `README.md` beside this file.

#![allow(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::{fs, num::NonZeroU32, path::Path, process::Command, time::Duration};

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
        sweeps: Sweeps {
            interval: Duration::from_mins(10),
            audit_period: Duration::from_hours(24),
            audit_rate: NonZeroU32::MIN,
        },
        dry_run: false,
    }
}

/// The classes of the table: what each says of the network, whether its workspaces have an identity, and whether ranges are
/// listed.
fn classes() -> [(&'static str, Value, bool, bool); 4] {
    let endpoints = json!([{ "cidr": "10.0.250.0/24" }, { "cidr": "2600:1f13:abc:de99::/64" }]);
    let sources = json!([
        { "cidr": "10.0.240.0/24" },
        { "cidr": "2600:1f13:abc:de40::/64" },
        { "namespaceLabels": { "team": "edge", "tier": "public" } },
    ]);
    [
        ("internet", json!({ "egressMode": "Internet", "cidrs": endpoints }), true, true),
        ("allowlist", json!({ "egressMode": "Allowlist", "cidrs": endpoints, "ingressFrom": sources }), true, true),
        ("bare", json!({ "egressMode": "Allowlist" }), false, false),
        (
            "metadata",
            json!({
                "egressMode": "Internet", "cidrs": endpoints, "ingressFrom": sources, "allowInstanceMetadata": true,
            }),
            true,
            true,
        ),
    ]
}

fn class(network: &Value, has_identity: bool) -> TenantClassSpec {
    let identity =
        if has_identity { json!({ "mode": "SharedRole", "roleArn": ROLE }) } else { json!({ "mode": "None" }) };
    let class = json!({
        "network": network,
        "identity": identity,
        "storage": { "className": "efs" },
        "workload": { "image": { "repository": "ghcr.io/openclaw/openclaw", "tag": "2026.9.6" } },
        "routing": {
            "mode": "Host",
            "gateways": [{ "namespace": "gateways", "name": "public", "domain": "claw.example.com" }],
        },
    });
    serde_json::from_value(class).expect("a class")
}

/// Alice lists ranges of her own where the class has any; Bob never does.
fn spec(tenant: &str, lists: bool) -> TenantSpec {
    let mut spec = json!({ "owner": { "subject": tenant, "email": format!("{tenant}@example.com") } });
    if lists && tenant == "alice" {
        spec["egress"] = json!({ "cidrs": [
            { "cidr": "203.0.113.0/24", "ports": [22, 8443] },
            { "cidr": "2001:db8:77::/48", "ports": [22, 8443] },
        ] });
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
fn objects(tenant: &str, class: &TenantClassSpec, lists: bool) -> Vec<Value> {
    let name: TenantName = tenant.parse().expect("a name");
    let spec = spec(tenant, lists);
    let record = record(&name, &spec, class);
    let settings = settings();
    let blueprint = blueprint(&name, &spec, class, &record, &settings).expect("nothing is refused");
    let children = [Child::Namespace, Child::DefaultDeny, Child::Allowlist, Child::StatefulSet];
    children.into_iter().map(|child| build(child, &blueprint).expect("it is wanted")).collect()
}

#[test]
fn a_simulator_finds_who_may_talk_to_whom_as_it_is_written() {
    let rendered: Vec<Value> = classes()
        .into_iter()
        .map(|(name, network, has_identity, lists)| {
            let class = class(&network, has_identity);
            let tenants = json!({ "alice": objects("alice", &class, lists), "bob": objects("bob", &class, lists) });
            json!({ "name": name, "tenants": tenants })
        })
        .collect();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("network-policies.json");
    fs::write(&file, json!(rendered).to_string()).expect("a file");

    // The flags of the local platform's builds: what both need is compiled once.
    let output = Command::new("go")
        .args(["run", "-mod=readonly", "-trimpath", "."])
        .arg(&file)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network"))
        .envs([("GOWORK", "off"), ("CGO_ENABLED", "0")])
        .output()
        .expect("Go is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(", 0 failed"), "{failed}");
}
