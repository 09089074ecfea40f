/** A test's program in the pods' network: serves and calls on request over IPC. */
import dgram from "node:dgram";
import dns from "node:dns";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";

type Command =
  | {
      id: number;
      do: "http" | "h2c" | "echo" | "https";
      ip: string;
      port: number;
      name: string;
      cert?: string;
      key?: string;
    }
  | { id: number; do: "udp"; ip: string; port: number }
  | { id: number; do: "get"; url: string; path?: string; from: string; headers?: Record<string, string> }
  | { id: number; do: "tcp"; ip: string; port: number; from: string; data: string }
  | { id: number; do: "dns"; server: string; name: string; type: string }
  | { id: number; do: "stop"; ip: string; port: number };

const servers = new Map<string, { close(): unknown }>();

const about = (name: string, req: { url?: string; headers: object; socket: { remoteAddress?: string } }): string =>
  JSON.stringify({ name, url: req.url, headers: req.headers, from: req.socket.remoteAddress });

function serve(command: Extract<Command, { do: "http" | "h2c" | "echo" | "https" }>): net.Server {
  const { name } = command;
  switch (command.do) {
    case "http":
    case "https": {
      const handler: http.RequestListener = (req, res) => {
        let size = 0;
        req.on("data", (chunk: Buffer) => (size += chunk.length));
        req.on("end", () => res.setHeader("x-body-size", size).end(about(name, req)));
      };
      const server =
        command.do === "http"
          ? http.createServer(handler)
          : https.createServer({ cert: command.cert, key: command.key }, handler);
      server.on("upgrade", (_req, socket) => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: test\r\n\r\n");
        socket.pipe(socket);
      });
      return server;
    }
    case "h2c":
      return http2.createServer((req, res) => {
        req.resume();
        req.on("end", () => {
          res.addTrailers({ "grpc-status": "0" });
          res.writeHead(200, { "content-type": "application/grpc" });
          res.end(about(name, req));
        });
      });
    case "echo":
      return net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.on("error", () => {});
        socket.write(`${name}|${socket.remoteAddress ?? ""}|`);
        socket.pipe(socket);
      });
  }
}

async function run(command: Command): Promise<unknown> {
  switch (command.do) {
    case "get":
      return new Promise((resolve, reject) => {
        const client = command.url.startsWith("https:") ? https : http;
        client
          .get(
            command.url,
            {
              localAddress: command.from,
              headers: command.headers,
              agent: false,
              rejectUnauthorized: false,
              ...(command.path === undefined ? {} : { path: command.path }),
            },
            (res) => {
              let body = "";
              res.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
              res.on("end", () => resolve({ status: res.statusCode, body, headers: res.headers }));
            },
          )
          .on("error", reject);
      });
    case "tcp":
      return new Promise((resolve, reject) => {
        let got = "";
        const socket = net.connect({ host: command.ip, port: command.port, localAddress: command.from }, () =>
          socket.end(command.data),
        );
        socket.setEncoding("utf8").on("data", (chunk: string) => (got += chunk));
        socket.on("end", () => resolve(got));
        socket.on("error", reject);
      });
    case "dns": {
      const resolver = new dns.promises.Resolver({ timeout: 2000, tries: 1 });
      resolver.setServers([command.server]);
      return resolver.resolve(command.name, command.type);
    }
    case "udp": {
      const socket = dgram.createSocket("udp4");
      servers.set(`${command.ip}:${command.port}`, socket);
      socket.on("message", (message, peer) => socket.send(message, peer.port, peer.address));
      await new Promise<void>((resolve) => socket.bind(command.port, command.ip, resolve));
      return undefined;
    }
    case "stop":
      servers.get(`${command.ip}:${command.port}`)?.close();
      return undefined;
    default: {
      const server = serve(command);
      servers.set(`${command.ip}:${command.port}`, server);
      await new Promise<void>((resolve, reject) =>
        server.once("error", reject).listen(command.port, command.ip, resolve),
      );
      return undefined;
    }
  }
}

process.on("message", (command: Command) => {
  run(command).then(
    (result) => process.send?.({ id: command.id, result }),
    (error: NodeJS.ErrnoException) => process.send?.({ id: command.id, error: error.code ?? error.message }),
  );
});
process.on("disconnect", () => process.exit(0));
