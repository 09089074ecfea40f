/** Subresources that write one part of an object, and leave the rest as it is. */
import type { KubeObject } from "@travelops/kube";
import { array, read, record } from "./printers/printer.ts";

type Part = (wanted: KubeObject, current: KubeObject) => KubeObject;

const withSpec = (wanted: KubeObject, current: KubeObject, spec: Readonly<Record<string, unknown>>): KubeObject => ({
  ...current,
  metadata: {
    ...current.metadata,
    ...(wanted.metadata.resourceVersion === undefined ? {} : { resourceVersion: wanted.metadata.resourceVersion }),
    ...(wanted.metadata.managedFields === undefined ? {} : { managedFields: wanted.metadata.managedFields }),
  },
  spec: { ...record(current["spec"]), ...spec },
});

/** New resources for the containers there are, by name. */
const resized = (wanted: unknown, current: unknown): unknown[] =>
  array(current).map((container) => {
    const match = array(wanted).find((other) => read(other, "name") === read(container, "name"));
    if (match === undefined) return container;
    const resources = read(match, "resources");
    const resizePolicy = read(match, "resizePolicy");
    return {
      ...record(container),
      ...(resources === undefined ? {} : { resources }),
      ...(resizePolicy === undefined ? {} : { resizePolicy }),
    };
  });

const PARTS: Readonly<Record<string, Part>> = {
  finalize: (wanted, current) => {
    const finalizers = array(read(wanted, "spec", "finalizers"));
    const { finalizers: _before, ...spec } = record(current["spec"]);
    return { ...withSpec(wanted, current, {}), spec: finalizers.length > 0 ? { ...spec, finalizers } : spec };
  },
  ephemeralcontainers: (wanted, current) =>
    withSpec(wanted, current, { ephemeralContainers: array(read(wanted, "spec", "ephemeralContainers")) }),
  resize: (wanted, current) => {
    const initContainers = read(current, "spec", "initContainers");
    return withSpec(wanted, current, {
      containers: resized(read(wanted, "spec", "containers"), read(current, "spec", "containers")),
      ...(initContainers === undefined
        ? {}
        : { initContainers: resized(read(wanted, "spec", "initContainers"), initContainers) }),
    });
  },
  approval: (wanted, current) => ({
    ...current,
    metadata: wanted.metadata,
    status: { ...record(current["status"]), conditions: array(read(wanted, "status", "conditions")) },
  }),
};

/** What a subresource takes over from a request; undefined for subresources that are no part. */
export const subresourcePart = (subresource: string): Part | undefined =>
  Object.hasOwn(PARTS, subresource) ? PARTS[subresource] : undefined;
