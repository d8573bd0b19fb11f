//! The way of one operator to the API server, which can be cut: what is on it then hangs, as where packets are lost. What
//! was on its way to the server arrives when the way is whole again, even if its sender has long given up or ended.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;
use http_body_util::{BodyDataStream, BodyExt as _};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tokio::sync::watch;

/// What gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Everything.
    All,
    /// Everything but what is about the Lease.
    AllButTheLease,
    /// What changes nothing.
    Reads,
    /// Nothing, in either direction.
    Nothing,
}

impl Passage {
    fn lets_through(self, request: &Parts) -> bool {
        match self {
            Self::All => true,
            Self::AllButTheLease => !request.uri.path().contains("/leases"),
            Self::Reads => {
                let is_rehearsal = request.uri.query().is_some_and(|query| query.contains("dryRun=All"));
                request.method == Method::GET || is_rehearsal
            }
            Self::Nothing => false,
        }
    }
}

/// A way that goes through this process.
pub struct Way {
    kubeconfig: PathBuf,
    passage: watch::Sender<Passage>,
    held: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Gate {
    server: Client,
    passage: watch::Receiver<Passage>,
    held: Arc<Mutex<Vec<String>>>,
}

impl Way {
    /// A way to the server that this kubeconfig names, in the same name.
    pub fn to(kubeconfig: &Path) -> Self {
        let (passage, shut) = watch::channel(Passage::All);
        let held = Arc::<Mutex<Vec<String>>>::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("an address");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let address = listener.local_addr().expect("the address");
        let (origin, holding) = (kubeconfig.to_owned(), Arc::clone(&held));
        // A thread of its own, so that it works while a test waits for a program.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async {
                let gate = Gate { server: client(&origin).await, passage: shut, held: holding };
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let _ = axum::serve(listener, Router::new().fallback(pass).with_state(gate)).await;
            });
        });
        let way = kubeconfig.with_extension("way");
        let content = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "way",
            "clusters": [{ "name": "way", "cluster": { "server": format!("http://{address}") } }],
            "users": [{ "name": "way", "user": {} }],
            "contexts": [{ "name": "way", "context": { "cluster": "way", "user": "way" } }],
        });
        std::fs::write(&way, content.to_string()).expect("kubeconfig");
        Self { kubeconfig: way, passage, held }
    }

    /// The kubeconfig of who goes this way.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// From now on only this gets through, and what has waited for it.
    pub fn let_through(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }

    /// Method and path of every request that had to wait so far.
    pub fn held(&self) -> Vec<String> {
        self.held.lock().expect("not poisoned").clone()
    }
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("kubeconfig");
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("kubeconfig");
    config.default_retry = false;
    Client::try_from(config).expect("client")
}

async fn pass(State(gate): State<Gate>, request: Request) -> Response {
    // A task, which goes on where the caller goes away.
    let carried = tokio::spawn(gate.carry(request)).await;
    carried.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

impl Gate {
    async fn carry(mut self, request: Request) -> Response {
        let (mut head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return StatusCode::BAD_REQUEST.into_response() };
        for name in [header::HOST, header::CONNECTION] {
            head.headers.remove(name);
        }
        if !self.passage.borrow().lets_through(&head) {
            self.held.lock().expect("not poisoned").push(format!("{} {}", head.method, head.uri.path()));
        }
        self.until_open(&head).await;
        let request = Request::from_parts(head.clone(), body.to_bytes().into());
        let Ok(answer) = self.server.send(request).await else { return StatusCode::BAD_GATEWAY.into_response() };
        // A watch, which goes on for minutes, is shut as well.
        let (mut answer, body) = answer.into_parts();
        self.until_open(&head).await;
        answer.headers.remove(header::CONNECTION);
        answer.headers.remove(header::TRANSFER_ENCODING);
        let body = BodyDataStream::new(body).then(move |part| {
            let (mut gate, head) = (self.clone(), head.clone());
            async move {
                gate.until_open(&head).await;
                part
            }
        });
        Response::from_parts(answer, Body::from_stream(body))
    }

    async fn until_open(&mut self, request: &Parts) {
        // An error: nobody can open it any more.
        let _ = self.passage.wait_for(|passage| passage.lets_through(request)).await;
    }
}
