//! What the operator was told about its surroundings: flags and what it found at start. Values only.

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    api::names::{NamespaceName, SecretsPrefix, Uid},
    aws::types::Cluster,
};

/// The operator's surroundings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The operator's own namespace, which no tenant ever gets.
    pub operator_namespace: NamespaceName,
    /// What secret names begin with.
    pub secrets_prefix: SecretsPrefix,
    /// UID of `kube-system`, by which AWS resources tell clusters apart.
    pub cluster_uid: Uid,
    /// The EKS cluster; `None` outside AWS.
    pub eks: Option<Cluster>,
    /// The AWS region, told to the workspaces; `None` outside AWS.
    pub region: Option<String>,
    /// Address ranges of the cluster itself (pods, services, nodes, VPC), kept out of Internet egress.
    pub cluster_cidrs: Vec<String>,
    /// Addresses that answer DNS beside the cluster's DNS pods, such as NodeLocal's.
    pub dns_addresses: Vec<String>,
    /// Where workspaces find Secrets Manager, where that is an emulator.
    pub emulator_endpoint: Option<String>,
    /// How often AWS is looked at as a whole.
    pub sweeps: Sweeps,
    /// Nothing is written, for any tenant; drift is reported.
    pub dry_run: bool,
}

/// How often AWS is looked at as a whole, and how fast single things in it are described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweeps {
    /// Between two sweeps.
    pub interval: Duration,
    /// Every association and secret is described at least once in this time.
    pub audit_period: Duration,
    /// Descriptions of the audit per second.
    pub audit_rate: NonZeroU32,
}

impl Default for Sweeps {
    /// Every ten minutes, within a day, one a second: what an operator does that is told nothing else.
    fn default() -> Self {
        Self { interval: Duration::from_mins(10), audit_period: Duration::from_hours(24), audit_rate: NonZeroU32::MIN }
    }
}
