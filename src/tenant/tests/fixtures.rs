//! A class, a Tenant, surroundings: whole, and with every field that tests vary.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::{
        class::TenantClassSpec,
        names::{Nonce, TenantName},
        tenant::TenantSpec,
    },
    aws::types::Cluster,
    tenant::settings::{Settings, Sweeps},
};

pub(super) const CLUSTER_UID: &str = "0c9d7e11-2222-4333-8444-555566667777";
pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/openclaw-tenant";

pub(super) const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/openclaw-boundary";

pub(super) fn alice() -> TenantName {
    "alice".parse().expect("name")
}

pub(super) fn start() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().expect("time")
}

pub(super) fn draw(number: u8) -> Nonce {
    Nonce::from_bytes([number; 16])
}

/// One of many draws, none of which comes twice.
pub(super) fn draws(number: u64) -> Nonce {
    let (round, first) = (number / 251, u8::try_from(number % 251).expect("below 251"));
    let mut bytes = [first; 16];
    bytes.iter_mut().zip(round.to_le_bytes()).for_each(|(byte, round)| *byte ^= round);
    Nonce::from_bytes(bytes)
}

pub(super) fn settings() -> Arc<Settings> {
    Arc::new(Settings {
        operator_namespace: "openclaw-system".parse().expect("namespace"),
        secrets_prefix: "openclaw".parse().expect("prefix"),
        cluster_uid: CLUSTER_UID.parse().expect("uid"),
        eks: Some(Cluster {
            arn: "arn:aws:eks:eu-west-1:123456789012:cluster/prod".parse().expect("arn"),
            name: "prod".into(),
            uid: CLUSTER_UID.parse().expect("uid"),
        }),
        region: Some("eu-west-1".into()),
        cluster_cidrs: vec!["10.0.0.0/16".into(), "fd12:3456::/48".into()],
        dns_addresses: vec!["169.254.20.10".into()],
        emulator_endpoint: None,
        sweeps: Sweeps::default(),
        dry_run: false,
    })
}

/// A class with an identity, secrets, and room for what Tenants may choose.
pub(super) fn class_json() -> Value {
    json!({
        "storage": { "className": "efs" },
        "identity": { "mode": "SharedRole", "roleArn": ROLE },
        "secrets": { "mode": "SecretsManager" },
        "quota": { "maximum": { "cpu": "8", "memory": "16Gi", "pods": 20 } },
        "workload": { "image": { "repository": "ghcr.io/openclaw/openclaw", "tag": "2026.9.6" } },
        "routing": {
            "mode": "Host",
            "gateways": [{ "namespace": "gateways", "name": "public", "domain": "claw.example.com" }],
        },
        "allow": { "env": ["LOG_*"], "skills": ["*"], "resources": true },
    })
}

/// The same class with a role for each tenant.
pub(super) fn class_with_roles_json() -> Value {
    let mut class = class_json();
    class["identity"] = json!({ "mode": "RolePerTenant", "permissionsBoundaryArn": BOUNDARY });
    class
}

pub(super) fn class_of(json: Value) -> TenantClassSpec {
    serde_json::from_value(json).expect("a class")
}

pub(super) fn spec_json() -> Value {
    json!({ "owner": { "subject": "6f1c", "email": "alice@example.com" } })
}

pub(super) fn spec_of(json: Value) -> TenantSpec {
    serde_json::from_value(json).expect("a Tenant's spec")
}
