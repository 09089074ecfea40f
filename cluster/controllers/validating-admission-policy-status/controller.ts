/** Says in the status of ValidatingAdmissionPolicies what in their expressions cannot be for the kinds they match. */
import type { KubeObject } from "@travelops/kube";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  parseApiVersion,
  runController,
  sourceOf,
  VALIDATING_ADMISSION_POLICIES,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import type { CheckedPolicy } from "./type-check.ts";

const MANAGER = "validatingadmissionpolicy-status";

interface Policy extends KubeObject {
  readonly spec?: CheckedPolicy;
  readonly status?: { readonly observedGeneration?: number };
}

/** Runs until the signal aborts. The engine of expressions is loaded with the first policy. */
export async function validatingAdmissionPolicyStatusController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log } = context;
  const policies = informers.of(VALIDATING_ADMISSION_POLICIES);
  await runController({
    name: MANAGER,
    signal,
    clock,
    log,
    sources: [sourceOf(policies, ({ object }) => [object.metadata.name ?? ""])],
    async reconcile(name) {
      const policy = policies.get("", name) as Policy | undefined;
      const { generation = 0 } = policy?.metadata ?? {};
      if (policy === undefined || generation <= (policy.status?.observedGeneration ?? 0)) return;
      const [{ typeWarnings }, { servedKinds }] = await Promise.all([import("./type-check.ts"), import("./kinds.ts")]);
      const customKinds = await client.list(CUSTOM_RESOURCE_DEFINITIONS);
      const expressionWarnings = typeWarnings(policy.spec ?? {}, servedKinds(customKinds.items, parseApiVersion));
      await client.apply(
        VALIDATING_ADMISSION_POLICIES,
        {
          apiVersion: policy.apiVersion,
          kind: policy.kind,
          metadata: { name },
          status: {
            observedGeneration: generation,
            typeChecking: expressionWarnings.length === 0 ? {} : { expressionWarnings },
          },
        },
        { fieldManager: MANAGER, force: true, subresource: "status" },
      );
    },
  });
}
