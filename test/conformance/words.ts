/** A command line without a shell: words, quotes, and `<` and `>` with a file of the script's directory. */

export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
  readonly from: string | undefined;
  readonly into: string | undefined;
}

const WORD = /(?:'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"])+/g;
const PIECE = /'([^']*)'|"((?:\\.|[^"\\])*)"|([^'"]+)/g;

function unquote(word: string): string {
  return [...word.matchAll(PIECE)]
    .map(([, single, double, bare]) => single ?? double?.replaceAll(/\\(["\\])/g, "$1") ?? bare ?? "")
    .join("");
}

/** Splits `line`; `expand` sees each word on its own, so a value with blanks stays one word. */
export function words(line: string, expand: (text: string) => string): CommandLine {
  const all = [...line.matchAll(WORD)].map(([word]) => word);
  const args: string[] = [];
  let from: string | undefined;
  let into: string | undefined;
  for (let at = 0; at < all.length; at++) {
    const word = all[at] ?? "";
    if (word === "<") from = expand(unquote(all[++at] ?? ""));
    else if (word === ">") into = expand(unquote(all[++at] ?? ""));
    else args.push(expand(unquote(word)));
  }
  return { program: args[0] ?? "", args: args.slice(1), from, into };
}
