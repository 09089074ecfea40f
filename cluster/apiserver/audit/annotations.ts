/** What others say of a request, for its events. */
import type { Annotate } from "../access.ts";
import type { Level } from "./policy.ts";

/** A prefix that is a DNS subdomain, a slash, and a name. */
const KEY =
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

export interface Annotations {
  readonly annotate: Annotate;
  /** All that was said so far. */
  all(): Readonly<Record<string, string>>;
}

/** Collects annotations; what was said first of a key stands, and keys that are none are left out, as upstream. */
export function annotationsFor(level: Level): Annotations {
  const said = new Map<string, string>();
  return {
    annotate(key, value, least) {
      if (least === "Request" && level !== "Request" && level !== "RequestResponse") return;
      if (KEY.test(key) && !said.has(key)) said.set(key, value);
    },
    all: () => Object.fromEntries(said),
  };
}
