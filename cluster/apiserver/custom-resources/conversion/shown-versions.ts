/** Objects of a request in versions that admission asks for, where a webhook converts them. */
import { isDeepStrictEqual } from "node:util";
import { formatApiVersion, type KubeObject } from "@travelops/kube";
import type { ServedResource } from "../../registry/registry.ts";
import type { ServerCore } from "../../server-options.ts";
import { NeedsConversion } from "./converted-store.ts";
import type { Converter } from "./converter.ts";

/** What a webhook has a say in. All else may differ from one try of a request to the next: names, UIDs, times. */
const content = (object: KubeObject): KubeObject => {
  const { labels, annotations } = object.metadata;
  return { ...object, metadata: { labels, annotations } as KubeObject["metadata"] };
};

export class ShownVersions {
  readonly #core: ServerCore;
  readonly #converter: Converter;
  readonly #known: { readonly content: KubeObject; readonly to: KubeObject }[] = [];

  constructor(core: ServerCore, converter: Converter) {
    this.#core = core;
    this.#converter = converter;
  }

  /** Throws `NeedsConversion` for what has not been converted yet. */
  readonly show = (target: ServedResource, object: KubeObject): KubeObject => {
    const apiVersion = formatApiVersion(target.row.group, target.row.version);
    const now = this.#converter.now(object, apiVersion);
    if (now !== undefined) return now;
    const wanted = content(object);
    const known = this.#known.find((one) => one.to.apiVersion === apiVersion && isDeepStrictEqual(one.content, wanted));
    if (known === undefined) {
      throw new NeedsConversion(async () => {
        const to = await this.#converter.convert(this.#core, object, apiVersion);
        this.#known.push({ content: wanted, to });
      });
    }
    const { labels: _labels, annotations: _annotations, ...metadata } = object.metadata;
    return { ...known.to, metadata: { ...metadata, ...content(known.to).metadata } };
  };
}
