#!/usr/bin/env node
// Answers OpenClaw's exec secret provider (protocol version 1) from AWS Secrets Manager.
//
//   stdin   {"protocolVersion":1,"provider":"…","ids":["gateway-token"]}
//   stdout  {"protocolVersion":1,"values":{"gateway-token":"…"},"errors":{"other":{"code":"NOT_FOUND"}}}
//
// Credentials come from the EKS Pod Identity agent. Which secret and which version an id stands for is written in
// secrets.json beside this file. A secret's value goes to stdout and nowhere else. Nothing but Node's own modules is
// needed, so there is nothing to install and nothing to fetch before the first start.

import { createHash, createHmac } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

// The gateway gives a provider 5 s unless told otherwise; an answer with errors beats being killed without one.
const TOTAL_MS = 4500;
const ATTEMPT_MS = 1500;
const ATTEMPTS = 4;
const BACKOFF_MS = 100;
const MAX_REQUEST_BYTES = 256 * 1024;

// The Pod Identity agent's only addresses. The URI comes from the environment, and whoever could change that
// would otherwise be handed the pod's identity token.
const AGENT_HOSTS = new Set(["169.254.170.23", "[fd00:ec2::23]"]);

// Partitions whose endpoints are not under amazonaws.com (partitions.json of botocore).
const DNS_SUFFIXES = [
  ["cn-", "amazonaws.com.cn"],
  ["eusc-", "amazonaws.eu"],
  ["us-iso-", "c2s.ic.gov"],
  ["us-isob-", "sc2s.sgov.gov"],
  ["us-isof-", "csp.hci.ic.gov"],
  ["eu-isoe-", "cloud.adc-e.uk"],
];

// Names under which Secrets Manager and its front ends say "slower".
const THROTTLED = new Set([
  "ThrottlingException",
  "Throttling",
  "ThrottledException",
  "TooManyRequestsException",
  "RequestLimitExceeded",
  "RequestThrottledException",
]);

// What an answer of Secrets Manager means to the gateway. It shows NOT_FOUND to people and counts the others.
const CODES = new Map([
  ["ResourceNotFoundException", "NOT_FOUND"],
  ["AccessDeniedException", "ACCESS_DENIED"],
  ["DecryptionFailure", "ACCESS_DENIED"],
  ["ExpiredTokenException", "NO_CREDENTIALS"],
  ["UnrecognizedClientException", "NO_CREDENTIALS"],
  ["InvalidRequestException", "INVALID_REQUEST"],
  ["InvalidParameterException", "INVALID_REQUEST"],
]);

/** A failure with a code for the gateway and a detail for the log, which never holds a value or a credential. */
export class Failure extends Error {
  constructor(code, detail, retryable = false) {
    super(detail);
    this.code = code;
    this.retryable = retryable;
  }
}

const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const hmac = (key, data) => createHmac("sha256", key).update(data).digest();

