import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { checkSchema } from "@travelops/kube/schema/check-schema";
import { expect, it } from "vitest";
import { isShipped, SHIPPED_SCHEMAS, schemaDigest } from "./shipped-schemas.ts";

interface Crd {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: object } }[] };
}

const CLUSTER = path.join(import.meta.dirname, "../..");
const schemas = globSync("{network,openshift}/crds/*.json", { cwd: CLUSTER }).flatMap((file) =>
  (JSON.parse(readFileSync(path.join(CLUSTER, file), "utf8")) as Crd).spec.versions.map(
    ({ schema }, i) => [`${path.basename(file, ".json")}[${i}]`, schema.openAPIV3Schema] as const,
  ),
);

it.each(schemas)("the schema of %s passes the checks that its digest spares it", (_name, schema) => {
  expect(checkSchema(schema, "schema", { status: true })).toEqual([]);
});

it("knows the digests of exactly the schemas that every cluster is made with", () => {
  expect([...SHIPPED_SCHEMAS].toSorted()).toEqual(
    [...new Set(schemas.map(([, each]) => schemaDigest(each)))].toSorted(),
  );
});

it("takes no other schema for one of them", () => {
  const first = schemas[0]?.[1];
  expect(isShipped(first)).toBe(true);
  expect(isShipped({ ...first, uniqueItems: true })).toBe(false);
  expect(isShipped("no schema")).toBe(false);
});
