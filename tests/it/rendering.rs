//! What the operator renders is what the API server stores: for every kind, in every shape that class and Tenant can give it.
//!
//! The operator compares each child with what it wants in every pass, and writes what differs. So a tenant that became
//! Ready with nothing sent to any of its children but the one request that made it, was stored exactly as rendered. Then
//! each object is sent once more, strictly.

mod coverage;
mod strict;
mod variants;

use serde_json::{Value, json};

use crate::{
    role_per_tenant,
    support::{Bed, Instance, LOOKS_OFTEN, example_class, merge},
};
use strict::{AS_EVER, Told, assert_taken_as_sent};
use variants::{INTERCEPTOR, RUNTIME, Variant};

/// A child's kind, as in URLs, and how many of it a tenant has.
const CHILDREN: [(&str, usize); 19] = [
    ("namespaces", 1),
    ("resourcequotas", 1),
    ("limitranges", 1),
    ("networkpolicies", 2),
    ("poddisruptionbudgets", 1),
    ("serviceaccounts", 1),
    ("persistentvolumeclaims", 1),
    ("configmaps", 1),
    ("services", 1),
    ("statefulsets", 1),
    ("httproutes", 1),
    // Of variants that ask for them.
    ("ciliumnetworkpolicies", 0),
    ("targetgroupconfigurations", 0),
    ("scaledobjects", 0),
    ("interceptorroutes", 0),
    ("referencegrants", 0),
    ("rolebindings", 0),
    ("clusterroles", 0),
    ("clusterrolebindings", 0),
];

/// Each is a function of `variants.rs` and a test.
macro_rules! each_is_stored_as_rendered {
    ($($variant:ident,)+) => {
        const VARIANTS: &[fn(&Instance) -> Variant] = &[$(variants::$variant),+];

        mod is_stored_as_rendered {
            use crate::support::Instance;

            $(#[tokio::test]
            async fn $variant() {
                let instance = Instance::shared();
                let variant = super::variants::$variant(instance);
                super::stored_as_rendered(instance, variant, &super::AS_EVER).await;
            })+
        }
    };
}

each_is_stored_as_rendered! {
    plain,
    path_mode,
    one_of_several_gateways,
    allowlist,
    internet_with_ranges,
    runtime_and_place,
    other_places,
    digest_of_the_tenant_with_variables_and_skills,
    digest_of_the_class_and_tag_of_the_tenant,
    quantities_in_other_spellings,
    defaults_of_memory_alone,
    defaults_without_a_counterpart,
    no_defaults,
    a_gateway_that_asks_for_nothing,
    a_gateway_that_names_some_of_its_resources,
    outside_of_aws,
    an_identity_without_secrets,
    secrets_without_an_identity,
    a_role_for_each_tenant,
    more_secrets,
    suspended,
    the_longest_prefix,
    the_longest_lists,
    what_no_object_shows,
    names,
    a_load_balancer,
    a_workspace_that_sleeps,
    an_owner_who_looks,
    an_owner_who_is_known_by_the_subject,
}

/// Makes a tenant of the variant, and asserts that each child was written once and is taken as it is sent.
async fn stored_as_rendered(instance: &'static Instance, variant: Variant, told: &Told<'_>) -> Bed {
    let bed = bed(instance, &variant).await;
    let _others = bed.let_others_work().await;
    let mut tenant = variant.tenant;
    bed.ready_tenant(tenant.take()).await;
    // Another pass, in which everything is compared as the watches show it, not as the answers to the writes did.
    bed.patch_tenant(json!({ "spec": { "displayName": "Alice" } })).await.expect("taken");
    bed.ready().await;
    assert_written_once(&bed, variant.is_suspended, &variant.beside);
    assert_eq!(bed.events("ForeignMutation").await, Vec::<String>::new(), "no rendering had to be learned");
    for (kind, place, value) in variant.shows {
        let child = bed.child(kind, &bed.tenant).await.unwrap_or_else(|| panic!("no {kind}"));
        assert_eq!(child.pointer(place), Some(&value), "{kind} {place} of {child:#}");
    }
    assert_taken_as_sent(&bed, told).await;
    bed
}

/// A bed with the variant's class, and what it names beside the tenant.
async fn bed(instance: &'static Instance, variant: &Variant) -> Bed {
    let mut class = example_class(instance);
    merge(&mut class, variant.class.clone());
    let class = without_nulls(class);
    if class["identity"]["mode"] == "RolePerTenant" {
        role_per_tenant::make_boundary(instance).await;
    }
    let is_long = class["namespacePrefix"].is_string();
    let mut bed = Bed::with_class(instance, "rendered", class).await;
    if is_long {
        bed.tenant = format!("{:x<40}", bed.tenant);
    }
    bed.make_interceptor(INTERCEPTOR).await;
    bed.apply("RuntimeClass", None, RUNTIME, json!({ "handler": "runsc" })).await.expect("RuntimeClass");
    bed
}

