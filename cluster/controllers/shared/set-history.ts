/** What StatefulSets and DaemonSets share: the claim on their pods, and the history of their template as ControllerRevisions. */
import type {
  ControllerRevision,
  Informer,
  KubeClient,
  KubeObject,
  LabelSelector,
  Pod,
  PodTemplateSpec,
  Resource,
} from "@travelops/kube";
import { CONTROLLER_REVISIONS, controllerReference, isAlreadyExists, jsonEqual, requirementsOf } from "@travelops/kube";
import { BY_CONTROLLER } from "../informers.ts";
import { claimChildren } from "./claim.ts";
import { templateHash } from "./template.ts";
import { created, deleteExactly, patched } from "./write.ts";

/** Pods carry the name or the hash of their revision under this label. */
export const REVISION_HASH = "controller-revision-hash";
/** Revisions of StatefulSets carry their hash under this label, those of DaemonSets under that of the pods. */
const OWN_HASH = "controller.kubernetes.io/hash";

interface RevisionData {
  spec: { template: PodTemplateSpec & { $patch?: string } };
}

/** As upstream writes it, so that `kubectl rollout undo` can patch it back. */
const dataOf = (template: PodTemplateSpec): RevisionData => ({
  spec: { template: { ...template, $patch: "replace" } },
});

export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = (revision.data as RevisionData).spec.template;
  return template;
}

export const hashOf = (revision: ControllerRevision): string =>
  revision.metadata.labels?.[REVISION_HASH] ?? revision.metadata.labels?.[OWN_HASH] ?? revision.metadata.name ?? "";

const hashLabelOf = (owner: Resource): string => (owner.kind === "DaemonSet" ? REVISION_HASH : OWN_HASH);

export interface Revisions {
  readonly update: ControllerRevision;
  /** All, oldest first. */
  readonly all: readonly ControllerRevision[];
  readonly collisionCount: number;
}

interface Owner extends KubeObject {
  spec: { template: PodTemplateSpec; selector: LabelSelector };
  status?: { collisionCount?: number };
}

export interface SetClaim<O extends Owner> {
  readonly client: KubeClient;
  readonly owner: O;
  readonly resource: Resource<O>;
  readonly pods: Informer<Pod>;
  readonly revisions: Informer<ControllerRevision>;
  readonly adoptable?: (pod: Pod) => boolean;
}

/**
 * Claims a set's pods, then its history, also what an owner of the same name has left behind (`delete --cascade=orphan`);
 * undefined for one that is being deleted.
 */
export async function claimSet<O extends Owner>(claim: SetClaim<O>): Promise<Revisions | undefined> {
  const { client, owner, resource, pods, revisions, adoptable } = claim;
  const selector = requirementsOf(owner.spec.selector);
  const more = adoptable === undefined ? {} : { adoptable };
  await claimChildren({ client, owner, ownerResource: resource, children: pods, selector, ...more });
  if (owner.metadata.deletionTimestamp !== undefined) return undefined;
  await claimChildren({ client, owner, ownerResource: resource, children: revisions, selector });
  return syncRevisions(client, revisions, owner, resource);
}

/**
 * Finds or makes the revision of the present template; an older one that is the same becomes the newest again.
 */
async function syncRevisions<O extends Owner>(
  client: KubeClient,
  informer: Informer<ControllerRevision>,
  owner: O,
  resource: Resource<O>,
): Promise<Revisions> {
  const own = (): ControllerRevision[] =>
    informer.byIndex(BY_CONTROLLER, owner.metadata.uid ?? "").toSorted((a, b) => a.revision - b.revision);
  const all = own();
  const data = dataOf(owner.spec.template);
  const newest = all.at(-1)?.revision ?? 0;
  const known = all.findLast((one) => jsonEqual(one.data, data));
  let collisionCount = owner.status?.collisionCount ?? 0;
  if (known !== undefined) {
    const update = known.revision === newest ? known : await patched(client, informer, known, { revision: newest + 1 });
    return { update, all: own(), collisionCount };
  }
  for (;;) {
    const hash = templateHash(owner.spec.template, collisionCount);
    const wanted: ControllerRevision = {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: {
        name: `${owner.metadata.name}-${hash}`,
        namespace: owner.metadata.namespace,
        labels: { ...owner.spec.template.metadata?.labels, [hashLabelOf(resource)]: hash },
        ...(owner.metadata.annotations === undefined ? {} : { annotations: owner.metadata.annotations }),
        ownerReferences: [controllerReference(owner, resource)],
      },
      data,
      revision: newest + 1,
    };
    try {
      return { update: await created(client, informer, wanted), all: own(), collisionCount };
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const existing = await client.get(
        CONTROLLER_REVISIONS,
        owner.metadata.namespace ?? "",
        wanted.metadata.name ?? "",
      );
      // Whose it is makes no difference, as with upstream.
      if (jsonEqual(existing.data, data)) return { update: existing, all: own(), collisionCount };
      collisionCount++;
    }
  }
}

/** Deletes what is beyond the history limit, save what pods run and what `used` names. */
export async function trimRevisions(
  client: KubeClient,
  { spec }: { readonly spec: { readonly revisionHistoryLimit?: number } },
  { all, update }: Revisions,
  pods: readonly Pod[],
  ...used: readonly (string | undefined)[]
): Promise<void> {
  const names = [update, ...pods].map(({ metadata }) => metadata.labels?.[REVISION_HASH]);
  const kept = new Set([...names, update.metadata.name, hashOf(update), ...used]);
  const idle = all.filter((revision) => !kept.has(revision.metadata.name) && !kept.has(hashOf(revision)));
  for (const revision of idle.slice(0, Math.max(0, idle.length - (spec.revisionHistoryLimit ?? 10))))
    await deleteExactly(client, CONTROLLER_REVISIONS, revision);
}
