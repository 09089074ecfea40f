/** What a request is passed on to, and how its connection is made. */
import type { Duplex } from "node:stream";

export interface Backend {
  /** Opens a connection, TLS included. Rejects where nobody answers. */
  connect(signal: AbortSignal): Promise<Duplex>;
  /** For the `Host` header. */
  readonly host: string;
  /** Path and query, as they go out. */
  readonly path: string;
  /** Headers that are set, whatever the client sent under these names. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Where the client sees the backend's root; redirects and links are moved below it. Undefined: at the same paths. */
  readonly mountedAt?: string;
}

/** TLS of a backend. */
export interface BackendTls {
  readonly servername: string;
  /** PEM; undefined: whoever answers is believed. */
  readonly ca?: string;
  /** Shown to the backend: PEM. */
  readonly client?: { readonly cert: string; readonly key: string };
  /** With an authority, the name in the certificate must be `servername`. */
  readonly verify: boolean;
}

/** TLS over a connection that stands. */
export async function secured(socket: Duplex, { servername, ca, client, verify }: BackendTls): Promise<Duplex> {
  const { connect } = await import("node:tls");
  return new Promise((resolve, reject) => {
    const tls = connect({
      socket,
      ...(/^[\d.]+$|:/.test(servername) ? { host: servername } : { servername }),
      rejectUnauthorized: verify,
      ALPNProtocols: ["http/1.1"],
      ...(ca === undefined ? {} : { ca }),
      ...(client === undefined ? {} : { cert: client.cert, key: client.key }),
    });
    const failed = (error: Error): void => {
      tls.destroy();
      reject(error);
    };
    tls.once("error", failed);
    tls.once("secureConnect", () => {
      tls.removeListener("error", failed);
      resolve(tls);
    });
  });
}
