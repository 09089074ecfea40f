import { LoadLoop } from "./portal/load-loop.ts";
import { parseSettings, SettingsError } from "./portal/settings.ts";
import type { Coordinates } from "./portal/statistics.ts";
import { parseListenAddress, setting, type Environment } from "./shared/env.ts";
import { createHttpClient } from "./shared/http-client.ts";
import { json, serveHttp, type Reply, type Request } from "./shared/http-server.ts";
import { runService, type StartService } from "./shared/service.ts";

/** Where a portal is put that does not say where it is: Ceuta, as upstream has it. */
const NOWHERE: Coordinates = [-5.321187, 35.890134];

/** `PORTAL_COORDINATES` is "latitude,longitude"; the API gives longitude first. A 0 means unknown. */
function portalCoordinates(env: Environment): Coordinates {
  const [latitude, longitude] = setting(env, "PORTAL_COORDINATES").split(",").map(Number);
  return latitude && longitude ? [longitude, latitude] : NOWHERE;
}

async function changeSettings(loop: LoadLoop, request: Request): Promise<Reply> {
  try {
    const settings = parseSettings((await request.body()).toString());
    loop.change(settings);
    return json(200, settings);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return json(400, { error: "The settings cannot be read", detail: error.message });
  }
}

/** `GET /status`, `PUT /settings`, and visitors who keep asking the travel agency. */
export const start: StartService = async ({ env, log }) => {
  const name = setting(env, "PORTAL_NAME", "no-name");
  const country = setting(env, "PORTAL_COUNTRY", "no-country");
  const coordinates = portalCoordinates(env);
  const agency = setting(env, "TRAVELS_AGENCY_SERVICE", "http://localhost:8090").replace(/\/+$/, "");
  const client = createHttpClient();
  const loop = new LoadLoop({ portal: name, agency, client, log, random: Math.random });
  const status = (): Reply =>
    json(200, {
      name,
      coordinates,
      country,
      settings: loop.settings,
      status: { requests: loop.requests, cities: loop.cities, error: loop.failure !== undefined },
    });
  const server = await serveHttp({
    listen: parseListenAddress(setting(env, "LISTEN_ADDRESS", ":8081")),
    log,
    routes: [
      { method: "GET", path: "/status", handle: status },
      { method: "PUT", path: "/settings", handle: (request) => changeSettings(loop, request) },
    ],
  });
  const running = loop.run();
  return {
    url: server.url,
    close: async () => {
      loop.close();
      await Promise.all([running, server.close()]);
      client.close();
    },
  };
};

if (import.meta.main) await runService("portal", start);
