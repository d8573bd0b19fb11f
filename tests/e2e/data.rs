//! What a workspace has written is there again, whatever becomes of its pod, and is nobody else's; and no two containers ever hold it.

use serde_json::json;

use crate::{
    inside::{class, cluster, is_elsewhere, patience, running, small, without_operator},
    support::{Bed, Instance},
    volume::{Watchman, another_pod, diary, holders, pod_uid, volume_of, write},
};

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn what_a_workspace_has_written_survives_and_is_held_by_one_container_at_a_time() {
    if is_elsewhere("to see the mounts of its node") {
        return;
    }
    let bed = running("diary", class(cluster(), json!({}))).await;
    let volume = volume_of(&bed);
    assert_eq!(holders(&volume), 1, "the one container that runs is seen");
    let watchman = Watchman::of(&volume);
    write(&bed, "first");

    bed.suspended().await;
    assert_eq!(holders(&volume), 0, "Suspended says that no pod runs");
    bed.resumed().await;
    assert_eq!(diary(&bed).as_deref(), Ok("first;"), "after suspend and resume");
    write(&bed, "second");

    let former = pod_uid(&bed);
    bed.instance.kubectl(&["delete", "pod", "--namespace", &bed.namespace(), &format!("{}-0", bed.tenant)]);
    another_pod(&bed, &former).await;
    assert_eq!(diary(&bed).as_deref(), Ok("first;second;"), "after its pod was deleted by hand");
    write(&bed, "third");

    let former = pod_uid(&bed);
    let roll = json!({ "spec": { "env": [{ "name": "LOG_LEVEL", "value": "debug" }] } });
    bed.patch_tenant(roll).await.expect("another template");
    another_pod(&bed, &former).await;
    assert_eq!(diary(&bed).as_deref(), Ok("first;second;third;"), "after a roll");

    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    assert_eq!(holders(&volume), 0, "access ends before the Tenant goes");
    refused_to_another(&bed).await;
    bed.ready_tenant(small()).await;
    assert_eq!(volume_of(&bed), volume, "the same owner gets the same volume");
    assert_eq!(diary(&bed).as_deref(), Ok("first;second;third;"), "after a deletion that retains");
    let (most, looks) = watchman.saw();
    println!("{looks} looks: at most {most} container held the volume");
    assert_eq!(most, 1, "in {looks} looks");
}

/// Somebody else's Tenant of the name is refused, and no pod of it ever starts.
async fn refused_to_another(bed: &Bed) {
    bed.apply_tenant(json!({ "owner": { "email": "mallory@example.com" } })).await.expect("mallory's Tenant");
    bed.stalled("NameReserved").await;
    let pods = bed.instance.kubectl(&["get", "pods", "--namespace", &bed.namespace(), "--output=name"]);
    assert_eq!(pods, "", "nothing runs for another owner");
    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
}

/// Everything of the operator's goes, its definitions and with them all Tenants, and comes again.
#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn what_a_workspace_has_written_survives_a_reinstalled_operator_and_its_definitions() {
    if is_elsewhere("to end operator and definitions") {
        return;
    }
    let bed = running("reinstalled", class(cluster(), json!({}))).await;
    let (volume, pod) = (volume_of(&bed), pod_uid(&bed));
    write(&bed, "before");
    let definitions = ["tenants.openclaw.io", "tenantclasses.openclaw.io", "tenantrecords.openclaw.io"];
    for definition in definitions {
        bed.instance.kubectl(&["annotate", "crd", definition, "openclaw.io/deletion-allowed=true"]);
    }
    bed.instance.kubectl(&[["delete", "crd", &patience()].as_slice(), &definitions].concat());
    assert_eq!((pod_uid(&bed), holders(&volume)), (pod.clone(), 1), "it runs on, and nobody repairs it");
    without_operator(Instance::install);
    bed.apply_class(class(cluster(), json!({}))).await.expect("the class again");
    bed.ready_tenant(small()).await;
    assert_eq!((pod_uid(&bed), volume_of(&bed)), (pod, volume), "the very same");
    assert_eq!(diary(&bed).as_deref(), Ok("before;"));
}
