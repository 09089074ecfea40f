/** Endpoints and network policies: what is dropped of them, and what their writers are told. */
import type { KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { array, read, record, text } from "../printers/printer.ts";
import type { Strategy } from "../strategy.ts";
import { addressWarnings, rangeWarnings } from "../warnings/address-warnings.ts";

const HOSTNAME = "kubernetes.io/hostname";

/** The older field for places is read only: who writes it, loses it. Node names that stood in it are kept. */
function withoutTopology(slice: KubeObject, old: KubeObject | undefined): KubeObject {
  const endpoints = array(slice["endpoints"]);
  if (endpoints.every((endpoint) => read(endpoint, "deprecatedTopology") === undefined)) return slice;
  if (old !== undefined && equalJson(endpoints, old["endpoints"] ?? null)) return slice;
  const held = new Set(
    array(old?.["endpoints"]).map((endpoint) => text(read(endpoint, "deprecatedTopology", HOSTNAME))),
  );
  return {
    ...slice,
    endpoints: endpoints.map((endpoint) => {
      const { deprecatedTopology: topology, ...rest } = record(endpoint);
      const node = text(read(topology, HOSTNAME));
      return rest["nodeName"] === undefined && node !== "" && held.has(node) ? { ...rest, nodeName: node } : rest;
    }),
  };
}

const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
const CONTROLLERS: ReadonlySet<string> = new Set([
  "endpointslice-controller.k8s.io",
  "endpointslicemirroring-controller.k8s.io",
]);

export const endpointSlices: Partial<Strategy> = {
  prepareForCreate: (slice) => withoutTopology(slice, undefined),
  prepareForUpdate: withoutTopology,
  warnings(slice, old) {
    const said =
      old === undefined && slice["addressType"] === "FQDN" ? ["spec.addressType: FQDN endpoints are deprecated"] : [];
    if (CONTROLLERS.has(slice.metadata.labels?.[MANAGED_BY] ?? "")) return said;
    array(slice["endpoints"]).forEach((endpoint, i) =>
      array(read(endpoint, "addresses")).forEach((address, j) =>
        said.push(...addressWarnings(text(address), `endpoints[${i}].addresses[${j}]`)),
      ),
    );
    return said;
  },
};

export const endpoints: Partial<Strategy> = {
  warnings(object) {
    if (object.metadata.labels?.["endpoints.kubernetes.io/managed-by"] === "endpoint-controller") return [];
    return array(object["subsets"]).flatMap((subset, i) =>
      ["addresses", "notReadyAddresses"].flatMap((kind) =>
        array(read(subset, kind)).flatMap((address, j) =>
          addressWarnings(text(read(address, "ip")), `subsets[${i}].${kind}[${j}].ip`),
        ),
      ),
    );
  },
};

const DIRECTIONS = [
  ["ingress", "from"],
  ["egress", "to"],
] as const;

export const networkPolicies: Partial<Strategy> = {
  warnings: (policy) =>
    DIRECTIONS.flatMap(([direction, peers]) =>
      array(read(policy, "spec", direction)).flatMap((rule, i) =>
        array(read(rule, peers)).flatMap((peer, j) => {
          const path = `spec.${direction}[${i}].${peers}[${j}].ipBlock`;
          const block = read(peer, "ipBlock");
          if (block === undefined) return [];
          return [
            ...rangeWarnings(text(read(block, "cidr")), `${path}.cidr`),
            ...array(read(block, "except")).flatMap((range, k) => rangeWarnings(text(range), `${path}.except[${k}]`)),
          ];
        }),
      ),
    ),
};
