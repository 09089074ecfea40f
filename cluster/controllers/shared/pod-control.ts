/** Makes and deletes pods for a workload, with the events that tell of it, and knows what it has just deleted. */
import type { EventRecorder, Informer, KubeClient, KubeObject, Pod } from "@travelops/kube";
import { isNotFound, PODS, StatusError } from "@travelops/kube";
import { isActive } from "./pods.ts";
import { created } from "./write.ts";

export class PodControl {
  readonly #client: KubeClient;
  readonly #pods: Informer<Pod>;
  readonly #recorder: EventRecorder;
  /** Deleted by us, but not yet seen to be: they must count as gone, or another would be deleted in their stead. */
  readonly #deleting = new Set<string>();

  constructor(client: KubeClient, pods: Informer<Pod>, recorder: EventRecorder) {
    this.#client = client;
    this.#pods = pods;
    this.#recorder = recorder;
    pods.onEvent((event) => {
      if (event.type === "deleted" || event.object.metadata.deletionTimestamp !== undefined) {
        this.#deleting.delete(event.object.metadata.uid ?? "");
      }
    });
  }

  isActive(pod: Pod): boolean {
    return isActive(pod) && !this.isDeleting(pod);
  }

  isDeleting(pod: Pod): boolean {
    return pod.metadata.deletionTimestamp !== undefined || this.#deleting.has(pod.metadata.uid ?? "");
  }

  /** Throws what the server said, having recorded it on the owner. */
  async create(owner: KubeObject, pod: Pod): Promise<Pod> {
    try {
      const made = await created(this.#client, this.#pods, pod);
      this.#recorder.record(owner, "Normal", "SuccessfulCreate", `Created pod: ${made.metadata.name}`);
      return made;
    } catch (error) {
      if (!isNamespaceTerminating(error)) {
        this.#recorder.record(owner, "Warning", "FailedCreate", `Error creating: ${messageOf(error)}`);
      }
      throw error;
    }
  }

  async delete(owner: KubeObject, pod: Pod): Promise<void> {
    const { namespace = "", name = "", uid = "" } = pod.metadata;
    this.#deleting.add(uid);
    try {
      await this.#client.delete(PODS, namespace, name, { preconditions: { uid } });
      this.#recorder.record(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
    } catch (error) {
      this.#deleting.delete(uid);
      if (isNotFound(error)) return;
      this.#recorder.record(owner, "Warning", "FailedDelete", `Error deleting: ${messageOf(error)}`);
      throw error;
    }
    if (this.#pods.get(namespace, name)?.metadata.uid !== uid) this.#deleting.delete(uid);
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const isNamespaceTerminating = (error: unknown): boolean =>
  error instanceof StatusError &&
  error.status.details?.causes?.some((cause) => cause.reason === "NamespaceTerminating") === true;

/**
 * Runs `act` `count` times in batches of 1, 2, 4 …, stopping after the batch in which one failed: what the server
 * refuses once, for lack of quota say, it would refuse a hundred times. Resolves with the first failure.
 */
export async function slowStart(count: number, act: (index: number) => Promise<unknown>): Promise<unknown> {
  let done = 0;
  for (let batch = 1; done < count; batch *= 2) {
    const size = Math.min(batch, count - done);
    const results = await Promise.allSettled(Array.from({ length: size }, (_, i) => act(done + i)));
    done += size;
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) return failed.reason;
  }
  return undefined;
}
