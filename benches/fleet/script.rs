//! What the operator asked for one tenant, with blanks for what is another's in another tenant.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use regex::Regex;
use serde_json::{Value, json};

use crate::{
    asked::{Asked, Counts},
    figures::real_count,
    recording::{Recorded, Service},
};

/// Stands where a request names the version of its object.
pub const VERSION: &str = "@@VERSION@@";

/// What a request waits for that no request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    /// The quota counts: a claim before that is refused.
    QuotaCounts,
    /// The pod runs, and the route is accepted.
    Works,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Step {
    /// As it was sent.
    pub sent: Recorded,
    /// Requests that had their answers before this was sent.
    pub after: u128,
    /// Words in it that are another's in another tenant.
    pub words: Vec<usize>,
    /// What it waits for beside.
    pub gate: Option<Gate>,
    /// The object whose version it names.
    pub object: String,
}

/// All requests for one tenant.
pub struct Script {
    /// Whose it was.
    pub pilot: String,
    /// In the order in which they were sent.
    pub steps: Vec<Step>,
    /// Words that are another's in another tenant: UIDs, ids, ARNs, tokens. Longer ones first.
    pub words: Vec<String>,
    /// Those of them that whoever asks makes up.
    pub tokens: BTreeSet<usize>,
    /// The incarnation's ten digits, and the UID whose first ones they are.
    pub incarnation: (usize, usize),
    /// How the pilot's objects were in the end, by path.
    pub objects: HashMap<String, Value>,
}

/// The path of an object that a request is about, without its subresource and query.
pub fn object_of(sent: &Recorded) -> String {
    let path = sent.uri.split('?').next().unwrap_or_default();
    if sent.method == http::Method::POST {
        let name = sent.answer["metadata"]["name"].as_str().unwrap_or_default();
        return format!("{path}/{name}");
    }
    path.trim_end_matches("/status").to_owned()
}

impl Script {
    /// From what was recorded of a tenant's coming to be, and from its objects in the end.
    pub fn new(
        pilot: &str,
        tenant: &Value,
        cluster_uid: &str,
        sent: Vec<Recorded>,
        objects: HashMap<String, Value>,
    ) -> Self {
        let is_its = |one: &Recorded| is_a_tenant_s(one) && (one.uri.contains(pilot) || one.body.contains(pilot));
        let mut sent: Vec<Recorded> = sent.into_iter().filter(is_its).collect();
        sent.sort_by_key(|one| one.began);
        assert!(sent.len() <= 128, "a tenant takes no more than 128 requests: {}", sent.len());
        let mut tokens = BTreeSet::new();
        let mut known = BTreeSet::new();
        for one in &sent {
            let body: Value = serde_json::from_str(&one.body).unwrap_or(Value::Null);
            let token = ["clientRequestToken", "ClientRequestToken"].iter().find_map(|name| body[name].as_str());
            tokens.extend(token.map(str::to_owned));
            gather(&one.answer, &mut known);
        }
        for object in objects.values() {
            gather(object, &mut known);
        }
        gather(tenant, &mut known);
        known.remove(cluster_uid);
        known.extend(tokens.iter().cloned());
        let uid = tenant["metadata"]["uid"].as_str().expect("its UID").to_owned();
        let digits: String = uid.chars().filter(|c| *c != '-').take(10).collect();
        known.insert(digits.clone());
        let texts: Vec<String> = sent.iter().map(|one| format!("{}\n{}", one.uri, one.body)).collect();
        let mut words: Vec<String> =
            known.into_iter().filter(|word| *word == uid || texts.iter().any(|text| text.contains(word))).collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let index = |word: &str| words.iter().position(|one| one == word).expect("a word");
        let tokens = tokens.iter().map(|token| index(token)).collect();
        let incarnation = (index(&digits), index(&uid));
        let ends: Vec<_> = sent.iter().map(|one| one.ended).collect();
        let steps = sent.into_iter().map(|one| step(one, &ends, &words)).collect();
        Self { pilot: pilot.to_owned(), steps, words, tokens, incarnation, objects }
    }

    /// How far it is from what was asked on average for a tenant of a fleet: the sum over all changes in Kubernetes.
    pub fn distance(&self, average: &Asked, tenants: f64) -> f64 {
        let mut own = Counts::new();
        self.steps.iter().filter_map(change).for_each(|what| *own.entry(what).or_default() += 1);
        let kinds: BTreeSet<&String> = own.keys().chain(average.writes.keys()).collect();
        let count = |counts: &Counts, what: &str| real_count(counts.get(what).copied().unwrap_or(0));
        kinds.into_iter().map(|what| (count(&own, what) - count(&average.writes, what) / tenants).abs()).sum()
    }

