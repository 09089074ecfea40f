import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressBytes } from "./address-bytes.ts";
import { createAuthority, issueCertificate } from "./certificate-authority.ts";

const NOW = Date.now();
const validity = (days: number) => ({ from: new Date(NOW - 3_600_000), to: new Date(NOW + days * 86_400_000) });
const authority = createAuthority("travelops-hub", validity(3650));

describe("a certificate", () => {
  it("carries any name a user or group may have", () => {
    const text = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 300 })
      .filter((name) => !/[\\\n+,"<>;=#\0]/.test(name) && name.trim() === name);
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 4 }), (user, groups) => {
        const made = issueCertificate(authority, { use: "client", user, groups }, validity(1));
        const { subject } = new X509Certificate(made.cert).toLegacyObject();
        expect(subject.CN).toBe(user);
        expect([subject.O ?? []].flat()).toEqual(groups);
      }),
      { numRuns: 30 },
    );
  });

  it("carries every kind of address", () => {
    const names = ["10.64.0.1", "::1", "fd00::10:1", "2001:db8:1:2:3:4:5:6", "::ffff:127.0.0.1"];
    const made = new X509Certificate(
      issueCertificate(authority, { use: "server", name: "one", names }, validity(1)).cert,
    );
    for (const name of names) expect(made.checkIP(name), name).toBe(name);
    expect(made.checkIP("10.64.0.2")).toBeUndefined();
    expect(addressBytes("fd00::1").toString("hex")).toBe(`fd00${"0".repeat(26)}01`);
  });

  it("says its times to the second, after 2049 too", () => {
    const from = new Date("2026-03-01T12:34:56.789Z");
    const to = new Date("2061-12-31T23:59:59Z");
    const made = new X509Certificate(createAuthority("far", { from, to }).cert);
    expect([made.validFromDate.toISOString(), made.validToDate.toISOString()]).toEqual([
      "2026-03-01T12:34:56.000Z",
      "2061-12-31T23:59:59.000Z",
    ]);
  });

  it("is what openssl takes for a strict X.509 v3 certificate", () => {
    const names = Array.from({ length: 40 }, (_, n) => `name-${n}.example.com`);
    const made = issueCertificate(authority, { use: "server", name: "kubernetes", names }, validity(365));
    const text = execFileSync("openssl", ["x509", "-noout", "-text"], { input: made.cert, encoding: "utf8" });
    expect(text).toMatch(/Version: 3 \(0x2\)/);
    expect(text).toMatch(/Issuer: CN ?= ?travelops-hub/);
    expect(text).toMatch(/X509v3 Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/X509v3 Extended Key Usage: \s*TLS Web Server Authentication\n/);
    expect(text).toContain(names.map((name) => `DNS:${name}`).join(", "));
    const ca = execFileSync("openssl", ["x509", "-noout", "-text"], { input: authority.cert, encoding: "utf8" });
    expect(ca).toMatch(/CA:TRUE/);
    expect(ca).toMatch(/Digital Signature, Certificate Sign, CRL Sign/);
  });
});
