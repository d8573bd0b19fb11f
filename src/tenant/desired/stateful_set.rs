//! The gateway itself: one replica, one writer on its volume.
//!
//! A StatefulSet, not a Deployment: with a Deployment the successor of an evicted pod starts while the old one still
//! drains, and two writers meet on one SQLite file. `OnDelete`, because the operator owns the roll.

use serde_json::{Value, json};

use super::{config_map, fields, object, our_labels, selector, workload::files};
use crate::{
    api::{
        Quantity, labels,
        tenant::{CpuMemory, EnvVar},
    },
    tenant::{
        blueprint::Blueprint,
        child::{Child, claim_name},
    },
};

/// The container that runs the gateway.
pub const CONTAINER: &str = "gateway";

/// The pod's volume that is the tenant's claim.
pub const CLAIM_VOLUME: &str = "home";

/// OpenClaw's home directory in the image (`docs/cli/fleet.md` of the package).
const HOME: &str = "/home/node";

/// What the relay reserves, beside the gateway.
const RELAY_REQUESTS: CpuMemory = CpuMemory { cpu: Some(Quantity::milli(10)), memory: Some(Quantity::mebibytes(64)) };

/// What the relay may use, beside the gateway.
const RELAY_LIMITS: CpuMemory = CpuMemory { cpu: Some(Quantity::milli(200)), memory: Some(Quantity::mebibytes(128)) };

/// Where OpenClaw says that it is alive, whatever its base path.
pub(super) const HEALTH: &str = "/healthz";

/// The user of OpenClaw's image.
const USER: u32 = 1000;

pub(super) fn stateful_set(blueprint: &Blueprint<'_>, config_hash: &str) -> Value {
    let mut spec = json!({
        "replicas": blueprint.replicas,
        "serviceName": blueprint.tenant,
        "selector": { "matchLabels": selector(blueprint.tenant) },
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": { "type": "OnDelete" },
        "revisionHistoryLimit": 3,
        "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain", "whenScaled": "Retain" },
    });
    spec["template"] = template(blueprint, config_hash);
    object(Child::StatefulSet, blueprint.tenant, blueprint.record, [("spec", spec)])
}

fn template(blueprint: &Blueprint<'_>, config_hash: &str) -> Value {
    let annotations = json!({ labels::CONFIG_HASH: config_hash });
    let metadata = [("labels", Value::Object(our_labels(blueprint.tenant))), ("annotations", annotations)];
    fields([("metadata", fields(metadata)), ("spec", pod_spec(blueprint))])
}

fn pod_spec(blueprint: &Blueprint<'_>) -> Value {
    let workload = &blueprint.class.workload;
    let service_account = &blueprint.record.service_account;
    let mut spec = json!({
        "serviceAccountName": service_account,
        // The server keeps the deprecated twin in step.
        "serviceAccount": service_account,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": workload.termination_grace_period_seconds,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    });
    spec["initContainers"] = Value::Array(vec![install_container(blueprint), relay_container(blueprint)]);
    spec["containers"] = Value::Array(vec![gateway_container(blueprint)]);
    spec["volumes"] = volumes(blueprint);
    if !workload.node_selector.is_empty() {
        spec["nodeSelector"] = json!(workload.node_selector);
    }
    if !workload.tolerations.is_empty() {
        spec["tolerations"] = json!(workload.tolerations);
    }
    if let Some(runtime) = &workload.runtime_class_name {
        spec["runtimeClassName"] = json!(runtime);
    }
    spec
}

fn volumes(blueprint: &Blueprint<'_>) -> Value {
    json!([
        { "name": CLAIM_VOLUME, "persistentVolumeClaim": { "claimName": claim_name(blueprint.tenant, blueprint.record) } },
        { "name": "config-source", "configMap": { "name": blueprint.tenant, "defaultMode": 0o444 } },
        { "name": "config", "emptyDir": { "medium": "Memory", "sizeLimit": "1Mi" } },
        { "name": "tmp", "emptyDir": { "sizeLimit": "256Mi" } },
    ])
}

/// Puts configuration and resolver where the gateway accepts them: the resolver must belong to the user that runs it
/// and be neither a symlink nor writable by others, which a ConfigMap mount cannot give.
fn install_container(blueprint: &Blueprint<'_>) -> Value {
    let mounts = json!([
        { "name": "config-source", "mountPath": files::SOURCE_DIRECTORY, "readOnly": true },
        { "name": "config", "mountPath": files::CONFIG_DIRECTORY },
        { "name": CLAIM_VOLUME, "mountPath": files::STATE_DIRECTORY },
    ]);
    container(
        blueprint,
        "install",
        [
            ("command", json!(["/bin/sh", "-c", config_map::install_script(blueprint)])),
            ("resources", resources(&small(&blueprint.requests), &small(&blueprint.limits))),
            ("volumeMounts", mounts),
        ],
    )
}

/// The init container needs next to nothing, and never more than the gateway, whose quota it shares.
fn small(of: &CpuMemory) -> CpuMemory {
    CpuMemory {
        cpu: of.cpu.map(|cpu| cpu.min(Quantity::milli(100))),
        memory: of.memory.map(|memory| memory.min(Quantity::mebibytes(64))),
    }
}

fn gateway_container(blueprint: &Blueprint<'_>) -> Value {
    let mounts = json!([
        { "name": CLAIM_VOLUME, "mountPath": files::STATE_DIRECTORY },
        { "name": "config", "mountPath": files::CONFIG_DIRECTORY, "readOnly": true },
        { "name": "tmp", "mountPath": "/tmp" },
    ]);
    container(
        blueprint,
        CONTAINER,
        [
            // Without flags: they would overrule the configuration.
            ("command", json!(["node", "dist/index.js", "gateway", "run"])),
            ("env", environment(blueprint)),
            ("resources", resources(&blueprint.requests, &blueprint.limits)),
            // /startupz ignores the health of chat channels, so that a dead channel does not take the page away. 13 to 18 s were
            // measured, 125 s with a missing plugin and no network.
            ("startupProbe", probe("/startupz", 5, 60)),
            ("readinessProbe", probe("/startupz", 10, 3)),
            ("livenessProbe", probe(HEALTH, 20, 3)),
            ("volumeMounts", mounts),
        ],
    )
}

/// The relay takes requests from outside; the gateway listens on the pod's loopback interface only (see `relay.mjs`).
fn relay_container(blueprint: &Blueprint<'_>) -> Value {
    let port = json!({ "name": "gateway", "containerPort": labels::GATEWAY_PORT, "protocol": "TCP" });
    let mount = json!({ "name": "config", "mountPath": files::CONFIG_DIRECTORY, "readOnly": true });
    container(
        blueprint,
        "relay",
        [
            ("command", json!(files::relay_command())),
            // A sidecar: up before the gateway, gone after it.
            ("restartPolicy", json!("Always")),
            ("ports", Value::Array(vec![port])),
            ("resources", resources(&RELAY_REQUESTS, &RELAY_LIMITS)),
            ("volumeMounts", Value::Array(vec![mount])),
        ],
    )
}

/// What all containers have in common, the server's defaults included.
fn container<const N: usize>(blueprint: &Blueprint<'_>, name: &str, body: [(&'static str, Value); N]) -> Value {
    let confined = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "capabilities": { "drop": ["ALL"] },
    });
    let head = [
        ("name", json!(name)),
        ("image", json!(blueprint.image)),
        ("imagePullPolicy", json!(blueprint.class.workload.image.pull_policy)),
        ("terminationMessagePath", json!("/dev/termination-log")),
        ("terminationMessagePolicy", json!("File")),
        ("securityContext", confined),
    ];
    fields(head.into_iter().chain(body))
}

