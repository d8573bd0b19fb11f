// The relay of a workspace between two real sockets. `node --test tests/resolver/*.test.mjs`, no packages.

import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { createRelay } from "../../src/tenant/desired/workload/relay.mjs";

let gateway;
let relay;
let port;
let seen;

const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));

beforeEach(async () => {
  seen = [];
  gateway = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    seen.push({ method: incoming.method, url: incoming.url, headers: incoming.headers, body: Buffer.concat(chunks).toString() });
    outgoing.writeHead(201, { "set-cookie": ["a=1", "b=2"], "content-type": "text/plain" });
    outgoing.write("one ");
    outgoing.end("two");
  });
  relay = createRelay(await listen(gateway));
  port = await listen(relay.server);
});

afterEach(() => {
  relay.stop();
  gateway.closeAllConnections?.();
  gateway.close();
});

const ask = (options, body) =>
  new Promise((done, failed) => {
    const asked = request({ host: "127.0.0.1", port, agent: false, ...options }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      done({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks).toString() });
    });
    asked.on("error", failed);
    asked.end(body);
  });

test("requests and answers pass whole, without the headers that say who forwarded them", async () => {
  const headers = {
    host: "alice.example.com",
    origin: "https://alice.example.com",
    authorization: "Bearer t",
    Forwarded: "for=203.0.113.9",
    "X-Forwarded-For": "203.0.113.9",
    "x-forwarded-proto": "https",
    "x-forwarded-anything": "1",
    "X-Real-IP": "203.0.113.9",
  };
  const answer = await ask({ method: "POST", path: "/t/alice/api?x=%2F", headers }, "body");
  assert.deepEqual([answer.status, answer.body, answer.headers["set-cookie"]], [201, "one two", ["a=1", "b=2"]]);
  const [{ method, url, headers: received, body }] = seen;
  assert.deepEqual([method, url, body], ["POST", "/t/alice/api?x=%2F", "body"]);
  const { host, origin, authorization, ...rest } = received;
  assert.deepEqual([host, origin, authorization], ["alice.example.com", "https://alice.example.com", "Bearer t"]);
  assert.deepEqual(Object.keys(rest).filter((name) => name.startsWith("x-") || name === "forwarded"), []);
});

test("a WebSocket passes both ways, without the headers that say who forwarded it", async () => {
  let upgrade;
  gateway.on("upgrade", (incoming, socket) => {
    upgrade = incoming.headers;
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello");
    socket.on("data", (data) => socket.write(`echo ${data}`));
  });
  const client = connect(port, "127.0.0.1");
  client.write(
    "GET /ws HTTP/1.1\r\nHost: alice.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n",
  );
  let text = "";
  for await (const data of client) {
    const before = text;
    text += data;
    if (text.includes("hello") && !before.includes("hello")) client.write("ping");
    if (text.endsWith("echo ping")) break;
  }
  assert.match(text, /^HTTP\/1\.1 101 /);
  assert.deepEqual([upgrade.host, upgrade.upgrade, upgrade["x-forwarded-for"]], ["alice.example.com", "websocket", undefined]);
});

test("a refused upgrade is answered with the gateway's reason", async () => {
  gateway.on("upgrade", (_incoming, socket) => socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"));
  const answer = await ask({ path: "/ws", headers: { connection: "upgrade", upgrade: "websocket" } });
  assert.deepEqual([answer.status, answer.body], [403, "no"]);
});

test("while the gateway does not listen the answer is 503, and the relay lives on", async () => {
  gateway.close();
  gateway.closeAllConnections();
  for (const _ of [1, 2]) assert.equal((await ask({ path: "/startupz" })).status, 503);
  await assert.rejects(ask({ path: "/ws", headers: { connection: "upgrade", upgrade: "websocket" } }));
  assert.equal((await ask({ path: "/startupz" })).status, 503);
});
