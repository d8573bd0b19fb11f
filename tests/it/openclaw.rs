//! What the operator made for a tenant, taken up by OpenClaw itself. Started by tests/openclaw/run.sh, which installs the
//! version that the operator was made for; without it these tests are left out.

mod agent;
mod judge;
mod mapping;
mod owner;
mod packages;
mod pod;
mod variants;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use openclaw_tenant_operator::tenant::desired::workload::config::TESTED_OPENCLAW_VERSION;
use serde_json::{Value, json};

use self::{
    agent::Agent,
    judge::Judge,
    owner::{Address, Browser},
    pod::Workspace,
};
use crate::{
    rotate,
    support::{Bed, Instance, example_class, merge},
};

/// What is installed is what the operator was made for.
#[test]
fn the_tested_version_is_the_one_that_the_operator_names() {
    let package = include_str!("../openclaw/package.json");
    let package: Value = serde_json::from_str(package).expect("JSON");
    assert_eq!(package["dependencies"]["openclaw"], TESTED_OPENCLAW_VERSION);
}

/// The token that an owner gets at sign-in.
async fn token(bed: &Bed) -> String {
    let value = bed.instance.secrets().get_secret_value().secret_id(token_id(bed)).send().await.expect("a value");
    value.secret_string().expect("text").to_owned()
}

fn token_id(bed: &Bed) -> String {
    format!("openclaw/{}/gateway-token", bed.tenant)
}

/// A class whose tenants share a host.
fn path_class(instance: &Instance) -> Value {
    let mut class = rotate::class(instance);
    let mut gateway = class["routing"]["gateways"][0].clone();
    gateway["sectionName"] = json!("shared");
    merge(&mut class["routing"], json!({ "mode": "Path", "acceptSharedOrigin": true, "gateways": [gateway] }));
    class
}

/// Everybody gets into their own workspace with the token that lies in Secrets Manager, and into no other; the page is
/// served where the route sends people; and whoever is in cannot change what the platform has configured.
#[tokio::test]
#[ignore = "needs OpenClaw itself: tests/openclaw/run.sh"]
async fn owners_get_into_their_own_workspace_alone_and_change_nothing_of_the_platform_s() {
    let instance = Instance::shared();
    let agent = Agent::start().await;
    let alice = Bed::with_class(instance, "owner-path", path_class(instance)).await;
    let bob = rotate::bed(instance, "owner-host").await;
    let (of_alice, of_bob) = tokio::join!(alice.ready_tenant(json!({})), bob.ready_tenant(json!({})));
    let (mut alices, mut bobs) = tokio::join!(Workspace::start(&alice, &agent), Workspace::start(&bob, &agent));
    let (at_alice, at_bob) = (Address::new(&of_alice, &alices), Address::new(&of_bob, &bobs));
    tokio::join!(at_alice.healthy(&mut alices), at_bob.healthy(&mut bobs));
    let tokens = [token(&alice).await, token(&bob).await];

    for (address, right, wrong) in [(&at_alice, &tokens[0], &tokens[1]), (&at_bob, &tokens[1], &tokens[0])] {
        let none = json!([]);
        let mine = address.session(Browser::New { token: right }, &none);
        let others = address.session(Browser::New { token: wrong }, &none);
        let (mine, others) = tokio::join!(mine, others);
        assert_is_in(&mine);
        assert_refused(&others);
    }
    let home = alices.file("/tmp");
    let (mine, others) =
        tokio::join!(at_alice.command_line(&tokens[0], &home), at_alice.command_line(&tokens[1], &home));
    assert!(mine.0, "{}", mine.1);
    assert!(!others.0 && others.1.contains("gateway token mismatch"), "{}", others.1);

    assert_served(&at_alice, &format!("/t/{}", alice.tenant)).await;
    assert_served(&at_bob, "").await;
    let astray = at_alice.get("/").await.expect("an answer");
    assert_eq!(astray.status, 404, "what is not below the path belongs to somebody else: {astray:?}");

    for (bed, workspace) in [(&alice, &alices), (&bob, &bobs)] {
        let calls = bed.instance.calls(&token_id(bed)).await;
        let readers =
            calls.iter().filter(|call| call["operation"] == "GetSecretValue").map(|call| &call["accessKeyId"]);
        let pods: Vec<_> =
            readers.filter(|key| key.as_str().is_some_and(|key| key.starts_with("workspace-"))).collect();
        assert!(!pods.is_empty() && pods.iter().all(|key| **key == workspace.access_key()), "{pods:?}");
    }
    assert_platform_s_own(&at_bob, &tokens[1], &bobs).await;
}

