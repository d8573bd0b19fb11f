//! What the operator itself may do: the calls that it makes, on what is its own, and nothing else.
//!
//! PURE. That the operator asks for all of it and for nothing else is proved by what a whole test run has asked for
//! (`tests/iam/prove.sh`). Condition keys are those that the Service Authorization Reference lists for each action. Where a service does
//! not know a resource's tags yet (something is being made), the tags of the request are asked for instead.

use super::{
    POD_IDENTITY, Place,
    document::{Document, Statement},
};
use crate::api::labels::tags;

/// How workspaces get their roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorMode {
    /// All tenants of a class share one of these roles.
    SharedRole(Vec<String>),
    /// Each tenant has a role of its own, made under this permissions boundary.
    RolePerTenant {
        /// The managed policy that bounds every role.
        boundary: String,
    },
}

/// What the operator may do.
pub fn operator_permissions(place: &Place, kms_keys: Vec<String>, mode: &OperatorMode) -> Document {
    let mut all = associations(place);
    all.extend(secrets(place));
    if !kms_keys.is_empty() {
        all.push(keys(place, kms_keys));
    }
    all.extend(match mode {
        OperatorMode::SharedRole(roles) => shared_roles(place, roles),
        OperatorMode::RolePerTenant { boundary } => tenant_roles(place, boundary),
    });
    all.extend(never(mode));
    Document::of(all)
}

fn resource_is_ours(place: &Place, statement: Statement) -> Statement {
    statement.when("StringEquals", &resource_tag(tags::MANAGED_BY), tags::MANAGED_BY_US).when(
        "StringEquals",
        &resource_tag(tags::CLUSTER_UID),
        &place.cluster_uid,
    )
}

/// Something that is being made, with our tags. Where it is there already, it must not be another cluster's.
fn becomes_ours(place: &Place, statement: Statement) -> Statement {
    statement
        .when("StringEquals", &request_tag(tags::MANAGED_BY), tags::MANAGED_BY_US)
        .when("StringEquals", &request_tag(tags::CLUSTER_UID), &place.cluster_uid)
        .when("StringEqualsIfExists", &resource_tag(tags::CLUSTER_UID), &place.cluster_uid)
}

fn resource_tag(key: &str) -> String {
    format!("aws:ResourceTag/{key}")
}

fn request_tag(key: &str) -> String {
    format!("aws:RequestTag/{key}")
}

/// What is made, what is looked at and what is changed among associations.
fn associations(place: &Place) -> Vec<Statement> {
    let (cluster, associations) = (place.cluster_arn(), place.associations());
    let on_cluster = ["eks:DescribeCluster", "eks:ListPodIdentityAssociations"];
    let change = ["eks:UpdatePodIdentityAssociation", "eks:DeletePodIdentityAssociation", "eks:TagResource"];
    let create = Statement::allow("MakeAssociations", &["eks:CreatePodIdentityAssociation"], [cluster.clone()]);
    let tag = Statement::allow("TagNewAssociations", &["eks:TagResource"], [associations.clone()]);
    vec![
        Statement::allow("LookAtCluster", &on_cluster, [cluster]),
        Statement::allow("LookAtAssociations", &["eks:DescribePodIdentityAssociation"], [associations.clone()]),
        create.when("StringEquals", &request_tag(tags::MANAGED_BY), tags::MANAGED_BY_US).when(
            "StringEquals",
            &request_tag(tags::CLUSTER_UID),
            &place.cluster_uid,
        ),
        becomes_ours(place, tag),
        resource_is_ours(place, Statement::allow("ChangeOwnAssociations", &change, [associations])),
    ]
}

/// A look by name is judged by the name alone, whatever tags the secret has: it may be anybody's, or not be there.
fn secrets(place: &Place) -> Vec<Statement> {
    let secrets = place.secrets("");
    let make = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"];
    let change = [
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
        "secretsmanager:RestoreSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:TagResource",
    ];
    // What says whose it is stays on it, whatever becomes of it.
    let strip = Statement::allow("CloseOwnSecrets", &["secretsmanager:UntagResource"], [secrets.clone()]).when_any(
        "ForAllValues:StringEquals",
        "aws:TagKeys",
        tags::ACCESS.map(str::to_owned).to_vec(),
    );
    vec![
        Statement::allow("LookAtSecrets", &["secretsmanager:DescribeSecret"], [secrets.clone()]),
        // Knows no resource to be named.
        Statement::allow("ListSecrets", &["secretsmanager:ListSecrets"], ["*".to_owned()]),
        becomes_ours(place, Statement::allow("MakeSecrets", &make, [secrets.clone()])),
        resource_is_ours(place, Statement::allow("ChangeOwnSecrets", &change, [secrets])),
        resource_is_ours(place, strip),
    ]
}

/// Needed to write a value under a key of one's own ("Permissions for the KMS key", Secrets Manager User Guide). What
/// is encrypted with it cannot be read: GetSecretValue is denied.
fn keys(place: &Place, keys: Vec<String>) -> Statement {
    Statement::allow("EncryptSecrets", &["kms:GenerateDataKey", "kms:Decrypt"], keys)
        .when("StringEquals", "kms:ViaService", place.via_secrets_manager())
        .when("StringLike", "kms:EncryptionContext:SecretARN", place.secrets(""))
}

