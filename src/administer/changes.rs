//! What administrators change: each change is bound to what the caller has looked at, so that a question that was answered is
//! never carried out on something else.

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{AdministerError, Sight};
use crate::{
    api::{
        labels::{CONFIRM_DELETION, FIELD_MANAGER, FINALIZER, ROTATE_SECRETS},
        names::TenantName,
    },
    fence::REQUEST_TIMEOUT,
    kubernetes::definitions,
    telemetry::result::{RequestResult, describe},
    tenant::{
        breaker::{Deletion, Stage},
        child::KindInfo,
        observed::{RecordView, TenantView},
        orders::confirmation,
    },
};

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It was made.
    Made,
    /// What was to be changed is gone.
    Gone,
}

/// What came of changes that were made one after the other.
#[derive(Debug, Default)]
pub struct Tally {
    /// Whose were made.
    pub done: Vec<TenantName>,
    left: Vec<TenantName>,
    failure: Option<AdministerError>,
}

impl Tally {
    /// Fails where not all were made, and says whose were not.
    ///
    /// # Errors
    /// [`AdministerError::Left`].
    pub fn complete(self) -> Result<(), AdministerError> {
        if self.left.is_empty() {
            return Ok(());
        }
        let changed = || "They have changed since they were looked at: look again, and repeat it".to_owned();
        let why = self.failure.map_or_else(changed, |failure| failure.to_string());
        Err(AdministerError::Left { left: self.left, why })
    }
}

/// Makes one change after the other. Somebody else's change to one object holds up no other; any other failure would meet all.
async fn one_by_one<T>(
    all: impl IntoIterator<Item = (TenantName, T)>,
    change: impl AsyncFn(&TenantName, T) -> Result<Change, AdministerError>,
) -> Tally {
    let mut tally = Tally::default();
    let mut all = all.into_iter();
    for (name, one) in all.by_ref() {
        match change(&name, one).await {
            Ok(Change::Made) => tally.done.push(name),
            Ok(Change::Gone) => {}
            Err(AdministerError::Changed { .. }) => tally.left.push(name),
            Err(failure) => {
                tally.left.push(name);
                tally.failure = Some(failure);
                break;
            }
        }
    }
    tally.left.extend(all.map(|(name, _)| name));
    tally
}

/// Writes an order on a record, as it was looked at: an annotation, which the leading operator takes off when it has dealt with it.
///
/// # Errors
/// Where the record has changed since, or Kubernetes refuses or does not answer.
pub async fn order(
    client: &Client,
    name: &TenantName,
    view: &RecordView,
    key: &str,
    value: &str,
) -> Result<(), AdministerError> {
    // A record keeps its UID over incarnations: its version alone says what was seen.
    let metadata = json!({ "uid": view.uid, "resourceVersion": view.resource_version, "annotations": { key: value } });
    match patch(client, definitions::RECORD, name.as_str(), &json!({ "metadata": metadata })).await? {
        Change::Made => Ok(()),
        Change::Gone => Err(AdministerError::NoRecord(name.clone())),
    }
}

/// Orders a rotation of a Tenant's generated secrets: an annotation on this very Tenant.
///
/// # Errors
/// Where it is gone or another one, or Kubernetes refuses or does not answer.
pub async fn order_rotation(
    client: &Client,
    name: &TenantName,
    tenant: &TenantView,
    value: &str,
) -> Result<(), AdministerError> {
    let metadata = json!({ "uid": tenant.uid, "annotations": { ROTATE_SECRETS: value } });
    match patch(client, definitions::TENANT, name.as_str(), &json!({ "metadata": metadata })).await? {
        Change::Made => Ok(()),
        Change::Gone => Err(AdministerError::NoTenant(name.clone())),
    }
}

