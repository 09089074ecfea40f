/** Certificates and keys in secrets: what Go's TLS says of a pair that is none. */
import { createPrivateKey, X509Certificate } from "node:crypto";

const BLOCK = /-----BEGIN ([^\n-]+)-----\r?\n([\s\S]*?)-----END \1-----/g;

interface Found {
  readonly block: string | undefined;
  readonly skipped: readonly string[];
}

function find(pem: string, wanted: (type: string) => boolean): Found {
  const skipped: string[] = [];
  for (const [block, type = ""] of pem.matchAll(BLOCK)) {
    if (wanted(type)) return { block, skipped };
    skipped.push(type);
  }
  return { block: undefined, skipped };
}

const listed = (types: readonly string[]): string => `[${types.join(" ")}]`;

function certificateFault({ skipped }: Found): string {
  if (skipped.length === 0) return "tls: failed to find any PEM data in certificate input";
  if (skipped.length === 1 && skipped[0]?.endsWith("PRIVATE KEY") === true)
    return "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched";
  return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: ${listed(skipped)}`;
}

function keyFault({ skipped }: Found): string {
  if (skipped.length === 0) return "tls: failed to find any PEM data in key input";
  if (skipped.length === 1 && skipped[0] === "CERTIFICATE")
    return "tls: found a certificate rather than a key in the PEM for the private key";
  return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: ${listed(skipped)}`;
}

/** What is wrong with a pair; undefined: nothing. */
export function keyPairFault(certificatePem: string, keyPem: string): string | undefined {
  const certificate = find(certificatePem, (type) => type === "CERTIFICATE");
  if (certificate.block === undefined) return certificateFault(certificate);
  const key = find(keyPem, (type) => type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY"));
  if (key.block === undefined) return keyFault(key);
  try {
    const parsed = new X509Certificate(certificate.block);
    try {
      const secret = createPrivateKey(key.block);
      if (parsed.publicKey.asymmetricKeyType !== secret.asymmetricKeyType)
        return "tls: private key type does not match public key type";
      return parsed.checkPrivateKey(secret) ? undefined : "tls: private key does not match public key";
    } catch {
      return "tls: failed to parse private key";
    }
  } catch {
    return "x509: malformed certificate";
  }
}
