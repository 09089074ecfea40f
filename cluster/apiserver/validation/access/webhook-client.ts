/** Where a webhook is: at a URL, or behind a Service. */
import { fieldInvalid, fieldRequired } from "@travelops/kube";
import { dnsSubdomain, type Errors } from "../checks.ts";
import { child, type Fields, has, number, text } from "../fields.ts";
import { goUrlFault } from "./go-url.ts";

/** Scheme, authority, query and fragment. */
const URL_PARTS = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/is;
const FORM = "desired format: https://host[/path]";

function checkUrl(url: string, path: string, errors: Errors): void {
  const fault = goUrlFault(url);
  if (fault !== undefined) return void errors.push(fieldRequired(path, `url must be a valid URL: ${fault}; ${FORM}`));
  const [, scheme = "", authority = "", query = "", fragment = ""] = URL_PARTS.exec(url) ?? [];
  const at = authority.lastIndexOf("@");
  if (scheme.toLowerCase() !== "https")
    errors.push(fieldInvalid(path, scheme.toLowerCase(), `'https' is the only allowed URL scheme; ${FORM}`));
  if (authority.slice(at + 1) === "") errors.push(fieldInvalid(path, "", `host must be specified; ${FORM}`));
  if (at !== -1)
    errors.push(fieldInvalid(path, authority.slice(0, at), "user information is not permitted in the URL"));
  if (fragment !== "") errors.push(fieldInvalid(path, fragment, "fragments are not permitted in the URL"));
  if (query !== "") errors.push(fieldInvalid(path, query, "query parameters are not permitted in the URL"));
}

/** The path of a Service: each of its segments is a name. */
function checkPath(urlPath: string, path: string, errors: Errors): void {
  if (urlPath === "" || urlPath === "/") return;
  if (urlPath === "//") return void errors.push(fieldInvalid(path, urlPath, "segment[0] may not be empty"));
  if (!urlPath.startsWith("/")) errors.push(fieldInvalid(path, urlPath, "must start with a '/'"));
  const segments = urlPath.slice(1).replace(/\/$/, "").split("/");
  segments.forEach((segment, i) => {
    if (segment === "") errors.push(fieldInvalid(path, urlPath, `segment[${i}] may not be empty`));
    else for (const fault of dnsSubdomain(segment)) errors.push(fieldInvalid(path, urlPath, `segment[${i}]: ${fault}`));
  });
}

function checkService(service: Fields, path: string, errors: Errors): void {
  // Upstream takes the one for the other.
  if (text(service, "namespace") === "") errors.push(fieldRequired(`${path}.name`));
  if (text(service, "name") === "") errors.push(fieldRequired(`${path}.namespace`));
  const port = number(service, "port");
  if (port !== undefined && (port < 1 || port > 65_535))
    errors.push(fieldInvalid(`${path}.port`, port, "port is not valid: must be between 1 and 65535, inclusive"));
  checkPath(text(service, "path"), `${path}.path`, errors);
}

/** Faults of a webhook's client configuration, of which there is one. */
export function checkWebhookPlace(client: Fields | undefined, path: string, errors: Errors): void {
  const service = child(client, "service");
  if (has(client, "url") === (service !== undefined))
    errors.push(fieldRequired(path, "exactly one of url or service is required"));
  else if (service === undefined) checkUrl(text(client, "url"), `${path}.url`, errors);
  else checkService(service, `${path}.service`, errors);
}
