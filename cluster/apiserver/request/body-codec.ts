/** Request bodies: JSON, YAML and protobuf become one value; what the schema does not know is told or refused. */
import {
  badRequest,
  fieldNotSupported,
  formatApiVersion,
  invalid,
  parseApiVersion,
  StatusError,
  unsupportedMediaType,
  type KubeObject,
} from "@travelops/kube";
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

/** The options kind of a writing request, in errors about its query. */
export type OptionsKind = "CreateOptions" | "UpdateOptions" | "PatchOptions" | "DeleteOptions";

/** Reads `fieldValidation`. Throws `StatusError` 422. */
export function fieldValidationOf(query: URLSearchParams, kind: OptionsKind = "CreateOptions"): FieldValidation {
  const value = query.get("fieldValidation") ?? "";
  switch (value) {
    case "":
      return "Warn";
    case "Ignore":
    case "Warn":
    case "Strict":
      return value;
    default:
      throw invalid("meta.k8s.io", kind, "", [
        fieldNotSupported("fieldValidation", value, ["", "Ignore", "Strict", "Warn"]),
      ]);
  }
}

const SUPPORTED = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/** What is wanted of keys that stand twice in a JSON body. `merged` as well: of a type that is known. */
export type Duplicates = boolean | "merged";

/** Decodes a body by its content type. Throws `StatusError` 400 or 415. */
export async function decodeBody(body: RequestBody, duplicates: Duplicates, reading: Reading = bare): Promise<Decoded> {
  if (body.kind === "none") return { value: undefined, duplicates: [] };
  if (body.kind === "value") return { value: body.value, duplicates: [] };
  const mediaType = mediaTypeOf(body.contentType);
  switch (mediaType) {
    case "":
    case "application/json":
      return guarded(
        () => decodeJson(body.bytes, { duplicates: duplicates !== false, merge: duplicates === "merged" }),
        reading,
        body.bytes,
      );
    case "application/yaml":
    case "application/x-yaml": {
      const { decodeYaml } = await import("@travelops/kube/schema/decode-yaml");
      return guarded(() => decodeYaml(body.bytes), reading, body.bytes);
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

/** How a body that cannot be read is told of. */
export type Reading = (fault: string, body: Buffer) => string;

const bare: Reading = (fault) => fault;
export const readingPatch: Reading = (fault) => `error decoding patch: ${fault}`;
export const readingYaml: Reading = (fault) => `error decoding YAML: ${fault}`;
export const readingOptions: Reading = (fault) => `couldn't get version/kind; json parse error: ${fault}`;
export const readingKind =
  (kind: string): Reading =>
  (fault, body) =>
    `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${fault} (${summary(body)})`;

const SUMMARY_BYTES = 30;

/** The beginning of a body for an error: as text where it looks like JSON, else in hex. */
function summary(body: Buffer): string {
  if (body.length === 0) return "<empty>";
  const cut = body.length > SUMMARY_BYTES ? " ..." : "";
  const head = body.subarray(0, SUMMARY_BYTES);
  return (body[0] === 0x7b ? head.toString("utf8") : head.toString("hex")) + cut;
}

function guarded(decode: () => Decoded, reading: Reading, body: Buffer): Decoded {
  try {
    return decode();
  } catch (error) {
    throw badRequest(
      reading(
        error instanceof StatusError ? error.message : error instanceof Error ? error.message : String(error),
        body,
      ),
    );
  }
}

export interface ExpectedKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const readingFault = (kind: string, fault: string): string =>
  `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${fault}`;

/** The object of a body, with its kind checked (and filled in where absent). Throws `StatusError` 400. */
export function expectKind(given: unknown, expected: ExpectedKind): KubeObject {
  const value = given === null ? {} : given;
  if (!isObject(value)) {
    const fault =
      value === undefined
        ? "unexpected end of JSON input (<empty>)"
        : `json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into an object`;
    throw badRequest(readingFault(expected.kind, fault));
  }
  const apiVersion = value["apiVersion"];
  const kind = value["kind"];
  const wanted = formatApiVersion(expected.group, expected.version);
  for (const [name, field] of [
    ["apiVersion", apiVersion],
    ["kind", kind],
  ] as const) {
    if (field !== undefined && typeof field !== "string") {
      throw badRequest(
        `couldn't get version/kind; json parse error: json: cannot unmarshal ${typeof field} into Go struct field .${name} of type string`,
      );
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
        `converting (${given.version}.${kind}) to (${given.group === "" ? "core" : given.group}.${expected.kind}): unknown conversion`,
    );
  }
  if (typeof apiVersion === "string" && apiVersion !== "" && apiVersion !== wanted) {
    throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`);
  }
  if (apiVersion === wanted && kind === expected.kind && isObject(metadata)) return value as unknown as KubeObject;
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...rest } = value;
  return {
    apiVersion: wanted,
    kind: expected.kind,
    metadata: isObject(metadata) ? metadata : {},
    ...rest,
  } as KubeObject;
}

/** Built-in kinds are known by their path; an object of a custom one has to say what it is. Throws `StatusError` 400. */
export function requireKind(value: unknown, { kind, version }: ExpectedKind): void {
  if (!isObject(value)) return;
  for (const field of ["kind", "apiVersion"] as const) {
    const given = value[field];
    if (given !== undefined && given !== "") continue;
    const name = field === "kind" ? "Kind" : "apiVersion";
    const shown = JSON.stringify(value).slice(0, SUMMARY_BYTES);
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): Object '${name}' is missing in '${shown} ...'`,
    );
  }
  const metadata = value["metadata"] ?? {};
  if (isObject(metadata)) return;
  const type = Array.isArray(metadata) ? "array" : typeof metadata === "boolean" ? "bool" : typeof metadata;
  throw badRequest(
    `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ` +
      `json: cannot unmarshal ${type} into Go value of type v1.ObjectMeta`,
  );
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
