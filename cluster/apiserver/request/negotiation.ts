/** Reads `Accept`: which media type, and which form of the objects, a client wants. */
import { notAcceptable, StatusError } from "@travelops/kube";

export type Form = "object" | "Table" | "PartialObjectMetadata";

export interface Presentation {
  readonly mediaType: "application/json" | "application/yaml";
  readonly form: Form;
  /** Version of meta.k8s.io for tables and metadata. */
  readonly metaVersion: string;
  readonly pretty: boolean;
}

export interface AcceptClause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

const cache = new Map<string, readonly AcceptClause[]>();
const CACHED = 256;

function parseClause(text: string): AcceptClause {
  const [type = "", ...rest] = text.split(";");
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const equals = part.indexOf("=");
    if (equals > 0) parameters.set(part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim());
  }
  const quality = Number(parameters.get("q") ?? "1");
  return { type: type.trim().toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 0 };
}

/** The clauses of an `Accept` header, most wanted first. Parsed once a header text. */
export function parseAccept(accept: string): readonly AcceptClause[] {
  let clauses = cache.get(accept);
  if (clauses === undefined) {
    clauses = accept
      .split(",")
      .map(parseClause)
      .filter((clause) => clause.type !== "")
      .sort((a, b) => b.quality - a.quality);
    if (cache.size >= CACHED) cache.clear();
    cache.set(accept, clauses);
  }
  return clauses;
}

const JSON_TYPES: ReadonlySet<string> = new Set(["application/json", "*/*", "application/*"]);
const FORMS: ReadonlyMap<string, Form> = new Map([
  ["Table", "Table"],
  ["PartialObjectMetadata", "PartialObjectMetadata"],
  ["PartialObjectMetadataList", "PartialObjectMetadata"],
]);

function presentationOf({ type, parameters }: AcceptClause): Presentation | undefined {
  const mediaType = JSON_TYPES.has(type)
    ? "application/json"
    : type === "application/yaml"
      ? "application/yaml"
      : undefined;
  if (mediaType === undefined) return undefined;
  const pretty = parameters.get("pretty") === "1" || parameters.get("pretty") === "true";
  const as = parameters.get("as");
  if (as === undefined) return { mediaType, form: "object", metaVersion: "v1", pretty };
  const form = FORMS.get(as);
  const metaVersion = parameters.get("v") ?? "";
  if (form === undefined || parameters.get("g") !== "meta.k8s.io") return undefined;
  if (metaVersion !== "v1" && metaVersion !== "v1beta1") return undefined;
  return { mediaType, form, metaVersion, pretty };
}

const MEDIA_TYPES = "application/json, application/yaml";
const PLAIN: Presentation = { mediaType: "application/json", form: "object", metaVersion: "v1", pretty: false };

/** What to answer with. Throws `StatusError` 406 when the client takes nothing that there is. */
export function negotiate(accept: string, forms: ReadonlySet<Form>): Presentation {
  if (accept === "") return PLAIN;
  for (const clause of parseAccept(accept)) {
    const found = presentationOf(clause);
    if (found !== undefined && forms.has(found.form)) return found;
  }
  // Upstream's router knows no other media types; what is asked of one it does know is its negotiation's to refuse.
  if (parseAccept(accept).some(({ type }) => JSON_TYPES.has(type) || type === "application/yaml"))
    throw notAcceptable(`only the following media types are accepted: ${MEDIA_TYPES}`);
  throw new StatusError(406, "NotAcceptable", `406: Not Acceptable\n\nAvailable representations: ${MEDIA_TYPES}`, {});
}

export const ALL_FORMS: ReadonlySet<Form> = new Set(["object", "Table", "PartialObjectMetadata"]);
export const OBJECT_ONLY: ReadonlySet<Form> = new Set(["object"]);
