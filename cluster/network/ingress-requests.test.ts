/** What Ingresses and Routes do to requests, and which Routes are refused. */
import { describe, expect, it } from "vitest";
import type { Ingress, IngressClass } from "@travelops/kube";
import { compileIngress, INGRESS_CONTROLLER, servesIngress } from "./controllers/ingress.ts";
import { compileRoutes } from "./controllers/route.ts";
import type { Route } from "./controllers/types.ts";
import { RouteTable } from "./dataplane/ingress/route-table.ts";
import { testCertificate } from "./testing/certificate.ts";
import { APPS, meta, outcome, planned, testWorld, type Asked } from "./testing/gateway-world.ts";

type Rules = NonNullable<NonNullable<Ingress["spec"]>["rules"]>;
const backend = (name: string) => ({ service: { name, port: { number: 80 } } });
const at = (host: string | undefined, ...paths: [string, string, string][]): Rules[number] => ({
  ...(host === undefined ? {} : { host }),
  http: { paths: paths.map(([pathType, path, name]) => ({ pathType, path, backend: backend(name) })) },
});
const ingress = (spec: Ingress["spec"], name = "in", age = 0): Ingress => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: meta(name, "shop", age),
  spec,
});
const asks = (...all: Ingress[]) => {
  const fronts = all.map((each) => compileIngress(each, testWorld([])));
  return (asked: Asked): string => outcome(planned(fronts, asked));
};

describe("an Ingress", () => {
  // The examples of the documentation of paths: type, path, request, whether it matches.
  it.each<[string, string, string, boolean]>([
    ["Prefix", "/", "/any/path", true],
    ["Exact", "/foo", "/foo", true],
    ["Exact", "/foo", "/bar", false],
    ["Exact", "/foo", "/foo/", false],
    ["Exact", "/foo/", "/foo", false],
    ["Prefix", "/foo", "/foo", true],
    ["Prefix", "/foo", "/foo/", true],
    ["Prefix", "/foo/", "/foo", true],
    ["Prefix", "/foo/", "/foo/", true],
    ["Prefix", "/aaa/bb", "/aaa/bbb", false],
    ["Prefix", "/aaa/bbb", "/aaa/bbb", true],
    ["Prefix", "/aaa/bbb/", "/aaa/bbb", true],
    ["Prefix", "/aaa/bbb", "/aaa/bbb/", true],
    ["Prefix", "/aaa/bbb", "/aaa/bbb/ccc", true],
    ["Prefix", "/aaa/bbb", "/aaa/bbbxyz", false],
    ["ImplementationSpecific", "/foo", "/foo/bar", true],
  ])("%s %s for %s: %s", (pathType, path, asked, matches) => {
    const ask = asks(ingress({ rules: [at("a.x", [pathType, path, "one"])] }));
    expect(ask({ host: "a.x", path: asked })).toBe(matches ? "one" : "404");
  });

  it("the longest path wins, the exact one of two equals, then the older Ingress", () => {
    const paths = at("a.x", ["Prefix", "/", "one"], ["Prefix", "/aaa", "two"], ["Prefix", "/aaa/bbb", "three"]);
    const many = asks(ingress({ rules: [paths] }));
    expect(["/aaa/bbb/c", "/aaa/c", "/c"].map((path) => many({ host: "a.x", path }))).toEqual(["three", "two", "one"]);
    const equal = asks(ingress({ rules: [at("a.x", ["Prefix", "/foo", "one"], ["Exact", "/foo", "two"])] }));
    expect(["/foo", "/foo/"].map((path) => equal({ host: "a.x", path }))).toEqual(["two", "one"]);
    const aged = asks(
      ingress({ rules: [at("a.x", ["Prefix", "/", "one"])] }, "late", 9),
      ingress({ rules: [at("a.x", ["Prefix", "/", "two"])] }, "early", 1),
    );
    expect(aged({ host: "a.x" })).toBe("two");
  });

  it("a wildcard host stands for one label, after the exact ones", () => {
    const ask = asks(
      ingress({ rules: [at("*.foo.com", ["Prefix", "/", "one"]), at("bar.foo.com", ["Prefix", "/", "two"])] }),
    );
    const hosts = ["bar.foo.com", "baz.foo.com", "baz.bar.foo.com", "foo.com"];
    expect(hosts.map((host) => ask({ host }))).toEqual(["two", "one", "404", "404"]);
  });

  it("a rule without host takes any; the default backend what is left, of all hosts", () => {
    const spec = { rules: [at("a.x", ["Prefix", "/p", "one"])], defaultBackend: backend("two") };
    const ask = asks(ingress(spec));
    expect([
      ask({ host: "a.x", path: "/p/q" }),
      ask({ host: "a.x", path: "/q" }),
      ask({ host: "b.x" }),
      ask({ host: `typo.${APPS}` }),
    ]).toEqual(["one", "two", "two", "404"]);
    const any = asks(ingress({ rules: [at(undefined, ["Prefix", "/p", "one"])] }));
    expect([
      any({ host: "b.x", path: "/p" }),
      any({ host: `in-shop.${APPS}`, path: "/p" }),
      any({ host: "b.x" }),
    ]).toEqual(["one", "one", "404"]);
    expect(asks(ingress({ defaultBackend: backend("one") }))({ host: "b.x" })).toBe("one");
  });

  it("certificates go by SNI, also those for a wildcard", () => {
    const tls = [{ hosts: ["*.foo.com"], secretName: "tls" }];
    const rules = ["a.foo.com", "a.b.foo.com", "*.foo.com"].map((host) => at(host, ["Prefix", "/", "one"]));
    const table = new RouteTable([compileIngress(ingress({ tls, rules }), testWorld([]))], APPS);
    const names = ["a.foo.com", "z.foo.com", "a.b.foo.com", "foo.com"];
    expect(names.map((name) => table.certificate(name) !== undefined)).toEqual([true, true, false, false]);
  });

  it("is ours by its class, by the old annotation, or by default", () => {
    const klass = (controller: string, byDefault: boolean): IngressClass => ({
      apiVersion: "networking.k8s.io/v1",
      kind: "IngressClass",
      metadata: {
        name: "c",
        annotations: { "ingressclass.kubernetes.io/is-default-class": String(byDefault) },
      },
      spec: { controller },
    });
    const annotated: Ingress = {
      ...ingress({}),
      metadata: { ...meta("in"), annotations: { "kubernetes.io/ingress.class": "c" } },
    };
    const ours = [klass(INGRESS_CONTROLLER, true)];
    expect([
      servesIngress(ingress({}), ours),
      servesIngress(ingress({}), [klass(INGRESS_CONTROLLER, false)]),
      servesIngress(ingress({}), [klass("nginx.org/x", true)]),
      servesIngress(ingress({ ingressClassName: "c" }), [klass(INGRESS_CONTROLLER, false)]),
      servesIngress(ingress({ ingressClassName: "other" }), ours),
      servesIngress(annotated, [klass(INGRESS_CONTROLLER, false)]),
    ]).toEqual([true, false, false, true, false, true]);
  });
});

