/** Every resource of an Application, target beside live, with its sync status and health. */
import { parseApiVersion, type KubeObject } from "@travelops/kube";
import type { Verdict } from "../diff/compare.ts";
import { aggregateHealth, healthOf, ignoresHealth, type Health } from "../health/health.ts";
import { isHook } from "../sync/hooks.ts";
import { ignoresExtraneous, pruneForbidden } from "../sync/options.ts";
import { waveOf } from "../sync/order.ts";
import { keyOf, keyText, type ResourceKey } from "./resource-key.ts";
import type { HealthCode, ResourceStatus, SyncCode } from "./types.ts";

export interface ResourceComparison {
  key: ResourceKey;
  version: string;
  target: KubeObject | undefined;
  live: KubeObject | undefined;
  status: SyncCode;
  verdict: Verdict;
  health: Health | undefined;
  requiresPruning: boolean;
}

export async function compareAll(
  targets: readonly KubeObject[],
  extraneous: readonly KubeObject[],
  liveOf: (key: ResourceKey) => KubeObject | undefined,
  compare: (target: KubeObject, live: KubeObject | undefined) => Promise<Verdict>,
): Promise<ResourceComparison[]> {
  const wanted = targets.filter((target) => !isHook(target));
  const known = new Set(targets.map((target) => keyText(keyOf(target))));
  const managed = await Promise.all(
    wanted.map(async (target) => {
      const key = keyOf(target);
      const live = liveOf(key);
      const verdict = await compare(target, live);
      return entry(key, target, live, verdict, false);
    }),
  );
  const extra = extraneous
    .filter((live) => !known.has(keyText(keyOf(live))) && !isHook(live))
    .map((live) => entry(keyOf(live), undefined, live, { status: "OutOfSync" }, true));
  return [...managed, ...extra].toSorted(byKey);
}

const byKey = (a: ResourceComparison, b: ResourceComparison): number => (keyText(a.key) < keyText(b.key) ? -1 : 1);

function entry(
  key: ResourceKey,
  target: KubeObject | undefined,
  live: KubeObject | undefined,
  verdict: Verdict,
  requiresPruning: boolean,
): ResourceComparison {
  const version = parseApiVersion((target ?? live)?.apiVersion ?? "").version;
  const health = live === undefined ? { status: "Missing" as const } : healthOf(live);
  return { key, version, target, live, status: verdict.status, verdict, health, requiresPruning };
}

/** Extra resources that say so do not make the Application OutOfSync. */
export function overallSync(entries: readonly ResourceComparison[]): SyncCode {
  const counted = entries.filter(
    (each) =>
      !(each.requiresPruning && each.live !== undefined && (ignoresExtraneous(each.live) || pruneForbidden(each.live))),
  );
  return counted.every((each) => each.status === "Synced") ? "Synced" : "OutOfSync";
}

export function overallHealth(entries: readonly ResourceComparison[]): HealthCode {
  return aggregateHealth(
    entries
      .filter((each) => !each.requiresPruning)
      .map((each) => ({
        live: each.live !== undefined,
        health: each.health,
        ignored: each.live !== undefined && ignoresHealth(each.live),
      })),
  );
}

export function resourceStatuses(entries: readonly ResourceComparison[]): ResourceStatus[] {
  return entries.map((each) => {
    const wave = waveOf(each.target ?? each.live ?? { apiVersion: "", kind: "", metadata: {} });
    return {
      ...(each.key.group === "" ? {} : { group: each.key.group }),
      version: each.version,
      kind: each.key.kind,
      ...(each.key.namespace === "" ? {} : { namespace: each.key.namespace }),
      name: each.key.name,
      status: each.status,
      ...(each.health === undefined ? {} : { health: each.health }),
      ...(each.requiresPruning ? { requiresPruning: true } : {}),
      ...(wave === 0 ? {} : { syncWave: wave }),
    };
  });
}

/** Images of all pod templates, for `status.summary`. */
export function imagesOf(entries: readonly ResourceComparison[]): string[] {
  const images = new Set<string>();
  for (const { live } of entries) if (live !== undefined) collectImages(live["spec"], images);
  return [...images].toSorted();
}

function collectImages(spec: unknown, images: Set<string>): void {
  if (typeof spec !== "object" || spec === null) return;
  const record = spec as Record<string, unknown>;
  for (const field of ["containers", "initContainers"]) {
    for (const container of Array.isArray(record[field]) ? (record[field] as unknown[]) : []) {
      const image = (container as { image?: unknown } | null)?.image;
      if (typeof image === "string") images.add(image);
    }
  }
  const template = record["template"] as { spec?: unknown } | undefined;
  const jobTemplate = record["jobTemplate"] as { spec?: unknown } | undefined;
  if (template?.spec !== undefined) collectImages(template.spec, images);
  if (jobTemplate?.spec !== undefined) collectImages(jobTemplate.spec, images);
}
