/** exec, attach and port-forward over plain SPDY/3.1, as clients before Kubernetes 1.30 ask for it. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { forwardOver } from "./port-forward.ts";
import { flagOf, parseSize, runCommand, type RemoteCommand, type TerminalSize } from "./run-command.ts";
import { SpdySession, type SpdyStream } from "./spdy-session.ts";

const REMOTE_COMMAND = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];
const PORT_FORWARD = ["portforward.k8s.io"];
const HEADER = "x-stream-protocol-version";
/** How long a client may take to open the streams it asked for, as upstream has it. */
const STREAMS_MS = 30_000;
const PROTOCOL_V1 = "channel.k8s.io";

export const isSpdy = (req: IncomingMessage): boolean => /^spdy\/3\.1$/i.test(req.headers.upgrade ?? "");

/** Takes the connection over; undefined where no offered protocol is spoken, with the ones that are. */
export function spdyProtocol(
  req: IncomingMessage,
  subresource: string,
): { readonly protocol: string | undefined; readonly speaks: readonly string[] } {
  const speaks = subresource === "portforward" ? PORT_FORWARD : REMOTE_COMMAND;
  const offered = [req.headers[HEADER] ?? []].flat().flatMap((line) => line.split(",").map((one) => one.trim()));
  // Who offers nothing speaks the first version.
  if (offered.length === 0 && subresource !== "portforward") return { protocol: PROTOCOL_V1, speaks };
  return { protocol: offered.find((one) => speaks.includes(one)), speaks };
}

/** Serves one session to its end. */
export async function serveSpdy(command: RemoteCommand, socket: Duplex, head: Buffer): Promise<void> {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${command.protocol}\r\n\r\n`,
  );
  const wire = {
    send: (bytes: Buffer) => sendBytes(socket, bytes),
    close: () => void socket.end(),
  };
  if (command.info.subresource === "portforward") return carry(forwardOver(command, wire), socket, head);
  const streams = new Map<string, SpdyStream>();
  let complete = (): void => {};
  const opened = new Promise<void>((resolve) => (complete = resolve));
  const expected = expectedStreams(command);
  const session = new SpdySession(wire, (stream) => {
    const type = stream.headers.get("streamtype") ?? "";
    if (!expected.includes(type) || streams.has(type)) return void stream.destroy();
    streams.set(type, stream);
    if (streams.size === expected.length) complete();
  });
  const ended = carry(session, socket, head);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), STREAMS_MS)));
  const ready = await Promise.race([opened.then(() => true), ended.then(() => false), late]);
  clearTimeout(timer);
  if (ready) await serveCommand(command, streams, ended);
  session.close();
  await ended;
}

function expectedStreams({ query, protocol }: RemoteCommand): string[] {
  const tty = flagOf(query, "tty");
  return [
    "error",
    ...["stdin", "stdout"].filter((name) => flagOf(query, name)),
    ...(flagOf(query, "stderr") && !tty ? ["stderr"] : []),
    ...(tty && (protocol.startsWith("v3") || protocol.startsWith("v4")) ? ["resize"] : []),
  ];
}

/** Feeds the session; resolves when the connection is over. */
function carry(session: SpdySession, socket: Duplex, head: Buffer): Promise<void> {
  const feed = (bytes: Buffer): void => {
    socket.pause();
    void session.receive(bytes).finally(() => socket.resume());
  };
  if (head.length > 0) feed(head);
  socket.on("data", feed);
  socket.on("error", () => {});
  return new Promise((resolve) => {
    const over = (): void => {
      session.close();
      resolve();
    };
    socket.once("end", over);
    socket.once("close", over);
  });
}

async function serveCommand(
  command: RemoteCommand,
  streams: ReadonlyMap<string, SpdyStream>,
  ended: Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  void ended.then(() => stop.abort());
  const status = await runCommand(command, {
    stdin: streams.get("stdin") ?? nothing(),
    sizes: sizesFrom(streams.get("resize")),
    output: (kind, chunk) => written(streams.get(kind), chunk),
    signal: stop.signal,
  });
  if (stop.signal.aborted) return;
  // What the command said goes out before the word on how it ended.
  await Promise.all(["stdout", "stderr"].map((kind) => finished(streams.get(kind))));
  await finished(streams.get("error"), verdict(status, command.protocol));
}

/** From version 4 on a Status; before that, words, and none for success. */
function verdict(status: unknown, protocol: string): string {
  if (protocol.startsWith("v4")) return JSON.stringify(status);
  const { status: outcome, message } = status as { readonly status?: string; readonly message?: string };
  return outcome === "Success" ? "" : (message ?? "");
}

async function* nothing(): AsyncGenerator<never> {}

async function* sizesFrom(stream: SpdyStream | undefined): AsyncGenerator<TerminalSize> {
  if (stream === undefined) return;
  let rest = "";
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest += chunk.toString("utf8");
    for (let end = rest.indexOf("}"); end >= 0; end = rest.indexOf("}")) {
      const size = parseSize(rest.slice(0, end + 1));
      rest = rest.slice(end + 1);
      if (size !== undefined) yield size;
    }
  }
}

function written(stream: SpdyStream | undefined, chunk: Uint8Array): Promise<void> {
  if (stream === undefined || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => stream.write(Buffer.from(chunk), () => resolve()));
}

function finished(stream: SpdyStream | undefined, last = ""): Promise<void> {
  if (stream === undefined || stream.destroyed) return Promise.resolve();
  return new Promise((resolve) => stream.end(last, () => resolve()));
}

function sendBytes(socket: Duplex, bytes: Buffer): Promise<void> {
  if (socket.destroyed || socket.writableEnded) return Promise.resolve();
  if (socket.write(bytes)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      socket.removeListener("drain", done);
      socket.removeListener("close", done);
      resolve();
    };
    socket.once("drain", done);
    socket.once("close", done);
  });
}
