/** What Go's `net/url` refuses to parse, in its words; it takes nearly everything. */

const quote = (text: string): string => JSON.stringify(text);

/** Why a text is no URL; undefined for one that is. */
export function goUrlFault(url: string): string | undefined {
  const fault = reason(url);
  return fault === undefined ? undefined : `parse ${quote(url)}: ${fault}`;
}

function reason(url: string): string | undefined {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(url)) return "net/url: invalid control character in URL";
  const rest = url.split("#", 1)[0] ?? "";
  if (rest.startsWith(":")) return "missing protocol scheme";
  const scheme = /^[a-zA-Z][a-zA-Z0-9+.-]*:/.exec(rest)?.[0] ?? "";
  const after = rest.slice(scheme.length).split("?", 1)[0] ?? "";
  if (scheme === "" && !after.startsWith("/") && (after.split("/", 1)[0] ?? "").includes(":"))
    return "first path segment in URL cannot contain colon";
  if (scheme !== "" && !after.startsWith("/")) return undefined;
  const escape = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(after)?.[0];
  if (escape !== undefined) return `invalid URL escape ${quote(escape)}`;
  const authority = after.startsWith("//") ? (after.slice(2).split("/", 1)[0] ?? "") : "";
  return hostFault(authority.slice(authority.lastIndexOf("@") + 1));
}

function hostFault(host: string): string | undefined {
  const port = /^\[[^\]]*\](.*)$/.exec(host)?.[1] ?? /:.*$/s.exec(host)?.[0] ?? "";
  if (port !== "" && !/^:\d*$/.test(port)) return `invalid port ${quote(port)} after host`;
  const odd = /[\s<>"{}|\\^`]/.exec(host)?.[0];
  return odd === undefined ? undefined : `invalid character ${quote(odd)} in host name`;
}
