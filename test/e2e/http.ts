/** HTTP as curl speaks it: names below `localhost` are this machine, whatever the resolver thinks. */
import { request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export function ask(url: string, { method = "GET", headers = {}, body }: Ask = {}): Promise<Answer> {
  const { host, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", port, path: `${pathname}${search}`, method, headers: { host, ...headers }, timeout: 20_000 },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.on("error", reject);
      },
    );
    sent.on("timeout", () => sent.destroy(new Error(`no answer from ${url}`)));
    sent.on("error", reject);
    sent.end(body);
  });
}

export async function askJson<T>(url: string, options: Ask = {}): Promise<T> {
  const { status, body } = await ask(url, options);
  if (status !== 200) throw new Error(`${url}: ${status} ${body}`);
  return JSON.parse(body) as T;
}
