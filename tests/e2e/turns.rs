//! What makes pods turn: a drained node, another token, another template for a whole class.

use std::time::{Duration, Instant};

use kube::api::ListParams;
use serde_json::{Value, json};

use crate::{
    credentials::secret_of,
    inside::{Running, class, cluster, is_elsewhere, patience, running},
    support::{Bed, Instance, PATIENCE, condition, example_class, merge},
    volume::{Watchman, another_pod, diary, pod_uid, ready_uid, volume_of, write},
    workspace::{asked_with, token_of},
};

/// A node on which nothing new starts, for as long as this is held.
struct Cordoned<'a>(&'a Bed);

impl Drop for Cordoned<'_> {
    fn drop(&mut self) {
        self.0.instance.kubectl(&["uncordon", &node_of(self.0.instance)]);
    }
}

/// Drains the node of this one workspace.
fn drain<'a>(bed: &'a Bed, patience: &str) -> (Cordoned<'a>, Result<String, String>) {
    let node = node_of(bed.instance);
    let tenant = format!("--pod-selector=openclaw.io/tenant={}", bed.tenant);
    let flags = ["--delete-emptydir-data", "--ignore-daemonsets", patience];
    let cordoned = Cordoned(bed);
    (cordoned, bed.instance.try_kubectl(&[["drain", &node, &tenant].as_slice(), &flags].concat()))
}

fn node_of(instance: &Instance) -> String {
    instance.kubectl(&["get", "node", "--output=jsonpath={.items[0].metadata.name}"])
}

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn a_drain_moves_a_drainable_workspace_with_its_data() {
    if is_elsewhere("a node to drain") {
        return;
    }
    let bed = running("drainable", class(cluster(), json!({ "disruption": "Drainable" }))).await;
    let (former, volume) = (pod_uid(&bed), volume_of(&bed));
    write(&bed, "before");
    let watchman = Watchman::of(&volume);
    let (cordoned, drained) = drain(&bed, &patience());
    drained.expect("the drain ends");
    // The node is the only one: the next pod waits for it, which is told and is not Ready.
    let is_told = |tenant: &Value| {
        let ready = condition(tenant, "Ready");
        ready["status"] == "False" && ready["message"].to_string().contains("unschedulable")
    };
    bed.until("told to wait for a node", is_told).await;
    drop(cordoned);
    another_pod(&bed, &former).await;
    assert_eq!((diary(&bed).as_deref(), watchman.saw().0), (Ok("before;"), 1));
}

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn a_drain_waits_for_a_strict_workspace_until_somebody_moves_it() {
    if is_elsewhere("a node to drain") {
        return;
    }
    let bed = running("strict", class(cluster(), json!({ "disruption": "Strict" }))).await;
    let former = pod_uid(&bed);
    let (cordoned, refused) = drain(&bed, "--timeout=10s");
    let refused = refused.expect_err("the drain waits, and gives up");
    assert!(refused.contains("disruption budget"), "{refused}");
    assert_eq!(pod_uid(&bed), former, "it runs on");
    bed.ready().await;
    drop(cordoned);
    bed.instance.kubectl(&["delete", "pod", "--namespace", &bed.namespace(), &format!("{}-0", bed.tenant)]);
    another_pod(&bed, &former).await;
}

/// From the last answer to the former token until the first one to the next: for so long nobody gets in.
#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn a_rotation_shuts_the_former_token_out_and_lets_the_next_one_in() {
    let rotating = json!({ "login": { "tokenSource": "SecretsManager" } });
    let bed = running("rotated", class(cluster(), rotating)).await;
    let former = token_of(&bed).await;
    asked_with(&bed, &former).expect("the former token opens it");
    let order = json!({ "metadata": { "annotations": { "openclaw.io/rotate-secrets": "1" } } });
    bed.patch_tenant(order).await.expect("ordered");
    let mut last = Instant::now();
    let gap = loop {
        if asked_with(&bed, &former).is_ok() {
            last = Instant::now();
            continue;
        }
        let next = token_of(&bed).await;
        if next != former && asked_with(&bed, &next).is_ok() {
            break last.elapsed();
        }
        assert!(last.elapsed() < PATIENCE, "{} lets nobody in any more", secret_of(&bed));
    };
    let answer = asked_with(&bed, &former).expect_err("the former token opens nothing");
    assert!(answer.contains("unauthorized"), "{answer}");
    bed.ready().await;
    println!("nobody got in for {:.1} s at the most", gap.as_secs_f64());
}

/// With a gate of one, each of three restarts while the others run.
#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn a_class_change_restarts_one_workspace_at_a_time() {
    let of_level = |level: &str| {
        let gate = json!({ "rollout": { "maxInFlight": 1, "maxFailures": 1, "deadlineSeconds": 600 } });
        let mut class = class(cluster(), gate);
        merge(&mut class, json!({ "workload": { "env": [{ "name": "LOG_LEVEL", "value": level }] } }));
        class
    };
    let first = running("gate", of_level("info")).await;
    let class = first.class.clone();
    let mut beds = vec![first];
    for _ in 1..3 {
        let mut bed = Bed::with_class(cluster(), "gate", example_class(cluster())).await;
        bed.class.clone_from(&class);
        beds.push(Running::on(bed).await);
    }
    let former: Vec<String> = beds.iter().map(|bed| pod_uid(bed)).collect();
    beds[0].apply_class(of_level("debug")).await.expect("another template");
    let (began, mut most, mut looks) = (Instant::now(), 0, 0);
    let workspaces = ListParams::default().labels("openclaw.io/managed=true");
    loop {
        // Of one moment: looked at one after the other, two may seem to be down that never were together.
        let pods = beds[0].api("Pod", None).list(&workspaces).await.expect("pods");
        let pods: Vec<Value> = pods.items.into_iter().map(|pod| json!(pod)).collect();
        let standing: Vec<_> = beds.iter().map(|bed| pods.iter().find_map(|pod| ready_uid(bed, pod))).collect();
        most = most.max(standing.iter().filter(|pod| pod.is_none()).count());
        looks += 1;
        if standing.iter().zip(&former).all(|(now, former)| now.as_ref().is_some_and(|now| now != former)) {
            break;
        }
        assert!(began.elapsed() < 3 * PATIENCE, "the class change does not reach all: {standing:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("three restarted in {:.1} s; in {looks} looks at most {most} was down", began.elapsed().as_secs_f64());
    assert_eq!(most, 1);
    for bed in &beds {
        bed.ready().await;
    }
}
