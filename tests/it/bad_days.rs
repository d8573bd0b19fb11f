//! Days on which a whole cluster is in somebody's hands: backups put back, the operator removed, two of them at once. No
//! data is touched, and in the end all is as it was, or a person is told what to do.

use std::cell::RefCell;

use serde_json::{Value, json};

use crate::{
    rotate,
    support::{Bed, Instance, OperatorProcess, condition, eventually, example_class},
    whole_platform::{DEFINITIONS, belongings},
};

async fn gone(bed: &Bed, kind: &str, namespace: Option<&str>, name: &str) {
    let look = || async { bed.get(kind, namespace, name).await.is_none().then_some(()) };
    bed.until_so(&format!("the end of {kind} {name}"), look).await;
}

/// What a backup program keeps of an object: neither its identity nor its status.
fn backed_up(object: &Value) -> Value {
    let mut copy = object.clone();
    copy["status"] = Value::Null;
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "deletionTimestamp"] {
        copy["metadata"][field] = Value::Null;
    }
    copy["metadata"]["finalizers"] = Value::Null;
    // With these a claim would say that it is bound, to a volume that knows another claim.
    for binding in ["bind-completed", "bound-by-controller"] {
        if let Some(annotations) = copy["metadata"]["annotations"].as_object_mut() {
            annotations.remove(&format!("pv.kubernetes.io/{binding}"));
        }
    }
    copy
}

/// The definitions wait for the finalizers of their Tenants, and those for the operator: when it is back it lets the
/// Tenants go, and touches nothing that they have (S3).
#[tokio::test]
async fn definitions_deleted_while_no_operator_runs_take_nothing_with_them() {
    let instance = Instance::own();
    let first = instance.start_operator();
    let bed = Bed::on(instance, "crd-down").await;
    bed.ready_tenant(json!({})).await;
    let before = belongings(&bed).await;
    assert!(first.stop());
    for definition in DEFINITIONS {
        instance.kubectl(&["annotate", "crd", definition, "openclaw.io/deletion-allowed=true"]);
        instance.kubectl(&["delete", "crd", definition, "--wait=false"]);
    }
    let second = instance.start_operator();
    let client = instance.client().await;
    let definitions = || async {
        let version = client.list_api_group_resources("openclaw.io/v1alpha1").await;
        version.map_or(true, |list| list.resources.is_empty()).then_some(())
    };
    assert!(eventually(definitions).await.is_some(), "the definitions went\n{}", second.log());
    assert_eq!(belongings(&bed).await, before);

    instance.kubectl(&["apply", "--server-side", "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/crds")]);
    instance.wait_for_definitions();
    bed.apply_class(example_class(instance)).await.expect("class");
    bed.ready_tenant(json!({})).await;
    assert_eq!(belongings(&bed).await, before, "the very same, and no pod was restarted");
}

/// A backup program makes everything anew, under the same names and with the same marks. The volume was never in its hands.
#[tokio::test]
async fn a_backup_put_back_with_new_uids_finds_volume_and_secrets_again() {
    let instance = Instance::own();
    let first = instance.start_operator();
    let bed = Bed::on(instance, "velero").await;
    bed.ready_tenant(json!({})).await;
    let before = belongings(&bed).await;
    assert!(first.stop());

    let namespace = bed.namespace();
    let kept = [("Tenant", None), ("TenantRecord", None), ("PersistentVolumeClaim", Some(namespace.as_str()))];
    let mut copies = vec![("Namespace", None, namespace.clone(), bed.get("Namespace", None, &namespace).await)];
    for (kind, place) in kept {
        copies.push((kind, place, bed.tenant.clone(), bed.get(kind, place, &bed.tenant).await));
    }
    bed.patch_tenant(json!({ "metadata": { "finalizers": null } })).await.expect("finalizer off");
    let glass = bed.breaking_glass().await;
    for (kind, name) in [("Tenant", &bed.tenant), ("TenantRecord", &bed.tenant), ("Namespace", &namespace)] {
        glass.delete(kind, None, name).await;
        gone(&bed, kind, None, name).await;
    }

    for (kind, place, name, copy) in copies {
        let copy = backed_up(&copy.expect("it was there"));
        let made = glass.create(kind, place, &name, copy).await;
        made.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    }
    let second = instance.start_operator();
    bed.ready().await;
    let after = belongings(&bed).await;
    assert_ne!(after["namespace"], before["namespace"], "everything has another UID");
    for same in ["secret", "associations"] {
        assert_eq!(after[same], before[same], "{same}\n{}", second.log());
    }
    assert_eq!(after["claim"][1], before["claim"][1], "the same volume");
}

