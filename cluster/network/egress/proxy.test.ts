/** The egress proxy's own decisions: what it asks the dataplane, and what NetworkPolicies make of it. */
import http from "node:http";
import net from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { serveEgress } from "./proxy.ts";

const dials: string[] = [];
let proxy: net.Server;
let away: http.Server;
let egress: { close(): void };
/** What the dataplane answers for a host. */
let verdicts: Record<string, string> = {};

const listening = (server: net.Server): Promise<net.Server> =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;

beforeAll(async () => {
  away = http.createServer((_req, res) => res.end("from away"));
  await listening(away);
  proxy = await listening(net.createServer());
  egress = serveEgress(proxy, {
    dial(host) {
      dials.push(host);
      return Promise.reject(Object.assign(new Error(`no ${host}`), { code: verdicts[host] ?? "EOUTSIDE" }));
    },
    map: (host) =>
      host === "other.cluster" ? { host: "127.0.0.1", port: portOf(away), judgedAs: "10.127.1.1" } : undefined,
  });
});
afterAll(() => {
  egress.close();
  away.close();
});

function get(url: string): Promise<{ status: number; body: string }> {
  dials.length = 0;
  return new Promise((resolve, reject) => {
    http
      .get({ host: "127.0.0.1", port: portOf(proxy), path: url, agent: false }, (res) => {
        let body = "";
        res.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
        res.on("end", () => resolve({ status: res.statusCode ?? 0, body }));
      })
      .on("error", reject);
  });
}

it("reaches another cluster of this machine, unless a policy keeps the pod in", async () => {
  verdicts = {};
  expect(await get("http://other.cluster/")).toEqual({ status: 200, body: "from away" });
  expect(dials).toEqual(["10.127.1.1"]);
  verdicts = { "10.127.1.1": "EPOLICY" };
  expect((await get("http://other.cluster/")).status).toBe(403);
});

it("asks about the addresses of a name where policies want to know, and keeps off this machine all the same", async () => {
  verdicts = { localhost: "ERESOLVE", "127.0.0.1": "EPOLICY" };
  expect(await get("http://localhost/")).toEqual({ status: 403, body: "no 127.0.0.1\n" });
  expect(dials).toEqual(["localhost", "127.0.0.1"]);
  verdicts = { localhost: "ERESOLVE" };
  expect((await get("http://localhost/")).body).toMatch(/this machine's own loopback/);
});
