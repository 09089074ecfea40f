import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAuthority } from "./certificate-authority.ts";
import { CertificateRequestError, checkSignature, parseCertificateRequest } from "./certificate-request.ts";
import { signRequest } from "./sign-request.ts";

const HOUR = 3_600_000;
let directory: string;
const requests = new Map<string, string>();

const KEYS: Readonly<Record<string, readonly string[]>> = {
  rsa: ["-newkey", "rsa:2048"],
  ec: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
  ed25519: ["-newkey", "ed25519"],
};

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), "travelops-request-"));
  for (const [kind, args] of Object.entries(KEYS)) {
    const out = path.join(directory, `${kind}.csr`);
    const names = "subjectAltName=DNS:a.example.com,IP:10.0.0.1,IP:::1,email:a@example.com,URI:spiffe://a/b";
    const more = ["-subj", "/O=one/O=two/CN=Zoë", "-utf8", "-addext", names];
    execFileSync(
      "openssl",
      ["req", "-new", ...args, "-nodes", "-keyout", path.join(directory, "key"), "-out", out, ...more],
      { stdio: "ignore" },
    );
    requests.set(kind, readFileSync(out, "utf8"));
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe.each(Object.keys(KEYS))("a request with an %s key", (kind) => {
  test("is read whole, and its signature holds", () => {
    const request = parseCertificateRequest(requests.get(kind) ?? "");
    checkSignature(request);
    expect(request).toMatchObject({
      commonName: "Zoë",
      organizations: ["one", "two"],
      dnsNames: ["a.example.com"],
      emails: ["a@example.com"],
      uris: ["spiffe://a/b"],
    });
    expect(request.addresses.map(({ length }) => length)).toEqual([4, 16]);
  });

  test("that was altered does not hold", () => {
    const request = parseCertificateRequest(requests.get(kind) ?? "");
    const signed = Buffer.from(request.signed);
    signed[signed.length - 1] = (signed.at(-1) ?? 0) ^ 1;
    expect(() => checkSignature({ ...request, signed })).toThrow(CertificateRequestError);
  });

  test("gets a certificate with its names and key, no longer than the authority lives", () => {
    const now = Date.now();
    const authority = createAuthority("test", { from: new Date(now - HOUR), to: new Date(now + 2 * HOUR) });
    const request = parseCertificateRequest(requests.get(kind) ?? "");
    const usages = ["digital signature", "decipher only", "client auth", "server auth"];
    const certificate = new X509Certificate(signRequest(authority, request, { usages, lifetimeMs: 100 * HOUR, now }));
    expect(certificate.verify(new X509Certificate(authority.cert).publicKey)).toBe(true);
    expect(certificate.publicKey.equals(request.publicKey)).toBe(true);
    expect(certificate.subjectAltName).toBe(
      "DNS:a.example.com, email:a@example.com, IP Address:10.0.0.1, IP Address:0:0:0:0:0:0:0:1, URI:spiffe://a/b",
    );
    expect(certificate.ca).toBe(false);
    expect(certificate.validToDate.getTime()).toBeLessThanOrEqual(now + 2 * HOUR);
    const text = execFileSync("openssl", ["x509", "-noout", "-text"], { input: certificate.toString() }).toString();
    expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature, Decipher Only/);
    expect(text).toMatch(/Extended Key Usage:\s+TLS Web Client Authentication, TLS Web Server Authentication/);
  });
});

test("nothing else is taken, and nothing makes it fail in another way", () => {
  const whole = [...requests.values()].map((pem) => Buffer.from(pem.replace(/-----.*-----|\s/g, ""), "base64"));
  const wrapped = (der: Uint8Array): string =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  const attempt = (pem: string): void => {
    try {
      checkSignature(parseCertificateRequest(pem));
    } catch (error) {
      expect(error).toBeInstanceOf(CertificateRequestError);
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => attempt(wrapped(bytes))));
  const damaged = fc.tuple(fc.constantFrom(...whole), fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat());
  fc.assert(
    fc.property(damaged, ([der, at, value, cut]) => {
      const bytes = Buffer.from(der);
      bytes[at % bytes.length] = value;
      attempt(wrapped(cut % 4 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes));
    }),
  );
  expect(() => parseCertificateRequest("")).toThrow("PEM block type must be CERTIFICATE REQUEST");
});
