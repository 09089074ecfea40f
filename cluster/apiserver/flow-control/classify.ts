/** Which FlowSchema a request falls under. Compiled once a change; matching looks at a few sets. */
import type { KubeObject } from "@travelops/kube";
import type { UserInfo } from "../api-server.ts";
import type { RequestInfo } from "../request/request-info.ts";
import { array, read, text } from "../registry/printers/printer.ts";

export interface CompiledSchema {
  readonly name: string;
  readonly uid: string;
  readonly precedence: number;
  readonly level: string;
  readonly distinguisher: string;
  matches(user: UserInfo, info: RequestInfo): boolean;
}

type Match<T> = (value: T) => boolean;

const strings = (value: unknown, key: string): string[] => array(read(value, key)).map((each) => text(each));

/** Whether a value is among `names`, one of which may stand for all. */
function among(names: readonly string[]): Match<string> {
  if (names.includes("*")) return () => true;
  const set = new Set(names);
  return (name) => set.has(name);
}

const ACCOUNT = "system:serviceaccount:";

function subject(value: unknown): Match<UserInfo> {
  switch (text(read(value, "kind"))) {
    case "User": {
      const is = among([text(read(value, "user", "name"))]);
      return ({ name }) => is(name);
    }
    case "Group": {
      const name = text(read(value, "group", "name"));
      return name === "*" ? () => true : ({ groups }) => groups.includes(name);
    }
    case "ServiceAccount": {
      const prefix = `${ACCOUNT}${text(read(value, "serviceAccount", "namespace"))}:`;
      const account = text(read(value, "serviceAccount", "name"));
      return account === "*" ? ({ name }) => name.startsWith(prefix) : ({ name }) => name === prefix + account;
    }
    default:
      return () => false;
  }
}

function resourceRule(rule: unknown): Match<RequestInfo> {
  const verb = among(strings(rule, "verbs"));
  const group = among(strings(rule, "apiGroups"));
  const resource = among(strings(rule, "resources"));
  const namespace = among(strings(rule, "namespaces"));
  const clusterScope = read(rule, "clusterScope") === true;
  return (info) =>
    info.kind === "resource" &&
    verb(info.verb) &&
    group(info.group) &&
    resource(info.subresource === "" ? info.resource : `${info.resource}/${info.subresource}`) &&
    (info.namespace === "" ? clusterScope : namespace(info.namespace));
}

function pathRule(rule: unknown): Match<RequestInfo> {
  const verb = among(strings(rule, "verbs"));
  const urls = strings(rule, "nonResourceURLs");
  const path = among(urls);
  const prefixes = urls.filter((url) => url.endsWith("/*")).map((url) => url.slice(0, -1));
  return (info) =>
    info.kind === "path" &&
    verb(info.verb) &&
    (path(info.path) || prefixes.some((prefix) => info.path.startsWith(prefix)));
}

const any =
  <T>(matches: readonly Match<T>[]): Match<T> =>
  (value) => {
    for (const match of matches) if (match(value)) return true;
    return false;
  };

export function compileSchema({ metadata, ...object }: KubeObject): CompiledSchema {
  const spec = object["spec"];
  const precedence = read(spec, "matchingPrecedence");
  const rules = array(read(spec, "rules")).map((rule) => ({
    who: any(array(read(rule, "subjects")).map(subject)),
    what: any([
      ...array(read(rule, "resourceRules")).map(resourceRule),
      ...array(read(rule, "nonResourceRules")).map(pathRule),
    ]),
  }));
  return {
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    precedence: typeof precedence === "number" ? precedence : 1000,
    level: text(read(spec, "priorityLevelConfiguration", "name")),
    distinguisher: text(read(spec, "distinguisherMethod", "type")),
    matches(user, info) {
      for (const { who, what } of rules) if (who(user) && what(info)) return true;
      return false;
    },
  };
}

/** In the order in which they are tried. */
export const inOrder = (schemas: readonly CompiledSchema[]): CompiledSchema[] =>
  schemas.toSorted((a, b) => a.precedence - b.precedence || (a.name < b.name ? -1 : 1));

/** Whose requests share a queue. */
export function flowOf(schema: CompiledSchema, user: UserInfo, info: RequestInfo): string {
  if (schema.distinguisher === "ByUser") return `${schema.name}/${user.name}`;
  if (schema.distinguisher === "ByNamespace") return `${schema.name}/${info.kind === "resource" ? info.namespace : ""}`;
  return schema.name;
}
