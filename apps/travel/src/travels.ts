import { quoteChaos } from "./shared/chaos.ts";
import { parseListenAddress, setting, type Environment } from "./shared/env.ts";
import { createHttpClient, type HttpClient } from "./shared/http-client.ts";
import { errorReply, json, serveHttp, type Reply, type Request } from "./shared/http-server.ts";
import { errorText, type Log } from "./shared/log.ts";
import { carriedHeaders, headerOf } from "./shared/propagation.ts";
import { runService, type StartService } from "./shared/service.ts";

const PARTS = ["flights", "hotels", "cars", "insurances"] as const;
type Part = (typeof PARTS)[number];

/** What belongs to a kind of travel; an unknown kind has a hotel and an insurance only. */
function partsOf(travel: string): ReadonlySet<Part> {
  const parts = new Set<Part>(["hotels", "insurances"]);
  if (travel === "t1" || travel === "t2") parts.add("flights");
  if (travel === "t1" || travel === "t3") parts.add("cars");
  return parts;
}

class Upstreams {
  readonly #client: HttpClient;
  readonly #bases: Readonly<Record<Part, string>>;

  constructor(client: HttpClient, env: Environment) {
    this.#client = client;
    this.#bases = {
      flights: setting(env, "FLIGHTS_SERVICE", "http://localhost:8093"),
      hotels: setting(env, "HOTELS_SERVICE", "http://localhost:8094"),
      cars: setting(env, "CARS_SERVICE", "http://localhost:8091"),
      insurances: setting(env, "INSURANCES_SERVICE", "http://localhost:8095"),
    };
  }

  async #get(part: Part, path: string, request: Request) {
    const headers = carriedHeaders(request.headers);
    return this.#client.call(`${this.#bases[part]}/${part}${path}`, { headers, signal: request.signal });
  }

  /** The body of the hotels' list of cities; an answer that is no list counts as an empty one. */
  async destinations(request: Request): Promise<unknown[]> {
    const response = await this.#get("hotels", "", request);
    try {
      const body = response.json();
      return Array.isArray(body) ? body : [];
    } catch {
      return [];
    }
  }

  async offers(part: Part, city: string, request: Request): Promise<unknown> {
    const response = await this.#get(part, `/${encodeURIComponent(city)}`, request);
    if (response.status >= 400) throw new Error(`${part} answered ${response.status}`);
    return response.json();
  }
}

async function quote(upstreams: Upstreams, request: Request): Promise<Record<string, unknown>> {
  const city = request.params["city"] ?? "";
  const travel = headerOf(request.headers, "travel");
  const wanted = partsOf(travel === "" ? "t1" : travel);
  const offers = await Promise.all(
    PARTS.map(async (part) => (wanted.has(part) ? upstreams.offers(part, city, request) : null)),
  );
  return {
    city,
    coordinates: null,
    createdAt: `${new Date().toISOString().slice(0, 19)}Z`,
    status: "Valid",
    ...Object.fromEntries(PARTS.map((part, index) => [part, offers[index]])),
  };
}

function handlers(upstreams: Upstreams, env: Environment, log: Log) {
  const chaos = quoteChaos(env);
  return {
    destinations: async (request: Request): Promise<Reply> => {
      try {
        return json(200, await upstreams.destinations(request));
      } catch (error) {
        const portal = headerOf(request.headers, "portal");
        log.warn(`destinations for portal [${portal}]: ${errorText(error)}`);
        return errorReply(500, `Error fetching destinations for portal [${portal}]`);
      }
    },
    quote: async (request: Request): Promise<Reply> => {
      const city = request.params["city"] ?? "";
      try {
        const result = await quote(upstreams, request);
        await chaos.disturb({ headers: request.headers, city }, request.signal);
        return json(200, result);
      } catch (error) {
        log.warn(`quote for ${city}: ${errorText(error)}`);
        return errorReply(404, `Travel Quote for ${city} not found`);
      }
    },
  };
}

/** `GET /travels`: the cities; `GET /travels/{city}`: a quote of everything the kind of travel needs. */
export const start: StartService = async ({ env, log }) => {
  const client = createHttpClient();
  const { destinations, quote: quoteHandler } = handlers(new Upstreams(client, env), env, log);
  const server = await serveHttp({
    listen: parseListenAddress(setting(env, "LISTEN_ADDRESS", ":8090")),
    log,
    routes: [
      { method: "GET", path: "/travels", handle: destinations },
      { method: "GET", path: "/travels/{city}", handle: quoteHandler },
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

if (import.meta.main) await runService("travels", start);
