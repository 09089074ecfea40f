/**
 * Issues certificates. Keys, signatures and verification are OpenSSL's; only what is signed is put together here,
 * since the well-kept library for it took 98 ms and 23 MB of every first start.
 */
import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { isIPv4 } from "node:net";
import {
  bits,
  content,
  explicit,
  implicit,
  octets,
  oid,
  parts,
  sequence,
  set,
  time,
  TRUE,
  unsigned,
  utf8,
} from "./der.ts";
import { addressBytes } from "./address-bytes.ts";

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

const ECDSA_WITH_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const COMMON_NAME = oid("2.5.4.3");
const ORGANIZATION = oid("2.5.4.10");
const SERVER_AUTH = oid("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH = oid("1.3.6.1.5.5.7.3.2");
const VERSION_3 = explicit(0, unsigned(Buffer.from([2])));

/** What a certificate says, each part in DER where it is bytes. */
export interface CertificateContent {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly validity: Validity;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly extensions: readonly Uint8Array[];
}

/** A certificate authority of its own, signed by itself. */
export function createAuthority(name: string, validity: Validity): CertificatePair {
  const { privateKey, publicKey } = newKeys();
  const subject = distinguishedName([[COMMON_NAME, name]]);
  const extensions = [
    extension("2.5.29.19", sequence(TRUE), true),
    // Digital signature, signing of certificates and of revocations.
    extension("2.5.29.15", bits(Buffer.from([0b1000_0110]), 1), true),
    extension("2.5.29.14", octets(keyIdentifier(publicKey))),
  ];
  return {
    cert: certificate({ issuer: subject, subject, validity, publicKey, signer: privateKey, extensions }),
    key: pem(privateKey),
  };
}

/** A certificate of `authority` with a new key. */
export function issueCertificate(authority: CertificatePair, purpose: Purpose, validity: Validity): CertificatePair {
  const issuer = new X509Certificate(authority.cert);
  const { privateKey, publicKey } = newKeys();
  const client = purpose.use === "client";
  const extensions = [
    extension("2.5.29.19", sequence(), true),
    // Digital signature.
    extension("2.5.29.15", bits(Buffer.from([0b1000_0000]), 7), true),
    extension("2.5.29.37", sequence(client ? CLIENT_AUTH : SERVER_AUTH)),
    extension("2.5.29.35", sequence(implicit(0, keyIdentifier(issuer.publicKey)))),
    ...(client || purpose.names.length === 0
      ? []
      : [extension("2.5.29.17", sequence(...purpose.names.map(alternativeName)))]),
  ];
  return {
    cert: certificate({
      issuer: subjectOf(issuer),
      subject: distinguishedName(
        client
          ? [[COMMON_NAME, purpose.user], ...purpose.groups.map((group) => [ORGANIZATION, group] as const)]
          : [[COMMON_NAME, purpose.name]],
      ),
      validity,
      publicKey,
      signer: createPrivateKey(authority.key),
      extensions,
    }),
    key: pem(privateKey),
  };
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

/** TBSCertificate and its signature (RFC 5280, 4.1), as PEM. */
export function certificate({ issuer, subject, validity, publicKey, signer, extensions }: CertificateContent): string {
  const signed = sequence(
    VERSION_3,
    serialNumber(),
    ECDSA_WITH_SHA256,
    issuer,
    sequence(time(validity.from), time(validity.to)),
    subject,
    spki(publicKey),
    explicit(3, sequence(...extensions)),
  );
  const whole = sequence(signed, ECDSA_WITH_SHA256, bits(sign("sha256", signed, signer)));
  const lines = whole.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function distinguishedName(entries: readonly (readonly [type: Buffer, text: string])[]): Buffer {
  return sequence(...entries.map(([type, text]) => set(sequence(type, utf8(text)))));
}

/** One extension of a certificate. */
export function extension(id: string, value: Uint8Array, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [TRUE] : []), octets(value));
}

/** No host name has a colon; Node's own check for IPv6 compiles a large pattern first (8 ms). */
const isAddress = (name: string): boolean => name.includes(":") || isIPv4(name);

const alternativeName = (name: string): Buffer =>
  isAddress(name) ? implicit(7, addressBytes(name)) : implicit(2, Buffer.from(name, "latin1"));

/** The authority's name byte for byte: a client compares it with the issuer's. */
export function subjectOf({ raw }: X509Certificate): Uint8Array {
  const [signed] = parts(raw);
  const subject = signed === undefined ? undefined : parts(signed)[5];
  if (subject === undefined) throw new Error("the authority's certificate has no subject");
  return subject;
}

const spki = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });

/** SHA-1 of the key's bits: RFC 5280's first method; a name for the key, not a protection. */
export function keyIdentifier(key: KeyObject): Buffer {
  const [, keyBits] = parts(spki(key));
  if (keyBits === undefined) throw new Error("the public key has no bits");
  return createHash("sha1").update(content(keyBits).subarray(1)).digest();
}

const newKeys = () => generateKeyPairSync("ec", { namedCurve: "P-256" });

const pem = (key: KeyObject): string => String(key.export({ type: "pkcs8", format: "pem" }));

/** Positive, without a leading zero byte, not guessable. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return unsigned(bytes);
}
