import { expect, it } from "vitest";
import type { Service } from "@travelops/kube";
import { compileGatewayApi } from "./gateway-api.ts";
import { KeyPairs } from "./key-pair.ts";
import type { Gateway, GatewayClass, Listener, TlsRoute } from "./types.ts";
import type { World } from "./world.ts";

const web: Service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "shop" },
  spec: { ports: [{ port: 443 }] },
};
const gateway = (listeners: Listener[]): Gateway => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { name: "gw", namespace: "shop", generation: 3 },
  spec: { gatewayClassName: "travelops", listeners },
});
const world = (listeners: Listener[]): World => ({
  appsDomain: "apps.test",
  service: () => web,
  certificate: (_namespace, name) => (name === "tls" ? { cert: "C", key: "K" } : undefined),
  keyPairs: new KeyPairs(),
  namespaceLabels: () => ({}),
  grants: [],
  gatewayClasses: [
    {
      apiVersion: "",
      kind: "GatewayClass",
      metadata: { name: "travelops" },
      spec: { controllerName: "travelops.io/gateway-controller" },
    } as GatewayClass,
  ],
  gateways: [gateway(listeners)],
});
const route: TlsRoute = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "TLSRoute",
  metadata: { name: "r", namespace: "shop" },
  spec: {
    parentRefs: [{ name: "gw" }],
    hostnames: ["a.x"],
    rules: [{ backendRefs: [{ name: "web", port: 443 }] }],
  },
};
const compile = (listener: Partial<Listener>) =>
  compileGatewayApi(world([{ name: "tls", port: 443, protocol: "TLS", ...listener }]), {
    http: [],
    grpc: [],
    tls: [route],
  });

it("passes TLS through, or ends it with the listener's certificate, as the listener says", () => {
  const [passing] = compile({ tls: { mode: "Passthrough" } }).routes[0]?.front?.hosts ?? [];
  expect(passing).toMatchObject({ hostname: "a.x", passthrough: [{ target: { service: "shop/web", port: 443 } }] });
  expect(passing).not.toHaveProperty("terminated");
  const [ended] = compile({ tls: { certificateRefs: [{ name: "tls" }] } }).routes[0]?.front?.hosts ?? [];
  expect(ended).toMatchObject({
    terminated: [{ target: { service: "shop/web", port: 443 } }],
    certificate: { cert: "C", key: "K" },
  });
  expect(ended).not.toHaveProperty("passthrough");
});

it("says so of a listener whose certificate is missing, and serves nothing there", () => {
  const { gateways, routes } = compile({ tls: { mode: "Terminate", certificateRefs: [{ name: "nope" }] } });
  const conditions = gateways[0]?.listeners[0]?.conditions.map((c) => `${c.type}=${c.status}:${c.reason}`);
  expect(conditions).toEqual([
    "Accepted=True:Accepted",
    "Conflicted=False:NoConflicts",
    "ResolvedRefs=False:InvalidCertificateRef",
    "Programmed=False:Invalid",
  ]);
  expect(gateways[0]?.listeners[0]).toMatchObject({
    attachedRoutes: 1,
    supportedKinds: [{ group: "gateway.networking.k8s.io", kind: "TLSRoute" }],
  });
  expect(routes[0]?.front).toBeUndefined();
});

it("names the Gateways that traffic comes in by, for NetworkPolicies", () => {
  expect(compile({ tls: { mode: "Passthrough" } }).routes[0]?.front?.gateways).toEqual(["gateway:shop/gw"]);
});
