import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fakeClock, systemClock } from "@travelops/kube/api/clock";
import type { Clock } from "@travelops/kube/api/clock";
import { openPki } from "./cluster-pki.ts";
import type { ClusterPki } from "./cluster-pki.ts";

let dir: string;
beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), "travelops-pki-")), "pki");
});
afterEach(() => rmSync(join(dir, ".."), { recursive: true, force: true }));

const open = (clock: Clock = systemClock, more: { serverNames?: string[] } = {}): Promise<ClusterPki> =>
  openPki({ dir, clock, clusterName: "hub", serviceAddress: "10.64.0.1", ...more });

describe("the cluster's certificates", () => {
  it("are made once, for their owner alone, and found again", async () => {
    const first = await open();
    const second = await open();
    expect(second.ca).toBe(first.ca);
    expect(second.serving).toEqual(first.serving);
    expect(second.admin).toEqual(first.admin);
    expect(second.tokenKey.id).toBe(first.tokenKey.id);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(dir)) expect([file, statSync(join(dir, file)).mode & 0o777]).toEqual([file, 0o600]);
  });

  it("let a client and the server verify each other by every name", async () => {
    const pki = await open();
    const server = createServer({ ...pki.serving, ca: pki.ca, requestCert: true, rejectUnauthorized: true });
    server.on("secureConnection", (socket: TLSSocket) =>
      socket.end(socket.getPeerX509Certificate()?.subject ?? "none"),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const names = ["localhost", "kubernetes.default.svc", "10.64.0.1", "web.apps.hub.travelops.localhost"];
    try {
      for (const name of names) {
        const said = await new Promise<string>((resolve, reject) => {
          let text = "";
          const socket = connect({
            host: "127.0.0.1",
            port,
            ca: pki.ca,
            ...pki.admin,
            servername: name.startsWith("10.") ? "" : name,
          });
          socket
            .on("error", reject)
            .on("data", (chunk) => (text += String(chunk)))
            .on("end", () => resolve(text));
        });
        expect(said).toBe("CN=kubernetes-admin\nO=system:masters");
      }
    } finally {
      server.close();
    }
  });

  it("hold under openssl's eyes", async () => {
    const pki = await open();
    const client = await pki.issueClient("system:node:one", ["system:nodes", "more"]);
    writeFileSync(join(dir, "client.crt"), client.cert);
    for (const [file, purpose] of [
      ["serving", "sslserver"],
      ["client", "sslclient"],
    ] as const) {
      const out = execFileSync("openssl", [
        "verify",
        "-x509_strict",
        "-purpose",
        purpose,
        "-CAfile",
        join(dir, "ca.crt"),
        join(dir, `${file}.crt`),
      ]);
      expect(String(out)).toContain("OK");
    }
    expect(new X509Certificate(client.cert).subject).toBe("CN=system:node:one\nO=system:nodes\nO=more");
  });

  it("are renewed before they end, and for a new name, under the same CA", async () => {
    const clock = fakeClock(Date.now());
    const first = await open(clock);
    clock.advance(200 * 86_400_000);
    expect((await open(clock)).serving.cert).toBe(first.serving.cert);
    clock.advance(120 * 86_400_000);
    const renewed = await open(clock);
    expect(renewed.ca).toBe(first.ca);
    expect(renewed.serving.cert).not.toBe(first.serving.cert);
    expect(renewed.admin.cert).not.toBe(first.admin.cert);
    const named = await open(clock, { serverNames: ["elsewhere.example"] });
    expect(new X509Certificate(named.serving.cert).checkHost("elsewhere.example")).toBe("elsewhere.example");
  });

  it("that are damaged are made anew, but never silently the CA", async () => {
    const first = await open();
    writeFileSync(join(dir, "serving.crt"), "garbage");
    rmSync(join(dir, "admin.key"));
    const second = await open();
    expect(second.ca).toBe(first.ca);
    expect(new X509Certificate(second.serving.cert).checkHost("localhost")).toBe("localhost");
    rmSync(join(dir, "ca.key"));
    await expect(open()).rejects.toThrow(/CA in .*ca\.crt and .*ca\.key is damaged: put both files back/);
  });
});
