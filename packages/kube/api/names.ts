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

/** Values of labels. */
export const isLabelValue = (value: string): boolean =>
  value === "" || (value.length <= 63 && QUALIFIED.test(value));

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
