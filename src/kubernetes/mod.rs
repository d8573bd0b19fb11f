//! Single requests to the Kubernetes API: raw JSON, one attempt, a timeout, and the fence before every write.
//!
//! Raw JSON, because typed structs hide fields that this build does not know, and a hidden field is hidden drift.

mod error;
pub mod listing;
mod live;
mod resource;

use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use serde_json::Value;

pub use error::RequestError;
pub use live::Live;
pub use resource::{Resource, definitions};

use crate::{
    api::labels::FIELD_MANAGER,
    fence::{Fence, REQUEST_TIMEOUT},
    telemetry::{metrics::Metrics, result::RequestResult},
};

/// What is asked of the server with every write: a field that it does not know is an error that names it. Dropped without a word, it
/// would be written again for ever, or be missing when a decision asks for it.
///
/// So a new operator with the CustomResourceDefinitions of an older one loses nothing. What its record has no room for is refused
/// before anything that hangs on it is made, changed or removed (S6), because that waits for the record; what is there stays and runs
/// on, and the end of access waits for no record. The refusal says which definitions to apply, and goes by itself once they are.
const STRICT: &str = "fieldValidation=Strict";

/// Requests to one API server.
#[derive(Clone)]
pub struct Kubernetes {
    client: Client,
    fence: Fence,
    metrics: Metrics,
}

/// How a write reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Json,
    MergePatch,
    JsonPatch,
}

impl Body {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MergePatch => "application/merge-patch+json",
            Self::JsonPatch => "application/json-patch+json",
        }
    }
}

impl Kubernetes {
    /// Requests by this client. Its own retries must be off (`Config::default_retry`).
    pub const fn new(client: Client, fence: Fence, metrics: Metrics) -> Self {
        Self { client, fence, metrics }
    }

