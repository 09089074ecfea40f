/** What stands behind an image reference, and how a container's command follows from it. */
import type { Container } from "@travelops/kube/api/types/index.ts";

export interface Image {
  /** Where it comes from, for people: a package's name, `this machine`, a file. */
  readonly origin: string;
  readonly version: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  /** Host paths its programs need. */
  readonly view: readonly string[];
  /** Stands in for a `command` that names a program of the original image, by its base name. */
  readonly programs: Readonly<Record<string, readonly string[]>>;
  /** Added in front of PATH. */
  readonly path: readonly string[];
}

/** Docker's rule: `command` replaces the entrypoint and drops the image's own arguments; `args` replaces those. */
export function commandLine(image: Image, container: Pick<Container, "command" | "args">): string[] {
  const { command = [], args = [] } = container;
  if (command.length > 0) return [...translated(image, command), ...args];
  return [...image.entrypoint, ...(args.length > 0 ? args : image.cmd)];
}

function translated(image: Image, command: readonly string[]): readonly string[] {
  const [program = "", ...rest] = command;
  const stand = image.programs[program] ?? image.programs[program.slice(program.lastIndexOf("/") + 1)];
  return stand === undefined ? command : [...stand, ...rest];
}
