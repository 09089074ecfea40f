/** The versions of a CRD as served resources: a row and a strategy each, like any built-in kind. */
import { formatApiVersion, type GroupResource, type KubeObject } from "@travelops/kube";
import { validateRules } from "@travelops/kube/schema/cel";
import { applyDefaults } from "@travelops/kube/schema/defaults";
import { isObject } from "@travelops/kube/schema/json-value";
import { prune } from "@travelops/kube/schema/prune";
import type { ResourceRow, StructNode, SubresourceRow } from "@travelops/kube/schema/node";
import { fromStructuralSchema } from "@travelops/kube/schema/structural";
import { validateSchema } from "@travelops/kube/schema/validate";
import { array, read, record, text } from "../registry/printers/printer.ts";
import { compareVersions, type ServedResource } from "../registry/registry.ts";
import type { ScalePaths, Strategy } from "../registry/strategy.ts";
import type { ResourceVerb } from "../request/request-info.ts";
import type { Conversion } from "./conversion/conversion.ts";
import type { Converter } from "./conversion/converter.ts";
import { compileJsonPath } from "./json-path.ts";
import { scaleFaults } from "./scale-checks.ts";
import { columnsPrinter } from "./printer-columns.ts";

/** In the order in which upstream tells them. */
const VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const PART_VERBS = ["get", "patch", "update"];

export interface CustomNames {
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
}

const strings = (value: unknown): string[] => array(value).filter((item): item is string => typeof item === "string");

/** The names a CRD asks for. */
export function namesOf(crd: KubeObject): CustomNames {
  const names = read(crd, "spec", "names");
  const kind = text(read(names, "kind"));
  return {
    plural: text(read(names, "plural")),
    singular: text(read(names, "singular"), kind.toLowerCase()),
    kind,
    listKind: text(read(names, "listKind"), `${kind}List`),
    shortNames: strings(read(names, "shortNames")),
    categories: strings(read(names, "categories")),
  };
}

export const groupOf = (crd: KubeObject): string => text(read(crd, "spec", "group"));
export const tableOfCrd = (crd: KubeObject): string => `${namesOf(crd).plural}.${groupOf(crd)}`;
export const versionsOf = (crd: KubeObject): readonly unknown[] => array(read(crd, "spec", "versions"));
export const storageVersionOf = (crd: KubeObject): string =>
  text(
    read(
      versionsOf(crd).find((version) => read(version, "storage") === true),
      "name",
    ),
  );

class CustomRow implements ResourceRow {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: ReadonlyMap<string, SubresourceRow>;
  readonly openApiSchema: unknown;
  #schema: StructNode | undefined;

  constructor(crd: KubeObject, version: unknown) {
    const names = namesOf(crd);
    this.group = groupOf(crd);
    this.version = text(read(version, "name"));
    this.resource = names.plural;
    this.singular = names.singular;
    this.kind = names.kind;
    this.listKind = names.listKind;
    this.namespaced = read(crd, "spec", "scope") !== "Cluster";
    this.verbs = VERBS;
    this.shortNames = names.shortNames;
    this.categories = names.categories;
    this.openApiSchema = read(version, "schema", "openAPIV3Schema");
    const subresources = new Map<string, SubresourceRow>();
    if (isObject(read(version, "subresources", "status"))) {
      subresources.set("status", { kind: this.kind, group: this.group, version: this.version, verbs: PART_VERBS });
    }
    if (isObject(read(version, "subresources", "scale"))) {
      subresources.set("scale", { kind: "Scale", group: "autoscaling", version: "v1", verbs: PART_VERBS });
    }
    this.subresources = subresources;
  }
  /** Built when it is first asked for: a cluster may hold many CRDs that nobody uses. */
  get schema(): StructNode {
    return (this.#schema ??= fromStructuralSchema(this.openApiSchema));
  }
}

const withoutDot = (path: string): string => path.replace(/^\./, "");

function scalePaths(version: unknown): ScalePaths | undefined {
  const scale = read(version, "subresources", "scale");
  if (!isObject(scale)) return undefined;
  const selector = text(scale["labelSelectorPath"]);
  return {
    spec: withoutDot(text(scale["specReplicasPath"])),
    status: withoutDot(text(scale["statusReplicasPath"])),
    selector: selector === "" ? undefined : withoutDot(selector),
  };
}

function selectableFields(version: unknown): Record<string, (object: KubeObject) => string> | undefined {
  const paths = array(read(version, "selectableFields")).map((field) => text(read(field, "jsonPath")));
  if (paths.length === 0) return undefined;
  return Object.fromEntries(
    paths.map((path) => {
      const values = compileJsonPath(path);
      return [withoutDot(path), (object: KubeObject) => text(values(object)[0])];
    }),
  );
}

function strategyOf(row: CustomRow, version: unknown): Strategy {
  const scale = scalePaths(version);
  const fields = selectableFields(version);
  return {
    hasStatus: row.subresources.has("status"),
    statusResetsMetadata: true,
    tracksGeneration: true,
    allowUnconditionalUpdate: false,
    allowCreateOnUpdate: false,
    printer: columnsPrinter(read(version, "additionalPrinterColumns")),
    validate: (object, old, subresource) => {
      const faults = [
        ...validateSchema(row.schema, object, "", old),
        ...(scale === undefined ? [] : scaleFaults(object, scale, subresource)),
      ];
      return [...faults, ...validateRules(row.schema, object, old, faults)];
    },
    ...(scale === undefined ? {} : { scale }),
    ...(fields === undefined ? {} : { selectableFields: fields }),
  };
}

/** Whether a schema fills in anything: without it, stored objects are served as they are. */
function hasDefaults(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.some(hasDefaults);
  if (!isObject(schema)) return false;
  if (schema["default"] !== undefined) return true;
  for (const key of ["properties", "items", "additionalProperties"]) {
    const child = schema[key];
    if (key === "properties" ? isObject(child) && Object.values(child).some(hasDefaults) : hasDefaults(child))
      return true;
  }
  return false;
}

class ServedCustomResource implements ServedResource {
  readonly row: CustomRow;
  readonly storageRow: ResourceRow;
  readonly table: string;
  readonly groupResource: GroupResource;
  readonly strategy: Strategy;
  readonly origin = "custom" as const;
  readonly fromStorage?: (object: KubeObject) => KubeObject;
  readonly deprecation?: string;
  readonly closing: boolean;
  readonly conversion?: Conversion;

