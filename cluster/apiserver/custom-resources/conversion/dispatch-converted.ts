/** Requests for a custom resource in another version than the one its objects are stored in. Loaded with the first. */
import type { X509Certificate } from "node:crypto";
import type { Annotate } from "../../access.ts";
import type { UserInfo } from "../../api-server.ts";
import { handleWatch } from "../../handlers/watch.ts";
import type { ApiCall, RequestBody } from "../../request/api-call.ts";
import type { Reply } from "../../request/reply.ts";
import type { ResourceRequest } from "../../request/request-info.ts";
import type { ServedResource } from "../../registry/registry.ts";
import type { ServerCore } from "../../server-options.ts";
import type { Conversion } from "./conversion.ts";
import { converting, ConvertedStore } from "./converted-store.ts";
import { ShownVersions } from "./shown-versions.ts";
import { convertedSink, fieldSieve, waitingShape } from "./converted-watch.ts";

export type Run = (
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
) => Reply | Promise<Reply>;

/**
 * Runs a handler over converted objects. It may be run several times, until all it reads is converted: what it read
 * of the request is kept for it, and what it said in vain is forgotten.
 */
export async function dispatchConverted(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  conversion: Conversion,
  run: Run,
): Promise<Reply> {
  const converter = await conversion.converter();
  if (info.verb === "watch" && info.subresource === "") {
    return handleWatch(core, call, info, conversion.resource, {
      shape: waitingShape,
      sink: (sink, matches) =>
        convertedSink(
          {
            core,
            converter,
            apiVersion: conversion.request,
            sieve: matches === undefined ? undefined : fieldSieve(matches),
          },
          sink,
        ),
    });
  }
  const store = new ConvertedStore(core, converter, conversion);
  // All else of the core lives on as it is.
  const converted = Object.create(core, {
    store: { value: store },
    ...(conversion.byWebhook ? { shownAs: { value: new ShownVersions(core, converter).show } } : {}),
  }) as ServerCore;
  const resource = { ...conversion.resource, managedAs: store.managedAs };
  return untilConverted(converted, call, info, resource, run);
}

/** A write in the stored version, of which only admission may ask for another. */
export async function dispatchShown(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
  conversion: Conversion,
  run: Run,
): Promise<Reply> {
  const { show } = new ShownVersions(core, await conversion.converter());
  return untilConverted(Object.create(core, { shownAs: { value: show } }) as ServerCore, call, info, resource, run);
}

function untilConverted(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
  run: Run,
): Promise<Reply> {
  const again = new ReadAgain(call);
  const said = call.warnings.length;
  return converting(() => {
    call.warnings.length = said;
    return run(core, again, info, resource);
  });
}

/** The call, with a body that can be read again. */
class ReadAgain implements ApiCall {
  readonly #call: ApiCall;
  readonly id: string;
  readonly method: string;
  readonly info: ApiCall["info"];
  readonly query: URLSearchParams;
  readonly headers: ApiCall["headers"];
  readonly upgrade: boolean;
  readonly warnings: string[];
  readonly user: UserInfo | undefined;
  readonly remoteAddress?: string;
  readonly annotate?: Annotate;
  #body: Promise<RequestBody> | undefined;

  constructor(call: ApiCall) {
    this.#call = call;
    this.id = call.id;
    this.method = call.method;
    this.info = call.info;
    this.query = call.query;
    this.headers = call.headers;
    this.upgrade = call.upgrade;
    this.warnings = call.warnings;
    this.user = call.user;
    if (call.remoteAddress !== undefined) this.remoteAddress = call.remoteAddress;
    if (call.annotate !== undefined) this.annotate = call.annotate;
  }
  get peerCertificate(): X509Certificate | undefined {
    return this.#call.peerCertificate;
  }
  get signal(): AbortSignal {
    return this.#call.signal;
  }
  readBody(): Promise<RequestBody> {
    return (this.#body ??= this.#call.readBody());
  }
}
