/** The keys and certificates of one cluster, kept in its data directory. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@travelops/kube/api/clock";
import { createAuthority, issueCertificate, isUsable } from "./certificate-authority.ts";
import type { CertificatePair, Purpose } from "./certificate-authority.ts";
import type { CertificateRequest } from "./certificate-request.ts";
import { signRequest } from "./sign-request.ts";
import { readIfThere, writePrivateFile } from "./private-file.ts";

export interface PkiOptions {
  /** Made (0700) where it is missing. */
  readonly dir: string;
  readonly clock: Clock;
  readonly clusterName: string;
  /** The API's address among Services (`.0.1` of their range). */
  readonly serviceAddress: string;
  /** More names or addresses that the server answers to. */
  readonly serverNames?: readonly string[];
}

/** Signs and verifies ServiceAccount tokens (ES256). */
export interface TokenKey {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Proof for other API servers that a request comes through this one; an authority of its own, as upstream asks for. */
export interface FrontProxy {
  /** PEM of the authority. */
  readonly ca: string;
  readonly client: CertificatePair;
}

export interface ClusterPki {
  /** PEM of the CA. */
  readonly ca: string;
  /** The API server's own. */
  readonly serving: CertificatePair;
  /** `kubernetes-admin` in `system:masters`, for the kubeconfig. */
  readonly admin: CertificatePair;
  readonly tokenKey: TokenKey;
  readonly frontProxy: FrontProxy;
  /** A new client certificate, a year long. Not kept. */
  issueClient(user: string, groups: readonly string[]): Promise<CertificatePair>;
  /** PEM of a certificate of this CA for a request that was approved. */
  readonly signRequest: SignCertificate;
  /** A new server certificate of this CA, e.g. for `*.apps.…` ingress. Not kept. */
  issueServer(name: string, names: readonly string[]): Promise<CertificatePair>;
}

export type SignCertificate = (
  request: CertificateRequest,
  terms: { readonly usages: readonly string[]; readonly lifetimeMs: number },
) => string;

/** A key that cannot be replaced without breaking what trusts it is damaged or missing. */
export class PkiError extends Error {
  override readonly name = "PkiError";
}

/** The name that other API servers know this one by. */
export const FRONT_PROXY_CLIENT = "front-proxy-client";
const DAY_MS = 86_400_000;
const CA_DAYS = 3_650;
const LEAF_DAYS = 365;
/** What is left of a certificate's time when it is renewed at start. */
const RENEW_DAYS = 60;
/** Clocks of clients may be behind. */
const BACKDATE_MS = 3_600_000;

/** Opens the keys in `dir`; makes what is missing and renews what ends soon. Rejects with `PkiError`. */
export async function openPki(options: PkiOptions): Promise<ClusterPki> {
  const { dir, clock } = options;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  const validity = (days: number) => ({
    from: new Date(clock.now() - BACKDATE_MS),
    to: new Date(clock.now() + days * DAY_MS),
  });
  const authority = openAuthority(options, validity(CA_DAYS));
  const frontAuthority = openAuthority(options, validity(CA_DAYS), "front-proxy-ca");
  const issue = (purpose: Purpose): CertificatePair => issueCertificate(authority, purpose, validity(LEAF_DAYS));
  const renewAt = clock.now() + RENEW_DAYS * DAY_MS;
  return {
    frontProxy: {
      ca: frontAuthority.cert,
      client: openLeaf(
        dir,
        FRONT_PROXY_CLIENT,
        frontAuthority,
        renewAt,
        { use: "client", user: FRONT_PROXY_CLIENT, groups: [] },
        (purpose) => issueCertificate(frontAuthority, purpose, validity(LEAF_DAYS)),
      ),
    },
    ca: authority.cert,
    serving: openLeaf(
      dir,
      "serving",
      authority,
      renewAt,
      { use: "server", name: "kubernetes", names: serverNames(options) },
      issue,
    ),
    admin: openLeaf(
      dir,
      "admin",
      authority,
      renewAt,
      { use: "client", user: "kubernetes-admin", groups: ["system:masters"] },
      issue,
    ),
    tokenKey: openTokenKey(dir),
    issueClient: async (user, groups) => issue({ use: "client", user, groups }),
    signRequest: (request, terms) => signRequest(authority, request, { ...terms, now: clock.now() }),
    issueServer: async (name, names) => issue({ use: "server", name, names }),
  };
}

/** Every name the API server is reached by, and those of the cluster's apps (one process serves both). */
export function serverNames({ clusterName, serviceAddress, serverNames: more = [] }: PkiOptions): string[] {
  const apps = `apps.${clusterName}.travelops.localhost`;
  const inCluster = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
  ];
  // Inside a pod every name below localhost is the pod itself: other clusters' pods use the second name.
  const outside = [
    `api.${clusterName}.travelops.localhost`,
    `api.${clusterName}.travelops.internal`,
    apps,
    `*.${apps}`,
  ];
  return [...new Set(["127.0.0.1", "::1", "localhost", ...inCluster, serviceAddress, ...outside, ...more])];
}

