/**
 * Regular expressions as Go has them (RE2): the same syntax and meaning, and time linear in the text, so that
 * no value a client sends can make a pattern run for ever.
 */
import { createRequire } from "node:module";
import type { RE2JS } from "re2js";

export interface Pattern {
  /** Whether the pattern occurs anywhere in the text. */
  test(text: string): boolean;
}

const MAX_KEPT = 2000;
const compiled = new Map<string, Pattern | string>();
let engine: typeof RE2JS | undefined;

/** The engine is loaded with the first pattern: most processes never need it. */
export function patternEngine(): typeof RE2JS {
  engine ??= (createRequire(import.meta.url)("re2js") as { RE2JS: typeof RE2JS }).RE2JS;
  return engine;
}

/** The compiled pattern, or what is wrong with it in Go's words. */
export function compilePattern(pattern: string): Pattern | string {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  if (compiled.size >= MAX_KEPT) compiled.clear();
  const made = compile(pattern);
  compiled.set(pattern, made);
  return made;
}

function compile(pattern: string): Pattern | string {
  try {
    const re = patternEngine().compile(pattern);
    return { test: (text) => re.matcher(text).find() };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
