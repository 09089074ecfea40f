import type { IncomingMessage } from "node:http";
import https from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONFIG_MAPS } from "@travelops/kube";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ limits: { watchBacklogBytes: 1_000_000 } });
});
afterAll(() => server.close());

const open = (url: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${server.adminToken}` };
    https.get(`${server.url}${url}`, { ca: server.caData, headers, agent: false }, resolve).on("error", reject);
  });

test("a watcher that takes nothing is cut off; the others see every event", async () => {
  const url = "/api/v1/namespaces/default/configmaps?watch=true";
  const [slow, quick] = await Promise.all([open(url), open(url)]);
  let events = 0;
  quick.on("data", (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) events++;
  });
  const before = events;
  const client = server.client();
  const data = { large: "x".repeat(500_000) };
  const count = 60;
  for (let n = 0; n < count; n++) {
    const metadata = { name: `m${n}`, namespace: "default" };
    await client.create(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata, data });
    // The quick one keeps up, however busy the machine is.
    await expect.poll(() => events - before, { timeout: 20_000, interval: 1 }).toBe(n + 1);
  }
  // What the slow one finds, once it reads, is an end in the middle: it has to list anew.
  let taken = 0;
  const cut = new Promise<void>((resolve) => {
    slow.on("error", () => resolve());
    slow.on("aborted", () => resolve());
  });
  slow.on("data", (chunk: Buffer) => (taken += chunk.length));
  await cut;
  expect(taken).toBeLessThan(count * data.large.length);
  const metrics = await open("/metrics");
  let text = "";
  for await (const chunk of metrics as AsyncIterable<Buffer>) text += chunk.toString();
  expect(text).toContain("apiserver_terminated_watchers_total 1");
  quick.destroy();
}, 60_000);

test("a body above 3 MiB is refused with 413", async () => {
  const code = await new Promise<number>((resolve, reject) => {
    const headers = { authorization: `Bearer ${server.adminToken}`, "content-type": "application/json" };
    const request = https.request(
      `${server.url}/api/v1/namespaces/default/configmaps`,
      { method: "POST", ca: server.caData, headers, agent: false },
      (res) => {
        res.resume();
        resolve(res.statusCode ?? 0);
      },
    );
    request.on("error", reject);
    request.end(Buffer.alloc(3 * 1024 * 1024 + 1, 32));
  });
  expect(code).toBe(413);
});
