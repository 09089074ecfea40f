/** Another server's answer, for clients inside the process, which take values instead of bytes. */
import { StatusError, type Status, type WatchFrame } from "@travelops/kube";
import type { Reply } from "../request/reply.ts";

type Proxied = Extract<Reply, { kind: "proxied" }>;

async function textOf({ chunks }: Proxied): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString("utf8");
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
};

function failure(code: number, body: unknown): StatusError {
  const status = body as Partial<Status> | null;
  if (typeof status === "object" && status?.kind === "Status") return StatusError.from(status as Status);
  return new StatusError(
    code,
    "InternalError",
    typeof body === "string" ? body.trim() : `the answer's code is ${code}`,
  );
}

/** Rejects with the backend's `StatusError`. */
export async function proxiedValue(reply: Proxied): Promise<{ code: number; body: unknown }> {
  const body = parsed(await textOf(reply));
  if (reply.code >= 400) throw failure(reply.code, body);
  return { code: reply.code, body };
}

/** A watch's events, a line each. */
export async function* proxiedFrames(reply: Proxied): AsyncGenerator<WatchFrame> {
  if (reply.code >= 400) throw failure(reply.code, parsed(await textOf(reply)));
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of reply.chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as WatchFrame;
  }
}
