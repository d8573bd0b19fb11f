//! What somebody at a browser does with a workspace, coming as through its route: to the relay, with the host and origin
//! of the address that the Tenant's status names.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

use super::{packages, pod::Workspace};

/// How long a gateway may take to start: it was seen to take 25 s on a quiet machine of two cores.
const STARTING: Duration = Duration::from_mins(5);

/// How often it is asked meanwhile.
const PERIOD: Duration = Duration::from_millis(250);

/// An answer to a browser.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub location: Option<String>,
    pub content_type: String,
    pub body: String,
}

/// What a browser comes with.
#[derive(Clone, Copy)]
pub enum Browser<'a> {
    /// The token, from the address to which the sign-in sends people.
    New { token: &'a str },
    /// What the gateway gave it in an earlier session.
    Known { session: &'a Value },
}

/// The address of a workspace.
pub struct Address {
    /// Scheme and host, as a browser's origin.
    origin: String,
    /// The host.
    host: String,
    /// The path under which it lies, with a slash at the end.
    pub path: String,
    port: u16,
}

impl Address {
    /// The address that a Tenant's status names, to be reached at the relay of its workspace.
    pub fn new(tenant: &Value, workspace: &Workspace<'_>) -> Self {
        let url: http::Uri = tenant["status"]["url"].as_str().expect("a URL").parse().expect("a URL");
        let host = url.host().expect("a host").to_owned();
        let origin = format!("{}://{host}", url.scheme_str().expect("a scheme"));
        Self { origin, host, path: url.path().to_owned(), port: workspace.port }
    }

    /// Asks for a path of the host; `None` where nothing answers.
    pub async fn get(&self, path: &str) -> Option<Page> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<axum::body::Bytes>>();
        let request = http::Request::get(format!("http://127.0.0.1:{}{path}", self.port))
            .header("host", &self.host)
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-forwarded-proto", "https");
        let answer = client.request(request.body(Empty::new()).expect("a request")).await.ok()?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, location) = (answer.status().as_u16(), header("location"));
        let content_type = header("content-type").unwrap_or_default();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some(Page { status, location, content_type, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Waits until the workspace is what a kubelet calls started and alive. The Control UI answers 200 to any path, so the
    /// status alone shows nothing.
    pub async fn healthy(&self, workspace: &mut Workspace<'_>) {
        let end = tokio::time::Instant::now() + STARTING;
        loop {
            let mut well = 0;
            for probe in ["/startupz", "/healthz"] {
                let answer = self.get(probe).await.filter(|answer| answer.status == 200);
                let said = answer.and_then(|answer| serde_json::from_str::<Value>(&answer.body).ok());
                well += usize::from(said.is_some_and(|said| said["ok"] == true));
            }
            if well == 2 {
                return;
            }
            if let Some(over) = workspace.has_ended() {
                panic!("{over}");
            }
            assert!(tokio::time::Instant::now() < end, "the gateway is not healthy\n{}", workspace.said());
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// OpenClaw's own client, `openclaw gateway health` with this token: whether it succeeds, and what it says.
    pub async fn command_line(&self, token: &str, home: &Path) -> (bool, String) {
        let url = format!("ws://127.0.0.1:{}{}", self.port, self.path);
        let mut command = packages::node();
        command.arg(packages::openclaw().join("openclaw.mjs"));
        command.args(["gateway", "health", "--url", &url, "--token", token]).env("HOME", home);
        let output = run(command, String::new()).await;
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// A session as the Control UI has it, of a browser that has this: its key, what the gateway said to the login, and its
    /// answers to these calls, one after the other.
    pub async fn session(&self, browser: Browser<'_>, calls: &Value) -> Value {
        let mut command = packages::node();
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openclaw/session.mjs"));
        let url = format!("ws://127.0.0.1:{}{}", self.port, self.path);
        let mut order = json!({ "url": url, "host": self.host, "origin": self.origin, "calls": calls });
        match browser {
            Browser::New { token } => order["auth"] = json!({ "token": token }),
            Browser::Known { session } => {
                order["auth"] = json!({ "deviceToken": session["login"]["payload"]["auth"]["deviceToken"] });
                order["key"] = session["key"].clone();
            }
        }
        let output = run(command, order.to_string()).await;
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }
}

/// Runs a program to its end with this on its standard input.
async fn run(mut command: Command, input: String) -> Output {
    let work = move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("Node starts");
        child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
        child.wait_with_output().expect("it ends")
    };
    tokio::task::spawn_blocking(work).await.expect("it ran")
}
