/** `$(NAME)` in commands, arguments and variables: upstream's third_party/forked/golang/expansion. */

/** Unknown names stay as they are written; `$$` is a dollar. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  if (!text.includes("$")) return text;
  let out = "";
  let i = 0;
  while (i < text.length) {
    const at = text.indexOf("$", i);
    if (at < 0 || at === text.length - 1) return out + text.slice(i);
    out += text.slice(i, at);
    const next = text[at + 1];
    if (next === "$") {
      out += "$";
      i = at + 2;
      continue;
    }
    const end = next === "(" ? text.indexOf(")", at + 2) : -1;
    if (end < 0) {
      out += next === "(" ? "$(" : `$${next ?? ""}`;
      i = at + 2;
      continue;
    }
    const name = text.slice(at + 2, end);
    out += lookup(name) ?? `$(${name})`;
    i = end + 1;
  }
  return out;
}
