/** The conversation with a conversion webhook: ConversionReview, and what is held against its answer. */
import { parseApiVersion, type KubeObject } from "@travelops/kube";
import { isObject, type JsonObject } from "@travelops/kube/schema/json-value";
import { labelErrors } from "../../registry/object-metadata.ts";
import { read, text } from "../../registry/printers/printer.ts";

const GROUP = "apiextensions.k8s.io";
const KNOWN_VERSIONS: ReadonlySet<string> = new Set(["v1", "v1beta1"]);

/** What is to be converted: one object, or the items of a list, which are spoken of as the list. */
export interface ConversionRequest {
  readonly objects: readonly KubeObject[];
  readonly apiVersion: string;
  /** As faults name it, e.g. `example.com/v1, Kind=Widget`. */
  readonly subject: string;
  readonly list: boolean;
}

/** As Go prints a GroupVersionKind. */
export const kindText = (apiVersion: string, kind: string): string => {
  const { group, version } = parseApiVersion(apiVersion);
  return `${group}/${version}, Kind=${kind}`;
};

/** The version of ConversionReview that both sides know. Throws where there is none. */
export function reviewVersion(accepted: readonly string[]): string {
  const version = accepted.find((one) => KNOWN_VERSIONS.has(one));
  if (version === undefined) throw new Error("no supported conversion review versions");
  return version;
}

export const reviewOf = (version: string, uid: string, request: ConversionRequest): unknown => ({
  kind: "ConversionReview",
  apiVersion: `${GROUP}/${version}`,
  request: { uid, desiredAPIVersion: request.apiVersion, objects: request.objects },
});

/** The converted objects in an answer. Throws an `Error` with upstream's text. */
export function convertedObjects(
  version: string,
  uid: string,
  request: ConversionRequest,
  answer: unknown,
): KubeObject[] {
  const failed = (fault: string): Error => new Error(`conversion webhook for ${request.subject} failed: ${fault}`);
  const kind = text(read(answer, "kind"));
  const apiVersion = text(read(answer, "apiVersion"));
  if (kind === "") throw failed(`Object 'Kind' is missing in '${JSON.stringify(answer)}'`);
  if (version === "v1" && (kind !== "ConversionReview" || apiVersion !== `${GROUP}/v1`))
    throw failed(
      `expected webhook response of ${kindText(`${GROUP}/v1`, "ConversionReview")}, got ${kindText(apiVersion, kind)}`,
    );
  const response = read(answer, "response");
  if (!isObject(response)) throw failed("no response provided");
  const answeredUid = text(response["uid"]);
  if (version === "v1" && answeredUid !== uid)
    throw failed(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(answeredUid)}`);
  const status = text(read(response, "result", "status"));
  if (status !== "Success") {
    const message = text(read(response, "result", "message"));
    throw failed(message === "" ? `response.result.status was '${status}', not 'Success'` : message);
  }
  const objects = response["convertedObjects"];
  const converted: readonly unknown[] = Array.isArray(objects) ? objects : [];
  if (converted.length !== request.objects.length)
    throw new Error(
      `conversion webhook for ${request.subject} returned ${converted.length} objects, expected ${request.objects.length}`,
    );
  return converted.map((object, i) => checked(request, i, object));
}

function checked(request: ConversionRequest, index: number, object: unknown): KubeObject {
  const invalid = (fault: string): Error =>
    new Error(
      `conversion webhook for ${request.subject} returned invalid ${request.list ? "converted " : ""}object at index ${index}: ${fault}`,
    );
  const original = request.objects[index] as KubeObject;
  if (!isObject(object)) throw invalid("it is no object");
  const version = text(object["apiVersion"]);
  const kind = text(object["kind"]);
  if (kind === "") throw invalid(`Object 'Kind' is missing in '${JSON.stringify(object)}'`);
  if (version !== request.apiVersion)
    throw invalid(`invalid groupVersion (expected ${request.apiVersion}, received ${version})`);
  if (kind !== original.kind) throw invalid(`invalid kind (expected ${original.kind}, received ${kind})`);
  const at = request.list ? ` at index ${index}` : "";
  const changed = identityFault(original, object);
  if (changed !== undefined)
    throw new Error(
      `conversion webhook for ${request.subject} returned invalid ${request.list ? "converted " : ""}object${at}: ${changed}`,
    );
  try {
    return { ...object, metadata: restoredMetadata(original, object) } as unknown as KubeObject;
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    throw new Error(
      `conversion webhook for ${request.subject} returned invalid metadata${request.list ? " in object" : ""}${at}: ${fault}`,
      { cause: error },
    );
  }
}

function identityFault(before: KubeObject, after: JsonObject): string | undefined {
  for (const [field, name] of [
    ["name", "name"],
    ["namespace", "namespace"],
    ["uid", "UID"],
  ] as const) {
    const was = before.metadata[field] ?? "";
    const is = text(read(after, "metadata", field));
    if (was !== is) return `must have the same ${name}: ${was} != ${is}`;
  }
  return undefined;
}

/** A webhook has a say in labels and annotations; all else of the metadata stays as it was. */
function restoredMetadata(before: KubeObject, after: JsonObject): KubeObject["metadata"] {
  const given = after["metadata"];
  if (given === undefined) throw new Error("missing metadata in converted object");
  if (!isObject(given)) throw new Error(`invalid metadata of type ${goType(given)} in converted object`);
  const metadata: Record<string, unknown> = { ...before.metadata };
  for (const field of ["labels", "annotations"] as const) {
    const value = given[field];
    if (value === undefined || value === null) {
      delete metadata[field];
      continue;
    }
    if (!isObject(value)) throw new Error(`invalid metadata.${field} of type ${goType(value)} in converted object`);
    for (const [key, one] of Object.entries(value)) {
      if (typeof one !== "string")
        throw new Error(`metadata.${field}[${key}] must be a string, but is ${goType(one)} in converted object`);
    }
    const errors = labelErrors({ [field]: value });
    const [first] = errors;
    if (first !== undefined) throw new Error(`${first.field}: ${first.message}`);
    metadata[field] = value;
  }
  return metadata as KubeObject["metadata"];
}

/** As Go names the type of a decoded JSON value. */
function goType(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return "[]interface {}";
  if (typeof value === "object") return "map[string]interface {}";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  return typeof value === "boolean" ? "bool" : typeof value;
}
