/** Files of one volume that would stand in each other's way. */
import { child, type Fields, has, items, text } from "../../validation/fields.ts";

interface File {
  readonly path: string;
  /** Where it comes from, in words; empty where the volume has one source. */
  readonly source: string;
}

const shown = ({ path, source }: File): string =>
  source === "" ? JSON.stringify(path) : `${JSON.stringify(path)} (${source})`;

const filesOf = (source: Fields | undefined, words: string): File[] =>
  items(source, "items").map((item) => ({ path: text(item, "path"), source: words }));

/** Each pair of which one is the other, or lies within it. */
function overlaps(files: readonly File[]): string[] {
  if (files.length < 2) return [];
  const before: File[] = [];
  return files.flatMap((given) => {
    const file = { ...given, path: given.path.replace(/\/+$/, "") };
    const within = file.path === "" ? [] : before.filter(({ path }) => path !== "" && touches(path, file.path));
    before.push(file);
    return within.map((other) => `${shown(file)} with ${shown(other)}`);
  });
}

const touches = (a: string, b: string): boolean => `${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`);

const PLAIN: readonly (readonly [key: string, words: (source: Fields) => string])[] = [
  ["configMap", (source) => `ConfigMap ${JSON.stringify(text(source, "name"))}`],
  ["secret", (source) => `Secret ${JSON.stringify(text(source, "secretName"))}`],
  ["downwardAPI", () => "DownwardAPI"],
];

function projectedFiles(source: Fields): File[] {
  const name = (key: string): string => JSON.stringify(text(child(source, key), "name"));
  if (has(child(source, "configMap"), "items"))
    return filesOf(child(source, "configMap"), `ConfigMap ${name("configMap")}`);
  if (has(child(source, "secret"), "items")) return filesOf(child(source, "secret"), `Secret ${name("secret")}`);
  if (has(child(source, "downwardAPI"), "items")) return filesOf(child(source, "downwardAPI"), "DownwardAPI");
  const token = child(source, "serviceAccountToken");
  return token === undefined ? [] : [{ path: text(token, "path"), source: "ServiceAccountToken" }];
}

const hasSource = (source: Fields): boolean => Object.values(source).some((value) => value !== undefined);

/** Warns of them in each volume. */
export function overlapWarnings(volumes: readonly Fields[], warn: (text: string) => void): void {
  for (const volume of volumes) {
    const name = JSON.stringify(text(volume, "name"));
    const say = (words: string, files: readonly File[]): void => {
      for (const overlap of overlaps(files)) warn(`volume ${name} (${words}): overlapping paths: ${overlap}`);
    };
    for (const [key, words] of PLAIN) {
      const source = child(volume, key);
      if (source !== undefined) say(words(source), filesOf(source, ""));
    }
    const sources = items(child(volume, "projected"), "sources");
    for (const source of sources) if (!hasSource(source)) warn(`volume ${name} (Projected) has no sources provided`);
    say("Projected", sources.flatMap(projectedFiles));
  }
}
