/** What people read when the ingress cannot serve them: plain words, what is wrong and what to do. */

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

export interface Page {
  readonly status: number;
  readonly title: string;
  readonly lines: readonly string[];
  readonly links?: readonly { readonly text: string; readonly href: string }[];
}

/** HTML for browsers, text for everyone else. */
export function renderPage(page: Page, accept: string | undefined): { type: string; body: string } {
  if (accept?.includes("text/html") !== true) {
    const links = (page.links ?? []).map((l) => `  ${l.href}`);
    return { type: "text/plain; charset=utf-8", body: [page.title, ...page.lines, ...links, ""].join("\n") };
  }
  const lines = page.lines.map((l) => `<p>${escape(l)}</p>`).join("");
  const links = (page.links ?? []).map((l) => `<li><a href="${escape(l.href)}">${escape(l.text)}</a></li>`).join("");
  return {
    type: "text/html; charset=utf-8",
    body: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(page.title)}</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:10vh auto;padding:0 1rem;color-scheme:light dark}h1{font-size:1.3rem}</style><h1>${escape(page.title)}</h1>${lines}${links === "" ? "" : `<ul>${links}</ul>`}</html>`,
  };
}

export function unknownHost(
  hostname: string,
  cluster: string,
  names: readonly string[],
  base: (name: string) => string,
  own?: string,
): Page {
  return {
    status: 404,
    title: `No Route, Ingress or Gateway serves the host "${hostname}"`,
    lines: [
      ...(own === undefined ? [] : [`This port serves ${own}, and takes no names but those of this machine.`]),
      ...(names.length === 0
        ? [`Cluster ${cluster} serves no host yet: create a Route, an Ingress or an HTTPRoute.`]
        : [`These hosts are served by cluster ${cluster}:`]),
    ],
    links: names.map((name) => ({ text: name, href: base(name) })),
  };
}

export const noRule = (hostname: string, path: string, owners: readonly string[]): Page => ({
  status: 404,
  title: `No rule of "${hostname}" matches ${path}`,
  lines:
    owners.length === 0 ? [] : [`The host is served by ${owners.join(", ")}: look at its paths, methods and headers.`],
});

export const noEndpoint = (service: string, port: number, owner: string): Page => ({
  status: 503,
  title: `Service ${service} has no ready endpoint on port ${port}`,
  lines: [
    `${owner} sends this request there, and no pod of the Service is ready to take it.`,
    `Look at it with: kubectl -n ${service.split("/")[0] ?? ""} get endpointslices,pods -l kubernetes.io/service-name=${service.split("/")[1] ?? ""}`,
  ],
});

export const heldBack = (service: string, port: number, owner: string): Page => ({
  status: 503,
  title: `A NetworkPolicy keeps the ingress from Service ${service} on port ${port}`,
  lines: [
    `${owner} sends this request there; its pods take no connections from the ingress.`,
    `Look at it with: kubectl -n ${service.split("/")[0] ?? ""} get networkpolicies`,
  ],
});

export const invalidBackend = (why: string, owner: string): Page => ({
  status: 500,
  title: `${owner} names a backend that cannot be used`,
  lines: [why],
});

export const gatewayFault = (status: 502 | 504, service: string, what: string): Page => ({
  status,
  title: status === 504 ? `Service ${service} did not answer in time` : `Service ${service} broke the connection`,
  lines: [what],
});
