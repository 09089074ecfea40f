/** A list as a protobuf body, put together from its items' messages: it never stands in one buffer before it is sent. */
import type { JsonObject } from "./json-value.ts";
import type { StructNode } from "./node.ts";
import { encodeMessage, protobufNode, typeMetaPrefix } from "./protobuf.ts";
import { WireWriter } from "./protobuf/wire-writer.ts";

const NO_ENCODING = Buffer.from([0x1a, 0x00, 0x22, 0x00]);

function head(number: number, length: number): Buffer {
  const out = new WireWriter();
  out.integer(length);
  out.tag(number, 2);
  return out.finish();
}

/** Encodes the items one by one, so that whoever has many may pause in between. */
export class ProtobufList {
  readonly #prefix: Buffer;
  readonly #metadata: readonly Buffer[];
  readonly #item: StructNode;
  readonly #itemNumber: number;
  readonly #items: Buffer[] = [];

  /** `envelope` is everything but `items`; throws for a kind that has no protobuf form. */
  constructor(envelope: Readonly<JsonObject>) {
    const apiVersion = String(envelope["apiVersion"]);
    const kind = String(envelope["kind"]);
    const { fields } = protobufNode(apiVersion, kind);
    const items = fields.get("items")?.node;
    const metadata = fields.get("metadata")?.node;
    if (items?.kind !== "list" || items.items.kind !== "struct" || metadata?.kind !== "struct")
      throw new Error(`${kind} in ${apiVersion} is no list`);
    this.#prefix = typeMetaPrefix(apiVersion, kind);
    this.#item = items.items;
    // The first version of the list of metadata numbers its fields the other way round.
    this.#itemNumber = apiVersion === "meta.k8s.io/v1beta1" ? 1 : 2;
    const message = encodeMessage(metadata, (envelope["metadata"] ?? {}) as JsonObject);
    this.#metadata = [head(3 - this.#itemNumber, message.length), message];
  }

  add(item: Readonly<JsonObject>): void {
    const message = encodeMessage(this.#item, item);
    this.#items.push(head(this.#itemNumber, message.length), message);
  }

  /** The body, in pieces. */
  pieces(): Buffer[] {
    const body = this.#itemNumber === 1 ? [...this.#items, ...this.#metadata] : [...this.#metadata, ...this.#items];
    const length = body.reduce((sum, piece) => sum + piece.length, 0);
    return [this.#prefix, head(2, length), ...body, NO_ENCODING];
  }
}
