//! Tenants that a GitOps program keeps: what it prunes follows its deletionPolicy, unless it is protected; and what the operator writes is
//! no difference to Git.

use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::{Value, json};

use crate::support::{Bed, refusal};

/// How Argo CD marks what it has applied.
const TRACKING: &str = "argocd.argoproj.io/tracking-id";

/// The bed in the hands of a GitOps program with every right on Tenants, the class that they name, and no other.
async fn program(bed: &Bed, account: &str) -> Bed {
    let user = format!("system:serviceaccount:{account}-of-{}", bed.tenant);
    let name = format!("{}-gitops", bed.tenant);
    let verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
    let classes = json!({
        "apiGroups": ["openclaw.io"], "resources": ["tenantclasses"], "resourceNames": [bed.class], "verbs": ["use"],
    });
    let rules = json!([{ "apiGroups": ["openclaw.io"], "resources": ["tenants"], "verbs": verbs }, classes]);
    bed.create("ClusterRole", None, &name, json!({ "rules": rules })).await.expect("role");
    let body = json!({
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
    });
    bed.create("ClusterRoleBinding", None, &name, body).await.expect("binding");
    let program = bed.acting_as(&user, &["system:serviceaccounts", "system:authenticated"]).await;
    bed.until_so("the right to write Tenants", || async { program.apply_tenant(json!({})).await.ok() }).await;
    program
}

/// What the program would do with a Tenant that has left the repository.
fn prune(policy: PropagationPolicy) -> DeleteParams {
    DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() }
}

/// The namespace, and the claim with its volume: what nobody gives back once it is gone.
async fn kept(bed: &Bed) -> Value {
    let namespace = bed.get("Namespace", None, &bed.namespace()).await.expect("namespace");
    let claim = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    let secret = format!("openclaw/{}/gateway-token", bed.tenant);
    let secret = bed.instance.secrets().get_secret_value().secret_id(secret).send().await.expect("secret");
    json!([namespace["metadata"]["uid"], claim["metadata"]["uid"], claim["spec"]["volumeName"], secret.version_id()])
}

/// Argo CD prunes in the foreground, where it is told nothing else: its delete adds a finalizer of Kubernetes' own beside
/// ours, and the garbage collector looks for what the Tenant owns (argo-cd, controller/sync.go).
#[tokio::test]
async fn a_tenant_pruned_in_the_foreground_is_retained_and_comes_back_with_the_revert() {
    let bed = Bed::new("pruned").await;
    let argo = program(&bed, "argocd:argocd-application-controller").await;
    let mut tracked = bed.manifest(json!({ "deletionPolicy": "Retain" }));
    let id = format!("tenants:openclaw.io/Tenant:default/{}", bed.tenant);
    tracked["metadata"] = json!({ "annotations": { TRACKING: id } });
    argo.apply("Tenant", None, &bed.tenant, tracked.clone()).await.expect("synced");
    let before = bed.ready().await;
    let belongings = kept(&bed).await;

    let answer = argo.delete_with("Tenant", None, &bed.tenant, &prune(PropagationPolicy::Foreground)).await;
    let finalizers = answer.expect("pruned")["metadata"]["finalizers"].clone();
    assert!(finalizers.to_string().contains("foregroundDeletion"), "{finalizers}");
    bed.gone().await;
    assert_eq!(bed.record().await.expect("record")["spec"]["phase"], "Retained");
    assert_eq!(kept(&bed).await, belongings, "in the foreground too, nothing goes with the Tenant");

    argo.apply("Tenant", None, &bed.tenant, tracked).await.expect("the revert is synced");
    let after = bed.ready().await;
    assert_ne!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["status"]["identity"]["incarnation"], before["status"]["identity"]["incarnation"]);
    assert_eq!(kept(&bed).await, belongings);
}