/// The cluster forgets what AWS remembers: what was rotated, ended and begun since the backup.
#[tokio::test]
async fn etcd_put_back_from_an_older_backup_comes_to_rest_and_overwrites_nothing() {
    let instance = Instance::own();
    let first = instance.start_operator();
    let [rotated, ended, begun] =
        [rotate::bed(instance, "rotated").await, Bed::on(instance, "ended").await, Bed::on(instance, "begun").await];
    rotated.ready_tenant(json!({})).await;
    ended.ready_tenant(json!({})).await;
    let before = (belongings(&rotated).await, belongings(&ended).await);
    instance.back_up_etcd("older").await;

    let token = |bed: &Bed| format!("openclaw/{}/gateway-token", bed.tenant);
    rotate::order(&rotated, "1").await;
    rotate::rotated(&rotated, before.0["secret"].as_str().expect("a version")).await;
    let newer = instance.current_version(&token(&rotated)).await;
    ended.delete("Tenant", None, &ended.tenant).await;
    ended.gone().await;
    begun.ready_tenant(json!({})).await;
    let first_value = instance.current_version(&token(&begun)).await;
    assert!(first.stop());
    instance.restore_etcd("older").await;
    let _second = instance.start_operator();

    // The newer value is the one that readers get, so the workspace uses it; the older one stays retrievable.
    let uses_newer = |tenant: &Value| tenant["status"]["secrets"][0]["versionId"] == *newer;
    rotated.until("on the newer value", uses_newer).await;
    rotated.ready().await;
    assert_eq!(instance.current_version(&token(&rotated)).await, newer);
    assert_eq!(belongings(&rotated).await["claim"], before.0["claim"]);
    // As the cluster knows it, this one was never deleted: its owner gets access again, to the same data.
    ended.ready().await;
    let after = belongings(&ended).await;
    assert_eq!((&after["claim"], &after["secret"]), (&before.1["claim"], &before.1["secret"]));
    // Nothing in the cluster remembers this one: what it left in AWS is nobody's to take without a person's word.
    begun.apply_class(example_class(instance)).await.expect("class");
    begun.apply_tenant(json!({})).await.expect("applied");
    let message = begun.stalled("SecretTaken").await;
    assert!(message.contains(&token(&begun)), "{message}");
    assert_eq!(instance.current_version(&token(&begun)).await, first_value, "untouched");
}

fn lease_version(instance: &Instance) -> String {
    let arguments =
        ["get", "lease", "-n", "kube-system", "openclaw-tenant-operator", "-o", "jsonpath={.metadata.resourceVersion}"];
    instance.kubectl(&arguments)
}

/// The same while two operators live: what the one that stands by has seen is from a future that is no more.
#[tokio::test]
async fn etcd_put_back_under_living_operators_is_seen_and_nobody_acts_on_what_was() {
    let instance: &'static Instance = Instance::own();
    let operators = RefCell::new([instance.start_operator(), instance.start_operator()]);
    let [ended, going] = [Bed::on(instance, "ended").await, Bed::on(instance, "going").await];
    ended.ready_tenant(json!({})).await;
    going.ready_tenant(json!({})).await;
    let before = (belongings(&ended).await, belongings(&going).await);
    instance.back_up_etcd("older").await;

    ended.delete("Tenant", None, &ended.tenant).await;
    ended.gone().await;
    let paused = json!({ "metadata": { "annotations": { "openclaw.io/paused": "true" } } });
    going.patch_tenant(paused).await.expect("paused");
    going.until("paused", |tenant| condition(tenant, "Ready")["reason"] == "Paused").await;
    going.delete("Tenant", None, &going.tenant).await;
    let waits = |tenant: &Value| tenant["metadata"]["deletionTimestamp"].is_string();
    going.until("being deleted, and waiting", waits).await;
    let calls = instance.calls(&going.tenant).await.len();
    // A backup is older than a renewal of the lease: both have seen a later one.
    for _ in 0..2 {
        let before = lease_version(instance);
        let renewed = || async { (lease_version(instance) != before).then_some(()) };
        assert!(eventually(renewed).await.is_some(), "the lease is renewed");
    }
    instance.restore_etcd("older").await;

    // As a Deployment does.
    let replace_ended = || {
        for operator in operators.borrow_mut().iter_mut() {
            if operator.has_ended() {
                *operator = instance.start_operator();
            }
        }
    };
    // Whoever leads sees what is changed now, and that both live.
    let pods = json!({ "spec": { "quota": { "pods": 12 } } });
    let edited = || async {
        (ended.patch_tenant(pods.clone()).await.ok()?, going.patch_tenant(pods.clone()).await.ok()?).into()
    };
    assert!(eventually(edited).await.is_some(), "the server is back");
    for bed in [&ended, &going] {
        let is_back = || async {
            replace_ended();
            let tenant = bed.get("Tenant", None, &bed.tenant).await?;
            let ready = condition(&tenant, "Ready");
            let is_current = ready["observedGeneration"] == tenant["metadata"]["generation"];
            let quota = bed.child("ResourceQuota", &bed.tenant).await?;
            (ready["status"] == "True" && is_current && quota["spec"]["hard"]["pods"] == "12").then_some(())
        };
        bed.until_so("Ready with what was changed since", is_back).await;
    }
    let after = (belongings(&ended).await, belongings(&going).await);
    assert_eq!((&after.0["claim"], &after.0["secret"]), (&before.0["claim"], &before.0["secret"]));
    assert_eq!(after.1, before.1, "nothing of it was ended");
    let calls = instance.calls(&going.tenant).await.split_off(calls);
    assert!(calls.iter().all(|call| call["mutating"] == false), "{calls:#?}");
}

