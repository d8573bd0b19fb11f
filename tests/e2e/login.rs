//! The login: a browser opens a workspace's page, as its owner does.

use std::{path::Path, process::Command};

use serde::Deserialize;
use serde_json::json;

use crate::{
    inside::{class, cluster, has_no_way_in, running},
    support::{Bed, merge},
    workspace::token_of,
};

/// What a browser comes to.
#[derive(Debug, Deserialize)]
struct Seen {
    outcome: String,
    said: String,
}

/// A class whose Gateway ends TLS, as owners' browsers demand.
fn secure(mode: &str, section: &str) -> serde_json::Value {
    let mut class = class(cluster(), json!({}));
    let gateway = json!({
        "namespace": cluster().fact("/gateway/namespace"), "name": cluster().fact("/gateway/name"),
        "sectionName": section, "domain": "openclaw.local", "scheme": "https",
    });
    merge(&mut class["routing"], json!({ "mode": mode, "gateways": [gateway], "acceptSharedOrigin": mode == "Path" }));
    class
}

/// Opens this page with this token. The picture goes into the docs where tables do, and to the instance's files otherwise.
fn log_in(page: &str, token: &str, picture: &str) -> Seen {
    come_to("a page", page, token, picture)
}

/// The same, once the Gateway has, or has not, somebody to lead to.
fn come_to(awaited: &str, page: &str, token: &str, picture: &str) -> Seen {
    let var = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name}: make e2e sets it"));
    let into = if std::env::var_os("OPENCLAW_WRITE").is_some() {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/isolation")
    } else {
        Path::new(cluster().fact("/dir")).to_owned()
    };
    let asked = json!({
        "browser": var("OPENCLAW_TEST_BROWSER"), "packages": var("OPENCLAW_TEST_PLAYWRIGHT"), "page": page, "token": token,
        "gateway": cluster().fact("/gateway/secureAddress"), "ca": cluster().fact("/ca"),
        "picture": into.join(format!("{picture}.png")), "awaits": awaited,
    });
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/browser/login.mjs");
    let output = Command::new("node").args([program, &asked.to_string()]).output().expect("node runs");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{page}: {error}: {said}{failed}"))
}

/// Where its status says that its owner gets in.
async fn page_of(bed: &Bed) -> String {
    bed.ready().await["status"]["url"].as_str().expect("a URL").to_owned()
}

#[tokio::test]
#[ignore = "needs a real node and a browser: make e2e"]
async fn a_browser_gets_in_where_the_status_says_with_the_workspaces_own_token_alone() {
    if has_no_way_in("/gateway/secureAddress") {
        return;
    }
    let shared = secure("Host", "https");
    let (alice, bob) = (running("browser", shared.clone()).await, running("other", shared).await);
    let page = page_of(&alice).await;
    assert_eq!(page, format!("https://{}.openclaw.local/", alice.tenant));
    let own = token_of(&alice).await;
    let seen = log_in(&page, &own, "login");
    assert_eq!(seen.outcome, "connected", "with its own token: {}", seen.said);
    assert!(seen.said.contains("Settings"), "OpenClaw's own page: {}", seen.said);
    let seen = log_in(&page, &token_of(&bob).await, "refused");
    assert_eq!(seen.outcome, "refused", "with another's token: {}", seen.said);
    assert!(seen.said.contains("rejected the supplied Gateway secret"), "{}", seen.said);

    alice.suspended().await;
    let seen = come_to("nobody", &page, &own, "nothing");
    assert_eq!(seen.outcome, "nobody", "Suspended says that nobody gets in: {}", seen.said);
    let seen = log_in(&page_of(&bob).await, &token_of(&bob).await, "another");
    assert_eq!(seen.outcome, "connected", "the same Gateway leads on whom it shall: {}", seen.said);
}

#[tokio::test]
#[ignore = "needs a real node and a browser: make e2e"]
async fn in_path_mode_a_browser_gets_in_below_the_shared_host() {
    if has_no_way_in("/gateway/secureAddress") {
        return;
    }
    let bed = running("below", secure("Path", "shared-https")).await;
    let page = page_of(&bed).await;
    assert_eq!(page, format!("https://openclaw.local/t/{}/", bed.tenant));
    let seen = log_in(&page, &token_of(&bed).await, "login-path");
    assert_eq!(seen.outcome, "connected", "{}", seen.said);
}
