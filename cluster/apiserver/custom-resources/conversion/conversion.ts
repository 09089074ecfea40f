/** How one served version of a custom resource comes from what is stored. */
import type { KubeObject } from "@travelops/kube";
import type { StructNode } from "@travelops/kube/schema/node";
import type { ServedResource } from "../../registry/registry.ts";
import type { ResourceVerb } from "../../request/request-info.ts";
import type { Converter } from "./converter.ts";

/** Schemas of a CRD's versions, by `group/version`. */
export interface VersionSchemas {
  get(apiVersion: string): StructNode | undefined;
}

export interface ConversionSource {
  readonly crd: KubeObject;
  readonly schemas: VersionSchemas;
}

export interface Conversion {
  /** `group/version` */
  readonly request: string;
  readonly storage: string;
  /** Whether versions differ by more than their name. */
  readonly byWebhook: boolean;
  /** Whether a request of this verb has to go by way of the converter; `current` is what is stored under its name. */
  concerns(verb: ResourceVerb, current: () => KubeObject | undefined): boolean;
  converter(): Promise<Converter>;
  /** The resource as everything between the two ends of a request sees it: its own version is the stored one. */
  readonly resource: ServedResource;
}
