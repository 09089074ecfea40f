/** The named formats that rules check by (`format.dns1123Label().validate(self)`); each answers with its faults. */
import { formatCheck } from "../formats.ts";

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_FAULT =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_FAULT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035_FAULT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const NAME_FAULT =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_FAULT =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

export interface NamedFormat {
  readonly name: string;
  /** How long the pattern behind it is, which costs go by. */
  readonly patternSize: number;
  /** What is wrong with a text; empty when nothing is. */
  readonly faults: (text: string) => string[];
}

const limited =
  (pattern: RegExp, max: number, fault: string, prefix = false) =>
  (text: string): string[] => {
    const whole = prefix && text.endsWith("-") ? `${text.slice(0, -1)}a` : text;
    return [
      ...(text.length > max ? [`must be no more than ${max} characters`] : []),
      ...(pattern.test(whole) ? [] : [fault]),
    ];
  };

const LABEL_PATTERN = new RegExp(`^${LABEL}$`);
const SUBDOMAIN_PATTERN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
const LABEL_1035_PATTERN = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const NAME_PATTERN = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

function qualifiedName(text: string): string[] {
  const parts = text.split("/");
  const name = parts.at(-1) ?? "";
  if (parts.length > 2)
    return [
      `a qualified name ${NAME_FAULT.slice("name part ".length)} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const faults: string[] = [];
  if (parts.length === 2 && parts[0] === "") faults.push("prefix part must be non-empty");
  else if (parts.length === 2)
    faults.push(
      ...limited(SUBDOMAIN_PATTERN, 253, SUBDOMAIN_FAULT)(parts[0] ?? "").map((fault) => `prefix part ${fault}`),
    );
  if (name === "") faults.push("name part must be non-empty");
  if (name.length > 63) faults.push("name part must be no more than 63 characters");
  if (!NAME_PATTERN.test(name)) faults.push(NAME_FAULT);
  return faults;
}

const checked =
  (format: string, fault: string) =>
  (text: string): string[] =>
    formatCheck(format)?.(text) === false ? [fault] : [];

const FORMATS: ReadonlyMap<string, (text: string) => string[]> = new Map([
  ["dns1123Label", limited(LABEL_PATTERN, 63, LABEL_FAULT)],
  ["dns1123Subdomain", limited(SUBDOMAIN_PATTERN, 253, SUBDOMAIN_FAULT)],
  ["dns1035Label", limited(LABEL_1035_PATTERN, 63, LABEL_1035_FAULT)],
  ["dns1123LabelPrefix", limited(LABEL_PATTERN, 63, LABEL_FAULT, true)],
  ["dns1123SubdomainPrefix", limited(SUBDOMAIN_PATTERN, 253, SUBDOMAIN_FAULT, true)],
  ["dns1035LabelPrefix", limited(LABEL_1035_PATTERN, 63, LABEL_1035_FAULT, true)],
  ["qualifiedName", qualifiedName],
  ["labelValue", (text: string) => (text === "" ? [] : limited(NAME_PATTERN, 63, VALUE_FAULT)(text))],
  ["uri", checked("uri", "invalid URI for request")],
  ["uuid", checked("uuid", "does not match the UUID format")],
  ["byte", checked("byte", "invalid base64")],
  ["date", checked("date", "invalid date")],
  ["datetime", checked("datetime", "invalid datetime")],
]);

const PATTERN_SIZES: Readonly<Record<string, number>> = {
  dns1123Label: 30,
  dns1123Subdomain: 60,
  dns1035Label: 30,
  qualifiedName: 60,
  dns1123LabelPrefix: 30,
  dns1123SubdomainPrefix: 60,
  dns1035LabelPrefix: 30,
  labelValue: 40,
  uri: 1103,
  uuid: 70,
  byte: 84,
  date: 71,
  datetime: 71,
};

export const FORMAT_NAMES: readonly string[] = [...FORMATS.keys()];

export function namedFormat(name: string): NamedFormat | undefined {
  const faults = FORMATS.get(name);
  return faults === undefined ? undefined : { name, patternSize: PATTERN_SIZES[name] ?? 0, faults };
}
