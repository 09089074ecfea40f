import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Job, JobSpec, Pod } from "@travelops/kube";
import { findCondition, isTrue, JOBS, PODS } from "@travelops/kube";
import { eventually } from "../../../test/api-under-test.ts";
import { type Harness, podsOf, startHarness } from "../testing/harness.ts";
import { failureAction } from "./failure-policy.ts";
import { FAILURES, failureAnnotations, IGNORED_FAILURES } from "./index-failures.ts";
import { jobPod, nextIndexes } from "./plan.ts";
import { metSuccessRule } from "./success-policy.ts";
import { COMPLETION_INDEX, tally } from "./tally.ts";

/** What becomes of the pods: by the image, a list of results by index. */
const outcomeOf = (pod: Pod): "ready" | "succeeded" | "failed" => {
  const index = Number(pod.metadata.annotations?.[COMPLETION_INDEX] ?? "0");
  const letter = pod.spec.containers[0]?.image?.[index];
  return letter === "s" ? "succeeded" : letter === "f" ? "failed" : "ready";
};

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ kubelet: { bindTo: "n1", outcome: outcomeOf } });
}, 90_000);
afterAll(() => harness.close());

async function run(results: string, spec: Partial<JobSpec>): Promise<string> {
  const namespace = await harness.namespace();
  await harness.client.create(JOBS, {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "j", namespace },
    spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: results }] } }, ...spec },
  });
  return namespace;
}

const until = (namespace: string, test: (job: Job) => boolean): Promise<Job> =>
  eventually(async () => {
    const job = await harness.client.get(JOBS, namespace, "j");
    return test(job) && job;
  });
const failed = (job: Job): boolean => isTrue(job.status?.conditions, "Failed");
const indexed = (count: number): Partial<JobSpec> => ({
  completionMode: "Indexed",
  completions: count,
  parallelism: count,
});

test("an exit code that FailJob names ends the Job at once, and says which", async () => {
  const namespace = await run("f", {
    backoffLimit: 6,
    podFailurePolicy: { rules: [{ action: "FailJob", onExitCodes: { operator: "In", values: [1, 42] } }] },
  });
  const job = await until(namespace, failed);
  const [pod] = await podsOf(harness.client, namespace);
  expect(findCondition(job.status?.conditions, "FailureTarget")?.reason).toBe("PodFailurePolicy");
  expect(findCondition(job.status?.conditions, "Failed")).toMatchObject({
    reason: "PodFailurePolicy",
    message: `Container main for pod ${namespace}/${pod?.metadata.name} failed with exit code 1 matching FailJob rule at index 0`,
  });
});

test("an ignored failure is let go and not counted", async () => {
  const namespace = await run("f", {
    backoffLimit: 0,
    podFailurePolicy: { rules: [{ action: "Ignore", onExitCodes: { operator: "NotIn", values: [42] } }] },
  });
  await eventually(async () => {
    const [pod] = await podsOf(harness.client, namespace);
    return pod?.status?.phase === "Failed" && pod.metadata.finalizers === undefined;
  });
  const { status } = await until(namespace, (job) => job.status?.active === undefined);
  expect(status?.failed).toBeUndefined();
  expect(findCondition(status?.conditions, "FailureTarget")).toBeUndefined();
});

test("an index that has failed too often leaves the others alone", async () => {
  const namespace = await run("sfs", { ...indexed(3), backoffLimitPerIndex: 0 });
  const { status } = await until(namespace, failed);
  expect(status).toMatchObject({ succeeded: 2, failed: 1, completedIndexes: "0,2", failedIndexes: "1" });
  expect(findCondition(status?.conditions, "Failed")).toMatchObject({
    reason: "FailedIndexes",
    message: "Job has failed indexes",
  });
});

test("more failed indexes than may be end the Job", async () => {
  const namespace = await run("ff.", { ...indexed(3), backoffLimitPerIndex: 0, maxFailedIndexes: 1 });
  const { status } = await until(namespace, failed);
  expect(findCondition(status?.conditions, "Failed")).toMatchObject({
    reason: "MaxFailedIndexesExceeded",
    message: "Job has exceeded the specified maximal number of failed indexes",
  });
  expect(status?.failedIndexes).toBe("0,1");
});

test("FailIndex gives up an index that still had tries left", async () => {
  const namespace = await run("fs", {
    ...indexed(2),
    backoffLimitPerIndex: 5,
    podFailurePolicy: { rules: [{ action: "FailIndex", onExitCodes: { operator: "In", values: [1] } }] },
  });
  const { status } = await until(namespace, failed);
  expect(status).toMatchObject({ completedIndexes: "1", failedIndexes: "0" });
});

test("a failed pod is kept until its index is tried again, and the next one knows how often it has failed", async () => {
  const namespace = await run("f", { ...indexed(1), backoffLimitPerIndex: 1 });
  // The back-off alone takes ten seconds.
  const second = await eventually(async () => {
    const pods = await podsOf(harness.client, namespace);
    return pods.find((pod) => pod.metadata.annotations?.[FAILURES] === "1");
  }, 25_000);
  expect(second.metadata.annotations?.[COMPLETION_INDEX]).toBe("0");
  const { status } = await until(namespace, failed);
  expect(status).toMatchObject({ failed: 2, failedIndexes: "0" });
}, 60_000);

