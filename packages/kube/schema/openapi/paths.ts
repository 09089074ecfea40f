/** The paths of one resource with their operations. */
import type { ResourceRow, SubresourceRow } from "../node.ts";
import { kindNode } from "../table.ts";
import { DELETE, DELETE_COLLECTION, LIST, PATCH, pathParameters, queryParameters, WRITE } from "./parameters.ts";
import {
  type Dialect,
  type GroupVersionKind,
  gvkOf,
  listStruct,
  type OpenApiObject,
  rowSchemaName,
  type SchemaWriter,
} from "./schemas.ts";

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
const ANSWER_TYPES = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const PATCH_TYPES = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
const STRATEGIC = "application/strategic-merge-patch+json";

interface Operation {
  readonly method: "get" | "put" | "post" | "delete" | "patch";
  /** `x-kubernetes-action` */
  readonly action: string;
  /** The first word of the operation's id. */
  readonly verb: string;
  readonly parameters: readonly string[];
  readonly body?: OpenApiObject;
  readonly answer: OpenApiObject;
  readonly codes: readonly number[];
}

const TEXTS: Readonly<Record<number, string>> = { 200: "OK", 201: "Created", 202: "Accepted" };

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const pascal = (text: string): string => text.split(/[.-]/).map(capital).join("");

/** `AppsV1`, `CoreV1`, `RbacAuthorizationV1`: the group's first labels and the version. */
function idPrefix(row: ResourceRow): string {
  const group = row.group === "" ? "core" : row.group.replace(/\.k8s\.io$/, "");
  return pascal(group) + capital(row.version);
}

/** `apps_v1`, `core_v1`, `rbacAuthorization_v1` */
function tag(row: ResourceRow): string {
  const prefix = idPrefix(row).slice(0, -row.version.length);
  return `${prefix.charAt(0).toLowerCase()}${prefix.slice(1)}_${row.version}`;
}

/** Collects the paths of a resource. */
export class PathWriter {
  readonly #row: ResourceRow;
  readonly #dialect: Dialect;
  readonly #schemas: SchemaWriter;
  readonly #base: string;
  readonly paths: OpenApiObject = {};

  constructor(row: ResourceRow, dialect: Dialect, schemas: SchemaWriter) {
    this.#row = row;
    this.#dialect = dialect;
    this.#schemas = schemas;
    this.#base = row.group === "" ? `/api/${row.version}` : `/apis/${row.group}/${row.version}`;
  }

