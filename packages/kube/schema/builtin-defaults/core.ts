/** The core group. */
import { isObject, type JsonObject, setKey } from "../json-value.ts";
import { all, at, each, fill, given, listLength, objectAt, type Rule, set, setUnset } from "./combinators.ts";
import { labelsFromTemplate, pod, podTemplate, templateLabels } from "./pods.ts";
import { claim, persistentVolume } from "./volumes.ts";

const isType =
  (...types: readonly string[]) =>
  (spec: JsonObject): boolean =>
    types.includes(String(spec["type"]));

const servicePort: Rule = all(set({ protocol: "TCP" }), (port) =>
  port["targetPort"] === undefined || port["targetPort"] === 0 || port["targetPort"] === ""
    ? { ...port, targetPort: port["port"] ?? 0 }
    : port,
);

function affinity(spec: JsonObject): JsonObject {
  if (spec["sessionAffinity"] !== "ClientIP") {
    if (spec["sessionAffinityConfig"] === undefined) return spec;
    const { sessionAffinityConfig: _, ...rest } = spec;
    return rest;
  }
  const config = objectAt(spec, "sessionAffinityConfig");
  const clientIP = objectAt(config, "clientIP");
  if (clientIP["timeoutSeconds"] !== undefined) return spec;
  return { ...spec, sessionAffinityConfig: { ...config, clientIP: { ...clientIP, timeoutSeconds: 10_800 } } };
}

const isExternal = (spec: JsonObject): boolean =>
  isType("NodePort", "LoadBalancer")(spec) || (isType("ClusterIP")(spec) && listLength(spec["externalIPs"]) > 0);

const service: Rule = at(
  "spec",
  set({ sessionAffinity: "None", type: "ClusterIP" }),
  affinity,
  each("ports", servicePort),
  given(isExternal, set({ externalTrafficPolicy: "Cluster" })),
  given(isType("ClusterIP", "NodePort", "LoadBalancer"), setUnset({ internalTrafficPolicy: "Cluster" })),
  given(isType("LoadBalancer"), setUnset({ allocateLoadBalancerNodePorts: true })),
);

/** `stringData` is written, never read: its values end up in `data`. */
function stringData(secret: JsonObject): JsonObject {
  const { stringData: texts, ...rest } = secret;
  if (texts === undefined) return secret;
  if (!isObject(texts)) return rest;
  const data: JsonObject = { ...objectAt(secret, "data") };
  for (const key of Object.keys(texts)) setKey(data, key, Buffer.from(String(texts[key]), "utf8").toString("base64"));
  return Object.keys(data).length === 0 ? rest : { ...rest, data };
}

const NAME_LABEL = "kubernetes.io/metadata.name";

function namespaceLabel(namespace: JsonObject): JsonObject {
  const metadata = objectAt(namespace, "metadata");
  const name = metadata["name"];
  const labels = objectAt(metadata, "labels");
  if (typeof name !== "string" || name === "" || labels[NAME_LABEL] === name) return namespace;
  return { ...namespace, metadata: { ...metadata, labels: { ...labels, [NAME_LABEL]: name } } };
}

const namespace: Rule = all(namespaceLabel, at("status", set({ phase: "Active" })));

/** A node that says what it has, and not what may be used of it, offers all of it. */
const offersAll: Rule = (status) => {
  const capacity = status["capacity"];
  return isObject(capacity) && status["allocatable"] === undefined ? { ...status, allocatable: capacity } : status;
};

/** The one range of older clients is the first of the list. */
const podRanges: Rule = (spec) => {
  const { podCIDR, podCIDRs } = spec;
  if (podCIDRs === undefined) return podCIDR === undefined ? spec : { ...spec, podCIDRs: [podCIDR] };
  return podCIDR === undefined && Array.isArray(podCIDRs) ? { ...spec, podCIDR: podCIDRs[0] } : spec;
};

const node: Rule = all(at("status", offersAll), at("spec", podRanges));

const setIfNew = (object: JsonObject, key: string, value: unknown): JsonObject =>
  value === object[key] ? object : { ...object, [key]: value };

/** A limit for containers: the default is the maximum, the default request the default, else the minimum. */
const limit: Rule = given(isType("Container"), (item) => {
  const defaults = fill(item["default"], item["max"]) ?? item["default"];
  const fromDefault = fill(item["defaultRequest"], defaults) ?? item["defaultRequest"];
  const requests = fill(fromDefault, item["min"]) ?? fromDefault;
  return setIfNew(setIfNew(item, "default", defaults), "defaultRequest", requests);
});

const replicationController: Rule = all(
  at("spec", setUnset({ replicas: 1 }), at("template", podTemplate)),
  (controller) => {
    const labels = templateLabels(controller);
    const spec = objectAt(controller, "spec");
    return labels === undefined || spec["selector"] !== undefined
      ? controller
      : { ...controller, spec: { ...spec, selector: labels } };
  },
  labelsFromTemplate,
);

export const core: Readonly<Record<string, Rule>> = {
  Pod: pod,
  PodTemplate: at("template", podTemplate),
  ReplicationController: replicationController,
  Service: service,
  Endpoints: each("subsets", each("ports", set({ protocol: "TCP" }))),
  Secret: all(stringData, set({ type: "Opaque" })),
  Namespace: namespace,
  Node: node,
  LimitRange: at("spec", each("limits", limit)),
  PersistentVolume: persistentVolume,
  PersistentVolumeClaim: claim,
};
