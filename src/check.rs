//! The subcommand `check`: manifests of Tenants and TenantClasses, judged before anybody applies them.
//!
//! Judged by what judges them later: the schemas and rules of the definitions, and the operator's own decisions, which are
//! shown the manifests as if they had been applied.

pub mod documents;
mod hints;
mod judge;
pub mod live;
mod manifest;
pub mod published;
mod report;
mod rules;
pub mod schema;

pub use judge::{Sight, judge};
pub use report::{Finding, Report, Severity};

use crate::kubernetes::listing::ListError;

/// Why manifests could not be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file or directory cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why not.
        why: String,
    },
    /// The cluster cannot be seen.
    #[error(transparent)]
    Cluster(#[from] ListError),
    /// What stands for the operator's surroundings is not taken.
    #[error("the operator's surroundings cannot be made up: {0}")]
    Unfit(String),
    /// There was nothing to judge.
    #[error(
        "no Tenant and no TenantClass in {0}: name files, directories (*.yaml, *.yml, *.json in them) or - for standard input"
    )]
    Nothing(String),
}
