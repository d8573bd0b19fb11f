//! The way in: a real Gateway (Contour and Envoy) takes the operator's routes up, and leads to the workspace's own gateway.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    inside::{class, cluster, has_no_way_in, running},
    support::{Bed, eventually, merge},
};

/// What a Gateway answers for what is nobody's.
const NOBODY: u16 = 404;

/// Of one attempt.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the Gateway answers whoever asks it for this path of this host: its status and all that it says. Without any route it does not
/// listen; while it takes up what is new it may hang up.
fn ask(host: &str, path: &str) -> io::Result<(u16, String)> {
    let address = cluster().fact("/gateway/address").parse::<SocketAddr>().expect("an address");
    let mut stream = match TcpStream::connect_timeout(&address, TIMEOUT) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok((NOBODY, "nobody listens".to_owned())),
        stream => stream?,
    };
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut said = Vec::new();
    stream.read_to_end(&mut said)?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let status = said.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("no status in: {said}")))?;
    Ok((status, said))
}

/// Whether that is OpenClaw's own page.
fn is_control_ui(answer: &(u16, String)) -> bool {
    answer.0 == 200 && answer.1.contains("OpenClaw")
}

/// Whether it leads to nobody.
const fn is_nobodys(answer: &(u16, String)) -> bool {
    answer.0 == NOBODY
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
        std::future::ready(answer.as_ref().is_ok_and(&wanted).then_some(()))
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
    assert!(is_nobodys(&ask("nobody.openclaw.local", "/").expect("an answer")), "a host that is nobody's");
    bed.suspended().await;
    assert!(!ask(&host, "/").is_ok_and(|answer| is_control_ui(&answer)), "Suspended says that no way leads there");
    becomes(&bed, &host, "/", "nobody's", is_nobodys).await;
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
    assert!(is_nobodys(&ask("openclaw.local", "/t/nobody/").expect("an answer")), "a path that is nobody's");
    assert!(is_nobodys(&ask("openclaw.local", "/").expect("an answer")), "the host itself is nobody's");
}
