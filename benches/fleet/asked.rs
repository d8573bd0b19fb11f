//! What was asked of the API server and of AWS, from the audit log and the AWS proxy's.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::{Instance, OPERATOR};

/// Requests by what they do: `create pods`, `eks CreatePodIdentityAssociation`.
pub type Counts = BTreeMap<String, u64>;

/// Where both logs end.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    audit: u64,
    aws: u64,
}

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

/// Where the logs end now.
pub async fn mark(instance: &Instance) -> Mark {
    let audit = std::fs::metadata(instance.fact("/auditLog")).expect("audit log").len();
    let calls = instance.calls("").await;
    Mark { audit, aws: calls.iter().filter_map(|call| call["seq"].as_u64()).max().unwrap_or(0) }
}

/// What was asked since then.
pub async fn since(instance: &Instance, mark: Mark) -> Asked {
    let mut asked = Asked::default();
    let mut log = File::open(instance.fact("/auditLog")).expect("audit log");
    log.seek(SeekFrom::Start(mark.audit)).expect("audit log");
    for line in BufReader::new(log).lines() {
        // The last line may not be whole yet.
        let Ok(event) = serde_json::from_str::<Event>(&line.expect("audit log")) else { continue };
        asked.note(&event);
    }
    for call in instance.calls("").await {
        if call["seq"].as_u64() > Some(mark.aws) && call["accessKeyId"] == "operator" {
            let text = |field: &str| call[field].as_str().unwrap_or_default();
            let what = format!("{} {}", text("service"), text("operation"));
            let counts = if call["mutating"] == true { &mut asked.aws_writes } else { &mut asked.aws_reads };
            *counts.entry(what).or_default() += 1;
        }
    }
    asked
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Value,
    #[serde(rename = "requestURI", default)]
    uri: String,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
struct Object {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    subresource: String,
}

impl Asked {
    fn note(&mut self, event: &Event) {
        if event.user.username != OPERATOR {
            return;
        }
        let Object { resource, subresource } = &event.object_ref;
        let slash = if subresource.is_empty() { "" } else { "/" };
        let mut what = format!("{} {resource}{slash}{subresource}", event.verb);
        let is_rehearsal = event.uri.contains("dryRun=All");
        if is_rehearsal {
            what.insert_str(0, "rehearse ");
        }
        let code = event.response_status["code"].as_u64().unwrap_or(200);
        if code >= 400 {
            *self.refused.entry(format!("{code} {what}")).or_default() += 1;
        }
        let is_read = is_rehearsal || ["get", "list", "watch"].contains(&event.verb.as_str());
        match resource.as_str() {
            "leases" => self.leases += 1,
            "events" if !is_read => self.events += 1,
            _ if is_read => *self.reads.entry(what).or_default() += 1,
            _ => *self.writes.entry(what).or_default() += 1,
        }
    }
}
