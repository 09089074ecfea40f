/** A container's environment: envFrom, env with its references, Services; in upstream's order and words. */
import type { ConfigMap, Container, EnvVar, Pod, Secret, Service } from "@travelops/kube/api/types/index.ts";
import { expand } from "./expand.ts";
import { FieldRefError, fieldValue, resourceValue, type NodeFacts } from "./field-ref.ts";
import { serviceEnv } from "./service-env.ts";

export interface EnvSources {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  services(): readonly Service[];
  readonly node: NodeFacts;
  readonly podIP: string;
}

/** Shown as the container's waiting reason CreateContainerConfigError. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Throws `ConfigError` when something it refers to is missing. */
export function containerEnv(pod: Pod, container: Container, sources: EnvSources): Record<string, string> {
  const env: Record<string, string> = {};
  const services = serviceEnv(sources.services(), pod.metadata.namespace ?? "", pod.spec.enableServiceLinks !== false);
  for (const source of container.envFrom ?? []) Object.assign(env, fromSource(source, sources));
  // Later variables may refer to earlier ones, and to Services.
  const lookup = (name: string): string | undefined => env[name] ?? services[name];
  for (const variable of container.env ?? []) {
    const value =
      variable.valueFrom === undefined
        ? expand(variable.value ?? "", lookup)
        : referenced(pod, container, variable, sources);
    if (value !== undefined) env[variable.name] = value;
  }
  return { ...services, ...env };
}

type FromSource = NonNullable<Container["envFrom"]>[number];

function fromSource(source: FromSource, sources: EnvSources): Record<string, string> {
  const prefix = source.prefix ?? "";
  const out: Record<string, string> = {};
  if (source.configMapRef !== undefined) {
    const { name = "", optional } = source.configMapRef;
    const configMap = sources.configMap(name);
    if (configMap === undefined && optional !== true) throw new ConfigError(`configmap "${name}" not found`);
    for (const [key, value] of Object.entries(configMap?.data ?? {})) out[prefix + key] = value;
  }
  if (source.secretRef !== undefined) {
    const { name = "", optional } = source.secretRef;
    const secret = sources.secret(name);
    if (secret === undefined && optional !== true) throw new ConfigError(`secret "${name}" not found`);
    for (const [key, value] of Object.entries(secret?.data ?? {})) out[prefix + key] = decode(value);
  }
  return out;
}

function referenced(pod: Pod, container: Container, variable: EnvVar, sources: EnvSources): string | undefined {
  const from = variable.valueFrom ?? {};
  const place = `${pod.metadata.namespace}/${pod.metadata.name}`;
  try {
    if (from.fieldRef !== undefined) return fieldValue(from.fieldRef.fieldPath, pod, sources.node, sources.podIP);
    if (from.resourceFieldRef !== undefined) {
      const { containerName } = from.resourceFieldRef;
      const target =
        containerName === undefined || containerName === "" ? container : findContainer(pod, containerName);
      if (target === undefined) throw new ConfigError(`couldn't find container "${containerName}" in pod ${place}`);
      return resourceValue(from.resourceFieldRef, target, sources.node);
    }
  } catch (error) {
    if (error instanceof FieldRefError) throw new ConfigError(error.message);
    throw error;
  }
  if (from.configMapKeyRef !== undefined) {
    const { name = "", key, optional } = from.configMapKeyRef;
    const configMap = sources.configMap(name);
    if (configMap === undefined && optional !== true) throw new ConfigError(`configmap "${name}" not found`);
    const value = configMap?.data?.[key];
    if (value === undefined && optional !== true)
      throw new ConfigError(`couldn't find key ${key} in ConfigMap ${pod.metadata.namespace}/${name}`);
    return value;
  }
  if (from.secretKeyRef !== undefined) {
    const { name = "", key, optional } = from.secretKeyRef;
    const secret = sources.secret(name);
    if (secret === undefined && optional !== true) throw new ConfigError(`secret "${name}" not found`);
    const value = secret?.data?.[key];
    if (value === undefined && optional !== true)
      throw new ConfigError(`couldn't find key ${key} in Secret ${pod.metadata.namespace}/${name}`);
    return value === undefined ? undefined : decode(value);
  }
  return undefined;
}

const findContainer = (pod: Pod, name: string): Container | undefined =>
  [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((container) => container.name === name);

const decode = (base64: string): string => Buffer.from(base64, "base64").toString("utf8");
