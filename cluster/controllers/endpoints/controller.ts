/** EndpointSlices and Endpoints: where the pods of each Service are, and which of them are ready. */
import type { EndpointSlice, Informer, InformerEvent, Pod, Service } from "@travelops/kube";
import {
  ENDPOINT_SLICES,
  ENDPOINTS,
  isAlreadyExists,
  isNotFound,
  joinKey,
  jsonEqual,
  keyOf,
  NODES,
  PODS,
  runController,
  selectsMap,
  SERVICES,
  sourceOf,
  splitKey,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { isNamespaceTerminating } from "../shared/pod-control.ts";
import { created, deleteExactly } from "../shared/write.ts";
import { followsPods } from "./addresses.ts";
import { MANAGED_BY, MANAGER, planSlices, SERVICE_NAME } from "./slices.ts";
import { endpointsOf } from "./subsets.ts";
import { timed, TriggerTimes } from "./trigger-times.ts";

const WORKERS = 5;
const BY_SERVICE = "service";

/** Keys of the Services whose selector takes in a pod, as it is or as it was. */
function servicesOf(services: Informer<Service>): (event: InformerEvent<Pod>) => string[] {
  return ({ object, old }) => {
    if (old !== undefined && samePlace(object, old)) return [];
    return services
      .list(object.metadata.namespace ?? "")
      .filter(
        ({ spec }) =>
          selectsMap(spec.selector, object.metadata.labels) ||
          (old !== undefined && selectsMap(spec.selector, old.metadata.labels)),
      )
      .map(keyOf);
  };
}

/** Most changes of a pod's status say nothing about its endpoints. */
function samePlace(a: Pod, b: Pod): boolean {
  const place = (pod: Pod): unknown => ({
    labels: pod.metadata.labels,
    deleting: pod.metadata.deletionTimestamp !== undefined,
    node: pod.spec.nodeName,
    ips: pod.status?.podIPs ?? pod.status?.podIP,
    phase: pod.status?.phase,
    ready: pod.status?.conditions?.find((one) => one.type === "Ready")?.status,
  });
  return jsonEqual(place(a), place(b));
}

const podsOf = (pods: Informer<Pod>, service: Service): Pod[] =>
  pods.list(service.metadata.namespace ?? "").filter((pod) => selectsMap(service.spec.selector, pod.metadata.labels));

/** Runs the controller of EndpointSlices until the signal aborts. */
export async function endpointSliceController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log } = context;
  const services = informers.of(SERVICES);
  const pods = informers.of(PODS);
  const nodes = informers.of(NODES);
  const slices = informers.of(ENDPOINT_SLICES);
  slices.addIndex(BY_SERVICE, (slice) => {
    const { namespace = "", labels } = slice.metadata;
    const service = labels?.[SERVICE_NAME];
    return service === undefined || labels?.[MANAGED_BY] !== MANAGER ? [] : [joinKey(namespace, service)];
  });
  const serviceOfSlice = ({ metadata: { namespace = "", labels } }: EndpointSlice): string[] =>
    labels?.[SERVICE_NAME] === undefined ? [] : [joinKey(namespace, labels[SERVICE_NAME])];
  const times = new TriggerTimes();

  await runController({
    name: "endpointslice",
    workers: WORKERS,
    signal,
    clock,
    log,
    sources: [
      sourceOf(nodes, () => []),
      sourceOf(services, (event) => [keyOf(event.object)]),
      sourceOf(pods, servicesOf(services)),
      sourceOf(slices, ({ object, old }) => [
        ...serviceOfSlice(object),
        ...(old === undefined ? [] : serviceOfSlice(old)),
      ]),
    ],
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const service = services.get(namespace, name);
      const existing = slices
        .byIndex(BY_SERVICE, key)
        .filter((slice) => slice.metadata.deletionTimestamp === undefined);
      if (service === undefined) times.forget(key);
      if (service === undefined || !followsPods(service)) {
        // A Service that is gone takes its slices along by its owner references.
        if (service !== undefined) for (const slice of existing) await deleteExactly(client, ENDPOINT_SLICES, slice);
        return;
      }
      if (service.metadata.deletionTimestamp !== undefined) return;
      const behind = podsOf(pods, service);
      const time = times.next(key, service, behind);
      const changes = planSlices(service, behind, existing, (node) => nodes.get("", node));
      try {
        for (const slice of changes.create) await created(client, slices, timed(slice, time));
        for (const slice of changes.update) slices.note(await client.update(ENDPOINT_SLICES, timed(slice, time)));
        for (const slice of changes.remove) await deleteExactly(client, ENDPOINT_SLICES, slice);
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
    },
  });
}

/** Runs the controller of Endpoints until the signal aborts. */
export async function endpointsController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log } = context;
  const services = informers.of(SERVICES);
  const pods = informers.of(PODS);
  const endpoints = informers.of(ENDPOINTS);
  const times = new TriggerTimes();
  await runController({
    name: "endpoint",
    workers: WORKERS,
    signal,
    clock,
    log,
    sources: [
      sourceOf(services, (event) => [keyOf(event.object)]),
      sourceOf(pods, servicesOf(services)),
      sourceOf(endpoints, (event) => [keyOf(event.object)]),
    ],
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const service = services.get(namespace, name);
      const known = endpoints.get(namespace, name);
      if (service === undefined) {
        times.forget(key);
        const ours = known?.metadata.labels?.["endpoints.kubernetes.io/managed-by"] === "endpoint-controller";
        if (known !== undefined && ours) await deleteExactly(client, ENDPOINTS, known);
        return;
      }
      if (!followsPods(service) || service.metadata.deletionTimestamp !== undefined) return;
      const behind = podsOf(pods, service);
      const time = times.next(key, service, behind);
      const wanted = endpointsOf(service, behind);
      try {
        if (known === undefined) await created(client, endpoints, timed(wanted, time));
        else if (
          !jsonEqual(known.subsets, wanted.subsets) ||
          !jsonEqual(known.metadata.labels, wanted.metadata.labels)
        ) {
          const metadata = { ...known.metadata, labels: wanted.metadata.labels };
          endpoints.note(await client.update(ENDPOINTS, timed({ ...known, metadata, subsets: wanted.subsets }, time)));
        }
      } catch (error) {
        if (isAlreadyExists(error) || isNotFound(error) || isNamespaceTerminating(error)) return;
        throw error;
      }
    },
  });
}
