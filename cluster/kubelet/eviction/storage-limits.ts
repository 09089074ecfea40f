/** Whether a pod holds more of the disk than it may; pure, in upstream's words. */
import { parseQuantity, quantityValue, tryParseQuantity } from "@travelops/kube/api/quantity.ts";
import type { Pod } from "@travelops/kube/api/types/index.ts";

export interface StorageUse {
  /** By name of the volume. */
  readonly emptyDirs: ReadonlyMap<string, number>;
  /** A container's own files and its logs, by name. */
  readonly containers: ReadonlyMap<string, number>;
}

export const totalUse = ({ emptyDirs, containers }: StorageUse): number =>
  [...emptyDirs.values(), ...containers.values()].reduce((a, b) => a + b, 0);

const limitOf = (text: string | undefined): number | undefined => {
  const quantity = tryParseQuantity(text);
  return quantity === undefined || quantity.nano === 0n ? undefined : Number(quantityValue(quantity));
};

const emptyDirLimits = (pod: Pod): [name: string, text: string, bytes: number][] =>
  (pod.spec.volumes ?? []).flatMap(({ name, emptyDir }) => {
    const text = emptyDir?.medium === "Memory" ? undefined : emptyDir?.sizeLimit;
    const bytes = limitOf(text === undefined ? undefined : String(text));
    return bytes === undefined ? [] : [[name, String(text), bytes]];
  });

const containerLimits = (pod: Pod): [name: string, text: string, bytes: number][] =>
  pod.spec.containers.flatMap(({ name, resources }) => {
    const text = resources?.limits?.["ephemeral-storage"];
    const bytes = limitOf(text);
    return bytes === undefined || text === undefined ? [] : [[name, text, bytes]];
  });

export const hasStorageLimits = (pod: Pod): boolean =>
  emptyDirLimits(pod).length > 0 || containerLimits(pod).length > 0;

/** Why the pod has to go; undefined when it need not. */
export function exceededStorage(pod: Pod, use: StorageUse): string | undefined {
  for (const [name, text, bytes] of emptyDirLimits(pod))
    if ((use.emptyDirs.get(name) ?? 0) > bytes)
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${text}". `;
  const limits = containerLimits(pod);
  const total = limits.reduce((sum, [, , bytes]) => sum + bytes, 0);
  // As upstream, a pod has a limit only where all of its containers have one.
  if (limits.length > 0 && limits.length === pod.spec.containers.length && totalUse(use) > total)
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${sumText(limits.map(([, text]) => text))}. `;
  for (const [name, text, bytes] of limits)
    if ((use.containers.get(name) ?? 0) > bytes)
      return `Container ${name} exceeded its local ephemeral storage limit "${text}". `;
  return undefined;
}

function sumText(texts: readonly string[]): string {
  if (texts.length === 1) return texts[0] ?? "";
  return String(texts.reduce((sum, text) => sum + quantityValue(parseQuantity(text)), 0n));
}