/// The page is the Control UI, and knows the path below which it lies; what it loads is there.
async fn assert_served(address: &Address, path: &str) {
    let page = address.get(&address.path).await.expect("an answer");
    assert!(page.status == 200 && page.content_type.starts_with("text/html"), "{page:?}");
    if !path.is_empty() {
        let known = format!("data-openclaw-control-ui-base-path=\"{path}\"");
        assert!(page.body.contains(&known), "{known} is missing: {page:?}");
        let short = address.get(path).await.expect("an answer");
        assert_eq!((short.status, short.location), (302, Some(format!("{path}/"))));
    }
    let script = page.body.split('"').find(|text| {
        let is_script = Path::new(text).extension().is_some_and(|extension| extension == "js");
        is_script && text.contains("assets/")
    });
    let script = script.unwrap_or_else(|| panic!("the page loads no script: {page:?}"));
    let script = address.get(&format!("{path}/{}", &script[script.find("assets/").expect("found")..])).await;
    let script = script.expect("an answer");
    assert!(script.status == 200 && script.content_type.contains("javascript"), "{script:?}");
}

/// Who is in by the token changes nothing of what the platform has configured, neither through the gateway's own calls nor
/// on the disk. The files are writable here: in the pod their mount is read-only besides.
async fn assert_platform_s_own(address: &Address, token: &str, workspace: &Workspace<'_>) {
    let before = platform_files(workspace);
    let change = json!({ "tools": { "exec": { "mode": "full" } } });
    let mut changed: Value =
        serde_json::from_slice(&before[&workspace.file("/etc/openclaw/openclaw.json")]).expect("JSON");
    merge(&mut changed, change.clone());
    // Each would be taken, if the configuration were the owner's to change.
    let raw = |text: &Value| json!({ "raw": text.to_string(), "baseHash": "$hash" });
    let of_an_agent = |name: &str| json!({ "agentId": "main", "name": name, "content": "changed" });
    let is_read_only = "OPENCLAW_CONFIG_READONLY";
    let refused = [
        ("config.set", raw(&changed), is_read_only),
        ("config.apply", raw(&changed), is_read_only),
        ("config.patch", raw(&change), is_read_only),
        ("agents.create", json!({ "name": "second", "workspace": "/tmp" }), is_read_only),
        ("skills.update", json!({ "skillKey": "weather", "enabled": true }), is_read_only),
        ("plugins.install", json!({ "source": "npm", "spec": "a-plugin" }), is_read_only),
        ("agents.files.set", of_an_agent("../../../../etc/openclaw/openclaw.json"), "unsupported file"),
        ("terminal.open", json!({ "cols": 80, "rows": 24 }), "terminal is disabled"),
    ];
    // What the owner may do shows that the others are refused for what they are.
    let allowed = [("config.get", json!({})), ("agents.files.set", of_an_agent("AGENTS.md"))];
    let calls = allowed.iter().cloned().chain(refused.iter().map(|(method, params, _)| (*method, params.clone())));
    let calls: Vec<Value> = calls.map(|(method, params)| json!({ "method": method, "params": params })).collect();
    let session = address.session(Browser::New { token }, &json!(calls)).await;
    assert_is_in(&session);
    let answers = session["answers"].as_array().expect("answers");
    let (allowed, told) = answers.split_at(allowed.len());
    assert!(allowed.iter().all(|answer| answer["ok"] == true), "{allowed:#?}");
    for ((method, _, why), answer) in refused.iter().zip(told) {
        assert_eq!(answer["ok"], false, "{method}: {answer:#}");
        assert!(answer["error"]["message"].to_string().contains(why), "{method}: {answer:#}");
    }
    assert_eq!(told.len(), refused.len());
    assert_eq!(platform_files(workspace), before);
}

fn assert_is_in(session: &Value) {
    assert_eq!(session["login"]["payload"]["type"], "hello-ok", "{session:#}");
}

fn assert_refused(session: &Value) {
    assert_eq!(session["login"]["ok"], false, "{session:#}");
    assert!(session["login"].to_string().contains("token mismatch"), "{session:#}");
}

/// Outside of AWS the token is made on the volume at the first start.
#[tokio::test]
#[ignore = "needs OpenClaw itself: tests/openclaw/run.sh"]
async fn without_secrets_manager_the_token_on_the_volume_is_the_owner_s() {
    let (instance, agent) = (Instance::shared(), Agent::start().await);
    let mut class = example_class(instance);
    merge(&mut class, json!({ "secrets": { "mode": "None" } }));
    class["identity"] = json!({ "mode": "None" });
    let bed = Bed::with_class(instance, "owner-file", class).await;
    let tenant = bed.ready_tenant(json!({})).await;
    let mut workspace = Workspace::start(&bed, &agent).await;
    let address = Address::new(&tenant, &workspace);
    address.healthy(&mut workspace).await;
    let token = fs::read_to_string(workspace.file("/home/node/.openclaw/gateway-token")).expect("a token");
    assert_eq!(token.len(), 64, "256 bits in hex");
    assert_is_in(&address.session(Browser::New { token: &token }, &json!([])).await);
    assert_refused(&address.session(Browser::New { token: &token[1..] }, &json!([])).await);
}

