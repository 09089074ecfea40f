/** A webhook for tests: HTTPS on a free port of 127.0.0.1, with a certificate of a CA of its own. */
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@travelops/kube/api/clock";
import { openPki } from "../pki/cluster-pki.ts";

export interface WebhookCall {
  readonly path: string;
  readonly body: unknown;
}

export interface WebhookServer {
  readonly url: string;
  readonly port: number;
  /** Base64 of the CA's PEM, as `clientConfig.caBundle` has it. */
  readonly caBundle: string;
  /** PEM. */
  readonly ca: string;
  readonly calls: readonly WebhookCall[];
  /** Connections made so far. */
  readonly connections: () => number;
  close(): Promise<void>;
}

export interface WebhookServerOptions {
  /** Names in the certificate, beside localhost and 127.0.0.1. */
  readonly names?: readonly string[];
  /** The answer; a `{ code, text }` made by `answerWith` is sent as it is. */
  answer(body: unknown, path: string): unknown;
}

class Raw {
  readonly code: number;
  readonly text: string;
  constructor(code: number, text: string) {
    this.code = code;
    this.text = text;
  }
}

/** An answer that is no review. */
export const answerWith = (code: number, text: string): unknown => new Raw(code, text);

export async function startWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  const dir = mkdtempSync(join(tmpdir(), "travelops-webhook-"));
  const pki = await openPki({ dir, clock: systemClock, clusterName: "webhook", serviceAddress: "10.64.0.1" });
  const { cert, key } = await pki.issueServer("webhook", ["localhost", "127.0.0.1", ...(options.names ?? [])]);
  rmSync(dir, { recursive: true, force: true });
  const calls: WebhookCall[] = [];
  let connections = 0;
  const server = createServer({ cert, key }, (req, res) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
      const path = req.url ?? "";
      const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
      calls.push({ path, body });
      const answer = await options.answer(body, path);
      res.setHeader("content-type", answer instanceof Raw ? "text/plain" : "application/json");
      if (answer instanceof Raw) res.statusCode = answer.code;
      res.end(answer instanceof Raw ? answer.text : JSON.stringify(answer));
    })().catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined));
  });
  server.on("secureConnection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    port,
    caBundle: Buffer.from(pki.ca).toString("base64"),
    ca: pki.ca,
    calls,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
