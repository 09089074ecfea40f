/** PATCH: one patcher a content type, all of them applied to the current object inside the store's change. */
import {
  badRequest,
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  formatApiVersion,
  invalid,
  parseApiVersion,
  StatusError,
  unsupportedMediaType,
  type KubeObject,
} from "@travelops/kube";
import { checkConfiguration, printApplied, serverSideApply } from "@travelops/kube/schema/managed-fields";
import { convertTypeError } from "@travelops/kube/schema/convert-error";
import { goText } from "@travelops/kube/schema/go-text";
import { prune } from "@travelops/kube/schema/prune";
import { isObject } from "@travelops/kube/schema/json-value";
import { warn, type ApiCall, type RequestBody } from "../request/api-call.ts";
import { decodeBody, readingPatch, readingYaml, strictFaults } from "../request/body-codec.ts";
import { queryBoolean } from "../request/list-options.ts";
import type { Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { checkNamespace } from "../registry/object-metadata.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { checkName, presentWritten } from "./mutate.ts";
import { checkObjectTypes, toStored, typeFault } from "./object-schema.ts";
import { presenterOf } from "./presentation.ts";
import { resetFieldsOf } from "./reset-fields.ts";
import { updateObject, type UpdateRequest } from "./update-object.ts";
import { writeContext, type WriteContext } from "./write-context.ts";

const JSON_PATCH = "application/json-patch+json";
const MERGE_PATCH = "application/merge-patch+json";
const STRATEGIC_PATCH = "application/strategic-merge-patch+json";
const APPLY_PATCH = "application/apply-patch+yaml";
const MAX_OPERATIONS = 10_000;

const ALL = [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH];

export function patchTypeOf(body: RequestBody, resource: Pick<ServedResource, "origin">): string {
  const type = body.kind === "none" ? "" : (body.contentType.split(";")[0] ?? "").trim().toLowerCase();
  const supported = resource.origin === "custom" ? ALL.filter((known) => known !== STRATEGIC_PATCH) : ALL;
  if (!supported.includes(type)) {
    if (resource.origin !== "custom")
      throw new StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${supported.join(", ")}`,
    );
  }
  return type;
}

function checkOptions(call: ApiCall, apply: boolean): boolean {
  const force = queryBoolean(call.query, "force");
  const errors = [];
  if (apply && (call.query.get("fieldManager") ?? "") === "") {
    errors.push(fieldRequired("fieldManager", "is required for apply patch"));
  }
  if (!apply && force !== undefined) errors.push(fieldForbidden("force", "may not be specified for non-apply patch"));
  if (errors.length > 0) throw invalid("meta.k8s.io", "PatchOptions", "", errors);
  return force ?? false;
}

const asJson = (body: RequestBody): RequestBody =>
  body.kind === "bytes" ? { ...body, contentType: "application/json" } : body;
const asYaml = (body: RequestBody): RequestBody => {
  if (body.kind !== "bytes") return body;
  // JSON is YAML, and most clients send it: its parser is far cheaper.
  const first = body.bytes.find((byte) => byte > 0x20);
  return { ...body, contentType: first === 0x7b ? "application/json" : "application/yaml" };
};

/** What a patch makes of an object in the served version. Must be pure. */
export type Patcher = (current: KubeObject) => unknown;

/** The patcher of a content type. Throws `StatusError` 400 for a body that is none. */
export async function patcherOf(
  type: string,
  body: RequestBody,
  schema: ServedResource["row"]["schema"],
): Promise<Patcher> {
  return patcher(type, (await decodeBody(asJson(body), false, readingPatch)).value, schema);
}

async function patcher(type: string, value: unknown, schema: ServedResource["row"]["schema"]): Promise<Patcher> {
  switch (type) {
    case JSON_PATCH: {
      const { applyJsonPatch } = await import("@travelops/kube/schema/json-patch");
      if (!Array.isArray(value))
        throw badRequest(
          "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        );
      if (value.length > MAX_OPERATIONS) {
        throw new StatusError(
          413,
          "RequestEntityTooLarge",
          `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${value.length}`,
        );
      }
      return (current) => applyJsonPatch(current, value as never);
    }
    case MERGE_PATCH: {
      const { applyMergePatch } = await import("@travelops/kube/schema/merge-patch");
      if (!isObject(value)) throw badRequest("error decoding patch: a merge patch must be a JSON object");
      return (current) => applyMergePatch(current, value);
    }
    default: {
      const { strategicMerge } = await import("@travelops/kube/schema/strategic-merge");
      if (!isObject(value)) throw badRequest("error decoding patch: a strategic merge patch must be a JSON object");
      return (current) => strategicMerge(schema, current, value);
    }
  }
}

/** Upstream shows a strategic patch itself, as Go prints it, and of others what came of them. */
function patchInvalid(strategic: RequestBody | undefined, patched: unknown, fault: string): StatusError {
  const shown =
    strategic === undefined || strategic.kind === "none"
      ? JSON.stringify(patched)
      : goText(strategic.kind === "bytes" ? JSON.parse(strategic.bytes.toString("utf8")) : strategic.value);
  return invalid("", "", "", [fieldInvalid("patch", shown, fault)]);
}

/** For messages: what a client sent may be an object that has no text of its own. */
const textOf = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

/** Checks what a patch made: still an object of its kind, known fields, right types. */
function checkPatched(
  call: ApiCall,
  resource: ServedResource,
  patched: unknown,
  info: ResourceRequest,
  context: WriteContext,
  said: readonly string[],
  strategic?: RequestBody,
): KubeObject {
  const { row } = resource;
  if (!isObject(patched)) throw patchInvalid(strategic, patched, "the patched value is no object");
  const apiVersion = formatApiVersion(row.group, row.version);
  if (patched["apiVersion"] !== apiVersion || patched["kind"] !== row.kind) {
    throw badRequest(
      `the API version or kind in the patched data (${textOf(patched["apiVersion"])}, ${textOf(patched["kind"])}) ` +
        `does not match the expected ones (${apiVersion}, ${row.kind})`,
    );
  }
  const { value, unknown } = prune(row.schema, patched);
  if (unknown.length + said.length > 0 && context.fieldValidation !== "Ignore") {
    const faults = [...said, ...strictFaults(strategic === undefined ? unknown : unknown.toSorted(), [])];
    if (context.fieldValidation === "Strict")
      throw patchInvalid(strategic, patched, `strict decoding error: ${faults.join(", ")}`);
    for (const fault of faults) warn(call, fault);
  }
  const object = { ...value, metadata: value["metadata"] ?? {} } as unknown as KubeObject;
  if (resource.origin === "custom") {
    const fault = typeFault(resource, object);
    if (fault !== undefined) throw patchInvalid(strategic, patched, fault);
  } else {
    const fault = strategic === undefined ? typeFault(resource, object) : convertTypeError(resource.row.schema, object);
    if (fault !== undefined) throw patchInvalid(strategic, patched, fault);
  }
  checkNamespace(resource, object, info.namespace);
  checkName(object, info.name);
  return object;
}

const served = (resource: ServedResource, stored: KubeObject): KubeObject =>
  resource.fromStorage === undefined ? stored : resource.fromStorage(stored);

export async function handlePatch(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  presenterOf(call, resource);
  const body = await call.readBody();
  const type = patchTypeOf(body, resource);
  const force = checkOptions(call, type === APPLY_PATCH);
  const context = writeContext(core, call, info);
  const request =
    type === APPLY_PATCH
      ? await applyRequest(call, body, info, resource, context, force)
      : await patchRequest(call, body, type, info, resource, context);
  return presentWritten(core, call, resource, await updateObject(core, resource, request, context));
}

/** Keys that stand twice in a JSON patch, and where its values carry them to. */
function jsonPatchFaults(operations: unknown, duplicates: readonly string[]): string[] {
  const carried = duplicates.flatMap((path) => {
    const [, index = "", rest = ""] = /^\[(\d+)\]\.value\.(.*)$/.exec(path) ?? [];
    const operation: unknown = rest === "" || !Array.isArray(operations) ? undefined : operations[Number(index)];
    const target = isObject(operation) && typeof operation["path"] === "string" ? operation["path"] : undefined;
    return target === undefined ? [] : [`${fieldPathOf(target)}${rest}`];
  });
  return [...strictFaults([], duplicates).map((fault) => `json patch ${fault}`), ...strictFaults([], carried)];
}

/** `/spec/list/0/x` → `spec.list[0].x.` */
function fieldPathOf(pointer: string): string {
  const parts = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const path = parts.map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part}`)).join("");
  return path === "" ? "" : `${path.replace(/^\./, "")}.`;
}

