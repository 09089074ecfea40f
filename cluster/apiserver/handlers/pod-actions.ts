/** Actions on pods that are POSTed: binding to a node, and eviction under disruption budgets. */
import {
  badRequest,
  conflict,
  notFound,
  StatusError,
  tooManyRequests,
  type KubeObject,
  type Status,
} from "@travelops/kube";
import { selects, type LabelSelector } from "@travelops/kube/client/selectors";
import { kindNode } from "@travelops/kube/schema/table";
import type { ApiCall } from "../request/api-call.ts";
import {
  decodeBody,
  expectKind,
  fieldValidationOf,
  optionalObject,
  pruneUnknown,
  type ExpectedKind,
} from "../request/body-codec.ts";
import { objectReply, type Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { array, number, read, record, text } from "../registry/printers/printer.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { admitAction } from "./admit-action.ts";
import { deleteObject, type DeleteOptions } from "./delete-object.ts";
import { requireStored } from "./read.ts";
import { updateObject } from "./update-object.ts";
import { dryRunOf, writeContext, type WriteContext } from "./write-context.ts";

const PODS = { group: "", resource: "pods" };

async function decodeAction(call: ApiCall, expected: ExpectedKind): Promise<KubeObject> {
  const schema = kindNode(expected.group, expected.version, expected.kind);
  if (schema === undefined) throw badRequest(`${expected.kind} is not known to this server`);
  const validation = fieldValidationOf(call.query);
  const { value, duplicates } = await decodeBody(await call.readBody(), validation !== "Ignore");
  return pruneUnknown(call, schema, expectKind(value, expected), duplicates, validation);
}

const created: Status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };

const TOPOLOGY = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];

/** Where a node stands, which its pods are told as labels of their own. */
function topologyOf(core: ServerCore, node: string): Record<string, string> {
  const nodes = core.registry.get("", "v1", "nodes");
  const stored = nodes === undefined ? undefined : core.store.get({ table: nodes.table, namespace: "", name: node });
  const labels = Object.entries(stored?.object.metadata.labels ?? {});
  return Object.fromEntries(labels.filter(([key]) => TOPOLOGY.includes(key)));
}

function bound(pod: KubeObject, binding: KubeObject, node: string, now: string): KubeObject {
  const name = pod.metadata.name ?? "";
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(PODS, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const assigned = text(read(pod, "spec", "nodeName"));
  if (assigned !== "")
    throw conflict(PODS, name, `pod ${name} is already assigned to node ${JSON.stringify(assigned)}`);
  if (array(read(pod, "spec", "schedulingGates")).length > 0) {
    throw conflict(PODS, name, `pod ${name} has non-empty .spec.schedulingGates`);
  }
  const conditions = array(read(pod, "status", "conditions")).filter(
    (condition) => read(condition, "type") !== "PodScheduled",
  );
  // That a node was being cleared for it is no news any more.
  const { nominatedNodeName: _, ...status } = record(pod["status"]);
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(binding.metadata.annotations === undefined
        ? {}
        : { annotations: { ...pod.metadata.annotations, ...binding.metadata.annotations } }),
      ...(binding.metadata.labels === undefined
        ? {}
        : { labels: { ...pod.metadata.labels, ...binding.metadata.labels } }),
    },
    spec: { ...record(pod["spec"]), nodeName: node },
    status: {
      ...status,
      conditions: [
        ...conditions,
        { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: now },
      ],
    },
  };
}

/** `POST pods/NAME/binding`, and the older `POST bindings` whose name stands in the body. */
export async function handleBinding(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  podName: string,
): Promise<Reply> {
  const pods = core.registry.get("", "v1", "pods");
  if (pods === undefined) throw notFound(PODS, podName);
  const binding = await decodeAction(call, { group: "", version: "v1", kind: "Binding" });
  const name = podName === "" ? text(binding.metadata.name) : podName;
  const kind = text(read(binding, "target", "kind"), "Node");
  const node = text(read(binding, "target", "name"));
  if (kind !== "Node" && kind !== "") throw badRequest(`the target of a binding must be a Node, not a ${kind}`);
  if (node === "") throw badRequest("target.name: Required value");
  const given = text(binding.metadata.name);
  if (given !== name) throw badRequest("name in URL does not match name in Binding object");
  const labels = { ...topologyOf(core, node), ...binding.metadata.labels };
  if (Object.keys(labels).length > 0) binding.metadata.labels = labels;
  const context = writeContext(core, call, info);
  const bindings = podName === "" ? (core.registry.get("", "v1", "bindings") ?? pods) : pods;
  await admitAction(core, bindings, context, {
    operation: "CREATE",
    subresource: podName === "" ? "" : "binding",
    namespace: info.namespace,
    name,
    object: binding,
    oldObject: undefined,
  });
  const uid = binding.metadata.uid;
  await updateObject(
    core,
    pods,
    {
      namespace: info.namespace,
      name,
      subresource: "binding",
      produce(current) {
        const pod = current as KubeObject;
        if (uid !== undefined && uid !== "" && uid !== pod.metadata.uid) {
          throw conflict(
            PODS,
            name,
            `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid ?? ""}`,
          );
        }
        return bound(pod, binding, node, context.now);
      },
    },
    { ...context, admission: "none" },
  );
  return objectReply(created, 201);
}

