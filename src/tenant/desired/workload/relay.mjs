// Stands between the load balancer and the gateway of a workspace: relay.mjs <listen port> <gateway port>.
//
// The gateway lets a browser in by token alone only over a loopback connection that carries no forwarding headers;
// any other browser must first be approved on the gateway's host, where a tenant has no terminal. It also answers 403
// to what comes from a trusted proxy without such headers, as health checks and probes do. So the gateway listens on
// loopback only, and this relay, in the same pod, passes requests on without those headers. Who comes in is still
// decided by the gateway's token and its list of origins: the relay grants nothing, it only hides where it was.

import { createServer, request as httpRequest } from "node:http";
import { realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";

// Longer than a load balancer keeps an idle connection (60 s on AWS by default), so that it never picks one that is
// just being closed here.
const KEEP_ALIVE_MS = 75_000;

const isForwarding = (name) => name === "forwarded" || name === "x-real-ip" || name.startsWith("x-forwarded-");

// They speak of one connection, and there are two.
const isPerConnection = (name) => name === "connection" || name === "keep-alive" || name.startsWith("proxy-");

/** `raw`, a list of names and values in turn, without the headers whose lower-case name `drop` takes. */
function without(raw, drop) {
  const kept = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (!drop(raw[i].toLowerCase())) kept.push(raw[i], raw[i + 1]);
  }
  return kept;
}

const upstream = (incoming, port, headers) =>
  httpRequest({ host: "127.0.0.1", port, method: incoming.method, path: incoming.url, headers, setHost: false });

function relayRequest(incoming, outgoing, port) {
  const dropped = (name) => isForwarding(name) || isPerConnection(name);
  const onward = upstream(incoming, port, without(incoming.rawHeaders, dropped));
  onward.on("response", (answer) => {
    outgoing.writeHead(answer.statusCode, answer.statusMessage, without(answer.rawHeaders, isPerConnection));
    answer.on("error", () => outgoing.destroy());
    answer.pipe(outgoing);
  });
  onward.on("error", () => {
    if (outgoing.headersSent) return outgoing.destroy();
    // The gateway takes some seconds to start; probes and people come back.
    outgoing.writeHead(503, { "content-type": "text/plain", "retry-after": "2" });
    return outgoing.end("the workspace is starting or stopping\n");
  });
  outgoing.on("close", () => onward.destroy());
  incoming.on("error", () => onward.destroy());
  incoming.pipe(onward);
}

/** Status line and headers as they go over the wire. */
function head(answer) {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
  for (let i = 0; i < answer.rawHeaders.length; i += 2) lines.push(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function relayUpgrade(incoming, client, early, port, open) {
  const onward = upstream(incoming, port, without(incoming.rawHeaders, isForwarding));
  client.on("error", () => onward.destroy());
  client.on("close", () => onward.destroy());
  onward.on("upgrade", (answer, gateway, late) => {
    open.add(client).add(gateway);
    for (const [from, to] of [[client, gateway], [gateway, client]]) {
      from.setNoDelay(true);
      from.setTimeout(0);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
    }
    client.write(head(answer));
    if (late.length > 0) client.write(late);
    if (early.length > 0) gateway.write(early);
    gateway.pipe(client);
    client.pipe(gateway);
  });
  // The gateway refused to upgrade and says why in an ordinary answer, after which this connection is over.
  onward.on("response", (answer) => {
    const dropped = (name) => isPerConnection(name) || name === "transfer-encoding";
    const rawHeaders = [...without(answer.rawHeaders, dropped), "Connection", "close"];
    client.write(head({ statusCode: answer.statusCode, statusMessage: answer.statusMessage, rawHeaders }));
    answer.on("error", () => client.destroy());
    answer.pipe(client);
  });
  onward.on("error", () => client.destroy());
  onward.end();
}

/** The relay to a gateway on `gatewayPort`, not yet listening. `stop` ends it with all its connections. */
export function createRelay(gatewayPort) {
  const open = new Set();
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 });
  server.on("request", (incoming, outgoing) => relayRequest(incoming, outgoing, gatewayPort));
  server.on("upgrade", (incoming, client, early) => relayUpgrade(incoming, client, early, gatewayPort, open));
  const stop = () => {
    server.close();
    server.closeAllConnections();
    for (const socket of open) socket.destroy();
  };
  return { server, stop };
}

if (process.argv[1] && pathToFileURL(realpathSync(process.argv[1])).href === import.meta.url) {
  const [listenPort, gatewayPort] = process.argv.slice(2).map(Number);
  const { server, stop } = createRelay(gatewayPort);
  server.listen(listenPort, () => process.stdout.write(`relay: ${listenPort} to 127.0.0.1:${gatewayPort}\n`));
  // The first process of a container has no default action for signals.
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
