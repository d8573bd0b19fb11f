//! The rows of the table: everything that the operator asks of AWS. `coverage.rs` compares them with the source.

use super::scene::Scene;

/// One operation of AWS that the operator calls, in one scene.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub service: &'static str,
    pub operation: &'static str,
    /// What makes the operator call it.
    pub scene: Scene,
    /// What the calls that are meant name, of what the scene knows.
    pub named: Named,
    /// For listings: what makes a stale one matter.
    pub stale: Option<Scene>,
}

/// By what the calls of one scene are told from those of others.
#[derive(Clone, Copy, Debug)]
pub enum Named {
    Namespace,
    Association,
    Secret,
    Cluster,
    /// The tenant's own role.
    OwnRole,
    /// The role that tenants of the class share; its policies are named after it.
    SharedRole,
    /// None of them: calls for the whole cluster.
    Nothing,
}

impl Row {
    const fn eks(operation: &'static str, scene: Scene, named: Named) -> Self {
        Self { service: "eks", operation, scene, named, stale: None }
    }

    const fn secrets(operation: &'static str, scene: Scene) -> Self {
        Self { service: "secretsmanager", operation, scene, named: Named::Secret, stale: None }
    }

    const fn own_role(operation: &'static str, scene: Scene) -> Self {
        Self { service: "iam", operation, scene, named: Named::OwnRole, stale: None }
    }

    const fn shared_role(operation: &'static str) -> Self {
        Self { service: "iam", operation, scene: Scene::SharedRoleOpened, named: Named::SharedRole, stale: None }
    }

    const fn of_the_cluster(service: &'static str, operation: &'static str, scene: Scene) -> Self {
        Self { service, operation, scene, named: Named::Nothing, stale: Some(scene) }
    }

    /// A listing, which may lag behind in this scene.
    const fn lagging(self, scene: Scene) -> Self {
        Self { stale: Some(scene), ..self }
    }
}

/// All of them.
pub const ROWS: [Row; 37] = [
    Row::eks("DescribeCluster", Scene::OperatorStarts, Named::Cluster),
    Row::eks("ListPodIdentityAssociations", Scene::Made, Named::Namespace).lagging(Scene::MadeUnseen),
    Row::of_the_cluster("eks", "ListPodIdentityAssociations", Scene::Swept),
    Row::eks("DescribePodIdentityAssociation", Scene::Suspended, Named::Association),
    Row::eks("CreatePodIdentityAssociation", Scene::Made, Named::Namespace),
    Row::eks("UpdatePodIdentityAssociation", Scene::RoleChanged, Named::Association),
    Row::eks("TagResource", Scene::AssociationTagLost, Named::Association),
    Row::eks("DeletePodIdentityAssociation", Scene::Suspended, Named::Association),
    Row::of_the_cluster("secretsmanager", "ListSecrets", Scene::Swept),
    Row::of_the_cluster("secretsmanager", "ListSecrets", Scene::UntaggedLookedFor),
    Row::secrets("DescribeSecret", Scene::Made),
    Row::secrets("CreateSecret", Scene::Made),
    Row::secrets("PutSecretValue", Scene::ValueMissing),
    Row::secrets("PutSecretValue", Scene::Rotated),
    Row::secrets("PutSecretValue", Scene::RotatedBySchedule),
    Row::secrets("TagResource", Scene::Suspended),
    Row::secrets("UpdateSecretVersionStage", Scene::Rotated),
    Row::secrets("UpdateSecretVersionStage", Scene::RotatedBySchedule),
    Row::secrets("RestoreSecret", Scene::ScheduledForDeletion),
    Row::secrets("UntagResource", Scene::Removed),
    Row::secrets("DeleteSecret", Scene::Removed),
    Row::own_role("GetRole", Scene::OwnRoleMade),
    Row::own_role("ListRolePolicies", Scene::OwnRoleMade).lagging(Scene::OwnRoleEndedUnseen),
    Row::own_role("GetRolePolicy", Scene::OwnRoleMade),
    Row::own_role("ListAttachedRolePolicies", Scene::OwnRoleMade),
    Row::own_role("CreateRole", Scene::OwnRoleMade),
    Row::own_role("PutRolePolicy", Scene::OwnRoleMade),
    Row::own_role("TagRole", Scene::OwnRoleTagLost),
    Row::own_role("UpdateAssumeRolePolicy", Scene::OwnRoleTrustWidened),
    Row::own_role("DeleteRolePolicy", Scene::OwnRoleEnded),
    Row::own_role("DeleteRole", Scene::OwnRoleEnded),
    Row::shared_role("GetRole"),
    Row::shared_role("ListRolePolicies").lagging(Scene::SharedRoleOpened),
    Row::shared_role("GetRolePolicy"),
    Row::shared_role("ListAttachedRolePolicies").lagging(Scene::SharedRoleOpened),
    Row::shared_role("GetPolicy"),
    Row::shared_role("GetPolicyVersion"),
];
