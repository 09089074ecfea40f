/** How many seats a list takes, and a watch that begins with one: reckoned by the bytes it moves, as upstream does it. */
import type { Store } from "../../store/store.ts";
import { queryBoolean } from "../request/list-options.ts";

const BYTES_A_SEAT = 100_000;
/** What comes from memory goes out piece by piece, however much it is. */
const CACHED_BYTES = 1_000_000;
const MOST_SEATS = 100;
/** Of a level's seats, one request takes no more. */
const SHARE_OF_LEVEL = 0.15;

export interface Listing {
  readonly verb: "list" | "watch";
  readonly table: string;
  readonly query: URLSearchParams;
}

/** The most seats that one request takes of a level with so many. */
export function mostSeats(seats: number, handSize: number): number {
  const share = Math.min(Math.ceil(seats * SHARE_OF_LEVEL), Math.floor(seats / Math.max(handSize, 1)));
  return Math.min(MOST_SEATS, Math.max(1, share));
}

/** Asked of levels that count seats only: it looks at the store. */
export function listWidth(store: Store, { verb, table, query }: Listing, most: number): number {
  const version = query.get("resourceVersion") ?? "";
  const current = version === "" || version === "0";
  if (verb === "watch" && !current && queryBoolean(query, "sendInitialEvents") !== true) return 1;
  if (/(^|,)metadata\.name==?[^,]/.test(query.get("fieldSelector") ?? "")) return 1;
  const count = store.count(table);
  const limit = Number(query.get("limit") ?? 0);
  const limited = limit > 0 ? Math.min(limit, count) : count;
  const cached = verb === "watch" || !wantsHistory(query, current, limit);
  const selects = (query.get("labelSelector") ?? "") !== "" || (query.get("fieldSelector") ?? "") !== "";
  const objects = !cached && selects ? Math.max(limited, Math.ceil(count / 2)) : limited;
  const bytes = objects * (store.list(table, { limit: 1 }).items[0]?.bytes.length ?? 0);
  const seats = Math.ceil((cached ? Math.min(bytes, CACHED_BYTES) : bytes) / BYTES_A_SEAT);
  return Math.max(1, Math.min(seats, most));
}

/** Whether a list is one of a version that is past, which upstream's cache does not have. */
const wantsHistory = (query: URLSearchParams, current: boolean, limit: number): boolean => {
  const match = query.get("resourceVersionMatch") ?? "";
  return (query.get("continue") ?? "") !== "" || match === "Exact" || (match === "" && limit > 0 && !current);
};
