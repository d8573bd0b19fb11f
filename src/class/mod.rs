//! What is to be said about a class itself: whether the role that its tenants share is as safe as the class needs it, and
//! how far its pod template has come to them.
//!
//! The role is looked at when the class changes and as often as everything else in AWS; told in the class's status, and written only
//! where that differs.

mod condition;
mod rolled;
mod rollouts;
mod sights;
#[cfg(test)]
mod states;
mod told;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use jiff::Timestamp;
use kube::{
    Api,
    api::{ApiResource, DynamicObject},
    runtime::{Controller, controller::Action, watcher},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{
        class::{IdentityMode, TenantClassSpec, TenantClassStatus},
        labels::GROUP,
        names::RoleArn,
    },
    aws::{AwsClients, AwsError, AwsErrorKind},
    chance::chance,
    iam::{
        Place, Reach,
        judge::{Asked, judge},
    },
    kubernetes::{Kubernetes, RequestError, Resource, definitions},
    tenant::{settings::Settings, views},
};
pub use rollouts::Rollouts;
use sights::{Read, Sights};
use told::{Seen, told};

/// How soon what failed is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// Looks after the classes.
pub struct ClassChecks {
    /// Kubernetes.
    pub kubernetes: Kubernetes,
    /// AWS, where there is one.
    pub aws: Option<AwsClients>,
    /// The operator's surroundings.
    pub settings: Arc<Settings>,
}

/// Why a class was not looked at to the end.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Kubernetes(#[from] RequestError),
}

struct Context {
    checks: ClassChecks,
    /// The generation that was looked at last, and when to look again.
    looked: Mutex<HashMap<String, (i64, Instant)>>,
    /// Held while something is read: classes that name one role read it once, and one after the other, so that many
    /// classes leave tenants their share of the requests to IAM.
    sights: tokio::sync::Mutex<Sights>,
}

impl ClassChecks {
    /// Looks after all classes until it is told to stop. Writes nothing in a dry run.
    pub async fn run(self, stop: CancellationToken) {
        if self.settings.dry_run {
            stop.cancelled().await;
            return;
        }
        let resource = ApiResource::from(definitions::CLASS);
        let classes: Api<DynamicObject> = Api::all_with(self.kubernetes.client(), &resource);
        let context =
            Arc::new(Context { checks: self, looked: Mutex::default(), sights: tokio::sync::Mutex::default() });
        Controller::new_with(classes, watcher::Config::default(), resource)
            .graceful_shutdown_on(async move { stop.cancelled().await })
            .run(check, |_, _, _| Action::requeue(AGAIN), context)
            .for_each(|_| std::future::ready(()))
            .await;
    }
}

async fn check(class: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, CheckError> {
    let name = class.metadata.name.clone().unwrap_or_default();
    let generation = class.metadata.generation.unwrap_or_default();
    if let Some(rest) = context.believed_for(&name, generation) {
        return Ok(Action::requeue(rest));
    }
    let object = json!(*class);
    // A class that cannot be read is told by the tenants that name it.
    if let Ok(spec) = views::class(&object) {
        let looked = context.look(&spec, context.not_before(&name, generation)).await;
        if let Err(error) = &looked {
            tracing::info!(%error, class = name, "the class's role is looked at again");
        }
        let seen = looked?;
        let before: TenantClassStatus = serde_json::from_value(object["status"].clone()).unwrap_or_default();
        let next = told(&seen, &before, generation, Timestamp::now());
        if next != before {
            let version = &class.metadata.resource_version;
            let metadata = json!({ "name": name, "uid": class.metadata.uid, "resourceVersion": version });
            written(&context.checks.kubernetes, metadata, &object["spec"], &next).await?;
        }
    }
    let interval = jittered(context.checks.settings.sweeps.interval, chance());
    context.believe(name, generation, interval);
    Ok(Action::requeue(interval))
}

/// Up to ten per cent later than asked for, so that many classes do not ask at once.
fn jittered(interval: Duration, chance: f64) -> Duration {
    interval.mul_f64(1.0 + 0.1 * chance.clamp(0.0, 1.0))
}

impl Context {
    /// How long what was seen of this generation is still believed: our own write makes an event too.
    fn believed_for(&self, name: &str, generation: i64) -> Option<Duration> {
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, until) = looked.get(name)?;
        let rest = until.saturating_duration_since(Instant::now());
        (*of == generation && !rest.is_zero()).then_some(rest)
    }

    /// How old what was read for another class may be: a class that has just changed is told what is so now.
    fn not_before(&self, name: &str, generation: i64) -> Instant {
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let has_changed = looked.get(name).is_some_and(|(of, _)| *of != generation);
        let now = Instant::now();
        if has_changed { now } else { now.checked_sub(self.checks.settings.sweeps.interval / 2).unwrap_or(now) }
    }

    fn believe(&self, name: String, generation: i64, interval: Duration) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.insert(name, (generation, Instant::now() + interval));
    }

    async fn look(&self, class: &TenantClassSpec, not_before: Instant) -> Result<Seen, AwsError> {
        let ClassChecks { aws, settings, .. } = &self.checks;
        let (Some(aws), Some(place)) = (aws, Place::of(settings)) else { return Ok(Seen::NoAws) };
        match (class.identity.mode, &class.identity.role_arn) {
            (IdentityMode::None, _) | (IdentityMode::SharedRole, None) => Ok(Seen::NoIdentity),
            (IdentityMode::RolePerTenant, _) => Ok(Seen::RolePerTenant),
            (IdentityMode::SharedRole, Some(role)) => {
                let mut sights = self.sights.lock().await;
                match shared_role(&mut sights, not_before, aws, &place, class, role).await {
                    // A role that may not be read is not bad, it is unread.
                    Err(error) if error.kind == AwsErrorKind::AccessDenied => Ok(Seen::Unread(error.to_string())),
                    seen => seen,
                }
            }
        }
    }
}

/// Replaces the status of a class as it was read. One that went meanwhile needs no status.
async fn written(
    kubernetes: &Kubernetes,
    metadata: Value,
    spec: &Value,
    status: &TenantClassStatus,
) -> Result<(), RequestError> {
    let resource = Resource::class_status(metadata["name"].as_str().unwrap_or_default());
    let object = json!({
        "apiVersion": format!("{GROUP}/v1alpha1"),
        "kind": "TenantClass",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    });
    match kubernetes.replace(&resource, &object).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

async fn shared_role(
    sights: &mut Sights,
    not_before: Instant,
    aws: &AwsClients,
    place: &Place,
    class: &TenantClassSpec,
    role: &RoleArn,
) -> Result<Seen, AwsError> {
    let found = match sights.role(aws, role, not_before).await? {
        Read::Missing => return Ok(Seen::Missing(role.clone())),
        Read::OtherArn(found) => return Ok(Seen::OtherArn { wanted: role.clone(), found }),
        Read::Found(found) => found,
    };
    let reach = Reach::of(place, class, None);
    let asked = Asked { place, prefix: &class.namespace_prefix, reach: &reach, untagged: &[] };
    let judgement = judge(&found, &asked);
    if judgement.permissions.is_none() {
        return Ok(Seen::Judged(role.clone(), judgement));
    }
    // Only now it matters which secrets the stricter conditions would shut out.
    let untagged = sights.untagged(aws, &place.secrets_prefix, not_before).await?;
    Ok(Seen::Judged(role.clone(), judge(&found, &Asked { untagged: &untagged, ..asked })))
}
