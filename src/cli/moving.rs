//! `migrate cut-over`, `back-out` and `finish`: the second half, one tenant at a time.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use openclaw_tenant_operator::{
    api::names::TenantName,
    migrate::moving::{self, MoveError, Options, report::Report},
};

use super::{CliError, Output, interval};

#[derive(Debug, Subcommand)]
pub(super) enum Moving {
    /// Move one workspace over: the former workload to zero, the operator's in its place, on the same volume. One restart
    ///
    /// The Tenant must be attached (Stalled: AwaitingCutOver), and nothing may be there that would start the former workload again:
    /// an Application that syncs by itself, an autoscaler. Gives the Tenant the order (annotation openclaw.io/cut-over=start), writes
    /// on the former workload what it was, brings it to zero, waits until the Tenant is Ready, and says how long no workspace was.
    /// Run it again wherever it was interrupted.
    #[command(name = "cut-over")]
    CutOver(MoveArgs),

    /// Move it back: the order off the Tenant, the operator's workload gone, and only then the former one as it was
    ///
    /// Possible until `finish`. Run it again wherever it was interrupted.
    #[command(name = "back-out")]
    BackOut(MoveArgs),

    /// End the way back, and remove what the former workload alone had: itself, its Secrets, its ServiceAccount
    ///
    /// Shows first what is removed and what is left, and why; removes nothing without --yes or a "yes" on a terminal. A Secret that
    /// anybody else names is left, and so is whatever could not be seen. Values of Secrets are never read.
    #[command(name = "finish")]
    Finish(FinishArgs),
}

#[derive(Debug, Args)]
pub(super) struct MoveArgs {
    /// Whose workspace
    tenant: TenantName,

    /// A namespace of Argo CD's Applications; `argocd` where none is named. Can be given more than once
    ///
    /// An Application of which the former workload says that it comes from it, and that is in none of the namespaces named here, is taken
    /// to be gone; where none is named, that stands against the step.
    #[arg(long = "argocd-namespace", value_name = "NAMESPACE")]
    argocd_namespaces: Vec<String>,

    /// How long to wait for the operator, such as 90s or 10m. What was done stands when it runs out
    #[arg(long, default_value = "10m", value_parser = interval)]
    timeout: Duration,

    /// How the outcome is printed. What is being done and waited for goes to standard error
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct FinishArgs {
    #[command(flatten)]
    common: MoveArgs,

    /// Do not ask. Look at what is shown without it first
    #[arg(long)]
    yes: bool,
}

impl Moving {
    pub(super) fn execute(self) -> Result<(), CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
        let began = Instant::now();
        let mut tell = |text: &str| {
            // Nobody is left to be told where standard error is closed.
            let _ = writeln!(std::io::stderr(), "{:6.1} s  {text}", began.elapsed().as_secs_f64());
        };
        let (output, outcome) = match self {
            Self::CutOver(args) => (args.output, runtime.block_on(moving::cut_over(&args.options(), &mut tell))),
            Self::BackOut(args) => (args.output, runtime.block_on(moving::back_out(&args.options(), &mut tell))),
            Self::Finish(args) => {
                let mut meant = |report: &Report| is_meant(report, args.yes);
                let options = args.common.options();
                (args.common.output, runtime.block_on(moving::finish(&options, &mut meant, &mut tell)))
            }
        };
        print(output, outcome)
    }
}

impl MoveArgs {
    fn options(&self) -> Options {
        Options {
            tenant: self.tenant.clone(),
            argocd_namespaces: self.argocd_namespaces.clone(),
            timeout: self.timeout,
        }
    }
}

fn print(output: Output, outcome: Result<Report, MoveError>) -> Result<(), CliError> {
    let report = outcome?;
    let text = match output {
        Output::Table => report.table(),
        Output::Json => format!("{:#}\n", report.json()),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(CliError::Print)
}

/// Whether the caller means what is shown. Where nobody can be asked it is only shown.
fn is_meant(report: &Report, yes: bool) -> bool {
    if yes {
        return true;
    }
    if !std::io::stdin().is_terminal() {
        return false;
    }
    let question = "There is no way back after this. Type yes to go on: ";
    let shown = moving::report::plan(&report.removal);
    if write!(std::io::stderr(), "{shown}{question}").is_err() {
        return false;
    }
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).is_ok_and(|read| read > 0) && answer.trim() == "yes"
}
