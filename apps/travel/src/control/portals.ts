import { NO_SETTINGS } from "../portal/settings.ts";
import { noRequests } from "../portal/statistics.ts";
import { setting, SettingError, type Environment } from "../shared/env.ts";
import type { HttpClient } from "../shared/http-client.ts";
import { errorText, type Log } from "../shared/log.ts";

export interface Portal {
  readonly name: string;
  readonly url: string;
}

/** Reads `PORTAL_SERVICES`: `name;url,name;url`. */
export function parsePortals(env: Environment): Portal[] {
  const text = setting(env, "PORTAL_SERVICES");
  if (text === "") throw new SettingError('PORTAL_SERVICES is empty: it must be "NAME;URL,NAME;URL"');
  const portals = text.split(",").map((part) => {
    const [name = "", url = ""] = part.trim().split(";", 2);
    if (name === "" || !URL.canParse(url)) {
      throw new SettingError(`PORTAL_SERVICES has "${part}": each part must be NAME;URL`);
    }
    return { name, url: url.replace(/\/+$/, "") };
  });
  return portals.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** What stands for a portal that does not answer: far out at sea, in no country on the map. */
function lostPortal(name: string): unknown {
  return {
    name,
    coordinates: [-25.702539, 37.747909],
    country: "Atlantis",
    settings: NO_SETTINGS,
    status: { requests: noRequests(), cities: [], error: true },
  };
}

export interface PortalAccess {
  statusOf(portal: Portal, headers: Readonly<Record<string, string>>): Promise<unknown>;
  /** The reason it was not delivered, or undefined. */
  change(portal: Portal, settings: Buffer, headers: Readonly<Record<string, string>>): Promise<string | undefined>;
}

/** Asks the portals. One that does not answer in time is lost, not an error of the whole page. */
export function portalAccess(client: HttpClient, log: Log, timeout = 3000): PortalAccess {
  const lost = new Set<string>();
  return {
    statusOf: async (portal, headers) => {
      try {
        const response = await client.call(`${portal.url}/status`, { headers, timeout });
        if (response.status >= 400) throw new Error(`it answered ${response.status}`);
        const status = response.json();
        if (lost.delete(portal.name)) log.info(`${portal.name} answers again`);
        return status;
      } catch (error) {
        if (!lost.has(portal.name)) log.warn(`${portal.name} does not answer: ${errorText(error)}`);
        lost.add(portal.name);
        return lostPortal(portal.name);
      }
    },
    change: async (portal, settings, headers) => {
      try {
        const response = await client.call(`${portal.url}/settings`, {
          method: "PUT",
          headers: { ...headers, "content-type": "application/json" },
          body: settings,
          timeout,
        });
        return response.status < 400 ? undefined : `${portal.name} answered ${response.status}`;
      } catch (error) {
        return `${portal.name} does not answer: ${errorText(error)}`;
      }
    },
  };
}
