/** Image references and the patterns that name them. */

export interface ImageReference {
  /** As written. */
  readonly text: string;
  /** With registry and namespace, without tag and digest: `docker.io/library/busybox`. */
  readonly repository: string;
  readonly tag: string;
  readonly digest: string | undefined;
}

const REFERENCE =
  /^([a-zA-Z0-9][a-zA-Z0-9._-]*(?::\d+)?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)(?::([\w][\w.-]{0,127}))?(?:@([a-z0-9+._-]+:[0-9a-fA-F]{32,}))?$/;

/** undefined: no valid reference. Docker's short names are completed. */
export function parseReference(text: string): ImageReference | undefined {
  // A registry's port looks like a tag as long as no path follows: `host:5000/name`.
  const slash = text.indexOf("/");
  const head = slash < 0 ? "" : text.slice(0, slash);
  const isRegistry = slash > 0 && (head.includes(".") || head.includes(":") || head === "localhost");
  const match = REFERENCE.exec(isRegistry ? text : `docker.io/${slash < 0 ? "library/" : ""}${text}`);
  if (match === null || match[1] === undefined) return undefined;
  return { text, repository: match[1], tag: match[2] ?? (match[3] === undefined ? "latest" : ""), digest: match[3] };
}

/** A pattern of the catalogue: a repository with `*` for any text; with `:tag` for that tag alone (`*` allowed there, too). */
export function matcher(pattern: string): (reference: ImageReference) => boolean {
  const colon = pattern.lastIndexOf(":");
  const hasTag = colon > pattern.lastIndexOf("/");
  const name = hasTag ? pattern.slice(0, colon) : pattern;
  const tag = hasTag ? glob(pattern.slice(colon + 1)) : undefined;
  const first = name.split("/")[0] ?? "";
  const complete =
    first.includes("*") || first.includes(".") || first.includes(":") || first === "localhost"
      ? name
      : `docker.io/${name.includes("/") ? "" : "library/"}${name}`;
  const repository = glob(complete);
  return (reference) => repository.test(reference.repository) && (tag === undefined || tag.test(reference.tag));
}

const glob = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
