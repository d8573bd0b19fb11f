// The secret resolver of a workspace, run as the gateway runs it: a process with an almost empty environment, a request
// on stdin, an answer on stdout. `node --test tests/resolver/`, Node 20 or newer, no packages.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { agentUrl, endpoint, sign } from "../../src/tenant/desired/workload/fetch-secret.mjs";

const SCRIPT = new URL("../../src/tenant/desired/workload/fetch-secret.mjs", import.meta.url);
const VALUE = "the-value-of-the-gateway-token";
const IDENTITY = "the-pods-identity-token";
const SECRET_KEY = "the-secret-access-key";
const PINNED = "a".repeat(64);

let directory;
let aws;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "resolver-"));
  aws = await startAws();
});

afterEach(async () => {
  aws.server.closeAllConnections();
  await new Promise((done) => aws.server.close(done));
  rmSync(directory, { recursive: true });
});

/** One server that is both the Pod Identity agent and Secrets Manager; `aws.answers` says what the latter does. */
async function startAws() {
  const state = { agentCalls: [], secretCalls: [], answers: [], agentAnswers: [] };
  state.server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const reply = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (request.url === "/v1/credentials") {
      state.agentCalls.push(request.headers);
      const next = state.agentAnswers.shift();
      if (next) return reply(...next);
      return reply(200, { AccessKeyId: "AKID", SecretAccessKey: SECRET_KEY, Token: "session-token" });
    }
    const body = JSON.parse(Buffer.concat(chunks).toString());
    state.secretCalls.push({ headers: request.headers, body });
    const next = state.answers.shift();
    if (next === "hang") return undefined;
    if (next) return reply(...next);
    return reply(200, { Name: body.SecretId, VersionId: body.VersionId, SecretString: VALUE });
  });
  await new Promise((done) => state.server.listen(0, "127.0.0.1", done));
  state.url = `http://127.0.0.1:${state.server.address().port}`;
  return state;
}

