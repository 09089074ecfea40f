"use strict";
/**
 * One try of each kind of probe: resolves `{ ok, message }` in upstream's words, never rejects. What speaks HTTP is
 * loaded with the first probe that needs it: it is 4 MB, a third of podhost.
 */
const net = require("node:net");
const { run } = require("./commands.cjs");

/** Bodies are read to this size and shown in messages. */
const MAX_BODY = 10 * 1024;
const MAX_REDIRECTS = 10;

function attempt(action, timeoutMs) {
  switch (action.type) {
    case "http":
      return httpGet(action, timeoutMs, 0);
    case "tcp":
      return tcp(action, timeoutMs);
    case "exec":
      return exec(action, timeoutMs);
    case "grpc":
      return grpc(action, timeoutMs);
    default:
      return Promise.resolve({ ok: false, message: `unknown probe type ${action.type}` });
  }
}

const hostPort = (host, port) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);

/** Go's wording of a failed connect, which people and tests know. */
function dialError(error, host, port) {
  const where = `dial tcp ${hostPort(host, port)}`;
  if (error.code === "ECONNREFUSED") return `${where}: connect: connection refused`;
  if (error.code === "EHOSTUNREACH") return `${where}: connect: no route to host`;
  if (error.code === "ENETUNREACH") return `${where}: connect: network is unreachable`;
  if (error.code === "ETIMEDOUT") return `${where}: i/o timeout`;
  if (error.code === "ENOTFOUND") return `dial tcp: lookup ${host}: no such host`;
  if (error.code === "ECONNRESET") return `read tcp ${hostPort(host, port)}: read: connection reset by peer`;
  return `${where}: ${error.message}`;
}

function httpGet(action, timeoutMs, redirects) {
  const { host, port, path, scheme, headers } = action;
  const secure = scheme === "HTTPS";
  const url = `${secure ? "https" : "http"}://${hostPort(host, port)}${path}`;
  const sent = { "user-agent": "kube-probe/1.35", accept: "*/*", connection: "close" };
  for (const { name, value } of headers) sent[name.toLowerCase()] = value;
  if (sent.accept === "") delete sent.accept;
  return new Promise((resolve) => {
    let timer;
    const finish = (answer) => {
      clearTimeout(timer);
      resolve(answer);
      request.destroy();
    };
    const request = require(secure ? "node:https" : "node:http").request(
      { host, port, path, method: "GET", headers: sent, agent: false, rejectUnauthorized: false },
      (response) => {
        const { statusCode } = response;
        const location = response.headers.location;
        if (statusCode >= 300 && statusCode < 400 && location !== undefined) {
          const next = redirectTarget(url, location);
          // Upstream follows on the same host only, and counts another host's redirect as success.
          if (next !== undefined && next.hostname === host.replace(/^\[|\]$/g, "") && redirects < MAX_REDIRECTS) {
            clearTimeout(timer);
            response.destroy();
            resolve(
              httpGet(
                {
                  ...action,
                  scheme: next.protocol === "https:" ? "HTTPS" : "HTTP",
                  port: next.port === "" ? (next.protocol === "https:" ? 443 : 80) : Number(next.port),
                  path: next.pathname + next.search,
                },
                timeoutMs,
                redirects + 1,
              ),
            );
            return;
          }
        }
        response.resume();
        const ok = statusCode >= 200 && statusCode < 400;
        finish({ ok, message: ok ? "" : `HTTP probe failed with statuscode: ${statusCode}` });
      },
    );
    timer = setTimeout(
      () =>
        finish({
          ok: false,
          message: `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
        }),
      timeoutMs,
    );
    request.on("error", (error) => finish({ ok: false, message: `Get "${url}": ${dialError(error, host, port)}` }));
    request.end();
  });
}

function redirectTarget(base, location) {
  try {
    return new URL(location, base);
  } catch {
    return undefined;
  }
}

function tcp({ host, port }, timeoutMs) {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const finish = (answer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(
      () => finish({ ok: false, message: `dial tcp ${hostPort(host, port)}: i/o timeout` }),
      timeoutMs,
    );
    socket.on("connect", () => finish({ ok: true, message: "" }));
    socket.on("error", (error) => finish({ ok: false, message: dialError(error, host, port) }));
  });
}

async function exec({ argv, env, cwd, command }, timeoutMs) {
  const result = await run({ argv, env, cwd, timeoutMs });
  if (result.timedOut)
    return { ok: false, message: `command timed out: "${command.join(" ")}" timed out after ${timeoutMs / 1000}s` };
  const output = (result.stdout + result.stderr).slice(0, MAX_BODY);
  return { ok: result.code === 0, message: result.code === 0 ? "" : output };
}

/** A length as protobuf writes it. */
function varint(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
}

/** grpc.health.v1.Health/Check by hand: the two messages hold one field each. */
function grpc({ host, port, service }, timeoutMs) {
  return new Promise((resolve) => {
    const session = require("node:http2").connect(`http://${hostPort(host, port)}`);
    const finish = (answer) => {
      clearTimeout(timer);
      session.destroy();
      resolve(answer);
    };
    const unreachable = () => ({
      ok: false,
      message: `timeout: failed to connect service "${hostPort(host, port)}" within ${timeoutMs / 1000}s: context deadline exceeded`,
    });
    const timer = setTimeout(() => finish(unreachable()), timeoutMs);
    session.on("error", (error) => finish({ ok: false, message: `error: ${dialError(error, host, port)}` }));
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "kube-probe/1.35",
    });
    const name = Buffer.from(service ?? "");
    const message =
      name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    const chunks = [];
    let status;
    const trailers = (headers) => {
      if (headers["grpc-status"] !== undefined)
        status = { code: String(headers["grpc-status"]), text: String(headers["grpc-message"] ?? "") };
    };
    stream.on("response", trailers);
    stream.on("trailers", trailers);
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("error", (error) => finish({ ok: false, message: `error: health rpc probe failed: ${error.message}` }));
    stream.on("end", () => {
      if (status !== undefined && status.code === "12")
        return finish({
          ok: false,
          message: `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${status.text}`,
        });
      if (status !== undefined && status.code !== "0")
        return finish({
          ok: false,
          message: `error: health rpc probe failed: rpc error: code = ${status.code} desc = ${status.text}`,
        });
      const body = Buffer.concat(chunks);
      const serving = body.length >= 7 && body[5] === 0x08 ? body[6] : 0;
      return finish({
        ok: serving === 1,
        message:
          serving === 1
            ? ""
            : `service unhealthy (responded with "${["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"][serving] ?? serving}")`,
      });
    });
    stream.end(Buffer.concat([prefix, message]));
  });
}

module.exports = { attempt };
