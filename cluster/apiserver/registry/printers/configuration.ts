import type { KubeObject } from "@travelops/kube";
import {
  age,
  AGE,
  array,
  number,
  printer,
  read,
  record,
  since,
  text,
  type Cell,
  type Column,
  type Printer,
} from "./printer.ts";

const NONE = "<none>";

const size = (value: unknown): number => Object.keys(record(value)).length;

export const configMaps: Printer = printer([["Data"], AGE], [], (object, now) => [
  size(object["data"]) + size(object["binaryData"]),
  age(object, now),
]);

export const secrets: Printer = printer([["Type"], ["Data"], AGE], [], (object, now) => [
  text(object["type"]),
  size(object["data"]),
  age(object, now),
]);

export const serviceAccounts: Printer = printer([AGE], [], (object, now) => [age(object, now)]);

const quotaText = (hard: Readonly<Record<string, unknown>>, used: unknown, limits: boolean): string =>
  Object.keys(hard)
    .filter((name) => name.startsWith("limits") === limits)
    .sort()
    .map((name) => `${name}: ${text(read(used, name), "0")}/${text(hard[name])}`)
    .join(", ");

export const resourceQuotas: Printer = printer([["Request"], ["Limit"], AGE], [], (object, now) => {
  const hard = record(read(object, "status", "hard"));
  const used = read(object, "status", "used");
  return [quotaText(hard, used, false), quotaText(hard, used, true), age(object, now)];
});

const column = (name: string, priority = 0): Column => ({
  name,
  type: "string",
  format: "",
  description: "",
  priority,
});

function subject(event: KubeObject): unknown {
  return event["regarding"] ?? event["involvedObject"];
}

/** Events have a series, a count, or neither; what is shown as last seen depends on it. */
function eventCells(event: KubeObject, now: number): Cell[] {
  const series = event["series"];
  const first =
    text(event["firstTimestamp"], text(event["deprecatedFirstTimestamp"])) || text(event["eventTime"]) || undefined;
  const last =
    text(read(series, "lastObservedTime")) ||
    text(event["lastTimestamp"], text(event["deprecatedLastTimestamp"])) ||
    first;
  const total = number(read(series, "count")) || number(event["count"]) || number(event["deprecatedCount"]) || 1;
  const object = subject(event);
  const source = record(event["source"] ?? event["deprecatedSource"]);
  const component = text(source["component"]) || text(event["reportingComponent"], text(event["reportingController"]));
  const host = text(source["host"]);
  return [
    since(last, now),
    text(event["type"]),
    text(event["reason"]),
    `${text(read(object, "kind")).toLowerCase()}/${text(read(object, "name"))}`,
    text(read(object, "fieldPath")),
    host === "" ? component : `${component}, ${host}`,
    text(event["message"], text(event["note"])).trim(),
    since(first, now),
    total,
    event.metadata.name ?? "",
  ];
}

export const events: Printer = {
  columns: [
    column("Last Seen"),
    column("Type"),
    column("Reason"),
    column("Object"),
    column("Subobject", 1),
    column("Source", 1),
    column("Message"),
    column("First Seen", 1),
    column("Count", 1),
    { ...column("Name", 1), format: "name" },
  ],
  cells: eventCells,
};

export const namespaces: Printer = printer([["Status"], AGE], [], (object, now) => [
  text(read(object, "status", "phase")),
  age(object, now),
]);

function nodeStatus(node: KubeObject): string {
  const ready = array(read(node, "status", "conditions")).find((condition) => read(condition, "type") === "Ready");
  const status = ready === undefined ? "Unknown" : read(ready, "status") === "True" ? "Ready" : "NotReady";
  return read(node, "spec", "unschedulable") === true ? `${status},SchedulingDisabled` : status;
}

const ROLE_PREFIX = "node-role.kubernetes.io/";

function nodeRoles(node: KubeObject): string {
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return [key.slice(ROLE_PREFIX.length)];
    return key === "kubernetes.io/role" && value !== "" ? [value] : [];
  });
  return roles.length > 0 ? roles.sort().join(",") : NONE;
}

const nodeAddress = (node: KubeObject, type: string): string =>
  text(
    read(
      array(read(node, "status", "addresses")).find((address) => read(address, "type") === type),
      "address",
    ),
    NONE,
  );

export const nodes: Printer = printer(
  [["Status"], ["Roles"], AGE, ["Version"]],
  [["Internal-IP"], ["External-IP"], ["OS-Image"], ["Kernel-Version"], ["Container-Runtime"]],
  (node, now) => {
    const info = record(read(node, "status", "nodeInfo"));
    return [
      nodeStatus(node),
      nodeRoles(node),
      age(node, now),
      text(info["kubeletVersion"]),
      nodeAddress(node, "InternalIP"),
      nodeAddress(node, "ExternalIP"),
      text(info["osImage"]) || "<unknown>",
      text(info["kernelVersion"]) || "<unknown>",
      text(info["containerRuntimeVersion"]) || "<unknown>",
    ];
  },
);

export const leases: Printer = printer([["Holder"], AGE], [], (object, now) => [
  text(read(object, "spec", "holderIdentity")),
  age(object, now),
]);

export const priorityClasses: Printer = printer(
  [["Value", "integer"], ["Global-Default", "boolean"], AGE, ["PreemptionPolicy"]],
  [],
  (object, now) => [
    number(object["value"]),
    object["globalDefault"] === true,
    age(object, now),
    text(object["preemptionPolicy"]),
  ],
);

export const runtimeClasses: Printer = printer([["Handler"], AGE], [], (object, now) => [
  text(object["handler"]),
  age(object, now),
]);

export const componentStatuses: Printer = printer([["Status"], ["Message"], ["Error"]], [], (object) => {
  const condition = array(object["conditions"]).find((c) => read(c, "type") === "Healthy");
  const healthy = read(condition, "status") === "True";
  return [healthy ? "Healthy" : "Unhealthy", text(read(condition, "message")), text(read(condition, "error"))];
});
