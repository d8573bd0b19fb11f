//! `run`: the operator itself.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use clap::Args;
use openclaw_tenant_operator::{
    api::names::{ClusterArn, NamespaceName, SecretsPrefix},
    aws::Rates,
    run::{self, Options},
    telemetry::logs::{self, LogFormat},
    tenant::settings::Sweeps,
};

use super::{CliError, interval};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
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

    /// How many tenants are worked on at the same time. Four times as many are begun until the first of them have their workspaces
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

impl RunArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        logs::init(self.log_format, self.log_filter.as_deref())?;
        if self.cluster_name.is_some() && self.cluster_cidrs.is_empty() {
            return Err(CliError::NoClusterCidrs);
        }
        // One thread is enough for thousands of tenants, and nothing that happens wakes another one (docs/decisions/0022).
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
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
