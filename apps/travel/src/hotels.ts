import { json, type Route } from "./shared/http-server.ts";
import { startItemService, type ItemKind } from "./shared/item-service.ts";
import { runService, type StartService } from "./shared/service.ts";
import type { TravelDatabase } from "./shared/travel-database.ts";

/** `GET /hotels`: every city one can travel to. */
function destinations(database: TravelDatabase): Route[] {
  const handle = async () => {
    const rows = await database.query("SELECT city, lat, lng FROM cities", []);
    return json(
      200,
      rows.map((row) => ({ city: String(row["city"]), lat: String(row["lat"]), lng: String(row["lng"]) })),
    );
  };
  return [{ method: "GET", path: "/hotels", handle }];
}

const KIND: ItemKind = { name: "hotels", label: "hotel", defaultAddress: ":8094", routes: destinations };

/** `GET /hotels/{city}`: the hotels of a city, at the price for the request's user. */
export const start: StartService = (context) => startItemService(KIND, context);

if (import.meta.main) await runService(KIND.name, start);
