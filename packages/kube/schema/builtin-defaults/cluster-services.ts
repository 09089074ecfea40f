/** The smaller groups: networking, storage, rbac, admission, scheduling, discovery, flow control, devices, extensions. */
import type { JsonObject } from "../json-value.ts";
import { all, at, each, given, listLength, objectAt, type Rule, set, setUnset, when } from "./combinators.ts";

export const networking: Readonly<Record<string, Rule>> = {
  IngressClass: at("spec", at("parameters", setUnset({ scope: "Cluster" }))),
  NetworkPolicy: at(
    "spec",
    (spec) =>
      listLength(spec["policyTypes"]) > 0
        ? spec
        : { ...spec, policyTypes: listLength(spec["egress"]) > 0 ? ["Ingress", "Egress"] : ["Ingress"] },
    each("ingress", each("ports", setUnset({ protocol: "TCP" }))),
    each("egress", each("ports", setUnset({ protocol: "TCP" }))),
  ),
};

export const discovery: Readonly<Record<string, Rule>> = {
  EndpointSlice: each("ports", setUnset({ name: "", protocol: "TCP" })),
};

export const storage: Readonly<Record<string, Rule>> = {
  StorageClass: setUnset({ reclaimPolicy: "Delete", volumeBindingMode: "Immediate" }),
  CSIDriver: at(
    "spec",
    setUnset({
      attachRequired: true,
      podInfoOnMount: false,
      storageCapacity: false,
      fsGroupPolicy: "ReadWriteOnceWithFSType",
      requiresRepublish: false,
      seLinuxMount: false,
    }),
    (spec) => (listLength(spec["volumeLifecycleModes"]) > 0 ? spec : { ...spec, volumeLifecycleModes: ["Persistent"] }),
  ),
};

const RBAC = "rbac.authorization.k8s.io";

/** Users and groups belong to the RBAC group, service accounts to the core group. */
const subject: Rule = given((value) => value["kind"] === "User" || value["kind"] === "Group", set({ apiGroup: RBAC }));

const binding: Rule = all(at("roleRef", set({ apiGroup: RBAC })), each("subjects", subject));

export const rbac: Readonly<Record<string, Rule>> = { RoleBinding: binding, ClusterRoleBinding: binding };

const scope: Rule = setUnset({ scope: "*" });

const webhook: Rule = all(
  setUnset({
    failurePolicy: "Fail",
    matchPolicy: "Equivalent",
    namespaceSelector: {},
    objectSelector: {},
    timeoutSeconds: 10,
  }),
  each("rules", scope),
  at("clientConfig", at("service", setUnset({ port: 443 }))),
);

const matchResources: Rule = all(
  setUnset({ matchPolicy: "Equivalent", namespaceSelector: {}, objectSelector: {} }),
  each("resourceRules", scope),
  each("excludeResourceRules", scope),
);

export const admission: Readonly<Record<string, Rule>> = {
  ValidatingWebhookConfiguration: each("webhooks", webhook),
  MutatingWebhookConfiguration: each("webhooks", webhook, setUnset({ reinvocationPolicy: "Never" })),
  ValidatingAdmissionPolicy: at("spec", setUnset({ failurePolicy: "Fail" }), at("matchConstraints", matchResources)),
  ValidatingAdmissionPolicyBinding: at("spec", at("matchResources", matchResources)),
};

export const scheduling: Readonly<Record<string, Rule>> = {
  PriorityClass: setUnset({ preemptionPolicy: "PreemptLowerPriority" }),
};

const isQueue = (response: JsonObject): boolean => response["type"] === "Queue";

export const flowControl: Readonly<Record<string, Rule>> = {
  FlowSchema: at("spec", set({ matchingPrecedence: 1000 })),
  PriorityLevelConfiguration: at(
    "spec",
    at("exempt", setUnset({ nominalConcurrencyShares: 0, lendablePercent: 0 })),
    at(
      "limited",
      setUnset({ nominalConcurrencyShares: 30, lendablePercent: 0 }),
      at("limitResponse", given(isQueue, at("queuing", set({ queues: 64, handSize: 8, queueLengthLimit: 50 })))),
    ),
  ),
};

const deviceRequest: Rule = all(
  set({ allocationMode: "ExactCount" }),
  given((request) => request["allocationMode"] === "ExactCount", set({ count: 1 })),
  each("tolerations", set({ operator: "Equal" })),
);

const claimSpec: Rule = at(
  "devices",
  each("requests", at("exactly", deviceRequest), each("firstAvailable", deviceRequest)),
);

export const devices: Readonly<Record<string, Rule>> = {
  ResourceClaim: at("spec", claimSpec),
  ResourceClaimTemplate: at("spec", at("spec", claimSpec)),
};

const kindOf = (names: JsonObject): string => (typeof names["kind"] === "string" ? names["kind"] : "");

const names: Rule = all(
  when("singular", (value) => kindOf(value).toLowerCase()),
  when("listKind", (value) => (kindOf(value) === "" ? undefined : `${kindOf(value)}List`)),
);

export const extensions: Readonly<Record<string, Rule>> = {
  CustomResourceDefinition: at(
    "spec",
    at("names", names),
    (spec) =>
      Object.keys(objectAt(spec, "conversion")).length > 0 ? spec : { ...spec, conversion: { strategy: "None" } },
    at("conversion", at("webhook", at("clientConfig", at("service", setUnset({ port: 443 }))))),
  ),
};

export const registration: Readonly<Record<string, Rule>> = {
  APIService: at("spec", at("service", setUnset({ port: 443 }))),
};

export const authentication: Readonly<Record<string, Rule>> = {
  TokenRequest: at("spec", setUnset({ expirationSeconds: 3600 })),
};
