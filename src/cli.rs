//! What can be asked of the program on the command line.

mod administer;
mod check;
mod completion;
mod crds;
#[cfg(test)]
mod documented;
mod iam;
mod migrate;
mod moving;
mod orphans;
mod program;
mod reference;
mod rotate;
mod run;
mod status;
mod terminal;

use std::{
    fmt, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{FromArgMatches as _, Parser, Subcommand, ValueEnum};
use openclaw_tenant_operator::{
    administer::AdministerError,
    check::CheckError,
    inspect::InspectError,
    migrate::{MigrateError, moving::MoveError},
    orphans::OrphansError,
    rotate::RotateError,
    run::RunError,
    telemetry::logs::LogError,
};
use program::Program;

/// Turns a Tenant object into one person's isolated OpenClaw workspace on Amazon EKS.
///
/// Called kubectl-tenant and put into the PATH, it is `kubectl tenant` as well. All commands but run act in the caller's name, with
/// the caller's own rights. Exit codes: 0 done, and all is as asked for; 1 not; 2 a wrong command line (docs/cli.md).
#[derive(Debug, Parser)]
#[command(
    name = "openclaw-tenant-operator",
    version,
    propagate_version = true,
    after_help = "\
Example: install the CustomResourceDefinitions
  openclaw-tenant-operator crds | kubectl apply --server-side -f -"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator. One process leads, others stand by
    #[command(after_help = "\
Example: on EKS, with credentials from the environment
  openclaw-tenant-operator run --cluster-name prod --cluster-cidrs 10.0.0.0/16,172.20.0.0/16")]
    Run(Box<run::RunArgs>),
    /// Show how all tenants stand, or one of them with everything that it has, what is wrong, and what to do
    ///
    /// Who needs a person comes first. Needs the right to get and list tenants, tenantrecords and tenantclasses; what else the caller may
    /// not see is said. Exit code 1 where --until-ready is given and not all are Ready in time.
    #[command(after_help = "\
Example: wait for a roll-out, printing what changes
  openclaw-tenant-operator status --until-ready --timeout 20m
Example: one tenant as a tree, with what AWS says
  openclaw-tenant-operator status alice --cluster-name prod")]
    Status(Box<status::StatusArgs>),
    /// Judge manifests of Tenants and TenantClasses before anybody applies them
    ///
    /// By schema, rules and class, with the operator's own code; without a cluster, or with --cluster against what is there, each one
    /// rehearsed by a server-side dry run. One line for each finding, FILE:DOCUMENT: KIND NAME: error: …. Exit codes: 0 nothing to mend,
    /// 1 something to mend, 2 a wrong command line, or it could not be judged at all.
    #[command(after_help = "\
Example: a folder of tenants in a pull request
  openclaw-tenant-operator check --class classes/default.yaml tenants/")]
    Check(check::CheckArgs),
    /// Order new values for a tenant's generated secrets
    ///
    /// Writes the annotation openclaw.io/rotate-secrets on the Tenant. Needs the right to get and patch tenants, and to get tenantrecords.
    /// Exit code 1 also where it is waited for and not carried out.
    #[command(after_help = "\
Example: the token has leaked
  openclaw-tenant-operator rotate alice --compromised --wait")]
    Rotate(rotate::RotateArgs),
    /// Print the CustomResourceDefinitions as YAML, write them and their JSON Schemas into a directory, or check one
    #[command(after_help = "\
Example:
  openclaw-tenant-operator crds | kubectl apply --server-side -f -")]
    Crds(crds::CrdsArgs),
    /// Print the IAM policies and CloudFormation templates of deploy/aws, for an account of yours or as they are checked in
    #[command(after_help = "\
Example: for an account of yours
  openclaw-tenant-operator iam --cluster-arn arn:aws:eks:eu-west-1:111122223333:cluster/prod --output my-iam")]
    Iam(Box<iam::IamArgs>),
    /// List what this cluster made in AWS and nobody stands behind any more
    ///
    /// Needs the caller's own credentials for AWS (list, describe) and Kubernetes (list tenants, tenantrecords, namespaces); changes nothing.
    #[command(after_help = "\
Example:
  openclaw-tenant-operator orphans --cluster-name prod")]
    Orphans(orphans::OrphansArgs),
    /// Turn the list of an Argo CD ApplicationSet into Tenants, and move workspaces over
    ///
    /// Reports what each has today, what will be taken over, what differs and what blocks, writes manifests, and with --apply keeps the old
    /// side from taking anything along when it goes. Exit code 1 also where a tenant is blocked. Then, for one tenant at a time: cut-over,
    /// back-out, finish.
    #[command(after_help = "\
Example: see what there is, and write the manifests
  openclaw-tenant-operator migrate --applicationset openclaw-tenants --manifests tenants/")]
    Migrate(Box<migrate::MigrateArgs>),
    /// List who is kept after their Tenant was deleted: what of theirs, and until when
    ///
    /// A Tenant of the same name and owner gets everything back. Needs the right to list tenants, tenantrecords and
    /// tenantclasses.
    #[command(after_help = "\
Example:
  openclaw-tenant-operator retained")]
    Retained(administer::RetainedArgs),
    /// List what is being removed for good and what holds it, or confirm what the breaker holds
    ///
    /// A removal settles for a while in which it can be taken back. Where more began within ten minutes than the larger of 5
    /// and 10 % of all tenants, nothing of any of them is removed until an administrator confirms it. To take one back: set
    /// deletionPolicy Retain on its Tenant; where there is no Tenant: openclaw-tenant-operator keep.
    #[command(after_help = "\
Example: let the six oldest pass
  openclaw-tenant-operator deletions --confirm 6")]
    Deletions(administer::DeletionsArgs),
    /// Keep a retained tenant longer, or one whose removal has begun and not gone too far
    ///
    /// Writes the annotation openclaw.io/keep-until on the TenantRecord. Needs the verbs patch and administer on tenantrecords.
    #[command(after_help = "\
Example:
  openclaw-tenant-operator keep alice --until 2030-01-31T00:00:00Z")]
    Keep(administer::KeepArgs),
    /// End the retention of a tenant that is kept: everything it had is removed for good
    ///
    /// Writes the annotation openclaw.io/purge-now on the TenantRecord. The settling time and the breaker hold for it too.
    #[command(after_help = "\
Example: the incarnation is the one that retained shows
  openclaw-tenant-operator purge-now alice --incarnation 6f1c2a3b4c")]
    PurgeNow(administer::PurgeNowArgs),
    /// Hand a tenant to another owner, with everything it has
    ///
    /// Writes the annotation openclaw.io/transfer-to on the TenantRecord. The former owner's Tenant can be deleted afterwards
    /// without touching anything; a Tenant of the same name that names the new owner takes over. The former owner may know the
    /// gateway token: order its rotation (openclaw-tenant-operator rotate) when the new Tenant is there.
    #[command(after_help = "\
Example:
  openclaw-tenant-operator transfer alice --to bob@example.com")]
    Transfer(administer::TransferArgs),
    /// Move a tenant to another gateway of its class
    ///
    /// Writes the annotation openclaw.io/move-to on the TenantRecord. Cordoning a gateway in the class keeps newcomers away from it
    /// and moves nobody; this does. It is refused where the gateway is full, cordoned, or not in the class. Under another domain the
    /// tenant's address is another one, and its workspace is restarted.
    #[command(after_help = "\
Example:
  openclaw-tenant-operator move alice --to gateways/public-2")]
    Move(administer::MoveArgs),
    /// Before a complete uninstall: take the operator's finalizer off all Tenants, and touch nothing else
    ///
    /// Stop the operator first: it would put them back.
    #[command(after_help = "\
Example:
  openclaw-tenant-operator release --all")]
    Release(administer::ReleaseArgs),
    /// Print a script that completes commands and options in a shell
    #[command(after_help = "\
Example: in bash
  source <(openclaw-tenant-operator completion bash)")]
    Completion(completion::CompletionArgs),
    /// Print docs/cli.md, or docs/api.md
    #[command(hide = true)]
    Reference(reference::ReferenceArgs),
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Logs(#[from] LogError),
    #[error(transparent)]
    Orphans(#[from] OrphansError),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    #[error(transparent)]
    Move(#[from] MoveError),
    #[error(
        "{failed} changes failed, and {blocked} tenants are blocked or not in the list: the report says why and what to do"
    )]
    Unfinished { failed: usize, blocked: usize },
    #[error("{} is there and says otherwise: it was left as it is. Remove it to have it written anew", path.display())]
    Differs { path: PathBuf },
    #[error(transparent)]
    Administer(#[from] AdministerError),
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error(transparent)]
    Rotate(#[from] RotateError),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error("{}", summary.trim_end())]
    Findings { summary: String },
    #[error("nothing can be written to standard output: {0}")]
    Print(std::io::Error),
    #[error(
        "on EKS --cluster-cidrs is required: without it \"the internet\" would include this cluster's own addresses. Give the VPC's ranges and the service range, such as 10.0.0.0/16,172.20.0.0/16"
    )]
    NoClusterCidrs,
    #[error("the runtime cannot start: {0}")]
    Runtime(std::io::Error),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("a definition cannot be written as YAML: {0}")]
    Yaml(String),
    #[error("{} is not what this program generates: run `openclaw-tenant-operator {command} --output {}`", path.display(), directory.display())]
    Outdated { path: PathBuf, directory: PathBuf, command: &'static str },
}

