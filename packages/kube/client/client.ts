/** What every component uses to meet the API: typed by the resource it names, with nothing cached. */
import type { KubeList, KubeObject } from "../api/object.ts";
import type { Transport, WatchFrame } from "./transport.ts";

/** Names a resource: enough to build its path, so no discovery is needed. */
export interface Resource<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  /** Plural, lower case: `deployments`. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Carries the type only; never set. */
  readonly $type?: T;
}

export interface ListOptions {
  /** Absent: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  signal?: AbortSignal;
}

export interface WriteOptions {
  fieldManager?: string;
  dryRun?: boolean;
  fieldValidation?: "Ignore" | "Warn" | "Strict";
  subresource?: string;
  signal?: AbortSignal;
}

export interface ApplyOptions extends WriteOptions {
  fieldManager: string;
  force?: boolean;
}

export type PatchType =
  | "application/json-patch+json"
  | "application/merge-patch+json"
  | "application/strategic-merge-patch+json";

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: "Foreground" | "Background" | "Orphan";
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun?: boolean;
  signal?: AbortSignal;
}

/** `namespace` is "" for cluster-scoped resources. All reject with `StatusError`. */
export interface KubeClient {
  readonly transport: Transport;
  get<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string,
    name: string,
    options?: { subresource?: string; signal?: AbortSignal },
  ): Promise<T>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<KubeList<T>>;
  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions & { sendInitialEvents?: boolean; timeoutSeconds?: number },
  ): AsyncIterable<WatchFrame>;
  /** Namespace and name come from `object.metadata`. */
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  update<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string,
    name: string,
    type: PatchType,
    patch: unknown,
    options?: WriteOptions,
  ): Promise<T>;
  /** Server-side apply. */
  apply<T extends KubeObject>(resource: Resource<T>, object: T, options: ApplyOptions): Promise<T>;
  delete(resource: Resource, namespace: string, name: string, options?: DeleteOptions): Promise<void>;
  /** POST to a subresource that is an action: `token`, `eviction`, `binding`. */
  createSubresource(
    resource: Resource,
    namespace: string,
    name: string,
    subresource: string,
    body: unknown,
  ): Promise<unknown>;
}
