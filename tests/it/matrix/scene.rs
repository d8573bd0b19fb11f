//! What makes the operator make a certain call, each time with a tenant of its own.

use std::time::Duration;

use serde_json::{Value, json};

use super::{class_role, class_role::SharedRole, own_role, rows::Named, schedule, verdict};
use crate::{
    role_per_tenant, rotate,
    support::{Bed, Fault, Instance, eventually, eventually_every, example_class},
};

/// A role beside the one that all classes of the tests name.
const OTHER_ROLE: &str = "openclaw-tenant-other";

/// How often a cell is looked at: most take seconds, some half a minute, and all are looked at in parallel.
pub const PERIOD: Duration = Duration::from_millis(300);

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
    /// A rotation is due by the class's schedule.
    RotatedBySchedule,
    /// Somebody schedules the secret for deletion.
    ScheduledForDeletion,
    /// A tenant with a role of its own is made.
    OwnRoleMade,
    /// Somebody takes a tag off the tenant's own role.
    OwnRoleTagLost,
    /// Somebody lets others take the tenant's own role on.
    OwnRoleTrustWidened,
    /// A tenant with a role of its own is suspended: the role goes after the association.
    OwnRoleEnded,
    /// The same, and its policy cannot be deleted at first: the role is looked at before it goes.
    OwnRoleEndedUnseen,
    /// Somebody opens the role that tenants of a class share: its trust policy, its inline and its attached policy.
    SharedRoleOpened,
    /// Nothing happens, and everything is listed.
    Swept,
    /// The role of a class wants another policy, and secrets are looked for that this would shut out.
    UntaggedLookedFor,
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
    /// The role that tenants of the class share, where the scene is about it.
    shared_role: Option<SharedRole>,
}

/// What several scenes need.
pub async fn prepare(instance: &Instance) {
    role_per_tenant::make_boundary(instance).await;
    let iam = instance.iam();
    let tenant_role = instance.fact("/aws/tenantRoleArn").rsplit('/').next().expect("a role's name").to_owned();
    let trust = iam.get_role().role_name(tenant_role).send().await.expect("the tenants' role");
    let trust = trust.role.and_then(|role| role.assume_role_policy_document).expect("its trust policy");
    let trust = percent_decoded(&trust);
    let made = iam.create_role().role_name(OTHER_ROLE).assume_role_policy_document(trust).send().await;
    made.expect("another role");
}

/// IAM returns policies as URLs write them.
pub fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut decoded, part| {
        let (code, rest) = part.split_at(2);
        decoded.push(char::from(u8::from_str_radix(code, 16).expect("two hex digits")));
        decoded + rest
    })
}

impl Scene {
    /// What happens, for the table.
    pub const fn words(self) -> &'static str {
        match self {
            Self::OperatorStarts => "an operator starts",
            Self::Made => "a tenant is made",
            Self::MadeUnseen => "a tenant is made, the answer about its association is lost",
            Self::RoleChanged => "the class names another role",
            Self::AssociationTagLost => "a tag of the association is lost",
            Self::Suspended => "a tenant is suspended",
            Self::ValueMissing => "a secret has no value",
            Self::Rotated => "a rotation is ordered",
            Self::RotatedBySchedule => "a rotation is due",
            Self::ScheduledForDeletion => "a secret is scheduled for deletion",
            Self::Removed => "a tenant is removed for good",
            Self::OwnRoleMade => "a tenant with its own role is made",
            Self::OwnRoleTagLost => "a tag of an own role is lost",
            Self::OwnRoleTrustWidened => "the trust of an own role is widened",
            Self::OwnRoleEnded => "a tenant with its own role is suspended",
            Self::OwnRoleEndedUnseen => "a tenant with its own role is suspended, its policy goes at the second time",
            Self::SharedRoleOpened => "a shared role is opened",
            Self::Swept => "sweep",
            Self::UntaggedLookedFor => "a class looks for untagged secrets",
        }
    }

    /// Whether the calls that are meant are about the whole cluster.
    pub const fn is_of_the_whole_cluster(self) -> bool {
        matches!(self, Self::Swept | Self::UntaggedLookedFor)
    }

    const fn has_own_role(self) -> bool {
        matches!(self, Self::OwnRoleMade | Self::OwnRoleTagLost | Self::OwnRoleTrustWidened) || self.ends_own_role()
    }

    const fn ends_own_role(self) -> bool {
        matches!(self, Self::OwnRoleEnded | Self::OwnRoleEndedUnseen)
    }

    /// Whether access has ended in the end.
    pub const fn is_suspended(self) -> bool {
        matches!(self, Self::Suspended) || self.ends_own_role()
    }

    /// Whether the value is another one in the end.
    pub const fn is_rotated(self) -> bool {
        matches!(self, Self::Rotated | Self::RotatedBySchedule)
    }
}

