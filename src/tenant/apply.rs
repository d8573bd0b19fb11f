//! The only writer to Kubernetes on a tenant's behalf: carries out one action, and takes up the answer.
//!
//! Every write is harmless if it arrives late (rule S8): what is made must not be there yet, what is changed or deleted
//! must be the very object, in the very state, that the decision was about.

mod looks;

pub use looks::Restored;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    action::{Action, AwsAction, Precondition},
    adoption::marks::{Marks, as_patch},
    cache::{Cache, Overtaken, Watched},
    child::{Child, Kind, ObjectKey},
    digest::ContentHash,
    observed::{Look, Observed, Rendering},
    reason::Reason,
    replacement::{completed, rendering, replacement},
    status::Announcement,
};
use crate::{
    api::{
        labels,
        names::{Incarnation, TenantName, Uid},
        record::{TenantRecord, TenantRecordSpec},
    },
    aws::{AwsClients, AwsError, AwsErrorKind, perform},
    kubernetes::{Kubernetes, RequestError, Resource, definitions},
    telemetry::metrics::Metrics,
};

/// Why an action was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// Kubernetes.
    #[error(transparent)]
    Kubernetes(#[from] RequestError),
    /// AWS.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The cluster is not what it was.
    #[error(transparent)]
    Restored(#[from] Restored),
    /// It was carried out, and what it has come to is not known.
    #[error(transparent)]
    Overtaken(#[from] Overtaken),
    /// The class wants AWS, and this operator was started without.
    #[error(
        "the class wants AWS, but the operator was started without --cluster-name: start it with the EKS cluster's name"
    )]
    NoAws,
    /// The decision was about a tenant that has no record.
    #[error("{0:?} of a tenant without a record")]
    NoRecord(Child),
}

impl ActionError {
    /// Whether somebody else was quicker: what was written was of an older state.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Kubernetes(error) if error.is_conflict())
    }

    /// How long the other side asks to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Aws(AwsError { kind: AwsErrorKind::Throttled(after), .. }) => *after,
            Self::Aws(_)
            | Self::Kubernetes(_)
            | Self::Restored(_)
            | Self::Overtaken(_)
            | Self::NoAws
            | Self::NoRecord(_) => None,
        }
    }
}

/// What carries out actions.
#[derive(Clone)]
pub struct Hands {
    /// Kubernetes.
    pub kubernetes: Kubernetes,
    /// AWS, where there is one.
    pub aws: Option<AwsClients>,
    /// What is known; answers enter it.
    pub cache: Arc<Cache>,
    /// Figures.
    pub metrics: Metrics,
    /// Cancelled when the server turns out to be older than what is known.
    pub restored: CancellationToken,
}

