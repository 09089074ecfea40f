/** Fields of features that are switched off: taken from a client, and not kept, as upstream does. */
import type { KubeObject } from "@travelops/kube";

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;

/** As it was where nothing is dropped. */
function without(value: Fields, keys: readonly string[]): Fields {
  if (keys.every((key) => value[key] === undefined)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

function each(value: Fields, key: string, change: (item: Fields) => Fields): Fields {
  const list = value[key];
  if (!Array.isArray(list)) return value;
  let changed = false;
  const next = list.map((item: unknown) => {
    const made = isFields(item) ? change(item) : item;
    changed ||= made !== item;
    return made;
  });
  return changed ? { ...value, [key]: next } : value;
}

function inside(value: Fields, key: string, change: (inner: Fields) => Fields): Fields {
  const inner = value[key];
  if (!isFields(inner)) return value;
  const made = change(inner);
  return made === inner ? value : { ...value, [key]: made };
}

const container = (value: Fields): Fields => (value["lifecycle"] === undefined ? value : withoutEmptyLifecycle(value));

/** A lifecycle that said nothing else goes with it. */
function withoutEmptyLifecycle(value: Fields): Fields {
  const lifecycle = value["lifecycle"];
  if (!isFields(lifecycle) || lifecycle["stopSignal"] === undefined) return value;
  const rest = without(lifecycle, ["stopSignal"]);
  return Object.keys(rest).length === 0 ? without(value, ["lifecycle"]) : { ...value, lifecycle: rest };
}

const volume = (value: Fields): Fields =>
  value["projected"] === undefined
    ? value
    : inside(value, "projected", (projected) =>
        each(projected, "sources", (source) => without(source, ["clusterTrustBundle", "podCertificate"])),
      );

function podSpec(spec: Fields): Fields {
  let next = without(spec, ["workloadRef"]);
  for (const key of ["containers", "initContainers", "ephemeralContainers"]) next = each(next, key, container);
  return each(next, "volumes", volume);
}

/** A pod without what is not kept. */
export const withoutDropped = <T extends KubeObject>(pod: T): T => inside(pod, "spec", podSpec) as T;

const STATUSES = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];

/** The status of a pod without what is not kept. */
export function withoutDroppedStatus(status: Fields): Fields {
  let next = without(status, ["allocatedResources", "resources", "extendedResourceClaimStatus"]);
  for (const key of STATUSES) next = each(next, key, (one) => without(one, ["allocatedResourcesStatus"]));
  return next;
}

const template = (value: Fields): Fields => inside(value, "template", (of) => inside(of, "spec", podSpec));

/** A workload whose template is without what is not kept. `path`: where the template is in it. */
export function withoutDroppedInTemplate<T extends KubeObject>(object: T, path: readonly string[]): T {
  const walk = (value: Fields, [key, ...rest]: readonly string[]): Fields =>
    key === undefined ? template(value) : inside(value, key, (inner) => walk(inner, rest));
  return walk(object, path) as T;
}
