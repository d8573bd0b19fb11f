// Every row is one question with the answer that it must get. A wrong cell, or one that could not be judged, fails.

import { operator } from "./operator.mjs";
import { proofTests } from "./proof-tests.mjs";
import { workspaces } from "./workspaces.mjs";

const MODES = ["shared role", "role per tenant"];
let [passed, failed] = [0, 0];

async function judge(wanted, question) {
  let answer;
  try {
    answer = (await question()) === "Allowed" ? "allowed" : "denied";
  } catch (error) {
    answer = `error: ${error.message}`;
  }
  const right = answer === (wanted ? "allowed" : "denied");
  if (right) { passed += 1; } else { failed += 1; }
  return right ? answer : `WRONG: ${answer}`;
}

async function table(title, rows) {
  console.log(`\n${title}`);
  for (const [words, wanted, question] of rows) {
    console.log(`  ${words.padEnd(72)} ${await judge(wanted, question)}`);
  }
}

for (const mode of MODES) {
  await table(`Workspaces, ${mode}`, workspaces(mode));
  await table(`Operator, ${mode}`, operator(mode));
  await table(`The proof of the operator's policy, ${mode}`, proofTests(mode));
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
