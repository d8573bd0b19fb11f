//! A stand-in for the EKS Pod Identity agent: credentials for whoever shows the token of a pod that it knows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use serde_json::json;

/// Access keys of pods, by their identity tokens.
type Known = Arc<Mutex<HashMap<String, String>>>;

/// The agent. It ends with the test's runtime.
pub struct Agent {
    /// Where it gives credentials.
    pub url: String,
    known: Known,
}

impl Agent {
    /// Starts one that knows nobody.
    pub async fn start() -> Self {
        let known = Known::default();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}/v1/credentials", listener.local_addr().expect("its address"));
        let router = Router::new().route("/v1/credentials", get(credentials)).with_state(known.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, known }
    }

    /// Lets the holder of this token have credentials with this access key.
    pub fn know(&self, token: &str, access_key: &str) {
        self.known.lock().expect("not poisoned").insert(token.to_owned(), access_key.to_owned());
    }
}

async fn credentials(State(known): State<Known>, headers: HeaderMap) -> Result<String, StatusCode> {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()).ok_or(StatusCode::UNAUTHORIZED)?;
    let access_key = known.lock().expect("not poisoned").get(token).cloned().ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(json!({
        "AccessKeyId": access_key,
        "SecretAccessKey": "made up by the stand-in",
        "Token": "made up by the stand-in",
        "Expiration": "2100-01-01T00:00:00Z",
    })
    .to_string())
}
