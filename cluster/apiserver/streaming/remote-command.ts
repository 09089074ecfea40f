/** exec and attach over a WebSocket: Kubernetes' remote command protocol, v5 and v4. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { StatusError } from "@travelops/kube";
import type { WebSocket } from "ws";
import type { ExecStreams, NodeAccess } from "../api-server.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { acceptSocket, sendTo } from "./accept-socket.ts";
import { InputQueue } from "./input-queue.ts";

export const REMOTE_COMMAND_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"] as const;

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
/** Idle sessions stay open over proxies that forget silent connections. */
const PING_MS = 30_000;

export interface RemoteCommand {
  readonly info: ResourceRequest;
  readonly query: URLSearchParams;
  readonly protocol: string;
  readonly nodes: NodeAccess;
}

/** Serves one session to its end. */
export async function serveRemoteCommand(
  command: RemoteCommand,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const ws = await acceptSocket(req, socket, head, command.protocol);
  const stop = new AbortController();
  const stdin = new InputQueue<Uint8Array>(
    (chunk) => chunk.byteLength,
    (high) => (high ? ws.pause() : ws.resume()),
  );
  const sizes = new InputQueue<{ width: number; height: number }>();
  ws.on("message", (data: Buffer) => onMessage(data, stdin, sizes, command.protocol));
  ws.on("error", () => {});
  ws.on("close", () => {
    stop.abort();
    stdin.end();
    sizes.end();
  });
  const ping = setInterval(() => ws.ping(), PING_MS);
  try {
    const status = await run(command, ws, stdin, sizes, stop.signal);
    await sendTo(ws, framed(CHANNEL.error, Buffer.from(JSON.stringify(status))));
  } finally {
    clearInterval(ping);
    ws.close(1000);
  }
}

async function run(
  { info, query, nodes }: RemoteCommand,
  ws: WebSocket,
  stdin: InputQueue<Uint8Array>,
  sizes: InputQueue<{ width: number; height: number }>,
  signal: AbortSignal,
): Promise<unknown> {
  const flag = (name: string): boolean => ["true", "1", ""].includes(query.get(name) ?? "false");
  const tty = flag("tty");
  const request = {
    namespace: info.namespace,
    pod: info.name,
    container: query.get("container") ?? "",
    tty,
    stdin: flag("stdin"),
  };
  const output =
    (channel: number, wanted: boolean) =>
    (chunk: Uint8Array): void | Promise<void> =>
      wanted ? sendTo(ws, framed(channel, chunk)) : undefined;
  const streams: ExecStreams = {
    stdin,
    stdout: output(CHANNEL.stdout, flag("stdout")),
    stderr: output(CHANNEL.stderr, flag("stderr") && !tty),
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

function onMessage(
  data: Buffer,
  stdin: InputQueue<Uint8Array>,
  sizes: InputQueue<{ width: number; height: number }>,
  protocol: string,
): void {
  const channel = data[0];
  const payload = data.subarray(1);
  if (channel === CHANNEL.stdin && payload.length > 0) stdin.push(payload);
  else if (channel === CHANNEL.close && protocol.startsWith("v5") && payload[0] === CHANNEL.stdin) stdin.end();
  else if (channel === CHANNEL.resize) {
    const size = parseSize(payload);
    if (size !== undefined) sizes.push(size);
  }
}

function parseSize(payload: Buffer): { width: number; height: number } | undefined {
  try {
    const { Width, Height } = JSON.parse(payload.toString("utf8")) as { Width?: unknown; Height?: unknown };
    return typeof Width === "number" && typeof Height === "number" ? { width: Width, height: Height } : undefined;
  } catch {
    return undefined;
  }
}

export function framed(channel: number, data: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(data.byteLength + 1);
  out[0] = channel;
  out.set(data, 1);
  return out;
}
