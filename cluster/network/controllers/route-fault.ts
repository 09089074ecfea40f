/** What OpenShift's router refuses of a Route that its API has taken, in its words. Pure. */
import { X509Certificate } from "node:crypto";
import type { KeyPair, KeyPairs } from "./key-pair.ts";
import type { Route } from "./types.ts";

type Tls = NonNullable<Route["spec"]["tls"]>;

/** The certificate and key that a Route brings itself. */
export function inlinePair({ certificate = "", key, caCertificate = "" }: Tls): KeyPair | undefined {
  if (certificate === "" || key === undefined) return undefined;
  return { cert: `${certificate.trimEnd()}\n${caCertificate}`, key };
}

/** The message of `Admitted=False`, or `undefined` where nothing is wrong. */
export function routeFault(route: Route, keyPairs: KeyPairs): string | undefined {
  const { tls, path = "" } = route.spec;
  if (tls === undefined) return undefined;
  if (tls.termination === "passthrough" && path !== "")
    return `spec.path: Invalid value: "${path}": passthrough termination does not support paths`;
  return terminationFault(tls) ?? policyFault(tls) ?? certificateFault(tls, keyPairs);
}

const SECRETS = [
  ["certificate", "certificate"],
  ["key", "key"],
  ["caCertificate", "ca certificate"],
  ["destinationCACertificate", "destination ca certificate"],
] as const;

const invalid = (field: string, value: string, message: string): string =>
  `spec.tls.${field}: Invalid value: "${value}": ${message}`;

function terminationFault(tls: Tls): string | undefined {
  if (tls.termination === "passthrough") {
    const brought = SECRETS.find(([field]) => (tls[field] ?? "") !== "");
    return (
      brought &&
      invalid(brought[0], `redacted ${brought[1]} data`, "passthrough termination does not support certificates")
    );
  }
  if (tls.termination === "edge" && (tls.destinationCACertificate ?? "") !== "")
    return invalid(
      "destinationCACertificate",
      "redacted destination ca certificate data",
      "edge termination does not support destination certificates",
    );
  return undefined;
}

function policyFault({ termination, insecureEdgeTerminationPolicy: policy = "" }: Tls): string | undefined {
  const allowed = termination === "passthrough" ? ["None", "Redirect"] : ["None", "Allow", "Redirect"];
  if (policy === "" || allowed.includes(policy)) return undefined;
  return invalid(
    "insecureEdgeTerminationPolicy",
    policy,
    `invalid value for InsecureEdgeTerminationPolicy option, acceptable values are ${allowed.join(", ")}, or empty`,
  );
}

function certificateFault(tls: Tls, keyPairs: KeyPairs): string | undefined {
  if ((tls.certificate ?? "") !== "" && (tls.key ?? "") === "")
    return "spec.tls.key: Required value: a certificate needs its key";
  const pair = inlinePair(tls);
  const fault = pair === undefined ? undefined : keyPairs.fault(tls, pair);
  if (fault !== undefined) return invalid(fault.part, `redacted ${fault.part} data`, fault.message);
  const destination = tls.destinationCACertificate ?? "";
  if (destination === "" || isCertificate(destination)) return undefined;
  return invalid(
    "destinationCACertificate",
    "redacted destination ca certificate data",
    "failed to parse destination CA certificate",
  );
}

function isCertificate(text: string): boolean {
  try {
    new X509Certificate(text);
    return true;
  } catch {
    return false;
  }
}
