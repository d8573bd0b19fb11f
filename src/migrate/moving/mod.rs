//! `migrate cut-over`, `back-out` and `finish`: the second half of a migration, one tenant at a time, in the caller's own name.
//!
//! The operator has no right on Deployments, Sandboxes or Secrets: it waits until no pod of others mounts the claim. What it waits
//! for is done here. look → judge ([`verdict`], [`rivals`], [`doomed`], [`removal`]) → write → wait. Each step can be run
//! again wherever it was interrupted: what it knows is in the record, on the Tenant and on the former workload, never in the
//! process.

mod back_out;
mod cut_over;
pub mod doomed;
mod finish;
pub mod former;
mod look;
pub mod references;
pub mod removal;
pub mod report;
pub mod rivals;
pub mod sight;
pub mod verdict;
mod write;

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use crate::{api::names::TenantName, kubernetes::listing::ListError};
use look::Looker;
use report::Report;
use sight::Sight;
use verdict::Refused;

pub use back_out::back_out;
pub use cut_over::cut_over;
pub use finish::{Meant, finish};

/// How often it is looked while something is waited for.
const PERIOD: Duration = Duration::from_millis(300);

/// How often it is said that something is still waited for.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// How often an object is looked at anew that somebody else changed in between.
const LOOKS: usize = 5;

/// Argo CD's namespace, where nobody says another.
pub const ARGOCD: &str = "argocd";

/// What a step is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose.
    pub tenant: TenantName,
    /// The namespaces of Argo CD's Applications, where the caller has named any; else [`ARGOCD`].
    pub argocd_namespaces: Vec<String>,
    /// How long it waits for the operator.
    pub timeout: Duration,
}

/// Why a step did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// No cluster to talk to.
    #[error(transparent)]
    Cluster(#[from] ListError),
    /// There is nothing to move.
    #[error(
        "there is no Tenant {0}: make it first (docs/migration.md, steps 5 to 7). A former workload that an earlier run brought to zero \
         carries what it was in its annotation openclaw.io/before-cut-over"
    )]
    NoTenant(TenantName),
    /// The operator has not seen it.
    #[error("there is no TenantRecord {0} yet: does the operator run, and what does kubectl describe tenant {0} say?")]
    NoRecord(TenantName),
    /// What cannot be done without.
    #[error("{what} cannot be read: {why}. Nothing is done on half a sight (rights needed: docs/migration.md, step 7)")]
    Unreadable {
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
    /// The step is not to be taken.
    #[error(transparent)]
    Refusal(#[from] Refused),
    /// A change was refused.
    #[error("{what} cannot be changed: {why}. What was done so far stands: run the command again when that is mended")]
    Refused {
        /// Which object.
        what: String,
        /// Why not.
        why: String,
    },
    /// Somebody else changes the same object all the time.
    #[error("{what} was changed by somebody else {LOOKS} times in between: run the command again")]
    Contended {
        /// Which object.
        what: String,
    },
    /// Somebody started the former workload again.
    #[error(
        "{}: two pods on one claim can destroy what is on it. Find out who does that and stop it; then run `migrate cut-over \
         {tenant}` again to go on, or `migrate back-out {tenant}` to go back", .what.join("; ")
    )]
    ScaledUp {
        /// Whose.
        tenant: TenantName,
        /// Which workloads.
        what: Vec<String>,
    },
    /// Time ran out.
    #[error("after {seconds} s it still waits ({waits_for}). {advice}")]
    TimedOut {
        /// How long it has waited.
        seconds: u64,
        /// For what.
        waits_for: String,
        /// How to go on or back.
        advice: String,
    },
}

/// Where progress is told: every wait says what it is for.
pub type Tell<'a> = &'a mut dyn FnMut(&str);

/// One run of a step.
struct Run<'a> {
    looker: Looker,
    options: &'a Options,
    report: Report,
    tell: Tell<'a>,
}

impl<'a> Run<'a> {
    async fn begin(step: report::Step, options: &'a Options, tell: Tell<'a>) -> Result<Self, MoveError> {
        Ok(Self {
            looker: Looker::connect(options).await?,
            options,
            report: Report::new(step, options.tenant.as_str()),
            tell,
        })
    }

    /// Notes a change, and tells it.
    fn changed(&mut self, what: String) {
        (self.tell)(&what);
        self.report.changed.push(what);
    }

    /// Gives the Tenant an order, or takes it off.
    async fn order(&mut self, sight: &Sight, value: Option<&str>) -> Result<(), MoveError> {
        write::order(&self.looker.client, &sight.tenant, value).await?;
        self.changed(match value {
            Some(value) => format!("Tenant {}: {}={value}", sight.name, crate::api::labels::CUT_OVER),
            None => format!("Tenant {}: {} taken off", sight.name, crate::api::labels::CUT_OVER),
        });
        Ok(())
    }

    /// Looks until it is so. A look that fails is told and taken again: what was begun is not given up for it.
    async fn until(
        &mut self,
        advice: &str,
        mut is_it: impl FnMut(&Sight) -> Result<Option<String>, MoveError>,
    ) -> Result<Sight, MoveError> {
        let end = Instant::now() + self.options.timeout;
        let (mut said, mut said_at) = (String::new(), Instant::now());
        loop {
            let waits_for = match self.looker.look().await {
                Ok(sight) => match is_it(&sight)? {
                    None => return Ok(sight),
                    Some(waits_for) => waits_for,
                },
                Err(error) => error.to_string(),
            };
            if said != waits_for || said_at.elapsed() >= SAID_EVERY {
                (self.tell)(&format!("waiting: {waits_for}"));
                (said, said_at) = (waits_for.clone(), Instant::now());
            }
            if Instant::now() >= end {
                let seconds = self.options.timeout.as_secs();
                return Err(MoveError::TimedOut { seconds, waits_for, advice: advice.to_owned() });
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}
