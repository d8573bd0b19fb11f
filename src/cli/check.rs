//! `check`: manifests, judged before anybody applies them.

use std::{io::Write as _, path::PathBuf, sync::Arc};

use clap::Args;
use jiff::Timestamp;
use openclaw_tenant_operator::{
    api::names::{NamespaceName, SecretsPrefix, Uid},
    check::{
        CheckError, Report, Sight,
        documents::{Read, read},
        judge, live,
    },
    kubernetes::listing::callers_cluster,
    tenant::settings::{Settings, Sweeps},
};

use super::{CliError, Output, print};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Files, directories with all *.yaml, *.yml and *.json below them, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Files or directories with the classes that Tenants are judged by, beside classes among the files
    #[arg(long, value_name = "FILE")]
    class: Vec<PathBuf>,

    /// Judge against the cluster of the caller's environment: its classes, owners, sizes and taken places; and rehearse each manifest by a
    /// server-side dry run. Needs the right to list tenants, tenantrecords, tenantclasses and namespaces, and to patch (a rehearsal needs
    /// the same right) tenants and tenantclasses
    #[arg(long)]
    cluster: bool,

    /// The operator's own namespace, which no tenant ever gets
    #[arg(long, env = "OPENCLAW_OPERATOR_NAMESPACE", default_value = "openclaw-system")]
    operator_namespace: NamespaceName,

    /// How the findings are printed
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// What stands for a cluster that is not asked.
const NO_CLUSTER: &str = "00000000-0000-4000-8000-000000000000";

impl CheckArgs {
    pub(super) fn execute(self) -> Result<(), CliError> {
        let mut documents = read(&self.files)?;
        documents.add_classes(read(&self.class)?);
        let report = if self.cluster { self.against_cluster(documents)? } else { self.offline(documents)? };
        if report.tenants + report.classes == 0 && report.findings.is_empty() {
            let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
            return Err(CheckError::Nothing(files.join(", ")).into());
        }
        match self.output {
            Output::Table => print(&report.lines())?,
            Output::Json => print(&format!("{:#}\n", report.json()))?,
        }
        if report.errors() > 0 {
            return Err(CliError::Findings { summary: report.summary() });
        }
        // Nothing is lost where nobody reads it.
        let _ = write!(std::io::stderr(), "{}", report.summary());
        Ok(())
    }

    fn offline(&self, documents: Read) -> Result<Report, CliError> {
        let nothing = Vec::new;
        let sight = Sight {
            settings: self.settings()?,
            now: Timestamp::now(),
            classes: nothing(),
            tenants: nothing(),
            records: nothing(),
            namespaces: nothing(),
            live: false,
        };
        Ok(judge(documents, &sight).0)
    }

    fn against_cluster(&self, documents: Read) -> Result<Report, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
        runtime.block_on(async {
            let client = callers_cluster().await.map_err(CheckError::from)?;
            let (sight, unseen) = live::look(&client, self.settings()?).await.map_err(CheckError::from)?;
            for what in unseen {
                let _ = writeln!(std::io::stderr(), "{what}");
            }
            let (mut report, sound) = judge(documents, &sight);
            for manifest in &sound {
                report.findings.extend(live::rehearse(&client, manifest).await);
            }
            report.findings.sort_by(|one, other| one.place.cmp(&other.place));
            Ok(report)
        })
    }

    /// The operator's surroundings, as far as a judgement depends on them.
    fn settings(&self) -> Result<Arc<Settings>, CliError> {
        let unfit = |error: &dyn std::fmt::Display| CheckError::Unfit(error.to_string());
        let secrets_prefix: SecretsPrefix = "openclaw".parse().map_err(|error| unfit(&error))?;
        let cluster_uid: Uid = NO_CLUSTER.parse().map_err(|error| unfit(&error))?;
        Ok(Arc::new(Settings {
            operator_namespace: self.operator_namespace.clone(),
            secrets_prefix,
            cluster_uid,
            eks: None,
            region: None,
            cluster_cidrs: Vec::new(),
            dns_addresses: Vec::new(),
            emulator_endpoint: None,
            sweeps: Sweeps::default(),
            dry_run: false,
        }))
    }
}
