//! `status`: how tenants stand.

use std::{io::Write as _, time::Duration};

use clap::Args;
use kube::Client;
use openclaw_tenant_operator::{
    api::names::TenantName,
    aws::{self, AwsClients, AwsSettings, Rates},
    fence::Fence,
    inspect::{
        InspectError, live,
        watch::{self, Frame, Wishes},
    },
};

use super::{CliError, Output, administer::with_cluster, interval, print, terminal::Terminal};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// One tenant, as a tree of what it has. Without it all are listed
    tenant: Option<TenantName>,

    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Output::Table, conflicts_with_all = ["watch", "until_ready"])]
    output: Output,

    /// Show progress until Ctrl-C: drawn anew on a terminal, changed lines elsewhere
    #[arg(long, short)]
    watch: bool,

    /// Show progress until all are Ready; exit code 1 where they are not in time
    #[arg(long)]
    until_ready: bool,

    /// With --until-ready: how long to wait, such as 90s or 10m
    #[arg(long, default_value = "10m", value_parser = interval, requires = "until_ready")]
    timeout: Duration,

    /// Ask AWS as well, with your own credentials, for the association and secrets of the one tenant (describe); values are never read.
    /// Name of the EKS cluster
    #[arg(long, value_name = "NAME", requires = "tenant")]
    cluster_name: Option<String>,

    /// AWS region, where the environment does not say it
    #[arg(long, requires = "cluster_name")]
    region: Option<String>,
}

impl StatusArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        with_cluster(async |client| {
            let aws = self.aws().await?;
            let terminal = Terminal::of_stdout();
            if self.watch || self.until_ready {
                let wishes = Wishes {
                    redraw: terminal.draws,
                    period: watch::PERIOD,
                    until_ready: self.until_ready.then_some(self.timeout),
                };
                let look = async || self.frame(client, aws.as_ref(), terminal).await;
                return Ok(watch::watch(wishes, &mut std::io::stdout(), look).await?);
            }
            match &self.tenant {
                Some(name) => {
                    let one = live::one(client, name, aws.as_ref()).await?;
                    match self.output {
                        Output::Table => print(&one.text(terminal.paint, terminal.width())),
                        Output::Json => print(&format!("{:#}\n", one.json())),
                    }
                }
                None => self.list(client, terminal).await,
            }
        })
    }

    async fn list(&self, client: &Client, terminal: Terminal) -> Result<(), CliError> {
        let (fleet, unseen) = live::fleet(client).await?;
        match self.output {
            Output::Table => print(&fleet.table(terminal.paint, terminal.width(), None))?,
            Output::Json => print(&format!("{:#}\n", fleet.json()))?,
        }
        if let Some(why) = unseen {
            // It is beside the list.
            let _ = writeln!(std::io::stderr(), "Who is kept without a Tenant is not known: {why}");
        }
        Ok(())
    }

    async fn frame(
        &self,
        client: &Client,
        aws: Option<&AwsClients>,
        terminal: Terminal,
    ) -> Result<Frame, InspectError> {
        if let Some(name) = &self.tenant {
            let one = live::one(client, name, aws).await?;
            return Ok(Frame {
                text: one.text(terminal.paint, terminal.width()),
                lines: one.lines(),
                summary: one.summary(),
                done: one.is_ready(),
            });
        }
        let (fleet, _) = live::fleet(client).await?;
        Ok(Frame {
            text: fleet.table(terminal.paint, terminal.width(), terminal.room()),
            lines: fleet.lines(),
            summary: fleet.summary(),
            done: fleet.is_ready(),
        })
    }

    async fn aws(&self) -> Result<Option<AwsClients>, InspectError> {
        let Some(cluster_name) = self.cluster_name.clone() else { return Ok(None) };
        let settings = AwsSettings { cluster_name, region: self.region.clone(), rates: Rates::default() };
        // Closed for ever: this command writes nothing.
        Ok(Some(aws::connect(settings, Fence::closed(), None).await?))
    }
}
