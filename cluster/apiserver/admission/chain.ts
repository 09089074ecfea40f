import type { KubeObject } from "@travelops/kube";
import type { Admission } from "../access.ts";
import type { AdmissionPlugin, ClusterView } from "./plugin.ts";

/** The phases over a list of plug-ins, each phase in the list's order. */
export function admissionChain(plugins: readonly AdmissionPlugin[], view: ClusterView): Admission {
  return {
    mutate(attributes) {
      let object: KubeObject | undefined = attributes.object;
      if (attributes.operation !== "CREATE" && attributes.operation !== "UPDATE") return object;
      for (const plugin of plugins)
        if (object !== undefined && plugin.mutate !== undefined)
          object = plugin.mutate(object, { ...attributes, object }, view);
      return object;
    },
    validate(attributes) {
      for (const plugin of plugins) plugin.validate?.(attributes, view);
    },
    charge(attributes) {
      for (const plugin of plugins) plugin.charge?.(attributes, view);
    },
  };
}
