/** What HTTPRoutes do to requests: the expectations of the Gateway API, as far as they show without a socket. */
import { describe, expect, it } from "vitest";
import { compileGatewayApi } from "./controllers/gateway-api.ts";
import type { GrpcRoute, GrpcRouteRule, ReferenceGrant } from "./controllers/types.ts";
import type { HttpRoute, RouteFilter } from "./controllers/types.ts";
import {
  compiled,
  gateway,
  http,
  outcome,
  planned,
  route,
  to,
  type Asked,
  testWorld,
} from "./testing/gateway-world.ts";

const asks = (routes: HttpRoute[], listeners = [http()], grants: ReferenceGrant[] = []) => {
  const fronts = compiled([gateway(listeners)], routes, grants).routes.map((r) => r.front);
  return (asked: Asked): string => outcome(planned(fronts, asked));
};
const path = (value: string, type = "PathPrefix") => ({ matches: [{ path: { type, value } }] });
const header = (name: string, value: string) => ({ name, value });

describe("matching", () => {
  const order = asks([
    route([
      to("one", path("/m")),
      to("two", path("/m/exact", "Exact")),
      to("three", path("/m/exact")),
      to("two", path("/m/prefix/long/")),
    ]),
  ]);
  it.each([
    ["/m", "one"],
    ["/m/", "one"],
    ["/mm", "404"],
    ["/m/exact", "two"],
    ["/m/exact/", "three"],
    ["/m/exact/deep", "three"],
    ["/m/exactly", "one"],
    ["/m/prefix/long", "two"],
    ["/m/prefix/longer", "one"],
    ["/M", "404"],
    ["/m?a=/x", "one"],
  ])("by path: %s → %s", (asked, expected) => expect(order({ path: asked })).toBe(expected));

  const mixed = asks([
    route([
      to("one", { matches: [{ headers: [header("Version", "one")] }, { headers: [header("color", "blue")] }] }),
      to("two", { matches: [{ headers: [header("version", "one"), header("color", "red")] }] }),
      to("three", { matches: [{ method: "POST" }] }),
      to("two", { matches: [{ queryParams: [header("a", "1")] }, { queryParams: [header("A", "2")] }] }),
      to("three", { matches: [{ queryParams: [header("a", "1"), header("b", "2")] }] }),
      to("three", path("/deep")),
    ]),
  ]);
  it.each<[Asked, string]>([
    [{ headers: { version: "one" } }, "one"],
    [{ headers: { version: "One" } }, "404"],
    [{ headers: { color: "blue" } }, "one"],
    [{ headers: { version: "one", color: "red" } }, "two"],
    [{ method: "POST" }, "three"],
    [{ method: "POST", headers: { version: "one", color: "red" } }, "three"],
    [{ method: "HEAD" }, "404"],
    [{ path: "/?a=1" }, "two"],
    [{ path: "/?a=1&b=2" }, "three"],
    [{ path: "/?a=1&a=9" }, "two"],
    [{ path: "/?a=9&a=1" }, "404"],
    [{ path: "/?A=2" }, "two"],
    [{ path: "/?A=1" }, "404"],
    [{ path: "/?a=1&b=2", headers: { color: "blue" } }, "one"],
    [{ path: "/deep?a=1", headers: { version: "one" } }, "three"],
  ])("by method, headers and query: %o → %s", (asked, expected) => expect(mixed(asked)).toBe(expected));

  it("across routes: the older wins, then the name, then the order of rules", () => {
    const both = (a: Partial<Parameters<typeof route>[1]>, b: Partial<Parameters<typeof route>[1]>) =>
      asks([route([to("one")], { name: "b", ...a }), route([to("two"), to("three")], { name: "a", ...b })])({});
    expect(both({ age: 1 }, { age: 2 })).toBe("one");
    expect(both({ age: 2 }, { age: 1 })).toBe("two");
    expect(both({}, {})).toBe("two");
    expect(both({ namespace: "shop" }, { name: "c" })).toBe("one");
  });

  it("across routes: what is longer beats what is older, on its own hosts only", () => {
    const ask = asks([
      route([to("one")], { name: "a", age: 1, hostnames: ["a.com", "a.net"] }),
      route([to("two", path("/v2"))], { name: "b", age: 9, hostnames: ["a.com"] }),
    ]);
    expect(["a.com", "a.net", "a.org"].map((host) => ask({ host, path: "/v2/x" }))).toEqual(["two", "one", "404"]);
  });
});

