//! The subcommand `status`: how all tenants stand, or one of them with everything that it has. It only reads, with the caller's own
//! rights; what those do not show is said.

pub mod cloud;
pub mod fleet;
pub mod live;
pub mod objects;
pub mod paint;
pub mod tree;
pub mod watch;
pub mod wrong;

use jiff::Timestamp;

use crate::{administer::AdministerError, api::names::TenantName, aws::AwsStartError, kubernetes::listing::ListError};

/// Why the command cannot tell how tenants stand.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The cluster cannot be seen.
    #[error(transparent)]
    Cluster(#[from] ListError),
    /// Nobody has this name.
    #[error(transparent)]
    NoTenant(#[from] AdministerError),
    /// The Tenant cannot be seen.
    #[error("Tenant {name} cannot be seen: {why}. The command needs the right to get tenants")]
    Unseen {
        /// Whose.
        name: TenantName,
        /// Why not.
        why: String,
    },
    /// AWS cannot be spoken to.
    #[error(transparent)]
    Aws(#[from] AwsStartError),
    /// They were waited for, and are not ready.
    #[error("not all are Ready after {waited}: {summary}")]
    NotReady {
        /// How long it was waited.
        waited: String,
        /// How they stand.
        summary: String,
    },
    /// Nobody reads any more.
    #[error("nothing can be written to standard output: {0}")]
    Print(std::io::Error),
}

/// How long ago, in the largest unit that fits at least twice.
pub fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    let (number, unit) = match seconds {
        0..120 => (seconds, 's'),
        120..7_200 => (seconds / 60, 'm'),
        7_200..172_800 => (seconds / 3_600, 'h'),
        _ => (seconds / 86_400, 'd'),
    };
    format!("{number}{unit}")
}
