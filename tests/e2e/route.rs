//! The way in: a real Gateway (Contour and Envoy) takes the operator's routes up, and leads to the workspace's own gateway.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    inside::{class, cluster, has_no_way_in, running},
    support::{Bed, eventually, merge},
};

/// What a Gateway answers for what is nobody's.
const NOBODY: u16 = 404;

/// What the Gateway answers whoever asks it for this path of this host: its status and all that it says. Without any route it does not
/// listen.
fn ask(host: &str, path: &str) -> (u16, String) {
    let Ok(mut stream) = TcpStream::connect(cluster().fact("/gateway/address")) else {
        return (NOBODY, "nobody listens".to_owned());
    };
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a patience");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it takes the request");
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("it answers");
    let said = String::from_utf8_lossy(&said).into_owned();
    let status = said.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status in: {said}")), said)
}

/// Whether that is OpenClaw's own page.
fn is_control_ui(answer: &(u16, String)) -> bool {
    answer.0 == 200 && answer.1.contains("OpenClaw")
}

async fn route(bed: &Bed) -> Value {
    bed.child("HTTPRoute", &bed.tenant).await.expect("a route")
}

/// What the operator says of the route is what Contour said, and what a request meets.
async fn leads_to(bed: &Bed, host: &str, path: &str) {
    let status = route(bed).await["status"]["parents"][0].clone();
    assert_eq!(status["controllerName"], "projectcontour.io/gateway-controller");
    for kind in ["Accepted", "ResolvedRefs"] {
        let is_true = |one: &Value| one["type"] == kind && one["status"] == "True";
        assert!(status["conditions"].as_array().is_some_and(|all| all.iter().any(is_true)), "{kind}: {status}");
    }
    becomes(bed, host, path, "OpenClaw's page", is_control_ui).await;
}

/// The Gateway follows what the cluster says within a moment: here until it answers so.
async fn becomes(bed: &Bed, host: &str, path: &str, what: &str, wanted: impl Fn(&(u16, String)) -> bool) {
    let mut last = None;
    let look = || {
        let answer = last.insert(ask(host, path));
        std::future::ready(wanted(answer).then_some(()))
    };
    let has_become = eventually(look).await;
    assert!(has_become.is_some(), "{host}{path} does not become {what}: {last:?}\n{}", bed.story().await);
}

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn in_host_mode_a_host_leads_to_its_workspace_for_as_long_as_it_is_open() {
    if has_no_way_in("/gateway/address") {
        return;
    }
    let bed = running("host", class(cluster(), json!({}))).await;
    let host = format!("{}.openclaw.local", bed.tenant);
    assert_eq!(bed.ready().await["status"]["url"], format!("http://{host}/"));
    leads_to(&bed, &host, "/").await;
    assert_eq!(ask("nobody.openclaw.local", "/").0, NOBODY, "a host that is nobody's");
    bed.suspended().await;
    assert!(!is_control_ui(&ask(&host, "/")), "Suspended says that no way leads there");
    becomes(&bed, &host, "/", "nobody's", |answer| answer.0 == NOBODY).await;
    bed.resumed().await;
    leads_to(&bed, &host, "/").await;
}

#[tokio::test]
#[ignore = "needs a real node: make e2e"]
async fn in_path_mode_a_path_leads_to_its_workspace_and_no_other_does() {
    if has_no_way_in("/gateway/address") {
        return;
    }
    let mut shared = class(cluster(), json!({}));
    merge(&mut shared["routing"], json!({ "mode": "Path", "acceptSharedOrigin": true }));
    let bed = running("path", shared).await;
    let path = format!("/t/{}/", bed.tenant);
    assert_eq!(bed.ready().await["status"]["url"], format!("http://openclaw.local{path}"));
    leads_to(&bed, "openclaw.local", &path).await;
    assert_eq!(ask("openclaw.local", "/t/nobody/").0, NOBODY, "a path that is nobody's");
    assert_eq!(ask("openclaw.local", "/").0, NOBODY, "the host itself is nobody's");
}
