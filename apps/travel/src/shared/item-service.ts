import type { IncomingHttpHeaders } from "node:http";
import { requesterChaos } from "./chaos.ts";
import { parseListenAddress, setting } from "./env.ts";
import { discountedPrice, shortestFloat32 } from "./float32.ts";
import { createHttpClient, type HttpClient } from "./http-client.ts";
import { errorReply, json, serveHttp, type Reply, type Request, type Route } from "./http-server.ts";
import { errorText } from "./log.ts";
import { carriedHeaders, headerOf } from "./propagation.ts";
import type { Service, ServiceContext } from "./service.ts";
import { openTravelDatabase, type Row, type TravelDatabase } from "./travel-database.ts";

/** What makes cars, flights, hotels and insurances different from one another. */
export interface ItemKind {
  /** Service, table and first path segment. */
  readonly name: "cars" | "flights" | "hotels" | "insurances";
  /** The column, and the field of the answer, that names an item. */
  readonly label: "carModel" | "airline" | "hotel" | "company";
  readonly defaultAddress: string;
  /** Further routes of this service. */
  readonly routes?: (database: TravelDatabase) => readonly Route[];
}

/** Starts one of the four services that sell something in a city. */
export async function startItemService(kind: ItemKind, { env, log }: ServiceContext): Promise<Service> {
  const listen = parseListenAddress(setting(env, "LISTEN_ADDRESS", kind.defaultAddress));
  const chaos = requesterChaos(env);
  const database = openTravelDatabase(env);
  const client = createHttpClient();
  const discounts = discountLookup(client, setting(env, "DISCOUNTS_SERVICE", "http://localhost:8092"), kind.name);
  const guarded = (handle: Route["handle"]) => async (request: Request) => {
    await chaos.disturb({ headers: request.headers, city: request.params["city"] ?? "" }, request.signal);
    try {
      return await handle(request);
    } catch (error) {
      log.warn(`${request.path}: ${errorText(error)}`);
      return errorReply(500, errorText(error));
    }
  };
  const offers = offersHandler(kind, database, discounts);
  const routes: Route[] = [
    ...(kind.routes?.(database) ?? []),
    { method: "GET", path: `/${kind.name}/{city}`, handle: offers },
  ];
  const server = await serveHttp({
    listen,
    log,
    routes: routes.map((route) => ({ ...route, handle: guarded(route.handle) })),
  });
  return {
    url: server.url,
    close: async () => {
      await server.close();
      client.close();
      await database.close();
    },
  };
}

function offersHandler(kind: ItemKind, database: TravelDatabase, discountOf: DiscountLookup) {
  const sql = `SELECT i.${kind.label}, i.price FROM cities c, ${kind.name} i WHERE c.cityId = i.cityId AND c.city = ?`;
  return async ({ params, headers, signal }: Request): Promise<Reply> => {
    const city = params["city"] ?? "";
    const rows = await database.query(sql, [city]);
    if (rows.length === 0) return errorReply(404, `City ${city} not found`);
    const discount = await discountOf(headers, signal);
    return json(
      200,
      rows.map((row) => ({ [kind.label]: text(row, kind.label), price: price(row, discount) })),
    );
  };
}

type DiscountLookup = (headers: IncomingHttpHeaders, signal: AbortSignal) => Promise<number | undefined>;

/** Asks for the user's discount. Without a user, or without an answer, there is none. */
function discountLookup(client: HttpClient, base: string, from: string): DiscountLookup {
  return async (headers, signal) => {
    const user = headerOf(headers, "user");
    if (user === "" || base === "") return undefined;
    try {
      const response = await client.call(`${base}/discounts/${encodeURIComponent(user)}`, {
        headers: { ...carriedHeaders(headers), discountFrom: from },
        signal,
      });
      const body = response.json();
      const discount = body !== null && typeof body === "object" && "discount" in body ? body.discount : 0;
      return typeof discount === "number" ? discount : 0;
    } catch {
      return undefined;
    }
  };
}

function price(row: Row, discount: number | undefined): number {
  const full = Number(row["price"]);
  return discount === undefined ? shortestFloat32(full) : discountedPrice(full, discount);
}

function text(row: Row, column: string): string {
  const value = row[column];
  return Buffer.isBuffer(value) ? value.toString() : String(value);
}
