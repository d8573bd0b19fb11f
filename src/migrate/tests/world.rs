//! An old platform: an ApplicationSet with its list, and what it made.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::migrate::observed::{ClassSight, Place, Sight};

/// An ApplicationSet over these elements, as the old platform had it.
pub fn set(elements: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet",
        "metadata": { "name": "tenants", "namespace": "argocd", "uid": "set-1", "resourceVersion": "7" },
        "spec": {
            "generators": [{ "list": { "elements": elements } }],
            "template": {
                "metadata": { "name": "openclaw-{{name}}" },
                "spec": {
                    "project": "default",
                    "destination": { "namespace": "openclaw-{{ name }}", "server": "https://kubernetes.default.svc" },
                    "syncPolicy": { "automated": { "prune": true, "selfHeal": true } },
                },
            },
        },
    })
}

/// What the ApplicationSet's controller made of one element.
pub fn application(name: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {
            "name": format!("openclaw-{name}"), "namespace": "argocd", "uid": format!("app-{name}"), "resourceVersion": "8",
            "finalizers": ["resources-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io"],
            "ownerReferences": [{ "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "tenants" }],
        },
        "spec": {
            "destination": { "namespace": format!("openclaw-{name}") },
            "syncPolicy": { "automated": { "prune": true, "selfHeal": true } },
        },
    })
}

/// A namespace of the old platform, with a Deployment and its claim.
pub fn place(name: &str) -> Place {
    let id = format!("openclaw-{name}:apps/Deployment:openclaw-{name}/{name}");
    Place {
        namespace: json!({ "metadata": { "name": format!("openclaw-{name}"), "uid": format!("ns-{name}"), "resourceVersion": "9" } }),
        workloads: Some(vec![json!({
            "kind": "Deployment",
            "metadata": {
                "name": name, "annotations": { "argocd.argoproj.io/tracking-id": id },
                "managedFields": [
                    { "manager": "argocd-controller", "operation": "Apply" },
                    { "manager": "kube-controller-manager", "operation": "Update", "subresource": "status" },
                ],
            },
            "spec": { "replicas": 1, "template": { "spec": {
                "containers": [{
                    "name": "openclaw", "image": "ghcr.io/openclaw/openclaw:2026.1.1",
                    "env": [{ "name": "LOG_LEVEL", "value": "debug" }, { "name": "API_TOKEN", "value": "do-not-tell" }],
                }],
                "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": name } }],
            } } },
        })]),
        claims: Some(vec![claim(name, "20Gi")]),
        accounts: Some(vec![json!({ "metadata": { "name": "default" } }), json!({ "metadata": { "name": name } })]),
        secrets: Some(vec!["gateway-token".to_owned()]),
        reclaim: BTreeMap::from([(format!("pv-{name}"), "Delete".to_owned())]),
    }
}

/// A claim that is bound.
pub fn claim(name: &str, size: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "app.kubernetes.io/instance": format!("openclaw-{name}") } },
        "spec": {
            "accessModes": ["ReadWriteMany"], "storageClassName": "efs", "volumeName": format!("pv-{name}"),
            "resources": { "requests": { "storage": size } },
        },
    })
}

/// Seen: the ApplicationSet over `elements`, and of each of `names` an Application and a namespace.
pub fn sight(elements: &Value, names: &[&str]) -> Sight {
    let class = json!({
        "storage": { "className": "efs" },
        "workload": { "image": { "repository": "ghcr.io/openclaw/openclaw", "tag": "2026.9.6" } },
        "routing": { "mode": "Host", "gateways": [{ "namespace": "edge", "name": "g", "domain": "example.com" }] },
    });
    Sight {
        set: set(elements),
        live: true,
        applications: Some(names.iter().map(|name| application(name)).collect()),
        class: ClassSight {
            name: "default".parse().expect("name"),
            prefix: "openclaw-".parse().expect("prefix"),
            spec: Some(serde_json::from_value(class).expect("class")),
        },
        tenants: BTreeMap::new(),
        records: BTreeMap::new(),
        places: names.iter().map(|name| (format!("openclaw-{name}"), Some(place(name)))).collect(),
        cloud: None,
        unread: Vec::new(),
    }
}
