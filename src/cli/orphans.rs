//! `orphans`: what nobody stands behind in AWS.

use std::io::Write as _;

use clap::Args;
use openclaw_tenant_operator::{
    api::names::SecretsPrefix,
    orphans::{self, OrphansError},
};

use super::{CliError, Output};

#[derive(Debug, Args)]
pub(super) struct OrphansArgs {
    /// Name of the EKS cluster
    #[arg(long, env = "OPENCLAW_CLUSTER_NAME")]
    cluster_name: String,
    /// AWS region, where the environment does not say it
    #[arg(long)]
    region: Option<String>,
    /// What secret names begin with, as the operator was told
    #[arg(long, env = "OPENCLAW_SECRETS_PREFIX", default_value = "openclaw")]
    secrets_prefix: SecretsPrefix,
    /// How they are listed
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Delete them. Not in this version: the list says how to remove each by hand
    #[arg(long)]
    delete: bool,
}

impl OrphansArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        if self.delete {
            return Err(OrphansError::NoPurge.into());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
        let options = orphans::Options {
            cluster_name: self.cluster_name,
            region: self.region,
            secrets_prefix: self.secrets_prefix,
        };
        let report = runtime.block_on(orphans::look(options))?;
        let text = match self.output {
            Output::Table => report.table(),
            Output::Json => format!("{:#}\n", report.json()),
        };
        std::io::stdout().write_all(text.as_bytes()).map_err(CliError::Print)
    }
}
