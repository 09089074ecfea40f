import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HttpMatch, HttpRule } from "../../config.ts";
import { front, host, match, rule, to } from "../../testing/fixtures.ts";
import {
  compareRules,
  hostCandidates,
  hostnameOf,
  matches,
  matchesPath,
  type RankedRule,
  type RequestHead,
} from "./match.ts";
import { planRequest } from "./request-plan.ts";
import { RouteTable } from "./route-table.ts";

const head = (path: string, extra: Partial<RequestHead> = {}): RequestHead => ({
  method: "GET",
  path,
  query: new URLSearchParams(),
  headers: {},
  ...extra,
});

describe("matching a path", () => {
  it.each<[HttpMatch["path"]["type"], string, string, boolean]>([
    ["PathPrefix", "/", "/anything", true],
    ["PathPrefix", "/a", "/a", true],
    ["PathPrefix", "/a", "/a/", true],
    ["PathPrefix", "/a", "/a/b", true],
    ["PathPrefix", "/a", "/ab", false],
    ["PathPrefix", "/a/", "/a", true],
    ["PathPrefix", "/a/b", "/a", false],
    ["Exact", "/a", "/a", true],
    ["Exact", "/a", "/a/", false],
    ["RegularExpression", "/v[0-9]+/.*", "/v2/x", true],
    ["RegularExpression", "/v[0-9]+", "/v2/x", false],
    ["RegularExpression", "(", "/(", false],
  ])("%s %s on %s: %s", (type, value, path, expected) => {
    expect(matchesPath({ type, value }, path)).toBe(expected);
  });
});

describe("matching a request", () => {
  it("wants all of method, headers and query", () => {
    const wanted = match({
      method: "POST",
      headers: [{ name: "X-Env", type: "Exact", value: "one" }],
      query: [{ name: "q", type: "RegularExpression", value: "[ab]" }],
    });
    const good = head("/", {
      method: "POST",
      headers: { "x-env": "one" },
      query: new URLSearchParams("q=b"),
    });
    expect(matches(wanted, good)).toBe(true);
    expect(matches(wanted, { ...good, method: "GET" })).toBe(false);
    expect(matches(wanted, { ...good, headers: {} })).toBe(false);
    expect(matches(wanted, { ...good, query: new URLSearchParams("q=c") })).toBe(false);
  });

  it("reads host names from authorities", () => {
    expect(["A.b:80", "a.b", "[::1]:80", "a.b.", ""].map((a) => hostnameOf(a))).toEqual([
      "a.b",
      "a.b",
      "::1",
      "a.b",
      "",
    ]);
    expect(hostCandidates("a.b.c")).toEqual(["a.b.c", "*.b.c", "*.c", "*"]);
  });
});

describe("precedence among rules", () => {
  const h = { name: "h", type: "Exact" as const, value: "1" };
  const better: [string, HttpMatch, HttpMatch][] = [
    [
      "exact over prefix",
      match({ path: { type: "Exact", value: "/a" } }),
      match({ path: { type: "PathPrefix", value: "/a/long/one" } }),
    ],
    [
      "the longer prefix",
      match({ path: { type: "PathPrefix", value: "/a/b" } }),
      match({ path: { type: "PathPrefix", value: "/a" }, method: "GET", headers: [h] }),
    ],
    ["a method", match({ method: "GET" }), match({ headers: [h, h] })],
    ["more headers", match({ headers: [h, h] }), match({ headers: [h], query: [h, h, h] })],
    ["more query parameters", match({ query: [h, h] }), match({ query: [h] })],
  ];
  const ranked = (m: HttpMatch, created = 0, name = "a", index = 0): RankedRule => {
    const one = rule([], { match: m });
    const hosts = host("x", [one]);
    return { front: front(`HTTPRoute/ns/${name}`, [hosts], created), host: hosts, rule: one, index };
  };
  it.each(better)("%s", (_, winner, loser) => {
    expect(compareRules(ranked(winner, 9), ranked(loser, 1))).toBeLessThan(0);
  });
  it("then age, then name, then order", () => {
    expect(compareRules(ranked(match(), 1, "z"), ranked(match(), 2, "a"))).toBeLessThan(0);
    expect(compareRules(ranked(match(), 1, "a"), ranked(match(), 1, "b"))).toBeLessThan(0);
    expect(compareRules(ranked(match(), 1, "a", 0), ranked(match(), 1, "a", 1))).toBeLessThan(0);
  });

  const anyMatch = fc.record({
    path: fc.record({
      type: fc.constantFrom("Exact" as const, "PathPrefix" as const, "RegularExpression" as const),
      value: fc.constantFrom("/", "/a", "/a/b", "/a/", "/b"),
    }),
    method: fc.option(fc.constantFrom("GET", "POST"), { nil: undefined }),
    headers: fc.array(
      fc.record({
        name: fc.constantFrom("x", "y"),
        type: fc.constant("Exact" as const),
        value: fc.constantFrom("1", "2"),
      }),
      { maxLength: 2 },
    ),
    query: fc.array(
      fc.record({
        name: fc.constantFrom("p"),
        type: fc.constant("Exact" as const),
        value: fc.constantFrom("1", "2"),
      }),
      { maxLength: 1 },
    ),
  });
  it("gives each request the best of the rules that match it, in whatever order they were written", () => {
    fc.assert(
      fc.property(
        fc.array(anyMatch, { minLength: 1, maxLength: 6 }),
        fc.constantFrom("/", "/a", "/a/b/c", "/b"),
        fc.constantFrom("GET", "POST"),
        (all, path, method) => {
          const request = head(path, {
            method,
            headers: { x: "1", y: "2" },
            query: new URLSearchParams("p=1"),
          });
          const rules: HttpRule[] = all.map((m) => rule([], { match: m }));
          const table = new RouteTable([front("HTTPRoute/ns/a", [host("x", rules)])], "apps.local");
          const found = table.find("x", "http", request);
          const fitting = rules.filter((r) => matches(r.match, request));
          expect(found.kind).toBe(fitting.length === 0 ? "no-rule" : "rule");
          if (found.kind !== "rule") return;
          for (const other of fitting) {
            const index = rules.indexOf(other);
            if (compareRules(found.ranked, { ...found.ranked, rule: other, index }) > 0)
              throw new Error(`a better rule was passed over: ${JSON.stringify(other.match)}`);
          }
        },
      ),
    );
  });
});

