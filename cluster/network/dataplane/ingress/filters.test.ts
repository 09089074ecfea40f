import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WeightedBackend } from "../../config.ts";
import { to } from "../../testing/fixtures.ts";
import { changeHeaders, endToEnd, forwardHeaders, modifyPath, pickBackend, redirectLocation } from "./filters.ts";

describe("filters", () => {
  it("set, add and remove headers", () => {
    const changed = changeHeaders(
      { a: "1", b: "2", c: "3" },
      {
        set: [{ name: "A", value: "x" }],
        add: [
          { name: "B", value: "y" },
          { name: "d", value: "z" },
        ],
        remove: ["C"],
      },
    );
    expect(changed).toEqual({ a: "x", b: ["2", "y"], d: "z" });
  });

  it.each([
    ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
    ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
    ["/foo", "/foo", "/xyz", "/xyz"],
    ["/foo/", "/foo", "/xyz", "/xyz/"],
    ["/foo", "/foo", "", "/"],
    ["/foo/bar", "/foo", "/", "/bar"],
    ["/foo", "/", "/xyz", "/xyz/foo"],
  ])("replace the prefix of %s matched by %s with %s: %s", (path, prefix, value, expected) => {
    expect(modifyPath(path, prefix, { type: "ReplacePrefixMatch", value })).toBe(expected);
  });

  it("redirect to what they name and keep the rest", () => {
    const request = {
      scheme: "http" as const,
      hostname: "a.b",
      portFor: (s: string) => (s === "https" ? 8443 : 8080),
      path: "/x/y",
      search: "?q",
    };
    const to_ = (filter: object) => redirectLocation({ type: "redirect", statusCode: 302, ...filter }, request, "/x");
    expect(to_({})).toBe("http://a.b:8080/x/y?q");
    expect(to_({ scheme: "https" })).toBe("https://a.b:8443/x/y?q");
    expect(to_({ hostname: "c.d", port: 80 })).toBe("http://c.d/x/y?q");
    expect(to_({ path: { type: "ReplacePrefixMatch", value: "/z" } })).toBe("http://a.b:8080/z/y?q");
    expect(to_({ path: { type: "ReplaceFullPath", value: "/z" }, scheme: "https", port: 443 })).toBe("https://a.b/z?q");
  });

  it("spread by weight: no backend of weight 0, others in proportion", () => {
    const backends: WeightedBackend[] = [
      to("a/x", 80, { weight: 3 }),
      to("a/y", 80, { weight: 0 }),
      to("a/z", 80, { weight: 1 }),
    ];
    const name = (r: number): string => {
      const picked = pickBackend(backends, () => r);
      return picked?.kind === "service" ? picked.target.service : "";
    };
    expect([0, 0.5, 0.74, 0.75, 0.99].map(name)).toEqual(["a/x", "a/x", "a/x", "a/z", "a/z"]);
    expect(pickBackend([to("a/y", 80, { weight: 0 })], () => 0)).toBeUndefined();
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (r) => name(r) !== "a/y" && name(r) !== "",
      ),
    );
  });

  it("tell the backend who asked, and end what belongs to one hop", () => {
    const facts = { remoteAddress: "1.2.3.4", scheme: "https" as const, authority: "a.b", publicPort: 443 };
    expect(
      forwardHeaders(
        {
          "x-forwarded-for": "9.9.9.9",
          connection: "keep-alive, x-hop",
          "x-hop": "1",
          te: "trailers",
          cookie: "c",
        },
        facts,
      ),
    ).toEqual({
      "x-forwarded-for": "9.9.9.9, 1.2.3.4",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "a.b",
      "x-forwarded-port": "443",
      host: "a.b",
      te: "trailers",
      cookie: "c",
    });
    expect(endToEnd({ ":status": "200", "transfer-encoding": "chunked", a: "1" })).toEqual({ a: "1" });
  });
});
