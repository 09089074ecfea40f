import type { KubeObject } from "@travelops/kube";
import type { Store, StoredObject } from "../../store/store.ts";
import type { AdmissionAttributes } from "../access.ts";

/** What plug-ins may look at: the committed objects, and for counting the staged ones. They never write. */
export type ClusterView = Pick<Store, "get" | "list" | "listStaged">;

/** One check or change. Pure: returns the object (the same one where it changes nothing), throws `StatusError`. */
export interface AdmissionPlugin {
  readonly name: string;
  /**
   * Runs where an object comes in (CREATE, UPDATE); its result is what the next plug-in sees. Run again when a webhook
   * has changed the object, hence idempotent.
   */
  readonly mutate?: (object: KubeObject, attributes: AdmissionAttributes, view: ClusterView) => KubeObject;
  /** Runs after every change was made, by webhooks too, and the object is valid; on DELETE and CONNECT too. */
  readonly validate?: (attributes: AdmissionAttributes, view: ClusterView) => void;
  /** Runs when all others, validating webhooks included, have agreed. */
  readonly charge?: (attributes: AdmissionAttributes, view: ClusterView) => void;
}

/** Whether the request writes this resource itself, not a subresource of it. */
export const writes = (attributes: AdmissionAttributes, group: string, resource: string): boolean =>
  attributes.group === group && attributes.resource === resource && attributes.subresource === "";

export const lookUp = (view: ClusterView, table: string, namespace: string, name: string): KubeObject | undefined =>
  view.get({ table, namespace, name })?.object;

export const objectsOf = (view: Pick<ClusterView, "list">, table: string, namespace = ""): readonly KubeObject[] =>
  view.list(table, { namespace }).items.map((item: StoredObject) => item.object);

/** The name a refusal carries: that of the object, or what its name will begin with. */
export const shownName = ({ name, object }: AdmissionAttributes): string =>
  name !== "" ? name : (object?.metadata.name ?? object?.metadata.generateName ?? "");

/** A copy of `object` with fields of its spec replaced. */
export function withSpec(object: KubeObject, fields: Record<string, unknown>): KubeObject {
  return { ...object, spec: { ...(object["spec"] as object | undefined), ...fields } };
}