/// After a rotation the workspace's next pod takes the new token, and the former one is worth nothing.
#[tokio::test]
#[ignore = "needs OpenClaw itself: tests/openclaw/run.sh"]
async fn after_a_rotation_the_new_token_is_taken_and_the_former_one_is_not() {
    let agent = Agent::start().await;
    let bed = rotate::bed(Instance::shared(), "owner-rotates").await;
    let tenant = bed.ready_tenant(json!({})).await;
    let mut workspace = Workspace::start(&bed, &agent).await;
    let address = Address::new(&tenant, &workspace);
    address.healthy(&mut workspace).await;
    let (former, version) = (token(&bed).await, bed.instance.current_version(&token_id(&bed)).await);
    let none = json!([]);
    let before = address.session(Browser::New { token: &former }, &none).await;
    assert_is_in(&before);
    assert_is_in(&address.session(Browser::Known { session: &before }, &none).await);

    rotate::order(&bed, "1").await;
    rotate::rotated(&bed, &version).await;
    workspace.replace().await;
    address.healthy(&mut workspace).await;
    let new = token(&bed).await;
    assert_ne!(new, former);
    assert_is_in(&address.session(Browser::New { token: &new }, &none).await);
    assert_refused(&address.session(Browser::New { token: &former }, &none).await);
    assert_refused(&address.session(Browser::Known { session: &before }, &none).await);
}

/// The files of the platform in a pod: what is in them.
fn platform_files(workspace: &Workspace<'_>) -> BTreeMap<PathBuf, Vec<u8>> {
    let directory = fs::read_dir(workspace.file("/etc/openclaw")).expect("the configuration");
    let paths = directory.map(|entry| entry.expect("an entry").path());
    paths.map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
}

/// Every configuration that the operator renders passes OpenClaw's own validation. All that it says is which plugins the
/// package does not hold, as the image has to.
#[test]
#[ignore = "needs OpenClaw itself: tests/openclaw/run.sh"]
fn openclaw_accepts_every_configuration_that_is_rendered() {
    let judge = Judge::new("openclaw-configurations");
    let all = variants::all();
    let verdicts = judge.verdicts(all.iter());
    assert_eq!(verdicts.len(), all.len());
    for (name, verdict) in verdicts {
        let text = &all[name];
        let missing = variants::EXTERNAL.iter().filter(|provider| text.contains(&format!("\"{provider}\"")));
        let expected: Vec<String> = missing
            .map(|provider| {
                let install = "install the official external plugin with: openclaw plugins install";
                format!("plugin not installed: {provider} — {install} @openclaw/{provider}-provider")
            })
            .collect();
        let told: Vec<&Value> =
            ["issues", "warnings"].iter().flat_map(|kind| verdict[kind].as_array().into_iter().flatten()).collect();
        let messages: Vec<&str> = told.iter().map(|one| one["message"].as_str().unwrap_or_default()).collect();
        assert_eq!(
            (&verdict["valid"], messages),
            (&json!(true), expected.iter().map(String::as_str).collect()),
            "{name}: {verdict:#}\n{text}"
        );
    }
}

/// What would be wrong with a configuration is seen: names, types, and files that it refers to.
#[test]
#[ignore = "needs OpenClaw itself: tests/openclaw/run.sh"]
fn openclaw_refuses_a_configuration_with_a_mistake_in_it() {
    let judge = Judge::new("openclaw-mistakes");
    let right = variants::all().into_values().find(|text| text.contains("fetch-secret")).expect("one with a resolver");
    let mistakes = [
        ("/gateway/controlUi/bogus", json!(true), "bogus"),
        ("/gateway/port", json!("one"), "gateway.port"),
        ("/logging/consoleStyle", json!("loud"), "logging.consoleStyle"),
        ("/tools/exec/mode", json!("perhaps"), "tools.exec.mode"),
        ("/secrets/providers/aws-secrets-manager/command", json!("/etc/openclaw/nowhere.mjs"), "nowhere.mjs"),
    ];
    for (pointer, value, told) in mistakes {
        let mut wrong: Value = serde_json::from_str(&right).expect("JSON");
        pointer.split('/').skip(1).fold(&mut wrong, |place, key| &mut place[key]).clone_from(&value);
        let verdict = judge.verdict("mistake", &wrong.to_string());
        assert_eq!(verdict["valid"], false, "{pointer}: {verdict:#}");
        assert!(verdict["issues"].to_string().contains(told), "{pointer}: {verdict:#}");
    }
}