  /** Writes all paths of the resource. */
  write(): void {
    const { resource, namespaced } = this.#row;
    const collection = `${this.#base}${namespaced ? "/namespaces/{namespace}" : ""}/${resource}`;
    this.#add(collection, gvkOf(this.#row), this.#collection(), this.#scope());
    if (namespaced && this.#has("list")) {
      this.#add(
        `${this.#base}/${resource}`,
        gvkOf(this.#row),
        this.#collection().filter((o) => o.action === "list"),
        "",
        "ForAllNamespaces",
      );
    }
    this.#add(`${collection}/{name}`, gvkOf(this.#row), this.#item(), this.#scope());
    for (const [name, sub] of this.#row.subresources) {
      this.#add(
        `${collection}/{name}/${name}`,
        { group: sub.group, version: sub.version, kind: sub.kind },
        this.#subresource(name, sub),
        this.#scope(),
        pascal(name),
      );
    }
  }

  #has(verb: string): boolean {
    return this.#row.verbs.includes(verb);
  }

  #scope(): string {
    return this.#row.namespaced ? "Namespaced" : "";
  }

  #object(): OpenApiObject {
    return this.#schemas.kind(rowSchemaName(this.#row), this.#row.schema, gvkOf(this.#row));
  }

  #list(): OpenApiObject {
    const { group, version, listKind } = this.#row;
    const known = kindNode(group, version, listKind);
    const kind = { group, version, kind: listKind };
    if (known?.typeName !== undefined) return this.#schemas.kind(known.typeName, known, kind);
    return this.#schemas.kind(`${rowSchemaName(this.#row)}List`, listStruct(this.#row), kind);
  }

  #status(): OpenApiObject {
    return this.#meta("Status");
  }

  #meta(kind: "Status" | "DeleteOptions"): OpenApiObject {
    const node = kindNode("", "v1", kind);
    return node === undefined ? {} : this.#schemas.kind(`${META}.${kind}`, node, { group: "", version: "v1", kind });
  }

  #collection(): Operation[] {
    const operations: Operation[] = [];
    if (this.#has("list"))
      operations.push({
        method: "get",
        action: "list",
        verb: "list",
        parameters: LIST,
        answer: this.#list(),
        codes: [200],
      });
    if (this.#has("create")) {
      operations.push({
        method: "post",
        action: "post",
        verb: "create",
        parameters: WRITE,
        body: this.#object(),
        answer: this.#object(),
        codes: [200, 201, 202],
      });
    }
    if (this.#has("deletecollection")) {
      operations.push({
        method: "delete",
        action: "deletecollection",
        verb: "deletecollection",
        parameters: DELETE_COLLECTION,
        body: this.#meta("DeleteOptions"),
        answer: this.#status(),
        codes: [200],
      });
    }
    return operations;
  }

  #item(): Operation[] {
    const operations = this.#readWrite(
      (verb) => this.#has(verb),
      () => this.#object(),
    );
    if (this.#has("delete")) {
      operations.push({
        method: "delete",
        action: "delete",
        verb: "delete",
        parameters: DELETE,
        body: this.#meta("DeleteOptions"),
        answer: this.#status(),
        codes: [200, 202],
      });
    }
    return operations;
  }

  #readWrite(has: (verb: string) => boolean, object: () => OpenApiObject): Operation[] {
    const operations: Operation[] = [];
    if (has("get"))
      operations.push({ method: "get", action: "get", verb: "read", parameters: [], answer: object(), codes: [200] });
    if (has("update"))
      operations.push({
        method: "put",
        action: "put",
        verb: "replace",
        parameters: WRITE,
        body: object(),
        answer: object(),
        codes: [200, 201],
      });
    if (has("patch")) {
      operations.push({
        method: "patch",
        action: "patch",
        verb: "patch",
        parameters: PATCH,
        body: this.#schemas.special(`${META}.Patch`),
        answer: object(),
        codes: [200, 201],
      });
    }
    return operations;
  }

  #subresource(name: string, sub: SubresourceRow): Operation[] {
    const node = kindNode(sub.group, sub.version, sub.kind);
    const text: OpenApiObject = { type: "string" };
    if (sub.kind.endsWith("Options")) return this.#connect(sub, text);
    const object = (): OpenApiObject => {
      if (node?.typeName === undefined) return this.#object();
      return this.#schemas.kind(node.typeName, node, { group: sub.group, version: sub.version, kind: sub.kind });
    };
    if (name === "log")
      return [{ method: "get", action: "get", verb: "read", parameters: [], answer: text, codes: [200] }];
    const operations = this.#readWrite((verb) => sub.verbs.includes(verb), object);
    if (sub.verbs.includes("create")) {
      operations.push({
        method: "post",
        action: "post",
        verb: "create",
        parameters: WRITE,
        body: object(),
        answer: object(),
        codes: [200, 201, 202],
      });
    }
    return operations;
  }

  #connect(sub: SubresourceRow, answer: OpenApiObject): Operation[] {
    const methods = { create: "post", delete: "delete", get: "get", patch: "patch", update: "put" } as const;
    return Object.entries(methods)
      .filter(([verb]) => sub.verbs.includes(verb))
      .map(([, method]) => ({
        method,
        action: "connect",
        verb: `connect${capital(method)}`,
        parameters: [],
        answer,
        codes: [200],
      }));
  }

  #add(path: string, kind: GroupVersionKind, operations: readonly Operation[], scope: string, suffix = ""): void {
    if (operations.length === 0) return;
    const item: OpenApiObject = {
      parameters: [
        ...pathParameters(path, this.#row.kind, this.#dialect),
        ...queryParameters(["pretty"], this.#dialect),
      ],
    };
    for (const operation of operations) item[operation.method] = this.#operation(operation, kind, scope, suffix);
    this.paths[path] = item;
  }

  #operation(operation: Operation, kind: GroupVersionKind, scope: string, suffix: string): OpenApiObject {
    const { action, parameters } = operation;
    const verb = action === "connect" ? "connect" : action === "deletecollection" ? "delete" : operation.verb;
    const detail =
      action === "connect" ? operation.verb.slice("connect".length) : action === "deletecollection" ? "Collection" : "";
    const query = queryParameters(parameters, this.#dialect);
    return {
      tags: [tag(this.#row)],
      operationId: `${verb}${idPrefix(this.#row)}${detail}${scope}${this.#row.kind}${suffix}`,
      ...this.#request(operation, query),
      responses: this.#responses(operation),
      "x-kubernetes-action": action,
      "x-kubernetes-group-version-kind": kind,
    };
  }

  #patchTypes(): string[] {
    return this.#row.schema.typeName === undefined ? PATCH_TYPES : [...PATCH_TYPES, STRATEGIC];
  }

  #request(operation: Operation, query: OpenApiObject[]): OpenApiObject {
    const { body, method } = operation;
    const types = method === "patch" ? this.#patchTypes() : ["*/*"];
    if (this.#dialect === "v2") {
      const parameters =
        body === undefined
          ? query
          : [...query, { name: "body", in: "body", required: method !== "delete", schema: body }];
      return { consumes: types, produces: ANSWER_TYPES, schemes: ["https"], parameters };
    }
    return {
      parameters: query,
      ...(body === undefined
        ? {}
        : {
            requestBody: {
              content: Object.fromEntries(types.map((type) => [type, { schema: body }])),
              ...(method === "delete" ? {} : { required: true }),
            },
          }),
    };
  }

  #responses(operation: Operation): OpenApiObject {
    const answer = (): OpenApiObject =>
      this.#dialect === "v2"
        ? { schema: operation.answer }
        : { content: Object.fromEntries(ANSWER_TYPES.map((type) => [type, { schema: operation.answer }])) };
    return {
      ...Object.fromEntries(
        operation.codes.map((code) => [String(code), { description: TEXTS[code] ?? "", ...answer() }]),
      ),
      "401": { description: "Unauthorized" },
    };
  }
}