/// With `Delete` it is gone for good, in the foreground too, and by the operator's road: the garbage collector takes nothing along.
#[tokio::test]
async fn a_tenant_with_delete_that_is_pruned_in_the_foreground_is_removed_with_a_receipt() {
    let bed = crate::removal::bed("pruned-delete").await;
    let argo = program(&bed, "argocd:argocd-application-controller").await;
    argo.apply_tenant(json!({ "deletionPolicy": "Delete" })).await.expect("synced");
    bed.ready().await;
    let volume = kept(&bed).await[2].as_str().expect("bound").to_owned();
    let answer = argo.delete_with("Tenant", None, &bed.tenant, &prune(PropagationPolicy::Foreground)).await;
    let finalizers = answer.expect("pruned")["metadata"]["finalizers"].clone();
    assert!(finalizers.to_string().contains("foregroundDeletion"), "{finalizers}");
    bed.gone().await;

    let record = bed.record().await.expect("the record outlives everything");
    assert_eq!(record["spec"]["phase"], "Purged", "our finalizer held it to the end: {record:#}");
    let purge = &record["spec"]["purge"];
    assert_eq!(purge["cause"], "Deleted");
    let receipt = purge["receipt"].as_array().expect("a receipt");
    for (kind, outcome) in [("Namespace", "Removed"), ("PersistentVolume", "Removed"), ("Secret", "Scheduled")] {
        let line = receipt.iter().find(|line| line["kind"] == kind);
        assert_eq!(line.expect(kind)["outcome"], outcome, "{kind}");
    }
    assert_eq!(bed.get("Namespace", None, &bed.namespace()).await, None);
    assert_eq!(bed.get("PersistentVolume", None, &volume).await, None);
    let secret = format!("openclaw/{}/gateway-token", bed.tenant);
    let secret = bed.instance.secrets().describe_secret().secret_id(secret).send().await.expect("secret");
    assert!(secret.deleted_date().is_some(), "it can be restored for a while");
}

/// Nobody deletes a protected Tenant, however it is asked for; who takes the protection off can.
#[tokio::test]
async fn a_protected_tenant_is_deleted_by_nobody_until_the_protection_is_taken_off() {
    let bed = Bed::new("protected").await;
    let flux = program(&bed, "flux-system:kustomize-controller").await;
    let protect = |value: Value| json!({ "metadata": { "annotations": { "openclaw.io/protected": value } } });
    bed.ready().await;
    // What was meant is clear from any word but false.
    for value in ["True", "true"] {
        flux.patch_tenant(protect(json!(value))).await.expect("protected");
        for person in [&flux, &bed, &bed.breaking_glass().await] {
            for policy in [PropagationPolicy::Foreground, PropagationPolicy::Background, PropagationPolicy::Orphan] {
                let answer = person.delete_with("Tenant", None, &bed.tenant, &prune(policy)).await;
                let message = refusal(answer);
                assert!(message.contains("is protected from deletion"), "{message}");
                let command = format!("kubectl annotate tenant {} openclaw.io/protected-", bed.tenant);
                assert!(message.contains(&command) && message.contains("spec.suspend"), "says what to do: {message}");
            }
            let fields = format!("metadata.name={}", bed.tenant);
            let message = refusal(person.try_delete_all("Tenant", None, &fields).await);
            assert!(message.contains(&format!("Tenant {} is protected", bed.tenant)), "{message}");
        }
    }
    let tenant = bed.ready().await;
    assert_eq!(tenant["metadata"]["deletionTimestamp"], Value::Null);
    bed.apply_tenant(json!({ "displayName": "Alice" })).await.expect("it can be changed all the same");

    flux.patch_tenant(protect(json!("false"))).await.expect("unprotected");
    let parameters = DeleteParams { dry_run: true, ..DeleteParams::default() };
    flux.delete_with("Tenant", None, &bed.tenant, &parameters).await.expect("it could be deleted");
    flux.patch_tenant(protect(Value::Null)).await.expect("unprotected");
    flux.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
}

/// Argo CD's server-side diff, and Flux before it applies, ask the API server what an apply would change.
#[tokio::test]
async fn an_apply_of_what_git_says_would_change_nothing_that_the_operator_has_written() {
    let bed = Bed::new("no-difference").await;
    let argo = program(&bed, "argocd:argocd-application-controller").await;
    let answer = argo.apply_tenant(json!({ "displayName": "Alice" })).await.expect("synced");
    bed.ready().await;
    let mut manifest = bed.manifest(json!({ "displayName": "Alice" }));
    manifest["apiVersion"] = answer["apiVersion"].clone();
    manifest["kind"] = json!("Tenant");
    manifest["metadata"] = json!({ "name": bed.tenant });
    let file = std::env::temp_dir().join(format!("{}.json", bed.tenant));
    std::fs::write(&file, manifest.to_string()).expect("a file");
    let path = file.display().to_string();
    // In the name of whoever applied it.
    let differs = || {
        let ask =
            ["diff", "--server-side", "--force-conflicts", "--field-manager=somebody", "--filename", path.as_str()];
        bed.instance.try_kubectl(&ask).is_err()
    };
    assert!(!differs(), "status and finalizer are nobody's else");
    bed.patch_tenant(json!({ "spec": { "suspend": true } })).await.expect("suspended in an emergency");
    bed.until("suspended", |tenant| tenant["status"]["phase"] == "Suspended").await;
    assert!(!differs(), "what Git does not say is not looked at");
    bed.patch_tenant(json!({ "spec": { "displayName": "Mallory" } })).await.expect("changed by hand");
    assert!(differs(), "what Git says is");
    std::fs::remove_file(&file).expect("it is ours");
}
