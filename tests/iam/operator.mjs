// What the operator may do: each of its calls, and what somebody who has its credentials would try beside them.

import { ACCOUNT, asRole, document } from "./evaluator.mjs";

const UID = "0c9d7e11-2222-4333-8444-555566667777";
const CLUSTER = `arn:aws:eks:eu-west-1:${ACCOUNT}:cluster/prod`;
const ASSOCIATION = `arn:aws:eks:eu-west-1:${ACCOUNT}:podidentityassociation/prod/a-12345678901234567`;
const SECRET = `arn:aws:secretsmanager:eu-west-1:${ACCOUNT}:secret:openclaw/alice/gateway-token-AbCdEf`;
const FOREIGN = SECRET.replace("openclaw/", "payroll/");
const KEY = `arn:aws:kms:eu-west-1:${ACCOUNT}:key/1`;
const SHARED = `arn:aws:iam::${ACCOUNT}:role/openclaw-workspace`;
const OWN_ROLE = `arn:aws:iam::${ACCOUNT}:role/openclaw/prod/openclaw-alice-bbbbbbbbbb`;
const OTHER_ROLE = `arn:aws:iam::${ACCOUNT}:role/administrator`;
const BOUNDARY = `arn:aws:iam::${ACCOUNT}:policy/openclaw-boundary`;

const tags = (kind, uid = UID) => ({
  [`aws:${kind}Tag/managed-by`]: "openclaw-tenant-operator",
  [`aws:${kind}Tag/openclaw-cluster-uid`]: uid,
});
const ours = tags("Resource");
const made = tags("Request");
const another = tags("Resource", "another-cluster");
const bounded = { "iam:PermissionsBoundary": BOUNDARY };
const toEks = { "iam:PassedToService": "pods.eks.amazonaws.com", "iam:AssociatedResourceArn": CLUSTER };
const forSecrets = { "kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com", "kms:EncryptionContext:SecretARN": SECRET };

const associations = [
  ["eks:DescribeCluster", true, CLUSTER],
  ["eks:ListPodIdentityAssociations", true, CLUSTER],
  ["eks:ListPodIdentityAssociations", false, CLUSTER.replace("prod", "test")],
  ["eks:CreatePodIdentityAssociation", true, CLUSTER, made],
  ["eks:CreatePodIdentityAssociation", false, CLUSTER, {}, "without our tags"],
  ["eks:CreatePodIdentityAssociation", false, CLUSTER.replace("prod", "test"), made, "on another cluster"],
  ["eks:DescribePodIdentityAssociation", true, ASSOCIATION],
  ["eks:UpdatePodIdentityAssociation", true, ASSOCIATION, ours],
  ["eks:UpdatePodIdentityAssociation", false, ASSOCIATION, {}, "of somebody else"],
  ["eks:DeletePodIdentityAssociation", true, ASSOCIATION, ours],
  ["eks:DeletePodIdentityAssociation", false, ASSOCIATION, another, "of a former cluster"],
  ["eks:TagResource", true, ASSOCIATION, made, "while it is made"],
  ["eks:TagResource", true, ASSOCIATION, ours, "repair"],
  ["eks:TagResource", false, ASSOCIATION, { ...made, ...another }, "taking another cluster's over"],
  ["eks:DeleteCluster", false, CLUSTER],
];

const secrets = [
  ["secretsmanager:DescribeSecret", true, SECRET],
  ["secretsmanager:ListSecrets", true, "*"],
  ["secretsmanager:CreateSecret", true, SECRET, made],
  ["secretsmanager:CreateSecret", false, SECRET, {}, "without our tags"],
  ["secretsmanager:CreateSecret", false, FOREIGN, made, "outside the prefix"],
  ["secretsmanager:TagResource", true, SECRET, made, "while it is made"],
  ["secretsmanager:TagResource", true, SECRET, ours, "repair and revoke"],
  ["secretsmanager:TagResource", false, SECRET, { ...made, ...another }, "taking another cluster's over"],
  ["secretsmanager:TagResource", true, SECRET, made, "taking one over that has no cluster's tag: what adoption needs"],
  ["secretsmanager:PutSecretValue", true, SECRET, ours],
  ["secretsmanager:PutSecretValue", false, SECRET, another, "of another cluster"],
  ["secretsmanager:UpdateSecretVersionStage", true, SECRET, ours],
  ["secretsmanager:RestoreSecret", true, SECRET, ours],
  ["secretsmanager:GetSecretValue", false, SECRET, ours],
  ["secretsmanager:BatchGetSecretValue", false, "*"],
  ["secretsmanager:DeleteSecret", true, SECRET, ours, "with a recovery window"],
  ["secretsmanager:DeleteSecret", false, SECRET, { ...ours, "secretsmanager:ForceDeleteWithoutRecovery": "true" }, "at once"],
  ["secretsmanager:DeleteSecret", false, SECRET, another, "of another cluster"],
  ["secretsmanager:UntagResource", true, SECRET, { ...ours, "aws:TagKeys": ["tenant-namespace", "tenant-service-account"] }],
  ["secretsmanager:UntagResource", false, SECRET, { ...ours, "aws:TagKeys": ["openclaw-tenant"] }, "of what says whose it is"],
  ["secretsmanager:PutResourcePolicy", false, SECRET, ours],
  ["kms:GenerateDataKey", true, KEY, forSecrets],
  ["kms:Decrypt", true, KEY, forSecrets],
  ["kms:Decrypt", false, KEY, {}, "by itself"],
];

