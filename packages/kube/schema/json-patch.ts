/** JSON Patch (RFC 6902) as the API server applies it; the quirks are those of the library upstream uses. */
import { StatusError, badRequest } from "../api/status-error.ts";
import { equalJson, isObject, own, setKey } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";

/** What `copy` operations of one patch may add, in characters of JSON: copies of copies grow without end. */
const MAX_COPIED = 3 * 1024 * 1024;

/**
 * The object with all operations applied. The input is not changed.
 * Throws `StatusError`: 400 when the operations are malformed, 422 when one does not apply or a test fails.
 */
export function applyJsonPatch(object: unknown, operations: unknown): unknown {
  const patch = readOperations(operations);
  const document = new PatchedDocument(object);
  for (const operation of patch) document.apply(operation);
  return document.root;
}

interface Operation {
  readonly op: string | undefined;
  readonly path: string | undefined;
  readonly from: string | undefined;
  /** Undefined: the operation has no value, which counts as null. */
  readonly value: unknown;
}

const TARGET = "Go value of type []handlers.jsonPatchOp";

function goKind(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

function readOperations(operations: unknown): Operation[] {
  if (operations === null) return [];
  if (!Array.isArray(operations)) {
    throw badRequest(`error decoding patch: json: cannot unmarshal ${goKind(operations)} into ${TARGET}`);
  }
  return operations.map(readOperation);
}

function readOperation(operation: unknown): Operation {
  if (operation === null) return { op: undefined, path: undefined, from: undefined, value: undefined };
  if (!isObject(operation)) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${goKind(operation)} into Go value of type handlers.jsonPatchOp`,
    );
  }
  return {
    op: textField(operation, "op"),
    path: textField(operation, "path"),
    from: textField(operation, "from"),
    value: own(operation, "value"),
  };
}

function textField(operation: JsonObject, name: string): string | undefined {
  const value = own(operation, name);
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  throw badRequest(
    `error decoding patch: json: cannot unmarshal ${goKind(value)} into Go struct field jsonPatchOp.${name} of type string`,
  );
}

/** Upstream's answer says nothing of what is wrong; the error's cause does, for those who call from within. */
function unprocessable(why: string): StatusError {
  const error = new StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {});
  error.cause = why;
  return error;
}

const unescape = (token: string): string => token.replaceAll("~1", "/").replaceAll("~0", "~");

type Container = JsonObject | unknown[];

const INDEX = /^[+-]?\d+$/;

/** A document that copies what it changes, once, and shares the rest with the original. */
class PatchedDocument {
  root: unknown;
  /** Containers made here: nobody else holds them, so they may be written to. */
  readonly #fresh = new WeakSet<object>();
  #copied = 0;

  constructor(root: unknown) {
    this.root = root;
  }

  apply(operation: Operation): void {
    switch (operation.op) {
      case "add":
        return this.#add(operation);
      case "remove":
        return this.#remove(operation);
      case "replace":
        return this.#replace(operation);
      case "move":
        return this.#move(operation);
      case "copy":
        return this.#copy(operation);
      case "test":
        return this.#test(operation);
      default:
        throw unprocessable(`Unexpected kind: ${operation.op ?? "unknown"}`);
    }
  }

  #add({ path, value }: Operation): void {
    const at = required(path, "add operation failed to decode path: missing value");
    const found = this.#find(at, true);
    if (found === undefined)
      throw unprocessable(`add operation does not apply: doc is missing path: "${at}": missing value`);
    insert(found.container, found.key, value ?? null, `error in add for path: '${at}'`);
  }

  #remove({ path }: Operation): void {
    const at = required(path, "remove operation failed to decode path: missing value");
    const found = this.#find(at, true);
    if (found === undefined)
      throw unprocessable(`remove operation does not apply: doc is missing path: "${at}": missing value`);
    erase(found.container, found.key, `error in remove for path: '${at}'`);
  }

  #replace({ path, value }: Operation): void {
    const at = required(path, "replace operation failed to decode path: operation missing path field: missing value");
    if (at === "") {
      if (typeof value !== "object" || value === null)
        throw unprocessable("replace operation value must be object or array");
      this.root = value;
      return;
    }
    const found = this.#find(at, true);
    if (found === undefined)
      throw unprocessable(`replace operation does not apply: doc is missing path: ${at}: missing value`);
    const { container, key } = found;
    if (!Array.isArray(container)) {
      setKey(container, key, value ?? null);
      return;
    }
    const index = indexIn(container.length, key);
    if (index === undefined)
      throw unprocessable(`replace operation does not apply: doc is missing key: ${at}: missing value`);
    container[index] = value ?? null;
  }

  #move({ path, from }: Operation): void {
    const source = required(from, "move operation failed to decode from: operation, missing from field: missing value");
    const found = this.#find(source, true);
    if (found === undefined)
      throw unprocessable(`move operation does not apply: doc is missing from path: ${source}: missing value`);
    const value = lookUp(found.container, found.key, `error in move for path: '${found.key}'`);
    erase(found.container, found.key, `error in move for path: '${found.key}'`);
    const at = required(path, "move operation failed to decode path: operation missing path field: missing value");
    const target = this.#find(at, true);
    if (target === undefined)
      throw unprocessable(`move operation does not apply: doc is missing destination path: ${at}: missing value`);
    insert(target.container, target.key, value ?? null, `error in move for path: '${at}'`);
  }

  #copy({ path, from }: Operation): void {
    const source = required(from, "copy operation failed to decode from: operation, missing from field: missing value");
    const found = this.#find(source, false);
    if (found === undefined)
      throw unprocessable(`copy operation does not apply: doc is missing from path: ${source}: missing value`);
    const value = lookUp(found.container, found.key, `error in copy for from: '${source}'`) ?? null;
    const at = required(path, "copy operation failed to decode path: missing value");
    const target = this.#find(at, true);
    if (target === undefined)
      throw unprocessable(`copy operation does not apply: doc is missing destination path: ${at}: missing value`);
    const text = JSON.stringify(value);
    this.#copied += text.length;
    if (this.#copied > MAX_COPIED) {
      throw unprocessable(
        `Unable to complete the copy, the accumulated size increase of copy is ${this.#copied}, exceeding the limit ${MAX_COPIED}`,
      );
    }
    // A copy of its own: what was made here may be written to at both places later.
    insert(target.container, target.key, JSON.parse(text), "error while adding value during copy");
  }

  #test({ path, value }: Operation): void {
    const at = required(path, "test operation failed to decode path: operation missing path field: missing value");
    if (at === "") {
      if (equalJson(this.root, value)) return;
      throw unprocessable(`testing value ${at} failed: test failed`);
    }
    const found = this.#find(at, false);
    if (found === undefined)
      throw unprocessable(`test operation does not apply: is missing path: ${at}: missing value`);
    const held = lookUp(found.container, found.key, `error in test for path: '${at}'`) ?? null;
    if (!equalJson(held, value ?? null)) throw unprocessable(`testing value ${at} failed: test failed`);
  }

  /** The container a path ends in and the key in it; with `write` every container on the way is our own. */
  #find(path: string, write: boolean): { container: Container; key: string } | undefined {
    const tokens = path.split("/");
    if (tokens.length < 2) return undefined;
    let container = asContainer(this.root);
    if (container === undefined) return undefined;
    if (write) this.root = container = this.#own(container);
    for (const token of tokens.slice(1, -1).map(unescape)) {
      const next = this.#step(container, token, write);
      if (next === undefined) return undefined;
      container = next;
    }
    return { container, key: unescape(tokens[tokens.length - 1] ?? "") };
  }

  #step(container: Container, token: string, write: boolean): Container | undefined {
    const index = Array.isArray(container) ? indexIn(container.length, token) : undefined;
    if (Array.isArray(container) && index === undefined) return undefined;
    const next = asContainer(Array.isArray(container) ? container[index as number] : own(container, token));
    if (next === undefined || !write) return next;
    const mine = this.#own(next);
    if (Array.isArray(container)) container[index as number] = mine;
    else setKey(container, token, mine);
    return mine;
  }

  #own(container: Container): Container {
    if (this.#fresh.has(container)) return container;
    const copy: Container = Array.isArray(container) ? [...container] : { ...container };
    this.#fresh.add(copy);
    return copy;
  }
}