describe("host names", () => {
  const listeners = [
    http({ name: "any" }),
    http({ name: "wild", hostname: "*.a.com" }),
    http({ name: "deep", hostname: "*.b.a.com" }),
    http({ name: "exact", hostname: "c.b.a.com" }),
  ];
  const names = ["x.org", "x.a.com", "x.b.a.com", "c.b.a.com"];
  const sections = ["any", "wild", "deep", "exact"];
  const table = (hostnames?: string[]): string[] => {
    const ask = asks(
      sections.map((sectionName) =>
        route([to("one", path(`/${sectionName}`))], {
          name: sectionName,
          sectionName,
          ...(hostnames === undefined ? {} : { hostnames }),
        }),
      ),
      listeners,
    );
    return names.map((host) => sections.filter((section) => ask({ host, path: `/${section}` }) === "one").join());
  };
  it("a request is one listener's: that which fits best", () => {
    expect(table()).toEqual(sections);
    expect(table(["x.org", "*.a.com", "*.b.a.com", "c.b.a.com"])).toEqual(sections);
  });

  const ask = asks(
    [
      route([to("one")], { name: "a", hostnames: ["no.match", "very.specific.com", "sub.wild.io"] }),
      route([to("two", path("/two"))], { name: "b", hostnames: ["*.specific.com", "*.other.io"] }),
    ],
    [
      http({ name: "l1", hostname: "very.specific.com" }),
      http({ name: "l2", hostname: "*.wild.io" }),
      http({ name: "l3", hostname: "*.other.io" }),
    ],
  );
  it.each([
    ["very.specific.com", "/", "one"],
    ["VERY.specific.com:8080", "/", "one"],
    ["very.specific.com", "/two", "two"],
    ["not.specific.com", "/two", "404"],
    ["no.match", "/", "404"],
    ["sub.wild.io", "/", "one"],
    ["else.wild.io", "/", "404"],
    ["a.other.io", "/two", "two"],
    ["a.b.other.io", "/two", "two"],
    ["other.io", "/two", "404"],
  ])("meet those of listeners: %s%s → %s", (host, at, expected) => expect(ask({ host, path: at })).toBe(expected));

  it("are served by TLS where the listener ends it, and not without", () => {
    const secure = asks(
      [route([to("one")], { hostnames: ["s.org"] })],
      [{ name: "s", port: 443, protocol: "HTTPS", tls: { certificateRefs: [{ name: "tls" }] } }],
    );
    expect([secure({ host: "s.org", scheme: "https" }), secure({ host: "s.org" })]).toEqual(["one", "404"]);
  });
});