const budgetOf = (core: ServerCore, namespace: string, pod: KubeObject): KubeObject[] =>
  core.store
    .list("poddisruptionbudgets.policy", { namespace })
    .items.map(({ object }) => object)
    .filter((budget) => {
      const selector = read(budget, "spec", "selector") as LabelSelector | undefined;
      return selects(selector, pod.metadata.labels);
    });

const isReady = (pod: KubeObject): boolean =>
  array(read(pod, "status", "conditions")).some((c) => read(c, "type") === "Ready" && read(c, "status") === "True");

/** Pods that do not count for any budget: not running yet, or over. */
const evictsFreely = (pod: KubeObject): boolean =>
  pod.metadata.deletionTimestamp !== undefined ||
  ["Succeeded", "Failed", "Pending"].includes(text(read(pod, "status", "phase")));

async function spendBudget(
  core: ServerCore,
  budget: KubeObject,
  pod: KubeObject,
  context: WriteContext,
): Promise<void> {
  const resource = core.registry.find("policy", "poddisruptionbudgets");
  if (resource === undefined) return;
  const name = budget.metadata.name ?? "";
  await updateObject(
    core,
    resource,
    {
      namespace: budget.metadata.namespace ?? "",
      name,
      subresource: "status",
      produce(current) {
        const before = current as KubeObject;
        const status = record(before["status"]);
        const allowed = number(status["disruptionsAllowed"]);
        const observed = number(status["observedGeneration"]);
        if (observed < (before.metadata.generation ?? 0)) {
          throw tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 10, [
            {
              reason: "DisruptionBudget",
              message: `The disruption budget ${name} is still being processed by the server.`,
            },
          ]);
        }
        if (allowed <= 0) {
          throw tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0, [
            {
              reason: "DisruptionBudget",
              message: `The disruption budget ${name} needs ${number(status["desiredHealthy"])} healthy pods and has ${number(status["currentHealthy"])} currently`,
            },
          ]);
        }
        const disruptedPods = { ...record(status["disruptedPods"]), [pod.metadata.name ?? ""]: context.now };
        return { ...before, status: { ...status, disruptionsAllowed: allowed - 1, disruptedPods } };
      },
    },
    context,
  );
}

/** `POST pods/NAME/eviction`: a deletion that disruption budgets have to allow. */
export async function handleEviction(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  const eviction = await decodeAction(call, { group: "policy", version: "v1", kind: "Eviction" });
  const given = text(eviction.metadata.name);
  if (given !== "" && given !== info.name) throw badRequest("name in URL does not match name in Eviction object");
  const base = writeContext(core, call, info);
  const asked = optionalObject(eviction["deleteOptions"], "DeleteOptions") ?? {};
  const dryRun =
    base.dryRun ||
    dryRunOf(
      array(asked["dryRun"]).map((value) => text(value)),
      "DeleteOptions",
    );
  const pod = requireStored(core, resource, info).object;
  await admitAction(
    core,
    resource,
    { ...base, dryRun },
    {
      operation: "CREATE",
      subresource: "eviction",
      namespace: info.namespace,
      name: info.name,
      object: eviction,
      oldObject: undefined,
    },
  );
  // Neither the budget's status nor the deletion is asked about once more, as upstream.
  const context: WriteContext = { ...base, dryRun, admission: "none" };
  if (!evictsFreely(pod)) {
    const budgets = budgetOf(core, info.namespace, pod);
    if (budgets.length > 1) {
      throw new StatusError(
        500,
        "InternalError",
        "Internal error occurred: This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
      );
    }
    const [budget] = budgets;
    const policy = text(read(budget, "spec", "unhealthyPodEvictionPolicy"), "IfHealthyBudget");
    const healthyEnough =
      number(read(budget, "status", "currentHealthy")) >= number(read(budget, "status", "desiredHealthy"));
    const exempt = !isReady(pod) && (policy === "AlwaysAllow" || healthyEnough);
    if (budget !== undefined && !exempt) await spendBudget(core, budget, pod, context);
  }
  const preconditions = record(asked["preconditions"]);
  const options: DeleteOptions = {
    gracePeriodSeconds: typeof asked["gracePeriodSeconds"] === "number" ? asked["gracePeriodSeconds"] : undefined,
    propagation: undefined,
    uid: typeof preconditions["uid"] === "string" ? preconditions["uid"] : undefined,
    resourceVersion:
      typeof preconditions["resourceVersion"] === "string" ? preconditions["resourceVersion"] : undefined,
    dryRun,
  };
  await deleteObject(
    core,
    resource,
    { table: resource.table, namespace: info.namespace, name: info.name },
    options,
    context,
  );
  return objectReply(created, 201);
}
