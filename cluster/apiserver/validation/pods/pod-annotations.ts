/** Annotations that say of a pod what its fields say today, and those that the system reads. */
import { fieldForbidden, fieldInvalid } from "@travelops/kube";
import type { Errors } from "../checks.ts";
import { child, entries, type Fields, text } from "../fields.ts";
import { relativePath } from "./paths.ts";
import { everyContainer } from "./every-container.ts";

const MIRROR = "kubernetes.io/config.mirror";
const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";
const SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/";
export const APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_PROFILES = ["runtime/default", "docker/default", "unconfined"];
const APP_ARMOR_PROFILES = ["", "runtime/default", "unconfined"];
const MAX_INT32 = 2 ** 31 - 1;

function isCost(value: string): boolean {
  return /^(?:0|-\d+|[1-9]\d*)$/.test(value) && Number(value) <= MAX_INT32 && Number(value) >= -MAX_INT32 - 1;
}

function seccompProfile(profile: string, path: string, errors: Errors): void {
  if (SECCOMP_PROFILES.includes(profile)) return;
  if (profile.startsWith("localhost/")) relativePath(profile.slice("localhost/".length), path, errors);
  else errors.push(fieldInvalid(path, profile, "must be a valid seccomp profile"));
}

function appArmor(key: string, profile: string, spec: Fields, path: string, errors: Errors): void {
  const name = key.slice(APP_ARMOR.length);
  if (!everyContainer(spec, "").some(([container]) => text(container, "name") === name))
    errors.push(fieldInvalid(`${path}[${key}]`, name, "container not found"));
  if (!APP_ARMOR_PROFILES.includes(profile) && !profile.startsWith("localhost/"))
    errors.push(fieldInvalid(`${path}[${key}]`, profile, `invalid AppArmor profile name: ${JSON.stringify(profile)}`));
}

/** What certain annotations of a pod may say. */
export function checkPodAnnotations(
  metadata: Fields | undefined,
  spec: Fields = {},
  path: string,
  errors: Errors,
): void {
  const said = entries(metadata, "annotations");
  if (said.length === 0) return;
  const values = new Map(said.map(([key, value]) => [key, String(value)]));
  const mirror = values.get(MIRROR);
  if (mirror !== undefined && text(spec, "nodeName") === "")
    errors.push(fieldInvalid(`${path}[${MIRROR}]`, mirror, "must set spec.nodeName if mirror pod annotation is set"));
  const cost = values.get(DELETION_COST);
  if (cost !== undefined && !isCost(cost))
    errors.push(fieldInvalid(`${path}[${DELETION_COST}]`, cost, "must be a 32bit integer"));
  for (const [key, value] of values) {
    if (key === SECCOMP_POD || key.startsWith(SECCOMP_CONTAINER)) seccompProfile(value, `${path}.${key}`, errors);
    if (key.startsWith(APP_ARMOR)) appArmor(key, value, spec, path, errors);
  }
}

/** The old annotation for each type of a profile. */
const WRITTEN: Readonly<Record<string, readonly string[]>> = {
  Unconfined: ["unconfined"],
  RuntimeDefault: ["runtime/default", "docker/default"],
};

interface Kind {
  /** As messages call it. */
  readonly word: string;
  readonly field: "seccompProfile" | "appArmorProfile";
  readonly prefix: string;
}

function checkMatch(profile: Fields, written: string, kind: Kind, path: string, errors: Errors): void {
  const type = text(profile, "type");
  const at = `${path}.securityContext.${kind.field}`;
  const differs = fieldForbidden(`${at}.type`, `${kind.word} type in annotation and field must match`);
  if (type === "Localhost") {
    if (!written.startsWith("localhost/")) errors.push(differs);
    else if (written.slice("localhost/".length) !== profile["localhostProfile"])
      errors.push(fieldForbidden(`${at}.localhostProfile`, `${kind.word} profile in annotation and field must match`));
  } else if (WRITTEN[type]?.includes(written) === false) errors.push(differs);
}

const SECCOMP: Kind = { word: "seccomp", field: "seccompProfile", prefix: SECCOMP_CONTAINER };
const ARMOR: Kind = { word: "apparmor", field: "appArmorProfile", prefix: APP_ARMOR };

/** Where an annotation and a field say the same thing, they agree. */
export function checkProfilesMatch(
  metadata: Fields | undefined,
  spec: Fields = {},
  path: string,
  errors: Errors,
): void {
  const annotations = child(metadata, "annotations");
  if (annotations === undefined) return;
  const ofPod = (kind: Kind): Fields | undefined => child(child(spec, "securityContext"), kind.field);
  const seccomp = ofPod(SECCOMP);
  const said = annotations[SECCOMP_POD];
  if (seccomp !== undefined && typeof said === "string") checkMatch(seccomp, said, SECCOMP, path, errors);
  const windows = text(child(spec, "os"), "name") === "windows";
  for (const kind of windows ? [SECCOMP] : [SECCOMP, ARMOR]) {
    for (const [container, at] of everyContainer(spec, path)) {
      const own = child(child(container, "securityContext"), kind.field);
      const profile = own ?? (kind === ARMOR ? ofPod(ARMOR) : undefined);
      const written = annotations[kind.prefix + text(container, "name")];
      if (profile !== undefined && typeof written === "string") checkMatch(profile, written, kind, at, errors);
    }
  }
}

/** Annotations that only their own components may change of a pod that exists. */
export function checkAnnotationChanges(
  metadata: Fields | undefined,
  before: Fields | undefined,
  path: string,
  errors: Errors,
): void {
  const now = child(metadata, "annotations") ?? {};
  const old = child(before, "annotations") ?? {};
  const fixed = (key: string, verb: string): void => {
    if (key.startsWith(APP_ARMOR))
      errors.push(fieldForbidden(`${path}[${key}]`, `may not ${verb} AppArmor annotations`));
    if (key === MIRROR) errors.push(fieldForbidden(`${path}[${key}]`, `may not ${verb} mirror pod annotation`));
  };
  for (const key of Object.keys(old)) if (now[key] !== old[key]) fixed(key, "remove or update");
  for (const key of Object.keys(now)) if (!Object.hasOwn(old, key)) fixed(key, "add");
}