async function patchRequest(
  call: ApiCall,
  body: RequestBody,
  type: string,
  info: ResourceRequest,
  resource: ServedResource,
  context: WriteContext,
): Promise<UpdateRequest> {
  const { value, duplicates } = await decodeBody(asJson(body), context.fieldValidation !== "Ignore", readingPatch);
  const patch = await patcher(type, value, resource.row.schema);
  const said = type === JSON_PATCH ? jsonPatchFaults(value, duplicates) : strictFaults([], duplicates);
  return {
    namespace: info.namespace,
    name: info.name,
    subresource: info.subresource,
    produce(current) {
      const base = served(resource, current as KubeObject);
      const patched = patch(base);
      return patched === base && said.length === 0
        ? (current as KubeObject)
        : toStored(
            resource,
            checkPatched(call, resource, patched, info, context, said, type === STRATEGIC_PATCH ? body : undefined),
          );
    },
  };
}

async function applyRequest(
  call: ApiCall,
  body: RequestBody,
  info: ResourceRequest,
  resource: ServedResource,
  context: WriteContext,
  force: boolean,
): Promise<UpdateRequest> {
  const { value, duplicates } = await decodeBody(asYaml(body), context.fieldValidation !== "Ignore", readingYaml);
  const applied = appliedObject(value, resource, info);
  // Unknown fields are the typed merge's to refuse: an apply never drops what it is given.
  if (context.fieldValidation === "Warn") for (const fault of strictFaults([], duplicates)) warn(call, fault);
  if (duplicates.length > 0 && context.fieldValidation === "Strict") {
    throw badRequest(`error strict decoding YAML: ${strictFaults([], duplicates).join(", ")}`);
  }
  return {
    namespace: info.namespace,
    name: info.name,
    subresource: info.subresource,
    ownsManagedFields: true,
    mayCreate: info.subresource === "",
    produce(current) {
      const live = current === undefined ? undefined : served(resource, current);
      const { object } = serverSideApply({
        node: resource.row.schema,
        live,
        applied,
        manager: context.manager,
        force,
        apiVersion: formatApiVersion(resource.row.group, resource.row.version),
        subresource: info.subresource,
        now: context.nowMs,
        resetFields: resetFieldsOf(resource, info.subresource),
        convert: resource.managedAs,
      });
      checkMerged(resource, object, value);
      return toStored(resource, object, true);
    },
  };
}

