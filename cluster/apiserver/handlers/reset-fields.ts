/** Fields a request to an endpoint cannot change, hence never owns (upstream: GetResetFields). */
import { fieldSetOf, type FieldSet } from "@travelops/kube/schema/field-set";
import type { ServedResource } from "../registry/registry.ts";

const STATUS = fieldSetOf(["status"]);
const SPEC = fieldSetOf(["spec"]);

export function resetFieldsOf(resource: ServedResource, subresource: string): FieldSet | undefined {
  const own = resource.strategy.resetFields?.(subresource);
  if (own !== undefined) return own;
  if (subresource === "status") return SPEC;
  return subresource === "" && resource.strategy.hasStatus ? STATUS : undefined;
}
