/** Request bodies: JSON, YAML and protobuf become one value; what the schema does not know is told or refused. */
import { badRequest, formatApiVersion, parseApiVersion, unsupportedMediaType, type KubeObject } from "@travelops/kube";
import type { StructNode } from "@travelops/kube/schema/node";
import { decodeJson } from "@travelops/kube/schema/decode";
import { prune } from "@travelops/kube/schema/prune";
import { isObject, type JsonObject } from "@travelops/kube/schema/json-value";
import { warn, type ApiCall, type RequestBody } from "./api-call.ts";

export type FieldValidation = "Ignore" | "Warn" | "Strict";

export interface Decoded {
  readonly value: unknown;
  /** Paths of keys that stood twice. */
  readonly duplicates: readonly string[];
}

const mediaTypeOf = (contentType: string): string => (contentType.split(";")[0] ?? "").trim().toLowerCase();

/** Reads `fieldValidation`. Throws `StatusError` 400. */
export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get("fieldValidation") ?? "";
  switch (value) {
    case "":
      return "Warn";
    case "Ignore":
    case "Warn":
    case "Strict":
      return value;
    default:
      throw badRequest(`fieldValidation: Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`);
  }
}

const SUPPORTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/** Decodes a body by its content type. Throws `StatusError` 400 or 415. */
export async function decodeBody(body: RequestBody, duplicates: boolean): Promise<Decoded> {
  if (body.kind === "none") return { value: undefined, duplicates: [] };
  if (body.kind === "value") return { value: body.value, duplicates: [] };
  const mediaType = mediaTypeOf(body.contentType);
  switch (mediaType) {
    case "":
    case "application/json":
      return guarded(() => decodeJson(body.bytes, { duplicates }));
    case "application/yaml":
    case "application/x-yaml": {
      const { decodeYaml } = await import("@travelops/kube/schema/decode");
      return guarded(() => decodeYaml(body.bytes));
    }
    case "application/vnd.kubernetes.protobuf": {
      const { decodeProtobuf } = await import("@travelops/kube/schema/protobuf");
      const { object } = decodeProtobuf(body.bytes);
      return { value: object, duplicates: [] };
    }
    default:
      throw unsupportedMediaType(
        `the body of the request was in an unknown format - accepted media types include: ${SUPPORTED}`,
      );
  }
}

function guarded(decode: () => Decoded): Decoded {
  try {
    return decode();
  } catch (error) {
    if (error instanceof Error && error.name === "StatusError") throw error;
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
}

export interface ExpectedKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The object of a body, with its kind checked (and filled in where absent). Throws `StatusError` 400. */
export function expectKind(value: unknown, expected: ExpectedKind): KubeObject {
  if (!isObject(value)) {
    const what = value === undefined ? "the request has no body" : "the body is no JSON object";
    throw badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): ${what}`);
  }
  const apiVersion = value["apiVersion"];
  const kind = value["kind"];
  const wanted = formatApiVersion(expected.group, expected.version);
  for (const [name, field] of [["apiVersion", apiVersion], ["kind", kind]] as const) {
    if (field !== undefined && typeof field !== "string") {
      throw badRequest(`couldn't get version/kind; json parse error: json: cannot unmarshal ${typeof field} into Go struct field .${name} of type string`);
    }
  }
  const metadata = value["metadata"];
  if (metadata !== undefined && metadata !== null && !isObject(metadata)) {
    throw badRequest(
      `${expected.kind} in version ${JSON.stringify(expected.version)} cannot be handled as a ${expected.kind}: ` +
        `json: cannot unmarshal ${Array.isArray(metadata) ? "array" : typeof metadata} into Go struct field ${expected.kind}.metadata of type v1.ObjectMeta`,
    );
  }
  if (typeof kind === "string" && kind !== "" && kind !== expected.kind) {
    const given = parseApiVersion(typeof apiVersion === "string" ? apiVersion : wanted);
    throw badRequest(
      `${kind} in version ${JSON.stringify(given.version)} cannot be handled as a ${expected.kind}: ` +
        `no kind ${JSON.stringify(expected.kind)} is registered for ${kind}`,
    );
  }
  if (typeof apiVersion === "string" && apiVersion !== "" && apiVersion !== wanted) {
    throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`);
  }
  if (apiVersion === wanted && kind === expected.kind && isObject(metadata)) return value as unknown as KubeObject;
  return { ...value, apiVersion: wanted, kind: expected.kind, metadata: isObject(metadata) ? metadata : {} } as KubeObject;
}

/** Drops what the schema does not know: refused with Strict, told with Warn. Throws `StatusError` 400. */
export function pruneUnknown(
  call: Pick<ApiCall, "warnings">,
  node: StructNode,
  object: KubeObject,
  duplicates: readonly string[],
  validation: FieldValidation,
): KubeObject {
  const pruned = prune(node, object);
  if (validation === "Ignore") return pruned.value as KubeObject;
  const faults = strictFaults(pruned.unknown, duplicates);
  if (faults.length === 0) return pruned.value as KubeObject;
  if (validation === "Strict") {
    const { version } = parseApiVersion(object.apiVersion);
    throw badRequest(
      `${object.kind} in version ${JSON.stringify(version)} cannot be handled as a ${object.kind}: strict decoding error: ${faults.join(", ")}`,
    );
  }
  for (const fault of faults) warn(call as ApiCall, fault);
  return pruned.value as KubeObject;
}

export const strictFaults = (unknown: readonly string[], duplicates: readonly string[]): string[] => [
  ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
  ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
];

/** The value of a body that is an object or absent (DeleteOptions). Throws `StatusError` 400. */
export function optionalObject(value: unknown, what: string): JsonObject | undefined {
  if (value === undefined || value === null) return undefined;
  if (isObject(value)) return value;
  throw badRequest(`the body must be a ${what} object`);
}
