//! The floor: a bare client sends for each tenant the very requests that the operator sends, on a fresh API server of the same kind.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    api::ListParams,
    runtime::watcher::{self, Event},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    asked::{Asked, Counts},
    converge,
    figures::{Floor, real, real_count},
    fleet::{CONCURRENCY, Fleet},
    logs, platform,
    recording::{Recorder, Service},
    replay::Player,
    script::Script,
    support::{Instance, OperatorProcess, Start, eventually},
    usage::work,
};

/// What stands in the place of a tenant's name in what was recorded; as long as the names of the fleet's tenants are.
const PILOT: &str = "fleet-p";

/// How many tenants are recorded: of those made at the same time some are told of more often than others, as in the fleet.
const PILOTS: usize = 16;

/// How many tenants are in play at the same time: as many again as have a request under way wait at a gate.
const IN_PLAY: usize = 2 * CONCURRENCY;

/// What changes by others' doing, and what it is waited for.
const WATCHED: [&str; 6] =
    ["ResourceQuota", "PersistentVolumeClaim", "PersistentVolume", "Pod", "HTTPRoute", "StatefulSet"];

/// Sends for so many tenants what the operator was seen to send for one; and, on another platform, the objects alone.
pub fn measure(tenants: u32, operator: &Asked) -> Floor {
    let (mut floor, made) = platform::with(|instance| replayed(instance, tenants, operator));
    (floor.objects, floor.objects_seconds) = platform::with(|instance| objects_alone(instance, tenants, made));
    floor
}

async fn replayed(instance: &'static Instance, tenants: u32, operator: &Asked) -> (Floor, Made) {
    println!("floor: a bare client for {tenants} tenants");
    let fleet = Fleet::new(instance, tenants).await;
    let script = recorded(&fleet, operator).await;
    let made = Made::of(&script);
    let player = Arc::new(Player::new(script, platform::client(instance).await, CONCURRENCY));
    let watches = follow(&fleet, &player);
    let mark = logs::mark(instance).await;
    let (began, worked) = (Instant::now(), work());
    let applied = play(&fleet, &player).await;
    // The watch tells a little later than the last request is answered; the pilot is among those whom it tells of.
    fleet.until("Ready", fleet.names.len(), |name, standing| standing.ready && !name.starts_with(PILOT)).await;
    let (seconds, work_seconds) = ((fleet.last_ready() - began).as_secs_f64(), work() - worked);
    println!("  all Ready after {seconds:.1} s");
    drop(watches);
    let sent = logs::since(instance, mark).await;
    let repeated = player.repeated.lock().expect("not poisoned").clone();
    let floor = Floor {
        seconds,
        work_seconds,
        latency: converge::latency(&fleet, &applied),
        objects_seconds: 0.0,
        objects: 0,
        differences: differences(operator, &sent, f64::from(tenants)),
        repeated,
        requests: real_count(sent.per_tenant().values().sum()) / f64::from(tenants),
    };
    (floor, made)
}

/// Applies all Tenants, and begins with each as soon as it was taken.
async fn play(fleet: &Fleet, player: &Arc<Player>) -> HashMap<String, (Instant, Value)> {
    let mut playing = tokio::task::JoinSet::new();
    let mut applied = HashMap::new();
    let in_play = Arc::new(Semaphore::new(IN_PLAY));
    let one = |name: &String| {
        let bed = fleet.tenant(name);
        async move {
            let began = Instant::now();
            let taken = bed.apply_tenant(json!({})).await.expect("the Tenant is taken");
            (bed.tenant, began, taken)
        }
    };
    let mut taken = std::pin::pin!(stream::iter(fleet.names.iter().map(one)).buffer_unordered(CONCURRENCY));
    while let Some((name, began, taken)) = taken.next().await {
        player.begin(&name, &taken);
        applied.insert(name.clone(), (began, taken));
        let (player, in_play) = (Arc::clone(player), Arc::clone(&in_play));
        playing.spawn(async move {
            let _place = in_play.acquire().await.expect("open");
            player.play(&name).await;
        });
    }
    while let Some(played) = playing.join_next().await {
        played.expect("the floor's client goes on");
    }
    applied
}

