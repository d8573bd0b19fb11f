// A session with a gateway as the Control UI has it, in OpenClaw's WebSocket protocol (docs/gateway/protocol.md of its
// package). Reads {url, host, origin, auth, key, calls: [{method, params}]}: `auth` is {token} or {deviceToken}, `key` the key
// pair of a browser that was here before (absent: a new one is made). Writes {key, login, answers}, the last two as the gateway
// sent them, {ok, payload | error}, or {ok: false, closed} where it closed without a word. "$hash" in params stands for the
// configuration's hash, as config.get told it before.

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { text } from "node:stream/consumers";

const PATIENCE_MS = 60_000;
const { url, host, origin, auth, calls, key = newKey() } = JSON.parse(await text(process.stdin));

const socket = new WebSocket(url, { headers: { host, origin } });
const waiting = new Map();
let closed;
const over = new Promise((done) => {
  socket.addEventListener("close", ({ code, reason }) => {
    closed = { code, reason };
    for (const answer of waiting.values()) answer({ ok: false, closed });
    done();
  });
});
const challenged = new Promise((done) => {
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type === "event" && frame.event === "connect.challenge") done(frame.payload);
    if (frame.type === "res") waiting.get(frame.id)?.(frame);
  });
});

function call(method, params) {
  if (closed) return { ok: false, closed };
  const id = String(waiting.size + 1);
  const answer = new Promise((done) => waiting.set(id, done));
  socket.send(JSON.stringify({ type: "req", id, method, params }));
  return answer;
}

const timer = setTimeout(() => {
  process.stderr.write(`no answer in ${PATIENCE_MS} ms\n`);
  process.exit(1);
}, PATIENCE_MS);

const client = { id: "openclaw-control-ui", version: "test", platform: "test", mode: "webchat" };
const role = "operator";
const scopes = ["operator.admin", "operator.approvals", "operator.pairing"];

function newKey() {
  return generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
}

/** Who the browser is, shown by a signature. */
function device(nonce) {
  const privateKey = createPrivateKey({ key, format: "jwk" });
  const raw = Buffer.from(createPublicKey(privateKey).export({ format: "jwk" }).x, "base64url");
  const id = createHash("sha256").update(raw).digest("hex");
  const signedAt = Date.now();
  const secret = auth.token ?? auth.deviceToken;
  const payload = ["v3", id, client.id, client.mode, role, scopes.join(","), signedAt, secret, nonce, client.platform, ""];
  const signature = sign(null, Buffer.from(payload.join("|")), privateKey).toString("base64url");
  return { id, publicKey: raw.toString("base64url"), signature, signedAt, nonce };
}

const challenge = await Promise.race([challenged, over]);
const login = await call("connect", {
  minProtocol: 4,
  maxProtocol: 4,
  client,
  role,
  scopes,
  caps: [],
  auth,
  device: challenge && device(challenge.nonce),
});
const answers = [];
let hash;
for (const { method, params } of login.ok ? calls : []) {
  const answer = await call(method, JSON.parse(JSON.stringify(params).replaceAll("$hash", hash)));
  hash = answer.payload?.hash ?? hash;
  answers.push(answer);
}
clearTimeout(timer);
process.stdout.write(JSON.stringify({ key, login, answers }), () => process.exit(0));
