//! What the audit log and the AWS proxy's say of a period.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    asked::Asked,
    support::{Instance, OPERATOR},
};

/// Where both logs end.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    audit: u64,
    aws: u64,
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
