// Opens a workspace's page with a token in a browser, as its owner does, and says what becomes of it. Takes one argument, JSON:
//
//   browser   the program
//   packages  where npm has put playwright-core
//   page      the workspace's URL, https
//   token     what is handed over behind its #
//   gateway   HOST:PORT at which the Gateway listens
//   ca        PEM: who signs the Gateway's certificate
//   picture   where to put one of what is seen at the end
//   awaits    "a page" or "nobody": the Gateway follows what the cluster says within a moment, and is waited for
//
// Prints JSON: `outcome` is "connected", "refused" or "nobody" (there is no page), `said` the words on the page.
import { X509Certificate, createHash } from "node:crypto";
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import tls from "node:tls";

const asked = JSON.parse(process.argv[2]);
const { chromium } = createRequire(`${asked.packages}/`)("playwright-core");
const PATIENCE = 300_000;
const PERIOD = 100;
const ATTEMPT = 10_000;
const end = Date.now() + PATIENCE;

/** The Gateway's key, after its certificate was checked against its authority and the page's host. */
function keyOf(gateway, ca, servername) {
  const [host, port] = gateway.split(":");
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port: Number(port), ca, servername }, () => {
      const { publicKey } = new X509Certificate(socket.getPeerCertificate().raw);
      socket.end();
      resolve(createHash("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("base64"));
    });
    socket.setTimeout(ATTEMPT, () => socket.destroy(Object.assign(new Error("no handshake"), { code: "ECONNRESET" })));
    socket.on("error", reject);
  });
}

/** What the page comes to: OpenClaw's own word on the WebSocket, or its words of refusal; and what a person sees has to agree. */
async function comesTo(page, hello) {
  const refused = page.locator(".login-gate__failure").first();
  const refusal = refused.waitFor({ state: "visible", timeout: PATIENCE }).then(() => "refused");
  refusal.catch(() => {}); // it never comes to who is let in
  const outcome = await Promise.race([hello.then(() => "connected"), refusal]);
  if (outcome === "refused") return { outcome, said: await refused.innerText() };
  await page.locator("openclaw-app-sidebar, .shell").first().waitFor({ state: "visible", timeout: PATIENCE });
  // What it loads then takes the place of grey bars.
  await page.waitForFunction(() => !document.querySelector('[class*="skeleton"]'), undefined, { timeout: PATIENCE });
  return { outcome, said: await page.locator("body").innerText() };
}

const url = new URL(asked.page);
// Without a route for a host the Gateway has no certificate for it and hangs up; without any it does not listen.
const keyOrNobody = () => keyOf(asked.gateway, asked.ca, url.hostname).catch((error) => {
  if (!["ECONNRESET", "ECONNREFUSED"].includes(error.code)) throw error;
  return null;
});
let key = await keyOrNobody();
while ((key === null) !== (asked.awaits === "nobody") && Date.now() < end) {
  await pause(PERIOD);
  key = await keyOrNobody();
}
if (key === null) {
  console.log(JSON.stringify({ outcome: "nobody", said: "the Gateway hangs up" }));
  process.exit();
}
const browser = await chromium.launch({
  executablePath: asked.browser,
  args: [
    // The names are in nobody's DNS.
    `--host-resolver-rules=MAP * ${asked.gateway}`,
    `--ignore-certificate-errors-spki-list=${key}`,
    // Its sandbox is not for root.
    "--no-sandbox",
  ],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const hello = new Promise((resolve) => {
    page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => {
      if (String(payload).includes('"hello-ok"')) resolve();
    }));
  });
  // Its pod is ready, and the Gateway may not have heard of it yet: it answers 503, or hangs up while it takes up what is new.
  const open = async () => {
    try {
      return (await page.goto(`${url}#token=${asked.token}`, { waitUntil: "domcontentloaded", timeout: PATIENCE })).ok();
    } catch (error) {
      if (Date.now() > end || !/net::ERR_(CONNECTION_RESET|CONNECTION_CLOSED|EMPTY_RESPONSE|SSL_)/.test(error.message)) throw error;
      return false;
    }
  };
  while (!(await open()) && Date.now() < end) {
    await pause(PERIOD);
    // The same page with the same words behind # would not be asked for again.
    await page.goto("about:blank");
  }
  const seen = await comesTo(page, hello);
  await page.screenshot({ path: asked.picture });
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
