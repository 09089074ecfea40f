import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import {
  answerWith,
  startWebhookServer,
  type WebhookServer,
  type WebhookServerOptions,
} from "../testing/webhook-server.ts";
import { createWebhookClient, type WebhookClient, type WebhookClientOptions } from "./webhook-client.ts";
import { webhookTarget } from "./webhook-target.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function server(options: Partial<WebhookServerOptions> = {}): Promise<WebhookServer> {
  const started = await startWebhookServer({ answer: (body) => ({ echo: body }), ...options });
  open.push(started);
  return started;
}

function client(options: Partial<WebhookClientOptions> = {}): WebhookClient {
  const made = createWebhookClient({ service: () => undefined, dial: () => undefined, ...options });
  open.push(made);
  return made;
}

const call = { timeoutSeconds: 10 };

describe("a call by URL", () => {
  it("posts JSON, says how long it waits, and keeps the connection", async () => {
    const hook = await server();
    const webhooks = client();
    const target = webhookTarget({ url: `${hook.url}/a/b`, caBundle: hook.caBundle });
    expect(await webhooks.post(target, { n: 1 }, call)).toEqual({ echo: { n: 1 } });
    expect(await webhooks.post(target, { n: 2 }, { timeoutSeconds: 30 })).toEqual({ echo: { n: 2 } });
    expect(hook.calls.map(({ path }) => path)).toEqual(["/a/b?timeout=10s", "/a/b?timeout=30s"]);
    expect(hook.connections()).toBe(1);
  });

  it("trusts only the CA it was given", async () => {
    const hook = await server();
    const other = await server();
    await expect(
      client().post(webhookTarget({ url: hook.url, caBundle: other.caBundle }), {}, call),
    ).rejects.toMatchObject({
      fault: "connection",
      message: `Post "${hook.url}/?timeout=10s": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
    });
    await expect(client().post(webhookTarget({ url: hook.url }), {}, call)).rejects.toThrow("unknown authority");
    expect(hook.calls).toEqual([]);
  });

  it("tells of a refused connection, an answer that is no success, and one that is no JSON", async () => {
    const gone = await server();
    await gone.close();
    await expect(client().post(webhookTarget({ url: gone.url }), {}, call)).rejects.toThrow(
      `Post "${gone.url}/?timeout=10s": dial tcp 127.0.0.1:${gone.port}: connect: connection refused`,
    );
    const broken = await server({ answer: () => answerWith(500, "boom") });
    await expect(
      client().post(webhookTarget({ url: broken.url, caBundle: broken.caBundle }), {}, call),
    ).rejects.toMatchObject({
      fault: "status",
      message: 'an error on the server ("boom") has prevented the request from succeeding',
    });
    const chatty = await server({ answer: () => answerWith(200, "hello") });
    await expect(
      client().post(webhookTarget({ url: chatty.url, caBundle: chatty.caBundle }), {}, call),
    ).rejects.toMatchObject({
      fault: "answer",
      message: expect.stringContaining("json parse error: json: cannot unmarshal string into Go value") as unknown,
    });
  });

  it("gives up when the time is over, or when it is told to", async () => {
    const silent = await server({ answer: () => new Promise(() => {}) });
    const target = webhookTarget({ url: silent.url, caBundle: silent.caBundle });
    await expect(client().post(target, {}, { timeoutSeconds: 0.2 })).rejects.toMatchObject({
      fault: "timeout",
      message: expect.stringMatching(/^Post ".*": context deadline exceeded$/) as unknown,
    });
    const stop = new AbortController();
    const waiting = client().post(target, {}, { timeoutSeconds: 30, signal: stop.signal });
    stop.abort(new Error("the sender has gone"));
    await expect(waiting).rejects.toThrow("the sender has gone");
  });
});

describe("a call by Service", () => {
  const clientConfig = (hook: WebhookServer): unknown => ({
    service: { namespace: "ns", name: "hook", path: "convert", port: 8443 },
    caBundle: hook.caBundle,
  });
  const service = { spec: { type: "ClusterIP", clusterIP: "10.64.3.4", ports: [{ port: 8443 }] } };

  it("dials the Service's address and asks for the certificate of its name", async () => {
    const hook = await server({ names: ["hook.ns.svc"] });
    const dialled: unknown[] = [];
    const webhooks = client({
      service: (...asked) => (dialled.push(asked), service),
      dial: () => (host, port) => {
        dialled.push([host, port]);
        return Promise.resolve(connect(hook.port, "127.0.0.1"));
      },
    });
    expect(await webhooks.post(webhookTarget(clientConfig(hook)), { n: 1 }, call)).toEqual({ echo: { n: 1 } });
    expect(await webhooks.post(webhookTarget(clientConfig(hook)), { n: 2 }, call)).toEqual({ echo: { n: 2 } });
    expect(dialled).toEqual([
      ["ns", "hook"],
      ["10.64.3.4", 8443],
    ]);
    expect(hook.calls[0]?.path).toBe("/convert?timeout=10s");
  });

  it("refuses a certificate of another name", async () => {
    const hook = await server();
    const webhooks = client({
      service: () => service,
      dial: () => () => Promise.resolve(connect(hook.port, "127.0.0.1")),
    });
    await expect(webhooks.post(webhookTarget(clientConfig(hook)), {}, call)).rejects.toThrow(
      /^Post "https:\/\/hook\.ns\.svc:8443\/convert\?timeout=10s": tls: failed to verify certificate: x509: certificate is valid for .*, not hook\.ns\.svc$/,
    );
  });

  it.each([
    [undefined, 'service "hook" not found'],
    [{ spec: { clusterIP: "10.64.3.4", ports: [{ port: 1 }] } }, 'no service port 8443 found for service "hook"'],
    [{ spec: { clusterIP: "None", ports: [{ port: 8443 }] } }, 'cannot route to service with ClusterIP "None"'],
    [service, "dial tcp 10.64.3.4:8443: connect: connection refused"],
  ])("says why it cannot be reached: %#", async (found, message) => {
    const hook = await server();
    await expect(client({ service: () => found }).post(webhookTarget(clientConfig(hook)), {}, call)).rejects.toThrow(
      `Post "https://hook.ns.svc:8443/convert?timeout=10s": ${message}`,
    );
  });
});
