//! How workspaces sleep while nobody uses them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults;
use crate::api::names::NamespaceName;

/// Lets a workspace sleep while nobody uses it: KEDA takes its pod away, and KEDA's HTTP add-on (0.14 or newer), through which its
/// requests go, has it started again when somebody comes. Where the cluster does not serve their kinds, the workspace runs all the
/// time, and `WorkloadReady` says so.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaleToZero {
    /// Seconds after the last request, and with no connection open, until a workspace sleeps. An open browser tab holds a
    /// connection.
    #[serde(default = "defaults::idle_seconds")]
    #[schemars(range(min = 60, max = 86_400))]
    pub idle_seconds: u32,

    /// Seconds that a request waits for a workspace to wake. OpenClaw needs 13 to 18 s to start where nothing is missing.
    #[serde(default = "defaults::wake_seconds")]
    #[schemars(range(min = 10, max = 900))]
    pub wake_seconds: u16,

    /// The add-on's interceptor, which stands before the workspaces.
    #[serde(default)]
    pub interceptor: Interceptor,

    /// Where KEDA asks the add-on how many requests there are, as host and port.
    #[serde(default = "defaults::scaler_address")]
    #[schemars(length(min = 3, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?:[0-9]{1,5}$"))]
    pub scaler_address: String,
}

/// The interceptor of KEDA's HTTP add-on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interceptor {
    /// The namespace of its Service. The operator keeps one ReferenceGrant for each tenant there.
    #[serde(default = "defaults::interceptor_namespace")]
    pub namespace: NamespaceName,

    /// The name of its Service.
    #[serde(default = "defaults::interceptor_service")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub service: String,

    /// The port of its Service.
    #[serde(default = "defaults::interceptor_port")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: u16,
}

impl Default for Interceptor {
    fn default() -> Self {
        Self {
            namespace: defaults::interceptor_namespace(),
            service: defaults::interceptor_service(),
            port: defaults::interceptor_port(),
        }
    }
}
