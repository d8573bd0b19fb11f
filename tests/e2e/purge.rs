//! What a removal leaves: what its receipt says, and nothing of what was written.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    inside::{class, cluster, is_elsewhere, small},
    support::{Bed, merge},
    volume::{holders, volume_of, write},
};

/// Everything that the node keeps: volumes, and what its containers and its kubelet have written.
fn files_with(words: &str) -> String {
    let dir = cluster().fact("/dir");
    let output = Command::new("grep")
        .args(["--recursive", "--files-with-matches", "--fixed-strings", "--devices=skip", words])
        .args(["volumes", "node"].map(|part| format!("{dir}/{part}")))
        .output()
        .expect("grep");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether Kubernetes has it.
async fn is_in_cluster(bed: &Bed, kind: &str, name: &str) -> bool {
    let (namespace, name) = name.split_once('/').map_or((None, name), |(namespace, name)| (Some(namespace), name));
    bed.get(kind, namespace, name).await.is_some()
}

/// What became of a line's object, looked up where it was: the words that the line has to say.
async fn outcome(bed: &Bed, line: &Value) -> &'static str {
    let (kind, name) = (line["kind"].as_str().expect("a kind"), line["name"].as_str().expect("a name"));
    let is_there = match kind {
        "Secret" => {
            let secret = bed.instance.secrets().describe_secret().secret_id(name).send().await.expect("a secret");
            return if secret.deleted_date().is_some() { "Scheduled" } else { "Left" };
        }
        "PodIdentityAssociation" => {
            let listed = bed.instance.eks().list_pod_identity_associations();
            let listed = listed.cluster_name(bed.instance.fact("/aws/clusterName")).namespace(bed.namespace());
            !listed.send().await.expect("associations").associations().is_empty()
        }
        kind => is_in_cluster(bed, kind, name).await,
    };
    if is_there { "Left" } else { "Removed" }
}

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn a_purge_leaves_what_its_receipt_says_and_no_word_of_what_was_written() {
    if is_elsewhere("to see the files of its node") {
        return;
    }
    let bed = Bed::with_class(cluster(), "purged", class(cluster(), json!({}))).await;
    let mut wish = small();
    merge(&mut wish, json!({ "deletionPolicy": "Delete" }));
    bed.ready_tenant(wish).await;
    let volume = volume_of(&bed);
    let words = format!("a diary of {}", bed.tenant);
    write(&bed, &words);
    assert!(files_with(&words).contains(&volume), "it lies in the volume");

    bed.delete("Tenant", None, &bed.tenant).await;
    bed.gone().await;
    let record = bed.record().await.expect("the record outlives everything");
    let receipt = record["spec"]["purge"]["receipt"].as_array().expect("a receipt").clone();
    assert!(receipt.iter().any(|line| line["kind"] == "PersistentVolume" && line["name"] == *volume), "{receipt:#?}");
    for line in &receipt {
        assert_eq!(line["outcome"], outcome(&bed, line).await, "{line:#}");
    }
    println!("{} lines of the receipt are as they say", receipt.len());
    assert_eq!(holders(&volume), 0);
    // The provisioner removes what a volume held after the volume.
    bed.until_so("no word of it on the node", || async { files_with(&words).is_empty().then_some(()) }).await;
}