impl Hands {
    /// Carries out one action.
    ///
    /// # Errors
    /// Where the other side refuses or does not answer; what was asked may have happened all the same.
    pub async fn perform(&self, observed: &Observed, action: &Action) -> Result<Option<Announcement>, ActionError> {
        let name = &observed.name;
        if action.is_removal() {
            // Before it is sent: whatever comes of it, the next step needs another look.
            self.cache.look_is_used(name);
        }
        match action {
            Action::CreateRecord(spec) => self.create_record(name, spec).await?,
            Action::ReplaceRecord { precondition, spec } => self.replace_record(name, precondition, spec).await?,
            Action::SetFinalizers { precondition, finalizers } => {
                self.set_finalizers(name, precondition, finalizers).await?;
            }
            Action::Create { child, object } => self.create(name, &key(observed, *child)?, object).await?,
            Action::Update { child, object, precondition } => {
                return self.update(&key(observed, *child)?, object, precondition).await;
            }
            Action::Delete { child, precondition } => {
                let resource = Resource::child(&key(observed, *child)?);
                let conditions = match child {
                    // KEDA writes into its status many times a second while somebody is there.
                    Child::ScaledObject => json!({ "uid": precondition.uid }),
                    _ => preconditions(precondition),
                };
                self.kubernetes.delete(&resource, &conditions).await?;
            }
            Action::LookAtGrant => self.look_at_grant(&key(observed, Child::InterceptorGrant)?, observed).await?,
            Action::DeleteStray { key, precondition } => {
                self.kubernetes.delete(&Resource::child(key), &preconditions(precondition)).await?;
            }
            Action::ScaleToZero { precondition } => {
                let key = key(observed, Child::StatefulSet)?;
                let patch = json!({ "metadata": preconditions(precondition), "spec": { "replicas": 0 } });
                let resource = Resource::child(&key);
                self.taking_up(Watched::Child(key.kind), self.kubernetes.merge_patch(&resource, &patch)).await?;
            }
            Action::RetainVolume { name, precondition, tenant, incarnation } => {
                self.retain_volume(name, precondition, tenant, incarnation).await?;
            }
            Action::ReofferVolume { name, precondition } => {
                let claim = json!({ "uid": null, "resourceVersion": null });
                let patch = json!({ "metadata": preconditions(precondition), "spec": { "claimRef": claim } });
                self.patch_volume(name, &patch).await?;
            }
            Action::CarryOutOrders { precondition, spec, orders, told } => {
                self.carry_out_orders(name, precondition, spec, orders).await?;
                return Ok(Some(carried_out(told)));
            }
            Action::LookAtCluster { before } => self.look_at_cluster(observed, *before).await?,
            Action::RemoveNamespace { precondition } => {
                let key = key(observed, Child::Namespace)?;
                self.kubernetes.delete(&Resource::child(&key), &preconditions(precondition)).await?;
            }
            Action::ReleaseVolume { name, precondition, at } => {
                let spec = json!({ "persistentVolumeReclaimPolicy": "Delete" });
                let mut metadata = preconditions(precondition);
                metadata["annotations"] = json!({ labels::RELEASED_AT: at });
                self.patch_volume(name, &json!({ "metadata": metadata, "spec": spec })).await?;
            }
            Action::DeletePod { name, uid } => self.delete_pod(observed, name, uid).await?,
            Action::LookAtEvents { awaited, of } => self.look_at_events(observed, *awaited, of).await,
            Action::LookInside(namespace) => self.look_inside(observed, namespace).await?,
            Action::Mark { child, precondition, marks } => {
                let marked = self.mark(&key(observed, *child)?, precondition, marks).await;
                if marked.is_err() {
                    // What was marked may have been seen in an older state than it has.
                    self.cache.saw_belongings(name, Look::Never);
                }
                marked?;
            }
            Action::AskForTurn(rollout) => self.cache.ask_for_turn(name, rollout, jiff::Timestamp::now()),
            Action::Aws(action) => {
                self.perform_aws(name, action).await?;
                return Ok(rotated(action));
            }
        }
        Ok(None)
    }

    /// Waits for the answer to a request and takes it up.
    async fn taking_up(
        &self,
        watched: Watched,
        answer: impl Future<Output = Result<Value, RequestError>>,
    ) -> Result<(), ActionError> {
        let sent = self.cache.sends(watched);
        let answer = answer.await?;
        Ok(self.cache.take_up(sent, &answer)?)
    }

    /// Replaces the spec and takes the orders off, in one write: none is carried out twice, and none that came meanwhile is lost.
    async fn carry_out_orders(
        &self,
        name: &TenantName,
        precondition: &Precondition,
        spec: &TenantRecordSpec,
        orders: &[&str],
    ) -> Result<(), ActionError> {
        let resource = Resource::cluster(definitions::RECORD, name.as_str());
        let mut patch = vec![
            json!({ "op": "test", "path": "/metadata/uid", "value": precondition.uid }),
            json!({ "op": "replace", "path": "/metadata/resourceVersion", "value": precondition.resource_version }),
            json!({ "op": "replace", "path": "/spec", "value": spec }),
        ];
        // A slash in a key is written ~1 (RFC 6901).
        let pointer = |key: &&str| format!("/metadata/annotations/{}", key.replace('/', "~1"));
        patch.extend(orders.iter().map(|key| json!({ "op": "remove", "path": pointer(key) })));
        let patch = Value::Array(patch);
        self.taking_up(Watched::Record, self.kubernetes.json_patch(&resource, &patch)).await
    }

    async fn create_record(&self, name: &TenantName, spec: &TenantRecordSpec) -> Result<(), ActionError> {
        let record = json!(TenantRecord::new(name.as_str(), spec.clone()));
        let resource = Resource::cluster(definitions::RECORD, name.as_str());
        self.taking_up(Watched::Record, self.create_or_look(&resource, &record)).await
    }

