/** Which image references can be run here, and what becomes of those that cannot. */
import { createHash } from "node:crypto";
import { hostImages, type HostPrograms } from "./host-images.ts";
import type { Image } from "./image.ts";
import { packageImages, type CatalogueEntry } from "./package-images.ts";
import { parseReference } from "./reference.ts";
import { userImages } from "./user-images.ts";

export type UnknownImages = "fail" | "simulate";

export type ResolvedImage =
  | { readonly kind: "found"; readonly image: Image; readonly imageID: string }
  | { readonly kind: "simulated"; readonly imageID: string }
  | { readonly kind: "invalid"; readonly message: string }
  | { readonly kind: "unknown"; readonly message: string };

export interface ImageCatalogue {
  resolve(reference: string): ResolvedImage;
  /** For Node.status.images. */
  readonly references: readonly string[];
}

export interface CatalogueOptions {
  /** Folders of packages that declare images. */
  readonly packages: readonly string[];
  /** Users' `images.yaml`. */
  readonly userFile?: string;
  readonly unknownImages: UnknownImages;
  /** What every image of a package gets, unless it says otherwise. */
  readonly packageEnv?: Readonly<Record<string, string>>;
  /** The pinned Node. */
  readonly node: string;
  readonly host: HostPrograms;
}

/** Throws `ImageDeclarationError` when a declaration is wrong. */
export function createCatalogue(options: CatalogueOptions): ImageCatalogue {
  const own = [
    ...(options.userFile === undefined ? [] : userImages(options.userFile, options.node)),
    ...packageImages(options.packages, options.node, options.packageEnv),
  ];
  const entries: readonly CatalogueEntry[] = [...own, ...hostImages(options.host)];
  const known = new Map<string, ResolvedImage>();
  const resolve = (text: string): ResolvedImage => {
    const reference = parseReference(text);
    if (reference === undefined)
      return {
        kind: "invalid",
        message: `Failed to apply default image tag "${text}": couldn't parse image name "${text}": invalid reference format`,
      };
    const entry = entries.find((one) => one.matches(reference));
    if (entry !== undefined)
      return {
        kind: "found",
        image: entry.image,
        imageID: imageID(reference.repository, `${entry.image.origin}@${entry.image.version}`),
      };
    if (options.unknownImages === "simulate")
      return { kind: "simulated", imageID: imageID(reference.repository, "simulated") };
    return { kind: "unknown", message: unknownMessage(text, reference.repository, own, entries) };
  };
  return {
    references: entries.flatMap((entry) => entry.references),
    resolve(text) {
      const found = known.get(text) ?? resolve(text);
      if (known.size < 1000) known.set(text, found);
      return found;
    },
  };
}

const imageID = (repository: string, content: string): string =>
  `${repository}@sha256:${createHash("sha256").update(content).digest("hex")}`;

/** Names what comes nearest, so that a typing mistake is seen at once. */
function unknownMessage(
  text: string,
  repository: string,
  own: readonly CatalogueEntry[],
  all: readonly CatalogueEntry[],
): string {
  const last = repository.slice(repository.lastIndexOf("/") + 1);
  const near = all
    .flatMap((entry) => entry.references)
    .filter(
      (reference) =>
        reference.includes(last) ||
        last.includes(reference.slice(reference.lastIndexOf("/") + 1).replaceAll("*", "") || "\0"),
    )
    .slice(0, 3);
  const some = near.length > 0 ? near : own.flatMap((entry) => entry.references).slice(0, 8);
  return (
    `image "${text}" is not in the catalogue, and nothing is pulled from registries here. ` +
    `There is: ${some.join(", ") || "no image of a package"} and images of this machine's programs (busybox, alpine, ubi …). ` +
    `Add it to images.yaml, or start with --unknown-images simulate.`
  );
}
