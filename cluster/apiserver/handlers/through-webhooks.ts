/** What all writes through webhooks share: they answer in their own time, while others go on writing. */
import type { KubeObject } from "@travelops/kube";
import { readManagers } from "@travelops/kube/schema/manager-table";
import type { StoredObject } from "../../store/store.ts";

/** As often as upstream applies a patch anew before it gives up. */
export const MAX_RETRIES = 5;

/** The object has changed since the webhooks saw it: what they said is of another one. */
export class Stale extends Error {}

/** Throws `Stale` unless `current` is what was shown. */
export function mustStillBe(shown: StoredObject | undefined, current: StoredObject | undefined): void {
  if (shown?.revision !== current?.revision) throw new Stale("the object has changed while webhooks were asked");
}

/** Does it anew for as long as somebody else was faster; `givenUp` then says so. */
export async function untilFresh<T>(attempt: () => Promise<T>, givenUp: () => Error): Promise<T> {
  for (let retries = 0; ; retries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Stale)) throw error;
      if (retries >= MAX_RETRIES) throw givenUp();
    }
  }
}

/** Owners that a webhook has made unreadable are as they were. */
export function withReadableOwners(before: KubeObject, after: KubeObject, warn: (text: string) => void): KubeObject {
  if (after.metadata.managedFields === before.metadata.managedFields) return after;
  try {
    readManagers(after.metadata.managedFields);
    return after;
  } catch (error) {
    warn(
      `.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: ${error instanceof Error ? error.message : String(error)}`,
    );
    const { managedFields: _broken, ...metadata } = after.metadata;
    const { managedFields } = before.metadata;
    return { ...after, metadata: managedFields === undefined ? metadata : { ...metadata, managedFields } };
  }
}
