/** What HTTP clients see of lists, watches and media types, on either API server. */
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiUnderTest, startApiUnderTest } from "../api-under-test.ts";
import { type Answer, type Ask, jsonOf, wireClient } from "./wire-client.ts";

const NAMESPACE = "/api/v1/namespaces/wire";
const MAPS = `${NAMESPACE}/configmaps`;
const FUTURE = "999999999";

interface Listed {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: {
    readonly name?: string;
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: readonly Listed[];
}
interface Refused {
  readonly reason?: string;
  readonly message: string;
  readonly details?: object;
}
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

  describe("media types", () => {
    test.each(["text/html", "application/xml", "nonsense", "image/png, text/*"])(
      "%s is not acceptable",
      async (accept) => {
        const answer = await ask("GET", `${MAPS}/a`, { accept });
        const { reason, message, details } = jsonOf<Refused>(answer);
        expect([answer.code, reason, details]).toEqual([406, "NotAcceptable", {}]);
        expect(message).toMatch(
          /^406: Not Acceptable\n\nAvailable representations: application\/json, application\/yaml/,
        );
      },
    );

    test.each(["as=Table;v=v2;g=meta.k8s.io", "as=Table;v=v1;g=other", "as=Nothing;v=v1;g=meta.k8s.io"])(
      "there is no %s",
      async (form) => {
        const answer = await ask("GET", `${MAPS}/a`, { accept: `application/json;${form}` });
        expect(answer.code).toBe(406);
        expect(jsonOf<Refused>(answer).message).toMatch(
          /^only the following media types are accepted: application\/json, application\/yaml/,
        );
      },
    );

    test.each([
      ["application/xml,application/json;q=0.5", "application/json"],
      ["text/html,*/*;q=0.8", "application/json"],
      ["application/yaml", "application/yaml"],
    ])("%s is %s", async (accept, type) => {
      expect((await ask("GET", `${MAPS}/a`, { accept })).headers["content-type"]).toBe(type);
    });

    test.each(["text/plain", "application/json", "application/yaml"])("no patch is %s", async (type) => {
      const answer = await ask("PATCH", `${MAPS}/a`, { "content-type": type }, {});
      const { reason, message, details } = jsonOf<Refused>(answer);
      expect([answer.code, reason, message, details]).toEqual([
        415,
        "UnsupportedMediaType",
        "415: Unsupported Media Type",
        {},
      ]);
    });

    test("metadata of one and of many; tables with as much of the objects as is asked for", async () => {
      const one = jsonOf<Listed>(await ask("GET", `${MAPS}/a`, as("PartialObjectMetadata")));
      expect(Object.keys(one).toSorted()).toEqual(["apiVersion", "kind", "metadata"]);
      const many = jsonOf<Listed>(await ask("GET", `${MAPS}?limit=1`, as("PartialObjectMetadataList")));
      expect([many.kind, many.apiVersion, Object.keys(many.items[0] ?? {}).toSorted()]).toEqual([
        "PartialObjectMetadataList",
        "meta.k8s.io/v1",
        ["apiVersion", "kind", "metadata"],
      ]);
      const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" } };
      const made = await ask("POST", `${MAPS}?dryRun=All`, as("PartialObjectMetadata"), body);
      expect([made.code, jsonOf<Listed>(made).kind]).toEqual([201, "PartialObjectMetadata"]);
      const missing = await ask("GET", `${MAPS}/none`, as("PartialObjectMetadata"));
      expect([missing.code, jsonOf<Listed>(missing).kind]).toEqual([404, "Status"]);
      const row = async (include: string): Promise<unknown> =>
        jsonOf<{ rows: { object: Listed | null }[] }>(
          await ask("GET", `${MAPS}/a?includeObject=${include}`, as("Table")),
        ).rows[0]?.object;
      expect(await row("None")).toBeNull();
      expect(await row("Object")).toMatchObject({ kind: "ConfigMap", data: { n: "a" } });
      expect(await row("")).toMatchObject({ kind: "PartialObjectMetadata" });
      const wrong = await ask("GET", `${MAPS}/a?includeObject=Some`, as("Table"));
      expect(jsonOf<Refused>(wrong).message).toBe(
        "Unable to convert to Table as requested: includeObject: Invalid value: \"Some\": must be 'Metadata', 'Object', 'None', or empty",
      );
    });

    test.each([
      [
        `${MAPS}/a`,
        "PartialObjectMetadataList",
        406,
        "you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)",
      ],
      [
        MAPS,
        "PartialObjectMetadata",
        406,
        "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)",
      ],
      [
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "PartialObjectMetadata",
        406,
        "you requested PartialObjectMetadata, but the requested object is a list (*rbac.ClusterRoleList)",
      ],
      [
        "/apis/apiregistration.k8s.io/v1/apiservices/v1.",
        "PartialObjectMetadataList",
        406,
        "you requested PartialObjectMetadataList, but the requested object is not a list (*apiregistration.APIService)",
      ],
    ])("%s is not %s", async (path, form, code, message) => {
      const answer = await ask("GET", path, as(form));
      expect([answer.code, jsonOf<Refused>(answer).message]).toEqual([code, message]);
    });

    test("a watch is never YAML", async () => {
      const answer = await ask("GET", `${MAPS}?watch=1&timeoutSeconds=1`, { accept: "application/yaml" });
      expect([answer.code, answer.headers["content-type"]]).toEqual([406, "application/yaml"]);
      expect(answer.bytes.toString("utf8")).toContain("application/vnd.kubernetes.protobuf;stream=watch");
    });

    test("a client without a name is an unknown manager", async () => {
      const made = jsonOf<{ metadata: { managedFields: { manager: string }[] } }>(await make("late", {}));
      expect(made.metadata.managedFields[0]?.manager).toBe("unknown");
      await ask("DELETE", `${MAPS}/late`);
    });

    test("large answers are compressed for those who say that they take it", async () => {
      await make("big", { text: "x".repeat(140_000) });
      const got = async (path: string, encoding?: string): Promise<Answer> =>
        ask("GET", path, encoding === undefined ? {} : { "accept-encoding": encoding });
      for (const [path, encoding] of [
        [MAPS, "gzip"],
        [`${MAPS}/big`, "gzip, deflate"],
        [MAPS, "br, gzip"],
      ] as const) {
        const answer = await got(path, encoding);
        expect([answer.headers["content-encoding"], answer.headers["vary"]]).toEqual(["gzip", "Accept-Encoding"]);
        expect(gunzipSync(answer.bytes).includes("xxxxxxxxxx")).toBe(true);
      }
      // A weight, whichever, makes the name one that upstream does not know.
      for (const [path, encoding] of [
        [MAPS, undefined],
        [MAPS, "deflate"],
        [MAPS, "gzip;q=0"],
        [MAPS, "gzip;q=0.5, identity"],
        [MAPS, "identity"],
        [`${MAPS}/a`, "gzip"],
      ] as const)
        expect((await got(path, encoding)).headers["content-encoding"]).toBeUndefined();
      await ask("DELETE", `${MAPS}/big`);
    });
  });
});
