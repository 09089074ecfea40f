/**
 * What is particular to one resource. Everything has a default, so that a strategy states differences only;
 * custom resources are one more strategy, made at run time.
 */
import type { FieldError, KubeObject } from "@travelops/kube";
import type { FieldSet } from "@travelops/kube/schema/field-set";
import type { UserInfo } from "../api-server.ts";
import type { Printer } from "./printers/printer.ts";

export interface StrategyContext {
  readonly user: UserInfo;
  /** RFC 3339, whole seconds. */
  readonly now: string;
  readonly dryRun: boolean;
  /** Adds a `Warning` header. */
  warn(text: string): void;
}

export interface DeleteContext extends StrategyContext {
  readonly gracePeriodSeconds: number | undefined;
}

/** Where a scale subresource finds its numbers; dotted paths without the leading dot. */
export interface ScalePaths {
  readonly spec: string;
  readonly status: string;
  /** Text selector (custom resources) or LabelSelector object (built-in kinds). */
  readonly selector: string | undefined;
}

/** Something held outside the object (an address, a port) for as long as the object lives. */
export interface Reservation {
  readonly object: KubeObject;
  /** Gives back what was taken, when the write did not happen. */
  release(): void;
}

export interface Strategy {
  /** Runs after defaulting, before admission. */
  prepareForCreate?(object: KubeObject, context: StrategyContext): KubeObject;
  /** Runs after admission, on creation and on updates of the main resource. What it changes is nobody's field. */
  afterAdmission?(object: KubeObject, old: KubeObject | undefined, context: StrategyContext): KubeObject;
  /** Runs on the main resource; status is already the old one. */
  prepareForUpdate?(object: KubeObject, old: KubeObject, context: StrategyContext): KubeObject;
  /** Runs on `/status` and `/approval`; all but status and metadata is already the old one. */
  prepareForStatusUpdate?(
    object: KubeObject,
    old: KubeObject,
    context: StrategyContext,
    subresource: string,
  ): KubeObject;
  /** Beyond the schema. `old` is undefined on create. */
  validate?(object: KubeObject, old: KubeObject | undefined, subresource: string): FieldError[];
  /** What a valid object is told on its way in, as `Warning` headers. `old` is undefined on create. */
  warnings?(object: KubeObject, old: KubeObject | undefined): readonly string[];
  /** Faults of a name; none means an object of this resource may be named so. */
  nameFaults?(name: string): readonly string[];
  /** Fields for selectors beside metadata.name and metadata.namespace. */
  readonly selectableFields?: Readonly<Record<string, (object: KubeObject) => string>>;
  readonly printer?: Printer;
  /** Whether metadata.generation counts changes of what is not metadata or status. */
  readonly tracksGeneration?: boolean;
  /** The generation is set and never counted. */
  readonly keepsFirstGeneration?: boolean;
  /** So do changes of annotations (Deployments). */
  readonly annotationsBumpGeneration?: boolean;
  /** A status subresource exists: the main resource ignores status. */
  readonly hasStatus: boolean;
  /** What a write to an endpoint never owns, where it is more than what the endpoint is for leaves out. */
  resetFields?(subresource: string): FieldSet | undefined;
  /** A new object keeps the status it comes with (nodes). */
  readonly createsWithStatus?: boolean;
  /** `/status` keeps labels, annotations, finalizers and owners as they are. */
  readonly statusResetsMetadata?: boolean;
  /** PUT of what does not exist creates it. */
  readonly allowCreateOnUpdate?: boolean;
  /** PUT without a resourceVersion is taken. */
  readonly allowUnconditionalUpdate: boolean;
  /** Seconds of grace a deletion gets; 0 deletes at once. Undefined: the resource knows no grace. */
  gracePeriod?(object: KubeObject, context: DeleteContext): number;
  /** Changes of an object whose deletion is asked for: the namespace's phase. */
  beforeDelete?(object: KubeObject, old: KubeObject, context: DeleteContext): KubeObject;
  /** Deletion sets its timestamp alone: no grace seconds, no new generation (namespaces, CRDs). */
  readonly marksDeletionBare?: boolean;
  /** Why it must stay although no finalizer is left (a namespace's spec.finalizers). */
  keepsAlive?(object: KubeObject): boolean;
  /** May the object be deleted at all; throws `StatusError`. */
  checkDelete?(object: KubeObject): void;
  /** Takes addresses and ports, before the write. Throws `StatusError`. */
  reserve?(object: KubeObject, old: KubeObject | undefined, context: StrategyContext): Reservation | undefined;
  /** After a committed update: gives back what the new state no longer holds. */
  afterUpdate?(object: KubeObject, old: KubeObject): void;
  /** After a committed delete: gives back what `reserve` took. */
  afterDelete?(object: KubeObject): void;
  readonly scale?: ScalePaths;
  /** Objects vanish after this many milliseconds. */
  readonly timeToLiveMs?: number;
  /** Default propagation of a delete without one; background where absent. */
  readonly defaultPropagation?: "Background" | "Orphan";
}
