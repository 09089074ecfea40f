/** Runs one exec or attach session, whatever carries its streams, and says how it ended. */
import { StatusError } from "@travelops/kube";
import type { ExecStreams, NodeAccess } from "../api-server.ts";
import type { ResourceRequest } from "../request/request-info.ts";

export interface RemoteCommand {
  readonly info: ResourceRequest;
  readonly query: URLSearchParams;
  readonly protocol: string;
  readonly nodes: NodeAccess;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** The streams of a session. */
export interface CommandStreams {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly sizes: AsyncIterable<TerminalSize>;
  output(kind: "stdout" | "stderr", chunk: Uint8Array): void | Promise<void>;
  readonly signal: AbortSignal;
}

/** Whether a query's flag is set. */
export const flagOf = (query: URLSearchParams, name: string): boolean =>
  ["true", "1", ""].includes(query.get(name) ?? "false");

/** Resolves with the Status that goes to the client; never rejects. */
export async function runCommand(
  { info, query, nodes }: RemoteCommand,
  { stdin, sizes, output, signal }: CommandStreams,
): Promise<unknown> {
  const tty = flagOf(query, "tty");
  const request = {
    namespace: info.namespace,
    pod: info.name,
    container: query.get("container") ?? "",
    tty,
    stdin: flagOf(query, "stdin"),
  };
  const to =
    (kind: "stdout" | "stderr", wanted: boolean) =>
    (chunk: Uint8Array): void | Promise<void> =>
      wanted ? output(kind, chunk) : undefined;
  const streams: ExecStreams = {
    stdin,
    stdout: to("stdout", flagOf(query, "stdout")),
    stderr: to("stderr", flagOf(query, "stderr") && !tty),
    ...(tty ? { resize: sizes } : {}),
  };
  try {
    if (info.subresource === "attach") {
      await nodes.attach(request, streams, signal);
      return { metadata: {}, status: "Success" };
    }
    return exitStatus(await nodes.exec({ ...request, command: query.getAll("command") }, streams, signal));
  } catch (error) {
    if (error instanceof StatusError) return error.status;
    const message = `error executing command in container: ${error instanceof Error ? error.message : String(error)}`;
    return { metadata: {}, status: "Failure", message, reason: "InternalError", code: 500 };
  }
}

/** How a command's exit code is told: upstream's NonZeroExitCode. */
function exitStatus(code: number): unknown {
  if (code === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  };
}

/** `{"Width":80,"Height":24}`; undefined for anything else. */
export function parseSize(payload: string): TerminalSize | undefined {
  try {
    const { Width, Height } = JSON.parse(payload) as { Width?: unknown; Height?: unknown };
    return typeof Width === "number" && typeof Height === "number" ? { width: Width, height: Height } : undefined;
  } catch {
    return undefined;
  }
}
