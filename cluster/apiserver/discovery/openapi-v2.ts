/** OpenAPI v2: one document of all that is served, put together from what each resource adds, which is kept. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { notAcceptable } from "@travelops/kube";
import {
  openApiV2,
  V2Document,
  v2Part,
  type V2Content,
  type V2Form,
  type V2Part,
} from "@travelops/kube/schema/openapi";
import { header, type ApiCall } from "../request/api-call.ts";
import { parseAccept } from "../request/negotiation.ts";
import type { Reply } from "../request/reply.ts";
import type { Registry, ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { KUBERNETES_VERSION } from "../system/paths.ts";

/** What client-go asks for; it names the type with an `@` where the registered form has a dot. */
const PROTOBUF = /^application\/com\.github\.proto-openapi\.spec\.v2[.@]v1\.0\+protobuf$/;
const PROTOBUF_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/** The form that the sender likes best, or undefined where there is none. */
function formOf(call: ApiCall): V2Form | undefined {
  for (const { type } of parseAccept(header(call.headers, "accept"))) {
    if (PROTOBUF.test(type)) return "protobuf";
    if (type === "application/json" || type === "*/*" || type === "application/*") return "json";
  }
  return header(call.headers, "accept") === "" ? "json" : undefined;
}

/** A part in the forms that were asked for. */
type Forms = Map<V2Form, Promise<V2Part>>;
const builtin = new WeakMap<Registry, { readonly rows: number; readonly forms: Forms }>();
const custom = new WeakMap<ServedResource, Forms>();
const remote = new WeakMap<V2Content, Forms>();

function kept(forms: Forms, form: V2Form, make: () => Promise<V2Part>): Promise<V2Part> {
  let part = forms.get(form);
  if (part === undefined) {
    part = make();
    forms.set(form, part);
    part.catch(() => forms.delete(form));
  }
  return part;
}

function formsOf<K extends object>(parts: WeakMap<K, Forms>, key: K): Forms {
  let forms = parts.get(key);
  if (forms === undefined) parts.set(key, (forms = new Map()));
  return forms;
}

/** Other requests are served after this long. */
const PAUSE_AFTER_MS = 5;

function pauses(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < PAUSE_AFTER_MS) return undefined;
    return nextTurn().then(() => void (since = performance.now()));
  };
}

function builtinPart(registry: Registry, form: V2Form): Promise<V2Part> {
  const rows = [...registry.all()].filter(({ origin }) => origin === "builtin").map(({ row }) => row);
  let known = builtin.get(registry);
  if (known?.rows !== rows.length) builtin.set(registry, (known = { rows: rows.length, forms: new Map() }));
  return kept(known.forms, form, () => v2Part(openApiV2(rows), form, undefined, pauses()));
}

/** The whole document; `remotes` is what other servers say of what they serve. */
async function documentOf(registry: Registry, form: V2Form, remotes: readonly V2Content[]): Promise<V2Document> {
  const own = await builtinPart(registry, form);
  const parts = [own];
  const pause = pauses();
  for (const resource of [...registry.all()].filter(({ origin }) => origin === "custom")) {
    const made = kept(formsOf(custom, resource), form, () =>
      v2Part(openApiV2([resource.row]), form, own.definitions, pause),
    );
    parts.push(await made);
    await pause();
  }
  for (const content of remotes)
    parts.push(await kept(formsOf(remote, content), form, () => v2Part(content, form, own.definitions, pause)));
  return new V2Document(parts, form, KUBERNETES_VERSION);
}

/** Answers `/openapi/v2`. Throws `StatusError` 406. */
export async function handleOpenApiV2(
  core: ServerCore,
  call: ApiCall,
  remotes: readonly V2Content[] = [],
): Promise<Reply> {
  const form = formOf(call);
  if (form === undefined)
    throw notAcceptable(`only the following media types are accepted: application/json, ${PROTOBUF_TYPE}`);
  const contentType = form === "json" ? "application/json" : PROTOBUF_TYPE;
  const document = await documentOf(core.registry, form, remotes);
  const headers = { etag: `"${document.etag}"`, vary: "Accept" };
  return header(call.headers, "if-none-match").replaceAll('"', "") === document.etag
    ? { kind: "raw", code: 304, contentType, body: "", headers }
    : { kind: "raw", code: 200, contentType, body: document.body(), headers };
}