/// The server drops an empty map.
fn resources(requests: &CpuMemory, limits: &CpuMemory) -> Value {
    let mut resources = json!({});
    for (field, amounts) in [("requests", requests), ("limits", limits)] {
        if *amounts != CpuMemory::default() {
            resources[field] = json!(amounts);
        }
    }
    resources
}

fn probe(path: &str, period_seconds: u32, failure_threshold: u32) -> Value {
    json!({
        "httpGet": { "path": path, "port": labels::GATEWAY_PORT, "scheme": "HTTP" },
        "timeoutSeconds": 5,
        "periodSeconds": period_seconds,
        "successThreshold": 1,
        "failureThreshold": failure_threshold,
    })
}

/// The variables of OpenClaw's own container profile, with everything writable on the claim or in /tmp; then the
/// class's and the Tenant's.
fn environment(blueprint: &Blueprint<'_>) -> Value {
    let state = files::STATE_DIRECTORY;
    let mut env: Vec<EnvVar> = [
        ("HOME", HOME.to_owned()),
        ("OPENCLAW_HOME", HOME.to_owned()),
        ("OPENCLAW_STATE_DIR", state.to_owned()),
        ("OPENCLAW_WORKSPACE_DIR", format!("{state}/workspace")),
        ("XDG_CACHE_HOME", format!("{state}/cache")),
        ("NPM_CONFIG_CACHE", format!("{state}/cache/npm")),
        ("OPENCLAW_NO_AUTO_UPDATE", "1".to_owned()),
        ("OPENCLAW_DISABLE_BONJOUR", "1".to_owned()),
        ("OPENCLAW_OFFLINE", "1".to_owned()),
        ("OPENCLAW_CONFIG_PATH", format!("{}/{}", files::CONFIG_DIRECTORY, files::OPENCLAW_JSON)),
        ("OPENCLAW_CONFIG_READONLY", "1".to_owned()),
        ("NODE_OPTIONS", format!("--max-old-space-size={}", heap_mebibytes(&blueprint.limits))),
    ]
    .into_iter()
    .map(|(name, value)| EnvVar { name: name.to_owned(), value })
    .collect();
    if let Some(region) = &blueprint.settings.region {
        env.push(EnvVar { name: "AWS_REGION".into(), value: region.clone() });
    }
    if let Some(endpoint) = &blueprint.settings.emulator_endpoint {
        env.push(EnvVar { name: "OPENCLAW_RESOLVER_ENDPOINT".into(), value: endpoint.clone() });
    }
    env.extend(blueprint.env.iter().cloned());
    Value::Array(env.iter().map(variable).collect())
}

/// The server drops an empty value.
fn variable(var: &EnvVar) -> Value {
    if var.value.is_empty() { json!({ "name": var.name }) } else { json!({ "name": var.name, "value": var.value }) }
}

/// Three quarters of the memory limit: the rest is for buffers and native code (1536 of 2048 MiB was measured to do).
fn heap_mebibytes(limits: &CpuMemory) -> i128 {
    limits.memory.map_or(1536, |memory| memory.in_milli() / 1000 / (1 << 20) * 3 / 4)
}
