//! The subcommand `migrate`: from the list of an Argo CD ApplicationSet to Tenants, in the caller's own name.
//!
//! look ([`read`]) → judge ([`judge`]) → prepare ([`apply`]) → report ([`report`]). It changes nothing unless it is told to, and
//! then only what keeps the old side from taking anything along when it is removed.

pub mod apply;
pub mod cloud;
mod cluster;
pub mod differences;
pub mod elements;
pub mod entries;
pub mod in_aws;
pub mod judge;
pub mod moving;
pub mod observed;
pub mod preparation;
pub mod read;
pub mod report;
pub mod step;
pub mod today;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use elements::ElementsError;
pub use judge::Wishes;
pub use report::Report;

use crate::api::names::{ClassName, NamespacePrefix};

/// Where the ApplicationSet is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the cluster.
    Cluster {
        /// Its name.
        name: String,
    },
    /// In a file, and nothing else is asked.
    FileAlone(PathBuf),
    /// In a file; what became of it is in the cluster.
    File(PathBuf),
}

/// What the command is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the ApplicationSet is.
    pub source: Source,
    /// Argo CD's namespace.
    pub argocd_namespace: String,
    /// The class that the Tenants name.
    pub class: ClassName,
    /// The class's namespace prefix, where the class itself is not read.
    pub prefix: NamespacePrefix,
    /// The tenants that it is about, and whether their namespaces shall consent.
    pub wishes: Wishes,
    /// Whether the old side is prepared.
    pub apply: bool,
    /// How AWS is looked at, where it is.
    pub aws: Option<in_aws::AwsOptions>,
}

/// Why the command cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// No cluster to talk to.
    #[error("no Kubernetes cluster: {0}. Set KUBECONFIG, or look at a file alone by --file … --offline")]
    NoCluster(#[from] kube::config::InferConfigError),
    /// The client cannot be made.
    #[error("the Kubernetes client cannot be made: {0}")]
    Client(kube::Error),
    /// What cannot be done without.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
    /// The file does not hold what it should.
    #[error("{}: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// AWS cannot be spoken to.
    #[error(transparent)]
    Aws(#[from] crate::aws::AwsStartError),
    /// The list is not understood.
    #[error(transparent)]
    Elements(#[from] ElementsError),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What there is to say, after whatever was changed.
    pub report: Report,
    /// What was changed.
    pub done: Vec<String>,
    /// What was to be changed and could not be.
    pub failed: Vec<String>,
}

/// Looks, prepares the old side where that was asked for, and says how things stand then.
///
/// # Errors
/// Where the list or what is indispensable cannot be read. What else cannot be read is told in the report.
pub async fn migrate(options: &Options) -> Result<Outcome, MigrateError> {
    let reader = read::Reader::connect(options).await?;
    let (sight, report) = look(&reader, options).await?;
    let (true, Some(client)) = (options.apply, reader.client()) else {
        return Ok(Outcome { report, done: Vec::new(), failed: Vec::new() });
    };
    let in_aws = reader.aws().zip(sight.cloud.as_ref()).filter(|_| options.wishes.consent);
    let prepared = apply::prepare(client, in_aws, &report).await;
    // What is said is what is there now.
    let (_, report) = look(&reader, options).await?;
    Ok(Outcome { report, done: prepared.done, failed: prepared.failed })
}

async fn look(reader: &read::Reader, options: &Options) -> Result<(observed::Sight, Report), MigrateError> {
    let sight = reader.look(options).await?;
    let report = judge::judge(&sight, &options.wishes)?;
    Ok((sight, report))
}