    /// The client, for watches.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Reads an object; `None` where there is none.
    ///
    /// # Errors
    /// Where the server refuses or does not answer in time.
    pub async fn get(&self, resource: &Resource) -> Result<Option<Value>, RequestError> {
        let request = build(Method::GET, resource.path(), "", None)?;
        match self.send(resource, "get", request).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of the collection that an object is in.
    ///
    /// # Errors
    /// Where the server refuses or does not answer in time.
    pub async fn list(&self, resource: &Resource) -> Result<Vec<Value>, RequestError> {
        let request = build(Method::GET, resource.collection_path(), "", None)?;
        let mut answer = self.send(resource, "list", request).await?;
        Ok(answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// Up to so many objects of a collection, of those whose field has this value.
    ///
    /// # Errors
    /// Where the server refuses or does not answer in time.
    pub async fn list_some(
        &self,
        resource: &Resource,
        (field, value): (&str, &str),
        most: u16,
    ) -> Result<Vec<Value>, RequestError> {
        let query = format!("fieldSelector={field}%3D{value}&limit={most}");
        let request = build(Method::GET, resource.collection_path(), &query, None)?;
        let mut answer = self.send(resource, "list", request).await?;
        Ok(answer["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// The version that the server's store has now, as a list of one kind tells it; `None` where it does not read as a number.
    ///
    /// # Errors
    /// Where the server refuses or does not answer in time.
    pub async fn revision(&self, resource: &Resource) -> Result<Option<u64>, RequestError> {
        let request = build(Method::GET, resource.collection_path(), "limit=1", None)?;
        let answer = self.send(resource, "list", request).await?;
        Ok(answer["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()))
    }

    /// Makes an object that must not be there yet.
    ///
    /// # Errors
    /// `AlreadyExists` where it is, and where the server refuses or does not answer in time.
    pub async fn create(&self, resource: &Resource, object: &Value) -> Result<Value, RequestError> {
        let query = format!("fieldManager={FIELD_MANAGER}&{STRICT}");
        let request = build(Method::POST, resource.collection_path(), &query, Some((Body::Json, object)))?;
        self.write(resource, "create", request).await
    }

    /// Replaces an object. It must carry the resource version that it replaces.
    ///
    /// # Errors
    /// `Conflict` where it is a later state, and where the server refuses or does not answer in time.
    pub async fn replace(&self, resource: &Resource, object: &Value) -> Result<Value, RequestError> {
        let query = format!("fieldManager={FIELD_MANAGER}&{STRICT}");
        let request = build(Method::PUT, resource.path(), &query, Some((Body::Json, object)))?;
        self.write(resource, "update", request).await
    }

    /// What the server would make of a replacement. Nothing is written, so no permit is needed.
    ///
    /// # Errors
    /// Where the server refuses or does not answer in time.
    pub async fn rehearse_replace(&self, resource: &Resource, object: &Value) -> Result<Value, RequestError> {
        let query = format!("fieldManager={FIELD_MANAGER}&{STRICT}&dryRun=All");
        let request = build(Method::PUT, resource.path(), &query, Some((Body::Json, object)))?;
        self.send(resource, "rehearse", request).await
    }

    /// JSON merge patch. It must carry UID and resource version.
    ///
    /// # Errors
    /// `Conflict` where it is another object or a later state, and where the server refuses or does not answer in time.
    pub async fn merge_patch(&self, resource: &Resource, patch: &Value) -> Result<Value, RequestError> {
        let query = format!("fieldManager={FIELD_MANAGER}&{STRICT}");
        let request = build(Method::PATCH, resource.path(), &query, Some((Body::MergePatch, patch)))?;
        self.write(resource, "patch", request).await
    }

    /// JSON patch. It must replace the resource version by the one that it is about.
    ///
    /// # Errors
    /// `Conflict` where it is a later state, and where the server refuses or does not answer in time.
    pub async fn json_patch(&self, resource: &Resource, patch: &Value) -> Result<Value, RequestError> {
        let query = format!("fieldManager={FIELD_MANAGER}&{STRICT}");
        let request = build(Method::PATCH, resource.path(), &query, Some((Body::JsonPatch, patch)))?;
        self.write(resource, "patch", request).await
    }

    /// Deletes this very object; one that is gone already is success.
    ///
    /// # Errors
    /// `Conflict` where it is another object or a later state, and where the server refuses or does not answer in time.
    pub async fn delete(&self, resource: &Resource, preconditions: &Value) -> Result<(), RequestError> {
        let options = serde_json::json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions,
        });
        let request = build(Method::DELETE, resource.path(), "", Some((Body::Json, &options)))?;
        match self.write(resource, "delete", request).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn write(
        &self,
        resource: &Resource,
        verb: &'static str,
        request: Request<Vec<u8>>,
    ) -> Result<Value, RequestError> {
        let _permit = self.fence.permit()?;
        self.send(resource, verb, request).await
    }

    async fn send(
        &self,
        resource: &Resource,
        verb: &'static str,
        request: Request<Vec<u8>>,
    ) -> Result<Value, RequestError> {
        let answer = within(REQUEST_TIMEOUT, self.client.request::<Live>(request)).await;
        let result = answer.map_err(|error| error.about(verb, resource));
        let outcome = result.as_ref().map_or_else(RequestError::result, |_| RequestResult::Ok);
        self.metrics.kubernetes_request(verb, resource.kind(), outcome);
        result
    }
}

async fn within(
    timeout: Duration,
    request: impl Future<Output = kube::Result<Live>>,
) -> Result<Value, error::RawError> {
    match tokio::time::timeout(timeout, request).await {
        Ok(answer) => answer.map(|live| live.value).map_err(error::RawError::Failed),
        Err(_) => Err(error::RawError::TimedOut(timeout)),
    }
}

fn build(
    method: Method,
    path: String,
    query: &str,
    body: Option<(Body, &Value)>,
) -> Result<Request<Vec<u8>>, RequestError> {
    let uri = if query.is_empty() { path } else { format!("{path}?{query}") };
    let builder = Request::builder().method(method).uri(&uri);
    let request = match body {
        None => builder.body(Vec::new()),
        Some((kind, value)) => builder
            .header(http::header::CONTENT_TYPE, kind.content_type())
            .body(serde_json::to_vec(value).map_err(|error| RequestError::unsendable(&uri, error.to_string()))?),
    };
    request.map_err(|error| RequestError::unsendable(&uri, error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Router, http::Uri};
    use serde_json::json;

    use super::*;

    /// Another write would drop what the server does not know, and nobody would hear of it.
    #[tokio::test]
    async fn every_write_asks_to_hear_of_fields_that_the_server_does_not_know() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let router: Router = Router::new().fallback(async move |method: Method, uri: Uri| {
            record.lock().expect("not poisoned").push((method, uri.query().unwrap_or_default().to_owned()));
            "{}"
        });
        let kubernetes = Kubernetes::new(Client::new(router, "default"), Fence::of_a_person(), Metrics::new("", ""));
        let (resource, object) = (Resource::cluster(definitions::TENANT, "alice"), json!({}));
        kubernetes.create(&resource, &object).await.expect("answered");
        kubernetes.replace(&resource, &object).await.expect("answered");
        kubernetes.rehearse_replace(&resource, &object).await.expect("answered");
        kubernetes.merge_patch(&resource, &object).await.expect("answered");
        kubernetes.json_patch(&resource, &json!([])).await.expect("answered");
        let by_us = "fieldManager=openclaw-tenant-operator&fieldValidation=Strict";
        let expected = [
            (Method::POST, by_us.to_owned()),
            (Method::PUT, by_us.to_owned()),
            (Method::PUT, format!("{by_us}&dryRun=All")),
            (Method::PATCH, by_us.to_owned()),
            (Method::PATCH, by_us.to_owned()),
        ];
        assert_eq!(*seen.lock().expect("not poisoned"), expected);
    }
}
