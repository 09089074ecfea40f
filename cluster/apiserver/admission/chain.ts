import type { KubeObject } from "@travelops/kube";
import type { Admit } from "../access.ts";
import type { AdmissionPlugin, ClusterView } from "./plugin.ts";

/** Runs plug-ins in order: first every change, then every check, on what came out of the changes. */
export function admissionChain(plugins: readonly AdmissionPlugin[], view: ClusterView): Admit {
  return (attributes) => {
    let object: KubeObject | undefined = attributes.object;
    if (attributes.operation === "CREATE" || attributes.operation === "UPDATE") {
      for (const plugin of plugins)
        if (object !== undefined && plugin.mutate !== undefined)
          object = plugin.mutate(object, { ...attributes, object }, view);
    }
    const outcome = object === attributes.object ? attributes : { ...attributes, object };
    for (const plugin of plugins) plugin.validate?.(outcome, view);
    return object;
  };
}
