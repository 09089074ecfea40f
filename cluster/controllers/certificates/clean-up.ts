/** When a request for a certificate has served its time, as upstream's csrcleaner has it. Pure. */
import { X509Certificate } from "node:crypto";
import { certificateOf, conditionOf, type SigningRequest } from "./signing-request.ts";

const HOUR_MS = 3_600_000;
const SETTLED_MS = HOUR_MS;
const PENDING_MS = 24 * HOUR_MS;

/** Milliseconds since the epoch; infinite for one that is never removed. */
export function removalTime(request: SigningRequest): number {
  const conditions = request.status?.conditions ?? [];
  const issued = certificateOf(request);
  const after = (text: string | null | undefined, patience: number): number => {
    const at = Date.parse(text ?? "");
    return Number.isNaN(at) ? Infinity : at + patience;
  };
  const approved = conditionOf(request, "Approved");
  return Math.min(
    conditions.length === 0 ? after(request.metadata.creationTimestamp, PENDING_MS) : Infinity,
    after(conditionOf(request, "Denied")?.lastUpdateTime, SETTLED_MS),
    after(conditionOf(request, "Failed")?.lastUpdateTime, SETTLED_MS),
    after(approved?.lastUpdateTime, issued === undefined ? PENDING_MS : SETTLED_MS),
    approved === undefined || issued === undefined ? Infinity : endOf(issued),
  );
}

function endOf(pem: string): number {
  try {
    return new X509Certificate(pem).validToDate.getTime();
  } catch {
    // Another signer's answer, in a form of its own.
    return Infinity;
  }
}