/// Given to EKS, for this cluster, and to nothing else.
fn pass(place: &Place, sid: &str, roles: Vec<String>) -> Statement {
    Statement::allow(sid, &["iam:PassRole"], roles).when("StringEquals", "iam:PassedToService", POD_IDENTITY).when(
        "ArnEquals",
        "iam:AssociatedResourceArn",
        place.cluster_arn(),
    )
}

fn shared_roles(place: &Place, roles: &[String]) -> Vec<Statement> {
    let look = ["iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies"];
    let policies = [
        format!("arn:{}:iam::{}:policy/*", place.partition, place.account),
        format!("arn:{}:iam::aws:policy/*", place.partition),
    ];
    vec![
        pass(place, "PassSharedRoles", roles.to_vec()),
        Statement::allow("CheckSharedRoles", &look, roles.to_vec()),
        Statement::allow("ReadPoliciesOfSharedRoles", &["iam:GetPolicy", "iam:GetPolicyVersion"], policies),
    ]
}

/// Whoever makes roles, writes their policies and passes them owns the account, unless each of it is bound to a boundary
/// and a path. Tagging knows no iam:PermissionsBoundary: it holds to the tags of roles that could only be made under it.
fn tenant_roles(place: &Place, boundary: &str) -> Vec<Statement> {
    let roles = place.tenant_roles();
    let all = |sid: &str, actions: &[&str]| Statement::allow(sid, actions, [roles.clone()]);
    let bounded = |statement: Statement| statement.when("ArnEquals", "iam:PermissionsBoundary", boundary);
    // A role of such a name outside of the path is somebody else's. It is read like one's own, and told.
    let look = ["iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies"];
    let write = ["iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole"];
    vec![
        pass(place, "PassTenantRoles", vec![roles.clone()]),
        Statement::allow("LookForTenantRoles", &look, [roles.clone(), place.names_of_tenant_roles()]),
        bounded(becomes_ours(place, all("MakeTenantRoles", &["iam:CreateRole"]))),
        becomes_ours(place, all("TagNewTenantRoles", &["iam:TagRole"])),
        bounded(resource_is_ours(place, all("ChangeOwnTenantRoles", &write))),
        resource_is_ours(place, all("TagOwnTenantRoles", &["iam:TagRole"])),
    ]
}

/// Denied whatever else the operator's role is given: values are written and never read, no secret goes without a recovery
/// window, and no boundary moves.
fn never(mode: &OperatorMode) -> Vec<Statement> {
    let values = ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"];
    let boundaries = [
        "iam:PutRolePermissionsBoundary",
        "iam:DeleteRolePermissionsBoundary",
        "iam:PutUserPermissionsBoundary",
        "iam:DeleteUserPermissionsBoundary",
    ];
    let mut all = vec![
        Statement::deny("NeverReadValues", &values, "*"),
        Statement::deny("NeverForceDeletion", &["secretsmanager:DeleteSecret"], "*").when(
            "Bool",
            "secretsmanager:ForceDeleteWithoutRecovery",
            "true",
        ),
        Statement::deny("NeverMoveBoundaries", &boundaries, "*"),
    ];
    if let OperatorMode::RolePerTenant { boundary } = mode {
        let rewrite =
            ["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy"];
        all.push(Statement::deny("NeverRewriteBoundary", &rewrite, boundary));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::{document::Effect, place::example};

    fn both() -> [Document; 2] {
        let boundary = "arn:aws:iam::111122223333:policy/openclaw-prod-boundary".to_owned();
        let shared = OperatorMode::SharedRole(vec!["arn:aws:iam::111122223333:role/openclaw-prod".into()]);
        [shared, OperatorMode::RolePerTenant { boundary }].map(|mode| {
            operator_permissions(&example(), vec!["arn:aws:kms:eu-west-1:111122223333:key/1".into()], &mode)
        })
    }

    #[test]
    fn nothing_is_allowed_by_pattern_and_every_change_is_conditioned() {
        for statement in both().into_iter().flat_map(|document| document.statement) {
            assert!(statement.action.iter().all(|action| !action.contains('*')), "{statement:?}");
            let is_look =
                |action: &String| ["Describe", "List", "Get"].iter().any(|verb| action.contains(&format!(":{verb}")));
            let changes = statement.effect == Effect::Allow && !statement.action.iter().all(is_look);
            assert!(!changes || !statement.condition.is_empty(), "{statement:?}");
        }
    }

    #[test]
    fn a_role_of_a_class_is_not_written_and_a_boundary_is_never_moved() {
        let [shared, per_tenant] = both();
        let writes = ["iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy"];
        let allows = |document: &Document, action: &str| {
            document.statement.iter().any(|one| one.effect == Effect::Allow && one.action.iter().any(|a| a == action))
        };
        assert!(writes.iter().all(|action| !allows(&shared, action)));
        assert!(!allows(&per_tenant, "iam:AttachRolePolicy"), "a managed policy is nobody's to attach");
        for document in [&shared, &per_tenant] {
            assert!(!allows(document, "secretsmanager:GetSecretValue"));
            assert!(
                document.statement.iter().any(|one| one.sid == "NeverMoveBoundaries" && one.effect == Effect::Deny)
            );
        }
        assert!(per_tenant.to_json().len() < 10_240, "{}", per_tenant.to_json().len());
    }
}
