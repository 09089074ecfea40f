import { X509Certificate } from "node:crypto";
import { unauthorized } from "@travelops/kube";
import type { Clock } from "@travelops/kube/api/clock";
import type { UserInfo } from "../api-server.ts";

const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

interface Verified {
  readonly user: UserInfo;
  readonly until: number;
}

/** Reads the user from a client certificate of the cluster's CA: its common name, and its organizations as groups. */
export function certificateAuthenticator(caPem: string, clock: Clock): (certificate: X509Certificate) => UserInfo {
  const ca = new X509Certificate(caPem);
  // Node hands out the same object for as long as a connection lives: its signature is checked once.
  const verified = new WeakMap<X509Certificate, Verified>();
  return (certificate) => {
    const known = verified.get(certificate) ?? verify(ca, certificate, clock.now());
    if (known.until < clock.now()) throw unauthorized();
    verified.set(certificate, known);
    return known.user;
  };
}

function verify(ca: X509Certificate, certificate: X509Certificate, now: number): Verified {
  const issued = certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
  const inTime = certificate.validFromDate.getTime() <= now && now <= certificate.validToDate.getTime();
  // `keyUsage` is Node's name for the extended key usage.
  const forClients = !certificate.ca && (certificate.keyUsage ?? []).includes(CLIENT_AUTH);
  const { CN: name, O: organizations = [] } = certificate.toLegacyObject().subject as {
    CN?: string | string[];
    O?: string | string[];
  };
  if (!issued || !inTime || !forClients || typeof name !== "string" || name === "") throw unauthorized();
  const groups = typeof organizations === "string" ? [organizations] : organizations;
  const extra = {
    "authentication.kubernetes.io/credential-id": [
      `X509SHA256=${certificate.fingerprint256.replaceAll(":", "").toLowerCase()}`,
    ],
  };
  return {
    user: { name, groups: [...groups, "system:authenticated"], extra },
    until: certificate.validToDate.getTime(),
  };
}
