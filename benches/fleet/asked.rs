//! What was asked of the API server and of AWS.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Requests by what they do: `create pods`, `eks CreatePodIdentityAssociation`.
pub type Counts = BTreeMap<String, u64>;

/// What was asked in a period in the operator's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Changes in Kubernetes, leases and events aside.
    pub writes: Counts,
    /// Reads of Kubernetes; a watch counts where it ends.
    pub reads: Counts,
    /// Renewals of the lease.
    pub leases: u64,
    /// Events.
    pub events: u64,
    /// Answers of Kubernetes that were refusals, by code and request.
    pub refused: Counts,
    /// Changes in AWS.
    pub aws_writes: Counts,
    /// Reads of AWS.
    pub aws_reads: Counts,
}

impl Asked {
    /// Changes in Kubernetes and AWS.
    pub fn changes(&self) -> u64 {
        self.writes.values().chain(self.aws_writes.values()).sum()
    }

    /// Reads of Kubernetes.
    pub fn looks(&self) -> u64 {
        self.reads.values().sum()
    }

    /// Calls of AWS.
    pub fn aws(&self) -> u64 {
        self.aws_reads.values().chain(self.aws_writes.values()).sum()
    }

    /// Everything that concerns tenants one by one: requests that others made grow with nothing.
    pub fn per_tenant(&self) -> Counts {
        let all = [&self.writes, &self.reads, &self.aws_writes, &self.aws_reads];
        let mut counts: Counts = all.into_iter().flatten().map(|(what, count)| (what.clone(), *count)).collect();
        counts.insert("create events".to_owned(), self.events);
        let of_the_fleet = |what: &str| what.contains("tenantclasses") || what.starts_with("watch ");
        counts.retain(|what, _| !of_the_fleet(what));
        counts
    }

    /// How many of these there are.
    pub fn count(&self) -> u64 {
        self.per_tenant().values().sum()
    }
}
