/** Which objects a controller owns: adopts those that match and have no controller, lets go those that no longer match. */
import type { Informer, KubeClient, KubeObject, LabelRequirement, Resource } from "@travelops/kube";
import { controllerReference, isControlledBy, isNotFound, isStatus, matchesLabels } from "@travelops/kube";
import { BY_CONTROLLER, ORPHANS } from "../informers.ts";

export interface Claim<O extends KubeObject, T extends KubeObject> {
  readonly client: KubeClient;
  readonly owner: O;
  readonly ownerResource: Resource<O>;
  readonly children: Informer<T>;
  readonly selector: readonly LabelRequirement[];
  /** Further condition on an orphan. */
  readonly adoptable?: (object: T) => boolean;
}

/** The children after adoption and release. */
export async function claimChildren<O extends KubeObject, T extends KubeObject>(claim: Claim<O, T>): Promise<T[]> {
  const { owner, children, selector, client } = claim;
  const deleting = owner.metadata.deletionTimestamp !== undefined;
  const owned: T[] = [];
  for (const child of children.byIndex(BY_CONTROLLER, owner.metadata.uid ?? "")) {
    if (child.metadata.namespace !== owner.metadata.namespace) continue;
    if (matchesLabels(selector, child.metadata.labels)) owned.push(child);
    else if (!deleting && child.metadata.deletionTimestamp === undefined) await release(client, children, owner, child);
  }
  if (deleting) return owned;
  const orphans = children
    .byIndex(ORPHANS, owner.metadata.namespace ?? "")
    .filter((child) => matchesLabels(selector, child.metadata.labels) && isAdoptable(claim, child));
  if (orphans.length > 0 && (await stillOwns(claim))) {
    for (const orphan of orphans) {
      const adopted = await adopt(claim, orphan);
      if (adopted !== undefined) owned.push(adopted);
    }
  }
  return owned;
}

const isAdoptable = <O extends KubeObject, T extends KubeObject>(claim: Claim<O, T>, child: T): boolean =>
  child.metadata.deletionTimestamp === undefined && (claim.adoptable?.(child) ?? true);

/** Asked of the server itself: an owner that is gone, or made anew, must adopt nothing. */
async function stillOwns<O extends KubeObject, T extends KubeObject>({
  client,
  owner,
  ownerResource,
}: Claim<O, T>): Promise<boolean> {
  const { namespace = "", name = "", uid } = owner.metadata;
  try {
    const live = await client.get(ownerResource, namespace, name);
    return live.metadata.uid === uid && live.metadata.deletionTimestamp === undefined;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function adopt<O extends KubeObject, T extends KubeObject>(claim: Claim<O, T>, child: T): Promise<T | undefined> {
  const reference = controllerReference(claim.owner, claim.ownerResource);
  const ownerReferences = [...(child.metadata.ownerReferences ?? []), reference];
  return patchOwners(claim.client, claim.children, child, ownerReferences);
}

async function release<T extends KubeObject>(
  client: KubeClient,
  children: Informer<T>,
  owner: KubeObject,
  child: T,
): Promise<void> {
  if (!isControlledBy(child, owner)) return;
  const ownerReferences = (child.metadata.ownerReferences ?? []).filter((one) => one.uid !== owner.metadata.uid);
  await patchOwners(client, children, child, ownerReferences.length === 0 ? null : ownerReferences);
}

/** Undefined when the child has gone or been made anew meanwhile. */
async function patchOwners<T extends KubeObject>(
  client: KubeClient,
  children: Informer<T>,
  child: T,
  ownerReferences: unknown,
): Promise<T | undefined> {
  const { namespace = "", name = "", uid, resourceVersion } = child.metadata;
  try {
    const patch = { metadata: { uid, resourceVersion, ownerReferences } };
    const written = await client.patch(children.resource, namespace, name, "application/merge-patch+json", patch);
    children.note(written);
    return written;
  } catch (error) {
    if (isNotFound(error) || isStatus(error, 422)) return undefined;
    throw error;
  }
}
