/** AdmissionReview, version 1 and its beta: what is asked, and what of an answer is to be believed. */
import type { KubeObject } from "@travelops/kube";
import { isObject } from "@travelops/kube/schema/json-value";
import type { AdmissionAttributes } from "../../access.ts";
import { array, read, record, text } from "../../registry/printers/printer.ts";

/** A resource and the kind of its objects, in the version that a webhook asked for. */
export interface MatchedResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
}

export interface ReviewSubject {
  readonly attributes: AdmissionAttributes;
  /** As requested. */
  readonly requested: MatchedResource;
  /** As matched: the same, or an equivalent. */
  readonly matched: MatchedResource;
  readonly namespace: string;
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
}

const GROUP = "admission.k8s.io";

/** The first version listed that is known here; undefined where there is none. */
export const reviewVersion = (listed: readonly string[]): string | undefined =>
  listed.find((version) => version === "v1" || version === "v1beta1");

/** `request` of an AdmissionReview, without its uid: what expressions see too. */
export function admissionRequest(subject: ReviewSubject): Record<string, unknown> {
  const { attributes, matched, requested } = subject;
  const { user, subresource } = attributes;
  const kindOf = ({ kind }: MatchedResource): object => ({ group: kind.group, version: kind.version, kind: kind.kind });
  const resourceOf = ({ group, version, resource }: MatchedResource): object => ({ group, version, resource });
  return {
    kind: kindOf(matched),
    resource: resourceOf(matched),
    ...(subresource === "" ? {} : { subResource: subresource }),
    requestKind: kindOf(requested),
    requestResource: resourceOf(requested),
    ...(subresource === "" ? {} : { requestSubResource: subresource }),
    ...(attributes.name === "" ? {} : { name: attributes.name }),
    ...(subject.namespace === "" ? {} : { namespace: subject.namespace }),
    operation: attributes.operation,
    userInfo: {
      username: user.name,
      ...(user.uid === undefined || user.uid === "" ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(user.extra === undefined || Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
    },
    object: shownObject(subject) ?? null,
    oldObject: subject.oldObject ?? null,
    dryRun: attributes.dryRun,
    options: attributes.request?.options() ?? null,
  };
}

/** The options of a connection are no object of the API: they have no metadata. */
function shownObject({ attributes, object }: ReviewSubject): object | undefined {
  if (attributes.operation !== "CONNECT" || object === undefined) return object;
  const { metadata: _metadata, ...options } = object;
  return options;
}

export function admissionReview(version: string, uid: string, subject: ReviewSubject): Record<string, unknown> {
  return { kind: "AdmissionReview", apiVersion: `${GROUP}/${version}`, request: { uid, ...admissionRequest(subject) } };
}

export interface ReviewAnswer {
  readonly allowed: boolean;
  readonly status: Readonly<Record<string, unknown>> | undefined;
  readonly warnings: readonly string[];
  /** Values by key. */
  readonly auditAnnotations: readonly (readonly [string, unknown])[];
  /** Operations; undefined or empty: nothing is to be changed. */
  readonly patch: unknown;
}

/** Something that a webhook should not have answered; the message is upstream's. */
export class InvalidAnswer extends Error {
  /** Upstream's two ways of saying so. */
  readonly what: "received invalid webhook response" | "received undecodable patch in webhook response";
  constructor(what: InvalidAnswer["what"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.what = what;
  }
}

const refuse = (message: string): never => {
  throw new InvalidAnswer("received invalid webhook response", message);
};

/** What an answer says. Throws `InvalidAnswer`. */
export function readAnswer(answer: unknown, version: string, uid: string, mutating: boolean): ReviewAnswer {
  const response = read(answer, "response");
  if (!isObject(response)) return refuse("webhook response was absent");
  const hasPatch = text(response["patch"]) !== "";
  const patchType = response["patchType"];
  if (version === "v1") {
    checkIdentity(answer, response, uid);
    checkPatchType(hasPatch, patchType, mutating);
  }
  return {
    allowed: response["allowed"] === true,
    status: isObject(response["status"]) ? response["status"] : undefined,
    warnings: array(response["warnings"]).map((warning) => text(warning)),
    auditAnnotations: Object.entries(record(response["auditAnnotations"])),
    patch: mutating && hasPatch ? decodePatch(text(response["patch"])) : undefined,
  };
}

/** Throws for an answer that is of a kind upstream's client does not know. */
export function checkKind(answer: unknown): void {
  const [apiVersion, kind] = [text(read(answer, "apiVersion")), text(read(answer, "kind"))];
  if (kind === "") throw new Error(`Object 'Kind' is missing in '${JSON.stringify(answer)}'`);
  if (kind !== "AdmissionReview" || !apiVersion.startsWith(`${GROUP}/`)) {
    const where = 'in scheme "pkg/runtime/scheme.go:111"';
    throw new Error(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} ${where}`);
  }
}

function checkIdentity(answer: unknown, response: Readonly<Record<string, unknown>>, uid: string): void {
  const given = text(response["uid"]);
  if (given !== uid) refuse(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(given)}`);
  const [apiVersion, kind] = [text(read(answer, "apiVersion")), text(read(answer, "kind"))];
  if (apiVersion !== `${GROUP}/v1` || kind !== "AdmissionReview") {
    refuse(`expected webhook response of ${GROUP}/v1, Kind=AdmissionReview, got ${apiVersion}, Kind=${kind}`);
  }
}

function checkPatchType(hasPatch: boolean, patchType: unknown, mutating: boolean): void {
  const typed = patchType !== undefined && patchType !== null;
  if (!mutating) {
    if (hasPatch) refuse("validating webhook may not return response.patch");
    if (typed) refuse("validating webhook may not return response.patchType");
    return;
  }
  if (hasPatch && !typed) refuse("webhook returned response.patch but not response.patchType");
  if (!hasPatch && typed) refuse("webhook returned response.patchType but not response.patch");
  if (typed && patchType === "") refuse('webhook returned invalid response.patchType of ""');
}

function decodePatch(encoded: string): unknown {
  try {
    return JSON.parse(Buffer.from(encoded, "base64").toString("utf8")) as unknown;
  } catch (error) {
    throw new InvalidAnswer(
      "received undecodable patch in webhook response",
      error instanceof Error ? error.message : String(error),
      { cause: error },
    );
  }
}
