/** Reads `Accept`: which media type, and which form of the objects, a client wants. */
import { notAcceptable, StatusError } from "@travelops/kube";

export type Form = "object" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";
export type MediaType = "application/json" | "application/yaml" | typeof PROTOBUF;

export const PROTOBUF = "application/vnd.kubernetes.protobuf";

export interface Presentation {
  readonly mediaType: MediaType;
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

/** What an endpoint has to offer. */
export interface Offer {
  /** Whether its objects come as tables and metadata too. */
  readonly forms: boolean;
  /** Whether its objects have a protobuf form; their metadata always has. */
  readonly protobuf: boolean;
  /** Upstream's router refuses what it does not know in words of its own; custom resources do without it. */
  readonly routed: boolean;
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

const MEDIA_TYPES: ReadonlyMap<string, MediaType> = new Map<string, MediaType>([
  ["application/json", "application/json"],
  ["*/*", "application/json"],
  ["application/*", "application/json"],
  ["application/yaml", "application/yaml"],
  [PROTOBUF, PROTOBUF],
]);
const FORMS: ReadonlySet<string> = new Set(["Table", "PartialObjectMetadata", "PartialObjectMetadataList"]);

/** The form a clause asks for; undefined where there is none such. */
function formOf(parameters: AcceptClause["parameters"]): { form: Form; metaVersion: string } | undefined {
  const as = parameters.get("as");
  const group = parameters.get("g");
  const version = parameters.get("v");
  if (as === undefined && group === undefined && version === undefined) return { form: "object", metaVersion: "v1" };
  if (as === undefined || !FORMS.has(as) || group !== "meta.k8s.io") return undefined;
  return version === "v1" || version === "v1beta1" ? { form: as as Form, metaVersion: version } : undefined;
}

function presentationOf({ type, parameters }: AcceptClause, offer: Offer): Presentation | undefined {
  const mediaType = MEDIA_TYPES.get(type);
  const asked = mediaType === undefined ? undefined : formOf(parameters);
  if (mediaType === undefined || asked === undefined) return undefined;
  if (asked.form !== "object" && !offer.forms) return undefined;
  if (mediaType === PROTOBUF && (asked.form === "Table" || (asked.form === "object" && !offer.protobuf)))
    return undefined;
  const stream = parameters.get("stream") ?? "";
  if (stream !== "" && (stream !== "watch" || mediaType === "application/yaml")) return undefined;
  const pretty = parameters.get("pretty") === "1" || parameters.get("pretty") === "true";
  return { mediaType, ...asked, pretty };
}

const LISTED = `application/json, application/yaml, ${PROTOBUF}`;
const STREAMS = `application/json;stream=watch, ${PROTOBUF};stream=watch`;
const PLAIN: Presentation = { mediaType: "application/json", form: "object", metaVersion: "v1", pretty: false };

/** The presentation that a client wants most of those offered; undefined when it takes none. */
export function presentationFor(accept: string, offer: Offer): Presentation | undefined {
  if (accept === "") return PLAIN;
  for (const clause of parseAccept(accept)) {
    const found = presentationOf(clause, offer);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What to answer with. Throws `StatusError` 406 when the client takes nothing that there is. `streams`: of a collection. */
export function negotiate(accept: string, offer: Offer, streams = false): Presentation {
  const found = presentationFor(accept, offer);
  if (found !== undefined) return found;
  // What is asked of a media type that the router does know is the negotiation's to refuse.
  if (!offer.routed || parseAccept(accept).some(({ type }) => MEDIA_TYPES.has(type)))
    throw notAcceptable(`only the following media types are accepted: ${LISTED}`);
  const listed = streams ? `${LISTED}, ${STREAMS}` : LISTED;
  throw new StatusError(406, "NotAcceptable", `406: Not Acceptable\n\nAvailable representations: ${listed}`, {});
}

/** Watches come in fewer media types. Throws `StatusError` 406. */
export function requireStream({ mediaType }: Presentation): void {
  if (mediaType === "application/yaml") throw notAcceptable(`only the following media types are accepted: ${STREAMS}`);
}

export const BUILTIN: Offer = { forms: true, protobuf: true, routed: true };
export const CUSTOM: Offer = { forms: true, protobuf: false, routed: false };
/** Without tables and metadata. */
export const OBJECT_ONLY: Offer = { forms: false, protobuf: true, routed: true };
