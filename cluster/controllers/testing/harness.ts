/** An API under test with controllers and a fake node on it. */
import type { Clock, Deployment, KubeClient, Pod } from "@travelops/kube";
import { createLogger, NAMESPACES, PODS } from "@travelops/kube";
import { type ApiUnderTest, startApiUnderTest } from "../../../test/api-under-test.ts";
import { startControllers } from "../start-controllers.ts";
import { type FakeKubeletOptions, startFakeKubelet } from "./fake-kubelet.ts";

export interface Harness {
  readonly api: ApiUnderTest;
  readonly client: KubeClient;
  /** Makes a namespace of its own for a test. */
  namespace(): Promise<string>;
  close(): Promise<void>;
}

export interface HarnessOptions {
  only?: readonly string[];
  rootCa?: string;
  volumesDirectory?: string;
  clock?: Clock;
  kubelet?: Partial<FakeKubeletOptions> | false;
  /** Further parts to run beside, until the signal aborts. */
  beside?: (client: KubeClient, signal: AbortSignal) => Promise<void>;
}

let count = 0;

export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const api = await startApiUnderTest();
  const abort = new AbortController();
  const { client } = api;
  const log = createLogger({ level: process.env["TEST_LOG"] === undefined ? "silent" : "debug" });
  const parts = [
    startControllers({
      client,
      signal: abort.signal,
      only: options.only,
      rootCa: options.rootCa,
      volumesDirectory: options.volumesDirectory,
      clock: options.clock,
      log,
    }),
  ];
  if (options.kubelet !== false)
    parts.push(startFakeKubelet({ client, signal: abort.signal, ...options.kubelet }).done);
  if (options.beside !== undefined) parts.push(options.beside(client, abort.signal));
  return {
    api,
    client,
    async namespace() {
      const name = `t${process.pid}-${count++}`;
      await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
      return name;
    },
    async close() {
      abort.abort();
      await Promise.all(parts);
      await api.close();
    },
  };
}

export function deploymentOf(
  namespace: string,
  name: string,
  spec: Partial<Deployment["spec"]> = {},
  image = "app:1",
): Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image }] } },
      ...spec,
    },
  };
}

export const podsOf = async (client: KubeClient, namespace: string, labelSelector?: string): Promise<Pod[]> =>
  (await client.list(PODS, { namespace, labelSelector })).items;