impl CliError {
    /// What the program ends with (docs/cli.md).
    const fn code(&self) -> u8 {
        match self {
            Self::Check(_) => 2,
            _ => 1,
        }
    }
}

impl Cli {
    /// Reads the command line, and does what was asked.
    pub fn run() -> ExitCode {
        let program = Program::called();
        let matches = program.command().get_matches();
        match Self::from_arg_matches(&matches) {
            Ok(cli) => cli.execute(program),
            Err(error) => error.exit(),
        }
    }

    fn execute(self, program: Program) -> ExitCode {
        let result = match self.command {
            Command::Run(args) => args.execute(),
            Command::Status(args) => args.execute(),
            Command::Check(args) => args.execute(),
            Command::Rotate(args) => args.execute(),
            Command::Crds(args) => args.execute(),
            Command::Iam(args) => args.execute(),
            Command::Orphans(args) => args.execute(),
            Command::Migrate(args) => args.execute(),
            Command::Retained(args) => args.execute(),
            Command::Deletions(args) => args.execute(),
            Command::Keep(args) => args.execute(),
            Command::PurgeNow(args) => args.execute(),
            Command::Transfer(args) => args.execute(),
            Command::Move(args) => args.execute(),
            Command::Release(args) => args.execute(),
            Command::Completion(args) => args.execute(program),
            Command::Reference(args) => print(&args.page()),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                match &error {
                    // It is no complaint of the program's.
                    CliError::Findings { summary } => {
                        let _ = write!(std::io::stderr(), "{summary}");
                    }
                    error => complain(program, error),
                }
                ExitCode::from(error.code())
            }
        }
    }
}

