import { describe, expect, it } from "vitest";
import type { Ingress, KubeObject, Service } from "@travelops/kube";
import { compileGatewayApi } from "./gateway-api.ts";
import { mayReference } from "./gateway-listeners.ts";
import { KeyPairs } from "./key-pair.ts";
import { compileIngress, INGRESS_CONTROLLER, servesIngress } from "./ingress.ts";
import { compileRoutes } from "./route.ts";
import { intersectHostnames } from "./route-parents.ts";
import type { Gateway, GatewayClass, HttpRoute, Listener, Route } from "./types.ts";
import type { World } from "./world.ts";

const service = (name: string, ports: Service["spec"]["ports"]): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec: { ports },
});
const services = [
  service("web", [
    { name: "http", port: 80, targetPort: 8080 },
    { name: "admin", port: 9000, targetPort: "adm" },
  ]),
  service("v2", [{ port: 80 }]),
];
const world = (extra: Partial<World> = {}): World => ({
  appsDomain: "apps.test",
  service: (namespace, name) => services.find((s) => s.metadata.namespace === namespace && s.metadata.name === name),
  certificate: (_namespace, name) => (name === "tls" ? { cert: "C", key: "K" } : undefined),
  keyPairs: new KeyPairs(),
  namespaceLabels: (name) => ({ team: name }),
  grants: [],
  gatewayClasses: [
    {
      apiVersion: "",
      kind: "GatewayClass",
      metadata: { name: "travelops" },
      spec: { controllerName: "travelops.io/gateway-controller" },
    } as GatewayClass,
  ],
  gateways: [],
  ...extra,
});
const meta = (name: string, namespace = "shop", at = 0): KubeObject["metadata"] => ({
  name,
  namespace,
  generation: 1,
  creationTimestamp: new Date(at * 1000).toISOString(),
});

describe("Routes", () => {
  const route = (name: string, spec: Partial<Route["spec"]>, at = 0, namespace = "shop"): Route => ({
    apiVersion: "",
    kind: "Route",
    metadata: meta(name, namespace, at),
    spec: { to: { name: "web" }, ...spec },
  });
  const one = (spec: Partial<Route["spec"]>) => compileRoutes([route("r", spec)], world())[0];
  const target = (spec: Partial<Route["spec"]>): number | undefined => {
    const backend = one(spec)?.front?.hosts[0]?.rules[0]?.backends[0];
    return backend?.kind === "service" ? backend.target.port : undefined;
  };

  it("find the port by name, target and number", () => {
    expect([
      target({}),
      target({ port: { targetPort: "admin" } }),
      target({ port: { targetPort: "adm" } }),
      target({ port: { targetPort: 8080 } }),
      target({ port: { targetPort: 9000 } }),
    ]).toEqual([80, 9000, 9000, 80, 9000]);
  });

  it.each<[Route["spec"]["tls"], string]>([
    [undefined, "serve serve"],
    [{ termination: "edge" }, "none serve"],
    [{ termination: "edge", insecureEdgeTerminationPolicy: "Allow" }, "serve serve"],
    [{ termination: "edge", insecureEdgeTerminationPolicy: "Redirect" }, "redirect serve"],
    [{ termination: "reencrypt" }, "none serve"],
    [{ termination: "passthrough" }, "none none passthrough"],
    [{ termination: "passthrough", insecureEdgeTerminationPolicy: "Redirect" }, "redirect none passthrough"],
  ])("%o → %s", (tls, expected) => {
    const host = one({ tls })?.front?.hosts[0];
    expect([host?.http, host?.https, ...(host?.passthrough === undefined ? [] : ["passthrough"])].join(" ")).toBe(
      expected,
    );
  });

  it("split by weight and keep a share for what is missing", () => {
    const backends = one({
      to: { name: "web", weight: 3 },
      alternateBackends: [
        { name: "v2", weight: 1 },
        { name: "gone", weight: 1 },
      ],
    })?.front?.hosts[0]?.rules[0]?.backends;
    expect(backends?.map((b) => [b.kind === "service" && b.target.service, b.weight])).toEqual([
      ["shop/web", 3],
      ["shop/v2", 1],
      ["shop/gone", 1],
    ]);
  });

  it("claim a host however it is said", () => {
    const all = [
      route("mine", { host: "m.apps.hub.travelops.localhost" }, 1),
      route("thief", { host: "m.apps.hub.travelops.internal", path: "/p" }, 2, "other"),
      route("else", { host: "m.apps.east.travelops.internal" }, 3, "other"),
    ];
    const results = compileRoutes(all, { ...world(), appsDomain: "apps.hub.travelops.localhost" });
    expect(results.map(({ admitted }) => admitted.reason ?? admitted.status)).toEqual([
      "True",
      "HostAlreadyClaimed",
      "True",
    ]);
  });

  it("claim hosts by age, and by path within a namespace", () => {
    const all = [
      route("late", { host: "h.x" }, 9, "other"),
      route("first", { host: "h.x" }, 1),
      route("path", { host: "h.x", path: "/p" }, 2),
      route("twice", { host: "h.x", path: "/p" }, 3),
    ];
    const results = compileRoutes(all, world()).map((r) =>
      `${r.route.metadata.name ?? ""} ${r.admitted.status} ${r.admitted.reason ?? ""}`.trim(),
    );
    expect(results).toEqual([
      "first True",
      "path True",
      "twice False HostAlreadyClaimed",
      "late False HostAlreadyClaimed",
    ]);
  });
});

