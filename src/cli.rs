//! What can be asked of the program on the command line.

mod administer;
mod iam;
mod migrate;
mod moving;

use std::{
    fmt, fs,
    io::Write as _,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use openclaw_tenant_operator::{
    administer::AdministerError,
    api::{
        custom_resource_definitions,
        names::{ClusterArn, NamespaceName, SecretsPrefix},
    },
    aws::Rates,
    migrate::{MigrateError, moving::MoveError},
    orphans::{self, OrphansError},
    run::{self, Options},
    telemetry::logs::{self, LogFormat},
    tenant::settings::Sweeps,
};

/// Turns a Tenant object into one person's isolated OpenClaw workspace on Amazon EKS.
///
/// Install the CustomResourceDefinitions first:
///
///     openclaw-tenant-operator crds | kubectl apply --server-side -f -
///
/// Exit codes: 0 after an orderly end, 1 where it could not start or lost its lease, 2 for a wrong command line.
#[derive(Debug, Parser)]
#[command(name = "openclaw-tenant-operator", version, verbatim_doc_comment, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator. One process leads, others stand by.
    Run(Box<RunArgs>),
    /// Print the CustomResourceDefinitions as YAML, write them into a directory, or check one.
    Crds(CrdsArgs),
    /// Print the IAM policies and CloudFormation templates of deploy/aws, for an account of yours or as they are checked in
    Iam(Box<iam::IamArgs>),
    /// List what this cluster made in AWS and nobody stands behind any more. Needs the caller's own credentials for AWS
    /// (list, describe) and Kubernetes (list tenants, tenantrecords, namespaces); changes nothing.
    Orphans(OrphansArgs),
    /// Turn the list of an Argo CD ApplicationSet into Tenants: report what each has today, what will be taken over, what
    /// differs and what blocks, write manifests, and with --apply keep the old side from taking anything along when it goes.
    /// Exit code 1 also where a tenant is blocked. Then, for one tenant at a time: cut-over, back-out, finish.
    Migrate(Box<migrate::MigrateArgs>),
    /// List who is kept after their Tenant was deleted: what of theirs, and until when
    ///
    /// A Tenant of the same name and owner gets everything back. Needs the right to list tenants, tenantrecords and
    /// tenantclasses.
    Retained(administer::RetainedArgs),
    /// List what is being removed for good and what holds it, or confirm what the breaker holds
    ///
    /// A removal settles for a while in which it can be taken back. Where more began within ten minutes than the larger of 5
    /// and 10 % of all tenants, nothing of any of them is removed until an administrator confirms it. To take one back: set
    /// deletionPolicy Retain on its Tenant; where there is no Tenant: openclaw-tenant-operator keep.
    Deletions(administer::DeletionsArgs),
    /// Keep a retained tenant longer, or one whose removal has begun and not gone too far
    ///
    /// Writes the annotation openclaw.io/keep-until on the TenantRecord. Needs the verbs patch and administer on tenantrecords.
    Keep(administer::KeepArgs),
    /// End the retention of a tenant that is kept: everything it had is removed for good
    ///
    /// Writes the annotation openclaw.io/purge-now on the TenantRecord. The settling time and the breaker hold for it too.
    PurgeNow(administer::PurgeNowArgs),
    /// Hand a tenant to another owner, with everything it has
    ///
    /// Writes the annotation openclaw.io/transfer-to on the TenantRecord. The former owner's Tenant can be deleted afterwards
    /// without touching anything; a Tenant of the same name that names the new owner takes over. The former owner may know the
    /// gateway token: order its rotation (openclaw.io/rotate-secrets) when the new Tenant is there.
    Transfer(administer::TransferArgs),
    /// Move a tenant to another gateway of its class
    ///
    /// Writes the annotation openclaw.io/move-to on the TenantRecord. Cordoning a gateway in the class keeps newcomers away from it
    /// and moves nobody; this does. It is refused where the gateway is full, cordoned, or not in the class. Under another domain the
    /// tenant's address is another one, and its workspace is restarted.
    Move(administer::MoveArgs),
    /// Before a complete uninstall: take the operator's finalizer off all Tenants, and touch nothing else
    ///
    /// Stop the operator first: it would put them back.
    Release(administer::ReleaseArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Name of the EKS cluster. Without it AWS is not spoken to, and classes must say identity.mode and secrets.mode None
    #[arg(long, env = "OPENCLAW_CLUSTER_NAME")]
    cluster_name: Option<String>,

    /// ARN of the EKS cluster, to save the question to EKS at start
    #[arg(long, env = "OPENCLAW_CLUSTER_ARN")]
    cluster_arn: Option<ClusterArn>,

    /// AWS region, where the environment does not say it
    #[arg(long)]
    region: Option<String>,

    /// The operator's own namespace, which no tenant ever gets
    #[arg(long, env = "OPENCLAW_OPERATOR_NAMESPACE", default_value = "openclaw-system")]
    operator_namespace: NamespaceName,

    /// What secret names begin with: one per cluster and account, recorded with each tenant
    #[arg(long, env = "OPENCLAW_SECRETS_PREFIX", default_value = "openclaw")]
    secrets_prefix: SecretsPrefix,

    /// Address ranges of the cluster (pods, services, nodes, VPC), which "the internet" never includes; required on EKS
    #[arg(long, env = "OPENCLAW_CLUSTER_CIDRS", value_delimiter = ',')]
    cluster_cidrs: Vec<String>,

    /// Addresses that answer DNS beside the cluster's DNS pods, such as NodeLocal DNSCache and, where that intercepts
    /// it, the DNS service's address
    #[arg(long, env = "OPENCLAW_DNS_ADDRESSES", value_delimiter = ',', default_value = "169.254.20.10")]
    dns_addresses: Vec<String>,

    /// Where workspaces find Secrets Manager, where AWS is an emulator. Never set it on AWS
    #[arg(long, env = "OPENCLAW_EMULATOR_ENDPOINT")]
    emulator_endpoint: Option<String>,

    /// Where /healthz, /readyz and /metrics are served
    #[arg(long, env = "OPENCLAW_HEALTH_ADDRESS", default_value = "0.0.0.0:8080")]
    health_address: SocketAddr,

    /// How many tenants are worked on at the same time
    #[arg(long, env = "OPENCLAW_CONCURRENCY", default_value = "32")]
    concurrency: NonZeroUsize,

    #[command(flatten)]
    sweeps: SweepArgs,

    #[command(flatten)]
    rates: RateArgs,

    /// Write nothing, for any tenant; say what would be written
    #[arg(long, env = "OPENCLAW_DRY_RUN")]
    dry_run: bool,

    /// How log lines look
    #[arg(long, env = "OPENCLAW_LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    log_format: LogFormat,

    /// Which log lines are written, as "info" or "info,openclaw_tenant_operator=debug"
    #[arg(long, env = "OPENCLAW_LOG")]
    log_filter: Option<String>,
}

/// How AWS is looked at as a whole
#[derive(Debug, Args)]
struct SweepArgs {
    /// How often associations and secrets are listed as a whole, such as 10m or 90s
    #[arg(long, env = "OPENCLAW_SWEEP_INTERVAL", default_value = "10m", value_parser = interval)]
    sweep_interval: Duration,
    /// Within which time each association and secret is described at least once
    #[arg(long, env = "OPENCLAW_AUDIT_PERIOD", default_value = "24h", value_parser = interval)]
    audit_period: Duration,
    /// How many of them are described per second at most
    #[arg(long, env = "OPENCLAW_AUDIT_RATE", default_value = "1", value_name = "RATE")]
    audit_rate: NonZeroU32,
}

/// Requests per second to AWS. Defaults lie below AWS's quotas, which are for the whole account and region
#[derive(Debug, Args)]
struct RateArgs {
    /// EKS: list and describe, per second
    #[arg(long = "eks-read-rate", value_name = "RATE", default_value_t = Rates::default().eks_read)]
    eks_read: NonZeroU32,
    /// EKS: create, update, delete and tag, per second
    #[arg(long = "eks-write-rate", value_name = "RATE", default_value_t = Rates::default().eks_write)]
    eks_write: NonZeroU32,
    /// Secrets Manager: describe, per second
    #[arg(long = "secrets-read-rate", value_name = "RATE", default_value_t = Rates::default().secrets_read)]
    secrets_read: NonZeroU32,
    /// Secrets Manager: list, per second
    #[arg(long = "secrets-list-rate", value_name = "RATE", default_value_t = Rates::default().secrets_list)]
    secrets_list: NonZeroU32,
    /// Secrets Manager: create and put, per second
    #[arg(long = "secrets-write-rate", value_name = "RATE", default_value_t = Rates::default().secrets_write)]
    secrets_write: NonZeroU32,
    /// Secrets Manager: tag and untag, per second
    #[arg(long = "secrets-tag-rate", value_name = "RATE", default_value_t = Rates::default().secrets_tag)]
    secrets_tag: NonZeroU32,
    /// IAM: get and list, per second
    #[arg(long = "iam-read-rate", value_name = "RATE", default_value_t = Rates::default().iam_read)]
    iam_read: NonZeroU32,
    /// IAM: create, tag, put and delete, per second
    #[arg(long = "iam-write-rate", value_name = "RATE", default_value_t = Rates::default().iam_write)]
    iam_write: NonZeroU32,
}

#[derive(Debug, Args)]
struct CrdsArgs {
    /// Write one file for each kind into this directory
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Fail where the files in this directory are not what this program would write
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    check: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct OrphansArgs {
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
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Delete them. Not in this version: the list says how to remove each by hand
    #[arg(long)]
    delete: bool,
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
    Run(#[from] run::RunError),
    #[error(transparent)]
    Logs(#[from] logs::LogError),
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

impl Cli {
    /// Does what was asked.
    pub fn execute(self) -> ExitCode {
        let result = match self.command {
            Command::Run(args) => args.execute(),
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
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error);
                ExitCode::FAILURE
            }
        }
    }
}

fn complain(error: &dyn fmt::Display) {
    // Nothing is left to be told where stderr is closed.
    let _ = writeln!(std::io::stderr(), "openclaw-tenant-operator: {error}");
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

impl RunArgs {
    fn execute(self) -> Result<(), CliError> {
        logs::init(self.log_format, self.log_filter.as_deref())?;
        if self.cluster_name.is_some() && self.cluster_cidrs.is_empty() {
            return Err(CliError::NoClusterCidrs);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?;
        Ok(runtime.block_on(run::run(self.options()))?)
    }

    fn options(self) -> Options {
        let rates = Rates {
            eks_read: self.rates.eks_read,
            eks_write: self.rates.eks_write,
            secrets_read: self.rates.secrets_read,
            secrets_list: self.rates.secrets_list,
            secrets_write: self.rates.secrets_write,
            secrets_tag: self.rates.secrets_tag,
            iam_read: self.rates.iam_read,
            iam_write: self.rates.iam_write,
        };
        Options {
            cluster_name: self.cluster_name,
            cluster_arn: self.cluster_arn,
            region: self.region,
            operator_namespace: self.operator_namespace,
            secrets_prefix: self.secrets_prefix,
            cluster_cidrs: self.cluster_cidrs,
            dns_addresses: self.dns_addresses,
            emulator_endpoint: self.emulator_endpoint,
            health_address: self.health_address,
            concurrency: self.concurrency,
            sweeps: Sweeps {
                interval: self.sweeps.sweep_interval,
                audit_period: self.sweeps.audit_period,
                audit_rate: self.sweeps.audit_rate,
            },
            rates,
            dry_run: self.dry_run,
        }
    }
}

impl OrphansArgs {
    fn execute(self) -> Result<(), CliError> {
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

impl CrdsArgs {
    fn execute(self) -> Result<(), CliError> {
        let mut files = Vec::new();
        for definition in custom_resource_definitions() {
            let name = format!("{}_{}.yaml", definition.spec.group, definition.spec.names.plural);
            let yaml = serde_saphyr::to_string(&definition).map_err(|error| CliError::Yaml(error.to_string()))?;
            files.push((name, format!("---\n{yaml}")));
        }
        match (self.output, self.check) {
            (Some(directory), _) => {
                fs::create_dir_all(&directory).map_err(|source| CliError::File { path: directory.clone(), source })?;
                files.iter().try_for_each(|(name, yaml)| write(&directory.join(name), yaml))
            }
            (None, Some(directory)) => files.iter().try_for_each(|(name, yaml)| check(&directory, name, yaml, "crds")),
            (None, None) => {
                let all: String = files.into_iter().map(|(_, yaml)| yaml).collect();
                let error = |source| CliError::File { path: "standard output".into(), source };
                std::io::stdout().write_all(all.as_bytes()).map_err(error)
            }
        }
    }
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
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(interval("1s").is_ok() && interval("0s").is_err() && interval("999ms").is_err());
        assert!(duration("10").is_err() && duration("ten").is_err() && duration("5d").is_err());
    }
}
