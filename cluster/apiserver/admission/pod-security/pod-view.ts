/** How the checks of pod security look at a pod and speak of it. */
import { child, type Fields, items, text } from "../../validation/fields.ts";

/** What is wrong with a pod: a reason, and who is at fault. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export interface CheckedPod {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Fields;
}

export type Check = (pod: CheckedPod) => Violation | undefined;

export const security = (of: Fields): Fields | undefined => child(of, "securityContext");

/** Init containers first, then containers, then ephemeral ones. */
export const containersOf = ({ spec }: CheckedPod): readonly Fields[] => [
  ...items(spec, "initContainers"),
  ...items(spec, "containers"),
  ...items(spec, "ephemeralContainers"),
];

export const nameOf = (container: Fields): string => text(container, "name");
export const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");
export const plural = (one: string, many: string, count: number): string => (count === 1 ? one : many);
export const sorted = (values: Iterable<string>): string[] => [...new Set(values)].toSorted();

/** `container "a"`, `containers "a", "b"`. */
export const named = (containers: readonly string[]): string =>
  `${plural("container", "containers", containers.length)} ${quoted(containers)}`;

/** The names of the containers that a test holds for. */
export const containersWith = (pod: CheckedPod, test: (container: Fields) => boolean): string[] =>
  containersOf(pod).filter(test).map(nameOf);

/** Who sets something: the pod itself, and containers of it. */
export const setters = (pod: boolean, containers: readonly string[]): string =>
  [...(pod ? ["pod"] : []), ...(containers.length === 0 ? [] : [named(containers)])].join(" and ");

/** Rules that mean nothing to Windows do not hold for its pods. */
export const exceptWindows =
  (check: Check): Check =>
  (pod) =>
    text(child(pod.spec, "os"), "name") === "windows" ? undefined : check(pod);

/** A pod in a user namespace of its own may do more. */
export const exceptUserNamespaces =
  (check: Check): Check =>
  (pod) =>
    pod.spec["hostUsers"] === false ? undefined : check(pod);

/** The texts at `path` of the pod's and of its containers' security contexts that `allowed` does not hold for. */
export function forbiddenTexts(
  pod: CheckedPod,
  path: readonly [string, string],
  allowed: (value: string) => boolean,
): { readonly pod: boolean; readonly containers: string[]; readonly values: string[] } {
  const values: string[] = [];
  const bad = (of: Fields): boolean => {
    const at = child(security(of), path[0]);
    if (at === undefined || allowed(text(at, path[1]))) return false;
    values.push(text(at, path[1]));
    return true;
  };
  const ofPod = bad(pod.spec);
  const containers = containersWith(pod, bad);
  return { pod: ofPod, containers, values: sorted(values) };
}