const neverInIam = [
  ["iam:PassRole", false, OTHER_ROLE, toEks, "another role"],
  ["iam:CreateRole", false, OTHER_ROLE, { ...made, ...bounded }, "outside the path"],
  ["iam:AttachRolePolicy", false, OWN_ROLE, { ...ours, ...bounded }],
  ["iam:PutRolePermissionsBoundary", false, OWN_ROLE, { ...ours, ...bounded }],
  ["iam:DeleteRolePermissionsBoundary", false, OWN_ROLE, { ...ours, ...bounded }],
  ["iam:CreatePolicyVersion", false, BOUNDARY],
  ["iam:CreateUser", false, `arn:aws:iam::${ACCOUNT}:user/mallory`],
];

const sharedRole = [
  ["iam:PassRole", true, SHARED, toEks],
  ["iam:PassRole", false, SHARED, { ...toEks, "iam:PassedToService": "ec2.amazonaws.com" }, "to another service"],
  ["iam:PassRole", false, SHARED, { ...toEks, "iam:AssociatedResourceArn": CLUSTER.replace("prod", "test") }, "to another cluster"],
  ["iam:GetRole", true, SHARED],
  ["iam:ListRolePolicies", true, SHARED],
  ["iam:GetRolePolicy", true, SHARED],
  ["iam:ListAttachedRolePolicies", true, SHARED],
  ["iam:GetPolicy", true, `arn:aws:iam::${ACCOUNT}:policy/workspaces`],
  ["iam:GetPolicyVersion", true, `arn:aws:iam::${ACCOUNT}:policy/workspaces`],
  ["iam:CreateRole", false, OWN_ROLE, { ...made, ...bounded }],
  ["iam:PutRolePolicy", false, SHARED, ours],
  ["iam:UpdateAssumeRolePolicy", false, SHARED, ours],
  ...neverInIam,
];

const withBoundary = { ...ours, ...bounded };
const looser = { "iam:PermissionsBoundary": `arn:aws:iam::aws:policy/AdministratorAccess` };
const rolePerTenant = [
  ["iam:PassRole", true, OWN_ROLE, toEks],
  ["iam:PassRole", false, OWN_ROLE, { ...toEks, "iam:PassedToService": "ec2.amazonaws.com" }, "to another service"],
  ["iam:GetRole", true, OWN_ROLE],
  ["iam:GetRole", true, OWN_ROLE.replace("openclaw/prod/", ""), {}, "before it exists"],
  ["iam:GetRole", false, OTHER_ROLE],
  ["iam:ListRolePolicies", true, OWN_ROLE],
  ["iam:GetRolePolicy", true, OWN_ROLE],
  ["iam:ListAttachedRolePolicies", true, OWN_ROLE],
  ["iam:GetRolePolicy", true, OWN_ROLE.replace("openclaw/prod/", ""), {}, "of somebody else's of that name"],
  ["iam:ListRolePolicies", false, OTHER_ROLE],
  ["iam:CreateRole", true, OWN_ROLE, { ...made, ...bounded }],
  ["iam:CreateRole", false, OWN_ROLE, made, "without the boundary"],
  ["iam:CreateRole", false, OWN_ROLE, { ...made, ...looser }, "with another boundary"],
  ["iam:CreateRole", false, OWN_ROLE, bounded, "without our tags"],
  ["iam:TagRole", true, OWN_ROLE, made, "while it is made"],
  ["iam:TagRole", true, OWN_ROLE, ours, "repair"],
  ["iam:TagRole", false, OWN_ROLE, { ...made, ...another }, "taking another cluster's over"],
  ["iam:PutRolePolicy", true, OWN_ROLE, withBoundary],
  ["iam:PutRolePolicy", false, OWN_ROLE, ours, "of a role without the boundary"],
  ["iam:PutRolePolicy", false, OWN_ROLE, { ...another, ...bounded }, "of another cluster's role"],
  ["iam:DeleteRolePolicy", true, OWN_ROLE, withBoundary],
  ["iam:UpdateAssumeRolePolicy", true, OWN_ROLE, withBoundary],
  ["iam:UpdateAssumeRolePolicy", false, OWN_ROLE, ours, "of a role without the boundary"],
  ["iam:DeleteRole", true, OWN_ROLE, withBoundary],
  ["iam:DeleteRole", false, OTHER_ROLE, withBoundary, "outside the path"],
  ["iam:SetDefaultPolicyVersion", false, BOUNDARY],
  ...neverInIam,
];

/** What is asked in one mode: action, whether it shall be allowed, resource, context, and more words. */
export function questions(mode) {
  return [...associations, ...secrets, ...(mode === "role per tenant" ? rolePerTenant : sharedRole)];
}

/** The operator's own policy in one mode. */
export const ownPolicy = (mode) => document(mode === "role per tenant" ? "operator-role-per-tenant" : "operator-shared-role");

/** Rows of one mode: what it is about, whether it shall be allowed, the question. */
export function operator(mode) {
  const role = {
    principal: `arn:aws:sts::${ACCOUNT}:assumed-role/openclaw-tenant-operator/eks-prod-operator`,
    policy: ownPolicy(mode),
  };
  return questions(mode).map(([action, allowed, resource, context = {}, words]) =>
    [words ? `${action}, ${words}` : action, allowed, () => asRole(role, action, resource, context)]);
}
