/** Issues a certificate for a signing request, by the policy of upstream's signers. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { certificate, extension, keyIdentifier, subjectOf, type CertificatePair } from "./certificate-authority.ts";
import { checkSignature, type CertificateRequest } from "./certificate-request.ts";
import { bits, implicit, oid, sequence } from "./der.ts";

/** Clocks of who checks it may be behind. */
const BACKDATE_MS = 5 * 60_000;
/** The end of certificates that live shorter is not brought forward by it. */
const SHORT_MS = 8 * 3_600_000;

/** Bits of the key usage extension, from the first. */
const KEY_USAGE: Readonly<Record<string, number>> = {
  signing: 0,
  "digital signature": 0,
  "content commitment": 1,
  "key encipherment": 2,
  "data encipherment": 3,
  "key agreement": 4,
  "cert sign": 5,
  "crl sign": 6,
  "encipher only": 7,
  "decipher only": 8,
};

const EXTENDED_USAGE: Readonly<Record<string, string>> = {
  any: "2.5.29.37.0",
  "server auth": "1.3.6.1.5.5.7.3.1",
  "client auth": "1.3.6.1.5.5.7.3.2",
  "code signing": "1.3.6.1.5.5.7.3.3",
  "email protection": "1.3.6.1.5.5.7.3.4",
  "s/mime": "1.3.6.1.5.5.7.3.4",
  "ipsec end system": "1.3.6.1.5.5.7.3.5",
  "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
  "ipsec user": "1.3.6.1.5.5.7.3.7",
  timestamping: "1.3.6.1.5.5.7.3.8",
  "ocsp signing": "1.3.6.1.5.5.7.3.9",
  "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
  "netscape sgc": "2.16.840.1.113730.4.1",
};

/** Every usage a request may ask for, sorted. */
export const USAGES: readonly string[] = [...Object.keys(KEY_USAGE), ...Object.keys(EXTENDED_USAGE)].toSorted();

export interface SigningTerms {
  readonly usages: readonly string[];
  readonly lifetimeMs: number;
  readonly now: number;
}

/** PEM of the certificate. Throws where the request is not signed by its key, or the authority has ended. */
export function signRequest(authority: CertificatePair, request: CertificateRequest, terms: SigningTerms): string {
  checkSignature(request);
  const issuer = new X509Certificate(authority.cert);
  const ends = issuer.validToDate.getTime();
  if (terms.now >= ends) throw new Error(`refusing to sign a certificate that expired in the past: NotAfter=${ends}`);
  const backdated = terms.lifetimeMs < SHORT_MS ? 0 : BACKDATE_MS;
  const until = Math.min(terms.now + terms.lifetimeMs - backdated, ends);
  return certificate({
    issuer: subjectOf(issuer),
    subject: request.subject,
    validity: { from: new Date(terms.now - BACKDATE_MS), to: new Date(until) },
    publicKey: request.publicKey,
    signer: createPrivateKey(authority.key),
    extensions: [
      ...keyUsage(terms.usages),
      ...extendedUsage(terms.usages),
      extension("2.5.29.19", sequence(), true),
      extension("2.5.29.35", sequence(implicit(0, keyIdentifier(issuer.publicKey)))),
      ...alternativeNames(request),
    ],
  });
}

function keyUsage(usages: readonly string[]): Buffer[] {
  const wanted = usages.flatMap((usage) => KEY_USAGE[usage] ?? []);
  if (wanted.length === 0) return [];
  const last = Math.max(...wanted);
  const bytes = Buffer.alloc(Math.floor(last / 8) + 1);
  for (const bit of wanted) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return [extension("2.5.29.15", bits(bytes, 7 - (last & 7)), true)];
}

function extendedUsage(usages: readonly string[]): Buffer[] {
  const wanted = [...new Set(usages.flatMap((usage) => EXTENDED_USAGE[usage] ?? []))];
  return wanted.length === 0 ? [] : [extension("2.5.29.37", sequence(...wanted.map(oid)))];
}

function alternativeNames({ dnsNames, emails, uris, addresses }: CertificateRequest): Buffer[] {
  const text = (tag: number) => (name: string) => implicit(tag, Buffer.from(name, "latin1"));
  const names = [
    ...dnsNames.map(text(2)),
    ...emails.map(text(1)),
    ...addresses.map((address) => implicit(7, address)),
    ...uris.map(text(6)),
  ];
  return names.length === 0 ? [] : [extension("2.5.29.17", sequence(...names))];
}
