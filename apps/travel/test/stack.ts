import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const SOURCES = resolve(import.meta.dirname, "../src");

/** A service of the demo as a process of its own. */
export interface ServiceProcess {
  readonly name: string;
  readonly child: ChildProcess;
  /** Where it listens; "" for the load tester. */
  readonly url: string;
  /** Everything it has said. */
  readonly lines: readonly string[];
  /** Resolves with the first line that matches, said already or yet to come. */
  line(pattern: RegExp): Promise<string>;
  stop(signal?: NodeJS.Signals): Promise<number | string>;
}

/** Starts a service and waits until it listens. */
export async function startProcess(
  name: string,
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<ServiceProcess> {
  const { PATH = "" } = process.env;
  const address = { LISTEN_ADDRESS: "127.0.0.1:0" };
  const child = spawn(process.execPath, [join(SOURCES, `${name}.ts`), ...args], {
    env: { PATH, ...address, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string);
  const lines: string[] = [];
  let heard = Promise.withResolvers<void>();
  createInterface({ input: child.stderr }).on("line", (line) => {
    lines.push(line);
    heard.resolve();
    heard = Promise.withResolvers();
  });
  const line = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = lines.find((each) => pattern.test(each));
      if (found !== undefined) return found;
      const ended = await Promise.race([heard.promise, exited]);
      if (ended !== undefined && !lines.some((each) => pattern.test(each))) {
        throw new Error(`${name} ended with ${ended}:\n${lines.join("\n")}`);
      }
    }
  };
  const url = name === "loadtester" ? "" : ((await line(/listens on/)).split("listens on ")[1] ?? "");
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> => {
    child.kill(signal);
    return exited;
  };
  return { name, child, url, lines, line, stop };
}

const PASSWORD = "se'cret\\1";

export interface Stack {
  readonly services: ReadonlyMap<string, ServiceProcess>;
  url(name: string): string;
  readonly mysql: { readonly host: string; readonly port: number; readonly user: string; readonly password: string };
  stop(): Promise<void>;
}

const PORTALS = {
  voyages: { PORTAL_NAME: "voyages.fr", PORTAL_COUNTRY: "France", PORTAL_COORDINATES: "48.861310,2.337418" },
  viaggi: { PORTAL_NAME: "viaggi.it", PORTAL_COUNTRY: "Italy", PORTAL_COORDINATES: "41.890668,12.492194" },
  travels: { PORTAL_NAME: "travels.uk", PORTAL_COUNTRY: "United Kingdom", PORTAL_COORDINATES: "55.956245,-3.187915" },
};

/** Starts the database, the agency, three portals and control, wired as the demo's manifests do. */
export async function startStack(extra: Readonly<Record<string, Record<string, string>>> = {}): Promise<Stack> {
  const directory = mkdtempSync(join(tmpdir(), "travel-"));
  const services = new Map<string, ServiceProcess>();
  const start = async (key: string, name: string, env: Record<string, string>, args: readonly string[] = []) => {
    const service = await startProcess(name, { ...env, ...extra[key] }, args);
    services.set(key, service);
    return service;
  };
  const stop = async (): Promise<void> => {
    await Promise.all([...services.values()].map((service) => service.stop()));
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const flags = ["--default-authentication-plugin", "mysql_native_password", "--datadir", directory, "--port", "0"];
    const database = await start("mysqldb", "mysqldb", { MYSQL_ROOT_PASSWORD: PASSWORD }, flags);
    const port = Number(new URL(database.url).port);
    const discounts = await start("discounts", "discounts", { CURRENT_SERVICE: "discounts", CURRENT_VERSION: "v1" });
    const items = {
      DISCOUNTS_SERVICE: discounts.url,
      MYSQL_SERVICE: `127.0.0.1:${port}`,
      MYSQL_USER: "root",
      MYSQL_PASSWORD: PASSWORD,
      MYSQL_DATABASE: "test",
    };
    const [cars, flights, hotels, insurances] = await Promise.all(
      ["cars", "flights", "hotels", "insurances"].map((name) => start(name, name, items)),
    );
    const agency = await start("agency", "travels", {
      CARS_SERVICE: cars?.url ?? "",
      FLIGHTS_SERVICE: flights?.url ?? "",
      HOTELS_SERVICE: hotels?.url ?? "",
      INSURANCES_SERVICE: insurances?.url ?? "",
    });
    const portals = await Promise.all(
      Object.entries(PORTALS).map(([key, env]) => start(key, "portal", { ...env, TRAVELS_AGENCY_SERVICE: agency.url })),
    );
    const names = Object.values(PORTALS).map((portal) => portal.PORTAL_NAME);
    await start("control", "control", {
      PORTAL_SERVICES: portals.map((portal, index) => `${names[index]};${portal.url}`).join(","),
    });
    return {
      services,
      url: (name) => services.get(name)?.url ?? "",
      mysql: { host: "127.0.0.1", port, user: "root", password: PASSWORD },
      stop,
    };
  } catch (error) {
    // Whatever came up must not outlive a stack that did not.
    await stop();
    throw error;
  }
}
