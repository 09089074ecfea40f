/** Keeps EndpointSlices for Endpoints that are written by hand: whoever routes reads slices only. */
import type { EndpointSlice } from "@travelops/kube";
import {
  ENDPOINT_SLICES,
  ENDPOINTS,
  joinKey,
  keyOf,
  runController,
  SERVICES,
  sourceOf,
  splitKey,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { isNamespaceTerminating } from "../shared/pod-control.ts";
import { created, deleteExactly } from "../shared/write.ts";
import { isMirrored, MIRROR_MANAGER, planMirror } from "./mirror.ts";
import { MANAGED_BY, SERVICE_NAME } from "./slices.ts";

const WORKERS = 2;
const BY_ENDPOINTS = "mirrored";

/** Runs the controller until the signal aborts. */
export async function endpointSliceMirroringController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log } = context;
  const services = informers.of(SERVICES);
  const endpoints = informers.of(ENDPOINTS);
  const slices = informers.of(ENDPOINT_SLICES);
  const keysOf = ({ metadata: { namespace = "", labels } }: EndpointSlice): string[] => {
    const name = labels?.[SERVICE_NAME];
    return name === undefined || labels?.[MANAGED_BY] !== MIRROR_MANAGER ? [] : [joinKey(namespace, name)];
  };
  slices.addIndex(BY_ENDPOINTS, keysOf);
  await runController({
    name: "endpointslice-mirroring",
    workers: WORKERS,
    signal,
    clock,
    log,
    sources: [
      sourceOf(services, (event) => [keyOf(event.object)]),
      sourceOf(endpoints, (event) => [keyOf(event.object)]),
      sourceOf(slices, ({ object, old }) => [...keysOf(object), ...(old === undefined ? [] : keysOf(old))]),
    ],
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const source = endpoints.get(namespace, name);
      const existing = slices
        .byIndex(BY_ENDPOINTS, key)
        .filter((slice) => slice.metadata.deletionTimestamp === undefined);
      if (source === undefined || !isMirrored(source, services.get(namespace, name))) {
        for (const slice of existing) await deleteExactly(client, ENDPOINT_SLICES, slice);
        return;
      }
      const changes = planMirror(source, existing);
      try {
        for (const slice of changes.create) await created(client, slices, slice);
        for (const slice of changes.update) slices.note(await client.update(ENDPOINT_SLICES, slice));
        for (const slice of changes.remove) await deleteExactly(client, ENDPOINT_SLICES, slice);
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
    },
  });
}
