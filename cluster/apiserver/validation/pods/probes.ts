/** Probes and lifecycle handlers. */
import { fieldForbidden, fieldInvalid, fieldRequired } from "@travelops/kube";
import { type Errors, nonNegative, oneOf, portNumber, portReference } from "../checks.ts";
import { child, type Fields, has, items, list, number, text } from "../fields.ts";

const HEADER = /^[-A-Za-z0-9]+$/;
const HEADER_TEXT =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";

function httpGet(action: Fields, path: string, errors: Errors): void {
  if (text(action, "path") === "") errors.push(fieldRequired(`${path}.path`));
  portReference(action["port"], `${path}.port`, errors);
  oneOf(text(action, "scheme"), `${path}.scheme`, ["HTTP", "HTTPS"], errors);
  for (const header of items(action, "httpHeaders")) {
    if (!HEADER.test(text(header, "name")))
      errors.push(fieldInvalid(`${path}.httpHeaders`, text(header, "name"), HEADER_TEXT));
  }
}

function sleepSeconds(action: Fields, path: string, grace: number | undefined, errors: Errors): void {
  const seconds = number(action, "seconds") ?? 0;
  if (seconds < 0 || (grace !== undefined && seconds > grace)) {
    errors.push(
      fieldInvalid(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace ?? 30})`),
    );
  }
}

/** Exactly one handler. */
function checkHandler(handler: Fields, path: string, grace: number | undefined, errors: Errors): void {
  let found = 0;
  const handle = (kind: string, check: (action: Fields, at: string) => void): void => {
    if (!has(handler, kind)) return;
    if (found++ > 0) errors.push(fieldForbidden(`${path}.${kind}`, "may not specify more than 1 handler type"));
    else check(child(handler, kind) ?? {}, `${path}.${kind}`);
  };
  handle("exec", (action, at) => {
    if (list(action, "command").length === 0) errors.push(fieldRequired(`${at}.command`));
  });
  handle("httpGet", (action, at) => httpGet(action, at, errors));
  handle("tcpSocket", (action, at) => portReference(action["port"], `${at}.port`, errors));
  handle("grpc", (action, at) => portNumber(action["port"] ?? 0, `${at}.port`, errors));
  handle("sleep", (action, at) => sleepSeconds(action, at, grace, errors));
  if (found === 0) errors.push(fieldRequired(path, "must specify a handler type"));
}

const NUMBERS = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];

export function checkProbe(
  container: Fields,
  kind: "livenessProbe" | "readinessProbe" | "startupProbe",
  path: string,
  errors: Errors,
): void {
  const probe = child(container, kind);
  if (probe === undefined) return;
  const at = `${path}.${kind}`;
  checkHandler(probe, at, undefined, errors);
  for (const name of NUMBERS) nonNegative(number(probe, name), `${at}.${name}`, errors);
  const grace = number(probe, "terminationGracePeriodSeconds");
  const threshold = number(probe, "successThreshold");
  const graceAt = `${at}.terminationGracePeriodSeconds`;
  if (grace !== undefined && grace <= 0) errors.push(fieldInvalid(graceAt, grace, "must be greater than 0"));
  if (kind === "readinessProbe") {
    if (grace !== undefined) errors.push(fieldInvalid(graceAt, grace, "must not be set for readinessProbes"));
  } else if (threshold !== undefined && threshold !== 1)
    errors.push(fieldInvalid(`${at}.successThreshold`, threshold, "must be 1"));
}

export function checkLifecycle(container: Fields, grace: number | undefined, path: string, errors: Errors): void {
  const lifecycle = child(container, "lifecycle");
  for (const hook of ["postStart", "preStop"]) {
    const handler = child(lifecycle, hook);
    if (handler !== undefined) checkHandler(handler, `${path}.lifecycle.${hook}`, grace, errors);
  }
}
