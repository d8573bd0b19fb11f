//! For tests: an HTTP server that answers as told and remembers what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aws_credential_types::Credentials;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::Response,
};

use super::client::{AwsClients, from_config, loader};
use crate::{
    aws::limits::Rates,
    clock::BootInstant,
    fence::{Fence, REQUEST_TIMEOUT},
    telemetry::metrics::Metrics,
};

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// What to answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
    comes: bool,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self { status, content_type: "application/x-amz-json-1.1", headers: vec![], body: body.to_owned(), comes: true }
    }

    pub(crate) fn xml(status: u16, body: &str) -> Self {
        Self { content_type: "text/xml", ..Self::json(status, body) }
    }

    /// An error as the JSON services word it.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &serde_json::json!({"__type": code, "message": message}).to_string())
    }

    /// No answer at all.
    pub(crate) fn never() -> Self {
        Self { comes: false, ..Self::json(200, "") }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<Seen>>,
}

/// The server. It ends with the test's runtime.
pub(crate) struct FakeAws {
    script: Arc<Script>,
    config: aws_config::SdkConfig,
}

impl FakeAws {
    /// Answers in this order; after the last with 418, so that a request too many is seen.
    pub(crate) async fn start(answers: Vec<Answer>) -> Self {
        let script = Arc::new(Script { answers: Mutex::new(answers.into()), ..Script::default() });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = loader(Some("eu-west-1".to_owned()))
            .endpoint_url(format!("http://{address}"))
            .credentials_provider(Credentials::new("AKIAEXAMPLE", "example", None, None, "test"))
            .load()
            .await;
        Self { script, config }
    }

    pub(crate) fn clients(&self, fence: Fence) -> AwsClients {
        from_config(&self.config, "prod".to_owned(), Rates::default(), fence, None).expect("a region")
    }

    /// Clients whose requests are counted.
    pub(crate) fn counted_clients(&self, fence: Fence, metrics: Metrics) -> AwsClients {
        from_config(&self.config, "prod".to_owned(), Rates::default(), fence, Some(metrics)).expect("a region")
    }

    /// Clients that ask somewhere else.
    pub(crate) fn clients_at(&self, endpoint: &str, fence: Fence) -> AwsClients {
        let config = self.config.clone().into_builder().endpoint_url(endpoint).build();
        from_config(&config, "prod".to_owned(), Rates::default(), fence, None).expect("a region")
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().expect("lock").clone()
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    script.seen.lock().expect("lock").push(Seen {
        method: head.method.to_string(),
        uri: head.uri.to_string(),
        body: String::from_utf8(body.to_vec()).expect("UTF-8"),
    });
    let next = script.answers.lock().expect("lock").pop_front();
    let answer = next.unwrap_or_else(|| Answer::json(418, "{}"));
    if !answer.comes {
        std::future::pending::<()>().await;
    }
    let mut response = Response::builder().status(answer.status).header("content-type", answer.content_type);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).expect("a response")
}

/// A fence that lets writes through.
pub(crate) fn open_fence() -> Fence {
    let fence = Fence::closed();
    fence.open_until(BootInstant::now().after(REQUEST_TIMEOUT * 100));
    fence
}
