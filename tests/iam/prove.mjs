// Proves the operator's policies by the calls that a whole test run has made.

import { readFileSync } from "node:fs";

import { document } from "./evaluator.mjs";
import { directory } from "./places.mjs";
import { POLICIES, prove } from "./proof.mjs";

const calls = JSON.parse(readFileSync(process.argv[2], "utf8"));
let [passed, failed] = [0, 0];
for (const [mode, name] of Object.entries(POLICIES)) {
  const known = new Map();
  const policyOf = ({ example: { place } }) => {
    if (!known.has(directory(place))) known.set(directory(place), document(name, directory(place)));
    return known.get(directory(place));
  };
  const { questions, complaints } = await prove(calls, mode, policyOf);
  console.log(`Operator's policy, ${mode}: ${questions} questions, ${complaints.length} wrong`);
  complaints.forEach((complaint) => console.log(`FAILED: ${name}: ${complaint}`));
  passed += questions - complaints.length;
  failed += complaints.length;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
