/** The CRDs this component needs, where they are missing. One that is there belongs to whoever installed it. */
import { readFile } from "node:fs/promises";
import { isAlreadyExists, isNotFound, type KubeClient, type KubeObject } from "@travelops/kube";
import { CUSTOM_RESOURCE_DEFINITIONS } from "@travelops/kube/client/resources";

const FILES = ["application.json", "appproject.json"] as const;
/** Versions this component speaks. */
const ACCEPTED = "v1alpha1";

export async function installCrds(client: KubeClient, signal: AbortSignal): Promise<void> {
  for (const file of FILES) {
    const crd = JSON.parse(await readFile(new URL(`../crds/${file}`, import.meta.url), "utf8")) as KubeObject;
    const present = await findCrd(client, crd.metadata.name ?? "");
    if (present === undefined) await create(client, crd, signal);
    else checkVersion(present);
  }
}

async function findCrd(client: KubeClient, name: string): Promise<KubeObject | undefined> {
  try {
    return await client.get(CUSTOM_RESOURCE_DEFINITIONS, "", name);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function create(client: KubeClient, crd: KubeObject, signal: AbortSignal): Promise<void> {
  try {
    await client.create(CUSTOM_RESOURCE_DEFINITIONS, crd, {
      fieldManager: "argocd-controller",
      signal,
    });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

function checkVersion(crd: KubeObject): void {
  const versions = (crd["spec"] as { versions?: { name?: string; served?: boolean }[] } | undefined)?.versions ?? [];
  if (!versions.some((version) => version.name === ACCEPTED && version.served === true)) {
    throw new Error(
      `the CRD ${crd.metadata.name} on this cluster does not serve ${ACCEPTED}, the version this component speaks`,
    );
  }
}
