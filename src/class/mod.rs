//! What is to be said about a class itself: whether the role that its tenants share is as safe as the class needs it.
//!
//! Looked at when the class changes and as often as everything else in AWS; told in the class's status, and written only
//! where that differs.

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
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{
        class::{IdentityMode, TenantClassSpec, TenantClassStatus},
        labels::{GROUP, tags},
        names::RoleArn,
    },
    aws::{AwsClients, AwsError, AwsErrorKind, types::Secret},
    chance::chance,
    iam::{
        Place, Reach,
        judge::{Asked, Found, judge},
    },
    kubernetes::{Kubernetes, RequestError, Resource, definitions},
    tenant::{settings::Settings, views},
};
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
        let context = Arc::new(Context { checks: self, looked: Mutex::default() });
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
        let looked = context.checks.look(&spec).await;
        if let Err(error) = &looked {
            tracing::info!(%error, class = name, "the class's role is looked at again");
        }
        let seen = looked?;
        let before: TenantClassStatus = serde_json::from_value(object["status"].clone()).unwrap_or_default();
        let next = told(&seen, &before, generation, Timestamp::now());
        if next != before {
            context.checks.write(&class, &next).await?;
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

    fn believe(&self, name: String, generation: i64, interval: Duration) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.insert(name, (generation, Instant::now() + interval));
    }
}

impl ClassChecks {
    async fn look(&self, class: &TenantClassSpec) -> Result<Seen, AwsError> {
        let (Some(aws), Some(place)) = (&self.aws, Place::of(&self.settings)) else { return Ok(Seen::NoAws) };
        match (class.identity.mode, &class.identity.role_arn) {
            (IdentityMode::None, _) | (IdentityMode::SharedRole, None) => Ok(Seen::NoIdentity),
            (IdentityMode::RolePerTenant, _) => Ok(Seen::RolePerTenant),
            (IdentityMode::SharedRole, Some(role)) => match shared_role(aws, &place, class, role).await {
                // A role that may not be read is not bad, it is unread.
                Err(error) if error.kind == AwsErrorKind::AccessDenied => Ok(Seen::Unread(error.to_string())),
                seen => seen,
            },
        }
    }

    async fn write(&self, class: &DynamicObject, status: &TenantClassStatus) -> Result<(), RequestError> {
        let name = class.metadata.name.as_deref().unwrap_or_default();
        let object = json!({
            "apiVersion": format!("{GROUP}/v1alpha1"),
            "kind": "TenantClass",
            "metadata": {
                "name": name,
                "uid": class.metadata.uid,
                "resourceVersion": class.metadata.resource_version,
            },
            "spec": class.data["spec"],
            "status": status,
        });
        match self.kubernetes.replace(&Resource::class_status(name), &object).await {
            Ok(_) => Ok(()),
            // It went meanwhile: nobody is left to be told.
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

async fn shared_role(
    aws: &AwsClients,
    place: &Place,
    class: &TenantClassSpec,
    role: &RoleArn,
) -> Result<Seen, AwsError> {
    let Some(live) = aws.roles.look(role.name()).await? else { return Ok(Seen::Missing(role.clone())) };
    if live.arn != *role {
        return Ok(Seen::OtherArn { wanted: role.clone(), found: live.arn });
    }
    let mut policies = live.inline;
    policies.extend(aws.roles.attached(role.name()).await?);
    let found = Found { trust: live.trust, policies };
    let reach = Reach::of(place, class, None);
    let asked = Asked { place, prefix: &class.namespace_prefix, reach: &reach, untagged: &[] };
    let judgement = judge(&found, &asked);
    if judgement.permissions.is_none() {
        return Ok(Seen::Judged(role.clone(), judgement));
    }
    // Only now it matters which secrets the stricter conditions would shut out.
    let secrets = aws.secrets.list(&format!("{}/", place.secrets_prefix)).await?;
    let secrets = secrets.into_iter().map(|listed| listed.secret);
    let untagged: Vec<String> = secrets.filter(lacks_tags).map(|secret| secret.name).collect();
    Ok(Seen::Judged(role.clone(), judge(&found, &Asked { untagged: &untagged, ..asked })))
}

fn lacks_tags(secret: &Secret) -> bool {
    let compared = [tags::NAMESPACE, tags::SERVICE_ACCOUNT, tags::CLUSTER_ARN];
    secret.deleted_at.is_none() && compared.iter().any(|key| !secret.tags.contains_key(*key))
}
