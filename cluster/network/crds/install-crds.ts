/** Installs CRDs from a folder of JSON files where the cluster lacks them; one that exists belongs to whoever made it. */
import fs from "node:fs/promises";
import path from "node:path";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  isAlreadyExists,
  isTrue,
  sleep,
  type Clock,
  type CustomResourceDefinition,
  type KubeClient,
  type Condition,
} from "@travelops/kube";

const POLL_MS = 20;
const DEADLINE_MS = 30_000;

export interface InstallOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** Resolves when every CRD of the folder is established. */
export async function installCrdFolder(
  client: KubeClient,
  folder: string,
  options: InstallOptions,
): Promise<void> {
  const files = (await fs.readdir(folder)).filter((file) => file.endsWith(".json")).toSorted();
  await Promise.all(
    files.map(async (file) => {
      const crd = JSON.parse(await fs.readFile(path.join(folder, file), "utf8")) as CustomResourceDefinition;
      const created = await client
        .create(CUSTOM_RESOURCE_DEFINITIONS, crd, { signal: options.signal })
        .catch((error: unknown) => {
          if (isAlreadyExists(error)) return crd;
          throw error;
        });
      await established(client, created, options);
    }),
  );
}

async function established(
  client: KubeClient,
  crd: CustomResourceDefinition,
  { clock, signal }: InstallOptions,
): Promise<void> {
  const name = crd.metadata.name ?? "";
  const end = clock.now() + DEADLINE_MS;
  let current = crd;
  while (!isTrue((current as { status?: { conditions?: Condition[] } }).status?.conditions, "Established")) {
    if (clock.now() > end)
      throw new Error(
        `CustomResourceDefinition ${name} was not established within ${DEADLINE_MS / 1000} s: look at its conditions`,
      );
    await sleep(clock, POLL_MS, signal);
    current = await client.get(CUSTOM_RESOURCE_DEFINITIONS, "", name, { signal });
  }
}
