//! What a workspace could make itself more powerful with.

use super::{Asked, Given, Judgement, acts, called, pattern::overlap, secrets::touches};

/// By changing a secret, its tags or its policy, a workspace makes another's secret its own, or takes it away.
const CHANGE_SECRETS: [&str; 14] = [
    "secretsmanager:TagResource",
    "secretsmanager:UntagResource",
    "secretsmanager:PutResourcePolicy",
    "secretsmanager:DeleteResourcePolicy",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecret",
    "secretsmanager:UpdateSecretVersionStage",
    "secretsmanager:DeleteSecret",
    "secretsmanager:RestoreSecret",
    "secretsmanager:RotateSecret",
    "secretsmanager:CancelRotateSecret",
    "secretsmanager:ReplicateSecretToRegions",
    "secretsmanager:RemoveRegionsFromReplication",
    "secretsmanager:StopReplicationToReplica",
];

/// By these it gives itself, or somebody, another role or another policy.
const CHANGE_ROLES: [&str; 9] = [
    "iam:PassRole",
    "iam:CreateRole",
    "iam:PutRolePolicy",
    "iam:AttachRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "iam:CreatePolicyVersion",
    "iam:DeleteRolePermissionsBoundary",
    "eks:CreatePodIdentityAssociation",
    "eks:UpdatePodIdentityAssociation",
];

pub(super) fn judge(statements: &[Given<'_>], asked: &Asked<'_>, judgement: &mut Judgement) {
    let secrets = asked.place.secrets("");
    let roles = format!("arn:{}:iam::{}:role/", asked.place.partition, asked.place.account);
    for given in statements {
        let found = |actions: &[&str]| -> Vec<String> {
            actions.iter().filter(|action| acts(&given.1, action)).map(ToString::to_string).collect()
        };
        let changes = if touches(&given.1, &secrets) { found(&CHANGE_SECRETS) } else { Vec::new() };
        if !changes.is_empty() {
            judgement.open.push(format!(
                "{} lets every workspace change secrets of others, and so make them its own: {}",
                called(given),
                listed(&changes)
            ));
        }
        let mut powers = found(&CHANGE_ROLES);
        let takes_on = given.1.resource.iter().any(|resource| overlap(resource, &roles));
        if acts(&given.1, "sts:AssumeRole") && (takes_on || !given.1.not_resource.is_empty()) {
            powers.push("sts:AssumeRole".to_owned());
        }
        if !powers.is_empty() {
            let powers = listed(&powers);
            judgement.open.push(format!("{} lets every workspace get at other roles: {powers}", called(given)));
        }
    }
}

/// The first few: a statement that allows everything allows each of them.
fn listed(actions: &[String]) -> String {
    match actions {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        few => few.join(", "),
    }
}