    /// Says what it is, one line for each request.
    pub fn told(&self) -> String {
        let line = |step: &Step| {
            let path = step.sent.uri.split('?').next().unwrap_or_default();
            format!("  {} {path} {:?} ({} before)", step.sent.method, step.gate, step.after.count_ones())
        };
        self.steps.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// What an object of another tenant says for the pilot's words.
    pub fn learn(&self, ours: &Value, theirs: &Value, said: &mut BTreeMap<usize, String>) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => {
                for (key, ours) in ours {
                    if let Some(theirs) = theirs.get(key) {
                        self.learn(ours, theirs, said);
                    }
                }
            }
            (Value::Array(ours), Value::Array(theirs)) => {
                ours.iter().zip(theirs).for_each(|(ours, theirs)| self.learn(ours, theirs, said));
            }
            (Value::String(ours), Value::String(theirs)) => self.learn_word(ours, theirs, said),
            _ => {}
        }
    }

    fn learn_word(&self, ours: &str, theirs: &str, said: &mut BTreeMap<usize, String>) {
        if let Some(index) = self.words.iter().position(|word| word == ours) {
            said.insert(index, theirs.to_owned());
            return;
        }
        let uids = uid_pattern();
        for (ours, theirs) in uids.find_iter(ours).zip(uids.find_iter(theirs)) {
            if let Some(index) = self.words.iter().position(|word| word == ours.as_str()) {
                said.insert(index, theirs.as_str().to_owned());
            }
        }
    }
}

/// What a request changes in Kubernetes, as the audit log says it: `patch tenantrecords`. Events are counted apart.
fn change(step: &Step) -> Option<String> {
    let verb = match step.sent.method.as_str() {
        _ if step.sent.service != Service::Kubernetes => return None,
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        _ => return None,
    };
    let path = step.sent.uri.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    // api/VERSION or apis/GROUP/VERSION, then namespaces/NAME where the object is in one.
    let parts = parts.get(if parts.first() == Some(&"api") { 2 } else { 3 }..).unwrap_or_default();
    let resource = match parts {
        ["namespaces", _, resource, ..] | [resource, ..] if *resource != "events" => resource,
        _ => return None,
    };
    let slash = if path.ends_with("/status") { "/status" } else { "" };
    Some(format!("{verb} {resource}{slash}"))
}

fn step(mut sent: Recorded, ends: &[std::time::Instant], words: &[String]) -> Step {
    let before = ends.iter().enumerate().filter(|(_, ended)| **ended < sent.began);
    let after = before.fold(0, |mask, (index, _)| mask | 1 << index);
    let object = object_of(&sent);
    let gate = gate(&sent);
    blank_version(&mut sent);
    let text = format!("{}\n{}", sent.uri, sent.body);
    let words = words.iter().enumerate().filter(|(_, word)| text.contains(*word)).map(|(index, _)| index).collect();
    Step { sent, after, words, gate, object }
}

fn gate(sent: &Recorded) -> Option<Gate> {
    let path = sent.uri.split('?').next().unwrap_or_default();
    if sent.method == http::Method::POST && path.ends_with("/persistentvolumeclaims") {
        return Some(Gate::QuotaCounts);
    }
    let body: Value = serde_json::from_str(&sent.body).unwrap_or(Value::Null);
    let is_ready = crate::support::condition(&body, "Ready")["status"] == "True";
    (path.ends_with("/status") && is_ready).then_some(Gate::Works)
}

/// Watches, the lease, the class: what is not asked for one tenant.
fn is_a_tenant_s(sent: &Recorded) -> bool {
    let of_nobody = ["/leases", "/tenantclasses", "/customresourcedefinitions"];
    let lists_all = sent.method == http::Method::GET && sent.uri.contains("limit=");
    !of_nobody.iter().any(|part| sent.uri.contains(part)) && !lists_all
}

fn blank_version(sent: &mut Recorded) {
    let Ok(mut body) = serde_json::from_str::<Value>(&sent.body) else { return };
    if let Some(version) = body.pointer_mut("/metadata/resourceVersion") {
        *version = json!(VERSION);
    } else if let Some(operation) = body
        .as_array_mut()
        .and_then(|all| all.iter_mut().find(|operation| operation["path"] == "/metadata/resourceVersion"))
    {
        operation["value"] = json!(VERSION);
    } else {
        return;
    }
    sent.body = body.to_string();
}

fn uid_pattern() -> &'static Regex {
    static PATTERN: std::sync::OnceLock<Regex> = std::sync::OnceLock::new();
    PATTERN
        .get_or_init(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").expect("a pattern"))
}

/// Words that somebody else gave: UIDs, associations' ids, secrets' ARNs.
fn gather(answer: &Value, words: &mut BTreeSet<String>) {
    match answer {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "associationId" || text.starts_with("arn:aws:secretsmanager:") => {
                        words.insert(text.clone());
                    }
                    value => gather(value, words),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, words)),
        Value::String(text) => words.extend(uid_pattern().find_iter(text).map(|found| found.as_str().to_owned())),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
