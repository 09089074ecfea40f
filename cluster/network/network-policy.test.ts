/** NetworkPolicies with real pods, in both sandboxes: through Services, and from pod to pod. */
import { readdirSync, readFileSync } from "node:fs";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ENDPOINT_SLICES,
  NETWORK_POLICIES,
  PODS,
  SERVICES,
  type EndpointSlice,
  type Pod,
  type Service,
} from "@travelops/kube";
import { chooseSandbox } from "../kubelet/sandbox/probe.ts";
import { startLab, type Lab } from "../kubelet/testing/lab.ts";
import { siblingClusters } from "./egress/sibling-clusters.ts";
import { eventually } from "./testing/network-lab.ts";
import type { NetworkPolicy } from "./controllers/network-policy.ts";

const probed = await chooseSandbox("auto");
const ready = (pod: Pod): boolean =>
  pod.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true;

/** Answers TCP on 8000 and 8001 and, where there is UDP, echoes on 9000. */
const SERVER = `
for (const port of [8000, 8001]) require('net').createServer((s) => { s.on('error', () => {}); s.end('pong') }).listen(port);
const u = require('dgram').createSocket('udp4'); u.on('message', (m, p) => u.send(m, p.port, p.address)); u.bind(9000);
process.on('SIGTERM', () => process.exit(0))`;
/** Takes orders over HTTP: where to connect to. */
const CLIENT = `
const net = require('net');
require('http').createServer((q, r) => {
  const [, kind, host, port] = q.url.split('/');
  const say = (t) => { if (!r.headersSent) { r.statusCode = 200; r.end(t) } };
  if (kind === 'udp') {
    const u = require('dgram').createSocket('udp4');
    u.on('message', () => { say('open'); u.close() }); u.on('error', () => say('closed'));
    u.send('x', Number(port), host); setTimeout(() => { if (!r.headersSent) { say('closed'); u.close() } }, 700); return;
  }
  if (kind === 'code') { net.connect(Number(port), host).on('error', (e) => say(e.code)); return; }
  if (kind === 'name') { require('dns').lookup(host, (e) => say(e ? 'closed' : 'open')); setTimeout(say, 1500, 'closed'); return; }
  const s = net.connect({ host, port: Number(port) });
  s.setTimeout(700, () => { say('closed'); s.destroy() });
  s.on('data', () => { say('open'); s.destroy() }).on('error', () => say('closed')).on('close', () => say('closed'));
}).listen(7000);
process.on('SIGTERM', () => process.exit(0))`;

