//! Requests of the command's own, in the caller's name: one object, or every object of a kind. One attempt each.

use std::time::Duration;

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
    discovery,
};
use serde_json::Value;

use crate::{
    kubernetes::listing::pages,
    telemetry::result::describe,
    tenant::{child::Kind, child::KindInfo},
};

/// The longest that one object may take.
const TIMEOUT: Duration = Duration::from_secs(30);

const DEPLOYMENT: KindInfo =
    KindInfo { group: "apps", version: "v1", kind: "Deployment", plural: "deployments", namespaced: true };
/// Secrets.
pub(super) const SECRET: KindInfo =
    KindInfo { group: "", version: "v1", kind: "Secret", plural: "secrets", namespaced: true };

/// The groups of agent-sandbox (github.com/kubernetes-sigs/agent-sandbox, k8s/crds): its versions are asked for, because there are
/// clusters with v1alpha1 alone.
const SANDBOX: [(&str, &str); 2] = [("agents.x-k8s.io", "Sandbox"), ("extensions.agents.x-k8s.io", "SandboxClaim")];

fn apps() -> Vec<ApiResource> {
    vec![DEPLOYMENT.into(), Kind::StatefulSet.info().into()]
}

/// The kinds of workloads that the old side may have.
///
/// # Errors
/// Where it cannot be told what agent-sandbox serves.
pub(super) async fn workload_kinds(client: &Client) -> Result<Vec<ApiResource>, String> {
    let mut kinds = apps();
    for (group, kind) in SANDBOX {
        match discovery::group(client, group).await {
            Ok(found) => kinds.extend(found.recommended_kind(kind).map(|(resource, _)| resource)),
            Err(kube::Error::Discovery(_)) => {}
            Err(error) => return Err(format!("what {group} serves: {}", describe(&error))),
        }
    }
    Ok(kinds)
}

/// Metadata of every object of a kind in a namespace, each with its kind; none where the kind is not served. Of Secrets nothing
/// else is ever asked for.
pub(super) async fn metadata(client: &Client, resource: &ApiResource, namespace: &str) -> Result<Vec<Value>, String> {
    let api = api(client, resource, Some(namespace));
    let found = pages(ListParams::default(), async |params| api.list_metadata(params).await).await;
    let mut all = or_none(found, resource)?;
    name_kind(&mut all, resource);
    Ok(all)
}

/// One object; `None` where there is none.
pub(super) async fn get(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
    name: &str,
) -> Result<Option<Value>, String> {
    let api = api(client, resource, namespace);
    let answer = tokio::time::timeout(TIMEOUT, api.get_opt(name)).await;
    let found = answer.map_err(|_| "no answer".to_owned())?.map_err(|error| describe(&error))?;
    Ok(found.as_ref().map(as_value))
}

/// Every object of a kind; none where the kind is not served.
pub(super) async fn list(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
) -> Result<Vec<Value>, String> {
    selected(client, resource, namespace, ListParams::default()).await
}

/// Objects of a kind and of one name, in every namespace. A name that can be none finds nothing.
pub(super) async fn list_of_name(client: &Client, resource: &ApiResource, name: &str) -> Result<Vec<Value>, String> {
    // Somebody else may have written it, and a selector has signs of its own.
    if !name.chars().all(|one| one.is_ascii_alphanumeric() || "-.".contains(one)) {
        return Ok(Vec::new());
    }
    selected(client, resource, None, ListParams::default().fields(&format!("metadata.name={name}"))).await
}

async fn selected(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
    which: ListParams,
) -> Result<Vec<Value>, String> {
    let api = api(client, resource, namespace);
    or_none(pages(which, async |params| api.list(params).await).await, resource)
}

/// A kind that is not served has no objects.
fn or_none(found: Result<Vec<Value>, Option<String>>, resource: &ApiResource) -> Result<Vec<Value>, String> {
    found.or_else(|why| why.map_or(Ok(Vec::new()), |why| Err(format!("{}: {why}", resource.plural))))
}

/// The same, each with its kind and version, which a list leaves out.
pub(super) async fn list_named(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
) -> Result<Vec<Value>, String> {
    let mut all = list(client, resource, namespace).await?;
    name_kind(&mut all, resource);
    Ok(all)
}

fn name_kind(objects: &mut [Value], resource: &ApiResource) {
    for object in objects {
        object["kind"] = resource.kind.clone().into();
        object["apiVersion"] = resource.api_version.clone().into();
    }
}

fn as_value(object: &impl serde::Serialize) -> Value {
    // Metadata and JSON always serialise.
    serde_json::to_value(object).unwrap_or_default()
}

/// The requests about a kind, in a namespace or in the whole cluster.
pub(super) fn api(client: &Client, resource: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}
