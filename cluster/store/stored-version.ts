import type { KubeObject } from "@travelops/kube";
import { leanObject } from "@travelops/kube/api/lean-object";
import type { ObjectKey, StoredObject } from "./store.ts";

/**
 * One version of one object. The bytes are what is kept; the parsed form is held weakly, so that it lives as long as
 * someone uses it and cold kinds cost their bytes alone (parsed objects take about four times as much).
 */
export class StoredVersion implements StoredObject {
  readonly key: ObjectKey;
  readonly revision: number;
  readonly bytes: Buffer;
  #parsed: WeakRef<KubeObject> | undefined;
  /** What informers hold of it, and so longer at hand. */
  #lean: WeakRef<KubeObject> | undefined;

  constructor(key: ObjectKey, revision: number, bytes: Buffer, parsed?: KubeObject) {
    this.key = key;
    this.revision = revision;
    this.bytes = bytes;
    if (parsed !== undefined) this.#hold(parsed);
  }

  get object(): KubeObject {
    const held = this.#parsed?.deref();
    if (held !== undefined) return held;
    const parsed = JSON.parse(this.bytes.toString("utf8")) as KubeObject;
    this.#hold(parsed);
    return parsed;
  }

  get lean(): KubeObject {
    return this.#lean?.deref() ?? leanObject(this.object);
  }

  #hold(parsed: KubeObject): void {
    this.#parsed = new WeakRef(parsed);
    // The one that is held already stays the one that is found.
    if (this.#lean?.deref() !== undefined) return;
    const lean = leanObject(parsed);
    this.#lean = lean === parsed ? undefined : new WeakRef(lean);
  }
}

/** The version that `object` becomes when it is written at `revision`. */
export function versionAt(key: ObjectKey, revision: number, object: KubeObject): StoredVersion {
  const stamped = withRevision(object, revision);
  return new StoredVersion(key, revision, encode(stamped), stamped);
}

function withRevision(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}

/** Into a buffer of its own: a slice of Node's shared pool would keep its whole slab alive for one long-lived object. */
function encode(object: KubeObject): Buffer {
  const text = JSON.stringify(object);
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}