/** Runs the resolver with secrets `gateway-token` and `other`, and `request` on stdin. */
async function run(request, env = {}) {
  const script = join(directory, "fetch-secret.mjs");
  copyFileSync(SCRIPT, script);
  const item = (name) => ({ secretId: `openclaw/alice/${name}`, versionId: PINNED });
  writeFileSync(join(directory, "secrets.json"), JSON.stringify({ "gateway-token": item("gateway-token"), other: item("other") }));
  writeFileSync(join(directory, "identity"), `${IDENTITY}\n`);
  const child = spawn(process.execPath, [script], {
    env: {
      AWS_REGION: "eu-west-1",
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1/credentials",
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(directory, "identity"),
      OPENCLAW_RESOLVER_ENDPOINT: aws.url,
      OPENCLAW_RESOLVER_AGENT: `${aws.url}/v1/credentials`,
      ...env,
    },
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (data) => (output.stdout += data));
  child.stderr.on("data", (data) => (output.stderr += data));
  child.stdin.end(typeof request === "string" ? request : JSON.stringify(request));
  const status = await new Promise((done) => child.on("close", done));
  for (const secret of [VALUE, IDENTITY, SECRET_KEY, "session-token"]) {
    assert.ok(!output.stderr.includes(secret), `stderr shows a secret: ${output.stderr}`);
  }
  return { status, stderr: output.stderr, answer: output.stdout === "" ? undefined : JSON.parse(output.stdout) };
}

const request = (...ids) => ({ protocolVersion: 1, provider: "aws-secrets-manager", ids });

const EXAMPLE = {
  region: "us-east-1",
  service: "service",
  credentials: { accessKeyId: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
  now: new Date("2015-08-30T12:36:00Z"),
  url: new URL("https://example.amazonaws.com/"),
};

test("requests are signed as AWS's published Signature Version 4 vectors are", () => {
  const vectors = [
    ["get-vanilla", { method: "GET", headers: {}, body: "" }, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
    ["post-vanilla", { method: "POST", headers: {}, body: "" }, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
    [
      "post-x-www-form-urlencoded",
      { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: "Param1=value1" },
      "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ],
  ];
  for (const [name, parts, signature] of vectors) {
    const { authorization } = sign({ ...EXAMPLE, ...parts });
    assert.equal(authorization.split("Signature=")[1], signature, name);
  }
});

test("a value comes from the pinned version, with the pod's identity and a session token", async () => {
  const { status, answer, stderr } = await run(request("gateway-token"));
  assert.deepEqual([status, stderr], [0, ""]);
  assert.deepEqual(answer, { protocolVersion: 1, values: { "gateway-token": VALUE }, errors: {} });
  assert.equal(aws.agentCalls[0].authorization, IDENTITY);
  const [{ headers, body }] = aws.secretCalls;
  assert.deepEqual(body, { SecretId: "openclaw/alice/gateway-token", VersionId: PINNED });
  assert.equal(headers["x-amz-target"], "secretsmanager.GetSecretValue");
  assert.equal(headers["x-amz-security-token"], "session-token");
  assert.match(
    headers.authorization,
    /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-west-1\/secretsmanager\/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=[0-9a-f]{64}$/,
  );
});

test("several ids cost one call of the agent, and each that fails has its own error", async () => {
  aws.answers.push([400, { __type: "com.amazonaws.secretsmanager#ResourceNotFoundException", Message: VALUE }]);
  const { status, answer, stderr } = await run(request("gateway-token", "other", "unknown", "constructor"));
  assert.equal(status, 0);
  assert.equal(aws.agentCalls.length, 1);
  // The two calls go out together, so either may be the one that was refused.
  assert.deepEqual(Object.values(answer.values), [VALUE]);
  assert.deepEqual(Object.values(answer.errors), Array(3).fill({ code: "NOT_FOUND" }));
  assert.equal(stderr.trim().split("\n").length, 3);
});

test("throttling and server errors are retried, at most three times", async () => {
  aws.answers.push([400, { __type: "ThrottlingException" }], [503, {}]);
  assert.deepEqual((await run(request("other"))).answer.values, { other: VALUE });
  assert.equal(aws.secretCalls.length, 3);

  aws.answers.push(...Array(9).fill([400, { __type: "ThrottlingException" }]));
  assert.deepEqual((await run(request("other"))).answer.errors, { other: { code: "THROTTLED" } });
  assert.equal(aws.secretCalls.length, 3 + 4);
});

test("a busy agent is asked again, a refusal is final", async () => {
  aws.agentAnswers.push([500, {}], [429, {}]);
  assert.deepEqual((await run(request("other"))).answer.values, { other: VALUE });
  assert.equal(aws.agentCalls.length, 3);

  aws.agentAnswers.push([403, {}]);
  assert.deepEqual((await run(request("other"))).answer.errors, { other: { code: "NO_CREDENTIALS" } });
  assert.equal(aws.agentCalls.length, 4);
});

test("refusals are told apart and not retried", async () => {
  const cases = [
    [[400, { __type: "AccessDeniedException" }], "ACCESS_DENIED"],
    [[400, { __type: "InvalidRequestException" }], "INVALID_REQUEST"],
    [[403, {}], "ACCESS_DENIED"],
    [[200, { VersionId: "b".repeat(64), SecretString: VALUE }], "WRONG_VERSION"],
    [[200, { VersionId: PINNED, SecretBinary: "AAAA" }], "NOT_TEXT"],
    [[302, {}], "UNAVAILABLE"], // a redirect is not followed,
  ];
  for (const [index, [reply, code]] of cases.entries()) {
    aws.answers.push(reply);
    assert.deepEqual((await run(request("other"))).answer, { protocolVersion: 1, values: {}, errors: { other: { code } } });
    assert.equal(aws.secretCalls.length, index + 1);
  }
});

test("silence ends within the gateway's five seconds, with an answer", async () => {
  aws.answers.push("hang", "hang", "hang", "hang");
  const begun = Date.now();
  const { status, answer } = await run(request("other"));
  assert.ok(Date.now() - begun < 5000);
  assert.deepEqual([status, answer.errors], [0, { other: { code: "UNAVAILABLE" } }]);
});

test("the identity token goes to the agent's addresses only", async () => {
  const full = (uri, more) => () => agentUrl({ AWS_CONTAINER_CREDENTIALS_FULL_URI: uri, ...more });
  assert.equal(full("http://169.254.170.23/v1/credentials")().hostname, "169.254.170.23");
  assert.equal(full("http://[fd00:ec2::23]/v1/credentials")().hostname, "[fd00:ec2::23]");
  for (const foreign of [
    undefined,
    "nonsense",
    "http://169.254.169.254/v1/credentials",
    "http://127.0.0.1/v1/credentials",
    "http://169.254.170.23.example.com/",
    "http://169.254.170.23@example.com/",
    "https://169.254.170.23/v1/credentials",
    "file:///etc/passwd",
  ]) {
    assert.throws(full(foreign), { code: "NO_CREDENTIALS" }, foreign);
  }
  // The stand-in's address alone, without the emulator's, counts for nothing.
  const standIn = "http://127.0.0.1:1/";
  assert.equal(full("http://169.254.170.23/", { OPENCLAW_RESOLVER_AGENT: standIn })().hostname, "169.254.170.23");
  const both = { OPENCLAW_RESOLVER_AGENT: standIn, OPENCLAW_RESOLVER_ENDPOINT: "http://127.0.0.1:2" };
  assert.equal(full("http://169.254.170.23/", both)().port, "1");

  const foreign = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${aws.url}/v1/credentials`, OPENCLAW_RESOLVER_AGENT: undefined };
  const { answer } = await run(request("other"), foreign);
  assert.deepEqual(answer.errors, { other: { code: "NO_CREDENTIALS" } });
  assert.deepEqual(aws.agentCalls, []);
});

test("Secrets Manager is AWS's own, in the partition of the region", () => {
  const host = (region) => endpoint({ AWS_REGION: region }).url.href;
  assert.equal(host("eu-west-1"), "https://secretsmanager.eu-west-1.amazonaws.com/");
  assert.equal(host("us-gov-west-1"), "https://secretsmanager.us-gov-west-1.amazonaws.com/");
  assert.equal(host("cn-north-1"), "https://secretsmanager.cn-north-1.amazonaws.com.cn/");
  for (const bad of [undefined, "", "eu-west-1.example.com/", "EU-WEST-1"]) {
    assert.throws(() => host(bad), { code: "CONFIGURATION" }, bad);
  }
});

test("a request of another protocol gets no answer at all", async () => {
  for (const bad of ["", "{", { protocolVersion: 2, ids: ["other"] }, { protocolVersion: 1, ids: "other" }]) {
    const { status, answer } = await run(bad);
    assert.deepEqual([status, answer], [1, undefined]);
  }
  assert.deepEqual(aws.agentCalls, []);
});
