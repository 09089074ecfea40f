import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StatusError } from "../api/status-error.ts";
import { equalJson, type JsonObject } from "./json-value.ts";
import { normalize } from "./normalize.ts";
import { decodeProtobuf, encodeProtobuf } from "./protobuf.ts";
import { builtinRows, kindNode } from "./table.ts";
import { arbitraryOf } from "./testdata/arbitrary.ts";

interface Golden {
  readonly json: JsonObject & { kind: string };
  readonly pb: string;
}

const golden = JSON.parse(
  readFileSync(new URL("./testdata/protobuf-golden.json", import.meta.url), "utf8"),
) as Golden[];
const bytesOf = ({ pb }: Golden): Buffer => Buffer.from(pb, "base64");

/** The examples do not show what is null, which is the same as what is not there. */
function withoutNulls(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, item: unknown) => (item === null ? undefined : item))) as unknown;
}

/** What becomes of bytes from outside. */
function outcome(bytes: Uint8Array): unknown {
  try {
    return typeof decodeProtobuf(bytes).object;
  } catch (error) {
    return error instanceof StatusError ? error.code : error;
  }
}

const isFine = (bytes: Uint8Array): boolean => ["object", 400].includes(outcome(bytes) as string | number);

describe("protobuf bodies", () => {
  it.each(golden.map((g) => [g.json.kind, g] as const))("reads a %s as the server's own JSON shows it", (kind, g) => {
    const decoded = decodeProtobuf(bytesOf(g));
    expect(decoded.kind).toBe(kind);
    expect(decoded.apiVersion).toBe(g.json["apiVersion"]);
    // The kind of a claim inside a stateful set is not carried; defaulting puts it back.
    expect(kind === "StatefulSet" || equalJson(withoutNulls(decoded.object), withoutNulls(g.json))).toBe(true);
  });

  it("writes the very bytes the server writes", () => {
    expect(golden.filter((g) => !bytesOf(g).equals(encodeProtobuf(g.json))).map((g) => g.json.kind)).toEqual([]);
  });

  it("reads the delete options that helm and kubectl send", () => {
    const bytes = encodeProtobuf({
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Background",
      gracePeriodSeconds: 0,
    });
    expect(decodeProtobuf(bytes).object).toEqual({
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: "Background",
      gracePeriodSeconds: 0,
    });
  });

  it("keeps an empty text where it says something, and drops it where it does not", () => {
    const claim = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "a", generateName: "" },
      spec: { storageClassName: "", volumeName: "" },
    };
    const { object } = decodeProtobuf(encodeProtobuf(claim));
    expect(object["spec"]).toEqual({ storageClassName: "", resources: {} });
    expect(object["metadata"]).toEqual({ name: "a" });
  });

  it("carries permissions and the extra values of a user", () => {
    const review = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      metadata: {},
      spec: {
        user: "u",
        groups: ["g"],
        extra: { scopes: ["a", "b"], none: [] },
        resourceAttributes: { verb: "get", resource: "pods" },
      },
      status: { allowed: false },
    };
    expect(decodeProtobuf(encodeProtobuf(review)).object).toEqual(review);
  });

  it("carries both forms of a schema's items, additionalProperties and dependencies", () => {
    const schema = {
      type: "object",
      properties: {
        list: { type: "array", items: { type: "string", maxLength: 0 } },
        tuple: { items: [{ type: "string" }, { type: "integer" }] },
        open: { additionalProperties: true },
        shut: { additionalProperties: false },
        map: { additionalProperties: { type: "integer", minimum: 0 } },
      },
      dependencies: { a: ["b"], c: { required: ["d"] } },
      default: { x: [1, null] },
      enum: ["a", 1],
    };
    const crd = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "a.b" },
      spec: {
        group: "b",
        names: { plural: "a", kind: "A" },
        scope: "Cluster",
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    };
    expect(decodeProtobuf(encodeProtobuf(crd)).object).toMatchObject(crd);
  });

  it.each([
    ["no magic", Buffer.from("{}"), "does not appear to be a protobuf message"],
    [
      "a kind that is not built in",
      Buffer.from(encodeProtobuf({ apiVersion: "v1", kind: "Pod" })).fill("X", 8, 9),
      "no kind",
    ],
    [
      "a cut-off body",
      Buffer.from(encodeProtobuf({ apiVersion: "v1", kind: "Pod", metadata: { name: "abcdef" } })).subarray(0, 20),
      "unexpected EOF",
    ],
    ["nothing", Buffer.alloc(0), "does not appear"],
  ])("refuses %s with 400", (_what, bytes, message) => {
    expect(() => decodeProtobuf(bytes)).toThrow(StatusError);
    expect(() => decodeProtobuf(bytes)).toThrow(message);
  });

  it("reads an entry of a map without its value as the value's zero", () => {
    const pdb = { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: { name: "budget" } };
    const time = "2020-01-01T00:00:00Z";
    const bytes = Buffer.from(encodeProtobuf({ ...pdb, status: { disruptedPods: { a: time } } }));
    // The number of the entry's value (2, a message) becomes one that nobody knows.
    const at = bytes.indexOf(Buffer.from([0x0a, 1, 0x61, 0x12])) + 3;
    bytes[at] = 0x1a;
    expect(decodeProtobuf(bytes).object).toMatchObject({ status: { disruptedPods: { a: null } } });
  });

  it("answers any bytes with an object or 400", () => {
    const envelope = (raw: Uint8Array, index: number): Buffer => {
      const row = builtinRows()[index % builtinRows().length];
      const empty = Buffer.from(
        encodeProtobuf({ apiVersion: row?.group === "" ? "v1" : `${row?.group}/${row?.version}`, kind: row?.kind }),
      );
      return Buffer.concat([empty.subarray(0, -4), Buffer.from([0x12, raw.length, ...raw])]);
    };
    expect(isFine(Buffer.alloc(0))).toBe(true);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => isFine(bytes)));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(), (raw, index) => isFine(envelope(raw, index))),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.nat(golden.length - 1), fc.nat(), fc.nat(255), (which, at, byte) => {
        const bytes = bytesOf(golden[which] as Golden);
        bytes[4 + (at % (bytes.length - 4))] = byte;
        return isFine(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it("gives back any object it has written", () => {
    const carried = [
      "Pod",
      "Service",
      "Secret",
      "Deployment",
      "Job",
      "HorizontalPodAutoscaler",
      "Ingress",
      "CustomResourceDefinition",
      "PersistentVolume",
      "EndpointSlice",
      "Lease",
      "Role",
    ];
    for (const row of builtinRows().filter((r) => carried.includes(r.kind))) {
      const apiVersion = row.group === "" ? row.version : `${row.group}/${row.version}`;
      fc.assert(
        fc.property(arbitraryOf(row.schema, 6), (value) => {
          const object = normalize(row.schema, { ...(value as JsonObject), apiVersion, kind: row.kind });
          const again = decodeProtobuf(encodeProtobuf(object)).object;
          expect(carriedPart(again)).toEqual(carriedPart(object));
        }),
        { numRuns: 60 },
      );
    }
  });

  it("has a node for every kind it may be sent", () => {
    for (const kind of ["DeleteOptions", "Status", "Scale"])
      expect(kindNode(kind === "Scale" ? "autoscaling" : "", "v1", kind)).toBeDefined();
  });
});

/** Objects inside objects (claims of a stateful set, items of a list) do not carry their kind in protobuf. */
function carriedPart(value: unknown, top = true): unknown {
  if (Array.isArray(value)) return value.map((item) => carriedPart(item, false));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => top || (key !== "apiVersion" && key !== "kind"));
  return Object.fromEntries(entries.map(([key, item]) => [key, carriedPart(item, false)]));
}
