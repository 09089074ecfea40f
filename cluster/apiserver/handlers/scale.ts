/** `/scale`: the replica count of a workload as an autoscaling/v1 Scale. */
import { badRequest, fieldInvalid, invalid, type KubeObject } from "@travelops/kube";
import { formatLabelSelector } from "@travelops/kube/client/selectors";
import { isObject } from "@travelops/kube/schema/json-value";
import { kindNode } from "@travelops/kube/schema/table";
import { header, type ApiCall } from "../request/api-call.ts";
import { decodeBody, expectKind, fieldValidationOf, pruneUnknown } from "../request/body-codec.ts";
import { negotiate, OBJECT_ONLY } from "../request/negotiation.ts";
import { objectReply, type Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { printer, read, record, since, text } from "../registry/printers/printer.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ScalePaths } from "../registry/strategy.ts";
import type { ServerCore } from "../server-options.ts";
import { patcherOf, patchTypeOf } from "./patch.ts";
import { presentObject } from "./presentation.ts";
import { requireStored } from "./read.ts";
import { updateObject } from "./update-object.ts";
import { writeContext } from "./write-context.ts";

const count = (object: KubeObject, part: string): number => {
  const replicas = read(object, part, "replicas");
  return typeof replicas === "number" ? replicas : 0;
};

const SCALE_PRINTER = printer(
  [
    ["Desired", "integer", "replicas is the desired number of instances for the scaled object."],
    ["Available", "integer", "replicas is the actual number of observed instances of the scaled object."],
    ["Age", "string", "CreationTimestamp is a timestamp representing the server time when this object was created."],
  ],
  [],
  (object, now) => [count(object, "spec"), count(object, "status"), since(object.metadata.creationTimestamp, now)],
);

const SCALE = { group: "autoscaling", version: "v1", kind: "Scale" };

function selectorText(value: unknown): string {
  if (typeof value === "string") return value;
  if (!isObject(value)) return "";
  const plain = Object.values(value).every((part) => typeof part === "string");
  return plain ? formatLabelSelector({ matchLabels: value as Record<string, string> }) : formatLabelSelector(value);
}

/** The Scale of an object. */
export function scaleOf(object: KubeObject, paths: ScalePaths): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = read(object, ...paths.spec.split("."));
  const current = read(object, ...paths.status.split("."));
  const selector = paths.selector === undefined ? "" : selectorText(read(object, ...paths.selector.split(".")));
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: typeof replicas === "number" && replicas !== 0 ? { replicas } : {},
    status: { replicas: typeof current === "number" ? current : 0, ...(selector === "" ? {} : { selector }) },
  };
}

function withValue(object: KubeObject, path: readonly string[], value: unknown): KubeObject {
  const [key = "", ...rest] = path;
  const inner = rest.length === 0 ? value : withValue(record(object[key]) as KubeObject, rest, value);
  return { ...object, [key]: inner };
}

function replicasOf(scale: unknown, name: string): number {
  const replicas = read(scale, "spec", "replicas") ?? 0;
  if (typeof replicas !== "number" || !Number.isInteger(replicas)) {
    throw badRequest('Scale in version "v1" cannot be handled as a Scale: spec.replicas must be an integer');
  }
  if (replicas < 0) {
    throw invalid("autoscaling", "Scale", name, [
      fieldInvalid("spec.replicas", replicas, "must be greater than or equal to 0"),
    ]);
  }
  return replicas;
}

async function wantedScale(call: ApiCall, info: ResourceRequest): Promise<(current: KubeObject) => unknown> {
  const schema = kindNode(SCALE.group, SCALE.version, SCALE.kind);
  if (schema === undefined) throw badRequest("Scale is not known to this server");
  const body = await call.readBody();
  if (info.verb === "patch") {
    const type = patchTypeOf(body, { origin: "builtin" });
    if (type !== "application/apply-patch+yaml") return patcherOf(type, body, schema);
  }
  const validation = fieldValidationOf(call.query);
  const { value, duplicates } = await decodeBody(
    body.kind === "bytes" && info.verb === "patch" ? { ...body, contentType: "application/yaml" } : body,
    validation !== "Ignore",
  );
  const scale = pruneUnknown(call, schema, expectKind(value, SCALE), duplicates, validation);
  const given = text(scale.metadata.name);
  if (given !== "" && given !== info.name) {
    throw badRequest(`the name of the object (${given}) does not match the name on the URL (${info.name})`);
  }
  return () => scale;
}

export async function handleScale(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  const paths = resource.strategy.scale;
  if (paths === undefined) throw badRequest(`${resource.row.resource} cannot be scaled`);
  if (info.verb === "get") {
    const scale = scaleOf(requireStored(core, resource, info).object, paths);
    const shown = { ...resource, fromStorage: undefined, strategy: { ...resource.strategy, printer: SCALE_PRINTER } };
    return presentObject(core, call, shown, scale);
  }
  negotiate(header(call.headers, "accept"), OBJECT_ONLY);
  const context = writeContext(core, call, info);
  const change = await wantedScale(call, info);
  const written = await updateObject(
    core,
    resource,
    {
      namespace: info.namespace,
      name: info.name,
      subresource: "scale",
      shape: {
        of: (object) => scaleOf(object, paths),
        into: (object, scale) => withValue(object, paths.spec.split("."), replicasOf(scale, info.name)),
      },
      produce(current) {
        const before = current as KubeObject;
        const scale = change(scaleOf(before, paths));
        const resourceVersion = read(scale, "metadata", "resourceVersion");
        const scaled = withValue(before, paths.spec.split("."), replicasOf(scale, info.name));
        const { uid: _uid, resourceVersion: _version, ...metadata } = scaled.metadata;
        return {
          ...scaled,
          metadata: {
            ...metadata,
            ...(typeof resourceVersion === "string" && resourceVersion !== "" ? { resourceVersion } : {}),
          },
        };
      },
    },
    context,
  );
  return objectReply(scaleOf(written.object, paths));
}
