//! Places on gateways, under a crowd. With a platform of its own: load and restarts are the operator's.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use futures::{TryStreamExt as _, future::join_all};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, WatchEvent, WatchParams},
};
use serde_json::{Value, json};

use crate::support::{Bed, Instance, OperatorProcess, condition, eventually, example_class, merge};

/// The gateways and how many tenants each takes.
const GATEWAYS: [(&str, usize); 3] = [("first", 90), ("second", 90), ("third", 70)];

/// One more than there are places.
const CROWD: usize = 251;

/// Who stands where, by every version of every record that the API server stored, in the order in which it did.
#[derive(Default)]
struct Places {
    now: BTreeMap<String, String>,
    /// The most that each gateway ever had.
    peak: BTreeMap<String, usize>,
    /// What must never be.
    wrong: Vec<String>,
}

impl Places {
    fn note(&mut self, event: WatchEvent<DynamicObject>) {
        let record = match event {
            WatchEvent::Added(record) | WatchEvent::Modified(record) => record,
            WatchEvent::Deleted(record) => return self.wrong.push(format!("{:?} was deleted", record.metadata.name)),
            WatchEvent::Bookmark(_) => return,
            WatchEvent::Error(error) => return self.wrong.push(format!("the watch is not whole: {error}")),
        };
        let tenant = record.metadata.name.unwrap_or_default();
        let spec = &record.data["spec"];
        let place = spec.pointer("/routing/placement/name").and_then(Value::as_str).map(str::to_owned);
        let is_purged = spec["phase"] == "Purged";
        match (self.now.get(&tenant), place) {
            (Some(before), Some(place)) if *before != place => {
                self.wrong.push(format!("{tenant} was moved from {before} to {place}"));
            }
            (Some(before), None) if !is_purged => self.wrong.push(format!("{tenant} lost its place on {before}")),
            (Some(_), None) => drop(self.now.remove(&tenant)),
            (None, Some(place)) => {
                self.now.insert(tenant, place.clone());
                let load = self.on(&place);
                let peak = self.peak.entry(place.clone()).or_default();
                *peak = load.max(*peak);
                let capacity = GATEWAYS.iter().find(|(name, _)| *name == place).map_or(0, |(_, capacity)| *capacity);
                if load > capacity {
                    self.wrong.push(format!("{load} on {place}, which takes {capacity}"));
                }
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    fn on(&self, gateway: &str) -> usize {
        self.now.values().filter(|place| *place == gateway).count()
    }
}

/// Watches the records from before the first of them.
async fn watch(bed: &Bed) -> Arc<Mutex<Places>> {
    let kind = GroupVersionKind::gvk("openclaw.io", "v1alpha1", "TenantRecord");
    let records: Api<DynamicObject> =
        Api::all_with(bed.client.clone(), &ApiResource::from_gvk_with_plural(&kind, "tenantrecords"));
    // The API server may still be getting ready to serve the new kind.
    let none = eventually(async || records.list(&ListParams::default()).await.ok()).await.expect("a list");
    assert!(none.items.is_empty());
    let since = none.metadata.resource_version.expect("a version");
    let places = Arc::new(Mutex::new(Places::default()));
    let seen = Arc::clone(&places);
    tokio::spawn(async move {
        let ended = match records.watch(&WatchParams::default().timeout(290), &since).await {
            Ok(events) => {
                events
                    .try_for_each(|event| {
                        seen.lock().expect("not poisoned").note(event);
                        async { Ok(()) }
                    })
                    .await
            }
            Err(error) => Err(error),
        };
        // Whatever came after it was not seen.
        seen.lock().expect("not poisoned").wrong.push(format!("the watch has ended: {ended:?}"));
    });
    places
}

/// Gateways of these names, as a platform engineer makes them.
fn make_gateways(instance: &Instance, names: &[&str]) {
    let listener = |name: &str| {
        json!({
            "name": "http", "protocol": "HTTP", "port": 80, "hostname": format!("*.{name}.example.com"),
            "allowedRoutes": { "namespaces": {
                "from": "Selector", "selector": { "matchLabels": { "openclaw.io/managed": "true" } },
            } },
        })
    };
    let gateway = |name: &&str| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": { "name": name, "namespace": instance.fact("/gateway/namespace") },
            "spec": { "gatewayClassName": "openclaw-local", "listeners": [listener(name)] },
        })
    };
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": names.iter().map(gateway).collect::<Value>() });
    let file = Path::new(instance.fact("/dir")).join(format!("gateways-{}.json", names.concat()));
    fs::write(&file, list.to_string()).expect("a file");
    instance.kubectl(&["apply", "-f", &file.display().to_string()]);
}

