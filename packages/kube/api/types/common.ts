/** Pieces that several kinds share. Only fields that the project reads; objects keep all the others. */
import type { LabelSelector } from "../../client/selectors.ts";

export type { LabelSelector };

export type IntOrString = number | string;
export type Resources = Record<string, string>;

export interface LocalObjectReference {
  name?: string;
}

export interface ObjectReference {
  apiVersion?: string;
  kind?: string;
  namespace?: string;
  name?: string;
  uid?: string;
  resourceVersion?: string;
  fieldPath?: string;
}

export interface KeySelector {
  name?: string;
  key: string;
  optional?: boolean;
}