  constructor(family: Family, version: unknown, row: CustomRow) {
    const { crd, storageRow } = family;
    this.row = row;
    this.storageRow = storageRow;
    this.table = tableOfCrd(crd);
    this.groupResource = { group: this.row.group, resource: this.row.resource };
    this.strategy = strategyOf(this.row, version);
    this.closing = crd.metadata.deletionTimestamp !== undefined;
    const apiVersion = formatApiVersion(this.row.group, this.row.version);
    const storedVersion = formatApiVersion(storageRow.group, storageRow.version);
    const stored = strings(read(crd, "status", "storedVersions"));
    const onlyVersion = stored.length <= 1 && storedVersion === apiVersion;
    if (!onlyVersion || hasDefaults(row.openApiSchema)) {
      // Defaults are those of the version an object is stored in, as upstream.
      this.fromStorage = (object) => {
        const filled = applyDefaults(family.get(object.apiVersion) ?? row.schema, object);
        return object.apiVersion === apiVersion ? filled : prune(row.schema, { ...filled, apiVersion }).value;
      };
    }
    if (!onlyVersion || family.several) this.conversion = conversionOf(family, this, onlyVersion);
    if (read(version, "deprecated") === true) {
      this.deprecation = text(read(version, "deprecationWarning"), deprecationOf(crd, row));
    }
  }
}

/** Says which version to use instead, where there is a newer one that is not deprecated itself. */
function deprecationOf(crd: KubeObject, row: CustomRow): string {
  const said = `${formatApiVersion(row.group, row.version)} ${row.kind} is deprecated`;
  const newer = versionsOf(crd)
    .filter((version) => read(version, "served") === true && read(version, "deprecated") !== true)
    .map((version) => text(read(version, "name")))
    .toSorted(compareVersions)[0];
  if (newer === undefined || compareVersions(newer, row.version) > 0) return said;
  return `${said}; use ${formatApiVersion(row.group, newer)} ${row.kind}`;
}

/** The versions of one CRD, which are converted among each other. */
class Family {
  readonly crd: KubeObject;
  readonly storageRow: CustomRow;
  readonly #rows: ReadonlyMap<string, CustomRow>;
  #converter: Promise<Converter> | undefined;

  constructor(crd: KubeObject, rows: readonly CustomRow[], storageRow: CustomRow) {
    this.crd = crd;
    this.storageRow = storageRow;
    this.#rows = new Map(rows.map((row) => [formatApiVersion(row.group, row.version), row]));
  }
  get several(): boolean {
    return this.#rows.size > 1;
  }
  get webhook(): boolean {
    return read(this.crd, "spec", "conversion", "strategy") === "Webhook";
  }
  /** Loaded and made when somebody first needs it. */
  converter(): Promise<Converter> {
    return (this.#converter ??= import("./conversion/converter.ts").then(({ RenamingConverter, WebhookConverter }) =>
      this.webhook ? new WebhookConverter({ crd: this.crd, schemas: this }) : new RenamingConverter(this),
    ));
  }
  /** A version's schema. */
  get(apiVersion: string): StructNode | undefined {
    return this.#rows.get(apiVersion)?.schema;
  }
}

/** Reads of versions that differ only by name need no detour. */
const READS: ReadonlySet<ResourceVerb> = new Set<ResourceVerb>(["get", "list", "watch"]);

/** Whether some of an object's fields are owned in another version. */
const ownedElsewhere = (object: KubeObject | undefined, apiVersion: string): boolean =>
  object?.metadata.managedFields?.some((entry) => entry.apiVersion !== apiVersion) === true;

function conversionOf(family: Family, served: ServedCustomResource, onlyVersion: boolean): Conversion {
  const { row, table, groupResource, strategy, origin, closing } = served;
  const resource: ServedResource = { row, storageRow: row, table, groupResource, strategy, origin, closing };
  const request = formatApiVersion(row.group, row.version);
  return {
    request,
    storage: formatApiVersion(family.storageRow.group, family.storageRow.version),
    byWebhook: family.webhook,
    concerns: (verb, current) =>
      onlyVersion ? !READS.has(verb) && ownedElsewhere(current(), request) : family.webhook || !READS.has(verb),
    converter: () => family.converter(),
    resource,
  };
}

/** Every served version of a CRD. */
export function servedVersions(crd: KubeObject): ServedResource[] {
  const versions = versionsOf(crd).map((version) => ({ version, row: new CustomRow(crd, version) }));
  const storage = versions.find(({ version }) => read(version, "storage") === true);
  const rows = versions.map(({ row }) => row);
  const family = new Family(crd, rows, storage?.row ?? new CustomRow(crd, record(undefined)));
  return versions
    .filter(({ version }) => read(version, "served") === true)
    .map(({ version, row }) => new ServedCustomResource(family, version, row));
}
