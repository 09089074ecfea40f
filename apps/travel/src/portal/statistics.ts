import type { Visitor } from "./traffic-mix.ts";

/** Requests counted in total and by each property of the visitor. */
export interface Requests {
  total: number;
  devices: { web: number; mobile: number };
  users: { registered: number; new: number };
  travel_type: { t1: number; t2: number; t3: number };
}

export type Coordinates = readonly [longitude: number, latitude: number];

export interface CityStatus {
  readonly city: string;
  readonly coordinates: Coordinates;
  readonly requests: Requests;
}

/** No requests yet. */
export function noRequests(): Requests {
  return {
    total: 0,
    devices: { web: 0, mobile: 0 },
    users: { registered: 0, new: 0 },
    travel_type: { t1: 0, t2: 0, t3: 0 },
  };
}

/** Counts one visitor. */
export function count(requests: Requests, visitor: Visitor): void {
  requests.total += 1;
  requests.devices[visitor.device] += 1;
  requests.users[visitor.user] += 1;
  requests.travel_type[visitor.travel] += 1;
}
