// Real clients against names and addresses of the cluster; prints what each saw as JSON.
import { execFileSync } from "node:child_process";
import { lookup, resolve4 } from "node:dns";
import dns from "node:dns/promises";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import mysql from "mysql2/promise";
import WebSocket from "ws";

const text = (url) => fetch(url).then((res) => res.text());
const code = (promise) =>
  promise.then(
    (value) => value,
    (error) => error.cause?.code ?? error.code ?? error.message,
  );
const probes = {
  fetchShort: () => text("http://web/"),
  fetchLong: () => text("http://web.shop.svc.cluster.local:80/"),
  fetchPod: () => text(`http://${process.env.PEER}:8000/`),
  keepAlive: async () => {
    const agent = new http.Agent({ keepAlive: true });
    const once = () =>
      new Promise((done, fail) =>
        http
          .get("http://web.shop/", { agent }, (res) =>
            res.on("data", () => {}).on("end", () => done(res.req.reusedSocket)),
          )
          .on("error", fail),
      );
    return [await once(), await once()];
  },
  lowPort: () => text(`http://${process.env.PEER}/`),
  othersLocalhost: () => code(text("http://localhost:9000/")),
  refused: () => code(text(`http://${process.env.PEER}:9000/`)),
  unknown: () => code(text("http://nope.shop.svc.cluster.local/")),
  noEndpoint: () => code(text("http://none.shop/")),
  http2: () =>
    new Promise((done, fail) => {
      const session = http2.connect(`http://${process.env.PEER}:8001`).on("error", fail);
      session
        .request({ ":path": "/" })
        .setEncoding("utf8")
        .on("data", (data) => (session.close(), done(data)))
        .end();
    }),
  ws: () =>
    new Promise((done, fail) => {
      const socket = new WebSocket("ws://web.shop.svc/").on("error", fail);
      socket
        .on("open", () => socket.send("hi"))
        .on("message", (data) => (socket.close(), done(Buffer.from(data).toString())));
    }),
  mysql: async () => {
    const connection = await mysql.createConnection({
      host: process.env.PEER,
      user: "root",
      password: "x",
      database: "test",
    });
    const [rows] = await connection.query("select name");
    connection.destroy();
    return rows;
  },
  lookup: async () => (await promisify(lookup)("web.shop")).address,
  resolve4: () => promisify(resolve4)("db.shop.svc.cluster.local"),
  srv: () => dns.resolveSrv("_http._tcp.web.shop.svc.cluster.local"),
  child: async () =>
    JSON.parse(
      execFileSync(
        process.execPath,
        ["-e", "fetch('http://web/').then(r=>r.text()).then(t=>console.log(JSON.stringify(t)))"],
        { encoding: "utf8" },
      ),
    ),
  worker: () =>
    new Promise((done, fail) => {
      new Worker(
        "fetch('http://web/').then(r=>r.text()).then(t=>require('node:worker_threads').parentPort.postMessage(t))",
        { eval: true },
      )
        .on("message", done)
        .on("error", fail);
    }),
  ownServer: () =>
    new Promise((done, fail) => {
      const server = http.createServer((req, res) => res.end("mine")).on("error", fail);
      server.listen(0, () => done(text(`http://localhost:${server.address().port}/`).finally(() => server.close())));
    }),
  outside: () =>
    new Promise((done) => net.connect({ host: "127.0.0.2", port: 1 }).on("error", (error) => done(error.code))),
};
const seen = {};
for (const [probe, run] of Object.entries(probes))
  seen[probe] = await run().catch((error) => `failed: ${error.cause?.message ?? error.message}`);
process.stdout.write(JSON.stringify(seen));
