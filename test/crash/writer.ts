/** Writes without a pause over the real API until it is cut off: creates, updates, patches and deletes of own objects. */
import type { KubeClient, KubeObject } from "@travelops/kube";
import { StatusError } from "@travelops/kube/api/status-error";
import type { Resource } from "@travelops/kube/client/client";
import type { Ledger } from "./ledger.ts";
import type { SeededRandom } from "./seeded-random.ts";

export const NAMESPACE = "crash";

interface ConfigMap extends KubeObject {
  data?: { value: string };
}

export const CONFIG_MAPS: Resource<ConfigMap> = {
  group: "",
  version: "v1",
  resource: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};

export const configMap = (name: string, value: string): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: NAMESPACE, name },
  data: { value },
});

/** Names that belong to one writer: nobody else touches them, so that what it was told is all there is to know. */
const namesOf = (writer: number, names: number): string[] => Array.from({ length: names }, (_, n) => `w${writer}-${n}`);

export interface WritersOptions {
  readonly client: KubeClient;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  readonly writers: number;
  readonly names: number;
}

/** Resolves when every writer has lost its connection; rejects on an answer that no server should give. */
export async function writeUntilCutOff(options: WritersOptions): Promise<void> {
  await Promise.all(Array.from({ length: options.writers }, (_, writer) => writeOn(options, writer)));
}

async function writeOn({ client, ledger, random, names }: WritersOptions, writer: number): Promise<void> {
  const own = namesOf(writer, names);
  for (;;) {
    const name = own[random.below(own.length)] ?? "";
    try {
      await writeOnce(client, ledger, random, name);
    } catch (error) {
      if (!(error instanceof StatusError)) return;
      throw new Error(`${name}: ${error.message}`, { cause: error });
    }
  }
}

async function writeOnce(client: KubeClient, ledger: Ledger, random: SeededRandom, name: string): Promise<void> {
  const value = `${random.below(1e9)}-${"x".repeat(random.below(200))}`;
  const choice = random.next();
  if (ledger.value(name) === undefined) {
    ledger.begin(name, value);
    ledger.acknowledge(name, value, revisionOf(await client.create(CONFIG_MAPS, configMap(name, value))));
  } else if (choice < 0.2) {
    ledger.begin(name, undefined);
    await client.delete(CONFIG_MAPS, NAMESPACE, name);
    ledger.acknowledge(name, undefined, 0);
  } else if (choice < 0.6) {
    ledger.begin(name, value);
    ledger.acknowledge(name, value, revisionOf(await client.update(CONFIG_MAPS, configMap(name, value))));
  } else {
    ledger.begin(name, value);
    const written = await client.patch(CONFIG_MAPS, NAMESPACE, name, "application/merge-patch+json", {
      data: { value },
    });
    ledger.acknowledge(name, value, revisionOf(written));
  }
}

export const revisionOf = (object: KubeObject): number => Number(object.metadata.resourceVersion);
