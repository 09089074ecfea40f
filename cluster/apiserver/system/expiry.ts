/** Objects with a time to live (Events, an hour) are removed when it is over. One timer, for what falls due next. */
import { systemActor } from "./system-actor.ts";
import type { StoredObject } from "../../store/store.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";

const LOOK_EVERY_MS = 60_000;
const AT_ONCE = 500;

/** When it was last written, by the server's clock: what an Event itself says of its time may be long ago. */
const bornAt = (stored: StoredObject): number => {
  const { creationTimestamp, managedFields } = stored.object.metadata;
  let written = creationTimestamp ?? "";
  for (const { time } of managedFields ?? []) if (typeof time === "string" && time > written) written = time;
  const at = Date.parse(written);
  return Number.isNaN(at) ? 0 : at;
};

async function sweep(core: ServerCore, table: string, ttl: number): Promise<void> {
  const due = core.clock.now() - ttl;
  const expired = core.store
    .list(table)
    .items.filter((stored) => bornAt(stored) <= due)
    .slice(0, AT_ONCE);
  await Promise.all(
    expired.map((stored) =>
      core.store.write(stored.key, systemActor("expire"), (current) =>
        current === undefined || bornAt(current) > due ? { op: "none" } : { op: "delete" },
      ),
    ),
  );
}

/** Starts the removal; the result stops it. */
export function expireObjects(core: ServerCore): () => void {
  const perishable = new Map<string, number>();
  for (const resource of core.registry.all()) addPerishable(perishable, resource);
  let stopped = false;
  let cancel = (): void => {};
  const look = async (): Promise<void> => {
    try {
      for (const [table, ttl] of perishable) if (core.store.count(table) > 0) await sweep(core, table, ttl);
    } catch (error) {
      core.log.warn("expired objects could not be removed; they will be tried again", { err: error });
    }
    if (!stopped) schedule();
  };
  const schedule = (): void => {
    cancel = core.clock.setTimeout(() => void look(), LOOK_EVERY_MS);
  };
  schedule();
  return () => {
    stopped = true;
    cancel();
  };
}

function addPerishable(perishable: Map<string, number>, { table, strategy }: ServedResource): void {
  if (strategy.timeToLiveMs !== undefined) perishable.set(table, strategy.timeToLiveMs);
}
