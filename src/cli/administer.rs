//! The commands of administrators.

use std::io::{BufRead as _, Write as _};

use clap::Args;
use jiff::Timestamp;
use kube::Client;
use openclaw_tenant_operator::{
    administer::{self, AdministerError, Sight, Vigil},
    api::{
        labels::{KEEP_UNTIL, MOVE_TO, PURGE_NOW, TRANSFER_TO},
        names::{Incarnation, OwnerSubject, TenantName},
    },
    gateway::Target,
    kubernetes::listing::callers_cluster,
};

use super::{CliError, Output, print, tell};

#[derive(Debug, Args)]
pub(super) struct RetainedArgs {
    /// How they are listed
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct DeletionsArgs {
    /// How they are listed
    #[arg(long, short, value_enum, default_value_t = Output::Table, conflicts_with = "confirm")]
    output: Output,
    /// Let the N oldest pass that the breaker holds. Look at the list first: are they meant?
    #[arg(long, value_name = "N")]
    confirm: Option<usize>,
}

#[derive(Debug, Args)]
pub(super) struct KeepArgs {
    /// Whose retention
    tenant: TenantName,
    /// Until when, such as 2030-01-31T00:00:00Z. Nobody's time is shortened
    #[arg(long, value_name = "TIME")]
    until: Timestamp,
}

#[derive(Debug, Args)]
pub(super) struct PurgeNowArgs {
    /// Whose retention
    tenant: TenantName,
    /// The incarnation that is meant, as `retained` shows it
    #[arg(long)]
    incarnation: Incarnation,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct TransferArgs {
    /// Whose workspace
    tenant: TenantName,
    /// The subject of the new owner, as the identity provider knows it (or the email in lower case where Tenants name none)
    #[arg(long, value_name = "SUBJECT")]
    to: OwnerSubject,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct MoveArgs {
    /// Which tenant
    tenant: TenantName,
    /// A gateway of its class, as NAMESPACE/NAME, or NAMESPACE/NAME/DOMAIN where the class lists it under several domains
    #[arg(long, value_name = "GATEWAY")]
    to: Target,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    /// All Tenants of the cluster: there is no release of one alone
    #[arg(long, required = true)]
    all: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs a command against the cluster that the caller's environment names.
pub(super) fn with_cluster<T>(command: impl AsyncFnOnce(&Client) -> Result<T, CliError>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(async {
        let client = callers_cluster().await.map_err(AdministerError::from)?;
        command(&client).await
    })
}

/// Whether the caller means it.
fn is_meant(question: &str, yes: bool) -> Result<bool, CliError> {
    if yes {
        return Ok(true);
    }
    print(&format!("{question} Type yes to go on: "))?;
    std::io::stdout().flush().map_err(CliError::Print)?;
    let mut answer = String::new();
    // Nobody there to answer is no.
    let read = std::io::stdin().lock().read_line(&mut answer).unwrap_or(0);
    let is_meant = read > 0 && answer.trim() == "yes";
    if !is_meant {
        print("Nothing was changed.\n")?;
    }
    Ok(is_meant)
}

const ORDERED: &str = "the leading operator carries it out and says so in the record's history";

fn told(sight: &Sight, tenant: &TenantName) -> Result<(), CliError> {
    print(&format!("Ordered; {ORDERED}: kubectl get tenantrecord {tenant} -o jsonpath='{{.spec.history}}'\n"))?;
    told_to_wait(sight, std::slice::from_ref(tenant))
}

/// Nothing is written for a paused tenant, whatever is ordered.
fn told_to_wait(sight: &Sight, tenants: &[TenantName]) -> Result<(), CliError> {
    for tenant in tenants.iter().filter(|tenant| sight.is_paused(tenant)) {
        print(&format!(
            "Tenant {tenant} is paused, and the order waits until it is not: kubectl annotate tenant {tenant} openclaw.io/paused-\n"
        ))?;
    }
    Ok(())
}

impl RetainedArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        let sight = with_cluster(async |client| Ok(administer::look(client).await.map_err(AdministerError::from)?))?;
        let kept = sight.retained();
        match self.output {
            Output::Table => tell(&administer::retained_table(&kept)),
            Output::Json => print(&format!("{:#}\n", administer::retained_json(&kept))),
        }
    }
}

impl DeletionsArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        with_cluster(async |client| {
            let sight = administer::look(client).await.map_err(AdministerError::from)?;
            let Some(most) = self.confirm else {
                let all = sight.deletions();
                return match self.output {
                    Output::Table => tell(&administer::deletions_table(&all)),
                    Output::Json => print(&format!("{:#}\n", administer::deletions_json(&all))),
                };
            };
            let tally = administer::confirm(client, &sight, most).await;
            let names: Vec<&str> = tally.done.iter().map(TenantName::as_str).collect();
            print(&format!("Confirmed {} of {most}: {}. {ORDERED}\n", names.len(), names.join(", ")))?;
            told_to_wait(&sight, &tally.done)?;
            Ok(tally.complete()?)
        })
    }
}