function required(value: string | undefined, why: string): string {
  if (value === undefined) throw unprocessable(why);
  return value;
}

const asContainer = (value: unknown): Container | undefined =>
  typeof value === "object" && value !== null ? (value as Container) : undefined;

/** An index that is there; negative ones count from the end. */
function indexIn(length: number, key: string): number | undefined {
  if (!INDEX.test(key)) return undefined;
  const index = Number(key) < 0 ? Number(key) + length : Number(key);
  return index >= 0 && index < length ? index : undefined;
}

const parseFault = (key: string): string => `strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`;
const indexFault = (key: string): string => `Unable to access invalid index: ${Number(key)}: invalid index referenced`;

function lookUp(container: Container, key: string, where: string): unknown {
  if (!Array.isArray(container)) return own(container, key);
  const index = indexIn(container.length, key);
  if (index === undefined) throw unprocessable(`${where}: ${INDEX.test(key) ? indexFault(key) : parseFault(key)}`);
  return container[index];
}

function insert(container: Container, key: string, value: unknown, where: string): void {
  if (!Array.isArray(container)) {
    setKey(container, key, value);
    return;
  }
  if (key === "-") {
    container.push(value);
    return;
  }
  if (!INDEX.test(key))
    throw unprocessable(`${where}: value was not a proper array index: '${key}': ${parseFault(key)}`);
  // One more place than there are items: the end is a place too.
  const index = indexIn(container.length + 1, key);
  if (index === undefined) throw unprocessable(`${where}: ${indexFault(key)}`);
  container.splice(index, 0, value);
}

function erase(container: Container, key: string, where: string): void {
  if (!Array.isArray(container)) {
    if (!Object.hasOwn(container, key))
      throw unprocessable(`${where}: Unable to remove nonexistent key: ${key}: missing value`);
    delete container[key];
    return;
  }
  const index = indexIn(container.length, key);
  if (index === undefined) throw unprocessable(`${where}: ${INDEX.test(key) ? indexFault(key) : parseFault(key)}`);
  container.splice(index, 1);
}
