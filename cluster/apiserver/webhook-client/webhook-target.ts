/** Where a webhook is, as `clientConfig` of a CRD or of a webhook configuration says it. */
import { array, read, text } from "../registry/printers/printer.ts";

export interface WebhookService {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

export interface WebhookTarget {
  /** Without query; for a service `https://NAME.NAMESPACE.svc:PORT/PATH`, which is what faults name. */
  readonly url: string;
  /** The Service that the host of `url` stands for; undefined: the URL is to be reached as it is. */
  readonly service: WebhookService | undefined;
  /** PEM; undefined: the system's roots. */
  readonly ca: string | undefined;
}

const DEFAULT_PORT = 443;

/** Reads a `clientConfig`. Throws an `Error` with upstream's text where it names nothing that can be called. */
export function webhookTarget(clientConfig: unknown): WebhookTarget {
  const bundle = Buffer.from(text(read(clientConfig, "caBundle")), "base64")
    .toString("utf8")
    .trim();
  const ca = bundle === "" ? undefined : bundle;
  const service = read(clientConfig, "service");
  if (service !== undefined && service !== null) {
    const port = read(service, "port");
    const named: WebhookService = {
      namespace: text(read(service, "namespace")),
      name: text(read(service, "name")),
      port: typeof port === "number" && port > 0 ? port : DEFAULT_PORT,
    };
    const host = `https://${named.name}.${named.namespace}.svc:${named.port}`;
    return { url: host + clean(text(read(service, "path"))), service: named, ca };
  }
  const url = text(read(clientConfig, "url"));
  if (url === "") throw new Error("webhook configuration must have either service or URL");
  const [, origin, path = ""] = /^(https:\/\/[^/?#]+)([^?#]*)/.exec(url) ?? [];
  if (origin === undefined || !URL.canParse(url)) throw new Error(`Unparsable URL: ${url}`);
  return { url: origin + clean(path), service: undefined, ca };
}

/** A path as upstream's client sends it: absolute, no slash at its end. */
const clean = (path: string): string => `/${path}`.replace(/\/{2,}/g, "/").replace(/(.)\/$/, "$1");

/** The address of a Service as upstream's resolver finds it. Throws an `Error` with its text. */
export function serviceAddress(service: unknown, target: WebhookService): { host: string; port: number } {
  if (service === undefined) throw new Error(`service ${JSON.stringify(target.name)} not found`);
  const type = text(read(service, "spec", "type"), "ClusterIP");
  const clusterIP = text(read(service, "spec", "clusterIP"));
  if (type === "ExternalName") return { host: text(read(service, "spec", "externalName")), port: target.port };
  if (clusterIP === "None") throw new Error('cannot route to service with ClusterIP "None"');
  const port = array(read(service, "spec", "ports")).find((one) => read(one, "port") === target.port);
  if (port === undefined)
    throw new Error(`no service port ${target.port} found for service ${JSON.stringify(target.name)}`);
  return { host: clusterIP, port: target.port };
}
