/**
 * A watch in another version than the stored one: its events wait in a line until the webhook has converted their
 * objects, and leave it in order. Watches in the stored version never come here.
 */
import { StatusError } from "@travelops/kube";
import type { StoredObject } from "../../../store/store.ts";
import type { EncodedFrame, WatchSink } from "../../request/reply.ts";
import { LazyEncoded } from "../../request/reply.ts";
import type { ServerCore } from "../../server-options.ts";
import { frameOf } from "../../watch/frames.ts";
import type { WatchShape } from "../../watch/watch-hub.ts";
import type { Converter } from "./converter.ts";

type FrameType = EncodedFrame["type"];

/** An event whose object is still as it is stored. */
class Waiting implements EncodedFrame {
  readonly type: FrameType;
  readonly stored: StoredObject;
  readonly shape: WatchShape;
  #shown: EncodedFrame | undefined;

  constructor(type: FrameType, stored: StoredObject, shape: WatchShape) {
    this.type = type;
    this.stored = stored;
    this.shape = shape;
  }
  get object(): unknown {
    return this.stored.object;
  }
  get line(): Buffer {
    throw new Error("an event is sent before it is converted");
  }
  /** Shared by all who watch the same. */
  shown(converted: StoredObject): EncodedFrame {
    return (this.#shown ??= this.shape.frame(this.type, converted));
  }
}

/** Frames keep their stored object until they are sent. */
export const waitingShape = (shape: WatchShape): WatchShape => ({
  key: `${shape.key}/converted`,
  frame: (type, stored) => new Waiting(type, stored, shape),
  bookmark: (revision, initial) => shape.bookmark(revision, initial),
});

/** What a watcher's selector keeps of converted events; undefined for nothing. */
export type Sieve = (type: FrameType, converted: StoredObject) => FrameType | undefined;

/** A selector over fields of the request's version: knows which objects the watcher has. */
export function fieldSieve(matches: (stored: StoredObject) => boolean): Sieve {
  const had = new Set<string>();
  return (type, converted) => {
    const id = `${converted.key.namespace}/${converted.key.name}`;
    const before = had.delete(id);
    if (type === "DELETED") return before || matches(converted) ? type : undefined;
    if (!matches(converted)) return before ? "DELETED" : undefined;
    had.add(id);
    return before ? "MODIFIED" : "ADDED";
  };
}

export interface ConvertedSinkOptions {
  readonly core: ServerCore;
  readonly converter: Converter;
  readonly apiVersion: string;
  readonly sieve: Sieve | undefined;
}

export function convertedSink(options: ConvertedSinkOptions, target: WatchSink): WatchSink {
  const { core, converter, apiVersion, sieve } = options;
  let line: EncodedFrame[] = [];
  let ending = false;
  let over = false;
  let busy = false;

  const show = (frame: EncodedFrame): EncodedFrame[] => {
    if (!(frame instanceof Waiting)) return [frame];
    const converted = converter.seen(frame.stored, apiVersion) as StoredObject;
    if (sieve === undefined) return [frame.shown(converted)];
    const type = sieve(frame.type, converted);
    return type === undefined ? [] : [frame.shape.frame(type, converted)];
  };
  const pump = async (): Promise<void> => {
    while (line.length > 0 && !over) {
      const frames = line;
      line = [];
      const stored = frames.flatMap((frame) => (frame instanceof Waiting ? [frame.stored] : []));
      if (stored.length > 0) await converter.convertStored(core, stored, apiVersion);
      const shown = frames.flatMap(show);
      if (shown.length > 0) target.send(shown);
    }
  };
  const run = (): void => {
    if (busy) return;
    busy = true;
    pump()
      .catch((error: unknown) => {
        const fault = error instanceof StatusError ? error : new StatusError(500, "InternalError", String(error));
        target.send([frameOf("ERROR", new LazyEncoded(fault.status))]);
        ending = true;
        line = [];
      })
      .finally(() => {
        busy = false;
        if (ending && !over) {
          over = true;
          target.end();
        } else if (line.length > 0) run();
      });
  };
  return {
    send(frames) {
      if (ending || over) return;
      line.push(...frames);
      run();
    },
    get backlog() {
      return target.backlog + line.length;
    },
    end() {
      ending = true;
      if (!busy && !over) {
        over = true;
        target.end();
      }
    },
    destroy(reason) {
      over = true;
      line = [];
      target.destroy(reason);
    },
  };
}
