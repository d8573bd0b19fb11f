// One question to the evaluator: may this principal do this? Strict: an unknown action, resource or malformed document is
// an error and not an answer. Context keys that the service does not know for the action are dropped, as AWS does.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const packages = process.env.OPENCLAW_IAM_PACKAGES;
const require = createRequire(join(packages, "package.json"));
const { runSimulation } = await import(pathToFileURL(require.resolve("@cloud-copilot/iam-simulate")));

export const ACCOUNT = "111122223333";

// Secrets Manager knows the tags of a secret under two names that mean the same, secretsmanager:ResourceTag/… and
// aws:ResourceTag/… (Service Authorization Reference). The evaluator's data holds the first as a literal "tag-key", so
// questions and documents are put to it under the second. Of an encryption context it drops every key; another text
// key of KMS stands for the one that is asked for. Both are renamed in documents and questions alike.
const renamed = (text) => text
  .replaceAll("secretsmanager:ResourceTag/", "aws:ResourceTag/")
  .replaceAll("kms:EncryptionContext:SecretARN", "kms:RequestAlias");

/** A document as the operator generated it: for the old incarnation of a name, for the new one, or for another place. */
export function document(name, place = "new") {
  const path = join(process.env.OPENCLAW_IAM_DOCUMENTS, place, "policies", `${name}.json`);
  return JSON.parse(renamed(readFileSync(path, "utf8")));
}

async function ask(simulation) {
  const everything = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };
  const organisation = [{ orgIdentifier: "ou-0", policies: [{ name: "FullAWSAccess", policy: everything }] }];
  const answer = await runSimulation(
    { serviceControlPolicies: organisation, resourceControlPolicies: [], ...simulation }, { simulationMode: "Strict" });
  if (answer.resultType === "error") {
    throw new Error(JSON.stringify(answer.errors));
  }
  return answer.overallResult;
}

// A key's own policy has to let the account's roles speak for themselves: the policy that AWS gives a new key.
const keyPolicy = (account) => ({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: "kms:*", Resource: "*" }],
});

/** What a role with these permissions, and within this boundary, is answered. */
export function asRole({ principal, policy, boundary }, action, resource, context = {}) {
  const contextVariables = JSON.parse(renamed(JSON.stringify(context)));
  const accountId = principal.split(":")[4];
  return ask({
    request: { principal, action, resource: { resource, accountId }, contextVariables },
    identityPolicies: [{ name: "own", policy }],
    ...(action.startsWith("kms:") && { resourcePolicy: keyPolicy(accountId) }),
    ...(boundary && { permissionBoundaryPolicies: [{ name: "boundary", policy: boundary }] }),
  });
}

/** What EKS Pod Identity is answered that wants to take a role on for a pod. */
export function takeOn(role, trust, context, action = "sts:AssumeRole", principal = "pods.eks.amazonaws.com") {
  return ask({
    request: { principal, action, resource: { resource: role, accountId: ACCOUNT }, contextVariables: context },
    identityPolicies: [],
    resourcePolicy: trust,
  });
}
