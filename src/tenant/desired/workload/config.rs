//! `openclaw.json`, the whole configuration of a workspace's gateway, in the shapes of [`TESTED_OPENCLAW_VERSION`].
//!
//! It is read-only in the pod, so it must need no migration: the gateway warns about old shapes where it can write and
//! refuses to start where it cannot. Documents named below are those of OpenClaw's package.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use super::{
    files::{CONFIG_DIRECTORY, FETCH_SECRET, LOOPBACK_PORT, TOKEN_FILE},
    resolver::{self, PinnedSecret},
};

/// The version of OpenClaw that validates and starts with this configuration. Versions differ in what they take; with
/// another one the operator says that it was never tested.
pub const TESTED_OPENCLAW_VERSION: &str = "2026.9.6";

/// What a workspace's configuration is made from.
#[derive(Clone, Debug)]
pub struct ConfigInput<'a> {
    /// Origins from which browsers may connect, such as `https://alice.example.com`.
    pub origins: &'a [String],
    /// The path of the workspace on a shared host, such as `/t/alice`; none where it has a host of its own.
    pub base_path: Option<&'a str>,
    /// The model of the assistant, as `provider/model`; without it OpenClaw's own default.
    pub model: Option<&'a str>,
    /// Amazon Bedrock; none where the workspace has no AWS identity.
    pub bedrock: Option<Bedrock<'a>>,
    /// Where the gateway's token comes from.
    pub token: GatewayToken<'a>,
    /// Further secrets that have a value. Those without one are left out: a reference to them would not resolve.
    pub secrets: &'a [PinnedSecret<'a>],
    /// Skills to switch on.
    pub skills: &'a [String],
    /// Whether Secrets Manager is an emulator.
    pub emulator: bool,
}

/// How a workspace uses Amazon Bedrock (`docs/providers/bedrock.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bedrock<'a> {
    /// The AWS region.
    pub region: &'a str,
    /// Whether the gateway lists the models that the account has. It needs `bedrock:ListFoundationModels` and
    /// `bedrock:ListInferenceProfiles`.
    pub discovery: bool,
}

/// Where the gateway's token comes from. There is always one: the gateway is never open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayToken<'a> {
    /// A version of a secret in Secrets Manager.
    Secret(PinnedSecret<'a>),
    /// [`TOKEN_FILE`] on the tenant's volume, for clusters without Secrets Manager.
    File,
}

/// Name of the secret provider that reads [`TOKEN_FILE`].
const FILE_PROVIDER: &str = "volume";

/// The provider of Amazon Bedrock's models, a plugin that does not come with OpenClaw's package.
const BEDROCK: &str = "amazon-bedrock";

/// Plugins that may load, all of them part of the package. The list is exclusive, so a plugin that somebody puts on the
/// volume does not load into the gateway (`docs/gateway/config-extensions.md`).
const PLUGINS: [&str; 8] =
    ["anthropic", "document-extract", "google", "memory-core", "openai", "openrouter", "web-readability", "xai"];

/// Tools that no assistant gets. The denial of commands (`tools.exec`) is not enough: the owner may give a session full
/// permissions, which overrule it, whereas a denied tool stays denied (`docs/gateway/permission-modes.md`).
const DENIED_TOOLS: [&str; 9] =
    ["browser", "gateway", "group:nodes", "group:runtime", "openclaw", "plugins", "portal", "screen", "terminal"];

/// Secrets that the configuration refers to by itself, by their names. Others can be referred to in what the gateway
/// keeps in its state, such as the owner's keys for model providers.
const KNOWN_SECRETS: [(&str, &str); 6] = [
    ("anthropic-api-key", "/models/providers/anthropic/apiKey"),
    ("google-api-key", "/models/providers/google/apiKey"),
    ("openai-api-key", "/models/providers/openai/apiKey"),
    ("openrouter-api-key", "/models/providers/openrouter/apiKey"),
    ("telegram-bot-token", "/channels/telegram/botToken"),
    ("xai-api-key", "/models/providers/xai/apiKey"),
];

/// The whole configuration. The same input gives the same bytes.
pub fn openclaw_json(input: &ConfigInput<'_>) -> Value {
    let mut config = json!({
        "browser": {"enabled": false},
        "commands": {"bash": false, "config": false, "debug": false, "mcp": false, "plugins": false},
        "discovery": {"mdns": {"mode": "off"}},
        "gateway": gateway(input),
        // Under /tmp, six files of that size at most; the default is 100 MB each.
        "logging": {"consoleStyle": "json", "maxFileBytes": 10_485_760},
        "models": {"catalogRefresh": {"enabled": false}},
        "plugins": plugins(input),
        "secrets": secrets(input),
        "skills": {"entries": skills(input.skills)},
        "telemetry": {"enabled": false},
        "tools": {
            "deny": DENIED_TOOLS,
            "elevated": {"enabled": false},
            // Today's shape of `tools.exec.security: deny` (`docs/tools/exec.md`).
            "exec": {"mode": "deny"},
            "fs": {"workspaceOnly": true},
        },
        // The image is pinned, so nothing in it asks for a newer one.
        "update": {"auto": {"enabled": false}, "checkOnStart": false},
    });
    if let Some(model) = input.model {
        set(&mut config, "/agents/defaults/model/primary", json!(model));
    }
    if let Some(provider) = bedrock_provider(input) {
        set(&mut config, "/models/providers/amazon-bedrock", provider);
    }
    refer_to_known_secrets(&mut config, input);
    config
}

