/** Programs that a test starts and that never outlive it. */
import { spawn } from "node:child_process";
import { accessSync } from "node:fs";
import { delimiter, join } from "node:path";

export interface Program {
  readonly name: string;
  /** The end of what it wrote to stderr. */
  output(): string;
  ended(): boolean;
  /** Kills it and waits for its end. */
  stop(): Promise<void>;
}

const TAIL = 4000;

/** Dies with this process where `setpriv` is at hand, so that a killed test run leaves nothing. */
export function startProgram(name: string, args: readonly string[]): Program {
  const chain = onPath("setpriv") ? ["setpriv", "--pdeathsig", "KILL", name] : [name];
  const [command = name, ...rest] = chain;
  const child = spawn(command, [...rest, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let tail = "";
  child.stderr.on("data", (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-TAIL);
  });
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    name,
    output: () => tail,
    ended,
    async stop() {
      if (ended()) return;
      const end = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await end;
    },
  };
}

function onPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program));
      return true;
    } catch {
      return false;
    }
  });
}
