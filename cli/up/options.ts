/** What `up` was asked for, checked. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { parseDurationOrSeconds } from "@travelops/kube/api/duration";
import type { Ports } from "../clusters/settings.ts";
import { CliError, patternUnusable } from "../errors.ts";
import { ROOT } from "../tools.ts";
import { isRemote, remotePattern, type RemotePattern } from "./remote-pattern.ts";

export interface UpOptions {
  pattern?: string;
  revision: string;
  detach?: boolean;
  timeout: string;
  output: string;
  nodes: string;
  sandbox: string;
  unknownImages: string;
  apiPort?: string;
  httpPort?: string;
  httpsPort?: string;
}

export type ResolvedPattern = { kind: "directory"; directory: string } | RemotePattern;

export async function patternSource(options: UpOptions): Promise<ResolvedPattern> {
  const given = options.pattern;
  if (given !== undefined && isRemote(given)) return remotePattern(given, options.revision);
  const directory = path.resolve(given ?? path.join(ROOT, "pattern"));
  if (!(await stat(directory).catch(() => undefined))?.isDirectory())
    throw patternUnusable(given ?? directory, "there is no such directory");
  const found = await stat(path.join(directory, "apps")).catch(() => undefined);
  if (!found?.isDirectory())
    throw patternUnusable(given ?? directory, "it has no folder apps/ with the pattern's Applications");
  return { kind: "directory", directory };
}

export function askedPorts(options: UpOptions): Partial<Ports> {
  const port = (text: string | undefined, flag: string): number | undefined => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1 || value > 65535)
      throw new CliError("BAD_PORT", 2, `${flag}: "${text}" is no port (1 to 65535)`);
    return value;
  };
  const asked = {
    api: port(options.apiPort, "--api-port"),
    http: port(options.httpPort, "--http-port"),
    https: port(options.httpsPort, "--https-port"),
  };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
}

/** `90s`, `1m30s`, `1h`, `500ms`, or plain seconds → milliseconds. */
export function parseTimeout(text: string): number {
  const ms = parseDurationOrSeconds(text);
  if (ms === undefined) throw new CliError("BAD_DURATION", 2, `"${text}" is no duration: write 90s, 2m or 1h`);
  return ms;
}
