/** `--data-dir` may stand before the verb or after it. What follows kubectl or helm is theirs. */

const FOREIGN: ReadonlySet<string> = new Set(["kubectl", "helm"]);
const FLAG = "--data-dir";

export function hoistDataDir(args: readonly string[]): string[] {
  const front: string[] = [];
  const rest: string[] = [];
  let index = 0;
  for (; index < args.length; index++) {
    const arg = args[index] ?? "";
    const value = args[index + 1];
    if (arg === FLAG && value !== undefined) {
      front.push(arg, value);
      index++;
    } else if (arg.startsWith(`${FLAG}=`)) front.push(arg);
    else rest.push(arg);
    if (arg === "--" || FOREIGN.has(arg)) break;
  }
  return [...front, ...rest, ...args.slice(index + 1)];
}
