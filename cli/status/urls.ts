/** Where the cluster's Routes, Ingresses and HTTPRoutes answer on this machine. */
import { isNotFound, type KubeClient, type KubeObject, type Resource } from "@travelops/kube";
import { customResource } from "@travelops/kube/client/resources";

export interface UrlRow {
  /** Name of the Route, Ingress or HTTPRoute. */
  name: string;
  namespace: string;
  /** For browsers and curl: `http://NAME.apps.CLUSTER.travelops.localhost:PORT`. */
  url: string;
  /** The same on a port of 127.0.0.1, for programs that do not resolve `*.localhost`. */
  local?: string;
}

/** Written by the cluster's network on what it serves; stays the same for the object's life. */
const LOCAL_URL = "travelops.io/local-url";

const SOURCES: readonly {
  resource: Resource;
  hosts: (object: KubeObject) => string[];
  tls: (object: KubeObject) => boolean;
}[] = [
  {
    resource: customResource("route.openshift.io", "v1", "routes", "Route", true),
    hosts: (object) => [text(field(object, "spec", "host"))],
    tls: (object) => field(object, "spec", "tls") !== undefined,
  },
  {
    resource: customResource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", true),
    hosts: (object) => list(field(object, "spec", "hostnames")).map(text),
    tls: () => false,
  },
  {
    resource: customResource("networking.k8s.io", "v1", "ingresses", "Ingress", true),
    hosts: (object) => list(field(object, "spec", "rules")).map((rule) => text((rule as { host?: unknown }).host)),
    tls: (object) => list(field(object, "spec", "tls")).length > 0,
  },
];

function field(object: KubeObject, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined),
    object,
  );
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

export async function collectUrls(client: KubeClient, ingress: { http: number; https: number }): Promise<UrlRow[]> {
  const rows = await Promise.all(
    SOURCES.map(async (source) =>
      (await listOrNone(client, source.resource)).flatMap((object) => rowsOf(object, source, ingress)),
    ),
  );
  return rows.flat().toSorted((a, b) => a.name.localeCompare(b.name));
}

/** A kind that is not installed has no objects. */
async function listOrNone(client: KubeClient, resource: Resource): Promise<KubeObject[]> {
  try {
    return (await client.list(resource)).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

function rowsOf(
  object: KubeObject,
  source: (typeof SOURCES)[number],
  ingress: { http: number; https: number },
): UrlRow[] {
  const tls = source.tls(object);
  const local = object.metadata.annotations?.[LOCAL_URL];
  return source
    .hosts(object)
    .filter((host) => host !== "")
    .map((host) => ({
      name: object.metadata.name ?? "",
      namespace: object.metadata.namespace ?? "",
      url: tls ? `https://${host}:${ingress.https}` : `http://${host}:${ingress.http}`,
      ...(local === undefined ? {} : { local }),
    }));
}
