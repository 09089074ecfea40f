/** The FlowSchemas and PriorityLevelConfigurations every cluster has (apiserver/pkg/apis/flowcontrol/bootstrap). */
import type { KubeObject } from "@travelops/kube";

export const LEVELS = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io";
export const SCHEMAS = "flowschemas.flowcontrol.apiserver.k8s.io";

const API_VERSION = "flowcontrol.apiserver.k8s.io/v1";
const annotations = { "apf.kubernetes.io/autoupdate-spec": "true" };

type Queues = readonly [queues: number, handSize: number];

function level(name: string, shares: number, lendablePercent: number, queues?: Queues): KubeObject {
  const limitResponse =
    queues === undefined
      ? { type: "Reject" }
      : { type: "Queue", queuing: { queues: queues[0], handSize: queues[1], queueLengthLimit: 50 } };
  const spec =
    name === "exempt"
      ? { type: "Exempt", exempt: { nominalConcurrencyShares: shares, lendablePercent } }
      : { type: "Limited", limited: { nominalConcurrencyShares: shares, lendablePercent, limitResponse } };
  return {
    apiVersion: API_VERSION,
    kind: "PriorityLevelConfiguration",
    metadata: { name, generation: 1, annotations },
    spec,
    status: {},
  };
}

const group = (name: string) => ({ kind: "Group", group: { name } });
const user = (name: string) => ({ kind: "User", user: { name } });
const SYSTEM_ACCOUNTS = { kind: "ServiceAccount", serviceAccount: { name: "*", namespace: "kube-system" } };
const EVERYBODY = [group("system:unauthenticated"), group("system:authenticated")];
const NODES = [group("system:nodes")];

const resources = (verbs: string[], apiGroups: string[], names: string[], clusterScope: boolean) => ({
  verbs,
  apiGroups,
  resources: names,
  namespaces: ["*"],
  ...(clusterScope ? { clusterScope } : {}),
});
const ALL_RESOURCES = [resources(["*"], ["*"], ["*"], true)];
const ALL_PATHS = [{ verbs: ["*"], nonResourceURLs: ["*"] }];
const LEASES = ["coordination.k8s.io"];

interface Rules {
  readonly resourceRules?: readonly unknown[];
  readonly nonResourceRules?: readonly unknown[];
}

const EVERYTHING: Rules = { resourceRules: ALL_RESOURCES, nonResourceRules: ALL_PATHS };

/** Whether a schema's level is there, as its condition Dangling says it. */
export function danglingCondition(level: string, exists: boolean, now: string) {
  const about = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  const found = exists
    ? { status: "False", reason: "Found", message: `${about} and it exists` }
    : { status: "True", reason: "NotFound", message: `${about} but there is no such object` };
  return { type: "Dangling", ...found, lastTransitionTime: now };
}

function schema(
  name: string,
  levelName: string,
  matchingPrecedence: number,
  distinguisher: "" | "ByUser" | "ByNamespace",
  subjects: readonly unknown[],
  rules: Rules = EVERYTHING,
): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: "FlowSchema",
    metadata: { name, generation: 1, annotations },
    spec: {
      matchingPrecedence,
      priorityLevelConfiguration: { name: levelName },
      ...(distinguisher === "" ? {} : { distinguisherMethod: { type: distinguisher } }),
      rules: [{ subjects, ...rules }],
    },
    status: {},
  };
}

export const bootstrapLevels = (): KubeObject[] => [
  level("exempt", 0, 0),
  level("catch-all", 5, 0),
  level("system", 30, 33, [64, 6]),
  level("node-high", 40, 25, [64, 6]),
  level("leader-election", 10, 0, [16, 4]),
  level("workload-high", 40, 50, [128, 6]),
  level("workload-low", 100, 90, [128, 6]),
  level("global-default", 20, 50, [128, 6]),
];

/** With what their conditions say from `now` on: their levels are made with them. */
export const bootstrapSchemas = (now: string): KubeObject[] =>
  schemas().map((object) => {
    const { name } = (object["spec"] as { priorityLevelConfiguration: { name: string } }).priorityLevelConfiguration;
    return { ...object, status: { conditions: [danglingCondition(name, true, now)] } };
  });

const schemas = (): KubeObject[] => [
  schema("exempt", "exempt", 1, "", [group("system:masters")]),
  schema("probes", "exempt", 2, "", EVERYBODY, {
    nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/healthz", "/readyz", "/livez"] }],
  }),
  schema(
    "system-leader-election",
    "leader-election",
    100,
    "ByUser",
    [user("system:kube-controller-manager"), user("system:kube-scheduler"), SYSTEM_ACCOUNTS],
    { resourceRules: [resources(["get", "create", "update"], LEASES, ["leases"], false)] },
  ),
  schema("system-node-high", "node-high", 400, "ByUser", NODES, {
    resourceRules: [
      resources(["*"], [""], ["nodes", "nodes/status"], true),
      resources(["*"], LEASES, ["leases"], false),
    ],
  }),
  schema("system-nodes", "system", 500, "ByUser", NODES),
  schema("kube-controller-manager", "workload-high", 800, "ByNamespace", [user("system:kube-controller-manager")]),
  schema("kube-scheduler", "workload-high", 800, "ByNamespace", [user("system:kube-scheduler")]),
  schema("kube-system-service-accounts", "workload-high", 900, "ByNamespace", [SYSTEM_ACCOUNTS]),
  schema("service-accounts", "workload-low", 9000, "ByUser", [group("system:serviceaccounts")]),
  schema("global-default", "global-default", 9900, "ByUser", EVERYBODY),
  schema("catch-all", "catch-all", 10_000, "ByUser", EVERYBODY),
];
