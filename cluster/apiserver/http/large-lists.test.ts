import type { IncomingMessage } from "node:http";
import https from "node:https";
import { createGunzip } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONFIG_MAPS } from "@travelops/kube";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";

const COUNT = 12;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  const client = server.client();
  for (let n = 0; n < COUNT; n++) {
    const metadata = { name: `large-${n}`, namespace: "default" };
    // Random text: it must not compress to next to nothing.
    const data = { value: Array.from({ length: 90_000 }, () => Math.random().toString(36).slice(2, 12)).join("") };
    await client.create(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata, data });
  }
});
afterAll(() => server.close());

const open = (headers: Record<string, string>): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const all = { authorization: `Bearer ${server.adminToken}`, ...headers };
    https
      .get(
        `${server.url}/api/v1/namespaces/default/configmaps`,
        { ca: server.caData, headers: all, agent: false },
        resolve,
      )
      .on("error", reject);
  });

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test("a list of many megabytes is the same compressed and plain", async () => {
  const plain = await open({});
  const text = await textOf(plain);
  expect(text.length).toBeGreaterThan(8 * 1024 * 1024);
  expect(Number(plain.headers["content-length"])).toBe(Buffer.byteLength(text));
  const zipped = await open({ "accept-encoding": "gzip" });
  expect(zipped.headers["content-encoding"]).toBe("gzip");
  expect(zipped.headers["vary"]).toBe("Accept-Encoding");
  expect((await textOf(zipped.pipe(createGunzip()))) === text).toBe(true);
});

test("a client that leaves in the middle of a compressed list leaves the server well", async () => {
  const zipped = await open({ "accept-encoding": "gzip" });
  await new Promise((resolve) => zipped.once("data", resolve));
  zipped.on("error", () => undefined).destroy();
  const again = await open({ "accept-encoding": "gzip" });
  const { items } = JSON.parse(await textOf(again.pipe(createGunzip()))) as { items: unknown[] };
  expect(items).toHaveLength(COUNT);
});
