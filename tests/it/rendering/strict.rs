//! What the operator's builders make of a Tenant, sent once more: nothing that the server does not know is passed over in
//! silence (`fieldValidation=Strict`), nothing is stored (`dryRun=All`), and what comes back is what was sent.

use std::collections::BTreeSet;

use openclaw_tenant_operator::{
    api::{
        class::TenantClassSpec,
        names::{NamespaceName, TenantName},
        record::TenantRecordSpec,
        tenant::TenantSpec,
    },
    tenant::{
        blueprint::blueprint,
        child::{Child, Kind, ObjectKey},
        desired::build,
        settings::{Settings, Sweeps},
    },
};
use serde_json::{Value, json};

use super::variants;
use crate::support::{Bed, Instance};

/// What the operator was told of its surroundings, as far as objects show it.
pub struct Told<'a> {
    pub cluster_cidrs: &'a [&'a str],
    pub dns_addresses: &'a [&'a str],
}

/// What every operator of the tests is told.
pub const AS_EVER: Told<'static> = Told { cluster_cidrs: &["10.0.0.0/16"], dns_addresses: &["169.254.20.10"] };

fn settings(instance: &Instance, told: &Told<'_>) -> Settings {
    let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Settings {
        operator_namespace: "openclaw-system".parse().expect("a namespace"),
        secrets_prefix: "openclaw".parse().expect("a prefix"),
        // Of the cluster no object tells.
        cluster_uid: "0c9d7e11-2222-4333-8444-555566667777".parse().expect("a UID"),
        eks: None,
        region: Some(instance.fact("/aws/region").to_owned()),
        cluster_cidrs: owned(told.cluster_cidrs),
        dns_addresses: owned(told.dns_addresses),
        emulator_endpoint: Some(instance.fact("/aws/endpoints/secretsManager").to_owned()),
        sweeps: Sweeps::default(),
        dry_run: false,
    }
}

/// The tenant's objects as the operator's builders make them now, each with where it is.
pub async fn rendered(bed: &Bed, told: &Told<'_>) -> Vec<(ObjectKey, Value)> {
    let read = async |kind: &str, name: &str| bed.get(kind, None, name).await.expect("it stands")["spec"].clone();
    let class: TenantClassSpec = serde_json::from_value(read("TenantClass", &bed.class).await).expect("a class");
    let spec: TenantSpec = serde_json::from_value(read("Tenant", &bed.tenant).await).expect("a Tenant");
    let record = read("TenantRecord", &bed.tenant).await;
    let record: TenantRecordSpec = serde_json::from_value(record).expect("a record");
    let name: TenantName = bed.tenant.parse().expect("a name");
    let settings = settings(bed.instance, told);
    let mut blueprint = blueprint(&name, &spec, &class, &record, &settings).expect("nothing is refused");
    // As in a cluster that serves every kind, which that of the variants does.
    blueprint.scaler = class.workload.scale_to_zero.as_ref().filter(|_| !spec.suspend);
    let wanted = |child: &Child| Some((child.key(&name, &record), build(*child, &blueprint)?));
    Child::ALL.iter().filter_map(wanted).collect()
}

/// Puts an object in its own place, strictly and without storing it.
pub async fn put(bed: &Bed, key: &ObjectKey, mut object: Value) -> Result<Value, kube::Error> {
    let info = key.kind.info();
    let root = if info.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", info.group) };
    let home = key.namespace.as_ref().map(|namespace| format!("/namespaces/{namespace}")).unwrap_or_default();
    let url = format!("{root}/{}{home}/{}/{}?dryRun=All&fieldValidation=Strict", info.version, info.plural, key.name);
    let live =
        bed.get(info.kind, key.namespace.as_ref().map(NamespaceName::as_str), &key.name).await.expect("it stands");
    object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    let request = http::Request::put(url)
        .header("content-type", "application/json")
        .body(object.to_string().into_bytes())
        .expect("a request");
    // Whoever passes the policies: the request is the operator's in all but who sends it.
    bed.breaking_glass().await.client.request(request).await
}

/// Asserts that each object is taken and comes back as it was sent.
pub async fn assert_taken_as_sent(bed: &Bed, told: &Told<'_>) {
    for (key, sent) in rendered(bed, told).await {
        let answer = put(bed, &key, sent.clone()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{} {}: {error}\n{sent:#}", key.kind.info().kind, key.name));
        let mut lost = Vec::new();
        compare("", &sent, &answer, &mut lost);
        assert_eq!(lost, Vec::<String>::new(), "{} {} came back as {answer:#}", key.kind.info().kind, key.name);
    }
}

/// Notes what was sent and did not come back. That nothing else came back is what the operator itself compares.
fn compare(place: &str, sent: &Value, answer: &Value, lost: &mut Vec<String>) {
    match (sent, answer) {
        (Value::Object(sent), Value::Object(answer)) => {
            for (key, value) in sent {
                compare(&format!("{place}/{key}"), value, answer.get(key).unwrap_or(&Value::Null), lost);
            }
        }
        (Value::Array(sent), Value::Array(answer)) if sent.len() == answer.len() => {
            for (index, (sent, answer)) in sent.iter().zip(answer).enumerate() {
                compare(&format!("{place}/{index}"), sent, answer, lost);
            }
        }
        (sent, answer) if sent == answer => {}
        (sent, answer) => lost.push(format!("{place}: sent {sent}, came back {answer}")),
    }
}

/// A field that the server does not know is refused, for kinds of Kubernetes and for those of a definition: the other tests
/// can fail.
#[tokio::test]
async fn a_field_that_the_server_does_not_know_is_refused() {
    let instance = Instance::shared();
    let mut refused = BTreeSet::new();
    for variant in
        [variants::names, variants::a_load_balancer, variants::a_workspace_that_sleeps, variants::an_owner_who_looks]
    {
        let variant = variant(instance);
        let bed = super::bed(instance, &variant).await;
        let _others = bed.let_others_work().await;
        bed.ready_tenant(variant.tenant).await;
        refused.extend(each_is_refused_with_an_unknown_field(&bed).await);
    }
    let all: BTreeSet<Kind> = Kind::ALL.iter().copied().collect();
    assert_eq!(refused, all);
}

async fn each_is_refused_with_an_unknown_field(bed: &Bed) -> Vec<Kind> {
    let mut refused = Vec::new();
    for (key, mut object) in rendered(bed, &AS_EVER).await {
        let (place, field) = if object["spec"].is_object() { ("spec", "spec.unknown") } else { ("", "unknown") };
        let within = if place.is_empty() { &mut object } else { &mut object[place] };
        within["unknown"] = json!("a field");
        let answer = put(bed, &key, object).await;
        let Err(kube::Error::Api(status)) = answer else { panic!("{key:?} was taken: {answer:?}") };
        assert!(status.code == 400 || status.code == 422, "{status:?}");
        assert!(status.message.contains(&format!("unknown field \"{field}\"")), "{status:?}");
        refused.push(key.kind);
    }
    refused
}
