/** CertificateSigningRequests: the server says who asks; all but the conditions and the certificate stays as it was made. */
import type { KubeObject } from "@travelops/kube";
import { fieldSetOf, type FieldSet } from "@travelops/kube/schema/field-set";
import { array, read, record, text } from "../printers/printer.ts";
import type { Strategy } from "../strategy.ts";

/** By subresource; all of a request is the server's, once it is made. */
const RESET: ReadonlyMap<string, FieldSet> = new Map([
  ["", fieldSetOf(["spec"], ["status"])],
  ["status", fieldSetOf(["spec"], ["status", "conditions"])],
  ["approval", fieldSetOf(["spec"], ["status", "certificate"])],
]);

export const certificateSigningRequests: Partial<Strategy> = {
  resetFields: (subresource) => RESET.get(subresource),
  nameFaults: () => [],
  prepareForCreate(request, { user }) {
    const { uid: _uid, extra: _extra, ...asked } = record(request["spec"]);
    const spec = {
      ...asked,
      username: user.name,
      groups: [...user.groups],
      ...((user.uid ?? "") === "" ? {} : { uid: user.uid }),
      ...(Object.keys(user.extra ?? {}).length === 0 ? {} : { extra: user.extra }),
    };
    return { ...request, spec, status: {} };
  },
  prepareForUpdate: (request, old) => ({ ...request, spec: old["spec"], status: old["status"] }),
  prepareForStatusUpdate(request, old, { now }, subresource) {
    const before = array(read(old, "status", "conditions"));
    const given = array(read(request, "status", "conditions"));
    const kept = subresource === "status" ? keepDecisions(given, before) : given;
    const conditions = kept.map((condition) => timed(record(condition), before, now));
    const { conditions: _conditions, ...status } = record(request["status"]);
    const next: KubeObject = {
      ...request,
      spec: old["spec"],
      status: conditions.length === 0 ? status : { ...status, conditions },
    };
    return next;
  },
  selectableFields: { "spec.signerName": (request) => text(read(request, "spec", "signerName")) },
};

const typeOf = (condition: unknown): string => text(read(condition, "type"));

/** A signer sends back what it has read: the decision stays word for word what it was. */
function keepDecisions(given: readonly unknown[], before: readonly unknown[]): readonly unknown[] {
  let result = given;
  for (const type of ["Approved", "Denied"]) {
    const old = before.filter((condition) => typeOf(condition) === type);
    if (old.length !== result.filter((condition) => typeOf(condition) === type).length) continue;
    let n = 0;
    result = result.map((condition) => (typeOf(condition) === type ? old[n++] : condition));
  }
  return result;
}

function timed(
  condition: Readonly<Record<string, unknown>>,
  before: readonly unknown[],
  now: string,
): Readonly<Record<string, unknown>> {
  const same = before.find(
    (each) => typeOf(each) === condition["type"] && read(each, "status") === condition["status"],
  );
  return {
    ...condition,
    lastUpdateTime: condition["lastUpdateTime"] ?? now,
    lastTransitionTime: condition["lastTransitionTime"] ?? read(same, "lastTransitionTime") ?? now,
  };
}
