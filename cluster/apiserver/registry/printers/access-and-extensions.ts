import type { KubeObject } from "@travelops/kube";
import { age, AGE, array, number, printer, read, record, since, text, type Printer } from "./printer.ts";

const NONE = "<none>";

const subjects = (binding: KubeObject, kind: string): string =>
  array(binding["subjects"])
    .filter((subject) => read(subject, "kind") === kind)
    .map((subject) =>
      kind === "ServiceAccount"
        ? `${text(read(subject, "namespace"))}/${text(read(subject, "name"))}`
        : text(read(subject, "name")),
    )
    .join(", ");

export const roleBindings: Printer = printer(
  [["Role"], AGE],
  [["Users"], ["Groups"], ["ServiceAccounts"]],
  (object, now) => [
    `${text(read(object, "roleRef", "kind"))}/${text(read(object, "roleRef", "name"))}`,
    age(object, now),
    subjects(object, "User"),
    subjects(object, "Group"),
    subjects(object, "ServiceAccount"),
  ],
);

function requestCondition(request: KubeObject): string {
  const conditions = array(read(request, "status", "conditions"));
  const types = ["Approved", "Denied", "Failed"].filter((type) =>
    conditions.some((condition) => read(condition, "type") === type),
  );
  const issued = text(read(request, "status", "certificate")) !== "" ? ["Issued"] : [];
  return [...(types.length > 0 ? types : ["Pending"]), ...issued].join(",");
}

export const certificateSigningRequests: Printer = printer(
  [AGE, ["SignerName"], ["Requestor"], ["RequestedDuration"], ["Condition"]],
  [],
  (object, now) => {
    const seconds = read(object, "spec", "expirationSeconds");
    return [
      age(object, now),
      text(read(object, "spec", "signerName"), NONE),
      text(read(object, "spec", "username")),
      typeof seconds === "number" ? since(new Date(now - seconds * 1000).toISOString(), now) : NONE,
      requestCondition(object),
    ];
  },
);

const webhooks: Printer = printer([["Webhooks", "integer"], AGE], [], (object, now) => [
  array(object["webhooks"]).length,
  age(object, now),
]);
export const webhookConfigurations: Printer = webhooks;

export const admissionPolicies: Printer = printer(
  [["Validations", "integer"], ["ParamKind"], AGE],
  [],
  (object, now) => {
    const kind = record(read(object, "spec", "paramKind"));
    return [
      array(read(object, "spec", "validations")).length,
      kind["kind"] === undefined ? "<unset>" : `${text(kind["apiVersion"])}/${text(kind["kind"])}`,
      age(object, now),
    ];
  },
);

export const admissionPolicyBindings: Printer = printer([["PolicyName"], ["ParamRef"], AGE], [], (object, now) => {
  const reference = record(read(object, "spec", "paramRef"));
  const namespace = text(reference["namespace"]);
  const name = text(reference["name"]);
  return [
    text(read(object, "spec", "policyName")),
    reference["name"] === undefined ? "<unset>" : namespace === "" ? `*/${name}` : `${namespace}/${name}`,
    age(object, now),
  ];
});

export const apiServices: Printer = printer([["Service"], ["Available"], AGE], [], (object, now) => {
  const service = record(read(object, "spec", "service"));
  const condition = array(read(object, "status", "conditions")).find((c) => read(c, "type") === "Available");
  const status = text(read(condition, "status"), "Unknown");
  return [
    service["name"] === undefined ? "Local" : `${text(service["namespace"])}/${text(service["name"])}`,
    status === "True" ? status : `${status} (${text(read(condition, "reason"))})`,
    age(object, now),
  ];
});

export const flowSchemas: Printer = printer(
  [["PriorityLevel"], ["MatchingPrecedence"], ["DistinguisherMethod"], AGE, ["MissingPL"]],
  [],
  (object, now) => {
    const dangling = array(read(object, "status", "conditions")).find((c) => read(c, "type") === "Dangling");
    return [
      text(read(object, "spec", "priorityLevelConfiguration", "name"), NONE),
      number(read(object, "spec", "matchingPrecedence")),
      text(read(object, "spec", "distinguisherMethod", "type"), NONE),
      age(object, now),
      text(read(dangling, "status"), "?"),
    ];
  },
);

export const priorityLevels: Printer = printer(
  [["Type"], ["NominalConcurrencyShares"], ["Queues"], ["HandSize"], ["QueueLengthLimit"], AGE],
  [],
  (object, now) => {
    const limited = read(object, "spec", "limited");
    const queuing = read(limited, "limitResponse", "queuing");
    return [
      text(read(object, "spec", "type")),
      text(read(limited, "nominalConcurrencyShares"), NONE),
      text(read(queuing, "queues"), NONE),
      text(read(queuing, "handSize"), NONE),
      text(read(queuing, "queueLengthLimit"), NONE),
      age(object, now),
    ];
  },
);

export const ageOnly: Printer = printer([AGE], [], (object, now) => [age(object, now)]);

export const resourceClaims: Printer = printer([["State"], AGE], [], (object, now) => {
  const states: string[] = [];
  if (object.metadata.deletionTimestamp !== undefined) states.push("deleted");
  if (read(object, "status", "allocation") === undefined) {
    if (object.metadata.deletionTimestamp === undefined) states.push("pending");
  } else {
    states.push("allocated", array(read(object, "status", "reservedFor")).length > 0 ? "reserved" : "");
  }
  return [states.filter((state) => state !== "").join(","), age(object, now)];
});

export const resourceSlices: Printer = printer([["Node"], ["Driver"], ["Pool"], AGE], [], (object, now) => [
  text(read(object, "spec", "nodeName"), "<unset>"),
  text(read(object, "spec", "driver")),
  text(read(object, "spec", "pool", "name")),
  age(object, now),
]);
