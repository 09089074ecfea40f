/** The OpenAPI v2 documents of other servers: asked for when somebody wants the whole, and kept for a while. */
import { isObject, type JsonObject } from "@travelops/kube/schema/json-value";
import type { V2Content } from "@travelops/kube/schema/openapi";
import type { ServerCore } from "../server-options.ts";
import type { RemoteApi } from "./api-service.ts";
import { ask } from "./remote-server.ts";

/** As often as upstream's aggregator asks. */
const KEPT_MS = 60_000;

interface Known {
  readonly until: number;
  readonly content: Promise<V2Content | undefined>;
}

export class RemoteOpenApiV2 {
  readonly #core: ServerCore;
  readonly #known = new Map<string, Known>();

  constructor(core: ServerCore) {
    this.#core = core;
  }

  /** What each of them says of the group version it serves; those that say nothing are left out. */
  async contents(remotes: readonly RemoteApi[]): Promise<V2Content[]> {
    const names = new Set(remotes.map(({ name }) => name));
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
    const contents: V2Content[] = [];
    // One after the other: a definition is renamed that another server means otherwise.
    for (const remote of remotes) {
      const content = await this.#content(remote, contents);
      if (content !== undefined) contents.push(content);
    }
    return contents;
  }

  #content(remote: RemoteApi, others: readonly V2Content[]): Promise<V2Content | undefined> {
    const known = this.#known.get(remote.name);
    const now = this.#core.clock.now();
    if (known !== undefined && (known.until > now || !remote.available)) return known.content;
    if (!remote.available) return Promise.resolve(undefined);
    const content = this.#fetch(remote, others).catch(() => known?.content);
    this.#known.set(remote.name, { until: now + KEPT_MS, content });
    return content;
  }

  async #fetch(remote: RemoteApi, others: readonly V2Content[]): Promise<V2Content | undefined> {
    const document = await ask(this.#core, remote, "/openapi/v2");
    if (!isObject(document) || !isObject(document["paths"])) return undefined;
    const definitions = isObject(document["definitions"]) ? document["definitions"] : {};
    return beside(others, ofGroupVersion({ paths: document["paths"], definitions }, remote));
  }
}

const REFERENCE = /"#\/definitions\/([^"]+)"/g;

const referred = (value: unknown): string[] =>
  [...(JSON.stringify(value) ?? "").matchAll(REFERENCE)].map(([, name = ""]) => name);

/** The paths of one group version, and the definitions they need. */
function ofGroupVersion({ paths, definitions }: V2Content, { group, version }: RemoteApi): V2Content {
  const base = `/apis/${group}/${version}/`;
  const kept = Object.fromEntries(Object.entries(paths).filter(([path]) => path === base || path.startsWith(base)));
  const needed = new Map<string, unknown>();
  const pending = referred(kept);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (needed.has(name) || !Object.hasOwn(definitions, name)) continue;
    needed.set(name, definitions[name]);
    pending.push(...referred(definitions[name]));
  }
  return { paths: kept, definitions: Object.fromEntries(needed) };
}

/** Gives another name to every definition whose name means something else to one of the others. */
function beside(others: readonly V2Content[], content: V2Content): V2Content {
  const taken = (name: string): unknown =>
    others.find(({ definitions }) => Object.hasOwn(definitions, name))?.definitions[name];
  const renamed = new Map<string, string>();
  for (const [name, definition] of Object.entries(content.definitions)) {
    const text = JSON.stringify(definition);
    let free = name;
    for (let count = 2; taken(free) !== undefined && JSON.stringify(taken(free)) !== text; count++)
      free = `${name}_v${count}`;
    if (free !== name) renamed.set(name, free);
  }
  if (renamed.size === 0) return content;
  const text = JSON.stringify(content).replace(REFERENCE, (whole, name: string) => {
    const free = renamed.get(name);
    return free === undefined ? whole : `"#/definitions/${free}"`;
  });
  const { paths, definitions } = JSON.parse(text) as { paths: JsonObject; definitions: JsonObject };
  const entries = Object.entries(definitions).map(([name, definition]) => [renamed.get(name) ?? name, definition]);
  return { paths, definitions: Object.fromEntries(entries) as JsonObject };
}
