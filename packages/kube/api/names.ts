/** Which names the API accepts, and how it makes one from a `generateName`. */

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

/** Names of namespaces and of what becomes one DNS label. */
export const isDns1123Label = (name: string): boolean => name.length <= 63 && LABEL.test(name);

/** Names of most objects. */
export const isDns1123Subdomain = (name: string): boolean => name.length <= 253 && SUBDOMAIN.test(name);

/** Names of Services: a label that starts with a letter. */
export const isDns1035Label = (name: string): boolean => name.length <= 63 && LABEL_1035.test(name);

/** Keys of labels and annotations, types of conditions, finalizers: `name` or `prefix/name`. */
export function isQualifiedName(name: string): boolean {
  const slash = name.indexOf("/");
  const local = slash < 0 ? name : name.slice(slash + 1);
  if (slash >= 0 && !isDns1123Subdomain(name.slice(0, slash))) return false;
  return local.length <= 63 && QUALIFIED.test(local);
}

const NAME_PART =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
  "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const KEY_FORM =
  "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
  "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') " +
  "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
const PREFIX_PART =
  "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end " +
  "with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/** What is wrong with a key of a label or an annotation, in upstream's words; undefined where nothing is. */
export function qualifiedNameFault(key: string): string | undefined {
  const parts = key.split("/");
  if (parts.length > 2) return KEY_FORM;
  const [prefix, local = ""] = parts.length === 2 ? parts : [undefined, key];
  if (prefix === "") return "prefix part must be non-empty";
  if (prefix !== undefined && !isDns1123Subdomain(prefix)) return PREFIX_PART;
  if (local === "") return "name part must be non-empty";
  if (local.length > 63) return "name part must be no more than 63 bytes";
  return QUALIFIED.test(local) ? undefined : NAME_PART;
}

/** What is wrong with the value of a label; undefined where nothing is. */
export function labelValueFault(value: string): string | undefined {
  if (value.length > 63) return "must be no more than 63 bytes";
  return value === "" || QUALIFIED.test(value) ? undefined : LABEL_VALUE_FORM;
}

const LABEL_VALUE_FORM =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end " +
  "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/** Upstream's alphabet of generated names: no vowels and nothing that looks like another. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH = 5;
const LONGEST_BASE = 63 - SUFFIX_LENGTH;

/** `length` characters of upstream's safe alphabet; `random` gives numbers in [0, 1). */
export function randomSuffix(random: () => number, length = SUFFIX_LENGTH): string {
  let text = "";
  for (let i = 0; i < length; i++) text += ALPHABET.charAt(Math.floor(random() * ALPHABET.length));
  return text;
}

/** `base` and five random characters, as the API server names objects with `generateName`. */
export function generateName(base: string, random: () => number): string {
  return base.slice(0, LONGEST_BASE) + randomSuffix(random);
}

/** Maps the digits of a hash onto the same alphabet, as upstream does for `pod-template-hash`. */
export function safeEncode(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i++) out += ALPHABET.charAt(text.charCodeAt(i) % ALPHABET.length);
  return out;
}
