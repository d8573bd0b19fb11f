// Answers IAM's question for the local platform: may this session do this? One question a line on standard input, as JSON, one answer a
// line on standard output. Strict: what cannot be judged is an error and no answer.

import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(join(process.argv[2], "package.json"));
const { runSimulation } = await import(pathToFileURL(require.resolve("@cloud-copilot/iam-simulate")));

// Secrets Manager knows the tags of a secret under two names that mean the same (Service Authorization Reference); the evaluator's data
// holds one of them as a literal "tag-key".
const renamed = (value) => JSON.parse(JSON.stringify(value).replaceAll("secretsmanager:ResourceTag/", "aws:ResourceTag/"));

const everything = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };

async function answer({ principal, policies, action, resource, context }) {
  const accountId = principal.split(":")[4];
  const simulated = await runSimulation({
    request: { principal, action, resource: { resource, accountId }, contextVariables: renamed(context) },
    identityPolicies: renamed(policies).map((policy, index) => ({ name: `policy-${index}`, policy })),
    serviceControlPolicies: [{ orgIdentifier: "ou-0", policies: [{ name: "FullAWSAccess", policy: everything }] }],
    resourceControlPolicies: [],
  }, { simulationMode: "Strict" });
  if (simulated.resultType === "error") {
    return { error: JSON.stringify(simulated.errors) };
  }
  const why = simulated.overallResult === "ExplicitlyDenied" ? "a policy denies it" : "no policy allows it";
  return { allowed: simulated.overallResult === "Allowed", why };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...question } = JSON.parse(line);
  const said = await answer(question).catch((error) => ({ error: String(error) }));
  console.log(JSON.stringify({ id, ...said }));
}
