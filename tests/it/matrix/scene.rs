//! What makes the operator make a certain call, each time with a tenant of its own.

use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::{Named, verdict};
use crate::rotate;
use crate::support::{Bed, Fault, Instance, eventually, example_class};

/// A role beside the one that all classes of the tests name.
const OTHER_ROLE: &str = "openclaw-tenant-other";

/// Something that makes the operator call AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// An operator starts, beside the one that leads.
    OperatorStarts,
    /// A tenant is made.
    Made,
    /// A tenant is made, and the answer to the creation of its association is lost: only a listing can show it.
    MadeUnseen,
    /// The class names another role.
    RoleChanged,
    /// Somebody takes a tag off the association.
    AssociationTagLost,
    /// The tenant is suspended: secrets closed, then the association deleted and seen to be gone.
    Suspended,
    /// The secret stands with our tags and never got its value.
    ValueMissing,
    /// A rotation is ordered.
    Rotated,
    /// Somebody schedules the secret for deletion.
    ScheduledForDeletion,
    /// The Tenant is deleted with Delete, and an administrator lets that through the breaker: there are many at a time.
    Removed,
}

/// A scene before or after the call.
pub struct Staged {
    pub bed: Bed,
    pub scene: Scene,
    /// The association, where the scene begins with one.
    pub association: Option<String>,
    /// The generated value, where the scene begins with one: it must be the same in the end.
    pub value: Option<String>,
}

/// What several scenes need.
pub async fn prepare(instance: &Instance) {
    let iam = instance.iam();
    let tenant_role = instance.fact("/aws/tenantRoleArn").rsplit('/').next().expect("a role's name").to_owned();
    let trust = iam.get_role().role_name(tenant_role).send().await.expect("the tenants' role");
    let trust = trust.role.and_then(|role| role.assume_role_policy_document).expect("its trust policy");
    let trust = percent_decoded(&trust);
    let made = iam.create_role().role_name(OTHER_ROLE).assume_role_policy_document(trust).send().await;
    made.expect("another role");
}

/// IAM returns policies as URLs write them.
fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut decoded, part| {
        let (code, rest) = part.split_at(2);
        decoded.push(char::from(u8::from_str_radix(code, 16).expect("two hex digits")));
        decoded + rest
    })
}

impl Scene {
    /// Held while the scene is played, where it cannot be played twice at a time: nothing tells the calls of two operators
    /// that start apart.
    pub async fn turn(self) -> Option<MutexGuard<'static, ()>> {
        static STARTS: Mutex<()> = Mutex::const_new(());
        if self == Self::OperatorStarts { Some(STARTS.lock().await) } else { None }
    }
}

impl Staged {
    /// Everything that stands before the call.
    pub async fn new(instance: &'static Instance, scene: Scene) -> Self {
        let bed = match scene {
            Scene::Rotated => rotate::bed(instance, "cell").await,
            _ => Bed::on(instance, "cell").await,
        };
        let mut staged = Self { bed, scene, association: None, value: None };
        match scene {
            Scene::OperatorStarts | Scene::Made => {}
            Scene::MadeUnseen => {
                let namespace = staged.bed.namespace();
                instance.fault("CreatePodIdentityAssociation", &namespace, Fault::AnswerLost, 1).await;
            }
            Scene::RoleChanged
            | Scene::AssociationTagLost
            | Scene::Suspended
            | Scene::Rotated
            | Scene::ScheduledForDeletion => staged.begin_ready(json!({})).await,
            Scene::Removed => staged.begin_ready(json!({ "deletionPolicy": "Delete" })).await,
            Scene::ValueMissing => staged.begin_without_value().await,
        }
        staged
    }

    async fn begin_ready(&mut self, more: Value) {
        let tenant = self.bed.ready_tenant(more).await;
        self.association = tenant["status"]["identity"]["associationId"].as_str().map(str::to_owned);
        self.value = verdict::value(&self.bed).await.map(|(_, value)| value);
        assert!(self.association.is_some() && self.value.is_some(), "{tenant:#}");
    }

