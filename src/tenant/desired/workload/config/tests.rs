use super::*;
use crate::api::names::{SecretArn, SecretItemName, VersionId};
use crate::tenant::desired::workload::files;

struct Names {
    token: SecretItemName,
    telegram: SecretItemName,
    other: SecretItemName,
    arn: SecretArn,
    version: VersionId,
}

impl Names {
    fn new() -> Self {
        Self {
            token: "gateway-token".parse().expect("name"),
            telegram: "telegram-bot-token".parse().expect("name"),
            other: "notes-password".parse().expect("name"),
            arn: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:openclaw/alice/x".parse().expect("arn"),
            version: "0123456789abcdef0123456789abcdef".parse().expect("version"),
        }
    }

    fn pin<'a>(&'a self, item: &'a SecretItemName) -> PinnedSecret<'a> {
        PinnedSecret { item, arn: &self.arn, version: &self.version }
    }
}

fn plain(origins: &[String]) -> ConfigInput<'_> {
    ConfigInput {
        origins,
        base_path: None,
        model: None,
        bedrock: None,
        token: GatewayToken::File,
        secrets: &[],
        skills: &[],
        emulator: false,
    }
}

#[test]
fn a_workspace_on_aws_under_a_path_with_everything() {
    let names = Names::new();
    let origins = ["https://openclaw.example.com".to_owned()];
    let skills = ["weather".to_owned(), "github".to_owned()];
    let secrets = [names.pin(&names.telegram), names.pin(&names.other)];
    let input = ConfigInput {
        base_path: Some("/t/alice"),
        model: Some("amazon-bedrock/eu.anthropic.claude-sonnet-5"),
        bedrock: Some(Bedrock { region: "eu-west-1", discovery: true }),
        token: GatewayToken::Secret(names.pin(&names.token)),
        secrets: &secrets,
        skills: &skills,
        emulator: true,
        ..plain(&origins)
    };
    let reference = |id: &str| json!({"source": "exec", "provider": "aws-secrets-manager", "id": id});
    assert_eq!(
        openclaw_json(&input),
        json!({
            "agents": {"defaults": {"model": {"primary": "amazon-bedrock/eu.anthropic.claude-sonnet-5"}}},
            "browser": {"enabled": false},
            "channels": {"telegram": {"botToken": reference("telegram-bot-token")}},
            "commands": {"bash": false, "config": false, "debug": false, "mcp": false, "plugins": false},
            "discovery": {"mdns": {"mode": "off"}},
            "gateway": {
                "auth": {
                    "allowTailscale": false,
                    "mode": "token",
                    "rateLimit": {"maxAttempts": 100, "windowMs": 60000, "lockoutMs": 1000},
                    "token": reference("gateway-token"),
                },
                "bind": "loopback",
                "cliAgents": {"enabled": false},
                "controlUi": {
                    "allowedOrigins": ["https://openclaw.example.com"],
                    "basePath": "/t/alice",
                    "enabled": true,
                },
                "mode": "local",
                "nodes": {"pairing": {"sshVerify": false}},
                "port": 18788,
                "publicOrigin": "https://openclaw.example.com",
                "reload": {"mode": "off"},
                "terminal": {"enabled": false},
            },
            "logging": {"consoleStyle": "json", "maxFileBytes": 10_485_760},
            "models": {"catalogRefresh": {"enabled": false}},
            "plugins": {
                "allow": ["amazon-bedrock", "anthropic", "document-extract", "google", "memory-core", "openai",
                          "openrouter", "web-readability", "xai"],
                "entries": {"amazon-bedrock": {
                    "enabled": true,
                    "config": {"discovery": {"enabled": true, "region": "eu-west-1"}},
                }},
            },
            "secrets": {
                "defaults": {"exec": "aws-secrets-manager"},
                "providers": {"aws-secrets-manager": {
                    "source": "exec",
                    "command": "/etc/openclaw/fetch-secret.mjs",
                    "env": {"PATH": "/usr/local/bin:/usr/bin:/bin"},
                    "passEnv": ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                "AWS_REGION", "OPENCLAW_RESOLVER_AGENT", "OPENCLAW_RESOLVER_ENDPOINT"],
                    "timeoutMs": 10000,
                }},
            },
            "skills": {"entries": {"github": {"enabled": true}, "weather": {"enabled": true}}},
            "telemetry": {"enabled": false},
            "tools": {
                "deny": ["browser", "gateway", "group:nodes", "group:runtime", "openclaw", "plugins", "portal", "screen",
                         "terminal"],
                "elevated": {"enabled": false},
                "exec": {"mode": "deny"},
                "fs": {"workspaceOnly": true},
            },
            "update": {"auto": {"enabled": false}, "checkOnStart": false},
        })
    );
}

