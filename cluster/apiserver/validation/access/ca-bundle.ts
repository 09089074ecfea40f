/** Certificates that a client is to trust, in PEM. */
import { X509Certificate } from "node:crypto";
import { fieldInvalid } from "@travelops/kube";
import type { Errors } from "../checks.ts";

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/g;

function isCertificate(pem: string): boolean {
  try {
    void new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

/** Why a bundle (base64 of PEM) is none; undefined for one that holds a certificate. */
export function bundleFault(base64: string): string | undefined {
  const pem = Buffer.from(base64, "base64").toString("latin1");
  const blocks = [...pem.matchAll(BLOCK)];
  const certificates = blocks.filter(([, type, body = ""]) => type === "CERTIFICATE" && !body.includes(":"));
  if (certificates.some(([whole]) => isCertificate(whole))) return undefined;
  const fault =
    blocks.length === 0
      ? "unable to parse bytes as PEM block"
      : certificates.length > 0
        ? "failed to parse certificate: x509: malformed certificate"
        : "no valid certificate authority data seen";
  return `unable to load root certificates: ${fault}`;
}

/** A bundle that is there has to hold a certificate. */
export function checkBundle(base64: string, path: string, errors: Errors): void {
  const fault = base64 === "" ? undefined : bundleFault(base64);
  if (fault !== undefined) errors.push(fieldInvalid(path, base64, fault));
}
