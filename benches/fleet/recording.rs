//! Stands between one operator and what it asks, and writes down what passes: the floor sends the same.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    response::Response,
};
use http_body_util::Full;
use hyper_util::{client::legacy::Client as HttpClient, rt::TokioExecutor};
use serde_json::Value;
use tokio::net::TcpListener;

/// The most that a body has.
const LARGEST: usize = 64 << 20;

/// Whom a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// The API server.
    Kubernetes,
    /// A service of AWS, at this address.
    Aws(String),
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Whom it was for.
    pub service: Service,
    /// HTTP method.
    pub method: http::Method,
    /// Path and query.
    pub uri: String,
    /// Headers that say what the body is, and who asks.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// What was sent.
    pub body: String,
    /// When it came.
    pub began: Instant,
    /// When its answer went.
    pub ended: Instant,
    /// What was answered.
    pub status: u16,
    /// What was answered, where that is JSON.
    pub answer: Value,
}

/// Everything that passed.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Recorded>>>);

impl Recorder {
    /// What passed from this moment on.
    pub fn since(&self, moment: Instant) -> Vec<Recorded> {
        let all = self.0.lock().expect("not poisoned");
        all.iter().filter(|one| one.began >= moment).cloned().collect()
    }

    /// Passes on to the API server what comes to the address that it returns.
    pub async fn before_kubernetes(&self, client: kube::Client) -> String {
        let recorder = self.clone();
        listen(move |request| {
            let (recorder, client) = (recorder.clone(), client.clone());
            async move { recorder.pass_to_kubernetes(client, request).await }
        })
        .await
    }

    /// Passes on to a service of AWS what comes to the address that it returns.
    pub async fn before_aws(&self, endpoint: &str) -> String {
        let (recorder, endpoint) = (self.clone(), endpoint.to_owned());
        listen(move |request| {
            let (recorder, endpoint) = (recorder.clone(), endpoint.clone());
            async move { recorder.pass_to_aws(endpoint, request).await }
        })
        .await
    }

    async fn pass_to_kubernetes(&self, client: kube::Client, request: Request) -> Response {
        let began = Instant::now();
        let (mut recorded, body) = taken(Service::Kubernetes, request, began).await;
        let mut forwarded = http::Request::builder().method(&recorded.method).uri(&recorded.uri);
        for (name, value) in &recorded.headers {
            forwarded = forwarded.header(name, value);
        }
        let forwarded = forwarded.body(kube::client::Body::from(body.to_vec())).expect("a request");
        let answer = client.send(forwarded).await.expect("the API server answers");
        let (parts, body) = answer.into_parts();
        let watches = recorded.uri.contains("watch=1") || recorded.uri.contains("watch=true");
        let body = if watches {
            // Never ends, and is nobody's request for one tenant.
            Body::new(body)
        } else {
            let bytes = to_bytes(Body::new(body), LARGEST).await.expect("the whole answer");
            recorded.status = parts.status.as_u16();
            recorded.answer = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            self.note(recorded);
            Body::from(bytes)
        };
        answered(&parts, body)
    }

    async fn pass_to_aws(&self, endpoint: String, request: Request) -> Response {
        let began = Instant::now();
        let (mut recorded, body) = taken(Service::Aws(endpoint.clone()), request, began).await;
        let mut forwarded =
            http::Request::builder().method(&recorded.method).uri(format!("{endpoint}{}", recorded.uri));
        for (name, value) in &recorded.headers {
            forwarded = forwarded.header(name, value);
        }
        let forwarded = forwarded.body(Full::new(body)).expect("a request");
        let client = HttpClient::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let answer = client.request(forwarded).await.expect("the emulator answers");
        let (parts, body) = answer.into_parts();
        let bytes = to_bytes(Body::new(body), LARGEST).await.expect("the whole answer");
        recorded.status = parts.status.as_u16();
        recorded.answer = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        self.note(recorded);
        answered(&parts, Body::from(bytes))
    }

    fn note(&self, mut recorded: Recorded) {
        recorded.ended = Instant::now();
        self.0.lock().expect("not poisoned").push(recorded);
    }
}

async fn listen<F: Future<Output = Response> + Send + 'static>(
    pass: impl Fn(Request) -> F + Clone + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let router: Router = Router::new().fallback(pass);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn taken(service: Service, request: Request, began: Instant) -> (Recorded, Bytes) {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.expect("the whole request");
    let kept = ["content-type", "accept", "x-amz-target", "x-amz-date", "authorization"];
    let headers = parts.headers.iter().filter(|(name, _)| kept.contains(&name.as_str()));
    let recorded = Recorded {
        service,
        method: parts.method,
        uri: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        began,
        ended: began,
        status: 0,
        answer: Value::Null,
    };
    (recorded, body)
}

fn answered(parts: &http::response::Parts, body: Body) -> Response {
    let mut answer = Response::builder().status(parts.status);
    for (name, value) in &parts.headers {
        if !["transfer-encoding", "content-length", "connection"].contains(&name.as_str()) {
            answer = answer.header(name, value);
        }
    }
    answer.body(body).expect("an answer")
}
