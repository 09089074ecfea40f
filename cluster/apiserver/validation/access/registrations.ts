/** What registers with the server: other API servers. */
import { fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import { checkText, dns1035Label, dnsSubdomain, pathSegment, type Errors } from "../checks.ts";
import { child, number, text, type Fields } from "../fields.ts";

export function checkApiService(service: KubeObject, errors: Errors): void {
  const spec = child(service, "spec");
  const name = `${text(spec, "version")}.${text(spec, "group")}`;
  const given = service.metadata.name ?? "";
  if (given !== "" && given !== name && pathSegment(given).length === 0) {
    errors.push(
      fieldInvalid(
        "metadata.name",
        service.metadata.name,
        `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`,
      ),
    );
  }
  checkGroupVersion(text(spec, "group"), text(spec, "version"), errors);
  for (const [key, limit] of [
    ["groupPriorityMinimum", 20_000],
    ["versionPriority", 1000],
  ] as const) {
    const value = number(spec, key) ?? 0;
    if (value <= 0 || value > limit)
      errors.push(fieldInvalid(`spec.${key}`, value, `must be positive and less than ${limit}`));
  }
  checkPlace(spec, errors);
}

function checkGroupVersion(group: string, version: string, errors: Errors): void {
  if (group === "" && version !== "v1")
    errors.push(fieldRequired("spec.group", "only v1 may have an empty group and it better be legacy kube"));
  if (group !== "") checkText(group, "spec.group", dnsSubdomain, errors);
  checkText(version, "spec.version", dns1035Label, errors);
}

/** Where the group version is served: here, or behind a Service. */
function checkPlace(spec: Fields | undefined, errors: Errors): void {
  const insecure = spec?.["insecureSkipTLSVerify"] === true;
  const caBytes = Buffer.from(text(spec, "caBundle"), "base64").length;
  const service = child(spec, "service");
  if (service === undefined) {
    if (caBytes > 0)
      errors.push(fieldInvalid("spec.caBundle", `${caBytes} bytes`, "local APIServices may not have a caBundle"));
    if (insecure)
      errors.push(
        fieldInvalid("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify"),
      );
    return;
  }
  for (const key of ["namespace", "name"])
    if (text(service, key) === "") errors.push(fieldRequired(`spec.service.${key}`));
  const port = number(service, "port") ?? 443;
  if (port < 1 || port > 65_535)
    errors.push(fieldInvalid("spec.service.port", port, "port is not valid: must be between 1 and 65535, inclusive"));
  if (insecure && caBytes > 0)
    errors.push(fieldInvalid("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present"));
}
