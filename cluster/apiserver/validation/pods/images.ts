/** When an image is pulled. */
import { fieldNotSupported, fieldRequired } from "@travelops/kube";
import type { Errors } from "../checks.ts";

const POLICIES = ["Always", "IfNotPresent", "Never"];

export function checkPullPolicy(policy: string, path: string, errors: Errors): void {
  if (policy === "") errors.push(fieldRequired(path));
  else if (!POLICIES.includes(policy)) errors.push(fieldNotSupported(path, policy, POLICIES));
}
