import net from "node:net";
import tls from "node:tls";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { serverNameOf } from "./client-hello.ts";

/** The first bytes that a real client sends. */
function hello(servername: string | undefined): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.once("data", (data: Buffer) => {
        socket.destroy();
        server.close();
        resolve(data);
      });
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      tls
        .connect({ port, host: "127.0.0.1", ...(servername === undefined ? {} : { servername }) })
        .on("error", () => {});
    });
  });
}

describe("the server name of a ClientHello", () => {
  it("is read from what a client sends, however it is cut", async () => {
    const bytes = await hello("Pass.example");
    expect(serverNameOf(bytes)).toEqual({ kind: "name", name: "pass.example" });
    for (let i = 0; i < bytes.length; i += 7) expect(serverNameOf(bytes.subarray(0, i)).kind).toBe("need-more");
    expect(serverNameOf(await hello(undefined))).toEqual({ kind: "none" });
  });

  it("is none for anything else, and nothing breaks it", async () => {
    const bytes = await hello("a.example");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 200 }), (noise, at) => {
        serverNameOf(Buffer.from(noise));
        const damaged = Buffer.from(bytes);
        damaged.set(noise, Math.min(at, damaged.length - noise.length));
        serverNameOf(damaged);
      }),
    );
    expect(serverNameOf(Buffer.from("GET / HTTP/1.1\r\n"))).toEqual({ kind: "none" });
  });
});
