//! How fast changes of the pod template reach the tenants of a class.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::defaults;

/// How fast changes of the pod template reach the tenants of a class.
///
/// There is one gate for the whole fleet: tenants of all classes count in it, each is measured by its own class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// How many tenants may be restarting at the same time.
    #[serde(default = "defaults::rollout_in_flight")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_in_flight: u16,

    /// So many tenants that were ready before a change and are not after it stop the gate.
    #[serde(default = "defaults::rollout_failures")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_failures: u16,

    /// Seconds that a workspace has to start, after those that the former pod has to end
    /// (`workload.terminationGracePeriodSeconds`); one that is not ready then counts as failed.
    #[serde(default = "defaults::rollout_deadline_seconds")]
    #[schemars(range(min = 30, max = 86_400))]
    pub deadline_seconds: u32,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            max_in_flight: defaults::rollout_in_flight(),
            max_failures: defaults::rollout_failures(),
            deadline_seconds: defaults::rollout_deadline_seconds(),
        }
    }
}
