import { afterAll, beforeAll, expect, test } from "vitest";
import type { Job, JobSpec } from "@travelops/kube";
import { CRON_JOBS, findCondition, isNotFound, isTrue, JOBS } from "@travelops/kube";
import { eventually } from "../../../test/api-under-test.ts";
import { type Harness, podsOf, startHarness } from "../testing/harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    kubelet: {
      bindTo: "n1",
      outcome: (pod) => {
        const image = pod.spec.containers[0]?.image;
        return image === "fails" ? "failed" : image === "runs" ? "ready" : "succeeded";
      },
    },
  });
}, 90_000);
afterAll(() => harness.close());

const create = (namespace: string, name: string, spec: Partial<JobSpec> = {}, image = "works"): Promise<Job> =>
  harness.client.create(JOBS, {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace },
    spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image }] } }, ...spec },
  });
const get = (namespace: string, name: string): Promise<Job> => harness.client.get(JOBS, namespace, name);
const ended = (namespace: string, name: string, type: "Complete" | "Failed"): Promise<Job> =>
  eventually(async () => {
    const job = await get(namespace, name);
    return isTrue(job.status?.conditions, type) && job;
  });

test("runs to its completions, a few at a time, and lets its pods go", async () => {
  const namespace = await harness.namespace();
  await create(namespace, "j", { completions: 5, parallelism: 2 });
  const { status } = await ended(namespace, "j", "Complete");
  expect(status).toMatchObject({ succeeded: 5 });
  expect(status?.completionTime).toBeTruthy();
  expect(status?.failed).toBeUndefined();
  expect(findCondition(status?.conditions, "SuccessCriteriaMet")?.reason).toBe("CompletionsReached");
  const pods = await podsOf(harness.client, namespace);
  expect(pods).toHaveLength(5);
  expect(pods.flatMap((pod) => pod.metadata.finalizers ?? [])).toEqual([]);
  await harness.client.delete(JOBS, namespace, "j", { propagationPolicy: "Background" });
  await eventually(async () => (await podsOf(harness.client, namespace)).length === 0);
});

test("each index is done once", async () => {
  const namespace = await harness.namespace();
  await create(namespace, "j", { completions: 4, parallelism: 4, completionMode: "Indexed" });
  const { status } = await ended(namespace, "j", "Complete");
  expect(status).toMatchObject({ succeeded: 4, completedIndexes: "0-3" });
  const pods = await podsOf(harness.client, namespace);
  expect(new Set(pods.map((pod) => pod.metadata.labels?.["batch.kubernetes.io/job-completion-index"]))).toEqual(
    new Set(["0", "1", "2", "3"]),
  );
  expect(pods[0]?.spec.containers[0]?.env?.[0]?.name).toBe("JOB_COMPLETION_INDEX");
  expect(pods[0]?.spec.hostname).toMatch(/^j-\d$/);
});

test("fails past its backoff limit, and past its deadline", async () => {
  const namespace = await harness.namespace();
  await create(namespace, "b", { backoffLimit: 0 }, "fails");
  await create(namespace, "d", { activeDeadlineSeconds: 1 }, "runs");
  const b = await ended(namespace, "b", "Failed");
  expect(findCondition(b.status?.conditions, "Failed")).toMatchObject({
    reason: "BackoffLimitExceeded",
    message: "Job has reached the specified backoff limit",
  });
  expect(b.status).toMatchObject({ failed: 1 });
  const d = await ended(namespace, "d", "Failed");
  expect(findCondition(d.status?.conditions, "Failed")).toMatchObject({
    reason: "DeadlineExceeded",
    message: "Job was active longer than specified deadline",
  });
  expect(d.status?.failed).toBe(1);
});

test("suspended it has no pods and counts none as failed; resumed it goes on", async () => {
  const namespace = await harness.namespace();
  await create(namespace, "j", { parallelism: 2 }, "runs");
  await eventually(async () => (await get(namespace, "j")).status?.ready === 2);
  const suspend = (value: boolean) =>
    harness.client.patch(JOBS, namespace, "j", "application/merge-patch+json", { spec: { suspend: value } });
  await suspend(true);
  await eventually(async () => (await podsOf(harness.client, namespace)).length === 0);
  const { status } = await eventually(async () => {
    const job = await get(namespace, "j");
    return isTrue(job.status?.conditions, "Suspended") && job.status?.active === undefined && job;
  });
  expect(status?.failed).toBeUndefined();
  await suspend(false);
  await eventually(async () => (await get(namespace, "j")).status?.ready === 2);
});

test("a finished Job goes when its time is up", async () => {
  const namespace = await harness.namespace();
  await create(namespace, "j", { ttlSecondsAfterFinished: 0 });
  expect(await eventually(() => get(namespace, "j").then(() => false, isNotFound))).toBe(true);
  await eventually(async () => (await podsOf(harness.client, namespace)).length === 0);
});

test("a CronJob starts what its last time asks for, and reports it", async () => {
  const namespace = await harness.namespace();
  const minute = new Date(Date.now());
  await harness.client.create(CRON_JOBS, {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "c", namespace },
    spec: {
      schedule: `${minute.getUTCMinutes()} * * * *`,
      jobTemplate: {
        spec: {
          template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "works" }] } },
        },
      },
    },
  });
  // A time that has passed: as if the cluster had slept.
  const earlier = new Date(minute.getTime() - 2 * 3600_000).toISOString().slice(0, 19) + "Z";
  await eventually(() =>
    harness.client.patch(
      CRON_JOBS,
      namespace,
      "c",
      "application/merge-patch+json",
      { status: { lastScheduleTime: earlier } },
      { subresource: "status" },
    ),
  );
  const cron = await eventually(async () => {
    const found = await harness.client.get(CRON_JOBS, namespace, "c");
    return found.status?.lastSuccessfulTime !== undefined && found;
  });
  const jobs = (await harness.client.list(JOBS, { namespace })).items;
  expect(jobs).toHaveLength(1);
  expect(jobs[0]?.metadata.annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"]).toBe(
    cron.status?.lastScheduleTime,
  );
});
