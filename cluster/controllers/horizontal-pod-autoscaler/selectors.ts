/** Which autoscalers look after which pods: two for one pod would pull at each other. */
import type { KubeObject, LabelRequirement, Pod } from "@travelops/kube";
import { keyOf, matchesLabels } from "@travelops/kube";

/** What each autoscaler's target selects, as far as it has been looked at. */
export class AutoscalerSelectors {
  readonly #known = new Map<string, readonly LabelRequirement[]>();

  set(autoscaler: KubeObject, requirements: readonly LabelRequirement[]): void {
    this.#known.set(keyOf(autoscaler), requirements);
  }

  delete(autoscaler: KubeObject): void {
    this.#known.delete(keyOf(autoscaler));
  }

  /** Keys of the autoscalers that select any of `pods`, all of one namespace. */
  of(namespace: string, pods: readonly Pod[]): string[] {
    return [...this.#known]
      .filter(([key]) => key.startsWith(`${namespace}/`))
      .filter(([, requirements]) => pods.some((pod) => matchesLabels(requirements, pod.metadata.labels)))
      .map(([key]) => key)
      .toSorted();
  }
}
