/**
 * Kinds that are served, stored and watched, while nothing in an embedded cluster acts on them yet: whoever writes one
 * is told so with a `Warning` header, since what does not work must not seem to.
 */

const UNENFORCED: Readonly<Record<string, string>> = {
  "flowschemas.flowcontrol.apiserver.k8s.io":
    "this embedded cluster limits requests in flight as a whole, not by FlowSchemas",
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io":
    "this embedded cluster limits requests in flight as a whole, not by priority levels",
};

/** What to say of writing such an object; undefined where it does what it says. */
export const unenforced = (table: string): string | undefined => UNENFORCED[table];
