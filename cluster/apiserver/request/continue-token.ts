/** The token that continues a list, in upstream's form (apiserver/pkg/storage/continue.go). */
import path from "node:path";
import { badRequest } from "@travelops/kube";
import { jsonSyntaxError } from "@travelops/kube/schema/json-syntax";

export interface ContinueToken {
  /** Revision of the first page; -1 for a list that no longer has to be consistent. */
  readonly revision: number;
  /** Key of the last object returned, exclusive. */
  readonly after: { readonly namespace: string; readonly name: string };
}

const END = "\u0000";

export function encodeContinue({ revision, after }: ContinueToken, inNamespace: boolean): string {
  const key = inNamespace || after.namespace === "" ? after.name : `${after.namespace}/${after.name}`;
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start: key + END })).toString("base64url");
}

/** Throws `StatusError` 400 for a token that is not one of ours. */
export function decodeContinue(token: string, namespace: string): ContinueToken {
  const value = opened(token);
  const { v, rv, start } = (value ?? {}) as { v?: unknown; rv?: unknown; start?: unknown };
  if (v !== "meta.k8s.io/v1") {
    throw badRequest(
      `continue key is not valid: server does not recognize this encoded version ${typeof v === "string" ? v : ""}`,
    );
  }
  if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv === 0) {
    throw badRequest("continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  }
  if (typeof start !== "string" || start === "") {
    throw badRequest("continue key is not valid: encoded start key empty (version meta.k8s.io/v1)");
  }
  const rooted = start.startsWith("/") ? start : `/${start}`;
  if (rooted.endsWith("/") || path.posix.normalize(rooted) !== rooted)
    throw badRequest(`continue key is not valid: ${start}`);
  const key = start.endsWith(END) ? start.slice(0, -1) : start;
  const slash = key.indexOf("/");
  const after =
    namespace !== "" || slash < 0
      ? { namespace, name: key }
      : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
  return { revision: rv, after };
}

const BASE64URL = /^[\w-]*/;

/** Says what of a token cannot be read, in Go's words. */
function opened(token: string): unknown {
  const read = BASE64URL.exec(token)?.[0].length ?? 0;
  const wrong = read < token.length ? read : token.length % 4 === 1 ? token.length - 1 : undefined;
  if (wrong !== undefined) throw badRequest(`continue key is not valid: illegal base64 data at input byte ${wrong}`);
  const text = Buffer.from(token, "base64url").toString("utf8");
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw badRequest(`continue key is not valid: ${jsonSyntaxError(text) ?? String(error)}`);
  }
}
