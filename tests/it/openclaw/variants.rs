//! Every configuration that the operator renders, for classes and Tenants that differ in all that it depends on.

use std::collections::{BTreeMap, BTreeSet};

use openclaw_tenant_operator::{
    api::{class::TenantClassSpec, names::TenantName, record::TenantRecordSpec, tenant::TenantSpec},
    gateway::placement,
    tenant::{
        blueprint::blueprint,
        child::Child,
        desired::{
            build,
            workload::{
                config::{Bedrock, ConfigInput, GatewayToken, openclaw_json},
                resolver::PinnedSecret,
            },
        },
        settings::{Settings, Sweeps},
    },
};
use serde_json::{Value, json};

use crate::support::merge;

/// Secrets that the configuration refers to by name, and one that it does not know.
const SECRETS: [&str; 7] = [
    "anthropic-api-key",
    "google-api-key",
    "openai-api-key",
    "openrouter-api-key",
    "telegram-bot-token",
    "xai-api-key",
    "notes-password",
];

/// Providers of models below whose plugins do not come with OpenClaw's package.
pub const EXTERNAL: [&str; 2] = ["amazon-bedrock", "mistral"];

/// What a tenant is made from, as far as its configuration depends on it.
#[derive(Clone, Debug)]
struct Given {
    class: Value,
    tenant: Value,
    /// Secrets of the tenant that have a value.
    valued: Vec<&'static str>,
    region: Option<&'static str>,
    emulator: bool,
}

/// One choice: its name, and what it does.
type Choice = (&'static str, fn(&mut Given));

/// One choice of each of these makes a variant.
const CHOICES: [&[Choice]; 5] = [ROUTING, AWS, MODELS, SECRET_VALUES, SKILLS];

const ROUTING: &[Choice] = &[
    ("host", |_| ()),
    ("host-http", |given| given.class["routing"]["gateways"][0]["scheme"] = json!("http")),
    ("path", |given| merge(&mut given.class["routing"], json!({ "mode": "Path", "acceptSharedOrigin": true }))),
];

const AWS: &[Choice] = &[
    ("outside", |given| {
        given.class["secrets"]["mode"] = json!("None");
        given.class["identity"] = json!({ "mode": "None" });
        given.region = None;
    }),
    ("identity-alone", |given| given.class["secrets"]["mode"] = json!("None")),
    ("secrets-alone", |given| given.class["identity"] = json!({ "mode": "None" })),
    ("shared-role", |_| ()),
    ("own-role", |given| {
        let boundary = "arn:aws:iam::123456789012:policy/openclaw-boundary";
        given.class["identity"] = json!({ "mode": "RolePerTenant", "permissionsBoundaryArn": boundary });
    }),
    ("emulator", |given| given.emulator = true),
];

const MODELS: &[Choice] = &[
    ("default", |_| ()),
    ("openai", |given| given.class["workload"]["model"] = json!("openai/gpt-5")),
    ("bedrock", |given| given.class["workload"]["model"] = json!("amazon-bedrock/eu.anthropic.claude-sonnet-5")),
    ("external", |given| given.class["workload"]["model"] = json!("mistral/large")),
];

const SECRET_VALUES: &[Choice] = &[
    ("none", |given| given.tenant["secrets"] = json!([])),
    ("awaited", |_| ()),
    ("some", |given| given.valued = SECRETS[..3].to_vec()),
    ("others", |given| given.valued = SECRETS[3..].to_vec()),
    ("all", |given| given.valued = SECRETS.to_vec()),
];

const SKILLS: &[Choice] = &[("none", |_| ()), ("two", |given| given.tenant["skills"] = json!(["weather", "github"]))];

/// One choice of each, by its place in the list.
type Row = [usize; CHOICES.len()];

/// Configurations in which every two choices meet, and those that no class leads to yet; each by its name.
pub fn all() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for row in rows() {
        let mut given = ordinary();
        let mut name = Vec::new();
        for (choices, place) in CHOICES.iter().zip(row) {
            name.push(choices[place].0);
            choices[place].1(&mut given);
        }
        // Where there are no secrets, for instance, their values make no difference.
        found.entry(rendered(&given)).or_insert_with(|| name.join(","));
    }
    for (name, text) in discovering() {
        found.insert(text, name);
    }
    found.into_iter().map(|(text, name)| (name, text)).collect()
}

/// As few rows as hold every two choices, nearly: each is the one that adds the most.
fn rows() -> Vec<Row> {
    let mut every = vec![Row::default()];
    for (index, choices) in CHOICES.iter().enumerate() {
        let with = |row: &Row, place| {
            let mut row = *row;
            row[index] = place;
            row
        };
        every = every.iter().flat_map(|row| (0..choices.len()).map(move |place| with(row, place))).collect();
    }
    let mut open: BTreeSet<_> = every.iter().flat_map(pairs).collect();
    let mut rows = Vec::new();
    while !open.is_empty() {
        let gain = |row: &&Row| pairs(row).filter(|pair| open.contains(pair)).count();
        let best = every.iter().max_by_key(gain).expect("rows");
        pairs(best).for_each(|pair| {
            open.remove(&pair);
        });
        rows.push(*best);
    }
    rows
}

/// The choices of a row, two at a time.
fn pairs(row: &Row) -> impl Iterator<Item = [(usize, usize); 2]> {
    let all: Vec<_> = row.iter().copied().enumerate().collect();
    (0..all.len()).flat_map(move |one| {
        let all = all.clone();
        (one + 1..all.len()).map(move |other| [all[one], all[other]])
    })
}

