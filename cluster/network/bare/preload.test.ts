import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import net from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endpoint, front, host, pod, rule, service, to } from "../testing/fixtures.ts";
import { startLab, type Lab } from "../testing/network-lab.ts";

const PRELOAD = path.join(import.meta.dirname, "preload.cjs");
const PROGRAMS = path.join(import.meta.dirname, "../testing/bare-programs");
const [A, B, CLIENT] = ["10.128.0.5", "10.128.1.6", "10.128.0.9"];

describe("programs of the bare sandbox", () => {
  let lab: Lab;
  const children: ChildProcess[] = [];
  const env = (ip: string): NodeJS.ProcessEnv => ({
    ...process.env,
    NODE_OPTIONS: `--require ${PRELOAD}`,
    TRAVELOPS_POD_IP: ip,
    TRAVELOPS_POD_NAMESPACE: "shop",
    TRAVELOPS_POD_UID: "uid",
    TRAVELOPS_DATAPLANE: lab.settings.socketPath,
  });

  beforeAll(async () => {
    lab = await startLab({
      sandbox: "bare",
      snapshot: {
        pods: { [A]: pod(A, "shop/a"), [B]: pod(B, "shop/b"), [CLIENT]: pod(CLIENT, "shop/client") },
        services: {
          "shop/web": service("shop/web", "10.64.0.20", 80, [endpoint(A, 8000)]),
          "shop/none": service("shop/none", "10.64.0.21", 80, []),
          "shop/db": service("shop/db", "", 8000, [endpoint(A, 8000), endpoint(B, 8000)], { headless: true }),
        },
        fronts: {
          "Route/shop/web": front("Route/shop/web", [
            host("web.apps.hub.travelops.localhost", [rule([to("shop/web", 80)])]),
          ]),
        },
      },
    });
    await Promise.all([serve(A, "a"), serve(B, "b")]);
  });
  afterAll(() => {
    for (const child of children) child.kill("SIGKILL");
    lab?.close();
  });

  /** Starts the server program as a pod; resolves with what it said of its ports. */
  function serve(ip: string, name: string): Promise<string[]> {
    const child = spawn(process.execPath, [path.join(PROGRAMS, "server.mjs")], {
      env: { ...env(ip), NAME: name },
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    return new Promise((resolve, reject) => {
      let said = "";
      child.on("exit", (code) => reject(new Error(`ended with ${code}: ${said}`)));
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        said += chunk;
        const lines = said.trim().split("\n");
        if (lines.length === 6) resolve(lines.toSorted());
      });
    });
  }

  it("lets two pods hold the same ports, low ones too, and tells a pod of its own conflict", async () => {
    const C = "10.128.0.77";
    expect(await serve(C, "c")).toEqual(["h2", "http 8000", "low", "mysql", "own", "twice EADDRINUSE"]);
  });

  it("gives real clients the cluster's names, addresses and answers", async () => {
    const child = spawn(process.execPath, [path.join(PROGRAMS, "client.mjs")], {
      env: { ...env(CLIENT), PEER: B },
      stdio: ["ignore", "pipe", "ignore"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
    await new Promise((resolve) => child.on("close", resolve));
    const web = (authority: string): string => JSON.stringify({ name: "a", url: "/", host: authority });
    expect(JSON.parse(out)).toEqual({
      fetchShort: web("web"),
      fetchLong: web("web.shop.svc.cluster.local"),
      fetchPod: JSON.stringify({ name: "b", url: "/", host: `${B}:8000` }),
      keepAlive: [false, true],
      lowPort: "low b",
      othersLocalhost: "ECONNREFUSED",
      refused: "ECONNREFUSED",
      unknown: "ENOTFOUND",
      noEndpoint: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/),
      http2: "h2 b",
      ws: "a hi",
      mysql: [{ name: "b" }],
      lookup: "10.64.0.20",
      resolve4: expect.arrayContaining([A, B]),
      srv: [{ name: "web.shop.svc.cluster.local", port: 80, priority: 0, weight: 100 }],
      child: web("web"),
      worker: web("web"),
      ownServer: "mine",
      outside: "ECONNREFUSED",
    });
  });

  it("is reached by the API server and serves the ingress to pods", async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      let text = "";
      const socket = net.connect(lab.settings.socketPath, () =>
        socket.write(`{"dial":["${B}",80]}\nGET / HTTP/1.0\r\n\r\n`),
      );
      socket
        .setEncoding("utf8")
        .on("data", (chunk: string) => (text += chunk))
        .on("end", () => resolve(text))
        .on("error", reject);
    });
    expect(answer).toMatch(/^\{"ok":true\}\nHTTP\/1\.1 200 OK[^]*low b$/);
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ["-e", "fetch('http://web.apps.hub.travelops.localhost/x').then(r=>r.text()).then(console.log)"],
      { env: env(CLIENT), encoding: "utf8" },
    );
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({ name: "a", url: "/x" });
  });
});
