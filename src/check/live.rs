//! The cluster's side of `check`: what is there, and a rehearsal of each manifest. With the caller's own rights; nothing is written.

use std::sync::Arc;

use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams, ValidationDirective},
};
use serde_json::Value;

use super::{
    judge::Sight,
    manifest::{Kind, Manifest},
    report::{Finding, Severity},
    schema::Problem,
};
use crate::{
    fence::REQUEST_TIMEOUT,
    kubernetes::{
        definitions,
        listing::{ListError, all},
    },
    telemetry::result::describe,
    tenant::settings::Settings,
};

/// Looks at what is there. Tenants and classes have to be seen; what else the caller may not see is told in the second value, and
/// then not judged.
///
/// # Errors
/// Where Tenants or classes cannot be listed.
pub async fn look(client: &Client, settings: Arc<Settings>) -> Result<(Sight, Vec<String>), ListError> {
    let (classes, tenants) = tokio::try_join!(all(client, definitions::CLASS), all(client, definitions::TENANT))?;
    let mut unseen = Vec::new();
    let mut or_nothing = |list: Result<Vec<Value>, ListError>, what: &str| {
        list.unwrap_or_else(|error| {
            unseen.push(format!("{error}. {what}"));
            Vec::new()
        })
    };
    let records = all(client, definitions::RECORD).await;
    let records = or_nothing(records, "Owners, sizes and places of tenants that are there are not judged");
    let namespaces = all(client, definitions::NAMESPACE).await;
    let namespaces = or_nothing(namespaces, "Whether a namespace is taken is not judged");
    Ok((Sight { settings, now: Timestamp::now(), classes, tenants, records, namespaces, live: true }, unseen))
}

/// Applies a manifest without writing anything, and tells what the server says against it: its schema, its rules, those that compare
/// with the live object, and the cluster's policies.
pub async fn rehearse(client: &Client, manifest: &Manifest) -> Option<Finding> {
    let info = match manifest.kind {
        Kind::Tenant => definitions::TENANT,
        Kind::Class => definitions::CLASS,
    };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from(info));
    let params = PatchParams {
        dry_run: true,
        force: true,
        field_manager: Some("openclaw-check".to_owned()),
        field_validation: Some(ValidationDirective::Strict),
    };
    let mut object = manifest.written.clone();
    // Server-side apply takes none of these, and kubectl apply leaves them out as well.
    for field in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"] {
        object["metadata"].as_object_mut()?.remove(field);
    }
    let patch = Patch::Apply(&object);
    let attempt = tokio::time::timeout(REQUEST_TIMEOUT, api.patch(&manifest.name, &params, &patch)).await;
    let unrehearsed = |why: String| {
        let message = format!("it could not be rehearsed: {why}");
        Finding { severity: Severity::Warning, ..manifest.finding(Problem::new(&"", message)) }
    };
    match attempt {
        Ok(Ok(_)) => None,
        Ok(Err(error @ kube::Error::Api(_))) if is_the_manifests_fault(&error) => {
            Some(manifest.finding(Problem::new(&"", format!("the API server refuses it: {}", describe(&error)))))
        }
        Ok(Err(error)) => Some(unrehearsed(describe(&error))),
        Err(_) => Some(unrehearsed(format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()))),
    }
}

/// Whether a refusal is about the manifest, and not about what the caller may do or how the server is.
fn is_the_manifests_fault(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => match status.code {
            // Policies refuse with the same code as lacking rights do; only those speak of a resource that cannot be changed.
            403 => {
                !status.message.contains("cannot patch resource") && !status.message.contains("cannot create resource")
            }
            400..=499 => !matches!(status.code, 401 | 404 | 408 | 429),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16, message: &str) -> bool {
        let status = kube::core::Status::failure(message, "").with_code(code);
        is_the_manifests_fault(&kube::Error::Api(status.boxed()))
    }

    #[test]
    fn lacking_rights_and_a_weak_server_are_not_the_manifests_fault() {
        assert!(refusal(422, "spec.owner: Required value"));
        assert!(refusal(403, "ValidatingAdmissionPolicy 'x' denied request: no"));
        assert!(!refusal(403, "tenants.openclaw.io \"a\" is forbidden: User \"u\" cannot patch resource \"tenants\""));
        assert!(!refusal(401, "Unauthorized") && !refusal(429, "too many") && !refusal(503, "down"));
    }
}
