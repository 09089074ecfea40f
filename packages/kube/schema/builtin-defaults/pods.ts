/** Pods and the pod templates of workloads. */
import { formatQuantity } from "../../api/quantity.ts";
import { isObject, type JsonObject } from "../json-value.ts";
import { all, at, each, fill, given, objectAt, type Rule, set, setUnset, when } from "./combinators.ts";
import { podTotals } from "../pod-totals.ts";
import { pullPolicy } from "./image-policy.ts";
import { objectField, volume } from "./volumes.ts";

const httpGet: Rule = at("httpGet", set({ path: "/", scheme: "HTTP" }));

const probe: Rule = all(
  set({ timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 }),
  httpGet,
  at("grpc", setUnset({ service: "" })),
);

const env: Rule = at("valueFrom", at("fieldRef", objectField), at("fileKeyRef", setUnset({ optional: false })));

const container: Rule = all(
  set({ terminationMessagePath: "/dev/termination-log", terminationMessagePolicy: "File" }),
  when("imagePullPolicy", pullPolicy("image")),
  each("ports", set({ protocol: "TCP" })),
  each("env", env),
  at("livenessProbe", probe),
  at("readinessProbe", probe),
  at("startupProbe", probe),
  at("lifecycle", at("postStart", httpGet), at("preStop", httpGet)),
);

/** Both names of the service account say the same; the newer one wins. */
function serviceAccount(spec: JsonObject): JsonObject {
  const name = spec["serviceAccountName"] ?? spec["serviceAccount"];
  if (name === undefined || (spec["serviceAccountName"] === name && spec["serviceAccount"] === name)) return spec;
  return { ...spec, serviceAccountName: name, serviceAccount: name };
}

const podSpec: Rule = all(
  set({ dnsPolicy: "ClusterFirst", restartPolicy: "Always", schedulerName: "default-scheduler" }),
  setUnset({ securityContext: {}, terminationGracePeriodSeconds: 30 }),
  serviceAccount,
  each("volumes", volume),
  each("initContainers", container),
  each("containers", container),
  each("ephemeralContainers", container),
);

export const podTemplate: Rule = at("spec", podSpec);

/** What is limited and not requested is requested as limited. */
const requestsFromLimits: Rule = at("resources", (resources) => {
  const requests = fill(resources["requests"], resources["limits"]);
  return requests === undefined ? resources : { ...resources, requests };
});

const isHuge = (name: string): boolean => name.startsWith("hugepages-");
const isOfPods = (name: string): boolean => name === "cpu" || name === "memory" || isHuge(name);
const isEmpty = (value: unknown): boolean => !isObject(value) || Object.keys(value).length === 0;

/** Entries that a map of quantities does not have yet. */
function filled(value: unknown, from: Iterable<readonly [name: string, value: unknown]>): JsonObject | undefined {
  const have: JsonObject = isObject(value) ? value : {};
  const missing = [...from].filter(([name]) => !Object.hasOwn(have, name));
  return missing.length === 0 ? undefined : { ...have, ...Object.fromEntries(missing) };
}

function totals(spec: JsonObject, key: "limits" | "requests", wanted: (name: string) => boolean): [string, string][] {
  return [...podTotals(spec, key)].flatMap(([name, quantity]) =>
    wanted(name) ? [[name, formatQuantity(quantity)] as [string, string]] : [],
  );
}

/** A pod's own limits of huge pages are those of its containers, where it says anything of its own. */
const podLimits: Rule = (spec) => {
  const resources = objectAt(spec, "resources");
  const requests = objectAt(resources, "requests");
  if (isEmpty(resources["limits"]) && isEmpty(requests)) return spec;
  const huge = totals(spec, "limits", (name) => isHuge(name) && !Object.hasOwn(requests, name));
  const limits = filled(resources["limits"], huge);
  return limits === undefined ? spec : { ...spec, resources: { ...resources, limits } };
};

/** Limits of the pod as a whole are requests too: what its containers request, else the limit. */
const podRequests: Rule = (spec) => {
  const resources = objectAt(spec, "resources");
  const { limits } = resources;
  if (isEmpty(limits)) return spec;
  const ofContainers = totals(spec, "requests", (name) => name === "cpu" || name === "memory");
  const ofPod = Object.entries(isObject(limits) ? limits : {}).filter(([name]) => isOfPods(name));
  const requests = filled(resources["requests"], new Map([...ofPod, ...ofContainers]));
  return requests === undefined ? spec : { ...spec, resources: { ...resources, requests } };
};

/** On the host's network a container port is the host's port. */
const hostPorts: Rule = each("ports", (port) =>
  port["hostPort"] === undefined ? { ...port, hostPort: port["containerPort"] } : port,
);

const onHostNetwork = (spec: JsonObject): boolean => spec["hostNetwork"] === true;

const isNegative = (value: unknown): boolean => typeof value === "number" && value < 0;

export const pod: Rule = at(
  "spec",
  setUnset({ enableServiceLinks: true }),
  each("containers", requestsFromLimits),
  each("initContainers", requestsFromLimits),
  given((spec) => isObject(spec["resources"]), podLimits, podRequests),
  given(onHostNetwork, each("containers", hostPorts), each("initContainers", hostPorts)),
  podSpec,
  given(
    (spec) => isNegative(spec["terminationGracePeriodSeconds"]),
    (spec) => ({ ...spec, terminationGracePeriodSeconds: 1 }),
  ),
);

/** The labels of a workload's template. */
export function templateLabels(object: JsonObject): JsonObject | undefined {
  const labels = objectAt(objectAt(objectAt(object, "spec"), "template"), "metadata")["labels"];
  return isObject(labels) ? labels : undefined;
}

/** Without labels of its own the object takes those of its template. */
export function labelsFromTemplate(object: JsonObject): JsonObject {
  const metadata = objectAt(object, "metadata");
  const labels = templateLabels(object);
  return labels === undefined || metadata["labels"] !== undefined
    ? object
    : { ...object, metadata: { ...metadata, labels } };
}
