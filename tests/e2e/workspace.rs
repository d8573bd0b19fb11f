//! The workspace itself: OpenClaw runs, and lets in whoever has its token.

use serde_json::json;

use crate::{
    credentials::secret_of,
    inside::{Pod, class, cluster, running},
    support::Bed,
};

/// What the workspace answers whoever has this token, asked by OpenClaw's own program from inside its pod.
pub fn asked_with(bed: &Bed, token: &str) -> Result<String, String> {
    Pod::of(bed).run(&["node", "openclaw.mjs", "gateway", "health", "--url", "ws://127.0.0.1:18789", "--token", token])
}

pub async fn token_of(bed: &Bed) -> String {
    let value =
        bed.instance.secrets().get_secret_value().secret_id(secret_of(bed)).send().await.expect("the token's value");
    value.secret_string().expect("text").to_owned()
}

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn a_workspace_lets_in_whoever_has_its_token_and_nobody_else() {
    let shared = class(cluster(), json!({}));
    let (alice, bob) = (running("alice", shared.clone()).await, running("bob", shared).await);
    let (of_alice, of_bob) = (token_of(&alice).await, token_of(&bob).await);
    let answer = asked_with(&alice, &of_alice).expect("alice's workspace answers with alice's token");
    assert!(answer.contains("OK"), "{answer}");
    let answer = asked_with(&alice, &of_bob).expect_err("bob's token opens nothing of alice's");
    assert!(answer.contains("unauthorized"), "{answer}");
}
