/** What a projected volume holds, from the objects it refers to. Throws `VolumeError` in upstream's words. */
import type { ConfigMap, Pod, Secret } from "@travelops/kube/api/types/index.ts";
import type { KeyToPath, ProjectedSource } from "@travelops/kube/api/types/volume.ts";
import { FieldRefError, fieldValue, resourceValue, type NodeFacts } from "../pod/field-ref.ts";
import type { Payload, ProjectedFile } from "./atomic-writer.ts";

/** A volume cannot be set up (yet). */
export class VolumeError extends Error {
  override readonly name = "VolumeError";
}

export interface PayloadSources {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  /** The text of a token; throws `VolumeError` while there is none. */
  token(audience: string | undefined, expirationSeconds: number | undefined): string;
  readonly node: NodeFacts;
  readonly podIP: string;
}

type DownwardItems = NonNullable<ProjectedSource["downwardAPI"]>["items"];

const DEFAULT_MODE = 0o644;

export function configMapPayload(
  pod: Pod,
  source: { name?: string; items?: KeyToPath[]; optional?: boolean },
  mode: number | undefined,
  sources: PayloadSources,
): Payload {
  const { name = "", optional } = source;
  const configMap = sources.configMap(name);
  if (configMap === undefined && optional !== true) throw new VolumeError(`configmap "${name}" not found`);
  const values = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(configMap?.data ?? {})) values.set(key, Buffer.from(text));
  for (const [key, base64] of Object.entries(configMap?.binaryData ?? {}))
    values.set(key, Buffer.from(base64, "base64"));
  return pick(values, source.items, mode, optional === true, `configmap references non-existent config key: `);
}

export function secretPayload(
  pod: Pod,
  source: { name?: string; items?: KeyToPath[]; optional?: boolean },
  mode: number | undefined,
  sources: PayloadSources,
): Payload {
  const { name = "", optional } = source;
  const secret = sources.secret(name);
  if (secret === undefined && optional !== true) throw new VolumeError(`secret "${name}" not found`);
  const values = new Map(
    Object.entries(secret?.data ?? {}).map(([key, base64]) => [key, Buffer.from(base64, "base64")]),
  );
  return pick(values, source.items, mode, optional === true, `references non-existent secret key: `);
}

export function downwardPayload(
  pod: Pod,
  items: DownwardItems,
  mode: number | undefined,
  sources: PayloadSources,
): Payload {
  const out = new Map<string, ProjectedFile>();
  for (const item of items ?? []) {
    try {
      out.set(item.path, {
        content: Buffer.from(downwardText(pod, item, sources)),
        mode: item.mode ?? mode ?? DEFAULT_MODE,
      });
    } catch (error) {
      if (error instanceof FieldRefError) throw new VolumeError(error.message);
      throw error;
    }
  }
  return out;
}

function downwardText(pod: Pod, item: NonNullable<DownwardItems>[number], sources: PayloadSources): string {
  if (item.fieldRef !== undefined) return fieldValue(item.fieldRef.fieldPath, pod, sources.node, sources.podIP);
  const ref = item.resourceFieldRef;
  if (ref === undefined)
    throw new VolumeError(`the item ${item.path} of a downwardAPI volume has neither fieldRef nor resourceFieldRef`);
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find(
    (c) => c.name === ref.containerName,
  );
  if (container === undefined)
    throw new VolumeError(
      `couldn't find container "${ref.containerName}" in pod ${pod.metadata.namespace}/${pod.metadata.name}`,
    );
  return resourceValue(ref, container, sources.node);
}

export function projectedPayload(
  pod: Pod,
  projected: readonly ProjectedSource[],
  mode: number | undefined,
  sources: PayloadSources,
): Payload {
  const out = new Map<string, ProjectedFile>();
  for (const source of projected) {
    const part = projectedPart(pod, source, mode, sources);
    for (const [path, file] of part) out.set(path, file);
  }
  return out;
}

function projectedPart(pod: Pod, source: ProjectedSource, mode: number | undefined, sources: PayloadSources): Payload {
  if (source.configMap !== undefined) return configMapPayload(pod, source.configMap, mode, sources);
  if (source.secret !== undefined) return secretPayload(pod, source.secret, mode, sources);
  if (source.downwardAPI !== undefined) return downwardPayload(pod, source.downwardAPI.items, mode, sources);
  if (source.serviceAccountToken !== undefined) {
    const { audience, expirationSeconds, path } = source.serviceAccountToken;
    const content = Buffer.from(sources.token(audience, expirationSeconds));
    return new Map([[path, { content, ...tokenOwner(pod, mode ?? DEFAULT_MODE) }]]);
  }
  throw new VolumeError(
    `a projected source of the kind ${Object.keys(source).join(", ") || "none"} is not supported by the embedded cluster`,
  );
}

/** A token is for one user alone where all containers are that one's, or for the pod's fsGroup. */
function tokenOwner({ spec }: Pod, mode: number): Omit<ProjectedFile, "content"> {
  const all = spec.securityContext ?? {};
  const users = [...(spec.initContainers ?? []), ...spec.containers].map(
    ({ securityContext }) => securityContext?.runAsUser ?? all.runAsUser,
  );
  const user = users.every((one) => one === users[0]) ? users[0] : undefined;
  if (user === undefined) return { mode: all.fsGroup === undefined ? mode : 0o600 };
  return { mode: 0o600, user };
}

function pick(
  values: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  mode: number | undefined,
  optional: boolean,
  missing: string,
): Payload {
  const out = new Map<string, ProjectedFile>();
  if (items === undefined || items.length === 0) {
    for (const [key, content] of values) out.set(key, { content, mode: mode ?? DEFAULT_MODE });
    return out;
  }
  for (const item of items) {
    const content = values.get(item.key);
    if (content !== undefined) out.set(item.path, { content, mode: item.mode ?? mode ?? DEFAULT_MODE });
    else if (!optional) throw new VolumeError(`${missing}${item.key}`);
  }
  return out;
}
