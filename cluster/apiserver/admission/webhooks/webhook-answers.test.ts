/** Whatever a webhook answers, the sender gets a Status that is the webhook's fault, and the server goes on. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { StatusError, type KubeObject } from "@travelops/kube";
import { PODS } from "@travelops/kube/client/resources";
import {
  CONFIG_MAPS,
  configMap,
  type HookedServer,
  type Review,
  RULE,
  startHookedServer,
} from "../../testing/hooked-server.ts";

let hooked: HookedServer;
let answer: (review: Review) => unknown = () => ({});

beforeAll(async () => {
  hooked = await startHookedServer();
  for (const [phase, name] of [
    ["Mutating", "m"],
    ["Validating", "v"],
  ] as const) {
    hooked.answers.set(name, (review) => answer(review));
    await hooked.configure(phase, name, {
      rules: [{ ...RULE, operations: ["CREATE"], resources: ["configmaps", "pods"] }],
    });
  }
});
afterAll(() => hooked.close());

const word = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom("v1", "JSONPatch", "Success", "Failure", "W10="));
const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), word, fc.integer({ min: -1, max: 100_000 }));
const status = fc.oneof(
  value,
  fc.record(
    {
      code: value,
      message: value,
      reason: value,
      status: value,
      details: fc.oneof(value, fc.record({ causes: value })),
    },
    { requiredKeys: [] },
  ),
);
const path = fc.constantFrom(
  "",
  "/",
  "/metadata",
  "/metadata/labels",
  "/metadata/name",
  "/data",
  "/data/k",
  "/kind",
  "/spec",
  "/spec/containers",
  "/spec/containers/0",
  "/spec/containers/0/resources",
  "/spec/volumes",
  "/status",
);
const patch = fc
  .array(fc.record({ op: fc.constantFrom("add", "remove", "replace", "test", "copy"), path, from: path, value }), {
    maxLength: 3,
  })
  .map((operations) => Buffer.from(JSON.stringify(operations)).toString("base64"));
const response = fc.record(
  {
    allowed: fc.oneof(fc.boolean(), value),
    status,
    warnings: fc.oneof(value, fc.array(word)),
    patch: fc.oneof(patch, value),
    patchType: fc.oneof(fc.constant("JSONPatch"), value),
  },
  { requiredKeys: [] },
);

const pod: KubeObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "x", namespace: "default" },
  spec: { containers: [{ name: "c", image: "i" }] },
};

const attempt = async (kind: "ConfigMap" | "Pod"): Promise<KubeObject | StatusError> => {
  try {
    return kind === "Pod"
      ? await hooked.client.create(PODS, pod, { dryRun: true })
      : await hooked.client.create(CONFIG_MAPS, configMap("x", { k: "v" }), { dryRun: true });
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
};

it.each(["ConfigMap", "Pod"] as const)("never meets a fault of the server's own: %s", async (kind) => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(response, value), async (given) => {
      answer = ({ request }) => ({
        apiVersion: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response:
          typeof given === "object" && given !== null && !Array.isArray(given) ? { uid: request.uid, ...given } : given,
      });
      const outcome = await attempt(kind);
      if (!(outcome instanceof StatusError)) return;
      expect(outcome.message).not.toContain("a fault of its own");
      expect(outcome.code).toBeGreaterThanOrEqual(400);
      expect(outcome.code).toBeLessThan(600);
    }),
    { numRuns: 300 },
  );
});
