/** What registers with the server: other API servers. */
import { fieldInvalid, type KubeObject } from "@travelops/kube";
import type { Errors } from "./checks.ts";
import { child, number, text } from "./fields.ts";

export function checkApiService(service: KubeObject, errors: Errors): void {
  const spec = child(service, "spec");
  const name = `${text(spec, "version")}.${text(spec, "group")}`;
  if (service.metadata.name !== name) {
    errors.push(
      fieldInvalid(
        "metadata.name",
        service.metadata.name,
        `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`,
      ),
    );
  }
  for (const [key, limit] of [
    ["groupPriorityMinimum", 20_000],
    ["versionPriority", 1000],
  ] as const) {
    const value = number(spec, key) ?? 0;
    if (value <= 0 || value > limit)
      errors.push(fieldInvalid(`spec.${key}`, value, `must be positive and less than ${limit}`));
  }
}
