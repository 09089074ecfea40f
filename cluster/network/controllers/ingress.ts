/** networking.k8s.io Ingress → front. Pure. */
import type { Ingress, IngressBackend, IngressClass } from "@travelops/kube";
import type { FrontConfig, HostConfig, HttpRule, WeightedBackend } from "../config.ts";
import { createdAt, defaultHost, ownerOf, targetOf, type World } from "./world.ts";

export const INGRESS_CONTROLLER = "travelops.io/ingress-controller";
const CLASS_ANNOTATION = "kubernetes.io/ingress.class";
const DEFAULT_CLASS_ANNOTATION = "ingressclass.kubernetes.io/is-default-class";

/** Whether this ingress is ours: its class names our controller, or it names none and ours is the default. */
export function servesIngress(ingress: Ingress, classes: readonly IngressClass[]): boolean {
  const name = ingress.spec?.ingressClassName ?? ingress.metadata.annotations?.[CLASS_ANNOTATION];
  if (name !== undefined)
    return classes.some((c) => c.metadata.name === name && c.spec?.controller === INGRESS_CONTROLLER);
  const defaults = classes.filter((c) => c.metadata.annotations?.[DEFAULT_CLASS_ANNOTATION] === "true");
  return defaults.some((c) => c.spec?.controller === INGRESS_CONTROLLER);
}

export function compileIngress(ingress: Ingress, world: World): FrontConfig {
  const namespace = ingress.metadata.namespace ?? "";
  const rulesOf = new Map<string, HttpRule[]>();
  const add = (hostname: string, rule: HttpRule): void =>
    void rulesOf.set(hostname, [...(rulesOf.get(hostname) ?? []), rule]);
  const anyHost = [defaultHost(ingress, world.appsDomain), "*"];
  for (const rule of ingress.spec?.rules ?? []) {
    for (const hostname of rule.host === undefined || rule.host === "" ? anyHost : [rule.host.toLowerCase()]) {
      for (const path of rule.http?.paths ?? []) {
        const type = path.pathType === "Exact" ? "Exact" : "PathPrefix";
        add(hostname, ruleOf(type, path.path ?? "/", backendOf(path.backend, namespace, world)));
      }
      if (rule.http === undefined && !rulesOf.has(hostname)) rulesOf.set(hostname, []);
    }
  }
  const { defaultBackend } = ingress.spec ?? {};
  if (defaultBackend !== undefined) {
    // It takes what fits no rule: of these hosts, and of all others.
    const hosts = rulesOf.size === 0 ? anyHost : new Set([...rulesOf.keys(), "*"]);
    for (const hostname of hosts) add(hostname, ruleOf("RawPrefix", "", backendOf(defaultBackend, namespace, world)));
  }
  return {
    owner: ownerOf(ingress),
    namespace,
    name: ingress.metadata.name ?? "",
    created: createdAt(ingress),
    hosts: [...rulesOf].map(([hostname, rules]): HostConfig => {
      const certificate = certificateFor(ingress, hostname, world);
      return {
        hostname,
        ...(hostname.startsWith("*.") ? { oneLabel: true } : {}),
        http: "serve",
        https: "serve",
        rules,
        ...(certificate === undefined ? {} : { certificate }),
      };
    }),
  };
}

const ruleOf = (type: "Exact" | "PathPrefix" | "RawPrefix", value: string, backend: WeightedBackend): HttpRule => ({
  match: {
    path: { type, value: value === "" && type !== "RawPrefix" ? "/" : value },
    headers: [],
    query: [],
  },
  filters: [],
  backends: [backend],
});

function backendOf(backend: IngressBackend, namespace: string, world: World): WeightedBackend {
  if (backend.service === undefined)
    return {
      kind: "invalid",
      weight: 1,
      why: "Only Services are supported as backends of an Ingress; spec.…backend.resource is not.",
    };
  const { name, port } = backend.service;
  const service = world.service(namespace, name);
  const number = port?.number ?? service?.spec.ports?.find((p) => p.name === port?.name)?.port;
  if (service === undefined || number === undefined) {
    return {
      kind: "service",
      weight: 1,
      target: { service: `${namespace}/${name}`, port: number ?? 0, protocol: "http" },
      filters: [],
    };
  }
  return { kind: "service", weight: 1, target: targetOf(service, number), filters: [] };
}

function certificateFor(ingress: Ingress, hostname: string, world: World): { cert: string; key: string } | undefined {
  for (const tls of ingress.spec?.tls ?? []) {
    const covers = tls.hosts === undefined || tls.hosts.length === 0 || tls.hosts.some((h) => namesHost(h, hostname));
    if (covers && tls.secretName !== undefined)
      return world.certificate(ingress.metadata.namespace ?? "", tls.secretName);
  }
  return undefined;
}

/** `*.a.b` names `x.a.b`, not `y.x.a.b`. */
function namesHost(pattern: string, hostname: string): boolean {
  const name = pattern.toLowerCase();
  return name === hostname || (name.startsWith("*.") && hostname.replace(/^[^.*]+/, "*") === name);
}
