/** When an image is pulled, where nobody says so. */
import type { JsonObject } from "../json-value.ts";

const ID = /^[a-f0-9]{64}$/;
const PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const DOMAIN = new RegExp(`^(?:${PART}(?:\\.${PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const WORD = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const REFERENCE = new RegExp(
  `^${WORD}(?:/${WORD})*(?::(\\w[\\w.-]{0,127}))?(@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`,
);
const MAX_NAME = 255;

const isDomain = (first: string): boolean =>
  first === "localhost" || /[.:]/.test(first) || first.toLowerCase() !== first;

/** The tag of an image: `latest` where neither tag nor digest is given, none where it is no name of an image. */
function imageTag(image: string): string {
  if (ID.test(image)) return "";
  const slash = image.indexOf("/");
  const first = image.slice(0, Math.max(slash, 0));
  const rest = slash >= 0 && isDomain(first) ? image.slice(slash + 1) : image;
  if (rest !== image && !DOMAIN.test(first)) return "";
  if (rest.length > MAX_NAME && rest.replace(/[:@].*$/, "").length > MAX_NAME) return "";
  const found = REFERENCE.exec(rest);
  if (found === null) return "";
  return found[1] ?? (found[2] === undefined ? "latest" : "");
}

/** The policy for the image that `field` names. */
export const pullPolicy =
  (field: string) =>
  (owner: JsonObject): string => {
    const image = owner[field];
    return imageTag(typeof image === "string" ? image : "") === "latest" ? "Always" : "IfNotPresent";
  };