impl KeepArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        with_cluster(async |client| {
            let sight = administer::look(client).await.map_err(AdministerError::from)?;
            let (view, _) = sight.record(&self.tenant)?;
            administer::order(client, &self.tenant, view, KEEP_UNTIL, &self.until.to_string()).await?;
            told(&sight, &self.tenant)
        })
    }
}

impl PurgeNowArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        with_cluster(async |client| {
            let sight = administer::look(client).await.map_err(AdministerError::from)?;
            let (view, record) = sight.record(&self.tenant)?;
            if record.incarnation != self.incarnation {
                return Err(CliError::Administer(AdministerError::OtherIncarnation {
                    name: self.tenant.clone(),
                    found: record.incarnation.to_string(),
                    given: self.incarnation.to_string(),
                }));
            }
            let question = format!(
                "Namespace {} and its volume are removed for good, and {} secrets can be restored for {} days.",
                record.namespace.name,
                record.secrets.items.len(),
                record.retirement.recovery_window_days
            );
            if !is_meant(&question, self.yes)? {
                return Ok(());
            }
            administer::order(client, &self.tenant, view, PURGE_NOW, self.incarnation.as_str()).await?;
            told(&sight, &self.tenant)
        })
    }
}

impl TransferArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        with_cluster(async |client| {
            let sight = administer::look(client).await.map_err(AdministerError::from)?;
            let (view, record) = sight.record(&self.tenant)?;
            let former = record.owner.subject.as_ref().map_or_else(|| "its owner".to_owned(), ToString::to_string);
            let question = format!("Everything of tenant {} goes from {former} to {}.", self.tenant, self.to);
            if !is_meant(&question, self.yes)? {
                return Ok(());
            }
            administer::order(client, &self.tenant, view, TRANSFER_TO, self.to.as_str()).await?;
            told(&sight, &self.tenant)
        })
    }
}

impl MoveArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        with_cluster(async |client| {
            let sight = administer::look(client).await.map_err(AdministerError::from)?;
            let (view, record) = sight.record(&self.tenant)?;
            let former = record.routing.placement.as_ref().map_or_else(
                || "no gateway".to_owned(),
                |place| format!("gateway {}/{} ({})", place.namespace, place.name, place.domain),
            );
            let question = format!(
                "Tenant {} goes from {former} to {}. Under another domain its owner has another address from then on, and its \
                 workspace is restarted.",
                self.tenant, self.to
            );
            if !is_meant(&question, self.yes)? {
                return Ok(());
            }
            administer::order(client, &self.tenant, view, MOVE_TO, &self.to.to_string()).await?;
            told(&sight, &self.tenant)
        })
    }
}

impl ReleaseArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        debug_assert!(self.all, "the command line requires it");
        with_cluster(async |client| {
            let told = |vigil: &Vigil| {
                // What is waited for is no result, and nothing is lost where nobody reads it.
                let _ = writeln!(std::io::stderr(), "{vigil}");
            };
            let vigil = administer::nobody_leads(client, told).await?;
            let sight = administer::look(client).await.map_err(AdministerError::from)?;
            let held = sight.held_by_finalizer();
            let question = format!(
                "The finalizer goes off {} Tenants. Nothing else is touched: whatever they have stays, in the cluster and in AWS, \
                 and runs on; Tenants that are being deleted go, and what they have is kept.",
                held.len()
            );
            if !is_meant(&question, self.yes)? {
                return Ok(());
            }
            vigil.still(client).await?;
            let tally = administer::release(client, &sight).await;
            print(&format!("Released {} Tenants.\n", tally.done.len()))?;
            tally.complete()?;
            // Whatever began to lead meanwhile puts back what was taken off.
            Ok(vigil.still(client).await?)
        })
    }
}
