//! The secrets of every tenant of a class, and where the sign-in reads them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults;
use crate::api::names::{KmsKeyArn, SecretItemName};

/// The secrets of every tenant of a class.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.mode == 'None' || !has(self.generated) || self.generated.exists(item, item.name == 'gateway-token')")
        .message("secrets.generated must hold gateway-token: owners log in with it"),
    validation = Rule::new("has(self.kmsKeyArn) == has(oldSelf.kmsKeyArn) && (!has(self.kmsKeyArn) || self.kmsKeyArn == oldSelf.kmsKeyArn)")
        .message("the KMS key never changes, secrets stay under the one that they were made with: make another class"),
)]
pub struct Secrets {
    /// Where secrets are kept. Immutable.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("the secrets mode never changes, tenants' tokens are kept there: make another class"))]
    pub mode: SecretsMode,

    /// The KMS key that encrypts them; without it the account's default key for Secrets Manager. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<KmsKeyArn>,

    /// Days for which a deleted secret can be restored.
    #[serde(default = "defaults::recovery_window_days")]
    #[schemars(range(min = 7, max = 30))]
    pub recovery_window_days: u8,

    /// Secrets that the operator generates: 32 random bytes in URL-safe base64.
    #[serde(default = "defaults::gateway_token")]
    #[schemars(length(min = 1, max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub generated: Vec<GeneratedSecret>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            mode: SecretsMode::default(),
            kms_key_arn: None,
            recovery_window_days: defaults::recovery_window_days(),
            generated: defaults::gateway_token(),
        }
    }
}

/// Where secrets are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SecretsMode {
    /// AWS Secrets Manager.
    SecretsManager,
    /// Nowhere: clusters outside AWS. The workspace then gets no gateway token from the operator.
    #[default]
    None,
}

/// A secret that the operator generates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedSecret {
    /// Its name, the last part of the name in Secrets Manager.
    pub name: SecretItemName,

    /// Days after which a new value takes the place of the old one, give or take a tenth, so that tenants do not
    /// rotate together; never by time where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 365))]
    pub rotate_every_days: Option<u16>,
}

/// Where owners' tokens are read at sign-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// Where the sign-in reads an owner's token. While it holds a copy of its own, tokens are not rotated.
    #[serde(default)]
    pub token_source: TokenSource,
}

/// Where the sign-in reads an owner's token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenSource {
    /// A copy in the user directory, made at sign-up: a rotation would make it worthless.
    #[default]
    UserDirectory,
    /// The version AWSCURRENT of the secret in Secrets Manager.
    SecretsManager,
}