describe("a Route", () => {
  const pair = testCertificate(["a.x"]);
  const route = (spec: Partial<Route["spec"]>, name = "r", namespace = "shop", age = 0): Route => ({
    apiVersion: "route.openshift.io/v1",
    kind: "Route",
    metadata: meta(name, namespace, age),
    spec: { host: "a.x", to: { name: "one" }, ...spec },
  });
  const ask = (spec: Partial<Route["spec"]>, asked: Asked): string =>
    outcome(
      planned(
        compileRoutes([route(spec)], testWorld([])).map((c) => c.front),
        { host: "a.x", ...asked },
      ),
    );
  const edge = (insecureEdgeTerminationPolicy?: string): Partial<Route["spec"]> => ({
    tls: {
      termination: "edge",
      ...(insecureEdgeTerminationPolicy === undefined ? {} : { insecureEdgeTerminationPolicy }),
    },
  });

  it.each<[Partial<Route["spec"]>, string, string]>([
    [{}, "one", "one"],
    [edge(), "404", "one"],
    [edge("None"), "404", "one"],
    [edge("Allow"), "one", "one"],
    [edge("Redirect"), "302 https://a.x:8443/p?q", "one"],
    [{ tls: { termination: "reencrypt", insecureEdgeTerminationPolicy: "Allow" } }, "one", "one"],
    [
      { tls: { termination: "passthrough", insecureEdgeTerminationPolicy: "Redirect" } },
      "302 https://a.x:8443/p?q",
      "404",
    ],
  ])("%o: %s without TLS, %s with it", (spec, plain, secure) => {
    const path = "/p?q";
    expect([ask(spec, { path }), ask(spec, { path, scheme: "https" })]).toEqual([plain, secure]);
  });

  it("has paths element by element, and shares by weight", () => {
    expect(["/p", "/p/", "/p/q", "/pq", "/"].map((path) => ask({ path: "/p" }, { path }))).toEqual([
      "one",
      "one",
      "one",
      "404",
      "404",
    ]);
    const spread = {
      to: { name: "one", weight: 20 },
      alternateBackends: [
        { name: "two", weight: 80 },
        { name: "three", weight: 0 },
      ],
    };
    expect([0, 0.19, 0.2, 0.99].map((random) => ask(spread, { random }))).toEqual(["one", "one", "two", "two"]);
  });

  it("for a subdomain stands for one label", () => {
    const spec = { host: "any.a.x", wildcardPolicy: "Subdomain" };
    expect(["any.a.x", "other.a.x", "deep.other.a.x", "a.x"].map((host) => ask(spec, { host }))).toEqual([
      "one",
      "one",
      "404",
      "404",
    ]);
  });

  it("speaks TLS to its pods where it re-encrypts, by the CA it names", () => {
    const target = (tls: Route["spec"]["tls"]) => {
      const plan = planned(
        compileRoutes([route({ tls })], testWorld([])).map((c) => c.front),
        { host: "a.x", scheme: "https" },
      );
      return plan.kind === "forward" ? plan.target.tls : plan.kind;
    };
    expect([
      target({ termination: "edge" }),
      target({ termination: "reencrypt" }),
      target({ termination: "reencrypt", destinationCACertificate: pair.cert }),
    ]).toEqual([undefined, {}, { ca: pair.cert }]);
  });

  const said = (...routes: Route[]): string[] =>
    compileRoutes(routes, testWorld([])).map(({ route: r, admitted: a }) =>
      `${r.metadata.name ?? ""}: ${a.status} ${a.reason ?? ""} ${a.message ?? ""}`.trim(),
    );
  it("loses its host to an older one of another namespace, and its path to an older one of its own", () => {
    expect(
      said(
        route({}, "new", "far", 9),
        route({}, "old", "shop", 1),
        route({}, "same", "shop", 2),
        route({ path: "/p" }, "path", "shop", 3),
      ),
    ).toEqual([
      "old: True",
      "same: False HostAlreadyClaimed route old already exposes a.x and is older",
      "path: True",
      "new: False HostAlreadyClaimed a route in another namespace holds a.x and is older than new",
    ]);
  });

  it.each<[Partial<Route["spec"]>, string]>([
    [{ tls: { termination: "edge", ...inline(pair) } }, ""],
    [
      { path: "/p", tls: { termination: "passthrough" } },
      'spec.path: Invalid value: "/p": passthrough termination does not support paths',
    ],
    [
      { tls: { termination: "passthrough", ...inline(pair) } },
      'spec.tls.certificate: Invalid value: "redacted certificate data": passthrough termination does not support certificates',
    ],
    [
      { tls: { termination: "passthrough", insecureEdgeTerminationPolicy: "Allow" } },
      'spec.tls.insecureEdgeTerminationPolicy: Invalid value: "Allow": invalid value for InsecureEdgeTerminationPolicy option, acceptable values are None, Redirect, or empty',
    ],
    [
      { tls: { termination: "edge", destinationCACertificate: pair.cert } },
      'spec.tls.destinationCACertificate: Invalid value: "redacted destination ca certificate data": edge termination does not support destination certificates',
    ],
    [
      { tls: { termination: "edge", certificate: "nonsense", key: pair.key } },
      'spec.tls.certificate: Invalid value: "redacted certificate data": no PEM certificate can be read',
    ],
    [
      { tls: { termination: "edge", certificate: pair.cert, key: testCertificate(["b.x"]).key } },
      'spec.tls.key: Invalid value: "redacted key data": private key does not match the certificate',
    ],
    [
      { tls: { termination: "reencrypt", destinationCACertificate: "nonsense" } },
      'spec.tls.destinationCACertificate: Invalid value: "redacted destination ca certificate data": failed to parse destination CA certificate',
    ],
  ])("is refused for what it cannot do: %o", (spec, message) => {
    expect(said(route(spec))).toEqual([message === "" ? "r: True" : `r: False ExtendedValidationFailed ${message}`]);
  });
});

function inline({ cert, key }: { cert: string; key: string }): { certificate: string; key: string } {
  return { certificate: cert, key };
}