/// Without the operator everything goes on as it is; a new installation finds all of it as it was.
#[tokio::test]
async fn an_operator_that_is_uninstalled_and_installed_again_changes_nothing() {
    let instance = Instance::own();
    let first = instance.start_operator();
    let bed = Bed::on(instance, "reinstalled").await;
    bed.ready_tenant(json!({})).await;
    let before = belongings(&bed).await;
    assert!(first.stop());
    let here = |path: &str| format!("{}/deploy/{path}", env!("CARGO_MANIFEST_DIR"));
    // Its namespace stays: the platform's gateway is in it as well.
    for path in ["operator/rbac.yaml", "operator/service-account.yaml"] {
        instance.kubectl(&["delete", "-f", &here(path)]);
    }
    instance.kubectl(&["delete", "-k", &here("policies")]);
    let calls = instance.calls(&bed.tenant).await.len();
    assert_eq!(belongings(&bed).await, before);
    let tenant = bed.get("Tenant", None, &bed.tenant).await.expect("it stays");
    assert_eq!(condition(&tenant, "Ready")["status"], "True", "nobody is there to say otherwise");

    instance.install();
    let _second = instance.start_operator();
    bed.patch_tenant(json!({ "spec": { "displayName": "Alice" } })).await.expect("edited");
    bed.ready().await;
    assert_eq!(belongings(&bed).await, before);
    let later = instance.calls(&bed.tenant).await;
    assert!(later[calls..].iter().all(|call| call["mutating"] == false), "{later:#?}");
}

async fn leads(operator: &OperatorProcess) -> bool {
    let metrics = operator.get("/metrics").await.map(|(_, body)| body).unwrap_or_default();
    metrics.lines().any(|line| line == "openclaw_lease_is_leader 1")
}

/// S8: whoever installs a second one, in whatever namespace, gets one that stands by: the lease is at one fixed place.
#[tokio::test]
async fn of_two_operators_by_mistake_one_works_and_the_other_stands_by() {
    let instance: &'static Instance = Instance::own();
    let first = instance.start_operator();
    let bed = Bed::on(instance, "two").await;
    bed.ready_tenant(json!({})).await;
    let second = instance.start_operator_with(&["--operator-namespace", "another", "--secrets-prefix", "another"]);
    let stands_by = eventually(|| async { (second.get("/readyz").await?.0 == 200).then_some(()) });
    assert!(stands_by.await.is_some(), "{}", second.log());
    let before = belongings(&bed).await;
    for pods in 12..16 {
        bed.ready_tenant(json!({ "quota": { "pods": pods } })).await;
        assert!(leads(&first).await && !leads(&second).await, "one leads at any time");
    }
    assert_eq!(belongings(&bed).await, before);
    assert_eq!(instance.calls("another/").await.len(), 0, "the second one did nothing in AWS");
}

/// A claim that somebody deletes under a running pod stays until the pod is replaced, and comes back over the same volume.
#[tokio::test]
async fn a_claim_deleted_under_a_running_pod_comes_back_with_its_volume() {
    let bed = Bed::new("claim-used").await;
    bed.ready_tenant(json!({})).await;
    let before = belongings(&bed).await;
    bed.breaking_glass().await.delete("PersistentVolumeClaim", Some(&bed.namespace()), &bed.tenant).await;
    let is_new = |live: &Value| live["metadata"]["uid"] != before["claim"][0] && live["status"]["phase"] == "Bound";
    bed.until_child("PersistentVolumeClaim", &bed.tenant, "bound again", is_new).await;
    bed.ready().await;
    let after = belongings(&bed).await;
    assert_eq!(after["claim"][1], before["claim"][1], "the same volume");
    assert_eq!(after["secret"], before["secret"]);
}

/// A volume that lost its claim while nobody looked is released, kept, and bound by the claim that is made again.
#[tokio::test]
async fn a_volume_released_while_no_operator_ran_is_bound_again() {
    let instance = Instance::own();
    let first = instance.start_operator();
    let bed = Bed::on(instance, "released").await;
    bed.ready_tenant(json!({ "suspend": true })).await;
    let claim = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    let volume = claim["spec"]["volumeName"].as_str().expect("bound").to_owned();
    assert!(first.stop());
    bed.breaking_glass().await.delete("PersistentVolumeClaim", Some(&bed.namespace()), &bed.tenant).await;
    let is_released = || async {
        let live = bed.get("PersistentVolume", None, &volume).await?;
        (live["status"]["phase"] == "Released").then_some(())
    };
    bed.until_so("the released volume", is_released).await;
    let _second = instance.start_operator();
    bed.ready_tenant(json!({ "suspend": false })).await;
    let after = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    assert_eq!(after["spec"]["volumeName"], *volume);
    assert_ne!(after["metadata"]["uid"], claim["metadata"]["uid"]);
}
