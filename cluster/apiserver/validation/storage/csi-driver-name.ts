/** Names of CSI drivers. */
import { fieldInvalid, fieldTooLong } from "@travelops/kube";
import { dnsSubdomain, type Errors, requireText } from "../checks.ts";

const LONGEST = 63;

/** The name of a CSI driver, as other objects refer to it: in any case of letters. */
export function csiDriverName(name: string, path: string, errors: Errors): void {
  if (!requireText(name, path, errors)) return;
  if (Buffer.byteLength(name) > LONGEST) errors.push(fieldTooLong(path, LONGEST));
  for (const fault of dnsSubdomain(name.toLowerCase())) errors.push(fieldInvalid(path, name, fault));
}