fn gateway(input: &ConfigInput<'_>) -> Value {
    let mut gateway = json!({
        "auth": {
            "allowTailscale": false,
            "mode": "token",
            // Failures are counted by origin, because the relay hides addresses: with the default of ten a minute
            // anybody could lock the owner out for five minutes at a time. The token has 256 bits; guessing is no
            // danger, and the pause only saves work (`docs/gateway/security/rate-limiting.md`).
            "rateLimit": {"lockoutMs": 1000, "maxAttempts": 100, "windowMs": 60_000},
            "token": token(input),
        },
        // Only loopback connections are let in by token alone; relay.mjs makes them.
        "bind": "loopback",
        "cliAgents": {"enabled": false},
        "controlUi": {"allowedOrigins": input.origins, "enabled": true},
        "mode": "local",
        // Otherwise the gateway tries to log in by SSH to devices that want to be paired.
        "nodes": {"pairing": {"sshVerify": false}},
        "port": LOOPBACK_PORT,
        // A changed configuration arrives with a new pod.
        "reload": {"mode": "off"},
        // A shell in the pod, on by default, past every tool policy.
        "terminal": {"enabled": false},
    });
    if let Some(path) = input.base_path {
        set(&mut gateway, "/controlUi/basePath", json!(path));
    }
    // Only HTTPS is taken here, HTTP is for local trials.
    if let Some(origin) = input.origins.iter().find(|origin| origin.starts_with("https://")) {
        set(&mut gateway, "/publicOrigin", json!(origin));
    }
    gateway
}

fn token(input: &ConfigInput<'_>) -> Value {
    match &input.token {
        GatewayToken::Secret(secret) => reference(secret),
        GatewayToken::File => json!({"id": "value", "provider": FILE_PROVIDER, "source": "file"}),
    }
}

fn reference(secret: &PinnedSecret<'_>) -> Value {
    json!({"id": secret.item.as_str(), "provider": resolver::PROVIDER, "source": "exec"})
}

fn secrets(input: &ConfigInput<'_>) -> Value {
    if input.token == GatewayToken::File {
        let provider = json!({"mode": "singleValue", "path": TOKEN_FILE, "source": "file"});
        return json!({"providers": {FILE_PROVIDER: provider}});
    }
    let mut passed = resolver::ENVIRONMENT.to_vec();
    if input.emulator {
        passed.extend([resolver::AGENT_VARIABLE, resolver::ENDPOINT_VARIABLE]);
    }
    let provider = json!({
        "command": format!("{CONFIG_DIRECTORY}/{FETCH_SECRET}"),
        // Where the image has Node, and nothing that lies on the volume.
        "env": {"PATH": "/usr/local/bin:/usr/bin:/bin"},
        "passEnv": passed,
        "source": "exec",
        // The script answers within 4.5 s of its own start, which a busy node may delay.
        "timeoutMs": 10_000,
    });
    json!({"defaults": {"exec": resolver::PROVIDER}, "providers": {resolver::PROVIDER: provider}})
}

/// The models of Bedrock by name, where the gateway does not list them itself.
fn bedrock_provider(input: &ConfigInput<'_>) -> Option<Value> {
    let bedrock = input.bedrock.filter(|bedrock| !bedrock.discovery)?;
    let (provider, id) = input.model?.split_once('/')?;
    (provider == BEDROCK).then(|| {
        json!({
            "api": "bedrock-converse-stream",
            "auth": "aws-sdk",
            "baseUrl": format!("https://bedrock-runtime.{}.amazonaws.com", bedrock.region),
            "models": [{"id": id, "name": id}],
        })
    })
}

fn plugins(input: &ConfigInput<'_>) -> Value {
    let provider = input.model.and_then(|model| model.split_once('/')).map(|(provider, _)| provider);
    let bedrock = input.bedrock.filter(|bedrock| bedrock.discovery || provider == Some(BEDROCK));
    let mut allowed: BTreeSet<&str> = PLUGINS.into_iter().chain(provider).collect();
    let mut entries = Map::new();
    // Not without need: the gateway looks for a configured plugin that is missing, at every start, for over a minute
    // where there is no registry to be reached.
    if let Some(Bedrock { region, discovery }) = bedrock {
        allowed.insert(BEDROCK);
        // With Pod Identity no variable tells the gateway that it has AWS credentials, so discovery must be said.
        let config = json!({"discovery": {"enabled": discovery, "region": region}});
        entries.insert(BEDROCK.to_owned(), json!({"config": config, "enabled": true}));
    }
    json!({"allow": allowed, "entries": entries})
}

fn skills(names: &[String]) -> Value {
    let names: BTreeSet<&String> = names.iter().collect();
    names.into_iter().map(|name| (name.clone(), json!({"enabled": true}))).collect::<Map<_, _>>().into()
}

fn refer_to_known_secrets(config: &mut Value, input: &ConfigInput<'_>) {
    // Without Secrets Manager there is no provider to resolve them.
    if input.token == GatewayToken::File {
        return;
    }
    for (name, path) in KNOWN_SECRETS {
        if let Some(secret) = input.secrets.iter().find(|secret| secret.item.as_str() == name) {
            set(config, path, reference(secret));
        }
    }
}

/// Sets the value at a JSON pointer without escapes, making the objects on the way.
fn set(target: &mut Value, pointer: &str, value: Value) {
    let place = pointer.split('/').skip(1).fold(target, |place, key| &mut place[key]);
    *place = value;
}

#[cfg(test)]
mod tests;
