/** The string formats that schemas of custom resources may ask for. */
import { isIP } from "node:net";

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const TIME = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$/;
const HOSTNAME =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$/u;
const CREDIT_CARD =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/;
const RGB =
  /^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/;
const MAC =
  /^(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}(?:[0-9a-f]{2}\1){0,14}[0-9a-f]{2}|[0-9a-f]{4}(?:\.[0-9a-f]{4})+)$/i;
const MAC_DIGITS: ReadonlySet<number> = new Set([12, 16, 40]);
const uuid = (version: string, variant: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}-?${variant}-?[0-9a-f]{12}$`, "i");

export function isDate(value: string): boolean {
  const match = DATE.exec(value);
  if (match === null) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days;
}

export function isDateTime(value: string): boolean {
  const [date = "", time] = value.toLowerCase().split("t");
  if (value.length < 4 || time === undefined || !isDate(date)) return false;
  const match = TIME.exec(time);
  return match !== null && (match[1] ?? "") <= "23" && (match[2] ?? "") <= "59" && (match[3] ?? "") <= "59";
}

const withoutLeadingZeros = (address: string): string => address.replace(/(^|[.:])0+(?=\d+(?:\.|$))/g, "$1");
const isIpAddress = (value: string): boolean => isIP(withoutLeadingZeros(value)) !== 0 && !value.includes("%");

function isCidr(value: string): boolean {
  const slash = value.indexOf("/");
  const address = value.slice(0, slash);
  const bits = value.slice(slash + 1);
  if (slash < 0 || !/^\d+$/.test(bits) || !isIpAddress(address)) return false;
  return Number(bits) <= (address.includes(":") ? 128 : 32);
}

/** An absolute URI or an absolute path, as in the first line of an HTTP request. */
function isUri(value: string): boolean {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(value)) return false;
  const scheme = /^[a-zA-Z][a-zA-Z0-9+.-]*:/.exec(value)?.[0];
  const rest = value.slice(scheme?.length ?? 0).split("?")[0] ?? "";
  if (!rest.startsWith("/")) return scheme !== undefined;
  if (/%(?![0-9a-fA-F]{2})/.test(rest)) return false;
  const authority = rest.startsWith("//") && scheme !== undefined ? (rest.slice(2).split("/")[0] ?? "") : "";
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  return /^(?:\[[0-9a-fA-F:.%\w-]+\]|[^\s<>"[\]{}|\\^`:]*)(?::\d*)?$/.test(host);
}

const ATOM = '[^\\s()<>\\[\\]:;@\\\\,."]+';
const ADDRESS = new RegExp(
  `^(?:${ATOM}(?:\\.${ATOM})*|"(?:[^"\\\\\\r\\n]|\\\\.)*")@(?:${ATOM}(?:\\.${ATOM})*|\\[[^\\[\\]\\\\]*\\])$`,
  "u",
);

function isEmail(value: string): boolean {
  const angle = /^[^<>]*<([^<>]*)>\s*$/.exec(value);
  return ADDRESS.test((angle?.[1] ?? value).trim());
}

const isHostname = (value: string): boolean =>
  HOSTNAME.test(value) &&
  Buffer.byteLength(value) <= 255 &&
  value.split(".").every((label) => Buffer.byteLength(label) <= 63);

function isIsbn10(value: string): boolean {
  const digits = value.replace(/[\s-]+/g, "");
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < 10; i++) sum += (i + 1) * (digits[i] === "X" ? 10 : Number(digits[i]));
  return sum % 11 === 0;
}

function isIsbn13(value: string): boolean {
  const digits = value.replace(/[\s-]+/g, "");
  if (!/^\d{13}$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < 13; i++) sum += (i % 2 === 0 ? 1 : 3) * Number(digits[i]);
  return sum % 10 === 0;
}

function isCreditCard(value: string): boolean {
  const digits = value.replace(/[^0-9]+/g, "");
  if (!CREDIT_CARD.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    sum += i % 2 === 0 ? digit : digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
  }
  return sum % 10 === 0;
}

const GO_DURATION = /^[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const UNITS: readonly (readonly string[])[] = [
  ["ns", "nano"],
  ["us", "µs", "micro"],
  ["ms", "milli"],
  ["s", "sec"],
  ["m", "min"],
  ["h", "hr", "hour"],
  ["d", "day"],
  ["w", "wk", "week"],
];

/** Go's durations (`1h30m`), or words (`2 weeks`). */
function isDuration(value: string): boolean {
  if (GO_DURATION.test(value)) return true;
  for (const [, word = ""] of value.matchAll(/\d+\s*([A-Za-zµ]+)/g)) {
    const unit = word.toLowerCase();
    if (UNITS.some((names) => names.includes(unit) || unit.startsWith(names[names.length - 1] ?? ""))) return true;
  }
  return false;
}

const SHORT_NAME = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const matches =
  (pattern: RegExp) =>
  (value: string): boolean =>
    pattern.test(value);

const FORMATS: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ["bsonobjectid", matches(/^[0-9a-f]{24}$/i)],
  ["uri", isUri],
  ["email", isEmail],
  ["hostname", isHostname],
  ["ipv4", (value: string) => isIpAddress(value) && value.includes(".")],
  ["ipv6", (value: string) => isIpAddress(value) && value.includes(":")],
  ["cidr", isCidr],
  ["mac", (value: string) => MAC.test(value) && MAC_DIGITS.has(value.replace(/[:.-]/g, "").length)],
  ["uuid", matches(uuid("[0-9a-f]{4}", "[0-9a-f]{4}"))],
  ["uuid3", matches(uuid("3[0-9a-f]{3}", "[0-9a-f]{4}"))],
  ["uuid4", matches(uuid("4[0-9a-f]{3}", "[89ab][0-9a-f]{3}"))],
  ["uuid5", matches(uuid("5[0-9a-f]{3}", "[89ab][0-9a-f]{3}"))],
  ["isbn", (value: string) => isIsbn10(value) || isIsbn13(value)],
  ["isbn10", isIsbn10],
  ["isbn13", isIsbn13],
  ["creditcard", isCreditCard],
  ["ssn", matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/)],
  ["hexcolor", matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/)],
  ["rgbcolor", matches(RGB)],
  ["byte", matches(BASE64)],
  ["password", () => true],
  ["date", isDate],
  ["duration", isDuration],
  ["datetime", isDateTime],
  ["k8sshortname", (value: string) => value.length <= 63 && SHORT_NAME.test(value)],
  ["k8slongname", (value: string) => value.length <= 253 && value.split(".").every((label) => SHORT_NAME.test(label))],
]);

/** The check of a format; undefined for formats that are not known, which say nothing. */
export const formatCheck = (format: string): ((value: string) => boolean) | undefined =>
  FORMATS.get(format.replaceAll("-", ""));