fn ordinary() -> Given {
    let own: Vec<Value> = SECRETS.iter().map(|name| json!({ "name": name })).collect();
    Given {
        class: json!({
            "storage": { "className": "efs" },
            "identity": { "mode": "SharedRole", "roleArn": "arn:aws:iam::123456789012:role/openclaw-tenant" },
            "secrets": { "mode": "SecretsManager" },
            "workload": { "image": { "repository": "ghcr.io/openclaw/openclaw", "tag": "2026.9.6" } },
            "routing": {
                "mode": "Host",
                "gateways": [{ "namespace": "gateways", "name": "public", "domain": "claw.example.com" }],
            },
            "allow": { "skills": ["*"] },
        }),
        tenant: json!({ "owner": { "subject": "6f1c", "email": "alice@example.com" }, "secrets": own }),
        valued: Vec::new(),
        region: Some("eu-west-1"),
        emulator: false,
    }
}

/// `openclaw.json` of the ConfigMap that the operator would write.
fn rendered(given: &Given) -> String {
    let tenant: TenantName = "alice".parse().expect("a name");
    let class: TenantClassSpec = serde_json::from_value(given.class.clone()).expect("a class");
    let mut spec: TenantSpec = serde_json::from_value(given.tenant.clone()).expect("a Tenant");
    let keeps_secrets = given.class["secrets"]["mode"] == "SecretsManager";
    if !keeps_secrets {
        spec.secrets.clear();
    }
    let record = record(given, &class, &spec, keeps_secrets);
    let settings = settings(given);
    let blueprint = blueprint(&tenant, &spec, &class, &record, &settings).expect("nothing is refused");
    let map = build(Child::ConfigMap, &blueprint).expect("it is wanted");
    map["data"]["openclaw.json"].as_str().expect("text").to_owned()
}

fn record(given: &Given, class: &TenantClassSpec, spec: &TenantSpec, keeps_secrets: bool) -> TenantRecordSpec {
    let nonce = "0123456789abcdef0123456789abcdef";
    let item = |name: &str, origin: &str, has_value: bool| {
        let arn = format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:openclaw/alice/{name}-AbCdEf");
        let mut item = json!({ "name": name, "origin": origin, "nonce": nonce, "arn": arn });
        if has_value {
            item["versionId"] = json!(nonce);
        }
        item
    };
    let own = spec.secrets.iter().map(|secret| secret.name.as_str());
    let own = own.map(|name| item(name, "Person", given.valued.contains(&name)));
    let items: Vec<Value> = [item("gateway-token", "Generated", true)].into_iter().chain(own).collect();
    let record = json!({
        "phase": "Active",
        "incarnation": "6f1c2a3b4c",
        "tenantUid": "6f1c2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b",
        "owner": { "subject": "6f1c", "hash": spec.owner.effective_subject().hash() },
        "className": "default",
        "namespace": { "name": "openclaw-alice", "prefix": "openclaw-" },
        "serviceAccount": "workspace-6f1c2a3b4c",
        "identity": { "mode": class.identity.mode, "nonce": nonce },
        "secrets": {
            "mode": class.secrets.mode, "prefix": "openclaw",
            "items": if keeps_secrets { items } else { Vec::new() },
        },
        "storage": { "className": "efs", "size": "10Gi" },
        "routing": { "mode": class.routing.mode, "placement": placement(&class.routing.gateways[0]) },
        "retirement": { "deletionPolicy": "Retain", "retentionDays": 30, "recoveryWindowDays": 30 },
    });
    serde_json::from_value(record).expect("a record")
}

fn settings(given: &Given) -> Settings {
    Settings {
        operator_namespace: "openclaw-system".parse().expect("a namespace"),
        secrets_prefix: "openclaw".parse().expect("a prefix"),
        cluster_uid: "0c9d7e11-2222-4333-8444-555566667777".parse().expect("a UID"),
        eks: None,
        region: given.region.map(str::to_owned),
        cluster_cidrs: Vec::new(),
        dns_addresses: Vec::new(),
        emulator_endpoint: given.emulator.then(|| "http://127.0.0.1:4566".to_owned()),
        sweeps: Sweeps::default(),
        dry_run: false,
    }
}

/// Discovery of Bedrock's models, with each sort of model.
fn discovering() -> impl Iterator<Item = (String, String)> {
    [None, Some("amazon-bedrock/eu.anthropic.claude-sonnet-5"), Some("openai/gpt-5")].into_iter().map(|model| {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:openclaw/alice/gateway-token-AbCdEf";
        let (item, arn) = ("gateway-token".parse().expect("a name"), arn.parse().expect("an ARN"));
        let version = "0123456789abcdef0123456789abcdef".parse().expect("a version");
        let config = openclaw_json(&ConfigInput {
            origins: &["https://alice.claw.example.com".to_owned()],
            base_path: None,
            model,
            bedrock: Some(Bedrock { region: "eu-west-1", discovery: true }),
            token: GatewayToken::Secret(PinnedSecret { item: &item, arn: &arn, version: &version }),
            secrets: &[],
            skills: &[],
            emulator: false,
        });
        (format!("discovery,{}", model.unwrap_or("default")), format!("{config:#}\n"))
    })
}