/** What an apply made. Its types fit the schema; what only Go's types refuse, upstream answers as its own fault. */
function checkMerged(resource: ServedResource, object: KubeObject, sent: unknown): void {
  if (resource.origin === "custom") return checkObjectTypes(resource, object);
  const fault = convertTypeError(resource.row.schema, object) ?? typeFault(resource, object);
  if (fault === undefined) return;
  const name = printApplied(sent as KubeObject);
  const kind = name.slice(name.indexOf("; ") + 2);
  throw new StatusError(
    500,
    "",
    `failed to convert new object (${name}) to proper version: unable to convert unstructured object to ${kind}: ${fault}`,
  );
}

function appliedObject(value: unknown, resource: ServedResource, info: ResourceRequest): KubeObject {
  const { row } = resource;
  if (!isObject(value)) throw badRequest("error decoding YAML: the applied configuration must be an object");
  const expected = formatApiVersion(row.group, row.version);
  if (value["apiVersion"] !== expected || value["kind"] !== row.kind) {
    const { group, version } = parseApiVersion(typeof value["apiVersion"] === "string" ? value["apiVersion"] : "");
    throw badRequest(
      `invalid object type: ${group}/${version}, Kind=${typeof value["kind"] === "string" ? value["kind"] : ""}`,
    );
  }
  const object = value as unknown as KubeObject;
  checkConfiguration(row.schema, object);
  // The schema holds: metadata is an object, its names are texts.
  const metadata = isObject(value["metadata"]) ? value["metadata"] : {};
  const named = {
    ...object,
    metadata: {
      ...metadata,
      name: metadata["name"] === undefined || metadata["name"] === "" ? info.name : (metadata["name"] as string),
      ...(row.namespaced ? { namespace: (metadata["namespace"] as string | undefined) ?? info.namespace } : {}),
    },
  };
  checkNamespace(resource, named, info.namespace);
  checkName(named, info.name);
  return named;
}