describe("Ingresses", () => {
  const ingress = (spec: Ingress["spec"]): Ingress => ({
    apiVersion: "",
    kind: "Ingress",
    metadata: meta("in"),
    spec,
  });
  it("have hosts, a default backend and certificates", () => {
    const front = compileIngress(
      ingress({
        tls: [{ hosts: ["a.x"], secretName: "tls" }],
        defaultBackend: { service: { name: "v2", port: { number: 80 } } },
        rules: [
          {
            host: "a.x",
            http: {
              paths: [
                {
                  path: "/p",
                  pathType: "Exact",
                  backend: { service: { name: "web", port: { name: "admin" } } },
                },
              ],
            },
          },
          {
            http: {
              paths: [
                {
                  path: "/",
                  pathType: "Prefix",
                  backend: { service: { name: "web", port: { number: 80 } } },
                },
              ],
            },
          },
        ],
      }),
      world(),
    );
    expect(front.hosts.map((h) => [h.hostname, h.rules.length, h.certificate !== undefined])).toEqual([
      ["a.x", 2, true],
      ["in-shop.apps.test", 2, false],
      ["*", 2, false],
    ]);
  });
  it("are ours by class or by default", () => {
    const ours = {
      apiVersion: "",
      kind: "IngressClass",
      metadata: { name: "travelops", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } },
      spec: { controller: INGRESS_CONTROLLER },
    };
    const named = (ingressClassName?: string): boolean => servesIngress(ingress({ ingressClassName }), [ours]);
    expect([named(), named("travelops"), named("nginx")]).toEqual([true, true, false]);
  });
});

describe("host names of listener and route", () => {
  it.each<[string | undefined, string[], string[]]>([
    [undefined, [], ["gw.apps.test", "*"]],
    [undefined, ["a.x"], ["a.x"]],
    ["a.x", [], ["a.x"]],
    ["*.x", ["a.x", "b.y"], ["a.x"]],
    ["a.x", ["*.x"], ["a.x"]],
    ["*.x", ["*.b.x"], ["*.b.x"]],
    ["*.x", ["x"], []],
    ["A.x", ["a.X"], ["a.x"]],
    ["a.x", ["b.x"], []],
  ])("%s with %s → %s", (listener, route, expected) => {
    expect(intersectHostnames(listener, route, "gw.apps.test")).toEqual(expected);
  });
});