fn complain(program: Program, error: &dyn fmt::Display) {
    // Nothing is left to be told where stderr is closed.
    let _ = writeln!(std::io::stderr(), "{program}: {}", program.speak(&error.to_string()));
}

/// Prints what people read.
fn tell(text: &str) -> Result<(), CliError> {
    print(&Program::called().speak(text))
}

fn print(text: &str) -> Result<(), CliError> {
    std::io::stdout().write_all(text.as_bytes()).map_err(CliError::Print)
}

/// A duration such as `500ms`, `90s`, `10m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let complaint = || format!("{text:?} is no duration: use a whole number and ms, s, m or h, such as 10m");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(complaint)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| complaint())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        _ => Err(complaint()),
    }
}

/// A duration of at least a second: what is done again and again needs a pause.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < Duration::from_secs(1) {
        return Err(format!("{text:?} is too short: use at least 1s"));
    }
    Ok(interval)
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    fs::write(path, text).map_err(|source| CliError::File { path: path.to_owned(), source })
}

fn check(directory: &Path, name: &str, text: &str, command: &'static str) -> Result<(), CliError> {
    let path = directory.join(name);
    let found = fs::read_to_string(&path).map_err(|source| CliError::File { path: path.clone(), source })?;
    if found == text { Ok(()) } else { Err(CliError::Outdated { path, directory: directory.to_owned(), command }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Program::Itself.command().debug_assert();
        Program::Plugin.command().debug_assert();
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(interval("1s").is_ok() && interval("0s").is_err() && interval("999ms").is_err());
        assert!(duration("10").is_err() && duration("ten").is_err() && duration("5d").is_err());
    }
}
