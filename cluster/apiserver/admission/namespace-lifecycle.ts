import { forbidden, notFound, StatusError } from "@travelops/kube";
import type { AdmissionAttributes } from "../access.ts";
import type { AdmissionPlugin, ClusterView } from "./plugin.ts";
import { lookUp, shownName } from "./plugin.ts";

const IMMORTAL: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);

/** Nothing new comes into a namespace that is missing or ends; the cluster's own are not deleted. */
export const namespaceLifecycle: AdmissionPlugin = {
  name: "NamespaceLifecycle",
  // Before anything else looks for what is in the namespace.
  mutate(object, attributes, view) {
    check(attributes, view);
    return object;
  },
  validate(attributes, view) {
    if (attributes.operation === "DELETE") check(attributes, view);
  },
};

function check(attributes: AdmissionAttributes, view: ClusterView): void {
  const { operation, group, resource, namespace, name, subresource } = attributes;
  if (group === "" && resource === "namespaces") {
    if (operation === "DELETE" && subresource === "" && IMMORTAL.has(name)) {
      throw forbidden({ group, resource }, name, "this namespace may not be deleted");
    }
    return;
  }
  // A review is an answer and lives nowhere.
  if (operation !== "CREATE" || namespace === "" || group === "authorization.k8s.io") return;
  const found = lookUp(view, "namespaces.", "", namespace);
  if (found === undefined) throw notFound({ group: "", resource: "namespaces" }, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const refusal = forbidden(
    { group, resource },
    shownName(attributes),
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  throw new StatusError(403, "Forbidden", refusal.message, {
    ...refusal.status.details,
    causes: [
      {
        reason: "NamespaceTerminating",
        message: `namespace ${namespace} is being terminated`,
        field: "metadata.namespace",
      },
    ],
  });
}