describe("the Gateway API", () => {
  const gateway = (listeners: Listener[], namespace = "shop"): Gateway => ({
    apiVersion: "",
    kind: "Gateway",
    metadata: meta("gw", namespace),
    spec: { gatewayClassName: "travelops", listeners },
  });
  const http: Listener = { name: "http", port: 80, protocol: "HTTP" };
  const httpRoute = (spec: Partial<HttpRoute["spec"]> = {}, namespace = "shop"): HttpRoute => ({
    apiVersion: "",
    kind: "HTTPRoute",
    metadata: meta("r", namespace),
    spec: {
      parentRefs: [{ name: "gw", namespace: "shop" }],
      rules: [{ backendRefs: [{ name: "web", port: 80 }] }],
      ...spec,
    },
  });
  const compile = (gateways: Gateway[], route: HttpRoute) =>
    compileGatewayApi(world({ gateways }), { http: [route], grpc: [], tls: [] });
  const verdict = (gateways: Gateway[], route: HttpRoute): string =>
    compile(gateways, route)
      .routes[0]?.parents[0]?.conditions.map((c) => `${c.type}=${c.reason ?? ""}`)
      .join(" ") ?? "not ours";
  const backend = (ref: object) => httpRoute({ rules: [{ backendRefs: [{ name: "web", port: 80, ...ref }] }] });

  it.each<[string, Gateway[], HttpRoute, string]>([
    ["attaches", [gateway([http])], httpRoute(), "Accepted=Accepted ResolvedRefs=ResolvedRefs"],
    [
      "leaves others' Gateways alone",
      [{ ...gateway([http]), spec: { gatewayClassName: "other", listeners: [http] } }],
      httpRoute(),
      "not ours",
    ],
    [
      "finds no section",
      [gateway([http])],
      httpRoute({ parentRefs: [{ name: "gw", sectionName: "x" }] }),
      "Accepted=NoMatchingParent ResolvedRefs=ResolvedRefs",
    ],
    [
      "stays out of other namespaces",
      [gateway([http])],
      httpRoute({}, "other"),
      "Accepted=NotAllowedByListeners ResolvedRefs=BackendNotFound",
    ],
    [
      "is let in by selector",
      [
        gateway([
          {
            ...http,
            allowedRoutes: { namespaces: { from: "Selector", selector: { matchLabels: { team: "other" } } } },
          },
        ]),
      ],
      { ...httpRoute({ rules: [] }, "other") },
      "Accepted=Accepted ResolvedRefs=ResolvedRefs",
    ],
    [
      "fits no host",
      [gateway([{ ...http, hostname: "a.x" }])],
      httpRoute({ hostnames: ["b.x"] }),
      "Accepted=NoMatchingListenerHostname ResolvedRefs=ResolvedRefs",
    ],
    [
      "knows no such kind",
      [gateway([http])],
      backend({ kind: "Bucket", group: "x.io" }),
      "Accepted=Accepted ResolvedRefs=InvalidKind",
    ],
    [
      "misses a Service",
      [gateway([http])],
      backend({ name: "nope" }),
      "Accepted=Accepted ResolvedRefs=BackendNotFound",
    ],
    ["misses a port", [gateway([http])], backend({ port: 81 }), "Accepted=Accepted ResolvedRefs=BackendNotFound"],
    [
      "needs a grant",
      [gateway([http])],
      backend({ namespace: "elsewhere" }),
      "Accepted=Accepted ResolvedRefs=RefNotPermitted",
    ],
    [
      "names a filter it lacks",
      [gateway([http])],
      httpRoute({ rules: [{ filters: [{ type: "ExtensionRef" }] }] }),
      "Accepted=UnsupportedValue ResolvedRefs=ResolvedRefs",
    ],
  ])("%s", (_, gateways, route, expected) => {
    expect(verdict(gateways, route)).toBe(expected);
  });

  it("says what is wrong with a listener", () => {
    const failing = (l: Partial<Listener>, before: Listener[] = []): string[] =>
      compile([gateway([...before, { ...http, ...l }])], httpRoute())
        .gateways[0]?.listeners.at(-1)
        ?.conditions.filter((c) => c.status === (c.type === "Conflicted" ? "True" : "False"))
        .map((c) => c.reason ?? "") ?? [];
    expect(failing({})).toEqual([]);
    expect(failing({ protocol: "TCP" })).toContain("UnsupportedProtocol");
    expect(failing({ protocol: "HTTPS", tls: { certificateRefs: [{ name: "nope" }] } })).toEqual([
      "InvalidCertificateRef",
      "Invalid",
    ]);
    expect(failing({ protocol: "HTTPS", tls: { certificateRefs: [{ name: "tls", namespace: "other" }] } })).toEqual([
      "RefNotPermitted",
      "Invalid",
    ]);
    expect(failing({ protocol: "HTTPS", tls: { certificateRefs: [{ name: "tls" }] } })).toEqual([]);
    expect(failing({ name: "b" }, [http])).toEqual(expect.arrayContaining(["HostnameConflict"]));
    expect(failing({ name: "b", protocol: "HTTPS" }, [http])).toEqual(expect.arrayContaining(["ProtocolConflict"]));
    expect(failing({ allowedRoutes: { kinds: [{ kind: "TCPRoute" }] } })).toEqual(["InvalidRouteKinds"]);
  });

  it("counts attached routes and joins HTTP and HTTPS listeners of one host", () => {
    const result = compile(
      [
        gateway([
          { ...http, hostname: "a.x" },
          {
            name: "s",
            port: 443,
            protocol: "HTTPS",
            hostname: "a.x",
            tls: { certificateRefs: [{ name: "tls" }] },
          },
        ]),
      ],
      httpRoute(),
    );
    expect(result.gateways[0]?.listeners.map((l) => l.attachedRoutes)).toEqual([1, 1]);
    expect(result.routes[0]?.front?.hosts).toEqual([
      expect.objectContaining({
        hostname: "a.x",
        http: "serve",
        https: "serve",
        certificate: { cert: "C", key: "K" },
      }),
    ]);
  });

  it("lets a grant name kinds and objects", () => {
    const grant = {
      apiVersion: "",
      kind: "ReferenceGrant",
      metadata: { namespace: "b" },
      spec: {
        from: [{ group: "g", kind: "K", namespace: "a" }],
        to: [{ group: "", kind: "Service", name: "only" }],
      },
    };
    const may = (name: string, namespace = "a"): boolean =>
      mayReference([grant], { group: "g", kind: "K", namespace }, { group: "", kind: "Service", namespace: "b", name });
    expect([may("only"), may("other"), may("only", "c")]).toEqual([true, false, false]);
  });
});
