//! How the gateway gets at secrets: a script that it runs, and the map that tells the script what to fetch.

use serde_json::{Map, Value, json};

use crate::api::names::{SecretArn, SecretItemName, VersionId};

/// The script: an exec secret provider of OpenClaw (`docs/gateway/secrets/secretref-contract.md` of its package).
pub const SCRIPT: &str = include_str!("fetch-secret.mjs");

/// The name of the provider in the configuration.
pub const PROVIDER: &str = "aws-secrets-manager";

/// Variables that the gateway passes on to the script, whose environment is empty otherwise.
pub const ENVIRONMENT: [&str; 3] =
    ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_REGION"];

/// Variable of the workspace that names another Secrets Manager than AWS's. Set only by an operator that was told that it
/// talks to an emulator (`--emulator-endpoint`); a Tenant cannot set it, its variables never begin with `OPENCLAW_`.
pub const ENDPOINT_VARIABLE: &str = "OPENCLAW_RESOLVER_ENDPOINT";

/// Variable with the whole URL of a stand-in for the Pod Identity agent. No pod has it: it is for those who run the
/// workspace's processes where the agent's link-local address cannot be had, as `tests/it/openclaw` does. Counts for nothing
/// without [`ENDPOINT_VARIABLE`], and neither is passed on where there is no emulator.
pub const AGENT_VARIABLE: &str = "OPENCLAW_RESOLVER_AGENT";

/// One version of a secret that has a value. The item's name is the id by which the configuration refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedSecret<'a> {
    /// The item's name.
    pub item: &'a SecretItemName,
    /// The secret in Secrets Manager.
    pub arn: &'a SecretArn,
    /// The version that the workspace is to use, whatever `AWSCURRENT` names.
    pub version: &'a VersionId,
}

/// What the script reads from `secrets.json`: which secret and version each id stands for. None of it is secret.
pub fn secrets_map<'a>(secrets: impl IntoIterator<Item = &'a PinnedSecret<'a>>) -> Value {
    let entry = |secret: &PinnedSecret<'_>| {
        let pinned = json!({"secretId": secret.arn.as_str(), "versionId": secret.version.as_str()});
        (secret.item.as_str().to_owned(), pinned)
    };
    let mut entries: Vec<_> = secrets.into_iter().map(entry).collect();
    // The same bytes whatever order they came in: a changed byte rolls the pod.
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Value::Object(Map::from_iter(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_sorted_and_pins_versions() {
        let (token, slack) = ("gateway-token".parse().expect("name"), "slack-bot".parse().expect("name"));
        let arn: SecretArn =
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:openclaw/alice/x-AbCdEf".parse().expect("arn");
        let version: VersionId = "0123456789abcdef0123456789abcdef".parse().expect("version");
        let pin = |item| PinnedSecret { item, arn: &arn, version: &version };
        let pinned = json!({"secretId": arn.as_str(), "versionId": version.as_str()});
        let map = secrets_map(&[pin(&slack), pin(&token)]);
        assert_eq!(map, json!({"gateway-token": pinned, "slack-bot": pinned}));
        assert_eq!(map.to_string(), secrets_map(&[pin(&token), pin(&slack)]).to_string());
    }

    #[test]
    fn the_script_reads_the_variables_that_it_is_given_and_no_others() {
        let read: std::collections::BTreeSet<_> = SCRIPT
            .split("env.")
            .skip(1)
            .map(|rest| rest.split(|c: char| !c.is_ascii_uppercase() && c != '_').next().unwrap_or_default())
            .filter(|name| !name.is_empty())
            .collect();
        let given = ENVIRONMENT.into_iter().chain([ENDPOINT_VARIABLE, AGENT_VARIABLE]).collect();
        assert_eq!(read, given);
    }

    #[test]
    fn the_script_is_executable_text() {
        assert!(SCRIPT.starts_with("#!/usr/bin/env node\n"));
    }
}