/** The process among this one's descendants whose command line names a file. */
function ownProcess(file: string): number {
  const parent = (pid: number): number =>
    Number(/^PPid:\s(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${entry}/cmdline`, "utf8").includes(file)) continue;
      for (let pid = Number(entry); pid > 1; pid = parent(pid)) if (pid === process.pid) return Number(entry);
    } catch {
      // It ended while it was looked at.
    }
  }
  throw new Error(`no process of ${file}`);
}

for (const kind of ["namespaces", "bare"] as const) {
  const refused = kind === "namespaces" && probed.kind === "bare" ? probed.note : undefined;
  describe.skipIf(refused !== undefined)(`NetworkPolicies, ${kind} sandbox`, () => {
    let lab: Lab;
    let server = "";
    const clients: Record<string, string> = {};
    /** Another cluster's API, as far as TCP goes; and the name that cluster has at the time. */
    const east = net.createServer((socket) => socket.on("error", () => {}).end("pong"));
    let eastIs = "east";

    beforeAll(async () => {
      await new Promise<void>((resolve) => east.listen(0, "127.0.0.1", resolve));
      const { port: api } = east.address() as net.AddressInfo;
      lab = await startLab(kind, {
        network: true,
        siblings: siblingClusters((name) =>
          eastIs === name ? { index: 1, ports: { api, http: 1, https: 2 } } : undefined,
        ),
      });
      const run = (name: string, program: string, labels: Record<string, string>, port: number) =>
        lab.run(
          name,
          {
            containers: [
              {
                name: "main",
                image: "node",
                command: ["node", "-e", program],
                ports: [{ name: "main", containerPort: port }],
                readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
              },
            ],
          },
          { labels },
        );
      await Promise.all([
        run("server", SERVER, { app: "server" }, 8000),
        run("friend", CLIENT, { app: "friend" }, 7000),
        run("stranger", CLIENT, { app: "stranger" }, 7000),
      ]);
      const ip = async (name: string): Promise<string> => (await lab.until(name, ready)).status?.podIP ?? "";
      server = await ip("server");
      for (const name of ["friend", "stranger"]) clients[name] = await ip(name);
      await lab.client.create<Service>(SERVICES, {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web", namespace: "default" },
        spec: { clusterIP: "10.64.0.77", ports: [{ name: "main", port: 80, targetPort: 8000 }] },
      });
      await lab.client.create<EndpointSlice>(ENDPOINT_SLICES, {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { name: "web", namespace: "default", labels: { "kubernetes.io/service-name": "web" } },
        addressType: "IPv4",
        endpoints: [{ addresses: [server], conditions: { ready: true } }],
        ports: [{ name: "main", port: 8000, protocol: "TCP" }],
      });
    }, 60_000);
    afterAll(async () => {
      await lab?.close();
      east.close();
    });

    /** Whether `from` gets an answer. */
    async function tries(from: "friend" | "stranger", ...path: (string | number)[]): Promise<string> {
      const socket = await lab.network?.dial(clients[from] ?? "", 7000);
      if (socket === undefined) throw new Error("no network");
      let text = "";
      socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      socket.write(`GET /${path.join("/")} HTTP/1.0\r\n\r\n`);
      await new Promise((resolve, reject) => socket.on("close", resolve).on("error", reject).on("end", resolve));
      return text.split("\r\n\r\n")[1] ?? "";
    }
    const soon = (ask: () => Promise<string>, answer: string) => eventually(ask, (seen) => seen === answer);
    const policy = async (name: string, spec: NetworkPolicy["spec"]): Promise<() => Promise<unknown>> => {
      await lab.client.create(NETWORK_POLICIES, {
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata: { name, namespace: "default" },
        spec,
      } as NetworkPolicy);
      return () => lab.client.delete(NETWORK_POLICIES, "default", name);
    };

    test("ingress: denied by default, opened for a label and a port, live as labels and policies change", async () => {
      for (const from of ["friend", "stranger"] as const) {
        await soon(() => tries(from, "tcp", server, 8000), "open");
        await soon(() => tries(from, "tcp", "10.64.0.77", 80), "open");
      }
      const undeny = await policy("deny", { podSelector: { matchLabels: { app: "server" } } });
      for (const from of ["friend", "stranger"] as const) {
        await soon(() => tries(from, "tcp", server, 8000), "closed");
        await soon(() => tries(from, "tcp", "10.64.0.77", 80), "closed");
      }
      // The node is never held up: probes go on, and so do dials of the API server.
      expect(ready(await lab.get("server"))).toBe(true);
      const dialed = await lab.network?.dial(server, 8000);
      dialed?.destroy();
      const unallow = await policy("allow", {
        podSelector: { matchLabels: { app: "server" } },
        ingress: [{ from: [{ podSelector: { matchLabels: { app: "friend" } } }], ports: [{ port: "main" }] }],
      });
      await soon(() => tries("friend", "tcp", server, 8000), "open");
      await soon(() => tries("friend", "tcp", "10.64.0.77", 80), "open");
      expect(await tries("friend", "tcp", server, 8001)).toBe("closed");
      expect(await tries("stranger", "tcp", server, 8000)).toBe("closed");
      expect(await tries("stranger", "tcp", "10.64.0.77", 80)).toBe("closed");
      await lab.client.patch(PODS, "default", "stranger", "application/merge-patch+json", {
        metadata: { labels: { app: "friend" } },
      });
      await soon(() => tries("stranger", "tcp", server, 8000), "open");
      await lab.client.patch(PODS, "default", "stranger", "application/merge-patch+json", {
        metadata: { labels: { app: "stranger" } },
      });
      await soon(() => tries("stranger", "tcp", server, 8000), "closed");
      await Promise.all([undeny(), unallow()]);
      await soon(() => tries("stranger", "tcp", server, 8001), "open");
    });

    test("egress: denied by default with DNS, opened for DNS and one block", async () => {
      await soon(() => tries("stranger", "name", "web.default.svc.cluster.local."), "open");
      const undeny = await policy("deny", {
        podSelector: { matchLabels: { app: "stranger" } },
        policyTypes: ["Egress"],
      });
      await soon(() => tries("stranger", "tcp", server, 8000), "closed");
      expect(await tries("stranger", "tcp", "10.64.0.77", 80)).toBe("closed");
      await soon(() => tries("stranger", "name", "web.default.svc.cluster.local."), "closed");
      expect(await tries("friend", "tcp", server, 8000)).toBe("open");
      const unallow = await policy("allow", {
        podSelector: { matchLabels: { app: "stranger" } },
        policyTypes: ["Egress"],
        egress: [
          {
            to: [
              {
                namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
                podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
              },
            ],
            ports: [{ protocol: "UDP", port: 53 }],
          },
          { to: [{ ipBlock: { cidr: `${server}/32` } }], ports: [{ port: 8000 }] },
        ],
      });
      await soon(() => tries("stranger", "name", "web.default.svc.cluster.local."), "open");
      await soon(() => tries("stranger", "tcp", server, 8000), "open");
      expect(await tries("stranger", "tcp", "web.default", 80)).toBe("open");
      expect(await tries("stranger", "tcp", server, 8001)).toBe("closed");
      await Promise.all([undeny(), unallow()]);
      await soon(() => tries("stranger", "tcp", server, 8001), "open");
    });

    test("other clusters: reached by name while they are there, judged by the address they have for pods", async () => {
      const api = (name: string, port: number) => tries("stranger", "tcp", `api.${name}.travelops.internal`, port);
      expect(await Promise.all([api("east", 6443), api("east", 443), api("east", 22)])).toEqual([
        ...["open", "open", "closed"],
      ]);
      expect(await tries("stranger", "tcp", "api.east.travelops.localhost", 6443)).toBe("open");
      expect(await tries("stranger", "code", "api.west.travelops.internal", 6443)).toBe("ENOTFOUND");
      const dns = { to: [{ namespaceSelector: {} }] };
      const apply = (cidr: string) =>
        policy("east", {
          podSelector: { matchLabels: { app: "stranger" } },
          policyTypes: ["Egress"],
          egress: [dns, { to: [{ ipBlock: { cidr } }] }],
        });
      const unclose = await apply("10.127.2.0/24");
      await soon(() => api("east", 6443), "closed");
      await unclose();
      const unopen = await apply("10.127.1.1/32");
      await soon(() => tries("stranger", "tcp", "10.64.0.1", 443), "closed");
      await soon(() => api("east", 6443), "open");
      await unopen();
      eastIs = "west";
      await soon(() => tries("stranger", "code", "api.east.travelops.internal", 6443), "ENOTFOUND");
      expect(await api("west", 6443)).toBe("open");
    });

    test.runIf(kind === "namespaces")("addresses that are nowhere fail at once", async () => {
      expect(await tries("stranger", "code", "192.0.2.1", 443)).toBe("ENETUNREACH");
    });

    test.runIf(kind === "namespaces")("UDP: answers pass, strangers do not, whatever port they come from", async () => {
      await soon(() => tries("stranger", "udp", server, 9000), "open");
      const undo = await policy("udp", {
        podSelector: {},
        policyTypes: ["Ingress", "Egress"],
        ingress: [
          { from: [{ podSelector: { matchLabels: { app: "friend" } } }], ports: [{ protocol: "UDP", port: 9000 }] },
        ],
        egress: [{ to: [{ podSelector: { matchLabels: { app: "server" } } }] }],
      });
      await soon(() => tries("stranger", "udp", server, 9000), "closed");
      await soon(() => tries("friend", "udp", server, 9000), "open");
      expect(await tries("friend", "tcp", server, 8000)).toBe("closed");
      await undo();
      await soon(() => tries("friend", "tcp", server, 8000), "open");
    });

    test.runIf(kind === "namespaces")(
      "are gone from the kernel though the dataplane died before they were",
      async () => {
        const undo = await policy("last", { podSelector: { matchLabels: { app: "server" } } });
        await soon(() => tries("friend", "tcp", server, 8000), "closed");
        const dataplane = ownProcess("dataplane/main.ts");
        process.kill(dataplane, "SIGSTOP");
        await undo();
        process.kill(dataplane, "SIGKILL");
        await eventually(
          () => tries("friend", "tcp", server, 8000).catch(() => ""),
          (seen) => seen === "open",
        );
      },
    );

    test("says on the policy what the sandbox cannot enforce", async () => {
      const undo = await policy("told", { podSelector: { matchLabels: { app: "nobody" } } });
      if (kind === "bare")
        await expect
          .poll(() => lab.events("told"), { timeout: 5000 })
          .toContain(
            "PartiallyEnforced: Not enforced in full: the bare sandbox holds programs of Node.js to policies, not native programs",
          );
      else expect(await lab.events("told")).toEqual([]);
      await undo();
    });
  });
}
