/** Answers in protobuf, on either API server: the very bytes that the JSON of the same request comes to. */
import { decodeProtobuf, encodeProtobuf } from "@travelops/kube/schema/protobuf";
import { encodeWatchFrame } from "@travelops/kube/schema/protobuf-watch";
import { builtinRows } from "@travelops/kube/schema/table";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiUnderTest, eventually, startApiUnderTest } from "../api-under-test.ts";
import { type Answer, type Ask, jsonOf, wireClient } from "./wire-client.ts";

type Value = Record<string, unknown> & { readonly kind: string };

const PROTOBUF = "application/vnd.kubernetes.protobuf";
const MAPS = "/api/v1/namespaces/default/configmaps";
const THINGS = "/apis/wire.example/v1/things";
const as = (form: string, version = "v1"): string => `${PROTOBUF};as=${form};g=meta.k8s.io;v=${version}`;

const CRD = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "things.wire.example" },
  spec: {
    group: "wire.example",
    names: { plural: "things", kind: "Thing" },
    scope: "Cluster",
    versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
  },
};

describe("protobuf over the wire", () => {
  let api: ApiUnderTest;
  let ask: Ask;
  const get = (path: string, accept: string): Promise<Answer> => ask("GET", path, { accept });

  beforeAll(async () => {
    api = await startApiUnderTest();
    ask = wireClient(api);
    await ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {}, CRD);
    const data = { text: "ä €", long: "x".repeat(300) };
    await ask(
      "POST",
      MAPS,
      {},
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", labels: { n: "1" } }, data },
    );
    await eventually(async () => {
      const thing = { apiVersion: "wire.example/v1", kind: "Thing", metadata: { name: "t" } };
      return (await ask("POST", THINGS, {}, thing)).code === 201;
    });
  }, 90_000);
  afterAll(() => api.close());

  test("every collection there is", async () => {
    const differ: string[] = [];
    for (const row of builtinRows().filter(({ verbs }) => verbs.includes("list"))) {
      const path = `${row.group === "" ? "/api" : `/apis/${row.group}`}/${row.version}/${row.resource}`;
      const answer = await get(path, PROTOBUF);
      const json = jsonOf<Value>(await get(path, "application/json"));
      const type = answer.headers["content-type"];
      // What changes by itself is told by its version; what has none is made at every request.
      const object = decodeProtobuf(answer.bytes).object as Value;
      const versionOf = (list: Value): unknown => (list["metadata"] as Value)["resourceVersion"] ?? {};
      const same = versionOf(object) === versionOf(json) ? answer.bytes.equals(encodeProtobuf(json)) : true;
      if (answer.code !== 200 || type !== PROTOBUF || !same) differ.push(path);
    }
    expect(differ).toEqual([]);
  });

  test.each([
    ["one object", `${MAPS}/a`, PROTOBUF, "application/json"],
    ["one object's metadata", `${MAPS}/a`, as("PartialObjectMetadata"), as("PartialObjectMetadata")],
    ["metadata of many", MAPS, as("PartialObjectMetadataList"), as("PartialObjectMetadataList")],
    ["metadata of a custom resource", `${THINGS}/t`, as("PartialObjectMetadata"), as("PartialObjectMetadata")],
    ["metadata of custom resources", THINGS, as("PartialObjectMetadataList"), as("PartialObjectMetadataList")],
    ["a refusal", `${MAPS}/none`, PROTOBUF, "application/json"],
    ["no access", `${MAPS}/a/status`, PROTOBUF, "application/json"],
  ])("%s", async (_what, path, accept, jsonAccept) => {
    const answer = await get(path, accept);
    expect(answer.headers["content-type"]).toBe(PROTOBUF);
    const json = jsonOf<Value>(await get(path, jsonAccept.replace(PROTOBUF, "application/json")));
    expect(decodeProtobuf(answer.bytes).object).toEqual(decodeProtobuf(encodeProtobuf(json)).object);
    expect(answer.bytes.equals(encodeProtobuf(json))).toBe(true);
  });

  test("what is created, and what is told of a deletion", async () => {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b" } };
    const made = await ask("POST", MAPS, { accept: PROTOBUF }, object);
    expect([made.code, decodeProtobuf(made.bytes).object]).toMatchObject([201, object]);
    const gone = await ask("DELETE", `${MAPS}/b`, { accept: PROTOBUF });
    expect(decodeProtobuf(gone.bytes).object).toMatchObject({
      kind: "Status",
      status: "Success",
      details: { name: "b" },
    });
  });

  test.each([
    ["objects", MAPS, PROTOBUF],
    ["metadata", MAPS, as("PartialObjectMetadata")],
    ["metadata of custom resources", THINGS, as("PartialObjectMetadata")],
  ])("a watch of %s", async (_what, path, accept) => {
    const query = `${path}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%21%3Dkube-root-ca.crt`;
    const answer = await get(query, accept);
    expect([answer.code, answer.headers["content-type"]]).toEqual([200, `${PROTOBUF};stream=watch`]);
    const lines = (await get(query, accept.replace(PROTOBUF, "application/json"))).bytes.toString("utf8").trim();
    const events = lines.split("\n").map((line) => JSON.parse(line) as { type: string; object: Value });
    expect(events).toHaveLength(1);
    expect(answer.bytes.equals(Buffer.concat(events.map(({ type, object }) => encodeWatchFrame(type, object))))).toBe(
      true,
    );
  });

  test("a list of metadata in its first version, whose fields have other numbers", async () => {
    const path = `${MAPS}?fieldSelector=metadata.name%3Da`;
    const { bytes } = await get(path, as("PartialObjectMetadataList", "v1beta1"));
    const kind = Buffer.from("PartialObjectMetadataList\u0012");
    // Behind the kind: the message's length, then field 1, which holds an item.
    const message = bytes.subarray(bytes.indexOf(kind) + kind.length);
    expect([...message.subarray((message[0] ?? 0) < 0x80 ? 1 : 2).subarray(0, 1)]).toEqual([0x0a]);
    expect(message.includes("a")).toBe(true);
    expect([...bytes.subarray(-4)]).toEqual([0x1a, 0, 0x22, 0]);
    const selfLink = [0x0a, 0x00, 0x12];
    expect(message.lastIndexOf(Buffer.from(selfLink))).toBeGreaterThan(message.indexOf(Buffer.from("default")));
  });

  test.each([
    ["a custom resource", `${THINGS}/t`, PROTOBUF],
    ["custom resources", THINGS, PROTOBUF],
    ["a watch of custom resources", `${THINGS}?watch=1&timeoutSeconds=1`, PROTOBUF],
    ["a table", MAPS, as("Table")],
    ["a table of custom resources", THINGS, as("Table")],
  ])("there is no %s in it", async (_what, path, accept) => {
    const answer = await get(path, accept);
    expect(answer.code).toBe(406);
    const json = answer.headers["content-type"] === "application/json";
    const status = json ? jsonOf<Value>(answer) : decodeProtobuf(answer.bytes).object;
    expect(status).toMatchObject({
      reason: "NotAcceptable",
      message: `only the following media types are accepted: application/json, application/yaml, ${PROTOBUF}`,
    });
    expect((await get(path, `${accept},application/json`)).code).toBe(200);
  });
});
