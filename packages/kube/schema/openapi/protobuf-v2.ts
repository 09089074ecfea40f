/**
 * The v2 document in the protobuf form that client-go asks for (gnostic's openapi.v2.Document): the same document,
 * field by field. What a message has no field for is left out; extensions travel as YAML text, which JSON is.
 */
import { isObject } from "../json-value.ts";
import type { OpenApiObject } from "./schemas.ts";

type Encode = (value: unknown) => Buffer | undefined;
/** `each`: a repeated field, which a list fills. */
type Message = Readonly<Record<string, readonly [field: number, encode: Encode, each?: "each"]>>;

const BYTES = 2;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** A field's content as it stands behind its number: with its length, or bare. */
const sized = (content: Buffer): Buffer => Buffer.concat([varint(content.length), content]);

const text: Encode = (value) => (typeof value === "string" ? Buffer.from(value, "utf8") : undefined);
const any: Encode = (value) => encode({ yaml: [2, text] }, { yaml: `${JSON.stringify(value)}\n` });

const WIRE_OF: ReadonlyMap<Encode, number> = new Map([
  [flag, 0],
  [integer, 0],
  [number, 1],
]);

function flag(value: unknown): Buffer | undefined {
  return value === true ? varint(1) : undefined;
}
function integer(value: unknown): Buffer | undefined {
  return typeof value === "number" && value > 0 ? varint(value) : undefined;
}
function number(value: unknown): Buffer | undefined {
  if (typeof value !== "number") return undefined;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function field(id: number, encodeValue: Encode, value: unknown): Buffer[] {
  const content = encodeValue(value);
  if (content === undefined) return [];
  const wire = WIRE_OF.get(encodeValue) ?? BYTES;
  return [varint(id * 8 + wire), wire === BYTES ? sized(content) : content];
}

/** A message from an object whose keys are the document's. */
function encode(message: Message, value: unknown): Buffer {
  if (!isObject(value)) return Buffer.alloc(0);
  const parts = Object.entries(message).flatMap(([key, [id, encodeValue, each]]) => {
    const content = value[key];
    if (content === undefined) return [];
    return each !== undefined && Array.isArray(content)
      ? content.flatMap((item: unknown) => field(id, encodeValue, item))
      : field(id, encodeValue, content);
  });
  return Buffer.concat(parts);
}

const of =
  (message: Message): Encode =>
  (value) =>
    encode(message, value);

/** An object with any keys: a repeated field of names and values. */
const named =
  (id: number, encodeValue: Encode): Encode =>
  (value) =>
    isObject(value)
      ? Buffer.concat(
          Object.entries(value).flatMap(([name, item]) =>
            field(id, of({ name: [1, text], value: [2, encodeValue] }), { name, value: item }),
          ),
        )
      : undefined;

/** A message with the extensions of its object in field `id`. */
const extended =
  (message: Message, id: number): Encode =>
  (value) => {
    if (!isObject(value)) return undefined;
    const extensions = Object.fromEntries(Object.entries(value).filter(([key]) => key.startsWith("x-")));
    return Buffer.concat([encode(message, value), named(id, any)(extensions) ?? Buffer.alloc(0)]);
  };

const within =
  (id: number, encodeValue: Encode): Encode =>
  (value) => {
    const parts = field(id, encodeValue, value);
    return parts.length === 0 ? undefined : Buffer.concat(parts);
  };

const schema: Encode = (value) => extendedSchema(value);
const oneOrMany =
  (encodeValue: Encode): Encode =>
  (value) =>
    Buffer.concat((Array.isArray(value) ? value : [value]).flatMap((item: unknown) => field(1, encodeValue, item)));
const additional: Encode = (value) => (typeof value === "boolean" ? within(2, flag)(value) : within(1, schema)(value));

const SCHEMA: Message = {
  $ref: [1, text],
  format: [2, text],
  title: [3, text],
  description: [4, text],
  default: [5, any],
  maximum: [7, number],
  minimum: [9, number],
  maxLength: [11, integer],
  minLength: [12, integer],
  pattern: [13, text],
  maxItems: [14, integer],
  minItems: [15, integer],
  uniqueItems: [16, flag],
  required: [19, text, "each"],
  enum: [20, any, "each"],
  additionalProperties: [21, additional],
  type: [22, oneOrMany(text)],
  items: [23, oneOrMany(schema)],
  properties: [25, named(1, schema)],
};
const extendedSchema = extended(SCHEMA, 31);

const bodyParameter = of({
  description: [1, text],
  name: [2, text],
  in: [3, text],
  required: [4, flag],
  schema: [5, schema],
});
const queryParameter = of({
  required: [1, flag],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [6, text],
  uniqueItems: [20, flag],
});
const pathParameter = of({
  required: [1, flag],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [5, text],
});
const parameter: Encode = (value) => {
  if (!isObject(value)) return undefined;
  if (typeof value["$ref"] === "string") return within(2, of({ $ref: [1, text] }))(value);
  if (value["in"] === "body") return within(1, within(1, bodyParameter))(value);
  return within(1, within(2, value["in"] === "path" ? within(4, pathParameter) : within(3, queryParameter)))(value);
};

const response = within(1, of({ description: [1, text], schema: [2, within(1, schema)] }));
const operation = extended(
  {
    tags: [1, text, "each"],
    description: [3, text],
    operationId: [5, text],
    produces: [6, text, "each"],
    consumes: [7, text, "each"],
    parameters: [8, parameter, "each"],
    responses: [9, named(1, response)],
    schemes: [10, text, "each"],
  },
  13,
);
const pathItem = of({
  get: [2, operation],
  put: [3, operation],
  post: [4, operation],
  delete: [5, operation],
  options: [6, operation],
  head: [7, operation],
  patch: [8, operation],
  parameters: [9, parameter, "each"],
});

const INFO = of({ title: [1, text], version: [2, text] });

/** Paths as they stand inside the document's message for them, so that those of several parts may follow each other. */
export const v2Paths = (paths: OpenApiObject): Buffer => named(2, pathItem)(paths) ?? Buffer.alloc(0);

/** The same of one definition. */
export const v2Definition = (name: string, definition: unknown): Buffer =>
  named(1, schema)({ [name]: definition }) ?? Buffer.alloc(0);

/** The protobuf form of a v2 document, in pieces. */
export function v2Document(
  head: { readonly swagger: unknown; readonly info: unknown },
  paths: readonly Buffer[],
  definitions: readonly Buffer[],
): Buffer[] {
  return [
    ...field(1, text, head.swagger),
    ...field(2, INFO, head.info),
    ...message(8, paths),
    ...message(9, definitions),
  ];
}

function message(id: number, parts: readonly Buffer[]): Buffer[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [varint(id * 8 + BYTES), varint(length), ...parts];
}
