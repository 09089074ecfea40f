import fc from "fast-check";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { encodeProtobuf } from "@travelops/kube/schema/protobuf";
import { anyJson, bentObject, collectionOf, KINDS, objectOf, type Json } from "./arbitrary-json.ts";
import { startFuzzServer, type FuzzServer } from "./fuzz-server.ts";
import { PARAMETERS, TIMEOUT_MS } from "./runs.ts";

let server: FuzzServer;
beforeAll(async () => void (server = await startFuzzServer()));
afterEach(() => server.stillServes());
afterAll(() => server.close());

const JSON_TYPE = "application/json";
const PROTOBUF_TYPE = "application/vnd.kubernetes.protobuf";

const nameOf = (object: Json): string => {
  const metadata = (object as { metadata?: { name?: unknown } } | null)?.metadata;
  const name = typeof metadata === "object" ? metadata?.name : undefined;
  return typeof name === "string" && /^[\w.-]+$/.test(name) ? name : "x";
};

it("answers any JSON as a create and as an update", { timeout: TIMEOUT_MS }, async () => {
  const request = fc.record({
    kindOf: fc.constantFrom(...KINDS),
    body: anyJson,
    update: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ kindOf, body, update }) => {
      await server.hold({
        method: update ? "PUT" : "POST",
        path: collectionOf(kindOf) + (update ? "/x" : ""),
        headers: { "content-type": JSON_TYPE },
        body: JSON.stringify(body),
      });
    }),
    PARAMETERS,
  );
});

it("answers valid objects that are wrong in a place or two", { timeout: TIMEOUT_MS }, async () => {
  let accepted = 0;
  const subresource = fc.constantFrom("", "", "", "/status", "/scale", "/finalize", "/binding", "/eviction", "/token");
  const query = fc.constantFrom("", "?fieldValidation=Strict", "?dryRun=All", "?fieldManager=fuzz");
  await fc.assert(
    fc.asyncProperty(bentObject, subresource, query, async ({ kindOf, object }, sub, parameters) => {
      const body = JSON.stringify(object);
      const headers = { "content-type": JSON_TYPE };
      const path = collectionOf(kindOf);
      const created = await server.hold({ method: "POST", path: path + parameters, headers, body });
      if (created?.status === 201) accepted++;
      const own = `${path}/${nameOf(object)}`;
      await server.hold({
        method: sub === "/token" || sub === "/eviction" || sub === "/binding" ? "POST" : "PUT",
        path: own + sub + parameters,
        headers,
        body,
      });
      await server.hold({
        method: "GET",
        path: own,
        headers: { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" },
      });
      for (const seen of [own, path])
        await server.hold({ method: "GET", path: seen, headers: { accept: PROTOBUF_TYPE } });
      await server.hold({ method: "DELETE", path: `${own}?gracePeriodSeconds=0` });
    }),
    PARAMETERS,
  );
  // Otherwise nothing deeper than the first check was ever reached.
  expect(accepted).toBeGreaterThan(0);
});

/** Text that was JSON or YAML before something happened to it. */
const broken = fc.oneof(
  fc
    .tuple(bentObject, fc.nat(400), fc.constantFrom("", "}", "]", '"', "\u0000", ",", ":", "\ufeff", "\\u00"))
    .map(([{ object }, at, with_]) => {
      const text = JSON.stringify(object);
      const place = at % (text.length + 1);
      return Buffer.from(text.slice(0, place) + with_ + (with_ === "" ? "" : text.slice(place)));
    }),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    Buffer.from("[".repeat(200_000)),
    Buffer.from('{"a":'.repeat(100_000)),
    Buffer.from('{"metadata":{"name":"a","name":"b"},"kind":"Pod","kind":"Job"}'),
    Buffer.from(
      `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"deep"},"data":{"x":${"[".repeat(9_000)}${"]".repeat(9_000)}}}`,
    ),
    Buffer.from(
      "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n",
    ),
    Buffer.from("a: &a\n  b: *a\n"),
    Buffer.from("--- !!js/function 'x'\n...\n---\nkind: Pod\n"),
    Buffer.from("? [complex, key]\n: value\n"),
    Buffer.from("kind: ConfigMap\napiVersion: v1\nmetadata: {name: dup, name: dup2}\n<<: {a: 1}\n"),
    Buffer.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
    Buffer.from([0xc3, 0x28, 0xe2, 0x28, 0xa1]),
  ),
);

const contentType = fc.constantFrom(
  JSON_TYPE,
  "application/yaml",
  PROTOBUF_TYPE,
  "application/cbor",
  "text/plain",
  "",
  "application/json; charset=utf-16",
  "application/json;;;",
  "*/*",
  "application/apply-patch+yaml",
);

it("answers text that cannot be read", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...KINDS),
      contentType,
      broken,
      fc.constantFrom("POST", "PUT", "DELETE"),
      async (kindOf, type, body, method) => {
        const path = collectionOf(kindOf) + (method === "POST" ? "" : "/x");
        await server.hold({ method, path, headers: type === "" ? {} : { "content-type": type }, body });
      },
    ),
    PARAMETERS,
  );
});

/** Protobuf of a valid object, with bytes changed, cut off or put in. */
const wrongProtobuf = fc
  .constantFrom(...KINDS)
  .chain((kindOf) => objectOf(kindOf).map((object) => ({ kindOf, object })))
  .chain(({ kindOf, object }) => {
    const bytes = encoded(object);
    const edit = fc.tuple(fc.nat(Math.max(0, bytes.length - 1)), fc.nat(255), fc.constantFrom("set", "cut", "put"));
    return fc
      .array(edit, { maxLength: 4 })
      .map((edits) => ({ kindOf, name: nameOf(object), body: edits.reduce(edited, bytes) }));
  });

function encoded(object: { [key: string]: Json }): Buffer {
  try {
    return Buffer.from(encodeProtobuf(object));
  } catch {
    return Buffer.from("k8s\0");
  }
}

function edited(bytes: Buffer, [at, value, how]: [number, number, string]): Buffer {
  const place = Math.min(at, bytes.length);
  if (how === "cut") return bytes.subarray(0, place);
  return Buffer.concat([
    bytes.subarray(0, place),
    Buffer.from([value]),
    bytes.subarray(how === "set" ? place + 1 : place),
  ]);
}

it("answers protobuf that is damaged", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(wrongProtobuf, fc.boolean(), async ({ kindOf, name, body }, update) => {
      const path = collectionOf(kindOf);
      const headers = { "content-type": PROTOBUF_TYPE, accept: `${PROTOBUF_TYPE}, application/json` };
      await server.hold({ method: update ? "PUT" : "POST", path: update ? `${path}/${name}` : path, headers, body });
      await server.hold({ method: "GET", path: `${path}/${name}`, headers: { accept: PROTOBUF_TYPE } });
      await server.hold({
        method: "DELETE",
        path: `${path}/${name}`,
        headers: { "content-type": PROTOBUF_TYPE },
        body,
      });
    }),
    PARAMETERS,
  );
});
