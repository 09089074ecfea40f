/** What the core answers with; each front end brings it to its client in its own way. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WatchFrame } from "@travelops/kube";
import type { UserInfo } from "../api-server.ts";
import type { ResourceRequest } from "./request-info.ts";

/** An object beside its JSON, which is encoded at most once however many read it. */
export interface Encoded {
  readonly object: unknown;
  readonly bytes: Buffer;
}

/** One event of a watch. `line` is encoded at most once and shared by every connection. */
export interface EncodedFrame extends WatchFrame {
  readonly line: Buffer;
}

/** Where a watch puts its events. Never throws. */
export interface WatchSink {
  /** The events of one commit. */
  send(frames: readonly EncodedFrame[]): void;
  /** Bytes or events not yet taken by the client. */
  readonly backlog: number;
  /** No more events; the client sees an orderly end. */
  end(): void;
  /** Cuts the client off. */
  destroy(reason: string): void;
}

export type Headers = Readonly<Record<string, string>>;

export type Reply =
  | { readonly kind: "object"; readonly code: number; readonly value: Encoded; readonly headers?: Headers }
  /** A list whose items are already encoded one by one. */
  | {
      readonly kind: "list";
      /** Everything but `items`. */
      readonly envelope: Readonly<Record<string, unknown>>;
      readonly items: readonly Encoded[];
      /** Over the wire, the items do not say that they are this. */
      readonly untyped?: { readonly apiVersion: string; readonly kind: string };
    }
  /** `open` starts the watch and returns what stops it. */
  | {
      readonly kind: "watch";
      /** The client wants protobuf, and its objects have that form. */
      readonly protobuf?: boolean;
      open(sink: WatchSink): () => void;
    }
  | { readonly kind: "stream"; readonly contentType: string; readonly chunks: AsyncIterable<Uint8Array> }
  | {
      readonly kind: "raw";
      readonly code: number;
      readonly contentType: string;
      readonly body: string | Uint8Array;
      readonly headers?: Headers;
    }
  /** Another server's answer, passed on as it is. */
  | {
      readonly kind: "proxied";
      readonly code: number;
      readonly headers: Readonly<Record<string, string | readonly string[]>>;
      readonly chunks: AsyncIterable<Uint8Array>;
    }
  /** The upgraded connection goes to `take`. */
  | { readonly kind: "takeover"; take(req: IncomingMessage, socket: Duplex, head: Buffer): void }
  /** The connection goes to the streaming part (exec, attach, port-forward). */
  | { readonly kind: "upgrade"; readonly info: ResourceRequest; readonly user: UserInfo };

/** A value that is encoded when somebody first asks for its bytes. */
export class LazyEncoded implements Encoded {
  readonly object: unknown;
  #bytes: Buffer | undefined;
  constructor(object: unknown) {
    this.object = object;
  }
  get bytes(): Buffer {
    return (this.#bytes ??= Buffer.from(JSON.stringify(this.object) ?? "null"));
  }
}

/** An answer that holds one object. */
export const objectReply = (object: unknown, code = 200, headers?: Headers): Reply => ({
  kind: "object",
  code,
  value: new LazyEncoded(object),
  ...(headers === undefined ? {} : { headers }),
});
