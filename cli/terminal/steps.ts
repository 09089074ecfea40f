/**
 * Narration on stderr: a step is told when it starts and replaced by its outcome with the duration.
 * Not a terminal, CI or TERM=dumb: one plain line an outcome. `-o json`: one event a line on stdout.
 */
import pc from "picocolors";

export interface Terminal {
  readonly interactive: boolean;
  readonly color: boolean;
  /** Width of a line; what is longer would wrap and could not be taken back. */
  readonly columns: number;
  write(text: string): void;
}

export interface Steps {
  /** Runs `work` as a named step. `work` may change what is shown while it runs. */
  run<T>(
    name: string,
    work: (update: (detail: string) => void) => Promise<T>,
    summary?: (result: T) => string,
  ): Promise<T>;
}

export function terminalOf(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Terminal {
  const interactive = Boolean(stream.isTTY) && !env["CI"] && env["TERM"] !== "dumb";
  const color = env["NO_COLOR"] ? false : env["FORCE_COLOR"] ? true : interactive;
  return { interactive, color, columns: stream.columns ?? 80, write: (text) => void stream.write(text) };
}

export const duration = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

export function textSteps(terminal: Terminal, now: () => number): Steps {
  const paint = pc.createColors(terminal.color);
  const clear = terminal.interactive ? "\r\x1b[2K" : "";
  return {
    async run(name, work, summary) {
      const started = now();
      const show = (detail: string): void => {
        if (!terminal.interactive) return;
        const room = terminal.columns - name.length - 6;
        const shown = detail.length > room ? `${detail.slice(0, Math.max(0, room - 1))}…` : detail;
        terminal.write(`${clear}  ${paint.cyan("…")} ${name}${shown === "" ? "" : paint.dim(` ${shown}`)}`);
      };
      show("");
      try {
        const result = await work(show);
        const more = summary?.(result) ?? "";
        terminal.write(
          `${clear}  ${paint.green("✓")} ${name}${more === "" ? "" : `: ${more}`} ${paint.dim(`(${duration(now() - started)})`)}\n`,
        );
        return result;
      } catch (error) {
        terminal.write(`${clear}  ${paint.red("✗")} ${name} ${paint.dim(`(${duration(now() - started)})`)}\n`);
        throw error;
      }
    },
  };
}

/** The same as events, for programs. */
export function jsonSteps(write: (line: string) => void, now: () => number): Steps {
  return {
    async run(name, work, summary) {
      const started = now();
      write(JSON.stringify({ step: name, state: "started" }));
      try {
        const result = await work(() => undefined);
        const detail = summary?.(result) ?? "";
        write(
          JSON.stringify({
            step: name,
            state: "done",
            durationMs: Math.round(now() - started),
            ...(detail === "" ? {} : { detail }),
          }),
        );
        return result;
      } catch (error) {
        write(JSON.stringify({ step: name, state: "failed", durationMs: Math.round(now() - started) }));
        throw error;
      }
    },
  };
}