/// Requests for each tenant that the two sent, where they differ.
fn differences(operator: &Asked, floor: &Asked, tenants: f64) -> BTreeMap<String, (f64, f64)> {
    let (operator, floor) = (operator.per_tenant(), floor.per_tenant());
    let names = operator.keys().chain(floor.keys());
    let each = |counts: &Counts, name: &str| real_count(counts.get(name).copied().unwrap_or(0)) / tenants;
    let both = names.map(|name| (name.clone(), (each(&operator, name), each(&floor, name))));
    both.filter(|(_, (operator, floor))| (operator - floor).abs() > f64::EPSILON).collect()
}

/// Lets an operator make some tenants, and writes down what it asks. Of these, the one for which it asked most nearly what it asks for
/// a tenant of the fleet on average.
async fn recorded(fleet: &Fleet, average: &Asked) -> Script {
    let instance = fleet.bed.instance;
    let recorder = Recorder::default();
    let operator = operator_before(instance, &recorder).await;
    fleet.class_is_told().await;
    let began = Instant::now();
    let pilots: Vec<String> = (0..PILOTS).map(|number| format!("{PILOT}{number:04}")).collect();
    let tenants = pilots.iter().map(|name| async { fleet.tenant(name).ready_tenant(json!({})).await });
    let tenants = futures::future::join_all(tenants).await;
    let sent = eventually(|| std::future::ready(quiet(&recorder, began))).await.expect("the operator comes to rest");
    assert!(operator.stop(), "an orderly end");
    let objects = objects_of(fleet, &pilots).await;
    let system = fleet.bed.get("Namespace", None, "kube-system").await.expect("it is there");
    let uid = system["metadata"]["uid"].as_str().unwrap_or_default();
    let script = |(pilot, tenant): (&String, &Value)| {
        let objects = objects.get(pilot).cloned().unwrap_or_default();
        Script::new(pilot, tenant, uid, sent.clone(), objects)
    };
    let scripts = pilots.iter().zip(&tenants).map(script);
    let away = |script: &Script| script.distance(average, fleet.size());
    let script = scripts.min_by(|one, other| away(one).total_cmp(&away(other))).expect("a script");
    println!("  {} took {} requests, {:.1} away from the average", script.pilot, script.steps.len(), away(&script));
    if std::env::var_os("FLEET_TELLS").is_some() {
        println!("{}", script.told());
    }
    script
}

/// An operator whose requests pass the recorder.
async fn operator_before(instance: &'static Instance, recorder: &Recorder) -> OperatorProcess {
    let kubeconfig = std::path::PathBuf::from(instance.fact("/dir")).join("recorded.kubeconfig");
    let server = recorder.before_kubernetes(platform::client(instance).await).await;
    let content = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "recorded",
        "clusters": [{ "name": "recorded", "cluster": { "server": server } }],
        "users": [{ "name": "recorded", "user": {} }],
        "contexts": [{ "name": "recorded", "context": { "cluster": "recorded", "user": "recorded" } }],
    });
    std::fs::write(&kubeconfig, content.to_string()).expect("kubeconfig");
    let mut variables = Vec::new();
    for (variable, service) in [("AWS_ENDPOINT_URL_EKS", "eks"), ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsManager")]
    {
        let endpoint = instance.fact(&format!("/aws/endpoints/{service}"));
        variables.push((variable, recorder.before_aws(endpoint.trim_end_matches('/')).await));
    }
    instance.start_operator_as(&Start {
        pod: "recorded",
        kubeconfig: &kubeconfig,
        access_key: "operator",
        variables: &variables,
        flags: &platform::FLAGS,
    })
}

/// What was asked since then, once nothing has been for two seconds.
fn quiet(recorder: &Recorder, began: Instant) -> Option<Vec<crate::recording::Recorded>> {
    let sent = recorder.since(began);
    let of_tenants = sent.iter().filter(|one| !one.uri.contains("/leases"));
    let last = of_tenants.map(|one| one.ended).max()?;
    (last.elapsed() > Duration::from_secs(2)).then_some(sent)
}

/// The pilots' objects of the kinds that others change, by the paths by which the scripts know them.
async fn objects_of(fleet: &Fleet, pilots: &[String]) -> HashMap<String, HashMap<String, Value>> {
    let mut objects = HashMap::<String, HashMap<String, Value>>::new();
    for kind in WATCHED {
        let all = fleet.bed.api(kind, None).list(&ListParams::default()).await.expect("a list");
        for object in all.items {
            let mut object = json!(object);
            object["kind"] = json!(kind);
            if let Some(pilot) = tenant_of(&object).filter(|tenant| pilots.contains(tenant)) {
                objects.entry(pilot).or_default().insert(path_of(fleet, kind, &object), object);
            }
        }
    }
    objects
}