/// A class of these gateways. It is about places: nothing is made in AWS.
fn class(instance: &Instance, gateways: &[(&str, usize)]) -> Value {
    let slot = |(name, capacity): &(&str, usize)| {
        json!({
            "namespace": instance.fact("/gateway/namespace"), "name": name, "domain": format!("{name}.example.com"),
            "capacity": capacity,
        })
    };
    let mut class = example_class(instance);
    class["identity"] = json!({ "mode": "None" });
    let gateways: Value = gateways.iter().map(slot).collect();
    merge(&mut class, json!({ "secrets": { "mode": "None" }, "routing": { "gateways": gateways } }));
    class
}

/// Waits until so many have a place, however long it takes as long as it goes on.
async fn until_placed(places: &Mutex<Places>, count: usize, operator: &OperatorProcess) {
    for step in (0..count).step_by(25).chain([count]) {
        let so_far = || places.lock().expect("not poisoned").now.len();
        let come = eventually(|| async { (so_far() >= step).then_some(()) }).await;
        assert!(come.is_some(), "{} of {count} have a place\n{}", so_far(), operator.log());
    }
}

fn is_out_of_places(tenant: &Value) -> bool {
    condition(tenant, "Stalled")["reason"] == "CapacityExhausted"
}

/// 251 Tenants of two classes are made at once for 250 places on three gateways, and the operator is killed in the middle: no
/// gateway ever has one more than it takes, nobody is moved, and who came last gets the place that is given back.
#[tokio::test]
async fn no_gateway_ever_has_more_tenants_than_it_takes() {
    let instance = Instance::own();
    make_gateways(instance, &GATEWAYS.map(|(name, _)| name));
    let one = Bed::with_class(instance, "crowd", class(instance, &GATEWAYS)).await;
    let other = Bed::with_class(instance, "crowd", class(instance, &GATEWAYS)).await;
    let places = watch(&one).await;
    let operator = instance.start_operator();
    let bed = |number: usize| Bed {
        instance,
        client: one.client.clone(),
        tenant: format!("crowd-{number:03}"),
        class: if number.is_multiple_of(2) { one.class.clone() } else { other.class.clone() },
        prefix: one.prefix.clone(),
    };
    let beds: Vec<Bed> = (0..CROWD).map(bed).collect();
    let delete = json!({ "deletionPolicy": "Delete" });
    for made in join_all(beds.iter().map(|bed| bed.apply_tenant(delete.clone()))).await {
        made.expect("the Tenant is taken");
    }
    until_placed(&places, 100, &operator).await;
    operator.kill();
    let operator = instance.start_operator();
    until_placed(&places, CROWD - 1, &operator).await;

    let left: Vec<&Bed> = {
        let places = places.lock().expect("not poisoned");
        beds.iter().filter(|bed| !places.now.contains_key(&bed.tenant)).collect()
    };
    let [waiting] = left.as_slice() else { panic!("one is to wait, not {}", left.len()) };
    let tenant = waiting.until("told that all gateways are full", is_out_of_places).await;
    assert_eq!(condition(&tenant, "RouteReady")["reason"], "CapacityExhausted");
    let message = condition(&tenant, "Stalled")["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("add a gateway to the class, or raise a capacity"), "{message}");

    let free = beds.iter().find(|bed| bed.tenant != waiting.tenant).expect("another");
    let place = places.lock().expect("not poisoned").now[&free.tenant].clone();
    free.ready().await;
    free.delete("Tenant", None, &free.tenant).await;
    free.gone().await;
    let is_placed = || async { places.lock().expect("not poisoned").now.get(&waiting.tenant).cloned() };
    assert_eq!(waiting.until_so("a place", is_placed).await, place, "the place that was given back");
    let tenant = waiting.ready().await;
    assert_eq!(tenant["status"]["gateway"], format!("{}/{place}", instance.fact("/gateway/namespace")));

    let places = places.lock().expect("not poisoned");
    assert_eq!(places.wrong, Vec::<String>::new());
    let expected: BTreeMap<String, usize> =
        GATEWAYS.iter().map(|(name, capacity)| ((*name).to_owned(), *capacity)).collect();
    assert_eq!(places.peak, expected, "all places were taken");
}

/// One that cannot be built as it is written holds no place that another could have.
#[tokio::test]
async fn a_tenant_that_is_refused_takes_nobody_s_place() {
    let instance = Instance::shared();
    // The places of a Gateway are counted over all classes: one of its own.
    let alone = format!("alone-{}", std::process::id());
    make_gateways(instance, &[&alone]);
    let refused = Bed::with_class(instance, "refused", class(instance, &[(&alone, 1)])).await;
    let env = json!({ "env": [{ "name": "PATH", "value": "/tmp" }] });
    refused.apply_tenant(env).await.expect("taken");
    refused.stalled("EnvNotAllowed").await;
    let other = Bed { class: refused.class.clone(), ..Bed::on(instance, "placed").await };
    other.ready_tenant(json!({})).await;
    // There is no second place, as the first one's Tenant is told once it is mended.
    refused.apply_tenant(json!({})).await.expect("mended");
    refused.stalled("CapacityExhausted").await;
}

/// Where a tenant is: the gateway of its status, and of its record.
fn gateway(tenant: &Value, record: &Value) -> [String; 2] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = &record["spec"]["routing"]["placement"];
    [text(&tenant["status"]["gateway"]), format!("{}/{}", text(&place["namespace"]), text(&place["name"]))]
}

