//! Who wrote what and when, as the API server and AWS wrote it down themselves.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::Instance;

/// One request that would change something.
#[derive(Clone, Debug)]
pub struct Write {
    /// When the API server had it; when AWS had answered it.
    pub at: Timestamp,
    /// What it was about.
    pub what: String,
    /// What it was answered.
    pub status: u64,
}

impl Write {
    /// Whether it was about the Lease.
    pub fn is_renewal(&self) -> bool {
        self.what.ends_with(" leases openclaw-tenant-operator")
    }
}

/// What becomes of the Lease between one leader and the next.
#[derive(Clone, Copy, Debug)]
pub struct Handover {
    /// The last time that the former leader wrote it.
    pub last: Timestamp,
    /// The first time that the next one did.
    pub next: Timestamp,
}

impl Handover {
    /// How long nobody renewed it.
    pub fn took(self) -> SignedDuration {
        self.next.duration_since(self.last)
    }
}

/// By what the API server tells two processes with one ServiceAccount apart: each has a token of its own.
pub fn credential(kubeconfig: &Path) -> String {
    let content = std::fs::read_to_string(kubeconfig).expect("kubeconfig");
    let content: Value = serde_saphyr::from_str(&content).expect("YAML");
    let token = content["users"][0]["user"]["token"].as_str().expect("a token");
    let claims = token.split('.').nth(1).expect("its claims");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    format!("JTI={}", claims["jti"].as_str().expect("the token's id"))
}

/// What was asked of the API server with this credential that would have changed something, oldest first.
pub fn in_kubernetes(instance: &Instance, credential: &str) -> Vec<Write> {
    asked(instance, credential, &["create", "update", "patch", "delete", "deletecollection"])
}

/// What was asked of it with this credential and one of these verbs, oldest first. Rehearsals do not count.
pub fn asked(instance: &Instance, credential: &str, verbs: &[&str]) -> Vec<Write> {
    let events = instance.audited(|event| {
        event["user"]["extra"]["authentication.kubernetes.io/credential-id"][0] == credential
            && verbs.iter().any(|verb| event["verb"] == *verb)
            && !event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun=All"))
    });
    let mut writes: Vec<Write> = events.iter().map(of_kubernetes).collect();
    writes.sort_by_key(|write| write.at);
    writes
}

fn of_kubernetes(event: &Value) -> Write {
    let object = &event["objectRef"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let resource = match object["subresource"].as_str() {
        Some(part) => format!("{}/{part}", word(&object["resource"])),
        None => word(&object["resource"]),
    };
    Write {
        at: time(&event["requestReceivedTimestamp"]),
        what: format!("{} {resource} {}", word(&event["verb"]), word(&object["name"])),
        status: event["responseStatus"]["code"].as_u64().unwrap_or(0),
    }
}

/// What was asked of AWS with this key that would have changed something, oldest first.
pub async fn in_aws(instance: &Instance, access_key: &str) -> Vec<Write> {
    let calls = instance.calls("").await.into_iter();
    let writes = calls.filter(|call| call["accessKeyId"] == access_key && call["mutating"] == true);
    writes
        .map(|call| Write {
            at: time(&call["time"]),
            what: format!("{} {} {}", call["operation"], call["target"], call["fault"]),
            status: call["status"].as_u64().unwrap_or(0),
        })
        .collect()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().and_then(|time| time.parse().ok()).expect("a time")
}

/// How the Lease went from the one to the other.
pub fn handover(former: &[Write], next: &[Write]) -> Handover {
    let wrote = |write: &&Write| write.is_renewal() && write.status < 300;
    let next = next.iter().find(wrote).expect("the other took the Lease").at;
    let last = former.iter().rfind(|write| wrote(write) && write.at < next).expect("the one had the Lease").at;
    Handover { last, next }
}
