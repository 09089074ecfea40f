import { forbidden } from "@travelops/kube";
import type { KubeObject } from "@travelops/kube";
import { compareQuantity, formatQuantity } from "@travelops/kube/api/quantity";
import type { Quantity } from "@travelops/kube/api/quantity";
import type { AdmissionAttributes } from "../access.ts";
import type { AdmissionPlugin, ClusterView } from "./plugin.ts";
import { objectsOf, shownName, withSpec, writes } from "./plugin.ts";
import { amountsOf, podAmounts } from "./pod-resources.ts";
import type { Amounts } from "./pod-resources.ts";
import { podSpec } from "./pod-shape.ts";
import type { ContainerShape } from "./pod-shape.ts";

type ResourceList = Readonly<Record<string, string | number>>;

interface LimitItem {
  readonly type: string;
  readonly max?: ResourceList;
  readonly min?: ResourceList;
  readonly default?: ResourceList;
  readonly defaultRequest?: ResourceList;
  readonly maxLimitRequestRatio?: ResourceList;
}

const ANNOTATION = "kubernetes.io/limit-ranger";

/** Fills in and checks what containers, pods and claims ask for, by the namespace's LimitRanges. */
export const limitRanger: AdmissionPlugin = {
  name: "LimitRanger",
  mutate(object, attributes, view) {
    if (!writes(attributes, "", "pods") || attributes.operation !== "CREATE") return object;
    return limitsOf(view, attributes.namespace).reduce(
      (pod, item) => (item.type === "Container" ? fillIn(pod, item) : pod),
      object,
    );
  },
  validate(attributes, view) {
    const { object, operation } = attributes;
    if (object === undefined || (operation !== "CREATE" && operation !== "UPDATE")) return;
    const isPod = writes(attributes, "", "pods") && operation === "CREATE";
    if (!isPod && !writes(attributes, "", "persistentvolumeclaims")) return;
    const faults = limitsOf(view, attributes.namespace).flatMap((item) => faultsOf(item, object, isPod));
    if (faults.length > 0) refuse(attributes, faults);
  },
};

const limitsOf = (view: ClusterView, namespace: string): LimitItem[] =>
  objectsOf(view, "limitranges.", namespace).flatMap(
    (range) => (range["spec"] as { limits?: LimitItem[] } | undefined)?.limits ?? [],
  );

function refuse({ group, resource, ...attributes }: AdmissionAttributes, faults: readonly string[]): never {
  const why = faults.length === 1 ? (faults[0] ?? "") : `[${faults.join(", ")}]`;
  throw forbidden({ group, resource }, shownName({ group, resource, ...attributes }), why);
}

function fillIn(pod: KubeObject, item: LimitItem): KubeObject {
  const notes: string[] = [];
  const fill =
    (kind: string) =>
    (container: ContainerShape): ContainerShape => {
      const { requests = {}, limits = {} } = container.resources ?? {};
      // A limit that was given is a request, too, before a default is.
      const lacksRequest = Object.keys(item.defaultRequest ?? {}).filter(
        (name) => requests[name] === undefined && limits[name] === undefined,
      );
      const lacksLimit = Object.keys(item.default ?? {}).filter((name) => limits[name] === undefined);
      if (lacksRequest.length > 0)
        notes.push(`${lacksRequest.toSorted().join(", ")} request for ${kind} ${container.name}`);
      if (lacksLimit.length > 0) notes.push(`${lacksLimit.toSorted().join(", ")} limit for ${kind} ${container.name}`);
      if (lacksRequest.length === 0 && lacksLimit.length === 0) return container;
      // An empty list is none: stored as one, it would make every later write of the pod a change of its spec.
      const lists = {
        limits: { ...limits, ...pick(item.default, lacksLimit) },
        requests: { ...requests, ...pick(item.defaultRequest, lacksRequest) },
      };
      const said = Object.fromEntries(Object.entries(lists).filter(([, list]) => Object.keys(list).length > 0));
      return { ...container, resources: { ...container.resources, ...said } };
    };
  const { containers = [], initContainers = [] } = podSpec(pod);
  const filled = withSpec(pod, {
    containers: containers.map(fill("container")),
    ...(initContainers.length === 0 ? {} : { initContainers: initContainers.map(fill("init container")) }),
  });
  if (notes.length === 0) return pod;
  const annotations = {
    ...pod.metadata.annotations,
    [ANNOTATION]: `LimitRanger plugin set: ${notes.join("; ")}`,
  };
  return { ...filled, metadata: { ...pod.metadata, annotations } };
}

