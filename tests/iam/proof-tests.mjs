// The proof finds what it is for: a right that is missing, one that nobody uses, one that is there twice.

import { ownPolicy, questions } from "./operator.mjs";
import { prove } from "./proof.mjs";

const MODES = { "shared role": "SharedRole", "role per tenant": "RolePerTenant" };

/** What operator.mjs asks and is allowed, as if it had been recorded. */
function recorded(mode) {
  const tags = (kind, context) => Object.fromEntries(Object.entries(context)
    .filter(([key]) => key.startsWith(`aws:${kind}Tag/`)).map(([key, value]) => [key.split("/")[1], value]));
  const others = (context) => Object.fromEntries(Object.entries(context).filter(([key]) => !key.includes("Tag/")));
  return questions(mode).filter(([, allowed]) => allowed).map(([action, , resource, context = {}]) => {
    const [service, operation] = action.split(":");
    const place = { clusterArn: "arn:aws:eks:eu-west-1:111122223333:cluster/prod" };
    const example = { resources: [resource], requestTags: tags("Request", context), resourceTags: tags("Resource", context),
      conditions: others(context), place };
    return { ...example, service, operation, impliedBy: null, mode: service === "iam" ? MODES[mode] : null, example };
  });
}

const changed = (policy, sid, change) => ({
  ...policy, Statement: policy.Statement.map((one) => (one.Sid === sid ? { ...one, ...change(one) } : one)),
});

/** Rows: what it is about, and whether the proof says exactly this. */
export function proofTests(mode) {
  const policy = ownPolicy(mode);
  const lacking = changed(policy, "ChangeOwnSecrets", ({ Action }) => ({ Action: Action.filter((one) => !one.endsWith("RestoreSecret")) }));
  const idle = changed(policy, "ChangeOwnSecrets", ({ Action }) => ({ Action: [...Action, "secretsmanager:RotateSecret"] }));
  const twice = changed(policy, "LookAtSecrets", ({ Action }) => ({ Action: [...Action, "secretsmanager:RestoreSecret"] }));
  const says = (of, ...wanted) => async () => {
    const { complaints } = await prove(recorded(mode), MODES[mode], () => of);
    const right = complaints.length === wanted.length && wanted.every((words) => complaints.some((one) => one.includes(words)));
    return right ? "Allowed" : complaints.join("; ");
  };
  const [restore, rotate] = ["secretsmanager:RestoreSecret", "secretsmanager:RotateSecret"];
  return [
    ["its own questions need all of it and nothing else", true, says(policy)],
    ["a right that is missing", true, says(lacking, `refused: ${restore}`)],
    ["a right that nobody uses", true, says(idle, `unused: ${rotate} of statement ChangeOwnSecrets`)],
    ["a right that is there twice", true, says(twice, `unused: ${restore} of statement ChangeOwnSecrets`, `unused: ${restore} of statement LookAtSecrets`)],
  ];
}
