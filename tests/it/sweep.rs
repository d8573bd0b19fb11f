//! Sweeps over all of AWS: what they find, what they do not believe, and that there is nothing else at rest.

use aws_sdk_secretsmanager::types::Tag;
use serde_json::{Value, json};

use crate::support::{Bed, Fault, Instance, OperatorProcess, eventually};

/// Nothing is audited within a test's time but what was never described: what is seen is the sweeps' own.
const SWEEPS: [&str; 4] = ["--sweep-interval", "2s", "--audit-rate", "50"];

/// The value of one line of the metrics; 0 where it is not there yet.
async fn metric(operator: &OperatorProcess, line: &str) -> Option<f64> {
    let (_, metrics) = operator.get("/metrics").await?;
    let found = metrics.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' ')?.parse().ok());
    Some(found.unwrap_or(0.0))
}

async fn until_metric(operator: &OperatorProcess, line: &str, holds: impl Fn(f64) -> bool) {
    let look = || async { metric(operator, line).await.filter(|value| holds(*value)) };
    assert!(eventually(look).await.is_some(), "{line}\n{}", operator.log());
}

/// Waits until so many sweeps have begun and ended well from now on.
async fn sweeps(operator: &OperatorProcess, number: f64) {
    let ok = r#"openclaw_sweeps_total{result="ok"}"#;
    let now = metric(operator, ok).await.expect("metrics");
    // One may be under way.
    until_metric(operator, ok, |value| value > now + number).await;
}

/// What the operator asked of AWS: operation, and whether it changes something.
async fn asked(instance: &Instance) -> Vec<Value> {
    let calls = instance.calls("").await;
    calls.into_iter().filter(|call| call["accessKeyId"] == "operator").collect()
}

fn count(calls: &[Value], is_it: impl Fn(&str) -> bool) -> usize {
    calls.iter().filter(|call| call["operation"].as_str().is_some_and(&is_it)).count()
}