function openAuthority(
  { dir, clock, clusterName }: PkiOptions,
  validity: { from: Date; to: Date },
  name = "ca",
): CertificatePair {
  const file = join(dir, name);
  const subject = name === "ca" ? `travelops-${clusterName}` : name;
  const kept = readPair(file);
  if (kept === undefined) {
    const made = createAuthority(subject, validity);
    writePair(file, made);
    return made;
  }
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(kept.cert);
    if (!certificate.checkPrivateKey(createPrivateKey(kept.key))) throw new Error("the key is not the certificate's");
  } catch (error) {
    throw new PkiError(`the cluster's CA in ${file}.crt and ${file}.key is damaged: put both files back from a copy`, {
      cause: error,
    });
  }
  if (certificate.validToDate.getTime() > clock.now() + RENEW_DAYS * DAY_MS) return kept;
  const made = createAuthority(subject, validity);
  writePair(file, made);
  return made;
}

function openLeaf(
  dir: string,
  name: string,
  authority: CertificatePair,
  renewAt: number,
  purpose: Purpose,
  issue: (purpose: Purpose) => CertificatePair,
): CertificatePair {
  const file = join(dir, name);
  const kept = readPair(file);
  if (kept !== undefined && isUsable(kept, new X509Certificate(authority.cert), renewAt) && carriesNames(kept, purpose))
    return kept;
  const made = issue(purpose);
  // Not synced: one that a power cut spoils is made anew.
  writePair(file, made, false);
  return made;
}

function carriesNames(pair: CertificatePair, purpose: Purpose): boolean {
  if (purpose.use === "client") return true;
  const have = new Set(
    (new X509Certificate(pair.cert).subjectAltName ?? "")
      .split(", ")
      .map((entry) => entry.slice(entry.indexOf(":") + 1)),
  );
  // Node prints IPv6 addresses in full; the one there is never changes.
  return purpose.names.every((name) => have.has(name) || name.includes(":"));
}

function openTokenKey(dir: string): TokenKey {
  const file = join(dir, "service-accounts.key");
  const kept = readIfThere(file);
  try {
    const privateKey =
      kept === undefined ? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey : createPrivateKey(kept);
    if (kept === undefined) writePrivateFile(file, String(privateKey.export({ type: "pkcs8", format: "pem" })));
    const publicKey = createPublicKey(privateKey);
    const id = createHash("sha256")
      .update(publicKey.export({ type: "spki", format: "der" }))
      .digest("base64url");
    return { id, privateKey, publicKey };
  } catch (error) {
    throw new PkiError(`the key of ServiceAccount tokens ${file} is damaged: put it back from a copy`, {
      cause: error,
    });
  }
}

function readPair(file: string): CertificatePair | undefined {
  const cert = readIfThere(`${file}.crt`);
  // The certificate is written last: without it, a first start did not come to its end.
  return cert === undefined ? undefined : { cert, key: readIfThere(`${file}.key`) ?? "" };
}

function writePair(file: string, pair: CertificatePair, synced = true): void {
  writePrivateFile(`${file}.key`, pair.key, synced);
  writePrivateFile(`${file}.crt`, pair.cert, synced);
}
