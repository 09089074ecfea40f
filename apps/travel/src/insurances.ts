import { startItemService, type ItemKind } from "./shared/item-service.ts";
import { runService, type StartService } from "./shared/service.ts";

const KIND: ItemKind = { name: "insurances", label: "company", defaultAddress: ":8095" };

/** `GET /insurances/{city}`: the insurances on offer in a city, at the price for the request's user. */
export const start: StartService = (context) => startItemService(KIND, context);

if (import.meta.main) await runService(KIND.name, start);
