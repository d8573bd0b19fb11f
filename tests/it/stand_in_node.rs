//! The local platform's stand-in for kubelets ends a pod, and never the next one of its name.

use crate::support::Instance;

/// Every pod that is deleted is deleted once more by who plays its node, and not again: a later one would end its successor.
#[tokio::test]
async fn a_pod_that_is_deleted_is_ended_once() {
    const TIMES: usize = 5;
    let instance = Instance::own();
    for _ in 0..TIMES {
        instance.kubectl(&["run", "one", "--namespace=default", "--image=example.com/none"]);
        instance.kubectl(&["wait", "pod/one", "--namespace=default", "--for=condition=Ready", "--timeout=60s"]);
        instance.kubectl(&["delete", "pod", "one", "--namespace=default", "--timeout=60s"]);
    }
    let ended = instance.audited(|event| {
        let object = &event["objectRef"];
        event["user"]["username"] == "kwok" && event["verb"] == "delete" && object["resource"] == "pods"
    });
    assert_eq!(ended.len(), TIMES, "{ended:#?}");
}
