//! What happens to the operator as a whole: definitions gone and back, processes killed, leases lost. Each test has a
//! platform of its own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Bed, Fault, Instance, condition, eventually};

/// What must be the same before and after: identities of everything that holds data or gives access.
pub async fn belongings(bed: &Bed) -> Value {
    let namespace = bed.get("Namespace", None, &bed.namespace()).await.expect("namespace");
    let claim = bed.child("PersistentVolumeClaim", &bed.tenant).await.expect("claim");
    let pod = bed.child("Pod", &format!("{}-0", bed.tenant)).await.expect("pod");
    let name = format!("openclaw/{}/gateway-token", bed.tenant);
    let secret = bed.instance.secrets().get_secret_value().secret_id(&name).send().await.expect("secret");
    let cluster = bed.instance.fact("/aws/clusterName");
    let eks = bed.instance.eks();
    let list = eks.list_pod_identity_associations().cluster_name(cluster).namespace(bed.namespace()).send().await;
    let list = list.expect("list");
    let associations: Vec<_> = list.associations().iter().map(|association| association.association_id()).collect();
    json!({
        "namespace": namespace["metadata"]["uid"],
        "claim": [claim["metadata"]["uid"], claim["spec"]["volumeName"]],
        "pod": pod["metadata"]["uid"],
        "secret": secret.version_id(),
        "associations": associations,
    })
}

pub const DEFINITIONS: [&str; 3] = ["tenants.openclaw.io", "tenantclasses.openclaw.io", "tenantrecords.openclaw.io"];

/// Deleting the CRDs deletes nobody's anything; with the CRDs back every tenant gets its own back.
#[tokio::test]
async fn deleted_and_reinstalled_definitions_touch_nothing_of_any_tenant() {
    let instance = Instance::own();
    let operator = instance.start_operator();
    let beds = [Bed::on(instance, "crd").await, Bed::on(instance, "crd").await];
    let mut before = Vec::new();
    for bed in &beds {
        bed.ready_tenant(json!({})).await;
        before.push(belongings(bed).await);
    }
    let calls = instance.calls("crd-").await.iter().filter(|call| call["mutating"] == true).count();

    let denied =
        instance.try_kubectl(&["delete", "crd", DEFINITIONS[0], "--timeout=60s"]).expect_err("not allowed yet");
    assert!(denied.contains("every Tenant"), "{denied}");
    for definition in DEFINITIONS {
        instance.kubectl(&["annotate", "crd", definition, "openclaw.io/deletion-allowed=true"]);
    }
    instance.kubectl(&["delete", "crd", DEFINITIONS[0], DEFINITIONS[1], DEFINITIONS[2], "--timeout=60s"]);
    let told = eventually(|| async {
        let (status, body) = operator.get("/readyz").await?;
        (status == 503 && body.contains("definitions")).then_some(())
    });
    assert!(told.await.is_some(), "/readyz names the missing definitions\n{}", operator.log());
    for (bed, before) in beds.iter().zip(&before) {
        assert_eq!(belongings(bed).await, *before, "detached, and nothing touched");
    }

    instance.kubectl(&["apply", "--server-side", "-f", concat!(env!("CARGO_MANIFEST_DIR"), "/crds")]);
    instance.wait_for_definitions();
    for (bed, before) in beds.iter().zip(&before) {
        let class = json!({ "spec": crate::support::example_class(instance) });
        bed.apply("TenantClass", None, &bed.class, class).await.expect("class");
        bed.ready_tenant(json!({})).await;
        assert_eq!(belongings(bed).await, *before, "the very same, and no pod was restarted");
    }
    let after = instance.calls("crd-").await.iter().filter(|call| call["mutating"] == true).count();
    assert_eq!(after, calls, "nothing was changed in AWS");
}

/// S6, L1: killed in the middle, between the record and the secret; the next process ends what was begun.
#[tokio::test]
async fn a_killed_operator_s_work_is_ended_by_the_next() {
    let instance = Instance::own();
    let first = instance.start_operator();
    let bed = Bed::on(instance, "killed").await;
    let fault = instance.fault("CreateSecret", &bed.tenant, Fault::AccessDenied, 0).await;
    bed.apply_tenant(json!({})).await.expect("taken");
    let is_half_made = |tenant: &Value| {
        condition(tenant, "SecretsReady")["reason"] == "AccessDenied"
            && condition(tenant, "StorageReady")["status"] == "True"
    };
    bed.until("half made", is_half_made).await;
    let record = bed.record().await.expect("record");
    first.kill();
    instance.heal(&fault).await;
    let _second = instance.start_operator();
    bed.ready().await;
    let after = bed.record().await.expect("record");
    for same in ["/spec/incarnation", "/spec/identity/nonce", "/spec/secrets/items/0/nonce"] {
        assert_eq!(after.pointer(same), record.pointer(same), "{same}");
    }
    assert_eq!(belongings(&bed).await["associations"].as_array().map(Vec::len), Some(1));
}

/// S8: one leads, the other stands by with its caches full, and takes over within 20 s of the first one's death.
#[tokio::test]
async fn a_standby_takes_over_in_under_20_seconds() {
    let instance = Instance::own();
    let first = instance.start_operator();
    let bed = Bed::on(instance, "standby").await;
    bed.ready_tenant(json!({})).await;
    let second = instance.start_operator();
    let standing_by = eventually(|| async { (second.get("/readyz").await?.0 == 200).then_some(()) });
    assert!(standing_by.await.is_some(), "a standby is ready once its caches are full\n{}", second.log());
    first.kill();
    let began = Instant::now();
    bed.ready_tenant(json!({ "quota": { "cpu": "5" } })).await;
    let took = began.elapsed();
    println!("the standby had taken over and done its work after {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// S8: a leader whose lease is somebody else's ends, and writes nothing more.
#[tokio::test]
async fn a_leader_that_lost_its_lease_ends_and_writes_nothing() {
    let instance = Instance::own();
    let mut operator = instance.start_operator();
    let bed = Bed::on(instance, "lost-lease").await;
    bed.ready_tenant(json!({})).await;
    let take = json!({ "spec": { "holderIdentity": "somebody-else" } });
    bed.patch("Lease", Some("kube-system"), "openclaw-tenant-operator", take).await.expect("taken");
    let taken = Instant::now();
    let look = || async { bed.get("Lease", Some("kube-system"), "openclaw-tenant-operator").await };
    let lease = bed.until_so("the lease", look).await;
    let ended = eventually(|| std::future::ready(operator.has_ended().then_some(()))).await;
    let took = taken.elapsed();
    assert!(ended.is_some() && took < Duration::from_secs(30), "the process ends within 30 s\n{}", operator.log());
    println!("it ended {took:?} after its lease was taken");
    assert!(operator.log().contains("lease"), "and says why\n{}", operator.log());
    let pods = json!({ "spec": { "hard": { "pods": "99" } } });
    bed.breaking_glass()
        .await
        .patch("ResourceQuota", Some(&bed.namespace()), &bed.tenant, pods)
        .await
        .expect("patched");
    let after = bed.get("Lease", Some("kube-system"), "openclaw-tenant-operator").await.expect("lease");
    assert_eq!(after["spec"]["holderIdentity"], lease["spec"]["holderIdentity"], "it did not take the lease back");
    assert_eq!(bed.child("ResourceQuota", &bed.tenant).await.expect("quota")["spec"]["hard"]["pods"], "99");
}
