//! Sends a script for another tenant: nothing is decided, nothing is looked for, each request goes as soon as what it waits for is
//! there.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Write as _,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::{Body, Bytes, to_bytes};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, watch};

use crate::{
    asked::Counts,
    recording::Service,
    script::{Gate, Script, Step, VERSION},
};

/// How often a request is sent again that was refused.
const PATIENCE: usize = 100;

/// What sends.
pub struct Player {
    /// What is sent.
    pub script: Script,
    kubernetes: kube::Client,
    aws: HttpClient<HttpConnector, Full<Bytes>>,
    places: Semaphore,
    rates: [(&'static str, DefaultDirectRateLimiter); 5],
    tenants: Mutex<HashMap<String, Arc<Tenant>>>,
    /// Requests that were refused and sent again.
    pub repeated: Mutex<Counts>,
}

struct Tenant {
    name: String,
    known: Mutex<Known>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Known {
    words: BTreeMap<usize, String>,
    versions: HashMap<String, String>,
    gates: HashSet<Gate>,
    pod_works: bool,
    route_works: bool,
    done: u128,
}

impl Known {
    fn is_ready_for(&self, step: &Step) -> bool {
        self.done & step.after == step.after
            && step.words.iter().all(|word| self.words.contains_key(word))
            && step.gate.is_none_or(|gate| self.gates.contains(&gate))
    }
}

impl Player {
    /// With so many requests at once, and as fast towards AWS as the operator is told to be.
    pub fn new(script: Script, kubernetes: kube::Client, at_once: usize) -> Self {
        let bucket = |rate| RateLimiter::direct(Quota::per_second(NonZeroU32::new(rate).expect("a rate")));
        // As tests/it/support/instance.rs starts the operator.
        let rates = [
            ("PodIdentityAssociationRead", bucket(100)),
            ("PodIdentityAssociationWrite", bucket(50)),
            ("secretsmanager.Tag", bucket(100)),
            ("secretsmanager.Describe", bucket(100)),
            ("secretsmanager.Write", bucket(100)),
        ];
        Self {
            script,
            kubernetes,
            aws: HttpClient::builder(TokioExecutor::new()).build_http(),
            places: Semaphore::new(at_once),
            rates,
            tenants: Mutex::default(),
            repeated: Mutex::default(),
        }
    }

    /// A tenant begins, of which this was taken.
    pub fn begin(&self, name: &str, taken: &Value) {
        let tenant = Arc::new(Tenant { name: name.to_owned(), known: Mutex::default(), changed: watch::channel(0).0 });
        let mut known = tenant.known.lock().expect("not poisoned");
        let (digits, uid) = self.script.incarnation;
        let own = taken["metadata"]["uid"].as_str().expect("its UID").to_owned();
        known.words.insert(digits, own.chars().filter(|c| *c != '-').take(10).collect());
        known.words.insert(uid, own);
        for token in &self.script.tokens {
            let ours = &self.script.words[*token];
            let hash = Sha256::digest(format!("{name} {ours}"));
            let theirs = hash.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
            known.words.insert(*token, theirs[..ours.len().min(theirs.len())].to_owned());
        }
        let path = format!("/apis/openclaw.io/v1alpha1/tenants/{}", self.script.pilot);
        known.versions.insert(path, version(taken));
        drop(known);
        self.tenants.lock().expect("not poisoned").insert(name.to_owned(), tenant);
    }

    /// Sends everything for one tenant.
    pub async fn play(&self, name: &str) {
        let tenant = self.tenants.lock().expect("not poisoned").get(name).cloned().expect("it has begun");
        let all = self.script.steps.iter().enumerate().map(|(index, step)| self.take(&tenant, index, step));
        futures::future::join_all(all).await;
    }

    /// What a watch tells of an object: the pilot's path of it, whose it is, and how it is now.
    pub fn told(&self, path: &str, name: &str, live: &Value) {
        let Some(tenant) = self.tenants.lock().expect("not poisoned").get(name).cloned() else { return };
        tenant.take_up(&self.script, path, live);
    }

    async fn take(&self, tenant: &Tenant, index: usize, step: &Step) {
        let mut changed = tenant.changed.subscribe();
        while !tenant.known.lock().expect("not poisoned").is_ready_for(step) {
            changed.changed().await.expect("the tenant is there");
        }
        let mut answer = Value::Null;
        for attempt in 0.. {
            let (uri, body) = self.filled(tenant, step);
            let status;
            (status, answer) = match &step.sent.service {
                Service::Kubernetes => self.ask_kubernetes(step, &uri, body).await,
                Service::Aws(endpoint) => self.ask_aws(step, &format!("{endpoint}{uri}"), body).await,
            };
            // What the operator was refused, as an object that is not there yet, the floor is refused as well.
            if status < 400 || status == step.sent.status {
                break;
            }
            let what = format!("{status} {} {}", step.sent.method, step.object);
            assert!(attempt < PATIENCE, "{}: {what}: {answer}", tenant.name);
            *self.repeated.lock().expect("not poisoned").entry(what).or_default() += 1;
            if status == 409 {
                self.look(tenant, step).await;
            } else {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        tenant.known.lock().expect("not poisoned").done |= 1 << index;
        tenant.learn(&self.script, &step.object, &step.sent.answer, &answer);
    }

    /// After a conflict.
    async fn look(&self, tenant: &Tenant, step: &Step) {
        let path = self.named(tenant, &step.object, &step.words);
        let request = http::Request::get(path).body(Vec::new()).expect("a request");
        if let Ok(live) = self.kubernetes.request::<Value>(request).await {
            tenant.take_up(&self.script, &step.object, &live);
        }
    }

    fn named(&self, tenant: &Tenant, text: &str, words: &[usize]) -> String {
        let known = tenant.known.lock().expect("not poisoned");
        let mut text = text.to_owned();
        for word in words {
            if let Some(theirs) = known.words.get(word) {
                text = text.replace(&self.script.words[*word], theirs);
            }
        }
        text.replace(&self.script.pilot, &tenant.name)
    }

    fn filled(&self, tenant: &Tenant, step: &Step) -> (String, String) {
        let uri = self.named(tenant, &step.sent.uri, &step.words);
        let mut body = self.named(tenant, &step.sent.body, &step.words);
        if body.contains(VERSION) {
            let known = tenant.known.lock().expect("not poisoned");
            let version = known.versions.get(&step.object).cloned().unwrap_or_default();
            body = body.replace(VERSION, &version);
        }
        (uri, body)
    }

    async fn ask_kubernetes(&self, step: &Step, uri: &str, body: String) -> (u16, Value) {
        let _place = self.places.acquire().await.expect("open");
        let mut request = http::Request::builder().method(&step.sent.method).uri(uri);
        for (name, value) in step.sent.headers.iter().filter(|(name, _)| name != "authorization") {
            request = request.header(name, value);
        }
        let request = request.body(kube::client::Body::from(body.into_bytes())).expect("a request");
        let answer = self.kubernetes.send(request).await.expect("the API server answers");
        read(answer.map(Body::new)).await
    }

    async fn ask_aws(&self, step: &Step, uri: &str, body: String) -> (u16, Value) {
        self.wait_for_turn(step).await;
        let _place = self.places.acquire().await.expect("open");
        let mut request = http::Request::builder().method(&step.sent.method).uri(uri);
        for (name, value) in &step.sent.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).expect("a request");
        let answer = self.aws.request(request).await.expect("the emulator answers");
        read(answer.map(Body::new)).await
    }

    async fn wait_for_turn(&self, step: &Step) {
        let target = step.sent.headers.iter().find(|(name, _)| name == "x-amz-target");
        let operation = target.and_then(|(_, value)| value.to_str().ok()).unwrap_or_default();
        let bucket = match operation {
            "" if step.sent.method == http::Method::GET => "PodIdentityAssociationRead",
            "" => "PodIdentityAssociationWrite",
            "secretsmanager.TagResource" | "secretsmanager.UntagResource" => "secretsmanager.Tag",
            "secretsmanager.DescribeSecret" | "secretsmanager.ListSecrets" => "secretsmanager.Describe",
            _ => "secretsmanager.Write",
        };
        let (_, limiter) = self.rates.iter().find(|(name, _)| *name == bucket).expect("its bucket");
        limiter.until_ready().await;
    }
}

async fn read(answer: http::Response<Body>) -> (u16, Value) {
    let status = answer.status().as_u16();
    let bytes = to_bytes(answer.into_body(), 64 << 20).await.expect("the whole answer");
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

impl Tenant {
    fn learn(&self, script: &Script, path: &str, ours: &Value, theirs: &Value) {
        let mut said = BTreeMap::new();
        script.learn(ours, theirs, &mut said);
        let mut known = self.known.lock().expect("not poisoned");
        known.words.extend(said);
        let version = version(theirs);
        if !version.is_empty() {
            known.versions.insert(path.to_owned(), version);
        }
        drop(known);
        self.changed.send_modify(|count| *count += 1);
    }

    fn take_up(&self, script: &Script, path: &str, live: &Value) {
        let mut known = self.known.lock().expect("not poisoned");
        match live["kind"].as_str().unwrap_or_default() {
            "ResourceQuota" if live["status"]["hard"].is_object() && live["status"]["used"].is_object() => {
                known.gates.insert(Gate::QuotaCounts);
            }
            "Pod" => known.pod_works |= crate::support::condition(live, "Ready")["status"] == "True",
            "HTTPRoute" => {
                let parents = live["status"]["parents"].as_array().into_iter().flatten();
                let mut accepted = parents.filter(|parent| {
                    let conditions = parent["conditions"].as_array().into_iter().flatten();
                    let mut accepts = conditions.filter(|one| one["type"] == "Accepted" && one["status"] == "True");
                    accepts.next().is_some()
                });
                known.route_works |= accepted.next().is_some();
            }
            _ => {}
        }
        if known.pod_works && known.route_works {
            known.gates.insert(Gate::Works);
        }
        drop(known);
        let nothing = Value::Null;
        self.learn(script, path, script.objects.get(path).unwrap_or(&nothing), live);
    }
}
