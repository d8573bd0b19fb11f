// The clusters that calls were recorded for, and what a platform engineer would render the operator's policies with there.
// Run by itself it prints a line for each: a directory's name and the arguments.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** One directory for each cluster. */
export const directory = ({ clusterUid }) => clusterUid;

/** For each cluster: the roles that classes name, the boundary of tenants' roles, the keys of the secrets. */
export function places(calls) {
  const found = new Map();
  for (const { service, operation, mode, example } of calls) {
    const { place, resources: [resource], conditions } = example;
    const of = found.get(directory(place)) ?? { place, roles: new Set(), boundaries: new Set(), keys: new Set() };
    found.set(directory(place), of);
    if (mode === "SharedRole" && resource.includes(":role/")) of.roles.add(resource);
    if (operation === "CreateRole") of.boundaries.add(conditions["iam:PermissionsBoundary"]);
    if (service === "kms") of.keys.add(resource);
  }
  // Whichever cluster an example is of, tenants' roles are bounded by the one policy of that account.
  const boundaries = new Set([...found.values()].flatMap((of) => [...of.boundaries]));
  return [...found.values()].map((of) => ({ ...of, boundaries }));
}

function rendered({ place, roles, boundaries, keys }) {
  const each = (flag, values) => [...values].flatMap((value) => [flag, value]);
  return [directory(place), "--cluster-arn", place.clusterArn, "--cluster-uid", place.clusterUid,
    ...each("--role-arn", roles), ...each("--permissions-boundary-arn", boundaries), ...each("--kms-key-arn", keys)].join(" ");
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const calls = JSON.parse(readFileSync(process.argv[2], "utf8"));
  console.log(places(calls).map(rendered).join("\n"));
}
