/** Admission of what is asked of an object without being written as it: bindings, evictions, connections, reviews. */
import type { KubeObject } from "@travelops/kube";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { admissionAttributes, type AdmissionSubject } from "./admission-attributes.ts";
import type { WriteContext } from "./write-context.ts";

/** Resolves with what is to be done in place of `subject.object`. Throws `StatusError`. */
export async function admitAction(
  core: ServerCore,
  resource: ServedResource,
  context: WriteContext,
  subject: AdmissionSubject & { readonly object: KubeObject },
): Promise<KubeObject> {
  const attributes = admissionAttributes(core, resource, context, subject);
  const { operation, subresource } = subject;
  const { admission } = core.access;
  const round = core.admissionWebhooks.round(operation, resource.row.group, resource.row.resource, subresource);
  if (round === undefined) {
    const object = admission.mutate(attributes) ?? subject.object;
    admission.validate({ ...attributes, object });
    admission.charge({ ...attributes, object });
    return object;
  }
  const { mutatePhase, validateByWebhooks } = await import("../admission/webhooks/dispatch.ts");
  const object = (await mutatePhase(core, round.mutating, attributes, context.signal)) ?? subject.object;
  const outcome = { ...attributes, object };
  admission.validate(outcome);
  await validateByWebhooks(core, round.validating, outcome, context.signal);
  admission.charge(outcome);
  return object;
}