impl Staged {
    /// Everything that stands before the call.
    pub async fn new(instance: &'static Instance, scene: Scene) -> Self {
        let shared_role = match scene {
            Scene::SharedRoleOpened => Some(SharedRole::make(instance).await),
            _ => None,
        };
        let class = match &shared_role {
            Some(role) => with_role(instance, &role.arn),
            None if scene.has_own_role() => role_per_tenant::class(instance),
            None if scene.is_rotated() => rotate::class(instance),
            None => example_class(instance),
        };
        let bed = Bed::with_class(instance, "cell", class).await;
        let mut staged = Self { bed, scene, association: None, value: None, shared_role };
        match scene {
            Scene::OperatorStarts | Scene::Made | Scene::OwnRoleMade => {}
            Scene::Swept | Scene::UntaggedLookedFor => unreachable!("played elsewhere"),
            Scene::SharedRoleOpened => staged.begin_verified().await,
            Scene::RotatedBySchedule => {
                schedule::apply_in_its_hour(&mut staged.bed).await;
                staged.bed.apply_class(schedule::class(rotate::class(instance))).await.expect("class");
                staged.begin_ready(json!({})).await;
            }
            Scene::MadeUnseen => {
                let namespace = staged.bed.namespace();
                instance.fault("CreatePodIdentityAssociation", &namespace, Fault::AnswerLost, 1).await;
            }
            Scene::RoleChanged
            | Scene::AssociationTagLost
            | Scene::Suspended
            | Scene::Rotated
            | Scene::ScheduledForDeletion
            | Scene::OwnRoleTagLost
            | Scene::OwnRoleTrustWidened
            | Scene::OwnRoleEnded => staged.begin_ready(json!({})).await,
            Scene::OwnRoleEndedUnseen => {
                staged.begin_ready(json!({})).await;
                let role = own_role::names_begin(&staged.bed);
                instance.fault("DeleteRolePolicy", &role, Fault::ServerError, 1).await;
            }
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

    async fn begin_verified(&self) {
        let verified = || async { class_role::is_told(&class_role::told(&self.bed).await?, "Verified", &[]).ok() };
        self.bed.until_so("RoleReady: Verified", verified).await;
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
            Named::OwnRole => own_role::names_begin(&self.bed),
            Named::SharedRole => self.shared_role.as_ref().expect("a scene about a shared role").name.clone(),
            Named::Nothing => String::new(),
        }
    }

    /// Makes the operator call.
    pub async fn provoke(&self) {
        let bed = &self.bed;
        match self.scene {
            Scene::OperatorStarts => self.start_operator().await,
            Scene::Made | Scene::MadeUnseen | Scene::OwnRoleMade => {
                bed.apply_tenant(json!({})).await.expect("taken");
            }
            Scene::RoleChanged => {
                bed.apply_class(with_role(bed.instance, &other_role(bed.instance))).await.expect("class");
            }
            Scene::AssociationTagLost => self.take_tag_off().await,
            Scene::Suspended | Scene::OwnRoleEnded | Scene::OwnRoleEndedUnseen => {
                bed.apply_tenant(json!({ "suspend": true })).await.expect("taken");
            }
            Scene::Rotated => rotate::order(bed, "now").await,
            Scene::RotatedBySchedule => schedule::grow_old(bed).await,
            Scene::OwnRoleTagLost => self.take_tag_off_role().await,
            Scene::OwnRoleTrustWidened => self.widen_trust().await,
            Scene::SharedRoleOpened => {
                self.shared_role.as_ref().expect("a scene about a shared role").open(bed.instance).await;
            }
            Scene::Swept | Scene::UntaggedLookedFor => unreachable!("played elsewhere"),
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

    async fn own_role(&self) -> String {
        let tenant = self.bed.get("Tenant", None, &self.bed.tenant).await.expect("the Tenant");
        role_per_tenant::name_of(&tenant)
    }

    async fn take_tag_off_role(&self) {
        let request = self.bed.instance.iam().untag_role().role_name(self.own_role().await);
        request.tag_keys("openclaw-owner-hash").send().await.expect("the tag is off");
    }

    async fn widen_trust(&self) {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Principal": { "Service": ["pods.eks.amazonaws.com", "ec2.amazonaws.com"] }, "Action": "sts:AssumeRole" }] });
        let request = self.bed.instance.iam().update_assume_role_policy().role_name(self.own_role().await);
        request.policy_document(trust.to_string()).send().await.expect("widened");
    }

    /// The role that the association has in the end.
    pub fn role(&self, tenant: &Value) -> String {
        match self.scene {
            Scene::RoleChanged => other_role(self.bed.instance),
            scene if scene.has_own_role() => own_role::arn(&self.bed, tenant),
            _ => self.bed.instance.fact("/aws/tenantRoleArn").to_owned(),
        }
    }

    /// Waits until all is as it must be; says what is not.
    pub async fn ends_right(&self) -> Result<(), String> {
        let end = eventually_every(PERIOD, || async { self.verdict().await.is_ok().then_some(()) }).await;
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
        if let Some(role) = &self.shared_role {
            return role.is_told_open(&class_role::told(&self.bed).await.ok_or("the class says nothing")?);
        }
        if self.scene == Scene::Removed {
            return verdict::removed(self).await;
        }
        let tenant: Value = self.bed.get("Tenant", None, &self.bed.tenant).await.ok_or("the Tenant is gone")?;
        verdict::tenant(self, &tenant)?;
        verdict::association(self, &tenant).await?;
        if self.scene.has_own_role() {
            own_role::verdict(&self.bed, &tenant, self.scene.is_suspended()).await?;
        }
        verdict::secret(self, &tenant).await
    }
}

fn other_role(instance: &Instance) -> String {
    let role = instance.fact("/aws/tenantRoleArn").rsplit_once('/');
    format!("{}/{OTHER_ROLE}", role.expect("an ARN").0)
}

fn with_role(instance: &Instance, role: &str) -> Value {
    let mut class = example_class(instance);
    class["identity"]["roleArn"] = json!(role);
    class
}
