/** The variables that name Services (`REDIS_SERVICE_HOST` …): upstream's pkg/kubelet/envvars. */
import type { Service } from "@travelops/kube/api/types/index.ts";

const upper = (name: string): string => name.toUpperCase().replaceAll("-", "_");

/** Variables of the Services of `namespace` (all, or with `links` false only the API's), which shadow nothing. */
export function serviceEnv(services: readonly Service[], namespace: string, links: boolean): Record<string, string> {
  const env: Record<string, string> = {};
  const chosen = services
    .filter((service) => hasAddress(service))
    .filter((service) => isApi(service) || (links && service.metadata.namespace === namespace))
    // A Service of the pod's own namespace wins over the API's of the same name.
    .sort(
      (a, b) => Number(isApi(b)) - Number(isApi(a)) || ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1),
    );
  for (const service of chosen) Object.assign(env, variables(service));
  return env;
}

const isApi = (service: Service): boolean =>
  service.metadata.namespace === "default" && service.metadata.name === "kubernetes";

function hasAddress(service: Service): boolean {
  const ip = service.spec?.clusterIP;
  return ip !== undefined && ip !== "" && ip !== "None" && service.spec?.type !== "ExternalName";
}

function variables(service: Service): Record<string, string> {
  const name = upper(service.metadata.name ?? "");
  const host = service.spec?.clusterIP ?? "";
  const ports = service.spec?.ports ?? [];
  const first = ports[0];
  const env: Record<string, string> = { [`${name}_SERVICE_HOST`]: host };
  if (first === undefined) return env;
  env[`${name}_SERVICE_PORT`] = String(first.port);
  for (const port of ports)
    if (port.name !== undefined && port.name !== "")
      env[`${name}_SERVICE_PORT_${upper(port.name)}`] = String(port.port);
  for (const [index, port] of ports.entries()) {
    const protocol = (port.protocol ?? "TCP").toLowerCase();
    const url = `${protocol}://${host}:${port.port}`;
    const prefix = `${name}_PORT_${port.port}_${protocol.toUpperCase()}`;
    if (index === 0) env[`${name}_PORT`] = url;
    env[prefix] = url;
    env[`${prefix}_PROTO`] = protocol;
    env[`${prefix}_PORT`] = String(port.port);
    env[`${prefix}_ADDR`] = host;
  }
  return env;
}