describe("hosts as pods say them", () => {
  const rules = [rule([to("shop/web", 80)])];
  const table = new RouteTable(
    [
      front("Route/ns/web", [host("web.apps.hub.travelops.localhost", rules, { http: "redirect" })]),
      front("Route/ns/said", [host("said.apps.hub.travelops.internal", rules)]),
      front("HTTPRoute/ns/any", [host("*", rules)]),
    ],
    "apps.hub.travelops.localhost",
  );
  const plan = (authority: string, scheme: "http" | "https") => {
    const found = planRequest(
      { table, clusterName: "hub", random: () => 0 },
      { method: "GET", url: "/x?y", authority, headers: {}, remoteAddress: "127.0.0.1" },
      { scheme, publicPort: scheme === "http" ? 18080 : 18443, httpsPort: 18443 },
    );
    return found.kind === "forward"
      ? `${found.owner} ${String(found.headers["x-forwarded-port"])}`
      : found.kind === "redirect"
        ? found.location
        : found.kind;
  };
  it.each([
    ["web.apps.hub.travelops.internal", "https", "Route/ns/web 443"],
    ["WEB.apps.hub.travelops.internal:443", "https", "Route/ns/web 443"],
    ["web.apps.hub.travelops.localhost", "https", "Route/ns/web 18443"],
    ["said.apps.hub.travelops.localhost", "https", "Route/ns/said 18443"],
    ["web.apps.hub.travelops.internal", "http", "https://web.apps.hub.travelops.internal/x?y"],
    ["typo.apps.hub.travelops.internal", "https", "page"],
    ["web.apps.east.travelops.internal", "https", "HTTPRoute/ns/any 18443"],
  ] as const)("%s by %s → %s", (authority, scheme, expected) => {
    expect(plan(authority, scheme)).toBe(expected);
  });
});

describe("the table of hosts", () => {
  const one = (name: string): HttpRule => rule([{ kind: "invalid", weight: 1, why: name }]);
  const table = new RouteTable(
    [
      front("HTTPRoute/ns/exact", [host("a.example", [one("exact")])]),
      front("HTTPRoute/ns/wild", [host("*.example", [one("wild")])]),
      front("HTTPRoute/ns/deep", [host("*.b.example", [one("deep")])]),
      front("HTTPRoute/ns/any", [host("*", [one("any")])]),
      front("HTTPRoute/ns/secure", [host("s.example", [one("secure")], { http: "none" })]),
      front("Route/ns/edge", [host("e.example", [one("edge")], { http: "redirect" })]),
    ],
    "apps.local",
  );
  const found = (name: string, scheme: "http" | "https" = "http", anyScheme = false): string => {
    const result = table.find(name, scheme, head("/"), anyScheme);
    return result.kind === "rule" ? (result.ranked.rule.backends[0] as { why: string }).why : result.kind;
  };
  it.each([
    ["a.example", "exact"],
    ["z.example", "wild"],
    ["z.b.example", "deep"],
    ["example", "any"],
    ["other.org", "any"],
    ["typo.apps.local", "no-host"],
    ["e.example", "redirect-to-https"],
  ])("%s → %s", (name, expected) => {
    expect(found(name)).toBe(expected);
  });
  it("keeps a host off the scheme it does not serve, except on its own port", () => {
    expect([
      found("s.example"),
      found("s.example", "https"),
      found("s.example", "http", true),
      found("e.example", "http", true),
    ]).toEqual(["wild", "secure", "secure", "edge"]);
  });
});
