import { describe, expect, it } from "vitest";
import { testCertificate } from "../testing/certificate.ts";
import { keyPairFault, KeyPairs } from "./key-pair.ts";

const [one, two] = [testCertificate(["a.x"]), testCertificate(["b.x"])];
const BROKEN = "-----BEGIN CERTIFICATE-----\nSGVsbG8gd29ybGQ=\n-----END CERTIFICATE-----\n";
const BROKEN_KEY = "-----BEGIN PRIVATE KEY-----\nSGVsbG8gd29ybGQ=\n-----END PRIVATE KEY-----\n";

describe("a certificate and its key", () => {
  it.each([
    ["that belong together", one, undefined],
    ["with a chain", { ...one, cert: `${one.cert}\n${two.cert}` }, undefined],
    ["that are empty", { cert: "", key: "" }, "certificate: no PEM certificate can be read"],
    ["of which one only looks like it", { ...one, cert: BROKEN }, "certificate: no PEM certificate can be read"],
    ["of which the key only looks like it", { ...one, key: BROKEN_KEY }, "key: no PEM private key can be read"],
    ["of different pairs", { ...one, key: two.key }, "key: private key does not match the certificate"],
    [
      "with a chain that is none",
      { ...one, cert: `${one.cert}\n${BROKEN}` },
      "certificate: the chain cannot be served",
    ],
  ])("%s", (_, pair, expected) => {
    const fault = keyPairFault(pair);
    expect(fault && `${fault.part}: ${fault.message}`).toBe(expected);
  });

  it("are looked at once for each object that brings them", () => {
    const pairs = new KeyPairs();
    const owner = {};
    expect(pairs.fault(owner, { ...one, key: two.key })?.part).toBe("key");
    expect(pairs.fault(owner, one)?.part).toBe("key");
    expect(pairs.fault({}, one)).toBeUndefined();
  });
});
