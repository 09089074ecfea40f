import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parsePortals, portalAccess, type Portal, type PortalAccess } from "./control/portals.ts";
import { staticFiles } from "./control/static-files.ts";
import { parseSettings, SettingsError } from "./portal/settings.ts";
import { parseListenAddress, setting, type Environment } from "./shared/env.ts";
import { createHttpClient } from "./shared/http-client.ts";
import { errorReply, json, serveHttp, type Reply, type Request } from "./shared/http-server.ts";
import { traceHeaders } from "./shared/propagation.ts";
import { runService, type StartService } from "./shared/service.ts";

/** The page's files: `WEBROOT` where it is there, else our own. */
function webRoot(env: Environment): string {
  const wanted = resolve(setting(env, "WEBROOT", "./html"));
  return existsSync(wanted) ? wanted : resolve(import.meta.dirname, "../web");
}

/**
 * Hands settings on. As upstream, the answer repeats the settings even when the portal is not there; the
 * `warning` header then says so.
 */
async function changeSettings(portals: readonly Portal[], access: PortalAccess, request: Request): Promise<Reply> {
  const name = request.params["portal"] ?? "";
  const portal = portals.find((known) => known.name === name);
  if (!portal) {
    const known = portals.map((each) => each.name).join(", ");
    return errorReply(404, `There is no portal ${name}; the portals are ${known}`);
  }
  const body = await request.body();
  try {
    const settings = parseSettings(body.toString());
    const failure = await access.change(portal, body, traceHeaders(request.headers));
    const warning: Record<string, string> =
      failure === undefined ? {} : { warning: `199 - "${failure.replaceAll(/[^\x20-\x7e]|["\\]/g, " ")}"` };
    return json(200, settings, warning);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return json(400, { error: "The settings cannot be read", detail: error.message });
  }
}

/** The dashboard: the portals' status, their settings, and the page that shows both. */
export const start: StartService = async ({ env, log }) => {
  const portals = parsePortals(env);
  const client = createHttpClient();
  const access = portalAccess(client, log);
  const status = async (request: Request): Promise<Reply> => {
    const headers = traceHeaders(request.headers);
    const all = await Promise.all(portals.map((portal) => access.statusOf(portal, headers)));
    return json(200, all, { "cache-control": "no-store" });
  };
  const files = staticFiles(webRoot(env));
  const server = await serveHttp({
    listen: parseListenAddress(setting(env, "LISTEN_ADDRESS", ":8080")),
    log,
    routes: [
      { method: "GET", path: "/status", handle: status },
      { method: "PUT", path: "/settings/{portal}", handle: (request) => changeSettings(portals, access, request) },
      { method: "GET", path: "/{path...}", handle: files },
      { method: "HEAD", path: "/{path...}", handle: files },
    ],
  });
  return {
    url: server.url,
    close: async () => {
      await server.close();
      client.close();
    },
  };
};

if (import.meta.main) await runService("control", start);