/** The headers of a request with AWS Signature Version 4 added; `headers` has lower-case names. */
export function sign({ method, url, headers, body, region, service, credentials, now }) {
  const stamp = now.toISOString().replace(/[:-]|\.\d{3}/g, "");
  const day = stamp.slice(0, 8);
  const all = { ...headers, host: url.host, "x-amz-date": stamp };
  if (credentials.token) all["x-amz-security-token"] = credentials.token;
  const names = Object.keys(all).sort();
  const signed = names.join(";");
  const canonical = [
    method,
    url.pathname,
    url.search.slice(1),
    ...names.map((name) => `${name}:${all[name].trim()}`),
    "",
    signed,
    sha256(body),
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", stamp, scope, sha256(canonical)].join("\n");
  const key = [day, region, service, "aws4_request"].reduce(hmac, `AWS4${credentials.secretKey}`);
  const signature = createHmac("sha256", key).update(toSign).digest("hex");
  delete all.host; // fetch writes it from the URL, as it was signed
  all.authorization =
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
  return all;
}

/** Where the credentials come from; throws unless that is the agent, or a stand-in that goes with an emulator. */
export function agentUrl(env) {
  // The operator sets the first only when it was told that it talks to an emulator, and the second never: that is set by
  // whoever runs these processes where the agent's address cannot be had (tests/it/openclaw). Alone it counts for nothing.
  const standIn = env.OPENCLAW_RESOLVER_ENDPOINT ? env.OPENCLAW_RESOLVER_AGENT : undefined;
  const text = standIn ?? env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
  if (!text) throw new Failure("NO_CREDENTIALS", "AWS_CONTAINER_CREDENTIALS_FULL_URI is not set: no Pod Identity");
  if (!URL.canParse(text)) throw new Failure("NO_CREDENTIALS", "the credentials URI is not a URL");
  const url = new URL(text);
  if (url.username || url.password) throw new Failure("NO_CREDENTIALS", "the credentials URI holds a password");
  if (standIn === undefined && !(url.protocol === "http:" && AGENT_HOSTS.has(url.hostname))) {
    throw new Failure("NO_CREDENTIALS", "the credentials URI is not the Pod Identity agent's");
  }
  return url;
}

/** Where Secrets Manager is. */
export function endpoint(env) {
  const region = env.AWS_REGION ?? "";
  if (!/^[a-z]{2,}(-[a-z]+)+-\d+$/.test(region)) throw new Failure("CONFIGURATION", "AWS_REGION is not a region");
  if (env.OPENCLAW_RESOLVER_ENDPOINT) {
    if (!URL.canParse(env.OPENCLAW_RESOLVER_ENDPOINT)) {
      throw new Failure("CONFIGURATION", "OPENCLAW_RESOLVER_ENDPOINT is not a URL");
    }
    return { region, url: new URL("/", env.OPENCLAW_RESOLVER_ENDPOINT) };
  }
  const suffix = DNS_SUFFIXES.find(([prefix]) => region.startsWith(prefix))?.[1] ?? "amazonaws.com";
  return { region, url: new URL(`https://secretsmanager.${region}.${suffix}/`) };
}

/** Runs `attempt` until it succeeds, fails for good, or attempts or time run out. */
async function retrying(deadline, attempt) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt(AbortSignal.timeout(Math.max(1, Math.min(ATTEMPT_MS, deadline - Date.now()))));
    } catch (error) {
      // An aborted or broken connection says nothing about the request: all calls here only read.
      const failure = error instanceof Failure ? error : new Failure("UNAVAILABLE", networkError(error), true);
      const pause = BACKOFF_MS * 2 ** tried * (0.5 + Math.random() / 2);
      if (!failure.retryable || tried === ATTEMPTS || Date.now() + pause >= deadline) throw failure;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** The kind of a network error. Its message is left out: it may quote a header. */
const networkError = (error) => `no answer (${error.cause?.code ?? error.name})`;

/** Credentials of the pod, from the agent. */
async function credentialsOf(env, deadline) {
  const url = agentUrl(env);
  const headers = {};
  if (env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE) {
    const file = await readFile(env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, "utf8").catch((error) => {
      throw new Failure("NO_CREDENTIALS", `the identity token cannot be read (${error.code})`);
    });
    headers.authorization = file.trim();
  }
  return retrying(deadline, async (signal) => {
    const response = await fetch(url, { headers, signal, redirect: "manual" });
    if (!response.ok) {
      await response.body?.cancel();
      const retryable = response.status === 429 || response.status >= 500;
      throw new Failure("NO_CREDENTIALS", `the Pod Identity agent answered ${response.status}`, retryable);
    }
    const { AccessKeyId, SecretAccessKey, Token } = await response.json().catch(() => ({}));
    if (!AccessKeyId || !SecretAccessKey) throw new Failure("NO_CREDENTIALS", "the agent's answer has no credentials");
    return { accessKeyId: AccessKeyId, secretKey: SecretAccessKey, token: Token };
  });
}

/** The value of one pinned version. */
async function valueOf({ secretId, versionId }, { region, url }, credentials, deadline) {
  const body = JSON.stringify({ SecretId: secretId, VersionId: versionId });
  const answer = await retrying(deadline, async (signal) => {
    // Signed anew for each attempt: a signature holds the time.
    const headers = sign({
      method: "POST",
      url,
      headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.GetSecretValue" },
      body,
      region,
      service: "secretsmanager",
      credentials,
      now: new Date(),
    });
    const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "manual" });
    if (response.ok) return response.json();
    throw refused(response.status, await response.json().catch(() => ({})));
  });
  if (answer.VersionId !== versionId) throw new Failure("WRONG_VERSION", "another version was returned");
  if (typeof answer.SecretString !== "string") throw new Failure("NOT_TEXT", "the secret has no text value");
  return answer.SecretString;
}

