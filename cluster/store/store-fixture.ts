/** For tests: stores in directories of their own, and short ways to write. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeObject } from "@travelops/kube";
import { systemClock } from "@travelops/kube/api/clock";
import { silentLogger } from "@travelops/kube/api/logger";
import { openStore } from "./open-store.ts";
import type { StoreOptions } from "./open-store.ts";
import type { Actor, ObjectKey, Store, StoredObject } from "./store.ts";

export const ACTOR: Actor = { user: "tester", verb: "test" };

export const keyOf = (table: string, namespace: string, name: string): ObjectKey => ({
  table,
  namespace,
  name,
});

export const configMap = (namespace: string, name: string, value: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace, name },
  data: { value },
});

export function put(store: Store, table: string, object: KubeObject): Promise<StoredObject | undefined> {
  const { namespace = "", name = "" } = object.metadata;
  return store.write(keyOf(table, namespace, name), ACTOR, () => ({ op: "put", object }));
}

export const remove = (
  store: Store,
  table: string,
  namespace: string,
  name: string,
): Promise<StoredObject | undefined> => store.write(keyOf(table, namespace, name), ACTOR, () => ({ op: "delete" }));

export interface StoreFixture {
  readonly dir: string;
  open(options?: Partial<StoreOptions>): Promise<Store>;
  /** Closes every store and removes the directory. */
  dispose(): Promise<void>;
}

export function storeFixture(): StoreFixture {
  const dir = join(mkdtempSync(join(tmpdir(), "travelops-store-")), "data");
  const opened: Store[] = [];
  return {
    dir,
    async open(options = {}) {
      const store = await openStore({ dir, clock: systemClock, log: silentLogger, ...options });
      opened.push(store);
      return store;
    },
    async dispose() {
      for (const store of opened) await store.close();
      rmSync(join(dir, ".."), { recursive: true, force: true });
    },
  };
}