/// The path of an object, or what stands for it where its name is drawn by lot.
fn path_of(fleet: &Fleet, kind: &str, object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let collection = fleet.bed.api(kind, object["metadata"]["namespace"].as_str());
    format!("{}/{name}", collection.resource_url())
}

/// Whose an object is: by its namespace, or by that of the claim which it is bound to.
fn tenant_of(object: &Value) -> Option<String> {
    let own = object["metadata"]["namespace"].as_str();
    let namespace = own.or_else(|| object["spec"]["claimRef"]["namespace"].as_str())?;
    namespace.strip_prefix("openclaw-").map(str::to_owned)
}

/// Tells the player what changes.
fn follow(fleet: &Fleet, player: &Arc<Player>) -> tokio::task::JoinSet<()> {
    let mut following = tokio::task::JoinSet::new();
    let volume = player.script.objects.keys().find(|path| path.contains("/persistentvolumes/")).cloned();
    for kind in WATCHED {
        let (player, api, volume) = (Arc::clone(player), fleet.bed.api(kind, None), volume.clone());
        let place = format!("openclaw-{}", player.script.pilot);
        let url = fleet.bed.api(kind, Some(&place)).resource_url().to_owned();
        following.spawn(async move {
            let mut events = std::pin::pin!(watcher::watcher(api, watcher::Config::default()));
            loop {
                let object = match events.try_next().await {
                    Ok(Some(Event::Apply(object) | Event::InitApply(object))) => object,
                    Ok(Some(_)) | Err(_) => continue,
                    Ok(None) => return,
                };
                let mut live = json!(object);
                live["kind"] = json!(kind);
                let Some(tenant) = tenant_of(&live) else { continue };
                let name = live["metadata"]["name"].as_str().unwrap_or_default();
                let path = match (&volume, kind) {
                    (Some(volume), "PersistentVolume") => volume.clone(),
                    _ => format!("{url}/{}", name.replace(&tenant, &player.script.pilot)),
                };
                player.told(&path, &tenant, &live);
            }
        });
    }
    following
}

/// The objects of one tenant, in the order in which they are made.
struct Made {
    pilot: String,
    requests: Vec<(String, String)>,
}

impl Made {
    fn of(script: &Script) -> Self {
        let is_object = |step: &&crate::script::Step| {
            let path = step.sent.uri.split('?').next().unwrap_or_default();
            let is_made = step.sent.method == http::Method::POST && step.sent.service == Service::Kubernetes;
            is_made && !path.ends_with("/events") && !path.ends_with("/tenantrecords")
        };
        let made = script.steps.iter().filter(is_object);
        let requests = made.map(|step| (step.sent.uri.clone(), step.sent.body.clone())).collect();
        Self { pilot: script.pilot.clone(), requests }
    }
}

/// The objects of tenants alone: no Tenant, no record, no AWS, and nothing that is waited for but what the server insists on.
async fn objects_alone(instance: &'static Instance, tenants: u32, made: Made) -> (usize, f64) {
    println!("floor: the objects alone");
    let client = platform::client(instance).await;
    let names: Vec<String> = (0..tenants).map(|number| format!("fleet-{number:05}")).collect();
    let began = Instant::now();
    let one = |name: &String| {
        let (client, made, name) = (client.clone(), &made, name.clone());
        async move {
            for (uri, body) in &made.requests {
                let (uri, body) = (uri.replace(&made.pilot, &name), body.replace(&made.pilot, &name));
                make(&client, &uri, &body).await;
            }
        }
    };
    stream::iter(names.iter().map(one)).buffer_unordered(CONCURRENCY).collect::<()>().await;
    let (seconds, objects) = (began.elapsed().as_secs_f64(), made.requests.len() * names.len());
    println!("  {objects} objects after {seconds:.1} s, {:.0} a second", real(objects) / seconds);
    (objects, seconds)
}

/// Makes an object; a claim is refused until the quota counts.
async fn make(client: &kube::Client, uri: &str, body: &str) {
    for _ in 0..1_000 {
        let request = http::Request::post(uri).header("content-type", "application/json");
        let request = request.body(body.as_bytes().to_vec()).expect("a request");
        match client.request::<Value>(request).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if status.code == 403 => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{uri}: {error}"),
        }
    }
    panic!("{uri}: refused for long");
}
