/** A CRD as upstream checks it: what all of its versions agree on is said of the CRD, and of no version. */
import { equalJson } from "@travelops/kube/schema/json-value";
import { items, type Fields } from "../../validation/fields.ts";

const PARTS = ["schema", "subresources", "additionalPrinterColumns", "selectableFields"] as const;

export interface AgreedParts {
  /** Of those parts the ones that are the same in all versions. */
  readonly common: Fields;
  /** Each with the parts that differ. */
  readonly versions: readonly Fields[];
}

/** Takes apart the versions of a CRD's spec. */
export function agreedParts(spec: Fields | undefined): AgreedParts {
  const versions = items(spec, "versions");
  const [first] = versions;
  const agreed = PARTS.filter((part) => versions.every((version) => equalJson(version[part], first?.[part])));
  return {
    common: Object.fromEntries(agreed.map((part) => [part, first?.[part]])),
    versions: versions.map((version) => ({
      ...version,
      ...Object.fromEntries(agreed.map((part) => [part, undefined])),
    })),
  };
}
