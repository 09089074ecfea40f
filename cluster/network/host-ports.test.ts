/** Ports of this machine that lead to Services: node ports of TCP and UDP, and what becomes of one that is taken. */
import dgram from "node:dgram";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENDPOINT_SLICES, EVENTS, NAMESPACES, SERVICES, type EndpointSlice, type Service } from "@travelops/kube";
import { startApiUnderTest, type ApiUnderTest } from "../../test/api-under-test.ts";
import { LOCAL_URL_ANNOTATION } from "./controllers/status-intents.ts";
import { startNetwork, type Network } from "./start-network.ts";
import { testCertificate } from "./testing/certificate.ts";
import { canUnshare, netnsHost, type TestHost } from "./testing/netns-host.ts";
import { eventually, startActor } from "./testing/network-lab.ts";

const POD = "10.128.0.5";

describe.skipIf(!canUnshare())("ports of this machine", () => {
  let api: ApiUnderTest;
  let host: TestHost;
  let network: Network;
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "travelops-ports-"));
  /** Another program of this machine, on a port that a Service is going to want. */
  const taken = net.createServer();

  beforeAll(async () => {
    api = await startApiUnderTest();
    host = await netnsHost({ local: ["10.0.0.0/8"], addresses: ["10.128.0.1", POD] });
    const act = await startActor(host);
    await act({ do: "udp", ip: POD, port: 5000 });
    await act({ do: "echo", ip: POD, port: 7000, name: "pod" });
    network = await startNetwork({
      client: api.client,
      host,
      cluster: { name: "hub", podRange: "10.128.0.0/16", serviceRange: "10.64.0.0/16", domain: "cluster.local" },
      ingress: { http: [0], https: [0] },
      certificate: testCertificate(["*.apps.hub.travelops.localhost"]),
      socketPath: path.join(dir, "d.sock"),
    });
    await network.ingressReady;
    await api.client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  }, 60_000);
  afterAll(async () => {
    taken.close();
    await network?.close();
    host?.close();
    await api?.close();
    fs.rmSync(dir, { recursive: true, force: true });
  });

  /** A node port for a port of the pod; resolves with where it answers on this machine. */
  async function expose(name: string, protocol: "TCP" | "UDP", targetPort: number, nodePort?: number): Promise<string> {
    const port = { name: "main", port: 80, protocol, targetPort, ...(nodePort === undefined ? {} : { nodePort }) };
    await api.client.create<Service>(SERVICES, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "shop" },
      spec: { type: "NodePort", ports: [port] },
    });
    await api.client.create<EndpointSlice>(ENDPOINT_SLICES, {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name, namespace: "shop", labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      endpoints: [{ addresses: [POD], conditions: { ready: true } }],
      ports: [{ name: "main", port: targetPort, protocol }],
    });
    const written = await eventually(
      () => api.client.get<Service>(SERVICES, "shop", name),
      (service) => service.metadata.annotations?.[LOCAL_URL_ANNOTATION] !== undefined,
    );
    return written.metadata.annotations?.[LOCAL_URL_ANNOTATION] ?? "";
  }

  it("lead UDP to a pod and its answers back", async () => {
    const url = new URL(await expose("udp", "UDP", 5000));
    expect(url.protocol).toBe("udp:");
    const client = dgram.createSocket("udp4");
    const answer = once(client, "message");
    client.send("over UDP", Number(url.port), url.hostname);
    expect(String((await answer)[0])).toBe("over UDP");
    client.close();
  });

  it("are others where a program holds them, and the Service says so", async () => {
    // The API server takes ports from 30000 to 32767: the first of those that is free.
    const wanted = await hold(30_100);
    const url = new URL(await expose("moved", "TCP", 7000, wanted));
    expect(Number(url.port)).not.toBe(wanted);
    // Its port is told before its endpoints are known.
    const said = async (): Promise<string> => {
      const socket = net.connect(Number(url.port), "127.0.0.1");
      const [data] = (await once(socket, "data")) as [Buffer];
      socket.destroy();
      return String(data);
    };
    await eventually(
      () => said().catch(String),
      (text) => text.startsWith("pod|"),
    );
    const events = await eventually(
      () => api.client.list(EVENTS, { namespace: "shop" }),
      (list) => list.items.some((e) => e["reason"] === "PortInUse"),
    );
    expect(events.items.find((e) => e["reason"] === "PortInUse")?.["message"]).toBe(
      `127.0.0.1:${wanted} is held by another program; this node port answers at 127.0.0.1:${url.port} outside the cluster`,
    );
  });

  /** Holds the first free port from `port` on. */
  async function hold(port: number): Promise<number> {
    taken.listen(port, "127.0.0.1");
    try {
      await once(taken, "listening");
      return port;
    } catch {
      return hold(port + 1);
    }
  }
});
