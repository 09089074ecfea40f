/** Requests as any HTTP client makes them: what goes out and comes back is seen as it is. */
import { readFileSync } from "node:fs";
import https from "node:https";
import type { ApiUnderTest } from "../api-under-test.ts";

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly bytes: Buffer;
}

export interface Listed {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: {
    readonly name?: string;
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: readonly Listed[];
}

export interface Refused {
  readonly reason?: string;
  readonly message: string;
  readonly details?: object;
}

export type Ask = (
  method: string,
  path: string,
  headers?: Record<string, string>,
  body?: object | string,
) => Promise<Answer>;

interface Kubeconfig {
  readonly clusters: [{ readonly cluster: { readonly server: string; readonly "certificate-authority-data": string } }];
  readonly users: [{ readonly user: { readonly token: string } }];
}

export const jsonOf = <T>({ bytes }: Answer): T => JSON.parse(bytes.toString("utf8")) as T;

/** Acts as cluster-admin. */
export function wireClient(api: ApiUnderTest): Ask {
  const config = JSON.parse(readFileSync(api.kubeconfig, "utf8")) as Kubeconfig;
  const { cluster } = config.clusters[0];
  const ca = Buffer.from(cluster["certificate-authority-data"], "base64");
  return (method, path, headers = {}, body) =>
    new Promise((resolve, reject) => {
      const text = typeof body === "object" ? JSON.stringify(body) : body;
      const request = https.request(
        `${cluster.server}${path}`,
        {
          method,
          ca,
          headers: {
            authorization: `Bearer ${config.users[0].user.token}`,
            ...(text === undefined
              ? {}
              : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
            ...headers,
          },
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on("data", (part: Buffer) => parts.push(part));
          response.on("error", reject);
          response.on("end", () =>
            resolve({ code: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(parts) }),
          );
        },
      );
      request.on("error", reject);
      request.end(text);
    });
}