    async fn replace_record(
        &self,
        name: &TenantName,
        precondition: &Precondition,
        spec: &TenantRecordSpec,
    ) -> Result<(), ActionError> {
        let resource = Resource::cluster(definitions::RECORD, name.as_str());
        // Annotations on a record are an administrator's orders: only the spec is replaced.
        let patch = json!([
            { "op": "test", "path": "/metadata/uid", "value": precondition.uid },
            { "op": "replace", "path": "/metadata/resourceVersion", "value": precondition.resource_version },
            { "op": "replace", "path": "/spec", "value": spec },
        ]);
        self.taking_up(Watched::Record, self.kubernetes.json_patch(&resource, &patch)).await
    }

    async fn set_finalizers(
        &self,
        name: &TenantName,
        precondition: &Precondition,
        finalizers: &[String],
    ) -> Result<(), ActionError> {
        let resource = Resource::cluster(definitions::TENANT, name.as_str());
        let mut metadata = preconditions(precondition);
        metadata["finalizers"] = json!(finalizers);
        let sent = self.cache.sends(Watched::Tenant);
        let identity = json!({ "name": name, "uid": precondition.uid });
        match self.kubernetes.merge_patch(&resource, &json!({ "metadata": metadata })).await {
            // With its last finalizer an object that is being deleted goes, and the answer shows it for the last time.
            Ok(answer) if has_gone(&answer) => self.cache.take_up_absence(sent, &identity)?,
            Ok(answer) => self.cache.take_up(sent, &answer)?,
            // It went with its last finalizer.
            Err(error) if error.is_not_found() => self.cache.take_up_absence(sent, &identity)?,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// What could not be made may be there already, out of the watches' sight: the quota refuses a second claim before
    /// the name is even looked at. What is found is taken up; the next decision is about it.
    async fn create_or_look(&self, resource: &Resource, object: &Value) -> Result<Value, RequestError> {
        match self.kubernetes.create(resource, object).await {
            Err(error) if error.is_refused() => self.kubernetes.get(resource).await?.ok_or(error),
            answer => answer,
        }
    }

    async fn create(&self, name: &TenantName, key: &ObjectKey, object: &Value) -> Result<(), ActionError> {
        let resource = Resource::child(key);
        let made = self.taking_up(Watched::Child(key.kind), self.create_or_look(&resource, object)).await;
        let is_above_quota =
            |error: &ActionError| matches!(error, ActionError::Kubernetes(error) if error.is_above_quota());
        if key.kind == Kind::PersistentVolumeClaim && made.as_ref().is_err_and(is_above_quota) {
            self.cache.claim_is_nowhere(name);
        }
        made?;
        self.cache.meet(key);
        Ok(())
    }

    /// Replaces what is ours to decide in the live object. What comes back different is how the server renders it.
    async fn update(
        &self,
        key: &ObjectKey,
        wanted: &Value,
        precondition: &Precondition,
    ) -> Result<Option<Announcement>, ActionError> {
        let (kind, resource) = (key.kind, Resource::child(key));
        let asked = self.cache.sends(Watched::Child(kind));
        let Some(live) = self.kubernetes.get(&resource).await? else {
            self.cache.take_up_absence(asked, &identity(key, &precondition.uid))?;
            return Ok(None);
        };
        let is_changed = live["metadata"]["uid"] != json!(precondition.uid)
            || live["metadata"]["resourceVersion"] != json!(precondition.resource_version);
        self.cache.take_up(asked, &live)?;
        if is_changed {
            // The decision was about an older state: the next one is about this.
            return Ok(None);
        }
        let wanted = &completed(kind, &live, wanted);
        let sent = replacement(kind, &live, wanted);
        let hash = |object: &Value| ContentHash::of_object(kind, object);
        let is_known = |known: Rendering| known.wanted == hash(wanted) && known.answer == hash(&live);
        let is_doubtful = self.cache.meet(key) || self.cache.rendering(key).is_some_and(is_known);
        if is_doubtful && self.is_only_rendered(key, &resource, &live, &sent).await? {
            return Ok(Some(foreign_mutation(key, &self.learn(key, wanted, &live))));
        }
        let answer = self.kubernetes.replace(&resource, &sent).await?;
        let announcement = (hash(&answer) != hash(wanted)).then(|| self.learn(key, wanted, &answer));
        self.metrics.drift_repaired(kind.info().kind);
        self.cache.take_up(asked, &answer)?;
        Ok(announcement.map(|learned| foreign_mutation(key, &learned)))
    }

    /// Whether a difference that stood when this process started is nothing but the server's rendering of what is
    /// wanted. A rehearsal tells without writing.
    async fn is_only_rendered(
        &self,
        key: &ObjectKey,
        resource: &Resource,
        live: &Value,
        sent: &Value,
    ) -> Result<bool, RequestError> {
        let rehearsed = self.kubernetes.rehearse_replace(resource, sent).await?;
        let hash = |object: &Value| ContentHash::of_object(key.kind, object);
        Ok(hash(&rehearsed) == hash(live))
    }

    fn learn(&self, key: &ObjectKey, wanted: &Value, answer: &Value) -> Rendering {
        let learned = rendering(key.kind, wanted, answer, jiff::Timestamp::now());
        self.metrics.foreign_mutation(key.kind.info().kind);
        self.cache.learn(key, learned.clone());
        learned
    }

    async fn retain_volume(
        &self,
        name: &str,
        precondition: &Precondition,
        tenant: &TenantName,
        incarnation: &Incarnation,
    ) -> Result<(), ActionError> {
        let mut metadata = preconditions(precondition);
        let marks = json!({ labels::MANAGED: "true", labels::TENANT: tenant, labels::INCARNATION: incarnation });
        metadata["labels"] = marks;
        let spec = json!({ "persistentVolumeReclaimPolicy": "Retain" });
        self.patch_volume(name, &json!({ "metadata": metadata, "spec": spec })).await
    }

    async fn patch_volume(&self, name: &str, patch: &Value) -> Result<(), ActionError> {
        let resource = Resource::cluster(definitions::VOLUME, name);
        self.taking_up(Watched::Volume, self.kubernetes.merge_patch(&resource, patch)).await
    }

    async fn mark(&self, key: &ObjectKey, precondition: &Precondition, marks: &Marks) -> Result<(), ActionError> {
        let mut metadata = as_patch(marks);
        merge(&mut metadata, preconditions(precondition));
        let (resource, patch) = (Resource::child(key), json!({ "metadata": metadata }));
        self.taking_up(Watched::Child(key.kind), self.kubernetes.merge_patch(&resource, &patch)).await
    }

    async fn delete_pod(&self, observed: &Observed, name: &str, uid: &Uid) -> Result<(), RequestError> {
        let Some(pod) = observed.pods.iter().find(|pod| pod.name == name) else { return Ok(()) };
        let resource = Resource::in_namespace(definitions::POD, &pod.namespace, name);
        self.kubernetes.delete(&resource, &json!({ "uid": uid })).await
    }

    async fn perform_aws(&self, name: &TenantName, action: &AwsAction) -> Result<(), ActionError> {
        let Some(aws) = &self.aws else { return Err(ActionError::NoAws) };
        let cache = Arc::clone(&self.cache);
        perform(aws, action, |change| cache.with_aws(name, |view| change(view))).await?;
        Ok(())
    }
}

fn key(observed: &Observed, child: Child) -> Result<ObjectKey, ActionError> {
    let record = observed.record_spec().ok_or(ActionError::NoRecord(child))?;
    Ok(child.key(&observed.name, record))
}

fn has_gone(answer: &Value) -> bool {
    let finalizers = answer["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
    answer["metadata"]["deletionTimestamp"].is_string() && !finalizers
}

fn identity(key: &ObjectKey, uid: &Uid) -> Value {
    json!({ "namespace": key.namespace, "name": key.name, "uid": uid })
}

fn foreign_mutation(key: &ObjectKey, learned: &Rendering) -> Announcement {
    let note =
        format!("something in this cluster changes {key} as it is written, at {}", learned.differs_at.join(", "));
    Announcement { warning: true, reason: Reason::ForeignMutation.to_string(), note }
}

/// What is told of an action in AWS that leaves no condition behind.
fn rotated(action: &AwsAction) -> Option<Announcement> {
    let AwsAction::MoveCurrent { item, to, .. } = action else { return None };
    let note = format!("secret {item} has a new value: AWSCURRENT names version {to}");
    Some(Announcement { warning: false, reason: Reason::SecretRotated.to_string(), note })
}

fn merge(target: &mut Value, more: Value) {
    if let (Some(target), Value::Object(more)) = (target.as_object_mut(), more) {
        target.extend(more);
    }
}

/// What is told of administrators' orders.
fn carried_out((all_well, note): &(bool, String)) -> Announcement {
    let reason = if *all_well { Reason::OrderDone } else { Reason::OrderRefused };
    Announcement { warning: !all_well, reason: reason.to_string(), note: note.clone() }
}

fn preconditions(precondition: &Precondition) -> Value {
    json!({ "uid": precondition.uid, "resourceVersion": precondition.resource_version })
}
