// What workspaces may do, in both modes.

import { ACCOUNT, asRole, document, takeOn } from "./evaluator.mjs";

const CLUSTER = `arn:aws:eks:eu-west-1:${ACCOUNT}:cluster/prod`;
const OTHER_CLUSTER = `arn:aws:eks:eu-west-1:${ACCOUNT}:cluster/test`;
const OLD = "workspace-aaaaaaaaaa";
const NEW = "workspace-bbbbbbbbbb";
const KEY = `arn:aws:kms:eu-west-1:${ACCOUNT}:key/1`;

const secret = (tenant) => `arn:aws:secretsmanager:eu-west-1:${ACCOUNT}:secret:openclaw/${tenant}/gateway-token-AbCdEf`;
const model = (id, region = "eu-west-1") => `arn:aws:bedrock:${region}::foundation-model/${id}`;
const PROFILE = `arn:aws:bedrock:eu-west-1:${ACCOUNT}:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0`;

/** A session as EKS Pod Identity makes it: its tags come from the pod's token, not from the association. */
const session = (namespace, account, cluster = CLUSTER) => ({
  "aws:PrincipalTag/kubernetes-namespace": namespace,
  "aws:PrincipalTag/kubernetes-service-account": account,
  "aws:PrincipalTag/eks-cluster-arn": cluster,
});

/** Tags of a secret as they stand in a request to Secrets Manager. */
const tagged = (namespace, account, cluster = CLUSTER) => ({
  "secretsmanager:ResourceTag/tenant-namespace": namespace,
  "secretsmanager:ResourceTag/tenant-service-account": account,
  "secretsmanager:ResourceTag/eks-cluster-arn": cluster,
});

const request = (namespace, account, cluster = CLUSTER, source = cluster) => ({
  "aws:RequestTag/kubernetes-namespace": namespace,
  "aws:RequestTag/kubernetes-service-account": account,
  "aws:RequestTag/eks-cluster-arn": cluster,
  "aws:SourceAccount": ACCOUNT,
  "aws:SourceArn": source,
});

const READ = "secretsmanager:GetSecretValue";
const INVOKE = "bedrock:InvokeModel";

function readings(read) {
  const [alice, bob] = [secret("alice"), secret("bob")];
  const now = session("openclaw-alice", NEW);
  const before = session("openclaw-alice", OLD);
  const own = tagged("openclaw-alice", NEW);
  return [
    ["own secret", true, () => read(alice, { ...now, ...own })],
    ["another tenant's secret", false, () => read(bob, { ...now, ...tagged("openclaw-bob", "workspace-cccccccccc") })],
    ["own name, tagged for another tenant", false, () => read(alice, { ...now, ...tagged("openclaw-bob", NEW) })],
    ["another cluster's secret", false, () => read(alice, { ...now, ...tagged("openclaw-alice", NEW, OTHER_CLUSTER) })],
    ["session of another cluster", false, () => read(alice, { ...session("openclaw-alice", NEW, OTHER_CLUSTER), ...own })],
    ["untagged secret", false, () => read(alice, now)],
    ["session without tags", false, () => read(alice, own)],
    ["neither has tags", false, () => read(alice, {})],
    ["secret outside the prefix", false, () => read(alice.replace("openclaw/", "payroll/"), { ...now, ...own })],
    ["revoked secret", false, () => read(alice, { ...now, ...tagged("openclaw-alice", "revoked") })],
    ["old session, the new namesake's secret", false, () => read(alice, { ...before, ...own })],
    ["old token through the new association, secret", false, () => read(alice, { ...before, ...own })],
    ["new session, the old secret", false, () => read(alice, { ...now, ...tagged("openclaw-alice", OLD) })],
  ];
}