const pick = (list: ResourceList | undefined, names: readonly string[]): ResourceList =>
  Object.fromEntries(Object.entries(list ?? {}).filter(([name]) => names.includes(name)));

function faultsOf(item: LimitItem, object: KubeObject, isPod: boolean): string[] {
  if (!isPod) {
    const requests = amountsOf(
      (object["spec"] as { resources?: { requests?: ResourceList } } | undefined)?.resources?.requests,
    );
    return item.type === "PersistentVolumeClaim" ? compareAll(item, requests, new Map(), false) : [];
  }
  if (item.type === "Pod") return compareAll(item, podAmounts(object, "requests"), podAmounts(object, "limits"), true);
  if (item.type !== "Container") return [];
  const { containers = [], initContainers = [] } = podSpec(object);
  return [...containers, ...initContainers].flatMap(({ resources }) =>
    compareAll(item, amountsOf(resources?.requests), amountsOf(resources?.limits), true),
  );
}

/** `withLimits`: whether what is checked has limits at all (a claim has requests alone). */
function compareAll(item: LimitItem, requests: Amounts, limits: Amounts, withLimits: boolean): string[] {
  const faults: string[] = [];
  const each = (
    list: ResourceList | undefined,
    check: (name: string, bound: Quantity, request?: Quantity, limit?: Quantity) => string,
  ): void => {
    for (const [name, bound] of amountsOf(list)) {
      const fault = check(name, bound, requests.get(name), limits.get(name));
      if (fault !== "") faults.push(fault);
    }
  };
  each(item.min, (name, bound, request, limit) =>
    minimum(`minimum ${name} usage per ${item.type} is ${formatQuantity(bound)}`, bound, request, limit),
  );
  each(item.max, (name, bound, request, limit) =>
    maximum(`maximum ${name} usage per ${item.type} is ${formatQuantity(bound)}`, bound, request, limit, withLimits),
  );
  each(item.maxLimitRequestRatio, (name, bound, request, limit) =>
    ratio(`${name} max limit to request ratio per ${item.type} is ${formatQuantity(bound)}`, bound, request, limit),
  );
  return faults;
}

function minimum(text: string, bound: Quantity, request: Quantity | undefined, limit: Quantity | undefined): string {
  if (request === undefined) return `${text}.  No request is specified`;
  if (compareQuantity(request, bound) < 0) return `${text}, but request is ${formatQuantity(request)}`;
  return limit !== undefined && compareQuantity(limit, bound) < 0
    ? `${text}, but limit is ${formatQuantity(limit)}`
    : "";
}

function maximum(
  text: string,
  bound: Quantity,
  request: Quantity | undefined,
  limit: Quantity | undefined,
  withLimits: boolean,
): string {
  if (limit === undefined && withLimits) return `${text}.  No limit is specified`;
  if (limit !== undefined && compareQuantity(limit, bound) > 0) return `${text}, but limit is ${formatQuantity(limit)}`;
  return request !== undefined && compareQuantity(request, bound) > 0
    ? `${text}, but request is ${formatQuantity(request)}`
    : "";
}

function ratio(text: string, bound: Quantity, request: Quantity | undefined, limit: Quantity | undefined): string {
  if (request === undefined || request.nano === 0n) return `${text}, but no request is specified or request is 0`;
  if (limit === undefined || limit.nano === 0n) return `${text}, but no limit is specified or limit is 0`;
  const given = Number(limit.nano) / Number(request.nano);
  return given > Number(bound.nano) / 1e9 ? `${text}, but provided ratio is ${given.toFixed(6)}` : "";
}