/** What a refusal by Secrets Manager means. */
function refused(status, answer) {
  // "com.amazonaws.secretsmanager#ResourceNotFoundException" in the older form of the protocol.
  const type = String(answer?.__type ?? "").split("#").at(-1);
  if (status === 429 || THROTTLED.has(type)) return new Failure("THROTTLED", `throttled (${status})`, true);
  const code = CODES.get(type) ?? (status === 403 ? "ACCESS_DENIED" : "UNAVAILABLE");
  const name = /^\w{1,64}$/.test(type) ? type : "no error type";
  return new Failure(code, `Secrets Manager answered ${status} (${name})`, status >= 500);
}

/** The whole answer to one request. */
export async function resolve(request, secrets, env, log) {
  const deadline = Date.now() + TOTAL_MS;
  if (request?.protocolVersion !== 1 || !Array.isArray(request.ids) || !request.ids.every((id) => typeof id === "string")) {
    throw new Failure("PROTOCOL", "the request is not one of protocol version 1");
  }
  const values = {};
  const errors = {};
  const fail = (id, failure) => {
    errors[id] = { code: failure.code };
    log(`${JSON.stringify(id)}: ${failure.code}: ${failure.message}`);
  };
  const known = [...new Set(request.ids)].filter((id) => {
    if (Object.hasOwn(secrets, id)) return true;
    fail(id, new Failure("NOT_FOUND", "secrets.json does not name it"));
    return false;
  });
  if (known.length > 0) {
    let source;
    try {
      source = { at: endpoint(env), credentials: await credentialsOf(env, deadline) };
    } catch (error) {
      for (const id of known) fail(id, asFailure(error));
      return { protocolVersion: 1, values, errors };
    }
    await Promise.all(
      known.map(async (id) => {
        try {
          values[id] = await valueOf(secrets[id], source.at, source.credentials, deadline);
        } catch (error) {
          fail(id, asFailure(error));
        }
      }),
    );
  }
  return { protocolVersion: 1, values, errors };
}

/** An unforeseen error without its message, which nobody has checked for secrets. */
const asFailure = (error) => (error instanceof Failure ? error : new Failure("INTERNAL", `unforeseen ${error.name}`));

async function readRequest(stream) {
  const chunks = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_REQUEST_BYTES) throw new Failure("PROTOCOL", "the request is too long");
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new Failure("PROTOCOL", "the request is not JSON");
  }
}

async function main() {
  const log = (line) => process.stderr.write(`fetch-secret: ${line}\n`);
  try {
    const request = await readRequest(process.stdin);
    const secrets = JSON.parse(readFileSync(fileURLToPath(new URL("secrets.json", import.meta.url)), "utf8"));
    const answer = await resolve(request, secrets, process.env, log);
    // Connections kept alive would hold the process, and with it the gateway's start, for seconds.
    process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
  } catch (error) {
    log(asFailure(error).message);
    process.exit(1);
  }
}

if (process.argv[1] && pathToFileURL(realpathSync(process.argv[1])).href === import.meta.url) await main();
