/** exec and attach over a WebSocket: Kubernetes' remote command protocol, v5 and v4. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { acceptSocket, sendTo } from "./accept-socket.ts";
import { InputQueue } from "./input-queue.ts";
import { parseSize, runCommand, type RemoteCommand, type TerminalSize } from "./run-command.ts";

export const REMOTE_COMMAND_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"] as const;

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
/** Idle sessions stay open over proxies that forget silent connections. */
const PING_MS = 30_000;

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
  const sizes = new InputQueue<TerminalSize>();
  ws.on("message", (data: Buffer) => onMessage(data, stdin, sizes, command.protocol));
  ws.on("error", () => {});
  ws.on("close", () => {
    stop.abort();
    stdin.end();
    sizes.end();
  });
  const ping = setInterval(() => ws.ping(), PING_MS);
  try {
    const status = await runCommand(command, {
      stdin,
      sizes,
      output: (kind, chunk) => sendTo(ws, framed(CHANNEL[kind], chunk)),
      signal: stop.signal,
    });
    await sendTo(ws, framed(CHANNEL.error, Buffer.from(JSON.stringify(status))));
  } finally {
    clearInterval(ping);
    ws.close(1000);
  }
}

function onMessage(
  data: Buffer,
  stdin: InputQueue<Uint8Array>,
  sizes: InputQueue<TerminalSize>,
  protocol: string,
): void {
  const channel = data[0];
  const payload = data.subarray(1);
  if (channel === CHANNEL.stdin && payload.length > 0) stdin.push(payload);
  else if (channel === CHANNEL.close && protocol.startsWith("v5") && payload[0] === CHANNEL.stdin) stdin.end();
  else if (channel === CHANNEL.resize) {
    const size = parseSize(payload.toString("utf8"));
    if (size !== undefined) sizes.push(size);
  }
}

export function framed(channel: number, data: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(data.byteLength + 1);
  out[0] = channel;
  out.set(data, 1);
  return out;
}
