//! Lists of whole kinds, for commands that act in their caller's name.

use std::time::Duration;

use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject, ListParams, ObjectList},
};
use serde::Serialize;
use serde_json::Value;

use crate::{telemetry::result::describe, tenant::child::KindInfo};

/// The longest that one page of a list may take.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Objects in one page.
const PAGE: u32 = 500;

/// Why a command cannot see the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// No cluster to talk to.
    #[error("no Kubernetes cluster: {0}. Run inside a cluster or set KUBECONFIG")]
    NoCluster(#[from] kube::config::InferConfigError),
    /// The client cannot be made.
    #[error("the Kubernetes client cannot be made: {0}")]
    Client(kube::Error),
    /// Kubernetes refuses or does not answer.
    #[error("{plural} cannot be listed: {why}. The command needs the right to list them")]
    Refused {
        /// What was to be listed.
        plural: &'static str,
        /// Why not.
        why: String,
    },
    /// Kubernetes refuses or does not answer.
    #[error("{kind} {name} cannot be seen: {why}. The command needs the right to get it")]
    Unseen {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why not.
        why: String,
    },
    /// Without our kinds nothing that is seen means anything.
    #[error(
        "{plural} are not served: install the CustomResourceDefinitions, or name the right cluster in KUBECONFIG. Without \
         them nothing that is seen means anything"
    )]
    NotServed {
        /// What is not served.
        plural: &'static str,
    },
}

/// The cluster that the caller's environment names, in the caller's name. Nothing is tried twice.
///
/// # Errors
/// Where there is none.
pub async fn callers_cluster() -> Result<Client, ListError> {
    let mut config = Config::infer().await?;
    config.default_retry = false;
    Client::try_from(config).map_err(ListError::Client)
}

/// Every object of a cluster-scoped kind.
///
/// # Errors
/// Where the server refuses or does not answer for any page: half a list is none.
pub async fn all(client: &Client, info: KindInfo) -> Result<Vec<Value>, ListError> {
    let plural = info.plural;
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from(info));
    let found = pages(ListParams::default(), async |params| api.list(params).await).await;
    found.map_err(|why| why.map_or(ListError::NotServed { plural }, |why| ListError::Refused { plural, why }))
}

/// One object of a cluster-scoped kind; `None` where there is none of this name.
///
/// # Errors
/// Where the server refuses or does not answer.
pub async fn named(client: &Client, info: KindInfo, name: &str) -> Result<Option<Value>, ListError> {
    let refused = |why| ListError::Unseen { kind: info.kind, name: name.to_owned(), why };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from(info));
    match tokio::time::timeout(PAGE_TIMEOUT, api.get_opt(name)).await {
        Ok(Ok(object)) => Ok(object.map(|object| serde_json::to_value(object).unwrap_or_default())),
        Ok(Err(error)) => Err(refused(describe(&error))),
        Err(_) => Err(refused(format!("no answer within {} s", PAGE_TIMEOUT.as_secs()))),
    }
}

/// All pages of a list, as raw objects.
///
/// # Errors
/// Why one of them cannot be had; `None` where the kind is not served.
pub async fn pages<K: Clone + Serialize>(
    which: ListParams,
    page: impl AsyncFn(&ListParams) -> kube::Result<ObjectList<K>>,
) -> Result<Vec<Value>, Option<String>> {
    let mut params = which.limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = match tokio::time::timeout(PAGE_TIMEOUT, page(&params)).await {
            Ok(Ok(page)) => page,
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => return Err(None),
            Ok(Err(error)) => return Err(Some(describe(&error))),
            Err(_) => return Err(Some(format!("no answer within {} s", PAGE_TIMEOUT.as_secs()))),
        };
        // Metadata and JSON always serialise.
        found.extend(page.items.iter().map(|object| serde_json::to_value(object).unwrap_or_default()));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}