test("enough successes end the Job; what still runs goes", async () => {
  const namespace = await run("s..", {
    ...indexed(3),
    successPolicy: { rules: [{ succeededIndexes: "0", succeededCount: 1 }] },
  });
  const { status } = await until(namespace, (job) => isTrue(job.status?.conditions, "Complete"));
  for (const type of ["SuccessCriteriaMet", "Complete"]) {
    expect(findCondition(status?.conditions, type)).toMatchObject({
      reason: "SuccessPolicy",
      message: "Matched rules at index 0",
    });
  }
  expect(status).toMatchObject({ succeeded: 1, completedIndexes: "0" });
  expect((await podsOf(harness.client, namespace)).filter((pod) => pod.status?.phase === "Running")).toEqual([]);
});

test("replaced only once it has ended: a pod that never came to a node ends as well", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(JOBS, {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "j", namespace },
    spec: {
      podReplacementPolicy: "Failed",
      template: {
        spec: {
          restartPolicy: "Never",
          schedulingGates: [{ name: "example.com/hold" }],
          containers: [{ name: "main", image: "." }],
        },
      },
    },
  });
  const [pod] = await eventually(async () => {
    const pods = await podsOf(harness.client, namespace);
    return pods.length === 1 && pods;
  });
  await harness.client.delete(PODS, namespace, pod?.metadata.name ?? "");
  const { status } = await until(namespace, (job) => job.status?.failed === 1);
  expect(status?.terminating).toBe(0);
});

const jobOf = (spec: Partial<JobSpec>): Job => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "j", namespace: "n" },
  spec: { template: { spec: { containers: [] } }, ...spec },
});
const failedPod = (exitCode: number, more: Partial<Pod["status"]> = {}, metadata: Pod["metadata"] = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "n", ...metadata },
  spec: { containers: [] },
  status: {
    phase: "Failed",
    containerStatuses: [
      { name: "main", image: "", imageID: "", ready: false, restartCount: 0, state: { terminated: { exitCode } } },
    ],
    ...more,
  },
});

test("the first matching rule decides", () => {
  const job = jobOf({
    podFailurePolicy: {
      rules: [
        { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget" }] },
        { action: "Later", onExitCodes: { operator: "In", values: [1] } },
        { action: "FailIndex", onExitCodes: { operator: "In", values: [1] } },
        { action: "FailJob", onExitCodes: { containerName: "side", operator: "NotIn", values: [2] } },
        { action: "FailJob", onPodConditions: [{ type: "Config", status: "False" }] },
      ],
    },
  });
  const evicted = failedPod(1, { conditions: [{ type: "DisruptionTarget", status: "True" }] });
  expect(failureAction(job, evicted)).toEqual({ action: "Ignore" });
  expect(failureAction(job, failedPod(1))).toEqual({ action: "Count" });
  expect(failureAction(jobOf({ ...job.spec, backoffLimitPerIndex: 1 }), failedPod(1))).toEqual({ action: "FailIndex" });
  expect(failureAction(job, failedPod(0))).toEqual({ action: "Count" });
  expect(failureAction(job, failedPod(0, { conditions: [{ type: "Config", status: "False" }] }))).toEqual({
    action: "FailJob",
    message: "Pod n/p has condition Config matching FailJob rule at index 4",
  });
});

test.each([
  [[{ succeededIndexes: "0-2" }], [0, 1], undefined],
  [[{ succeededIndexes: "0-2" }], [0, 1, 2], 0],
  [[{ succeededIndexes: "0-2,7", succeededCount: 2 }], [2, 7], 0],
  [[{ succeededIndexes: "9" }, { succeededCount: 2 }], [3, 4], 1],
  [[{ succeededCount: 1 }], [], undefined],
])("success rules %j with %j done: %s", (rules, done, met) => {
  expect(metSuccessRule(jobOf({ completions: 9, successPolicy: { rules } }), new Set(done))).toBe(met);
});

test("however often an index fails, it is tried once more than its limit, and ignored failures are free", () => {
  fc.assert(
    fc.property(fc.nat(5), fc.array(fc.boolean(), { maxLength: 20 }), (limit, ignored) => {
      const job = jobOf({
        ...indexed(1),
        backoffLimitPerIndex: limit,
        podFailurePolicy: { rules: [{ action: "Ignore", onExitCodes: { operator: "In", values: [9] } }] },
      });
      let last: Pod | undefined;
      let tries = 0;
      for (const ignore of ignored) {
        const counts = tally(job, last === undefined ? [] : [last], false);
        if (nextIndexes(job, [], counts, 1, Number.MAX_SAFE_INTEGER).indexes.length === 0) break;
        const { metadata } = jobPod(job, 0, counts.awaiting.get(0));
        if (!ignore) tries++;
        last = failedPod(ignore ? 9 : 1, {}, { ...metadata, uid: "u" });
      }
      const counted = ignored.filter((one) => !one).length;
      expect(tries).toBe(Math.min(counted, limit + 1));
      const counts = tally(job, last === undefined ? [] : [last], false);
      expect(counts.failedIndexes.size).toBe(counted > limit ? 1 : 0);
    }),
  );
  expect(failureAnnotations(jobOf({ backoffLimitPerIndex: 1 }), undefined)).toEqual({ [FAILURES]: "0" });
  expect(IGNORED_FAILURES).toContain("ignored");
});
