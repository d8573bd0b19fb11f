//! `migrate`: from the list of an Argo CD ApplicationSet to Tenants in a GitOps repository.

use std::{fs, io::Write as _, path::Path, path::PathBuf};

use clap::Args;
use openclaw_tenant_operator::{
    api::names::{ClassName, NamespacePrefix, SecretsPrefix},
    migrate::{self, Options, Outcome, Source, Wishes, in_aws::AwsOptions},
};
use serde_json::{Value, json};

use super::{CliError, Output, moving::Moving};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct MigrateArgs {
    #[command(subcommand)]
    moving: Option<Moving>,

    /// Name of the ApplicationSet
    #[arg(long, value_name = "NAME", required_unless_present = "file")]
    applicationset: Option<String>,

    /// Argo CD's namespace
    #[arg(long, value_name = "NAMESPACE", default_value = "argocd")]
    argocd_namespace: String,

    /// Read the ApplicationSet from this file, YAML or JSON, instead of the cluster
    #[arg(long, value_name = "FILE", conflicts_with = "applicationset")]
    file: Option<PathBuf>,

    /// Ask no cluster at all: names and addresses are checked, and nothing is known of what is there
    #[arg(long, requires = "file")]
    offline: bool,

    /// The class that the Tenants name
    #[arg(long, value_name = "CLASS", default_value = "default")]
    class: ClassName,

    /// What the class puts before a tenant's name to name its namespace, where the class itself is not in the cluster yet
    #[arg(long, value_name = "PREFIX", default_value = "openclaw-")]
    namespace_prefix: NamespacePrefix,

    /// Only this tenant; may be given several times
    #[arg(long, value_name = "NAME")]
    tenant: Vec<String>,

    /// Write a manifest for each tenant that is not blocked: into this directory, one file each, or to standard output where
    /// it is `-` (the report then goes to standard error)
    #[arg(long, value_name = "DIR")]
    manifests: Option<PathBuf>,

    /// How the report is printed
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,

    /// Prepare the old side so that removing it takes nothing along: the ApplicationSet, which is common to all its tenants,
    /// and the Applications. Without it nothing is changed
    #[arg(long, conflicts_with = "file")]
    apply: bool,

    /// With --apply: let the namespaces, too, consent to be taken over by their tenants, and with --cluster-name the secrets and
    /// associations in AWS
    #[arg(long, requires = "apply")]
    consent: bool,

    /// Look at AWS as well, with your own credentials: secrets and associations of the tenants on this EKS cluster. Needs list and
    /// describe of both, and for --apply --consent the right to tag them; values of secrets are never read
    #[arg(long, value_name = "NAME", conflicts_with = "offline")]
    cluster_name: Option<String>,

    /// AWS region, where the environment does not say it
    #[arg(long, requires = "cluster_name")]
    region: Option<String>,

    /// What secret names begin with, as the operator was told
    #[arg(long, value_name = "PREFIX", env = "OPENCLAW_SECRETS_PREFIX", default_value = "openclaw")]
    secrets_prefix: SecretsPrefix,
}

impl MigrateArgs {
    pub(super) fn execute(mut self) -> Result<(), CliError> {
        if let Some(moving) = self.moving.take() {
            return moving.execute();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
        let outcome = runtime.block_on(migrate::migrate(&self.options()))?;
        let to_stream = self.manifests.as_deref() == Some(Path::new("-"));
        let report = self.render(&outcome);
        if to_stream {
            std::io::stderr().write_all(report.as_bytes()).map_err(CliError::Print)?;
        } else {
            std::io::stdout().write_all(report.as_bytes()).map_err(CliError::Print)?;
        }
        if let Some(directory) = &self.manifests {
            write_manifests((!to_stream).then_some(directory), &outcome)?;
        }
        match (outcome.failed.len(), outcome.report.blocked()) {
            (0, 0) => Ok(()),
            (failed, blocked) => Err(CliError::Unfinished { failed, blocked }),
        }
    }

    fn options(&self) -> Options {
        let source = match (&self.file, self.offline) {
            (Some(file), true) => Source::FileAlone(file.clone()),
            (Some(file), false) => Source::File(file.clone()),
            (None, _) => Source::Cluster { name: self.applicationset.clone().unwrap_or_default() },
        };
        Options {
            source,
            argocd_namespace: self.argocd_namespace.clone(),
            class: self.class.clone(),
            prefix: self.namespace_prefix.clone(),
            wishes: Wishes { tenants: self.tenant.iter().cloned().collect(), consent: self.consent },
            apply: self.apply,
            aws: self.cluster_name.clone().map(|cluster_name| AwsOptions {
                cluster_name,
                region: self.region.clone(),
                secrets_prefix: self.secrets_prefix.clone(),
            }),
        }
    }

    fn render(&self, outcome: &Outcome) -> String {
        match self.output {
            Output::Json => {
                let mut report = outcome.report.json();
                report["done"] = json!(outcome.done);
                report["failed"] = json!(outcome.failed);
                format!("{report:#}\n")
            }
            Output::Table => {
                let line = |title: &str, text: &String| format!("{title:8} {text}\n");
                let done: String = outcome.done.iter().map(|text| line("done", text)).collect();
                let failed: String = outcome.failed.iter().map(|text| line("failed", text)).collect();
                format!("{done}{failed}{}", outcome.report.table())
            }
        }
    }
}

/// One file for each tenant, or all on standard output.
fn write_manifests(directory: Option<&PathBuf>, outcome: &Outcome) -> Result<(), CliError> {
    let manifests = outcome.report.tenants.iter().filter_map(|tenant| tenant.manifest.as_ref());
    for manifest in manifests {
        let yaml = serde_saphyr::to_string(manifest).map_err(|error| CliError::Yaml(error.to_string()))?;
        let yaml = format!("{}\n", yaml.trim_end());
        match directory {
            Some(directory) => write_manifest(directory, manifest, &yaml)?,
            None => std::io::stdout().write_all(format!("---\n{yaml}").as_bytes()).map_err(CliError::Print)?,
        }
    }
    Ok(())
}

/// A file that is there and says otherwise is a person's: it is left, and said.
fn write_manifest(directory: &Path, manifest: &Value, yaml: &str) -> Result<(), CliError> {
    fs::create_dir_all(directory).map_err(|source| CliError::File { path: directory.to_owned(), source })?;
    // The name of a Tenant is a DNS label: it is a file name as well.
    let path = directory.join(format!("{}.yaml", manifest["metadata"]["name"].as_str().unwrap_or_default()));
    match fs::read_to_string(&path) {
        Ok(there) if there == yaml => Ok(()),
        Ok(_) => Err(CliError::Differs { path }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => super::write(&path, yaml),
        Err(source) => Err(CliError::File { path, source }),
    }
}