/// What is `null` is not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        other => other,
    }
}

fn assert_written_once(bed: &Bed, is_suspended: bool, beside: &[&str]) {
    // The grant in the interceptor's namespace has the name of the tenant's.
    let mut writes = bed.instance.writes_about(&bed.namespace());
    writes.extend(bed.instance.writes_about(&format!("openclaw:tenant:{}", bed.tenant)));
    for (resource, count) in CHILDREN {
        let count = if is_suspended && resource == "httproutes" { 0 } else { count };
        let count = if beside.contains(&resource) { 1 } else { count };
        let of_kind: Vec<&Value> = writes.iter().filter(|event| event["objectRef"]["resource"] == resource).collect();
        let made = |event: &&&Value| event["verb"] == "create" && event["responseStatus"]["code"] == 201;
        assert_eq!(of_kind.iter().filter(made).count(), count, "{resource}: {of_kind:#?}");
        // A refused create may be tried again: a claim has to wait for the quota's figures.
        let others: Vec<_> = of_kind.iter().filter(|event| event["verb"] != "create").collect();
        // The route of one that sleeps leads to the interceptor once everything stands that leads on from there.
        let moves = usize::from(resource == "httproutes" && beside.contains(&"interceptorroutes"));
        assert_eq!(others.len(), moves, "{resource} did not come back as it was sent: {others:#?}");
    }
    let known = |event: &Value| CHILDREN.iter().any(|(resource, _)| event["objectRef"]["resource"] == *resource);
    assert!(writes.iter().all(known), "a kind of child that this test does not know of: {writes:#?}");
}

/// Outside of AWS nothing is asked of it.
#[tokio::test]
async fn a_class_without_aws_asks_aws_for_nothing() {
    let instance = Instance::shared();
    let bed = stored_as_rendered(instance, variants::outside_of_aws(instance), &AS_EVER).await;
    assert_eq!(instance.calls(&bed.tenant).await, Vec::<Value>::new());
}

/// A value that a person put changes configuration and pod; nothing is learned from the server's answers.
#[tokio::test]
async fn a_secret_that_a_person_filled_is_stored_as_rendered() {
    let instance = Instance::shared();
    let variant = variants::a_secret_of_a_person(instance);
    let bed = bed(instance, &variant).await;
    bed.apply_tenant(variant.tenant).await.expect("taken");
    bed.stalled("AwaitingValue").await;
    let name = format!("openclaw/{}/slack-bot-token", bed.tenant);
    instance.secrets().put_secret_value().secret_id(name).secret_string("a value").send().await.expect("put");
    bed.ready().await;
    let files = bed.child("ConfigMap", &bed.tenant).await.expect("ConfigMap");
    assert!(files["data"].to_string().contains("slack-bot-token"), "{files:#}");
    assert_eq!(bed.events("ForeignMutation").await, Vec::<String>::new());
    assert_taken_as_sent(&bed, &AS_EVER).await;
}

/// A cluster with two families of addresses and several ways to DNS.
#[tokio::test]
async fn the_surroundings_that_an_operator_is_told_are_stored_as_rendered() {
    let instance = Instance::own();
    let (cidrs, dns) = ("172.20.0.0/16,2600:1f13:abc:de00::/56,10.0.0.0/8", "172.20.0.10,fd00:20::10,fd12:3456::/120");
    let told = [LOOKS_OFTEN.as_slice(), &["--cluster-cidrs", cidrs, "--dns-addresses", dns]].concat();
    let _operator = instance.start_operator_with(&told);
    let told = Told {
        cluster_cidrs: &["10.0.0.0/16", "172.20.0.0/16", "2600:1f13:abc:de00::/56", "10.0.0.0/8"],
        dns_addresses: &["172.20.0.10", "fd00:20::10", "fd12:3456::/120"],
    };
    let bed = stored_as_rendered(instance, variants::plain(instance), &told).await;
    let policy = bed.child("NetworkPolicy", &bed.tenant).await.expect("policy");
    let except = &policy["spec"]["egress"][3]["to"][1]["ipBlock"]["except"];
    let closed = ["2001::/23", "2002::/16", "2600:1f13:abc:de00::/56", "::/8", "fc00::/7", "fe80::/10", "fec0::/10"];
    assert_eq!(*except, json!(closed));
}