describe("GRPCRoutes", () => {
  const rule = (backend: string, match: NonNullable<GrpcRouteRule["matches"]>[number]): GrpcRouteRule => ({
    matches: [match],
    backendRefs: [{ name: backend, port: 80 }],
  });
  const grpc = (rules: GrpcRouteRule[]): GrpcRoute => ({
    ...route([]),
    kind: "GRPCRoute",
    spec: { ...route([]).spec, rules },
  });
  const result = compileGatewayApi(testWorld([gateway([http()])]), {
    http: [],
    grpc: [
      grpc([
        rule("one", { method: { service: "a.S", method: "Do" } }),
        rule("two", { method: { service: "a.S" } }),
        rule("three", { method: { method: "Any.Do" } }),
        rule("three", { method: { type: "RegularExpression", service: "r\\..*", method: "[XY]" } }),
        rule("one", { headers: [header("who", "me")] }),
        rule("two", { headers: [header("who", "me"), header("what", "it")] }),
      ]),
    ],
    tls: [],
  });
  it.each<[string, Record<string, string>, string]>([
    ["/a.S/Do", {}, "one"],
    ["/a.S/do", {}, "two"],
    ["/a.S/Else", {}, "two"],
    ["/a.Sx/Do", {}, "404"],
    ["/b.S/Any.Do", {}, "three"],
    ["/b.S/Any_Do", {}, "404"],
    ["/r.T/X", {}, "three"],
    ["/r.T/Z", {}, "404"],
    ["/b.S/M", { who: "me" }, "one"],
    ["/b.S/M", { who: "me", what: "it" }, "two"],
    ["/b.S/M", { what: "it" }, "404"],
  ])("%s with %o → %s", (path_, headers, expected) => {
    const plan = planned(
      result.routes.map((r) => r.front),
      { method: "POST", path: path_, headers },
    );
    expect(outcome(plan)).toBe(expected);
    if (plan.kind === "forward") expect(plan.target.protocol).toBe("h2c");
  });
});

describe("backends", () => {
  const grant = (to_: object): ReferenceGrant => ({
    apiVersion: "",
    kind: "ReferenceGrant",
    metadata: { name: "g", namespace: "far" },
    spec: {
      from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "shop" }],
      to: [{ group: "", kind: "Service", ...to_ }],
    },
  });
  const far = [route([{ backendRefs: [{ name: "away", namespace: "far", port: 80 }] }])];
  it("that cannot be used are a 500, and nothing else is", () => {
    const one = (ref: object): string => asks([route([{ backendRefs: [{ name: "one", port: 80, ...ref }] }])])({});
    expect([one({}), one({ name: "gone" }), one({ kind: "Bucket", group: "x.io" }), one({ port: 81 })]).toEqual([
      "one",
      "500",
      "500",
      "500",
    ]);
    expect(asks([route([{}])])({})).toBe("500");
    expect(
      [undefined, grant({}), grant({ name: "away" }), grant({ name: "other" })].map((g) =>
        asks(far, [http()], g === undefined ? [] : [g])({}),
      ),
    ).toEqual(["500", "far/away", "far/away", "500"]);
  });
  it("have their share of the requests, those of no weight none, and the unusable theirs as 500", () => {
    const weights = (...refs: [string, number][]) => {
      const ask = asks([route([{ backendRefs: refs.map(([name, weight]) => ({ name, port: 80, weight })) }])]);
      return Array.from({ length: 10 }, (_, i) => ask({ random: i / 10 })).join(" ");
    };
    expect(weights(["one", 7], ["two", 3], ["three", 0])).toBe("one one one one one one one two two two");
    expect(weights(["one", 1], ["gone", 1])).toBe("one one one one one 500 500 500 500 500");
    expect(weights(["one", 1], ["gone", 0])).toBe(Array(10).fill("one").join(" "));
    expect(weights(["one", 0])).toBe(Array(10).fill("500").join(" "));
  });
});

