/** Choices that stay the same from one `up` to the next: the ports of a data directory. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { DataDir } from "./data-dir.ts";
import { portTaken } from "./errors.ts";

export interface Ports {
  api: number;
  http: number;
  https: number;
}

/** Where the search for a free port starts. */
const PREFERRED: Ports = { api: 16443, http: 18080, https: 18443 };
const WHAT: Record<keyof Ports, string> = {
  api: "the Kubernetes API",
  http: "HTTP of the applications",
  https: "HTTPS of the applications",
};

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

async function firstFree(from: number, taken: ReadonlySet<number>): Promise<number> {
  for (let port = from; port < from + 500; port++) if (!taken.has(port) && (await isFree(port))) return port;
  throw portTaken(`and the 500 after it`, from, "--api-port, --http-port and --https-port");
}

export interface ChosenPorts {
  ports: Ports;
  /** True where none was asked for or kept from before: others would do as well. */
  chosen: boolean;
}

/** Ports asked for by flag win, then those of the last time, then free ones. Throws when one is taken. */
export async function choosePorts(dir: DataDir, asked: Partial<Ports>): Promise<ChosenPorts> {
  const known = await readPorts(dir);
  const ports: Ports = { ...PREFERRED };
  const used = new Set<number>();
  let chosen = true;
  for (const name of ["api", "http", "https"] as const) {
    const fixed = asked[name] ?? known?.[name];
    if (fixed !== undefined && !(await isFree(fixed))) throw portTaken(WHAT[name], fixed, `--${name}-port`);
    if (fixed !== undefined) chosen = false;
    ports[name] = fixed ?? (await firstFree(PREFERRED[name], used));
    used.add(ports[name]);
  }
  return { ports, chosen };
}

/** From now on these are the data directory's. */
export async function keepPorts(dir: DataDir, ports: Ports): Promise<void> {
  await writeFile(`${dir.configFile}.new`, `${JSON.stringify({ ports }, null, 2)}\n`, { mode: 0o600 });
  await rename(`${dir.configFile}.new`, dir.configFile);
}

async function readPorts(dir: DataDir): Promise<Partial<Ports> | undefined> {
  const text = await readFile(dir.configFile, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return (JSON.parse(text) as { ports?: Partial<Ports> }).ports;
  } catch {
    return undefined;
  }
}
