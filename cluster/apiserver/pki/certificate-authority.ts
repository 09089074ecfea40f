/** Issues certificates. The X.509 library is loaded only when something has to be made: a warm start does without. */
import { createPrivateKey, generateKeyPairSync, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { isIP } from "node:net";

export interface CertificatePair {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

export interface Validity {
  readonly from: Date;
  readonly to: Date;
}

/** What a certificate is for. */
export type Purpose =
  | { readonly use: "client"; readonly user: string; readonly groups: readonly string[] }
  | { readonly use: "server"; readonly name: string; readonly names: readonly string[] };

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

async function library() {
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

/** A certificate authority of its own, signed by itself. */
export async function createAuthority(name: string, validity: Validity): Promise<CertificatePair> {
  const x509 = await library();
  const keys = newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: [{ CN: [name] }],
      notBefore: validity.from,
      notAfter: validity.to,
      signingAlgorithm: ALGORITHM,
      keys: { privateKey: await signingKey(keys.privateKey), publicKey: await publicKey(keys.publicKey) },
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(await publicKey(keys.publicKey)),
      ],
    },
    webcrypto as Crypto,
  );
  return { cert: `${certificate.toString("pem")}\n`, key: pem(keys.privateKey) };
}

/** A certificate of `authority` with a new key. */
export async function issueCertificate(
  authority: CertificatePair,
  purpose: Purpose,
  validity: Validity,
): Promise<CertificatePair> {
  const x509 = await library();
  const keys = newKeys();
  const client = purpose.use === "client";
  const issuer = new x509.X509Certificate(authority.cert);
  const subject = client
    ? [{ CN: [purpose.user] }, ...purpose.groups.map((group) => ({ O: [group] }))]
    : [{ CN: [purpose.name] }];
  const names = client
    ? []
    : purpose.names.map((name) => ({
        type: isIP(name) === 0 ? ("dns" as const) : ("ip" as const),
        value: name,
      }));
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject,
      issuer: issuer.subjectName,
      notBefore: validity.from,
      notAfter: validity.to,
      signingAlgorithm: ALGORITHM,
      publicKey: await publicKey(keys.publicKey),
      signingKey: await signingKey(createPrivateKey(authority.key)),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([client ? CLIENT_AUTH : SERVER_AUTH], false),
        await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto as Crypto),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names, false)]),
      ],
    },
    webcrypto as Crypto,
  );
  return { cert: `${certificate.toString("pem")}\n`, key: pem(keys.privateKey) };
}

/** Whether `pair` is whole: its key fits, `authority` signed it, and it stays valid until `until`. */
export function isUsable(pair: CertificatePair, authority: X509Certificate, until: number): boolean {
  try {
    const certificate = new X509Certificate(pair.cert);
    return (
      certificate.checkPrivateKey(createPrivateKey(pair.key)) &&
      certificate.checkIssued(authority) &&
      certificate.verify(authority.publicKey) &&
      certificate.validToDate.getTime() > until
    );
  } catch {
    return false; // Not readable: made anew.
  }
}

const newKeys = () => generateKeyPairSync("ec", { namedCurve: "P-256" });

const pem = (key: KeyObject): string => String(key.export({ type: "pkcs8", format: "pem" }));

const signingKey = (key: KeyObject): Promise<CryptoKey> =>
  webcrypto.subtle.importKey("pkcs8", key.export({ type: "pkcs8", format: "der" }), ALGORITHM, false, [
    "sign",
  ]) as Promise<CryptoKey>;

const publicKey = (key: KeyObject): Promise<CryptoKey> =>
  webcrypto.subtle.importKey("spki", key.export({ type: "spki", format: "der" }), ALGORITHM, true, [
    "verify",
  ]) as Promise<CryptoKey>;

/** Positive, without a leading zero byte, not guessable. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}
