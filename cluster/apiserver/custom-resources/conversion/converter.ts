/** Conversion of a custom resource's objects between its versions, by renaming or by the webhook its CRD names. */
import { StatusError, type KubeObject } from "@travelops/kube";
import { applyDefaults } from "@travelops/kube/schema/defaults";
import type { StructNode } from "@travelops/kube/schema/node";
import { prune } from "@travelops/kube/schema/prune";
import type { StoredObject } from "../../../store/store.ts";
import { LazyEncoded } from "../../request/reply.ts";
import { array, read, text } from "../../registry/printers/printer.ts";
import type { ServerCore } from "../../server-options.ts";
import { webhookTarget } from "../../webhook-client/webhook-target.ts";
import type { ConversionSource, VersionSchemas } from "./conversion.ts";
import { convertedObjects, kindText, reviewOf, reviewVersion, type ConversionRequest } from "./review.ts";

const TIMEOUT_SECONDS = 30;

export type Webhooks = Pick<ServerCore, "webhooks" | "uuid">;

export interface Converter {
  /** Undefined for a version the CRD does not have. */
  schema(apiVersion: string): StructNode | undefined;
  /** A stored object with the defaults of its own version, as upstream fills them in: before it is converted. */
  filled(object: KubeObject): KubeObject;
  /** The object in another version, where nobody has to be asked. */
  now(object: KubeObject, apiVersion: string): KubeObject | undefined;
  /** One object in another version. Rejects with `StatusError` 500. */
  convert(core: Webhooks, object: KubeObject, apiVersion: string): Promise<KubeObject>;
  /** The converted form of a stored object, where a list or a watch has had it already. */
  seen(stored: StoredObject, apiVersion: string): StoredObject | undefined;
  /** Stored objects in another version, in one call; those seen before are not asked about again. */
  convertStored(core: Webhooks, stored: readonly StoredObject[], apiVersion: string): Promise<readonly StoredObject[]>;
}

function filled(schemas: VersionSchemas, object: KubeObject): KubeObject {
  const schema = schemas.get(object.apiVersion);
  return schema === undefined ? object : applyDefaults(schema, object);
}

/** Drops what the version does not know, as it is dropped when a client sends it. */
function pruned(schemas: VersionSchemas, object: KubeObject): KubeObject {
  const schema = schemas.get(object.apiVersion);
  return schema === undefined ? object : prune(schema, object).value;
}

/** Strategy None: an object is given the name of the version. */
export class RenamingConverter implements Converter {
  readonly #schemas: VersionSchemas;
  constructor(schemas: VersionSchemas) {
    this.#schemas = schemas;
  }
  schema(apiVersion: string): StructNode | undefined {
    return this.#schemas.get(apiVersion);
  }
  filled(object: KubeObject): KubeObject {
    return filled(this.#schemas, object);
  }
  now(object: KubeObject, apiVersion: string): KubeObject {
    return object.apiVersion === apiVersion ? object : pruned(this.#schemas, { ...object, apiVersion });
  }
  convert(_core: Webhooks, object: KubeObject, apiVersion: string): Promise<KubeObject> {
    return Promise.resolve(this.now(object, apiVersion));
  }
  seen(stored: StoredObject, apiVersion: string): StoredObject {
    const object = this.now(this.filled(stored.object), apiVersion);
    return object === stored.object ? stored : storedAs(stored, object);
  }
  convertStored(_core: Webhooks, stored: readonly StoredObject[], apiVersion: string): Promise<StoredObject[]> {
    return Promise.resolve(stored.map((one) => this.seen(one, apiVersion)));
  }
}

/** Faults of a conversion are the server's, without a reason, as upstream. */
const failed = (error: unknown): StatusError =>
  error instanceof StatusError
    ? error
    : new StatusError(500, "", error instanceof Error ? error.message : String(error));

/** Strategy Webhook. */
export class WebhookConverter implements Converter {
  readonly #source: ConversionSource;
  /** What lists and watches have seen, as upstream's watch cache holds it; a GET asks anew. */
  readonly #seen = new Map<string, WeakMap<StoredObject, StoredObject>>();

  constructor(source: ConversionSource) {
    this.#source = source;
  }

  schema(apiVersion: string): StructNode | undefined {
    return this.#source.schemas.get(apiVersion);
  }

  filled(object: KubeObject): KubeObject {
    return filled(this.#source.schemas, object);
  }

  now(object: KubeObject, apiVersion: string): KubeObject | undefined {
    return object.apiVersion === apiVersion ? object : undefined;
  }

  async convert(core: Webhooks, object: KubeObject, apiVersion: string): Promise<KubeObject> {
    const [converted] = await this.#ask(core, [object], apiVersion, false);
    return converted as KubeObject;
  }

  seen(stored: StoredObject, apiVersion: string): StoredObject | undefined {
    return this.#seen.get(apiVersion)?.get(stored);
  }

  async convertStored(
    core: Webhooks,
    stored: readonly StoredObject[],
    apiVersion: string,
  ): Promise<readonly StoredObject[]> {
    const unseen = stored.filter((one) => this.seen(one, apiVersion) === undefined);
    if (unseen.length > 0) {
      let seen = this.#seen.get(apiVersion);
      if (seen === undefined) this.#seen.set(apiVersion, (seen = new WeakMap()));
      const objects = unseen.map(({ object }) => this.filled(object));
      const converted = await this.#ask(core, objects, apiVersion, true);
      for (const [i, one] of unseen.entries()) seen.set(one, storedAs(one, converted[i] as KubeObject));
    }
    return stored.map((one) => this.seen(one, apiVersion) as StoredObject);
  }

  async #ask(
    core: Webhooks,
    objects: readonly KubeObject[],
    apiVersion: string,
    list: boolean,
  ): Promise<readonly KubeObject[]> {
    const wanted = objects.filter((object) => object.apiVersion !== apiVersion);
    if (wanted.length === 0) return objects;
    const several = list && wanted.length > 1;
    const { apiVersion: from, kind } = wanted[0] as KubeObject;
    const request: ConversionRequest = { objects: wanted, apiVersion, subject: kindText(from, kind), list: several };
    try {
      const answers = (await this.#post(core, request))[Symbol.iterator]();
      return objects.map((object) =>
        object.apiVersion === apiVersion ? object : pruned(this.#source.schemas, answers.next().value as KubeObject),
      );
    } catch (error) {
      throw failed(error);
    }
  }

  async #post(core: Webhooks, request: ConversionRequest): Promise<KubeObject[]> {
    const webhook = read(this.#source.crd, "spec", "conversion", "webhook");
    const accepted = array(read(webhook, "conversionReviewVersions")).map((version) => text(version));
    const version = reviewVersion(accepted);
    const uid = core.uuid();
    let answer: unknown;
    try {
      const target = webhookTarget(read(webhook, "clientConfig"));
      const review = reviewOf(version, uid, request);
      answer = await core.webhooks.post(target, review, { timeoutSeconds: TIMEOUT_SECONDS });
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      throw new Error(`conversion webhook for ${request.subject} failed: ${fault}`, { cause: error });
    }
    return convertedObjects(version, uid, request, answer);
  }
}

/** A stored object in another form. */
export function storedAs({ key, revision }: StoredObject, object: KubeObject): StoredObject {
  const encoded = new LazyEncoded(object);
  return {
    key,
    revision,
    object,
    get bytes() {
      return encoded.bytes;
    },
  };
}
