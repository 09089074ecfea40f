/** Kubelet and network together: what only both can show. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { createNodeAccess } from "./access/node-access.ts";
import { chooseSandbox } from "./sandbox/probe.ts";
import { startLab, type Lab } from "./testing/lab.ts";

const probed = await chooseSandbox("auto");
const ready = (pod: Pod): boolean =>
  pod.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true;
const WEB =
  "require('http').createServer((q, s) => { s.statusCode = q.url === '/bad' ? 500 : 200; s.end('hello from ' + require('os').hostname()) }).listen(80); process.on('SIGTERM', () => process.exit(0))";
const web = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  image: "node",
  command: ["node", "-e", WEB],
  ...more,
});

for (const kind of ["namespaces", "bare"] as const) {
  const refused = kind === "namespaces" && probed.kind === "bare" ? probed.note : undefined;
  describe.skipIf(refused !== undefined)(
    `pods on the network, ${kind} sandbox${refused === undefined ? "" : ` (skipped: ${refused})`}`,
    () => {
      let lab: Lab;
      beforeAll(async () => {
        lab = await startLab(kind, { network: true });
      });
      afterAll(async () => {
        await lab?.close();
      });

      test("HTTP and TCP probes reach the pod at its own address and port", async () => {
        await lab.run("web", {
          containers: [
            web("main", {
              ports: [{ name: "http", containerPort: 80 }],
              readinessProbe: { httpGet: { path: "/", port: "http" } },
              livenessProbe: { tcpSocket: { port: 80 } },
            }),
          ],
        });
        await lab.until("web", ready);
        await lab.run("sick", {
          containers: [web("main", { readinessProbe: { httpGet: { path: "/bad", port: 80 }, periodSeconds: 1 } })],
        });
        await expect
          .poll(() => lab.events("sick"), { timeout: 8000 })
          .toContain("Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500");
        expect(ready(await lab.get("sick"))).toBe(false);
        await lab.run("closed", {
          containers: [web("main", { readinessProbe: { tcpSocket: { port: 81 }, periodSeconds: 1 } })],
        });
        const ip = (await lab.until("closed", (pod) => pod.status?.podIP !== undefined)).status?.podIP;
        await expect
          .poll(() => lab.events("closed"), { timeout: 8000 })
          .toContain(`Unhealthy: Readiness probe failed: dial tcp ${ip}:81: connect: connection refused`);
        for (const name of ["sick", "closed"]) await lab.remove(name);
      });

      test("a gRPC probe", async () => {
        const server =
          "const h=require('http2').createServer();h.on('stream',s=>{s.respond({':status':200,'content-type':'application/grpc'},{waitForTrailers:true});s.on('wantTrailers',()=>s.sendTrailers({'grpc-status':'0'}));s.end(Buffer.from([0,0,0,0,2,8,1]))});h.listen(9000)";
        await lab.run("grpc", {
          containers: [
            {
              name: "main",
              image: "node",
              command: ["node", "-e", server],
              readinessProbe: { grpc: { port: 9000 }, periodSeconds: 1 },
            },
          ],
        });
        await lab.until("grpc", ready);
        await lab.remove("grpc");
      });

      test("the API server's dials, and one pod to another", async () => {
        const access = createNodeAccess({
          kubelets: [lab.kubelet],
          dial: (ip, port) => lab.network?.dial(ip, port) ?? Promise.reject(new Error("no network")),
        });
        await lab.until("web", ready);
        const socket = await access.dial({ namespace: "default", name: "web" }, 80);
        let text = "";
        socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
        socket.write("GET / HTTP/1.0\r\n\r\n");
        await expect.poll(() => text, { timeout: 5000 }).toContain("hello from");
        socket.destroy();
        await expect(access.dial({ namespace: "default", name: "web" }, 9)).rejects.toThrow(/error dialing/);
        const ip = (await lab.get("web")).status?.podIP;
        const ask = `fetch('http://${ip}/').then(r => r.text()).then(t => { if (!t.startsWith('hello')) process.exit(3) }, () => process.exit(4))`;
        await lab.run("asks", {
          restartPolicy: "Never",
          containers: [{ name: "main", image: "node", command: ["node", "-e", ask] }],
        });
        await lab.until("asks", (pod) => pod.status?.phase === "Succeeded");
      });
    },
  );
}
