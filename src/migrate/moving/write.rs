//! The few requests by which the caller changes something: each to the very object that was looked at, one attempt.

use std::time::Duration;

use kube::{
    Client,
    api::{ApiResource, DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy},
    core::GroupVersion,
};
use serde_json::{Value, json};

use super::{MoveError, doomed::Dependents, removal::Thing, sight::title};
use crate::{
    api::labels::CUT_OVER,
    kubernetes::definitions,
    migrate::{cluster::api, today::MANAGER},
    telemetry::result::describe,
    tenant::views,
};

/// The longest that one request may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What came of a change to an object that somebody else may have changed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Yes,
    /// The object is another than was looked at: look again.
    LookAgain,
}

/// The resource that an object is one of. The plural is as the API server's own kinds have it, and agent-sandbox's.
fn resource(kind: &str, api_version: &str) -> ApiResource {
    let version: GroupVersion = api_version.parse().unwrap_or_else(|_| GroupVersion::gv("", api_version));
    let lower = kind.to_lowercase();
    let plural = if lower.ends_with('x') { format!("{lower}es") } else { format!("{lower}s") };
    ApiResource::from_gvk_with_plural(&version.with_kind(kind), &plural)
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// Changes an object by a merge patch that carries its UID and resource version.
pub async fn change(client: &Client, namespace: &str, object: &Value, patch: &Value) -> Result<Changed, MoveError> {
    let (kind, version) =
        (object["kind"].as_str().unwrap_or_default(), object["apiVersion"].as_str().unwrap_or_default());
    let api = api(client, &resource(kind, version), Some(namespace));
    let (parameters, patch) = (parameters(), Patch::Merge(patch));
    match tokio::time::timeout(TIMEOUT, api.patch(views::name(object), &parameters, &patch)).await {
        Ok(Ok(_)) => Ok(Changed::Yes),
        Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(Changed::LookAgain),
        Ok(Err(error)) => Err(refused(title(object), describe(&error))),
        Err(_) => Err(refused(title(object), no_answer())),
    }
}

/// Gives the Tenant an order, or takes it off.
pub async fn order(client: &Client, tenant: &Value, value: Option<&str>) -> Result<(), MoveError> {
    let api = api(client, &definitions::TENANT.into(), None);
    let name = views::name(tenant);
    let patch = json!({ "metadata": { "uid": tenant["metadata"]["uid"], "annotations": { CUT_OVER: value } } });
    let what = || format!("Tenant {name}");
    match tokio::time::timeout(TIMEOUT, api.patch_metadata(name, &parameters(), &Patch::Merge(&patch))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(refused(what(), describe(&error))),
        Err(_) => Err(refused(what(), no_answer())),
    }
}

/// Deletes the very object that is meant; whether it was there.
pub async fn delete(
    client: &Client,
    namespace: &str,
    thing: &Thing,
    dependents: Dependents,
) -> Result<bool, MoveError> {
    let api = api(client, &resource(&thing.kind, &thing.api_version), Some(namespace));
    let policy = match dependents {
        Dependents::Go => PropagationPolicy::Background,
        Dependents::Stay => PropagationPolicy::Orphan,
    };
    let preconditions = Preconditions { uid: Some(thing.uid.clone()), resource_version: None };
    let parameters = DeleteParams {
        preconditions: Some(preconditions),
        propagation_policy: Some(policy),
        ..DeleteParams::default()
    };
    match tokio::time::timeout(TIMEOUT, api.delete(&thing.name, &parameters)).await {
        Ok(Ok(_)) => Ok(true),
        // Gone, or another of that name: what was meant is no more.
        Ok(Err(kube::Error::Api(status))) if status.code == 404 || status.code == 409 => Ok(false),
        Ok(Err(error)) => Err(refused(thing.to_string(), describe(&error))),
        Err(_) => Err(refused(thing.to_string(), no_answer())),
    }
}

fn refused(what: String, why: String) -> MoveError {
    MoveError::Refused { what, why }
}

fn no_answer() -> String {
    format!("no answer within {} s", TIMEOUT.as_secs())
}

#[cfg(test)]
mod tests {
    use super::resource;

    #[test]
    fn kinds_are_asked_for_by_their_plurals() {
        let plural = |kind, version| resource(kind, version).plural;
        assert_eq!(plural("Deployment", "apps/v1"), "deployments");
        assert_eq!(plural("Sandbox", "agents.x-k8s.io/v1beta1"), "sandboxes");
        assert_eq!(plural("SandboxClaim", "extensions.agents.x-k8s.io/v1beta1"), "sandboxclaims");
        let secret = resource("Secret", "v1");
        assert_eq!((secret.group.as_str(), secret.version.as_str(), secret.plural.as_str()), ("", "v1", "secrets"));
    }
}
