import { describe, expect, it } from "vitest";
import { changeHeaders } from "./filters.ts";
import { allowsOrigin, answerChange, isPreflight, preflightHeaders } from "./cors.ts";

const cors = (extra: object = {}) => ({
  type: "cors" as const,
  origins: ["https://app.example.com"],
  credentials: false,
  methods: [],
  headers: [],
  expose: [],
  maxAge: 5,
  ...extra,
});
const asks = (origin: string, extra: object = {}) => ({ origin, "access-control-request-method": "PUT", ...extra });

describe("the CORS filter", () => {
  it.each([
    ["*", "http://any.where:81", true],
    ["https://a.b", "https://a.b", true],
    ["https://a.b", "https://A.B:443", true],
    ["https://a.b", "http://a.b", false],
    ["https://a.b:8443", "https://a.b", false],
    ["https://*.b", "https://x.y.b", true],
    ["https://*.b", "https://b", false],
    ["https://*", "https://anything", true],
    ["https://a.b", "null", false],
  ])("%s for %s: %s", (allowed, origin, expected) => expect(allowsOrigin(allowed, origin)).toBe(expected));

  it("is a preflight only where a browser asks", () => {
    expect(isPreflight("OPTIONS", asks("https://a.b"))).toBe(true);
    expect(isPreflight("OPTIONS", {})).toBe(false);
    expect(isPreflight("PUT", asks("https://a.b"))).toBe(false);
  });

  it("answers a preflight with what is allowed, and a stranger's with nothing", () => {
    const filter = cors({ methods: ["PUT", "GET"], headers: ["x-a"], maxAge: 60 });
    expect(preflightHeaders(filter, asks("https://app.example.com"))).toEqual({
      "access-control-allow-origin": "https://app.example.com",
      "access-control-allow-methods": "PUT, GET",
      "access-control-allow-headers": "x-a",
      "access-control-max-age": "60",
      vary: "Origin",
    });
    expect(preflightHeaders(filter, asks("https://evil.example.com"))).toEqual({});
  });

  it("says * to anyone, and with credentials what was asked for", () => {
    const wild = { origins: ["*"], methods: ["*"], headers: ["*"] };
    expect(preflightHeaders(cors(wild), asks("http://x", { "access-control-request-headers": "x-b" }))).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "*",
      "access-control-allow-headers": "*",
    });
    const trusted = preflightHeaders(cors({ ...wild, credentials: true }), asks("http://x"));
    expect(trusted).toMatchObject({
      "access-control-allow-origin": "http://x",
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "PUT",
    });
    expect(trusted).not.toHaveProperty("access-control-allow-headers");
  });

  it("has the last word on the backend's answer", () => {
    const backend = { "access-control-allow-origin": "*", "access-control-allow-credentials": "true", "x-a": "1" };
    const filter = cors({ expose: ["x-a"] });
    expect(changeHeaders(backend, answerChange(filter, { origin: "https://app.example.com" }))).toEqual({
      "access-control-allow-origin": "https://app.example.com",
      "access-control-expose-headers": "x-a",
      "x-a": "1",
      vary: "Origin",
    });
    expect(changeHeaders(backend, answerChange(filter, { origin: "https://evil" }))).toEqual({ "x-a": "1" });
  });
});
