//! The files that a workspace's ConfigMap holds, and where they and the volume lie in its pod.

use std::collections::BTreeMap;

use super::{
    config::{ConfigInput, GatewayToken, openclaw_json},
    resolver,
};
use crate::api::{labels::GATEWAY_PORT, names::sha256_hex};

/// Where the configuration lies in the pod: an emptyDir that an init container fills, read-only afterwards.
/// OpenClaw runs a secret provider only if it is owned by the gateway's user, writable by nobody else and no symlink,
/// and a file of a mounted ConfigMap is neither owned by that user nor a plain file.
pub const CONFIG_DIRECTORY: &str = "/etc/openclaw";

/// The gateway's state: the tenant's volume.
pub const STATE_DIRECTORY: &str = "/home/node/.openclaw";

/// Where the init container finds the ConfigMap.
pub const SOURCE_DIRECTORY: &str = "/config";

/// Port of the gateway on the pod's loopback interface; [`GATEWAY_PORT`] is the relay's.
pub const LOOPBACK_PORT: u16 = 18788;

/// File with the gateway token of a workspace without Secrets Manager, made by the init container where it is missing.
pub const TOKEN_FILE: &str = "/home/node/.openclaw/gateway-token";

/// Name of the configuration's file.
pub const OPENCLAW_JSON: &str = "openclaw.json";

/// Name of the secret resolver's file, to be copied with mode 0700.
pub const FETCH_SECRET: &str = "fetch-secret.mjs";

/// Name of the file that tells the resolver which versions to fetch. It must lie beside the resolver.
pub const SECRETS_JSON: &str = "secrets.json";

/// Name of the relay's file.
pub const RELAY: &str = "relay.mjs";

const RELAY_SCRIPT: &str = include_str!("relay.mjs");

/// The ConfigMap's data.
pub fn data(input: &ConfigInput<'_>) -> BTreeMap<String, String> {
    // The alternative form of a JSON value is indented, which people who look into the ConfigMap will want.
    let mut data = BTreeMap::from([
        (OPENCLAW_JSON.to_owned(), format!("{:#}\n", openclaw_json(input))),
        (RELAY.to_owned(), RELAY_SCRIPT.to_owned()),
    ]);
    if let GatewayToken::Secret(token) = &input.token {
        let pinned = resolver::secrets_map(input.secrets.iter().chain([token]));
        data.insert(SECRETS_JSON.to_owned(), format!("{pinned:#}\n"));
        data.insert(FETCH_SECRET.to_owned(), resolver::SCRIPT.to_owned());
    }
    data
}

/// A hash over all of the data, for the pod template's annotation: any change rolls the pod.
pub fn hash<T: AsRef<str>>(data: &BTreeMap<T, T>) -> String {
    let parts: Vec<&str> = data.iter().flat_map(|(name, text)| [name.as_ref(), text.as_ref()]).collect();
    sha256_hex(&parts)
}

/// What the init container runs, with `sh -c` and as the gateway's user, so that the copies belong to that user.
pub fn install_script(token: &GatewayToken<'_>) -> String {
    let copy =
        format!("set -eu\numask 077\ncp {SOURCE_DIRECTORY}/*.json {SOURCE_DIRECTORY}/*.mjs {CONFIG_DIRECTORY}/\n");
    match token {
        GatewayToken::Secret(_) => format!("{copy}chmod 0700 {CONFIG_DIRECTORY}/{FETCH_SECRET}\n"),
        // 256 random bits in hex, made once. The rename keeps a crash from leaving half a token behind.
        GatewayToken::File => format!(
            "{copy}[ -s {TOKEN_FILE} ] || {{\n  head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \\n' > {TOKEN_FILE}.new\n  \
             mv {TOKEN_FILE}.new {TOKEN_FILE}\n}}\n"
        ),
    }
}

/// What the relay's container runs.
pub fn relay_command() -> [String; 4] {
    let script = format!("{CONFIG_DIRECTORY}/{RELAY}");
    ["node".to_owned(), script, GATEWAY_PORT.to_string(), LOOPBACK_PORT.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_sees_names_and_texts() {
        let of = |pairs: &[(&str, &str)]| hash(&pairs.iter().copied().collect::<BTreeMap<_, _>>());
        assert_eq!(of(&[("a", "1"), ("b", "2")]).len(), 64);
        assert_ne!(of(&[("a", "1"), ("b", "2")]), of(&[("a", "1"), ("b", "3")]));
        assert_ne!(of(&[("a", "1")]), of(&[("c", "1")]));
        assert_ne!(of(&[("a", "1b")]), of(&[("a1", "b")]));
    }

    #[test]
    fn the_token_of_a_workspace_outside_aws_is_made_once() {
        assert_eq!(
            install_script(&GatewayToken::File),
            "set -eu\numask 077\ncp /config/*.json /config/*.mjs /etc/openclaw/\n\
             [ -s /home/node/.openclaw/gateway-token ] || {\n  \
             head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \\n' > /home/node/.openclaw/gateway-token.new\n  \
             mv /home/node/.openclaw/gateway-token.new /home/node/.openclaw/gateway-token\n}\n"
        );
    }

    #[test]
    fn the_relay_listens_where_the_service_points() {
        assert_eq!(relay_command(), ["node", "/etc/openclaw/relay.mjs", "18789", "18788"]);
    }
}
