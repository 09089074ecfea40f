/** Resources of a whole pod, beside those of its containers. */
import { fieldForbidden, fieldInvalid } from "@travelops/kube";
import { compareQuantity, formatQuantity, tryParseQuantity } from "@travelops/kube/api/quantity";
import { containerQuantities, podTotals } from "@travelops/kube/schema/pod-totals";
import type { Errors } from "../checks.ts";
import { child, type Fields, items, text } from "../fields.ts";
import { checkResources } from "./resources.ts";

function covers(spec: Fields, key: "limits" | "requests", path: string, errors: Errors): void {
  const own = child(child(spec, "resources"), key) ?? {};
  for (const [name, needed] of podTotals(spec, key)) {
    if (key === "limits" && !name.startsWith("hugepages-")) continue;
    const given = tryParseQuantity(own[name]);
    if (given === undefined || compareQuantity(needed, given) <= 0) continue;
    errors.push(
      fieldInvalid(
        `${path}.${key}[${name}]`,
        formatQuantity(given),
        `must be greater than or equal to aggregate container ${key} of ${formatQuantity(needed)}`,
      ),
    );
  }
}

/** `resources` of a pod's spec, and that its containers stay within them. */
export function checkPodResources(spec: Fields, path: string, claims: readonly string[], errors: Errors): void {
  const resources = child(spec, "resources");
  if (resources === undefined) return;
  const at = `${path}.resources`;
  if (text(child(spec, "os"), "name") === "windows") {
    errors.push(fieldForbidden(at, "may not be set for a windows pod"));
    return;
  }
  if (Array.isArray(resources["claims"]))
    errors.push(fieldForbidden(`${at}.claims`, "claims may not be set for Resources at pod-level"));
  checkResources(resources, at, claims, errors, "pod");
  covers(spec, "requests", at, errors);
  covers(spec, "limits", at, errors);
  const limits = child(resources, "limits") ?? {};
  items(spec, "containers").forEach((container, i) => {
    for (const [name, limit] of containerQuantities(container, "limits")) {
      const given = tryParseQuantity(limits[name]);
      if (given === undefined || compareQuantity(limit, given) <= 0) continue;
      errors.push(
        fieldInvalid(
          `${at}.containers[${i}][${name}].limits`,
          formatQuantity(limit),
          `must be less than or equal to pod limits of ${formatQuantity(given)}`,
        ),
      );
    }
  });
}