function others(role) {
  const now = session("openclaw-alice", NEW);
  const via = (service, arn) => ({ ...now, "kms:ViaService": service, "kms:EncryptionContext:SecretARN": arn });
  const through = { ...now, "bedrock:InferenceProfileArn": PROFILE };
  const [haiku, sonnet] = ["anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"];
  const service = "secretsmanager.eu-west-1.amazonaws.com";
  const may = (action, resource, context = now) => () => asRole(role, action, resource, context);
  return [
    ["writing the own secret", false, may("secretsmanager:PutSecretValue", secret("alice"), { ...now, ...tagged("openclaw-alice", NEW) })],
    ["tagging the own secret", false, may("secretsmanager:TagResource", secret("alice"), { ...now, ...tagged("openclaw-alice", NEW) })],
    ["key, for a secret", true, may("kms:Decrypt", KEY, via(service, secret("alice")))],
    ["key, by itself", false, may("kms:Decrypt", KEY)],
    ["key, for another service", false, may("kms:Decrypt", KEY, via("s3.eu-west-1.amazonaws.com", secret("alice")))],
    ["key, for a secret outside the prefix", false, may("kms:Decrypt", KEY, via(service, secret("x").replace("openclaw/", "payroll/")))],
    ["the class's model", true, may(INVOKE, model(haiku))],
    ["the class's model, streaming", true, may("bedrock:InvokeModelWithResponseStream", model(haiku))],
    ["another model", false, may(INVOKE, model("amazon.nova-pro-v1:0"))],
    ["the class's model in another region", false, may(INVOKE, model(haiku, "us-east-1"))],
    ["the class's inference profile", true, may(INVOKE, PROFILE)],
    ["its destination through it", true, may(INVOKE, model(sonnet, "eu-central-1"), through)],
    ["its destination without it", false, may(INVOKE, model(sonnet, "eu-central-1"))],
    ["another model through it", false, may(INVOKE, model("amazon.nova-pro-v1:0"), through)],
    ["listing models", true, may("bedrock:ListFoundationModels", "*")],
  ];
}

function trusts(trust, role, perTenant) {
  const [alice, bob] = [request("openclaw-alice", NEW), request("openclaw-bob", "workspace-cccccccccc")];
  const { "aws:SourceArn": _, ...elsewhere } = { ...request("openclaw-alice", NEW, OTHER_CLUSTER) };
  const untagged = { "aws:SourceAccount": ACCOUNT, "aws:SourceArn": CLUSTER };
  return [
    ["taken on by the own workspace", true, () => takeOn(role, trust, alice)],
    ["tags of the own workspace", true, () => takeOn(role, trust, alice, "sts:TagSession")],
    ["taken on by another tenant's", !perTenant, () => takeOn(role, trust, bob)],
    ["old token through the new association, role", !perTenant, () => takeOn(role, trust, request("openclaw-alice", OLD))],
    ["taken on in a foreign namespace", false, () => takeOn(role, trust, request("payroll", NEW))],
    ["taken on by a foreign ServiceAccount", false, () => takeOn(role, trust, request("openclaw-alice", "default"))],
    ["taken on from another cluster", false, () => takeOn(role, trust, { ...elsewhere, "aws:SourceArn": OTHER_CLUSTER })],
    ["taken on without session tags", false, () => takeOn(role, trust, untagged)],
    ["taken on by another service", false, () => takeOn(role, trust, alice, "sts:AssumeRole", "ec2.amazonaws.com")],
  ];
}

/** Rows of one mode: what it is about, whether it shall be allowed, the question. */
export function workspaces(mode) {
  const perTenant = mode === "role per tenant";
  const name = perTenant ? "tenant-role" : "shared-role";
  const arn = `arn:aws:iam::${ACCOUNT}:role/${perTenant ? "openclaw/prod/openclaw-alice-bbbbbbbbbb" : "openclaw-workspace"}`;
  const role = {
    principal: arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/").replace("openclaw/prod/", "") + "/eks-prod-alice-0",
    policy: document(`${name}-permissions`),
    boundary: perTenant ? document("tenant-role-boundary") : undefined,
  };
  const read = (resource, context) => asRole(role, READ, resource, context);
  return [...readings(read), ...others(role), ...trusts(document(`${name}-trust`), arn, perTenant)];
}