describe("filters", () => {
  const filtered = (filter: Partial<RouteFilter> & { type: string }, at = "/p/x?q=1", match = path("/p")) =>
    planned(
      compiled(
        [gateway([http()])],
        [route([to("one", { ...match, filters: [filter] })], { hostnames: ["a.org"] })],
      ).routes.map((r) => r.front),
      { host: "a.org:8080", path: at },
    );
  const redirect = (requestRedirect: NonNullable<RouteFilter["requestRedirect"]>, at?: string) =>
    outcome(filtered({ type: "RequestRedirect", requestRedirect }, at));

  it.each<[NonNullable<RouteFilter["requestRedirect"]>, string]>([
    [{}, "302 http://a.org:8080/p/x?q=1"],
    [{ statusCode: 301 }, "301 http://a.org:8080/p/x?q=1"],
    [{ scheme: "https" }, "302 https://a.org:8443/p/x?q=1"],
    [{ scheme: "https", port: 443 }, "302 https://a.org/p/x?q=1"],
    [{ port: 80 }, "302 http://a.org/p/x?q=1"],
    [{ port: 9000 }, "302 http://a.org:9000/p/x?q=1"],
    [{ hostname: "else.org" }, "302 http://else.org/p/x?q=1"],
    [{ hostname: "else.org", scheme: "https" }, "302 https://else.org/p/x?q=1"],
    [{ hostname: "else.org", port: 8443, scheme: "https" }, "302 https://else.org:8443/p/x?q=1"],
    [{ hostname: "a.org", scheme: "https" }, "302 https://a.org:8443/p/x?q=1"],
    [{ path: { type: "ReplaceFullPath", replaceFullPath: "/n" } }, "302 http://a.org:8080/n?q=1"],
    [{ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/n" } }, "302 http://a.org:8080/n/x?q=1"],
    [{ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } }, "302 http://a.org:8080/x?q=1"],
  ])("redirect by %o: %s", (filter, expected) => expect(redirect(filter)).toBe(expected));

  const rewritten = (urlRewrite: NonNullable<RouteFilter["urlRewrite"]>, at?: string): string => {
    const plan = filtered({ type: "URLRewrite", urlRewrite }, at);
    return plan.kind === "forward" ? `${String(plan.headers["host"])}${plan.path}` : plan.kind;
  };
  it("rewrite host and path", () => {
    expect(rewritten({ hostname: "b.org" })).toBe("b.org/p/x?q=1");
    expect(rewritten({ path: { type: "ReplaceFullPath", replaceFullPath: "/n" } })).toBe("a.org:8080/n?q=1");
    expect(rewritten({ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/n/" } })).toBe("a.org:8080/n/x?q=1");
    expect(rewritten({ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "" } }, "/p")).toBe("a.org:8080/");
    expect(rewritten({ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } }, "/p/")).toBe("a.org:8080/");
  });

  it("of a backend come after those of its rule, and are its alone", () => {
    const set = (value: string): RouteFilter => ({
      type: "RequestHeaderModifier",
      requestHeaderModifier: { set: [{ name: "X-Who", value }], remove: ["X-Gone"] },
    });
    const rule = {
      filters: [set("rule")],
      backendRefs: [
        { name: "one", port: 80, filters: [set("backend")] },
        { name: "two", port: 80 },
      ],
    };
    const fronts = compiled([gateway([http()])], [route([rule])]).routes.map((r) => r.front);
    const seen = [0, 0.9].map((random) => planned(fronts, { random, headers: { "x-who": "me", "x-gone": "1" } }));
    expect(seen.map((p) => p.kind === "forward" && [p.headers["x-who"], p.headers["x-gone"]])).toEqual([
      ["backend", undefined],
      ["rule", undefined],
    ]);
  });

  it("mirror to several Services, in full or in part; timeouts of 0s are none", () => {
    const mirror = (name: string, extra: object = {}): RouteFilter => ({
      type: "RequestMirror",
      requestMirror: { backendRef: { name, port: 80 }, ...extra },
    });
    const rule = to("one", {
      filters: [
        mirror("two"),
        mirror("three", { percent: 20 }),
        mirror("two", { fraction: { numerator: 1, denominator: 3 } }),
      ],
      timeouts: { request: "1500ms", backendRequest: "0s" },
    });
    const [plan] = [
      planned(
        compiled([gateway([http()])], [route([rule])]).routes.map((r) => r.front),
        {},
      ),
    ];
    expect(plan).toMatchObject({
      mirrors: [
        { backend: { service: "shop/two" }, numerator: 100, denominator: 100 },
        { backend: { service: "shop/three" }, numerator: 20, denominator: 100 },
        { backend: { service: "shop/two" }, numerator: 1, denominator: 3 },
      ],
      requestTimeoutMs: 1500,
      backendTimeoutMs: 0,
    });
  });
});
