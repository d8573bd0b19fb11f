//! What the command can see, and what it says where it cannot.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::{Old, person, settled, texts};
use crate::support::Instance;

/// What the caller may not read is said, and not taken for missing; a Sandbox is a workload like others.
#[tokio::test]
async fn who_may_not_read_everything_is_told_what_is_missing() {
    let old = Old::new("blind").await;
    let alice = old.name("alice");
    old.set(json!([{ "name": alice, "email": "alice@example.com" }])).await;
    old.tenant(&alice).await;
    settled(&old, &alice).await;
    let namespace = format!("openclaw-{alice}");
    let sandbox =
        json!({ "spec": { "podTemplate": { "spec": { "containers": [{ "name": "openclaw", "image": "x:1" }] } } } });
    old.bed.create("Sandbox", Some(&namespace), "box", sandbox).await.expect("Sandbox");
    let (_, report, _) = old.run(&[]);
    let kinds: Vec<&Value> = report["tenants"][0]["today"]["workloads"]
        .as_array()
        .expect("workloads")
        .iter()
        .map(|one| &one["kind"])
        .collect();
    assert_eq!(kinds, ["Deployment", "Sandbox"], "{report:#}");

    let rules = json!([
        { "apiGroups": ["argoproj.io"], "resources": ["applicationsets", "applications"], "verbs": ["get", "list"] },
        { "apiGroups": [""], "resources": ["namespaces", "persistentvolumeclaims"], "verbs": ["get", "list"] },
        { "apiGroups": ["openclaw.io"], "resources": ["tenants", "tenantclasses"], "verbs": ["get", "list"] },
    ]);
    let kubeconfig = person(&old.bed, &old.argo(), "reader", rules).await;
    let argo = old.argo();
    let arguments = [
        "migrate",
        "--applicationset",
        "tenants",
        "--argocd-namespace",
        &argo,
        "--class",
        &old.bed.class,
        "--output",
        "json",
        "--apply",
    ];
    let (success, out, errors) = old.bed.instance.run_operator_with(&kubeconfig, &arguments);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{errors}"));
    let unread = texts(&report["unread"]).join("\n");
    for what in ["secrets:", "deployments:", "serviceaccounts:", "tenantrecords:", "PersistentVolume pv"] {
        assert!(unread.contains(what), "{what}: {unread}");
    }
    assert_eq!(report["tenants"][0]["today"]["claims"][0]["name"], json!(alice));
    assert_eq!(report["tenants"][0]["today"]["workloads"], Value::Null);
    let failed = texts(&report["failed"]);
    assert!(
        !success && failed.len() == 1 && failed[0].starts_with("ApplicationSet"),
        "the rest is not tried: {failed:#?}"
    );
    assert_eq!(report["done"], json!([]));
}

/// A file alone needs no cluster.
#[tokio::test]
async fn a_file_alone_is_judged_without_a_cluster() {
    let instance = Instance::shared();
    let directory = PathBuf::from(instance.fact("/dir")).join("offline");
    fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("applicationset.yaml");
    let set = "kind: Secret\n---\nkind: ApplicationSet\nmetadata: {name: tenants}\nspec:\n  goTemplate: true\n  generators:\n  - list:\n      elements:\n      - {name: alice, email: alice@example.com}\n  template:\n    metadata: {name: '{{.name}}'}\n    spec: {destination: {namespace: 'openclaw-{{.name}}'}}\n";
    fs::write(&file, set).expect("a file");
    let file = file.display().to_string();
    let nowhere = directory.join("no.kubeconfig");
    let (success, out, report) =
        instance.run_operator_with(&nowhere, &["migrate", "--file", &file, "--offline", "--manifests", "-"]);
    assert!(success, "{report}");
    let expected = "---\napiVersion: openclaw.io/v1alpha1\nkind: Tenant\nmetadata:\n  name: alice\nspec:\n  className: default\n  deletionPolicy: Retain\n  owner:\n    email: alice@example.com\n";
    assert_eq!(out, expected);
    assert!(report.contains("A file cannot be prepared"), "{report}");
    let (success, _, errors) = instance.run_operator_with(&nowhere, &["migrate", "--file", &file, "--apply"]);
    assert!(!success && errors.contains("cannot be used with"), "{errors}");
    let (success, _, errors) = instance.run_operator_with(&nowhere, &["migrate", "--file", &file]);
    assert!(!success && errors.contains("--offline"), "{errors}");
}
