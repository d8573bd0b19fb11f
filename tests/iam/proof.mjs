// Whether policies allow what was asked for, and nothing that was not.

import { asRole } from "./evaluator.mjs";

/** Which document each mode's operator has. */
export const POLICIES = { SharedRole: "operator-shared-role", RolePerTenant: "operator-role-per-tenant" };

/** The question that one recorded call puts to a policy. */
function question({ service, operation, example }) {
  const { resources: [resource], requestTags, resourceTags, conditions, place } = example;
  const context = { ...conditions };
  for (const [key, value] of Object.entries(requestTags)) context[`aws:RequestTag/${key}`] = value;
  for (const [key, value] of Object.entries(resourceTags)) context[`aws:ResourceTag/${key}`] = value;
  if (Object.keys(requestTags).length > 0) context["aws:TagKeys"] = Object.keys(requestTags);
  const account = place.clusterArn.split(":")[4];
  const principal = `arn:aws:sts::${account}:assumed-role/openclaw-tenant-operator/eks-operator`;
  return { principal, action: `${service}:${operation}`, resource, context };
}

async function isAllowed(call, policy) {
  const { principal, action, resource, context } = question(call);
  return (await asRole({ principal, policy }, action, resource, context)) === "Allowed";
}

function words({ service, operation, impliedBy, resources, requestTags, resourceTags }) {
  const tags = (what, of) => Object.keys(of).length > 0 ? `, ${what} ${Object.keys(of).length} tags` : "";
  const by = impliedBy ? ` (for ${impliedBy})` : "";
  return `${service}:${operation}${by} on ${resources[0]}${tags("with", requestTags)}${tags("which has", resourceTags)}`;
}

/** The policy without one action of one statement. */
function without(policy, statement, action) {
  const left = statement.Action.filter((one) => one !== action);
  const others = policy.Statement.filter((one) => one !== statement);
  return { ...policy, Statement: left.length > 0 ? [...others, { ...statement, Action: left }] : others };
}

/**
 * What is wrong with the policies of one mode, and how many questions there were. `policyOf` gives the policy that is rendered
 * for the place of a call.
 */
export async function prove(calls, mode, policyOf) {
  const asked = calls.filter((call) => call.mode === null || call.mode === mode);
  const complaints = [];
  for (const call of asked) {
    if (!(await isAllowed(call, policyOf(call)))) complaints.push(`refused: ${words(call)}`);
  }
  // Rendered for different places, they say the same.
  const rights = asked.length === 0 ? [] : policyOf(asked[0]).Statement.filter(({ Effect }) => Effect === "Allow")
    .flatMap(({ Sid, Action }) => Action.map((action) => [Sid, action]));
  for (const [sid, action] of rights) {
    if (!(await isNeeded(asked, policyOf, sid, action))) complaints.push(`unused: ${action} of statement ${sid}`);
  }
  return { questions: asked.length + rights.length, complaints };
}

/** Whether something that was asked for would be refused without it. */
async function isNeeded(asked, policyOf, sid, action) {
  for (const call of asked.filter(({ service, operation }) => `${service}:${operation}` === action)) {
    const policy = policyOf(call);
    const statement = policy.Statement.find(({ Sid }) => Sid === sid);
    if (!(await isAllowed(call, without(policy, statement, action)))) return true;
  }
  return false;
}