    /// A Tenant waits for its class meanwhile, so that its incarnation is known before anything is made.
    async fn begin_without_value(&mut self) {
        use aws_sdk_secretsmanager::types::Tag;
        let bed = &self.bed;
        bed.delete("TenantClass", None, &bed.class).await;
        let tenant = bed.apply_tenant(json!({})).await.expect("taken");
        bed.stalled("ClassNotFound").await;
        let tags = verdict::identifying_tags(bed, &tenant).await;
        let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        let create = bed.instance.secrets().create_secret().name(verdict::secret_name(bed));
        create.set_tags(Some(tags)).send().await.expect("a secret without a value");
    }

    /// What the calls that are meant name.
    pub fn text(&self, named: Named) -> String {
        match named {
            Named::Namespace => self.bed.namespace(),
            Named::Association => self.association.clone().expect("a scene that begins with an association"),
            Named::Secret => verdict::secret_name(&self.bed),
            Named::Cluster => self.bed.instance.fact("/aws/clusterName").to_owned(),
        }
    }

    /// Makes the operator call.
    pub async fn provoke(&self) {
        let bed = &self.bed;
        match self.scene {
            Scene::OperatorStarts => self.start_operator().await,
            Scene::Made | Scene::MadeUnseen => drop(bed.apply_tenant(json!({})).await.expect("taken")),
            Scene::RoleChanged => {
                let mut class = example_class(bed.instance);
                class["identity"]["roleArn"] = json!(self.role());
                bed.apply_class(class).await.expect("class");
            }
            Scene::AssociationTagLost => self.take_tag_off().await,
            Scene::Suspended => drop(bed.apply_tenant(json!({ "suspend": true })).await.expect("taken")),
            Scene::Rotated => rotate::order(bed, "now").await,
            Scene::ScheduledForDeletion => {
                let delete = bed.instance.secrets().delete_secret().secret_id(verdict::secret_name(bed));
                delete.recovery_window_in_days(7).send().await.expect("scheduled");
            }
            Scene::Removed => {
                bed.delete("Tenant", None, &bed.tenant).await;
                bed.order("confirm-deletion", &bed.incarnation().await).await;
            }
            Scene::ValueMissing => drop(bed.apply_class(example_class(bed.instance)).await.expect("class")),
        }
    }

    /// It stands by in the end, and writes nothing: the first one leads.
    async fn start_operator(&self) {
        let operator = self.bed.instance.start_operator();
        let standing_by = eventually(|| async { (operator.get("/readyz").await?.0 == 200).then_some(()) });
        assert!(standing_by.await.is_some(), "it did not start\n{}", operator.log());
        assert!(operator.stop(), "an orderly end");
    }

    async fn take_tag_off(&self) {
        let id = self.association.as_ref().expect("an association");
        let association = self.bed.instance.association(id).await;
        let arn = association.association_arn().expect("its ARN");
        let request = self.bed.instance.eks().untag_resource().resource_arn(arn).tag_keys("openclaw-owner-hash");
        request.send().await.expect("the tag is off");
    }

    /// The role that the association has in the end.
    pub fn role(&self) -> String {
        let role = self.bed.instance.fact("/aws/tenantRoleArn");
        match (self.scene, role.rsplit_once('/')) {
            (Scene::RoleChanged, Some((path, _))) => format!("{path}/{OTHER_ROLE}"),
            _ => role.to_owned(),
        }
    }

    /// Waits until all is as it must be; says what is not.
    pub async fn ends_right(&self) -> Result<(), String> {
        let end = eventually(|| async { self.verdict().await.is_ok().then_some(()) }).await;
        match end {
            Some(()) => Ok(()),
            None => self.verdict().await,
        }
    }

    /// Whether all is as it must be now.
    pub async fn verdict(&self) -> Result<(), String> {
        if self.scene == Scene::OperatorStarts {
            return Ok(());
        }
        if self.scene == Scene::Removed {
            return verdict::removed(self).await;
        }
        let tenant: Value = self.bed.get("Tenant", None, &self.bed.tenant).await.ok_or("the Tenant is gone")?;
        verdict::tenant(self, &tenant)?;
        verdict::association(self, &tenant).await?;
        verdict::secret(self, &tenant).await
    }
}