/// L2 and F: at rest two listings for the whole cluster, however many tenants there are, and not one call besides but what
/// the check of each class reads of its role.
#[tokio::test]
async fn at_rest_there_is_nothing_but_two_listings() {
    let instance = Instance::own();
    let operator = instance.start_operator_with(&SWEEPS);
    let beds = [Bed::on(instance, "swept").await, Bed::on(instance, "swept").await];
    for bed in &beds {
        bed.ready_tenant(json!({ "secrets": [{ "name": "extra" }] })).await;
    }
    sweeps(&operator, 1.0).await;
    let before = asked(instance).await.len();
    sweeps(&operator, 3.0).await;
    let mut calls = asked(instance).await.split_off(before);
    calls.retain(|call| call["service"] != "iam");
    let listings = count(&calls, |operation| operation.starts_with("List"));
    assert!(listings >= 6, "{calls:#?}");
    assert_eq!(calls.len(), listings, "nothing but listings: {calls:#?}");
    assert!(calls.iter().all(|call| beds.iter().all(|bed| !call.to_string().contains(&bed.tenant))), "{calls:#?}");

    // A restart believes what is listed as it is recorded, and describes it in its turn: no tenant looks for itself.
    assert!(operator.stop(), "it ends in good order");
    let before = asked(instance).await.len();
    let operator = instance.start_operator_with(&SWEEPS);
    until_metric(&operator, r#"openclaw_audits_total{kind="secret",result="same"}"#, |value| value >= 4.0).await;
    until_metric(&operator, r#"openclaw_audits_total{kind="association",result="same"}"#, |value| value >= 2.0).await;
    sweeps(&operator, 1.0).await;
    let calls = asked(instance).await.split_off(before);
    assert_eq!(count(&calls, |operation| operation == "DescribeSecret"), 4, "each once: {calls:#?}");
    assert_eq!(count(&calls, |operation| operation == "DescribePodIdentityAssociation"), 2, "each once: {calls:#?}");
    let own = calls
        .iter()
        .filter(|call| call["operation"] == "ListPodIdentityAssociations" && call.to_string().contains("workspace-"));
    assert_eq!(own.count(), 0, "{calls:#?}");
    assert!(calls.iter().all(|call| call["mutating"] == false), "{calls:#?}");
    for bed in &beds {
        bed.ready().await;
    }
}

/// What a listing lacks because it lags, or because it failed, is no reason to change anything.
#[tokio::test]
async fn a_listing_that_lags_or_fails_changes_nothing() {
    let instance = Instance::own();
    let operator = instance.start_operator_with(&SWEEPS);
    let bed = Bed::on(instance, "lagging").await;
    let tenant = bed.ready_tenant(json!({})).await;
    let changes = || async { asked(instance).await.iter().filter(|call| call["mutating"] == true).count() };
    let before = changes().await;

    for (operation, kind) in [("ListSecrets", "secret"), ("ListPodIdentityAssociations", "association")] {
        let fault = instance.fault(operation, "", Fault::Stale, 0).await;
        let vanished = format!(r#"openclaw_sweep_findings_total{{kind="{kind}",finding="vanished"}}"#);
        until_metric(&operator, &vanished, |value| value >= 2.0).await;
        instance.heal(&fault).await;
        sweeps(&operator, 1.0).await;
    }
    let fault = instance.fault("ListSecrets", "", Fault::ServerError, 0).await;
    until_metric(&operator, r#"openclaw_sweeps_total{result="unavailable"}"#, |value| value >= 2.0).await;
    instance.heal(&fault).await;
    sweeps(&operator, 1.0).await;
    assert_eq!(operator.log().matches("AWS cannot be listed as a whole:").count(), 1, "said once");
    assert_eq!(changes().await, before);
    assert_eq!(bed.ready().await["status"]["identity"], tenant["status"]["identity"]);
}

/// Somebody's association in the place of the tenant's is found by the sweep, told, and not touched.
#[tokio::test]
async fn an_association_that_took_the_place_of_another_is_found() {
    let bed = Bed::new("replaced").await;
    let tenant = bed.ready_tenant(json!({})).await;
    let id = tenant["status"]["identity"]["associationId"].as_str().expect("id");
    let account = bed.instance.association(id).await.service_account.expect("ServiceAccount");
    // Suspended, so that the operator does not make its own again in between.
    bed.ready_tenant(json!({ "suspend": true })).await;
    let id = bed.instance.make_association(&bed.namespace(), &account, &[("team", "blue")]).await;
    bed.apply_tenant(json!({ "suspend": false })).await.expect("taken");
    let message = bed.stalled("AssociationTaken").await;
    assert!(message.contains(&id), "{message}");
    let cluster = bed.instance.fact("/aws/clusterName");
    let eks = bed.instance.eks();
    eks.delete_pod_identity_association().cluster_name(cluster).association_id(&id).send().await.expect("deleted");
    bed.ready().await;
}

fn tags_of(system: &Value) -> Vec<(&'static str, String)> {
    vec![
        ("managed-by", "openclaw-tenant-operator".to_owned()),
        ("openclaw-cluster-uid", system["metadata"]["uid"].as_str().expect("uid").to_owned()),
        ("openclaw-tenant", "ghost".to_owned()),
        ("openclaw-incarnation", "0123456789".to_owned()),
    ]
}

/// What carries our cluster's tags and has neither Tenant nor record: told by metric and subcommand, and left alone.
#[tokio::test]
async fn orphans_are_reported_and_not_touched() {
    let instance = Instance::own();
    let operator = instance.start_operator_with(&SWEEPS);
    let bed = Bed::on(instance, "beside").await;
    bed.ready_tenant(json!({})).await;
    let none = instance.run_operator(&["orphans"]);
    assert!(none.0 && none.1.starts_with("No orphans"), "{none:?}");

    let tags = tags_of(&bed.get("Namespace", None, "kube-system").await.expect("kube-system"));
    let borrowed: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let id = instance.make_association("openclaw-ghost", "workspace-0123456789", &borrowed).await;
    let foreign = instance.make_association("zoo", "keeper", &[("team", "blue")]).await;
    let name = "openclaw/ghost/gateway-token";
    let sdk_tags = borrowed.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build()).collect();
    let create = instance.secrets().create_secret().name(name).secret_string("somebody's").set_tags(Some(sdk_tags));
    create.send().await.expect("a secret");

    for kind in ["association", "secret"] {
        let line = format!(r#"openclaw_orphans{{kind="{kind}",state="suspected"}}"#);
        until_metric(&operator, &line, |value| (value - 1.0).abs() < 0.1).await;
    }
    let (success, json, errors) = instance.run_operator(&["orphans", "--output", "json"]);
    assert!(success, "{errors}");
    let told: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(told["refused"], Value::Null);
    let found: Vec<(&str, &str)> = told["orphans"].as_array().into_iter().flatten().map(kind_and_name).collect();
    assert_eq!(found, [("association", id.as_str()), ("secret", name)], "and not {foreign}: {told:#}");
    assert!(told["orphans"][1]["createdAt"].is_string() && told["orphans"][0]["createdAt"].is_string(), "{told:#}");
    let (_, table, _) = instance.run_operator(&["orphans"]);
    assert!(table.contains(&format!("--association-id {id}")) && table.contains("ghost"), "{table}");

    let (success, _, refused) = instance.run_operator(&["orphans", "--delete"]);
    assert!(!success && refused.contains("nothing was deleted"), "{refused}");
    sweeps(&operator, 1.0).await;
    assert_eq!(instance.association(&id).await.service_account.as_deref(), Some("workspace-0123456789"));
    let calls = asked(instance).await;
    let touched = calls.iter().filter(|call| call["mutating"] == true && call.to_string().contains("ghost"));
    assert_eq!(touched.count(), 0);
}

fn kind_and_name(orphan: &Value) -> (&str, &str) {
    (orphan["kind"].as_str().unwrap_or_default(), orphan["name"].as_str().unwrap_or_default())
}
