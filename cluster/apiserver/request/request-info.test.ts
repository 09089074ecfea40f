import { describe, expect, it } from "vitest";
import { parseRequestInfo } from "./request-info.ts";

const parse = (method: string, url: string): unknown => {
  const [path = "", query = ""] = url.split("?");
  const info = parseRequestInfo(method, path, new URLSearchParams(query));
  if (info.kind === "path") return `${info.verb} ${info.path}`;
  const { verb, group, version, namespace, resource, name, subresource, rest } = info;
  return [verb, group, version, namespace, resource, name, subresource, rest].join("|");
};

describe("parseRequestInfo", () => {
  it.each([
    ["GET", "/api/v1/namespaces/a/pods/b", "get||v1|a|pods|b||"],
    ["GET", "/api/v1/namespaces/a/pods", "list||v1|a|pods|||"],
    ["GET", "/api/v1/pods?watch=true", "watch||v1||pods|||"],
    ["GET", "/api/v1/pods?watch=false", "list||v1||pods|||"],
    ["GET", "/api/v1/namespaces/a/pods/b?watch=1", "watch||v1|a|pods|b||"],
    ["GET", "/api/v1/watch/namespaces/a/pods", "watch||v1|a|pods|||"],
    ["POST", "/apis/apps/v1/namespaces/a/deployments", "create|apps|v1|a|deployments|||"],
    ["DELETE", "/apis/apps/v1/namespaces/a/deployments", "deletecollection|apps|v1|a|deployments|||"],
    ["PATCH", "/apis/apps/v1/namespaces/a/deployments/b/scale", "patch|apps|v1|a|deployments|b|scale|"],
    ["GET", "/api/v1/namespaces", "list||v1||namespaces|||"],
    ["GET", "/api/v1/namespaces/a", "get||v1||namespaces|a||"],
    ["PUT", "/api/v1/namespaces/a/finalize", "update||v1||namespaces|a|finalize|"],
    ["PUT", "/api/v1/namespaces/a/status", "update||v1||namespaces|a|status|"],
    ["GET", "/api/v1/nodes/n/proxy/a/b", "get||v1||nodes|n|proxy|a/b"],
    ["GET", "/api/v1/namespaces/a/pods/b%20c", "get||v1|a|pods|b c||"],
    ["GET", "/api/v1/namespaces/..%2fkube-system/secrets", "get||v1|..|kube-system|secrets||"],
    ["GET", "/api/v1/namespaces/a/pods/b%2Flog", "get||v1|a|pods|b|log|"],
    ["GET", "/apis", "get /apis"],
    ["GET", "/apis/apps/v1", "get /apis/apps/v1"],
    ["GET", "/api/v1", "get /api/v1"],
    ["OPTIONS", "/api/v1/pods", "options /api/v1/pods"],
  ])("%s %s", (method, url, expected) => {
    expect(parse(method, url)).toBe(expected);
  });

  it("refuses a path whose escapes are malformed", () => {
    expect(() => parse("GET", "/api/v1/namespaces/%zz/pods")).toThrowError(
      expect.objectContaining({ code: 400 }) as Error,
    );
  });
});