async fn patch(client: &Client, info: KindInfo, name: &str, patch: &Value) -> Result<Change, AdministerError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from(info));
    let params = PatchParams { field_manager: Some(format!("{FIELD_MANAGER}-command")), ..PatchParams::default() };
    let what = format!("{} {name}", info.kind);
    match tokio::time::timeout(REQUEST_TIMEOUT, api.patch_metadata(name, &params, &Patch::Merge(patch))).await {
        Ok(Ok(_)) => Ok(Change::Made),
        Ok(Err(error)) => match RequestResult::from(&error) {
            RequestResult::Conflict => Err(AdministerError::Changed { what }),
            RequestResult::NotFound => Ok(Change::Gone),
            _ => Err(AdministerError::Refused { what, why: describe(&error) }),
        },
        Err(_) => {
            let why = format!("no answer within {} s", REQUEST_TIMEOUT.as_secs());
            Err(AdministerError::Refused { what, why })
        }
    }
}

/// Confirms the oldest removals that the breaker holds, at most so many. Each is named by when it began.
pub async fn confirm(client: &Client, sight: &Sight, most: usize) -> Tally {
    let held = sight.deletions().into_iter().filter(|one| matches!(one.stage, Stage::Held(_)));
    let chosen = held.take(most).map(|one| (one.tenant.clone(), one));
    one_by_one(chosen, async |name, Deletion { incarnation, begun, .. }| {
        let (view, _) = sight.record(name)?;
        order(client, name, view, CONFIRM_DELETION, &confirmation(&incarnation, begun)).await?;
        Ok(Change::Made)
    })
    .await
}

/// Takes our finalizer off all Tenants that carry it and touches nothing else: what they have stays, and a Tenant of the same
/// owner gets it back.
pub async fn release(client: &Client, sight: &Sight) -> Tally {
    let held = sight.held_by_finalizer().into_iter().map(|(name, tenant)| (name.clone(), tenant));
    one_by_one(held, async |name, tenant: &TenantView| {
        let finalizers: Vec<&String> = tenant.finalizers.iter().filter(|one| *one != FINALIZER).collect();
        let metadata =
            json!({ "uid": tenant.uid, "resourceVersion": tenant.resource_version, "finalizers": finalizers });
        patch(client, definitions::TENANT, name.as_str(), &json!({ "metadata": metadata })).await
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tally(of: &[&str]) -> (Vec<String>, Option<String>) {
        let name = |text: &str| text.parse::<TenantName>().expect("a name");
        let all: Vec<(TenantName, ())> = of.iter().map(|one| (name(one), ())).collect();
        let tally = one_by_one(all, async |name, ()| match name.as_str() {
            "moved" => Err(AdministerError::Changed { what: "Tenant moved".into() }),
            "gone" => Ok(Change::Gone),
            "refused" => {
                Err(AdministerError::Refused { what: "Tenant refused".into(), why: "forbidden (status 403)".into() })
            }
            _ => Ok(Change::Made),
        })
        .await;
        let done = tally.done.iter().map(ToString::to_string).collect();
        (done, tally.complete().err().map(|error| error.to_string()))
    }

    #[tokio::test]
    async fn one_that_somebody_changes_holds_up_no_other_and_is_named() {
        let (done, left) = tally(&["alice", "moved", "bob", "gone", "carol"]).await;
        assert_eq!(done, ["alice", "bob", "carol"]);
        assert_eq!(
            left.expect("one was left"),
            "left as they were: moved. They have changed since they were looked at: look again, and repeat it"
        );
        assert_eq!(tally(&["alice", "gone"]).await, (vec!["alice".to_owned()], None));
    }

    #[tokio::test]
    async fn a_failure_that_would_meet_all_ends_it_and_says_who_was_left() {
        let (done, left) = tally(&["alice", "moved", "refused", "bob"]).await;
        assert_eq!(done, ["alice"]);
        let left = left.expect("some were left");
        assert!(left.starts_with("left as they were: moved, refused, bob. Tenant refused cannot be changed"), "{left}");
    }
}