/// Neither a cordoned gateway nor a lost record moves anybody, and a newcomer gets no place whose tenant is only without a record.
#[tokio::test]
async fn a_tenant_is_moved_by_an_administrator_s_order_and_by_nothing_else() {
    let instance = Instance::shared();
    let names = ["from", "to"].map(|name| format!("{name}-{}", std::process::id()));
    let names = names.each_ref().map(String::as_str);
    make_gateways(instance, &names);
    let mut class = class(instance, &names.map(|name| (name, 1)));
    let bed = Bed::with_class(instance, "moved", class.clone()).await;
    bed.ready_tenant(json!({})).await;
    let [first, second] = names.map(|name| format!("{}/{name}", instance.fact("/gateway/namespace")));
    class["routing"]["gateways"][0]["cordoned"] = json!(true);
    bed.apply_class(class).await.expect("class");

    let glass = bed.breaking_glass().await;
    glass.delete("TenantRecord", None, &bed.tenant).await;
    let record = bed.until_record("a record again", |record| record["spec"]["phase"] == "Active").await;
    assert_eq!(gateway(&bed.ready().await, &record), [first.as_str(), first.as_str()], "nobody moves it");

    let pod = format!("{}-0", bed.tenant);
    let before = bed.child("Pod", &pod).await.expect("a pod")["metadata"]["uid"].clone();
    let (ok, said, why) = instance.run_operator(&["move", &bed.tenant, "--to", &second, "--yes"]);
    assert!(ok && said.contains("Ordered"), "{said}{why}");
    let is_there =
        |tenant: &Value| tenant["status"]["gateway"] == *second && condition(tenant, "Ready")["reason"] == "Verified";
    let tenant = bed.until("moved", is_there).await;
    let record = bed.record().await.expect("record");
    assert_eq!(gateway(&tenant, &record), [second.as_str(), second.as_str()]);
    assert_eq!(tenant["status"]["url"], format!("https://{}.{}.example.com/", bed.tenant, names[1]));
    let route = bed.child("HTTPRoute", &bed.tenant).await.expect("a route");
    assert_eq!(route["spec"]["parentRefs"][0]["name"], *names[1]);
    let now = bed.child("Pod", &pod).await.expect("a pod")["metadata"]["uid"].clone();
    assert_ne!(now, before, "its workspace answers pages of its own host alone");

    let newcomer = Bed { class: bed.class.clone(), ..Bed::on(instance, "newcomer").await };
    newcomer.apply_tenant(json!({})).await.expect("taken");
    newcomer.stalled("CapacityExhausted").await;
    glass.delete("TenantRecord", None, &bed.tenant).await;
    let record = bed.until_record("a record again", |record| record["spec"]["phase"] == "Active").await;
    assert_eq!(gateway(&bed.ready().await, &record), [second.as_str(), second.as_str()]);
    let placed = newcomer.record().await.expect("record")["spec"]["routing"]["placement"].clone();
    assert_eq!(placed, Value::Null, "there was no place for a moment either");

    bed.order("move-to", &first).await;
    let told = || async { bed.events("OrderRefused").await.into_iter().next() };
    let told = bed.until_so("an event that says why", told).await;
    assert!(told.contains("is cordoned in class"), "{told}");
}
