/** Pods and the pod templates of workloads. */
import { addQuantity, formatQuantity, tryParseQuantity } from "../../api/quantity.ts";
import { isObject, type JsonObject } from "../json-value.ts";
import { all, at, each, fill, given, objectAt, type Rule, set, setUnset, when } from "./combinators.ts";
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

/** What the containers request of a resource together. */
function requested(spec: JsonObject, resource: string): string | undefined {
  const containers: unknown[] = Array.isArray(spec["containers"]) ? spec["containers"] : [];
  const found = containers.flatMap((item) => {
    const quantity = isObject(item)
      ? tryParseQuantity(objectAt(objectAt(item, "resources"), "requests")[resource])
      : undefined;
    return quantity === undefined ? [] : [quantity];
  });
  return found.length === 0 ? undefined : formatQuantity(found.reduce(addQuantity));
}

/** Limits of the pod as a whole are requests too: what its containers request, else the limit. */
const podRequests: Rule = (spec) => {
  const resources = objectAt(spec, "resources");
  const requests = fill(resources["requests"], resources["limits"]);
  if (requests === undefined) return spec;
  const own = objectAt(resources, "requests");
  for (const key of Object.keys(requests))
    if (!Object.hasOwn(own, key)) requests[key] = requested(spec, key) ?? requests[key];
  return { ...spec, resources: { ...resources, requests } };
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
  podRequests,
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
