//! What a workspace can do in AWS with the credentials that its pod gets.

use serde_json::json;

use crate::{
    inside::{Pod, TOKEN_FILE, UNPOLICED, class, cluster, is_elsewhere, running},
    support::Bed,
};

/// The secret of a tenant that its workspace needs.
pub fn secret_of(bed: &Bed) -> String {
    format!("openclaw/{}/gateway-token", bed.tenant)
}

/// Asks Secrets Manager itself for values, with the credentials that the pod gets and what the pod has to sign with.
pub const READ: &str = r#"
import { readFileSync } from "node:fs";
const { names, key } = JSON.parse(process.argv[1]);
// It looks there for whether it was started itself.
process.argv.length = 1;
const { sign } = await import("file:///etc/openclaw/fetch-secret.mjs");
const token = readFileSync(process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, "utf8");
const agent = await fetch(process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI, { headers: { Authorization: token } });
const { AccessKeyId: accessKeyId, SecretAccessKey: secretKey, Token } = await agent.json();
const url = new URL("/", process.env.OPENCLAW_RESOLVER_ENDPOINT);
const ask = async (name) => {
  const body = JSON.stringify({ SecretId: name });
  const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.GetSecretValue" };
  const credentials = { accessKeyId: key ?? accessKeyId, secretKey, token: Token };
  const signed = sign({ method: "POST", url, headers, body, region: process.env.AWS_REGION, service: "secretsmanager", credentials, now: new Date() });
  const answer = await fetch(url, { method: "POST", headers: signed, body });
  const said = await answer.json();
  return answer.ok ? "a value" : (said.__type ?? said.code);
};
console.log(JSON.stringify(await Promise.all(names.map(ask))));
"#;

/// Asks the agent for credentials with the token that the pod has, or with another.
const ASK_AGENT: &str = r#"
import { readFileSync } from "node:fs";
const { token, file } = JSON.parse(process.argv[1]);
const own = () => readFileSync(file ?? process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, "utf8");
const answer = await fetch("http://169.254.170.23/v1/credentials", { headers: { Authorization: token ?? own() } });
console.log(JSON.stringify({ status: answer.status, keys: answer.ok ? Object.keys(await answer.json()).sort() : [] }));
"#;

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn who_has_no_association_gets_no_credentials() {
    if is_elsewhere("an agent that answers whoever asks") {
        return;
    }
    let bed = running("agent", class(cluster(), json!({}))).await;
    let own = Pod::of(&bed).node(ASK_AGENT, &json!({}));
    let keys = json!(["AccessKeyId", "AccountId", "Expiration", "SecretAccessKey", "Token"]);
    assert_eq!(own, json!({ "status": 200, "keys": keys }));
    let stranger = Pod::make(bed.instance, UNPOLICED, "no-association");
    // A token of this cluster, for the agent, of a ServiceAccount that has no association.
    let valid = stranger.node(ASK_AGENT, &json!({ "file": TOKEN_FILE }));
    assert_eq!(valid, json!({ "status": 404, "keys": [] }));
    let invented = stranger.node(ASK_AGENT, &json!({ "token": "eyJhbGciOiJub25lIn0.e30." }));
    assert_eq!(invented, json!({ "status": 403, "keys": [] }));
}

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn a_workspace_reads_its_own_secrets_and_nobody_elses() {
    if is_elsewhere("an account whose judge can be asked") {
        return;
    }
    let shared = class(cluster(), json!({}));
    let (alice, bob) = (running("reads", shared.clone()).await, running("read", shared).await);
    let (own, others) = (secret_of(&alice), secret_of(&bob));
    let names = json!([own, others, "payroll/anything"]);
    let answers = Pod::of(&alice).node(READ, &json!({ "names": names }));
    assert_eq!(answers, json!(["a value", "AccessDeniedException", "AccessDeniedException"]));
    let answers = Pod::of(&alice).node(READ, &json!({ "names": names, "key": "AKIAOFSOMEBODYELSE" }));
    let refused = "UnrecognizedClientException";
    assert_eq!(answers, json!([refused, refused, refused]), "with a key that it was not given");
}
