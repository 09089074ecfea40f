import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubeClient, Transport } from "@travelops/kube";
import {
  createKubeClient,
  DEPLOYMENTS,
  findCondition,
  isTrue,
  JOBS,
  NAMESPACES,
  REPLICA_SETS,
  SERVICE_ACCOUNTS,
} from "@travelops/kube";
import { type ApiUnderTest, eventually, startApiUnderTest } from "../../test/api-under-test.ts";
import { startControllers } from "./start-controllers.ts";
import { startFakeKubelet } from "./testing/fake-kubelet.ts";
import { deploymentOf, podsOf } from "./testing/harness.ts";

let api: ApiUnderTest;
const abort = new AbortController();
beforeAll(async () => {
  api = await startApiUnderTest();
  const outcome = (pod: { metadata: { labels?: Record<string, string> } }) =>
    pod.metadata.labels?.["job-name"] === undefined ? "ready" : "succeeded";
  void startFakeKubelet({ client: api.client, signal: abort.signal, bindTo: "n1", outcome }).done;
}, 90_000);
afterAll(async () => {
  abort.abort();
  await api.close();
});

/** A process that is killed at its nth write: the write may or may not have arrived, and nothing follows. */
function mortal(transport: Transport, writes: number, arrives: boolean): { client: KubeClient; died: Promise<void> } {
  const { promise: died, resolve } = Promise.withResolvers<void>();
  let left = writes;
  const never = new Promise<never>(() => {});
  return {
    died,
    client: createKubeClient({
      ...transport,
      call(request) {
        if (left < 0) return never;
        // Events tell of what was done; they do nothing.
        if (request.method === "GET" || request.path.endsWith("/events")) return transport.call(request);
        if (left-- > 0) return transport.call(request);
        if (arrives)
          void transport
            .call(request)
            .catch(() => {})
            .finally(resolve);
        else resolve();
        return never;
      },
      watch: (request) => transport.watch(request),
      stream: (request) => transport.stream(request),
    }),
  };
}

const ONLY = ["serviceaccount-controller", "replicaset-controller", "deployment-controller", "job-controller"];

test.each([true, false])("killed at any write (which arrives: %s), the next process ends the work", async (arrives) => {
  for (let writes = 0; writes < 14; writes++) {
    const namespace = `crash-${arrives}-${writes}`;
    await api.client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    if (!api.real)
      await api.client.create(SERVICE_ACCOUNTS, {
        apiVersion: "v1",
        kind: "ServiceAccount",
        metadata: { name: "default", namespace },
      });
    await api.client.create(DEPLOYMENTS, deploymentOf(namespace, "web", { replicas: 3 }));
    await api.client.create(JOBS, {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "job", namespace },
      spec: {
        completions: 3,
        parallelism: 2,
        template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "x" }] } },
      },
    });
    const first = mortal(api.transport, writes, arrives);
    const stopFirst = new AbortController();
    void startControllers({ client: first.client, signal: stopFirst.signal, only: ONLY });
    await first.died;
    stopFirst.abort();
    const stopSecond = new AbortController();
    const second = startControllers({ client: api.client, signal: stopSecond.signal, only: ONLY });
    await eventually(async () => {
      const { status } = await api.client.get(DEPLOYMENTS, namespace, "web");
      const job = await api.client.get(JOBS, namespace, "job");
      return (
        findCondition(status?.conditions, "Progressing")?.reason === "NewReplicaSetAvailable" &&
        isTrue(job.status?.conditions, "Complete")
      );
    });
    const pods = await podsOf(api.client, namespace);
    expect(pods.filter((pod) => pod.metadata.labels?.["app"] === "web")).toHaveLength(3);
    expect(pods.filter((pod) => pod.metadata.labels?.["job-name"] === "job")).toHaveLength(3);
    expect((await api.client.list(REPLICA_SETS, { namespace })).items).toHaveLength(1);
    expect((await api.client.get(JOBS, namespace, "job")).status).toMatchObject({ succeeded: 3 });
    stopSecond.abort();
    await second;
  }
});
