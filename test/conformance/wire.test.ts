/** What HTTP clients see of lists and watches, on either API server. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiUnderTest, startApiUnderTest } from "../api-under-test.ts";
import { type Answer, type Ask, jsonOf, type Listed, type Refused, wireClient } from "./wire-client.ts";

const NAMESPACE = "/api/v1/namespaces/wire";
const MAPS = `${NAMESPACE}/configmaps`;
const FUTURE = "999999999";

interface Frame {
  readonly type: string;
  readonly object: Listed & {
    readonly metadata: { readonly annotations?: object };
    readonly columnDefinitions?: readonly object[] | null;
    readonly rows?: readonly { readonly object: Listed }[];
  };
}

const namesOf = ({ items }: Listed): string => items.map(({ metadata }) => metadata.name).join(" ");
const as = (form: string): Record<string, string> => ({ accept: `application/json;as=${form};v=v1;g=meta.k8s.io` });

describe("over the wire", () => {
  let api: ApiUnderTest;
  let ask: Ask;
  /** Resource versions by the name of what was created. */
  const versions: Record<string, string> = {};

  beforeAll(async () => {
    api = await startApiUnderTest();
    ask = wireClient(api);
    await ask("POST", "/api/v1/namespaces", {}, { apiVersion: "v1", kind: "Namespace", metadata: { name: "wire" } });
    for (const name of ["a", "b", "c", "d", "e"]) await make(name, { n: name });
    await ask("DELETE", `${MAPS}/b`);
    versions["now"] = jsonOf<Listed>(await ask("GET", MAPS)).metadata.resourceVersion;
  }, 90_000);
  afterAll(() => api.close());

  const make = async (name: string, data: Record<string, string>): Promise<Answer> => {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { n: name } }, data };
    const answer = await ask("POST", MAPS, {}, object);
    versions[name] = jsonOf<Listed>(answer).metadata.resourceVersion;
    return answer;
  };
  /** `${c}` is the version at which c was created. */
  const filled = (query: string): string =>
    query.replaceAll(/\$\{(\w+)\}/g, (_all, name: string) => versions[name] ?? "");
  const list = async (query: string): Promise<Listed> => {
    const answer = await ask("GET", `${MAPS}?${filled(query)}`);
    expect(answer.code).toBe(200);
    return jsonOf(answer);
  };
  const watch = async (query: string, headers: Record<string, string> = {}): Promise<Frame[]> => {
    const answer = await ask("GET", `${MAPS}?watch=1&timeoutSeconds=1&${filled(query)}`, headers);
    expect(answer.code).toBe(200);
    const text = answer.bytes.toString("utf8").trim();
    return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as Frame);
  };

  describe("lists", () => {
    test.each([
      ["", "a c d e", undefined],
      ["resourceVersion=0", "a c d e", undefined],
      ["resourceVersion=${c}", "a c d e", undefined],
      ["resourceVersion=${c}&resourceVersionMatch=NotOlderThan", "a c d e", undefined],
      ["resourceVersion=${c}&resourceVersionMatch=Exact", "a b c", "c"],
      ["resourceVersion=${c}&limit=2", "a b", "c"],
      ["limit=-1", "a c d e", undefined],
      // Whatever is in the cache comes whole, without a token; of a version it does not.
      ["resourceVersion=0&limit=2", "a c d e", undefined],
      ["resourceVersion=0&limit=2&resourceVersionMatch=NotOlderThan", "a c d e", undefined],
      ["resourceVersion=${c}&limit=2&resourceVersionMatch=NotOlderThan", "a c", undefined],
      ["labelSelector=n%20in%20(a,d)", "a d", undefined],
    ])("%s", async (query, names, version) => {
      const listed = await list(query);
      expect(namesOf(listed)).toBe(names);
      if (version !== undefined) expect(listed.metadata.resourceVersion).toBe(versions[version]);
    });

    test.each([
      [
        "resourceVersion=abc",
        400,
        'invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
      ],
      ["limit=abc", 400, 'strconv.ParseInt: parsing "abc": invalid syntax'],
      ["timeoutSeconds=abc", 400, 'strconv.ParseInt: parsing "abc": invalid syntax'],
      [
        "resourceVersion=0&resourceVersionMatch=Exact",
        422,
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
      ],
      [
        "resourceVersionMatch=Exact",
        422,
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
      ],
      [
        "resourceVersion=1&resourceVersionMatch=Sometimes",
        422,
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Sometimes": supported values: "Exact", "NotOlderThan", ""',
      ],
      [
        "sendInitialEvents=true",
        422,
        'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list',
      ],
      ["labelSelector=a=b=c", 400, "found '=', expected: ',' or 'end of string'"],
      [
        "fieldSelector=data.x=1",
        400,
        '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
      ],
    ])("%s is refused", async (query, code, message) => {
      const answer = await ask("GET", `${MAPS}?${query}`);
      expect([answer.code, jsonOf<Refused>(answer).message]).toEqual([code, message]);
    });

    test.each([
      ["", 1],
      ["&resourceVersionMatch=NotOlderThan", 1],
      ["&resourceVersionMatch=Exact", undefined],
    ])("a version of the future%s is a timeout", async (match, retryAfterSeconds) => {
      const answer = await ask("GET", `${MAPS}?resourceVersion=${FUTURE}${match}`);
      const { reason, message, details } = jsonOf<Refused>(answer);
      expect([answer.code, reason]).toEqual([504, "Timeout"]);
      expect(message).toMatch(/^Timeout: Too large resource version: 999999999, current: \d+$/);
      expect(details).toEqual({
        causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      });
    });

    test.each([
      ["/a?", 500, ""],
      ["/none?", 500, ""],
      ["?watch=1&", 500, ""],
      ["?limit=1&", 400, "invalid resource version: "],
    ])("configmaps%sresourceVersion=abc is refused", async (path, code, prefix) => {
      const answer = await ask("GET", `${MAPS}${path}resourceVersion=abc`);
      const { reason, message } = jsonOf<Refused>(answer);
      expect([answer.code, reason, message]).toEqual([
        code,
        code === 400 ? "BadRequest" : undefined,
        `${prefix}resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax`,
      ]);
    });

    test("come in chunks of one version; a token may be turned into one of any version", async () => {
      const first = await list("limit=2");
      expect([namesOf(first), first.metadata.remainingItemCount]).toEqual(["a c", 2]);
      const token = first.metadata.continue ?? "";
      const rest = await list(`limit=2&continue=${token}`);
      expect([namesOf(rest), rest.metadata.continue, rest.metadata.remainingItemCount]).toEqual([
        "d e",
        undefined,
        undefined,
      ]);
      expect(rest.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      expect(namesOf(await list(`continue=${token}&resourceVersion=0`))).toBe("d e");
      const selected = await list("limit=2&labelSelector=n!=c");
      expect([namesOf(selected), selected.metadata.remainingItemCount]).toEqual(["a d", undefined]);

      const opened = JSON.parse(Buffer.from(token, "base64url").toString("utf8")) as object;
      expect(opened).toEqual({ v: "meta.k8s.io/v1", rv: Number(first.metadata.resourceVersion), start: "c\u0000" });
      const changed = (fields: object): string =>
        Buffer.from(JSON.stringify({ ...opened, ...fields })).toString("base64url");
      expect(namesOf(await list(`continue=${changed({ rv: -1 })}`))).toBe("d e");
      const invalid = "invalid continue token: continue key is not valid: ";
      for (const [query, message] of [
        ["abc", `${invalid}invalid character 'i' looking for beginning of value`],
        ["a", `${invalid}illegal base64 data at input byte 0`],
        ["YWJj!", `${invalid}illegal base64 data at input byte 4`],
        [`${token}&resourceVersion=1`, "specifying resource version is not allowed when using continue"],
        [changed({ v: "x" }), `${invalid}server does not recognize this encoded version x`],
        [changed({ rv: 0 }), `${invalid}incorrect encoded start resourceVersion (version meta.k8s.io/v1)`],
        [changed({ start: "" }), `${invalid}encoded start key empty (version meta.k8s.io/v1)`],
        [changed({ start: "../x" }), `${invalid}../x`],
      ]) {
        const answer = await ask("GET", `${MAPS}?continue=${query}`);
        expect([answer.code, jsonOf<Refused>(answer).message]).toEqual([400, message]);
      }
    });
  });

  describe("watches", () => {
    const told = (frames: readonly Frame[]): string =>
      frames.map(({ type, object }) => `${type} ${object.metadata.name}`).join(", ");

    test.each([
      ["", "ADDED a, ADDED c, ADDED d, ADDED e"],
      ["resourceVersion=0", "ADDED a, ADDED c, ADDED d, ADDED e"],
      ["resourceVersion=${c}", "ADDED d, ADDED e, DELETED b"],
      ["resourceVersion=${now}", ""],
      ["fieldSelector=metadata.name=a", "ADDED a"],
      ["labelSelector=n%20in%20(a,c)&resourceVersion=${b}", "ADDED c"],
      ["limit=1", "ADDED a, ADDED c, ADDED d, ADDED e"],
    ])("%s", async (query, events) => {
      const frames = await watch(query);
      const own = frames.filter(({ object }) => !["big", "late"].includes(object.metadata.name ?? ""));
      expect(told(own)).toBe(events);
    });

    test.each([
      [
        "resourceVersionMatch=NotOlderThan&resourceVersion=1",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
      ],
      ["sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"],
    ])("%s is refused", async (query, message) => {
      const answer = await ask("GET", `${MAPS}?watch=1&${query}`);
      expect(answer.code).toBe(422);
      expect(jsonOf<Refused>(answer).message).toContain(`resourceVersionMatch: Forbidden: ${message}`);
    });

    test("as metadata, and as tables whose columns are told once", async () => {
      const [one] = await watch("fieldSelector=metadata.name=a", as("PartialObjectMetadata"));
      expect(one?.object).toMatchObject({ kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1" });
      const tables = await watch("labelSelector=n%20in%20(a,c)", as("Table"));
      expect(tables.map(({ type, object }) => [type, object.kind, object.columnDefinitions?.length])).toEqual([
        ["ADDED", "Table", 3],
        ["ADDED", "Table", undefined],
      ]);
      expect(tables[1]?.object).toMatchObject({ columnDefinitions: null });
      expect(tables[1]?.object.rows?.[0]?.object).toMatchObject({
        kind: "PartialObjectMetadata",
        metadata: { name: "c" },
      });
    });

    test("streamed lists end with a bookmark that says so", async ({ skip }) => {
      skip(api.real, "the etcd at hand cannot tell progress: kube-apiserver does without");
      const query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
      const frames = await watch(`${query}&fieldSelector=metadata.name=a`);
      expect(frames.slice(0, 2).map(({ type, object }) => [type, object.kind, object.metadata.annotations])).toEqual([
        ["ADDED", "ConfigMap", undefined],
        ["BOOKMARK", "ConfigMap", { "k8s.io/initial-events-end": "true" }],
      ]);
      const future = await ask("GET", `${MAPS}?watch=1&${query}&resourceVersion=${FUTURE}`);
      expect([future.code, jsonOf<Refused>(future).reason]).toEqual([504, "Timeout"]);
    });
  });
});