#[test]
fn a_workspace_outside_aws_with_a_host_of_its_own() {
    let origins = ["http://alice.example.com".to_owned()];
    assert_eq!(
        openclaw_json(&plain(&origins)),
        json!({
            "browser": {"enabled": false},
            "commands": {"bash": false, "config": false, "debug": false, "mcp": false, "plugins": false},
            "discovery": {"mdns": {"mode": "off"}},
            "gateway": {
                "auth": {
                    "allowTailscale": false,
                    "mode": "token",
                    "rateLimit": {"maxAttempts": 100, "windowMs": 60000, "lockoutMs": 1000},
                    "token": {"source": "file", "provider": "volume", "id": "value"},
                },
                "bind": "loopback",
                "cliAgents": {"enabled": false},
                "controlUi": {"allowedOrigins": ["http://alice.example.com"], "enabled": true},
                "mode": "local",
                "nodes": {"pairing": {"sshVerify": false}},
                "port": 18788,
                "reload": {"mode": "off"},
                "terminal": {"enabled": false},
            },
            "logging": {"consoleStyle": "json", "maxFileBytes": 10_485_760},
            "models": {"catalogRefresh": {"enabled": false}},
            "plugins": {
                "allow": ["anthropic", "document-extract", "google", "memory-core", "openai", "openrouter",
                          "web-readability", "xai"],
                "entries": {},
            },
            "secrets": {"providers": {"volume": {
                "source": "file", "path": "/home/node/.openclaw/gateway-token", "mode": "singleValue",
            }}},
            "skills": {"entries": {}},
            "telemetry": {"enabled": false},
            "tools": {
                "deny": ["browser", "gateway", "group:nodes", "group:runtime", "openclaw", "plugins", "portal", "screen",
                         "terminal"],
                "elevated": {"enabled": false},
                "exec": {"mode": "deny"},
                "fs": {"workspaceOnly": true},
            },
            "update": {"auto": {"enabled": false}, "checkOnStart": false},
        })
    );
}

#[test]
fn without_discovery_the_model_of_bedrock_is_named() {
    let input = ConfigInput {
        model: Some("amazon-bedrock/eu.anthropic.claude-sonnet-5"),
        bedrock: Some(Bedrock { region: "eu-west-1", discovery: false }),
        ..plain(&[])
    };
    let config = openclaw_json(&input);
    assert_eq!(
        config["models"]["providers"],
        json!({"amazon-bedrock": {
            "api": "bedrock-converse-stream",
            "auth": "aws-sdk",
            "baseUrl": "https://bedrock-runtime.eu-west-1.amazonaws.com",
            "models": [{"id": "eu.anthropic.claude-sonnet-5", "name": "eu.anthropic.claude-sonnet-5"}],
        }})
    );
    assert_eq!(config["plugins"]["entries"]["amazon-bedrock"]["config"]["discovery"]["enabled"], false);
}

#[test]
fn bedrock_that_nobody_uses_is_not_configured() {
    let bedrock = Some(Bedrock { region: "eu-west-1", discovery: false });
    let config = openclaw_json(&ConfigInput { model: Some("openai/gpt-5"), bedrock, ..plain(&[]) });
    assert_eq!(config["plugins"]["entries"], json!({}));
    assert_eq!(config["models"], json!({"catalogRefresh": {"enabled": false}}));
}

#[test]
fn the_provider_of_the_model_may_load() {
    let config = openclaw_json(&ConfigInput { model: Some("mistral/large"), ..plain(&[]) });
    assert!(config["plugins"]["allow"].as_array().is_some_and(|allowed| allowed.contains(&json!("mistral"))));
}

#[test]
fn only_known_secrets_with_a_value_are_referred_to() {
    let names = Names::new();
    let token = GatewayToken::Secret(names.pin(&names.token));
    let with = |secrets: &[PinnedSecret<'_>]| openclaw_json(&ConfigInput { token, secrets, ..plain(&[]) });
    assert_eq!(with(&[names.pin(&names.other)]), with(&[]));
    assert!(!with(&[]).to_string().contains("telegram"));
    assert!(with(&[names.pin(&names.telegram)]).to_string().contains("telegram-bot-token"));
}

#[test]
fn the_emulators_address_is_passed_on_only_where_there_is_one() {
    let names = Names::new();
    let token = GatewayToken::Secret(names.pin(&names.token));
    let with = |emulator| openclaw_json(&ConfigInput { token, emulator, ..plain(&[]) }).to_string();
    assert!(with(true).contains("OPENCLAW_RESOLVER_ENDPOINT"));
    assert!(!with(false).contains("OPENCLAW_RESOLVER"));
}

#[test]
fn the_config_map_holds_what_its_pod_needs_and_changes_with_a_version() {
    let mut names = Names::new();
    let of = |names: &Names| {
        let token = GatewayToken::Secret(names.pin(&names.token));
        files::data(&ConfigInput { token, secrets: &[names.pin(&names.other)], ..plain(&[]) })
    };
    let before = of(&names);
    assert_eq!(before.keys().collect::<Vec<_>>(), ["fetch-secret.mjs", "openclaw.json", "relay.mjs", "secrets.json"]);
    let pinned: Value = serde_json::from_str(&before["secrets.json"]).expect("JSON");
    assert_eq!(
        pinned.as_object().map(|map| map.keys().cloned().collect()),
        Some(vec!["gateway-token".to_owned(), "notes-password".to_owned()])
    );
    assert_eq!(files::hash(&before), files::hash(&of(&names)));

    names.version = "fedcba9876543210fedcba9876543210".parse().expect("version");
    assert_ne!(files::hash(&before), files::hash(&of(&names)));

    let outside = files::data(&plain(&[]));
    assert_eq!(outside.keys().collect::<Vec<_>>(), ["openclaw.json", "relay.mjs"]);
}

#[test]
fn the_same_input_gives_the_same_bytes_in_any_order() {
    let (one, two) = (["b".to_owned(), "a".to_owned()], ["a".to_owned(), "b".to_owned()]);
    let with = |skills: &[String]| files::data(&ConfigInput { skills, ..plain(&[]) });
    assert_eq!(with(&one), with(&two));
}
