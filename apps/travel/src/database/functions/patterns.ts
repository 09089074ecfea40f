import { errors } from "../errors.ts";

const compiled = new Map<string, RegExp>();
const REMEMBERED = 200;

function remembered(key: string, compile: () => RegExp): RegExp {
  const known = compiled.get(key);
  if (known) {
    known.lastIndex = 0;
    return known;
  }
  if (compiled.size >= REMEMBERED) compiled.clear();
  const fresh = compile();
  compiled.set(key, fresh);
  return fresh;
}

/** LIKE, ignoring case as MySQL's default collation does. */
export function matchesLike(value: string, pattern: string, escape: string): boolean {
  return remembered(`like ${escape} ${pattern}`, () => likeExpression(pattern, escape)).test(value);
}

function likeExpression(pattern: string, escape: string): RegExp {
  const characters = Array.from(pattern);
  let source = "";
  for (let index = 0; index < characters.length; index++) {
    let character = characters[index] ?? "";
    if (character === escape && index + 1 < characters.length) {
      character = characters[++index] ?? "";
      source += RegExp.escape(character);
    } else if (character === "%") {
      // Several wildcards in a row mean one; written out they would cost exponential time.
      if (!source.endsWith("[^]*")) source += "[^]*";
    } else if (character === "_") source += "[^]";
    else source += RegExp.escape(character);
  }
  return new RegExp(`^${source}$`, "iu");
}

/** A pattern of REGEXP; `flags` are MySQL's match types. */
export function regularExpression(pattern: string, flags: string, more = ""): RegExp {
  const own = `${flags.includes("c") ? "" : "i"}${flags.includes("m") ? "m" : ""}${flags.includes("n") ? "s" : ""}u${more}`;
  return remembered(`regexp ${own} ${pattern}`, () => {
    try {
      const source = pattern.replaceAll(/\[\[:(\w+):\]\]/g, (_all, name: string) => `[${CLASSES[name] ?? name}]`);
      return new RegExp(
        source.replaceAll(/\[:(\w+):\]/g, (_all, name: string) => CLASSES[name] ?? name),
        own,
      );
    } catch (error) {
      throw errors.invalidRegexp(error instanceof Error ? error.message : pattern);
    }
  });
}

const CLASSES: Readonly<Record<string, string>> = {
  alpha: "\\p{L}",
  digit: "\\d",
  alnum: "\\p{L}\\d",
  space: "\\s",
  upper: "\\p{Lu}",
  lower: "\\p{Ll}",
  punct: "\\p{P}",
};
