/** The versions of a CRD as Go shows the structs that upstream checks. */
import { goJson, shownSchema } from "@travelops/kube/schema/go-shown-schema";
import { isObject } from "@travelops/kube/schema/json-value";
import { child, items, list, type Fields } from "../../validation/fields.ts";

function shownSubresources(parts: Fields | undefined): unknown {
  if (parts === undefined) return null;
  const scale = child(parts, "scale");
  return {
    Status: child(parts, "status") === undefined ? null : {},
    Scale:
      scale === undefined
        ? null
        : {
            SpecReplicasPath: scale["specReplicasPath"] ?? "",
            StatusReplicasPath: scale["statusReplicasPath"] ?? "",
            LabelSelectorPath: scale["labelSelectorPath"] ?? null,
          },
  };
}

const shownColumn = (column: Fields): unknown => ({
  Name: column["name"] ?? "",
  Type: column["type"] ?? "",
  Format: column["format"] ?? "",
  Description: column["description"] ?? "",
  Priority: column["priority"] ?? 0,
  JSONPath: column["jsonPath"] ?? "",
});

function shownVersion(version: Fields): unknown {
  const validation = child(version, "schema");
  const schema = validation?.["openAPIV3Schema"];
  const each = (key: string, show: (item: Fields) => unknown): unknown =>
    list(version, key).length === 0 ? null : items(version, key).map(show);
  return {
    Name: version["name"] ?? "",
    Served: version["served"] === true,
    Storage: version["storage"] === true,
    Deprecated: version["deprecated"] === true,
    DeprecationWarning: version["deprecationWarning"] ?? null,
    Schema: validation === undefined ? null : { OpenAPIV3Schema: isObject(schema) ? shownSchema(schema) : null },
    Subresources: shownSubresources(child(version, "subresources")),
    AdditionalPrinterColumns: each("additionalPrinterColumns", shownColumn),
    SelectableFields: each("selectableFields", (field) => ({ JSONPath: field["jsonPath"] ?? "" })),
  };
}

export const shownVersions = (versions: readonly Fields[]): string =>
  versions.length === 0 ? "null" : goJson(versions.map(shownVersion));
