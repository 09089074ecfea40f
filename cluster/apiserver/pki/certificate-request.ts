/** Reads a certificate signing request (PKCS #10, RFC 2986): whom it names, its key, and that its sender holds the key. */
import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { content, objectIdentifier, parts, tagOf } from "./der.ts";

export interface CertificateRequest {
  /** What the signature is of. */
  readonly signed: Uint8Array;
  /** The name in DER, as it was sent. */
  readonly subject: Uint8Array;
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly publicKey: KeyObject;
  readonly dnsNames: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
  /** Four or sixteen bytes each. */
  readonly addresses: readonly Uint8Array[];
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

/** It is no request, or its signature does not hold. The message is for its sender. */
export class CertificateRequestError extends Error {
  override readonly name = "CertificateRequestError";
}

const COMMON_NAME = "2.5.4.3";
const ORGANIZATION = "2.5.4.10";
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
const ALTERNATIVE_NAMES = "2.5.29.17";

/** A digest where the key's kind does not state it. */
const DIGESTS: ReadonlyMap<string, string | null> = new Map<string, string | null>([
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"],
  ["1.3.101.112", null],
]);

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/;

/** Parses the first PEM block. Throws `CertificateRequestError`. */
export function parseCertificateRequest(pem: string): CertificateRequest {
  const block = BLOCK.exec(pem);
  if (block === null || block[1] !== "CERTIFICATE REQUEST")
    throw new CertificateRequestError("PEM block type must be CERTIFICATE REQUEST");
  // Lines with a colon are the block's headers.
  const base64 = (block[2] ?? "").replace(/^[^\n:]+:.*$/gm, "");
  try {
    return parseDer(Buffer.from(base64, "base64"));
  } catch (error) {
    if (error instanceof CertificateRequestError) throw error;
    throw new CertificateRequestError("asn1: structure error: malformed certificate request", { cause: error });
  }
}

/** Throws `CertificateRequestError` unless the request was signed with the key it carries. */
export function checkSignature(request: CertificateRequest): void {
  const digest = DIGESTS.get(request.signatureAlgorithm);
  if (digest === undefined) throw new CertificateRequestError("x509: cannot verify signature: algorithm unimplemented");
  const { publicKey, signed, signature } = request;
  let holds = false;
  try {
    holds = verify(digest, signed, publicKey, signature);
  } catch {
    // A signature of another form than the key's.
  }
  if (holds) return;
  const kind = publicKey.asymmetricKeyType;
  throw new CertificateRequestError(
    kind === "rsa"
      ? "crypto/rsa: verification error"
      : `x509: ${kind === "ec" ? "ECDSA" : "Ed25519"} verification failure`,
  );
}

function parseDer(der: Uint8Array): CertificateRequest {
  const [signed, algorithm, signature] = parts(der);
  if (signed === undefined || algorithm === undefined || signature === undefined)
    throw new CertificateRequestError("asn1: syntax error: sequence truncated");
  const [, subject, spki, attributes] = parts(signed);
  const [algorithmId] = parts(algorithm);
  if (subject === undefined || spki === undefined || algorithmId === undefined)
    throw new CertificateRequestError("asn1: syntax error: sequence truncated");
  return {
    signed,
    subject,
    commonName: namesIn(subject, COMMON_NAME).at(-1) ?? "",
    organizations: namesIn(subject, ORGANIZATION),
    publicKey: createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" }),
    ...alternativeNames(attributes),
    signatureAlgorithm: objectIdentifier(algorithmId),
    // The first byte of a bit string counts its unused bits.
    signature: content(signature).subarray(1),
  };
}

/** Values of one type in a distinguished name, in their order. */
function namesIn(subject: Uint8Array, type: string): string[] {
  const found: string[] = [];
  for (const relative of parts(subject)) {
    for (const attribute of parts(relative)) {
      const [id, value] = parts(attribute);
      if (id !== undefined && value !== undefined && objectIdentifier(id) === type) found.push(textOf(value));
    }
  }
  return found;
}

const BMP_STRING = 0x1e;
const LATIN = new Set([0x13, 0x14, 0x16]);

function textOf(value: Uint8Array): string {
  const bytes = Buffer.from(content(value));
  if (tagOf(value) === BMP_STRING) return bytes.swap16().toString("utf16le");
  return bytes.toString(LATIN.has(tagOf(value)) ? "latin1" : "utf8");
}

type AlternativeNames = Pick<CertificateRequest, "dnsNames" | "emails" | "uris" | "addresses">;

const IMPLICIT = { email: 0x81, dns: 0x82, uri: 0x86, address: 0x87 } as const;

function alternativeNames(attributes: Uint8Array | undefined): AlternativeNames {
  const found = {
    dnsNames: [] as string[],
    emails: [] as string[],
    uris: [] as string[],
    addresses: [] as Uint8Array[],
  };
  for (const name of attributes === undefined ? [] : requestedNames(attributes)) {
    const bytes = content(name);
    const text = (): string => Buffer.from(bytes).toString("latin1");
    switch (tagOf(name)) {
      case IMPLICIT.email:
        found.emails.push(text());
        break;
      case IMPLICIT.dns:
        found.dnsNames.push(text());
        break;
      case IMPLICIT.uri:
        found.uris.push(text());
        break;
      case IMPLICIT.address:
        if (bytes.length !== 4 && bytes.length !== 16)
          throw new CertificateRequestError(`x509: cannot parse IP address of length ${bytes.length}`);
        found.addresses.push(bytes);
        break;
      default:
      // Other kinds of names are dropped, as upstream does it.
    }
  }
  return found;
}

function requestedNames(attributes: Uint8Array): Uint8Array[] {
  for (const attribute of parts(attributes)) {
    const [id, values] = parts(attribute);
    if (id === undefined || values === undefined || objectIdentifier(id) !== EXTENSION_REQUEST) continue;
    const [extensions] = parts(values);
    for (const extension of extensions === undefined ? [] : parts(extensions)) {
      const fields = parts(extension);
      const value = fields.at(-1);
      if (fields[0] !== undefined && value !== undefined && objectIdentifier(fields[0]) === ALTERNATIVE_NAMES)
        return parts(content(value));
    }
  }
  return [];
}
