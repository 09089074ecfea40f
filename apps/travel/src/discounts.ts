import { requesterChaos } from "./shared/chaos.ts";
import { parseListenAddress, setting } from "./shared/env.ts";
import { json, serveHttp } from "./shared/http-server.ts";
import { runService, type StartService } from "./shared/service.ts";

function discountOf(user: string): number {
  if (user === "registered") return 0.1;
  return user === "new" ? 0.25 : 0.05;
}

/** `GET /discounts/{user}`: the discount of a kind of user. */
export const start: StartService = async ({ env, log }) => {
  const chaos = requesterChaos(env);
  return serveHttp({
    listen: parseListenAddress(setting(env, "LISTEN_ADDRESS", ":8092")),
    log,
    routes: [
      {
        method: "GET",
        path: "/discounts/{user}",
        handle: async ({ params, headers, signal }) => {
          await chaos.disturb({ headers, city: "" }, signal);
          const user = params["user"] ?? "";
          return json(200, { user, discount: discountOf(user) });
        },
      },
    ],
  });
};

if (import.meta.main) await runService("discounts", start);
