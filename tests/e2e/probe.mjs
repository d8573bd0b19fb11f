// Tries connections and tells what became of each: argv[1] is a list of {protocol, host, port} as JSON.
import { createConnection } from "node:net";
import { createSocket } from "node:dgram";

const PATIENCE_MS = 1500;

// A question for the address of kubernetes.default.svc.cluster.local (RFC 1035, section 4.1).
const question = Buffer.concat([
  Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
  ...["kubernetes", "default", "svc", "cluster", "local"].map((part) => Buffer.from([part.length, ...Buffer.from(part)])),
  Buffer.from([0, 0, 1, 0, 1]),
]);

const tcp = ({ host, port }) => new Promise((told) => {
  const socket = createConnection({ host, port, timeout: PATIENCE_MS });
  const end = (said) => { socket.destroy(); told(said); };
  socket.on("connect", () => end("yes"));
  socket.on("timeout", () => end("dropped"));
  socket.on("error", (error) => end(error.code === "ECONNREFUSED" ? "refused" : error.code));
});

const udp = ({ host, port }) => new Promise((told) => {
  const socket = createSocket("udp4");
  const timer = setTimeout(() => end("dropped"), PATIENCE_MS);
  const end = (said) => { clearTimeout(timer); socket.close(); told(said); };
  socket.on("message", () => end("yes"));
  socket.on("error", (error) => end(error.code));
  socket.connect(port, host, (error) => (error ? end(error.code) : socket.send(question)));
});

const asked = JSON.parse(process.argv[1]);
console.log(JSON.stringify(await Promise.all(asked.map((one) => (one.protocol === "udp" ? udp(one) : tcp(one))))));
