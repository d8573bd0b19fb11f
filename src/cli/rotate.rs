//! `rotate`: new values for generated secrets.

use std::{io::Write as _, time::Duration};

use clap::Args;
use openclaw_tenant_operator::{
    api::names::TenantName,
    rotate::{self, Options},
};

use super::{CliError, Output, administer::with_cluster, interval, print, tell};

#[derive(Debug, Args)]
pub(super) struct RotateArgs {
    /// Whose secrets
    tenant: TenantName,
    /// They have leaked: there is no way back and no waiting at the roll-out gate. Where the workspace does not become ready with the new
    /// values, it stays down
    #[arg(long)]
    compromised: bool,
    /// Wait for the end, and tell how it went. What is waited for goes to standard error
    #[arg(long)]
    wait: bool,
    /// With --wait: how long, such as 90s or 10m
    #[arg(long, default_value = "15m", value_parser = interval, requires = "wait")]
    timeout: Duration,
    /// How the outcome is printed
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

impl RotateArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        let options =
            Options { tenant: self.tenant, compromised: self.compromised, wait: self.wait.then_some(self.timeout) };
        let mut say = |text: &str| {
            // What is waited for is no result, and nothing is lost where nobody reads it.
            let _ = writeln!(std::io::stderr(), "{text}");
        };
        let outcome = with_cluster(async |client| Ok(rotate::rotate(client, &options, &mut say).await?))?;
        match self.output {
            Output::Table => tell(&outcome.text()),
            Output::Json => print(&format!("{:#}\n", outcome.json())),
        }
    }
}
