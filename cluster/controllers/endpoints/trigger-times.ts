/** When the change happened that the endpoints of a Service follow, for those who measure how long that takes. */
import type { Pod, Service } from "@travelops/kube";
import { findCondition } from "@travelops/kube";

export const TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time";

interface Known {
  readonly service: string;
  /** When each pod's readiness last changed, by name. */
  readonly pods: ReadonlyMap<string, string>;
}

const readySince = (pod: Pod): string => findCondition(pod.status?.conditions, "Ready")?.lastTransitionTime ?? "";

const earlier = (a: string, b: string): string => (a === "" || b < a ? b : a);

/** Remembers what has been seen of each Service, and tells the earliest change since. */
export class TriggerTimes {
  readonly #known = new Map<string, Known>();

  /** That of the Service itself where it is new; undefined where nothing has changed that tells its time. */
  next(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const known = this.#known.get(key);
    const born = service.metadata.creationTimestamp ?? "";
    const now = new Map(pods.map((pod) => [pod.metadata.name ?? "", readySince(pod)]));
    this.#known.set(key, { service: born, pods: now });
    if (known === undefined) return born;
    let first = born > known.service ? born : "";
    for (const [name, since] of now) if (since > (known.pods.get(name) ?? "")) first = earlier(first, since);
    return first === "" ? undefined : first;
  }

  forget(key: string): void {
    this.#known.delete(key);
  }
}

/** The object with the time on it; without any, where nobody knows it. */
export function timed<T extends { metadata: { annotations?: Record<string, string> } }>(
  object: T,
  time: string | undefined,
): T {
  const { [TRIGGER_TIME]: _, ...others } = object.metadata.annotations ?? {};
  const annotations = time === undefined ? others : { ...others, [TRIGGER_TIME]: time };
  return { ...object, metadata: { ...object.metadata, annotations } };
}
