/** What HTTP clients see of media types, compression and bodies, on either API server. */
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type ApiUnderTest, startApiUnderTest } from "../api-under-test.ts";
import { type Answer, type Ask, jsonOf, type Listed, type Refused, wireClient } from "./wire-client.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";

const as = (form: string): Record<string, string> => ({ accept: `application/json;as=${form};v=v1;g=meta.k8s.io` });
const warned = (text: string): string => `299 - "${text.replaceAll('"', '\\"')}"`;

describe("media types", () => {
  let api: ApiUnderTest;
  let ask: Ask;

  beforeAll(async () => {
    api = await startApiUnderTest();
    ask = wireClient(api);
    await make("a", { n: "a" });
  }, 90_000);
  afterAll(() => api.close());

  const make = (name: string, data: Record<string, string>): Promise<Answer> =>
    ask("POST", MAPS, {}, { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { n: name } }, data });

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
      jsonOf<{ rows: { object: Listed | null }[] }>(await ask("GET", `${MAPS}/a?includeObject=${include}`, as("Table")))
        .rows[0]?.object;
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

  test("keys that stand twice in a patch are told, or refused", async () => {
    const patch = (type: string, validation: string, text: string): Promise<Answer> =>
      ask("PATCH", `${MAPS}/a?fieldValidation=${validation}&dryRun=All`, { "content-type": type }, text);
    const twice = '{"metadata":{"labels":{"a":"1","a":"3"}},"metadata":{"labels":{"b":"1","b":"3"}},"xxx":1}';
    const json = '[{"op":"add","op":"add","path":"/metadata/labels","value":{"a":"1","a":"2"}}]';
    const merged = ["metadata.labels.a", "metadata", "metadata.labels.b"].map((path) => `duplicate field "${path}"`);
    for (const [type, text, faults] of [
      ["application/merge-patch+json", twice, [...merged, 'unknown field "xxx"']],
      ["application/strategic-merge-patch+json", twice, [...merged, 'unknown field "xxx"']],
      [
        "application/json-patch+json",
        json,
        [
          'json patch duplicate field "[0].op"',
          'json patch duplicate field "[0].value.a"',
          'duplicate field "metadata.labels.a"',
        ],
      ],
    ] as const) {
      const told = await patch(type, "Warn", text);
      expect([told.code, told.headers["warning"]]).toEqual([200, faults.map(warned).join(", ")]);
      const refused = await patch(type, "Strict", text);
      expect([refused.code, jsonOf<Refused>(refused).message]).toEqual([
        422,
        expect.stringMatching(new RegExp(`: strict decoding error: ${RegExp.escape(faults.join(", "))}$`)),
      ]);
      const taken = await patch(type, "Ignore", text);
      expect([taken.code, taken.headers["warning"]]).toEqual([200, undefined]);
    }
  });

  test.each(["application/json", "application/yaml", "application/json;pretty=1"])(
    "items of a list do not repeat their kind, in %s",
    async (accept) => {
      const { bytes } = await ask("GET", `${MAPS}?fieldSelector=metadata.name%3Da`, { accept });
      const list = accept.includes("json")
        ? (JSON.parse(bytes.toString("utf8")) as Listed)
        : (parse(bytes.toString("utf8")) as Listed);
      expect([list.kind, list.apiVersion, list.items.map((item) => Object.keys(item).toSorted())]).toEqual([
        "ConfigMapList",
        "v1",
        [["data", "metadata"]],
      ]);
    },
  );

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
